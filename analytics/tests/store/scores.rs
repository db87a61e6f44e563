//! Scores: kept once, listed, and found in searches for calls.

use analytics::report::{Measured, Report};
use analytics::score::{ScoreSource, Target};
use analytics::{Cursor, Record, Score, ScoreSearch, Store, query};
use vocab::{Id, Limit};

use crate::samples::{START, append, append_entries, at, call, in_trace, score, seconds};

async fn found(store: &dyn Store, search: ScoreSearch) -> Vec<Score> {
    let page = store.scores(search).await.unwrap();
    assert_eq!(page.next_cursor, None);
    page.scores
}

pub(crate) async fn a_score_comes_back_as_it_was_given(store: &dyn Store) {
    let mut given = vec![
        Score {
            comment: Some("said \"it\"\nwell, 漢字".into()),
            source: ScoreSource::Feedback,
            author: Some("ann".into()),
            ..score(Target::Call(Id::at(START)), "helpful", 0.1 + 0.2, 1)
        },
        Score {
            source: ScoreSource::Link,
            project: "other".into(),
            ..score(Target::Trace([7; 16]), "helpful", -1e300, 2)
        },
        score(Target::Session("s, \"1\"".into()), "accuracy", 1.0, 3),
    ];
    assert_eq!(append_entries(store, &given), 3);
    store.settle().await.unwrap();
    given.reverse();
    assert_eq!(found(store, ScoreSearch::default()).await, given);
}

pub(crate) async fn a_score_given_twice_is_there_once(store: &dyn Store) {
    let (judged, other) = (call(0), call(1));
    append(store, &[judged.clone(), other]);
    let first = score(Target::Call(judged.id), "helpful", 1.0, 10);
    // As the API takes it, each time of now; another node may be a little behind.
    let again = Score { value: 0.0, at: at(20), ..first.clone() };
    let behind = Score { at: at(9), ..again.clone() };
    append_entries(store, [&first]);
    store.settle().await.unwrap();
    append_entries(store, [&again, &again]);
    store.settle().await.unwrap();
    append_entries(store, [&behind, &first]);
    store.settle().await.unwrap();
    for from in [None, Some(at(15)), Some(at(5))] {
        let scores = found(store, ScoreSearch { from, ..ScoreSearch::default() }).await;
        assert_eq!(scores, if from == Some(at(15)) { vec![] } else { vec![first.clone()] }, "{from:?}");
    }
    assert_eq!(seconds(store, "score.helpful:1").await, [0]);
    assert_eq!(seconds(store, "score.helpful:0").await, [] as [i64; 0]);
    let report = Report {
        project: Some("default".into()),
        filter: query::parse("").unwrap(),
        from: at(0),
        to: at(5),
        ended_within: None,
        interval: None,
        group_by: Vec::new(),
        measures: vec![Measured::Score("helpful".into())],
        limit: 1,
    };
    assert_eq!(store.report(report).await.unwrap().rows[0].values, [Some(1.0)]);
}

pub(crate) async fn scores_are_found_by_target_name_project_and_time(store: &dyn Store) {
    let judged = Target::Call(Id::at(START));
    let given = [
        score(judged.clone(), "helpful", 1.0, 1),
        score(judged.clone(), "accuracy", 0.5, 2),
        score(Target::Session("s-1".into()), "helpful", 0.0, 3),
        Score { project: "other".into(), ..score(Target::Session("s-1".into()), "helpful", 0.0, 4) },
        score(Target::Session("s-2".into()), "helpful", 0.0, 5),
    ];
    append_entries(store, &given);
    store.settle().await.unwrap();
    let all = ScoreSearch::default;
    let cases = [
        (all(), vec![5, 4, 3, 2, 1]),
        (ScoreSearch { target: Some(judged.clone()), ..all() }, vec![2, 1]),
        (ScoreSearch { target: Some(judged), name: Some("helpful".into()), ..all() }, vec![1]),
        (ScoreSearch { target: Some(Target::Session("s-1".into())), ..all() }, vec![4, 3]),
        (
            ScoreSearch {
                target: Some(Target::Session("s-1".into())),
                project: Some("default".into()),
                ..all()
            },
            vec![3],
        ),
        (ScoreSearch { target: Some(Target::Trace([1; 16])), ..all() }, vec![]),
        (ScoreSearch { name: Some("helpful".into()), ..all() }, vec![5, 4, 3, 1]),
        (ScoreSearch { project: Some("other".into()), ..all() }, vec![4]),
        (ScoreSearch { from: Some(at(2)), to: Some(at(5)), ..all() }, vec![4, 3, 2]),
    ];
    for (search, expected) in cases {
        let told = format!("{search:?}");
        let at_seconds = |score: Score| (score.at.0 - START.0) / 1_000_000;
        let scores: Vec<_> = found(store, search).await.into_iter().map(at_seconds).collect();
        assert_eq!(scores, expected, "{told}");
    }
}

pub(crate) async fn pages_of_scores_neither_skip_nor_repeat(store: &dyn Store) {
    // Many at the same moment, so that only their ids tell them apart.
    let given: Vec<_> =
        (0..100).map(|n| score(Target::Trace([1; 16]), "helpful", f64::from(n), i64::from(n / 10))).collect();
    append_entries(store, &given);
    store.settle().await.unwrap();
    for target in [None, Some(Target::Trace([1; 16]))] {
        let mut search = ScoreSearch { limit: Limit::new(7).unwrap(), target, ..ScoreSearch::default() };
        let mut seen = Vec::new();
        loop {
            let page = store.scores(search.clone()).await.unwrap();
            assert!(page.scores.len() <= 7);
            seen.extend(page.scores.into_iter().map(|score| (score.at, score.id)));
            search.cursor = page.next_cursor.map(|cursor| cursor.to_string().parse::<Cursor>().unwrap());
            if search.cursor.is_none() {
                break;
            }
        }
        let mut expected: Vec<_> = given.iter().map(|score| (score.at, score.id)).collect();
        expected.sort_unstable();
        expected.reverse();
        assert_eq!(seen, expected);
    }
}

pub(crate) async fn calls_are_found_by_their_own_their_traces_and_their_sessions_scores(store: &dyn Store) {
    let session = |seconds, session: &str| Record { session: Some(session.into()), ..call(seconds) };
    let records = [call(0), call(1), in_trace(9, None, 2), session(3, "s-1"), session(4, "s-2"), call(5)];
    append(store, &records);
    append_entries(
        store,
        &[
            score(Target::Call(records[0].id), "helpful", 1.0, 10),
            score(Target::Call(records[1].id), "helpful", 0.25, 10),
            score(Target::Call(records[1].id), "helpful", 0.1, 11),
            score(Target::Trace([9; 16]), "helpful", 0.75, 10),
            score(Target::Session("s-1".into()), "helpful", -2.0, 10),
            score(Target::Session("s-2".into()), "Helpful", 1.0, 10),
            Score { project: "other".into(), ..score(Target::Call(records[5].id), "helpful", 1.0, 10) },
        ],
    );
    store.settle().await.unwrap();
    let cases: [(&str, &[i64]); 14] = [
        ("score.helpful:*", &[3, 2, 1, 0]),
        ("-score.helpful:*", &[5, 4]),
        ("score.helpful>0.5", &[2, 0]),
        ("score.helpful:1", &[0]),
        ("score.helpful:1,0.75", &[2, 0]),
        ("score.helpful:0.1", &[1]),
        ("score.helpful<0.2", &[3, 1]),
        ("score.helpful<=-2", &[3]),
        ("score.helpful<-2", &[]),
        ("-score.helpful>0.5", &[5, 4, 3, 1]),
        ("score.helpful<0.2 score.helpful>0.2", &[1]),
        ("score.Helpful:1", &[4]),
        ("score.none:*", &[]),
        ("score.helpful:* status:200 -session:s-1", &[2, 1, 0]),
    ];
    for (text, expected) in cases {
        let search = analytics::Search { project: Some("default".into()), ..crate::samples::search(text) };
        let rows = store.find(search).await.unwrap().rows;
        let found: Vec<_> = rows.iter().map(|row| (row.started_at.0 - START.0) / 1_000_000).collect();
        assert_eq!(found, expected, "{text}");
    }
    append(store, &(100..400).map(call).collect::<Vec<_>>());
    store.settle().await.unwrap();
    assert_eq!(seconds(store, "score.helpful:0.25,0.75").await, [2, 1], "out of a closed block");
}
