//! Deleting: by age, by project, by person; calls, spans and scores.

use std::sync::Arc;

use analytics::score::Target;
use analytics::{Doomed, Record, Score, ScoreSearch, Search, Span, Store};

use crate::samples::{
    append, append_entries, at, before, call, in_trace, score, search, seconds, span, talk,
};

fn of(user: &str, record: Record) -> Record {
    Record { user: Some(user.into()), session: Some(format!("s-{user}").into()), ..record }
}

fn user(user: &str) -> Doomed {
    Doomed { user: Some(user.into()), ..Doomed::default() }
}

async fn scores(store: &dyn Store) -> Vec<f64> {
    let mut values: Vec<_> =
        store.scores(ScoreSearch::default()).await.unwrap().scores.iter().map(|score| score.value).collect();
    values.sort_by(f64::total_cmp);
    values
}

pub(crate) async fn deleting_a_person_leaves_nothing_of_them(store: &dyn Store) {
    let mut records = Vec::new();
    for n in 0..400 {
        let said = if n % 10 == 3 { "zoë told her secret" } else { "small talk" };
        let name = if n % 10 == 3 { "zoë" } else { "ann" };
        records.push(of(name, Record { trace_id: [(n % 10) as u8 + 1; 16], ..talk(n, said, "noted") }));
    }
    append(store, &records);
    let by = |author: &str, score: Score| Score { author: Some(author.into()), ..score };
    append_entries(
        store,
        [
            &Span { user: Some("zoë".into()), ..span(4, 1, None, 1) },
            &Span { user: Some("ann".into()), ..span(4, 2, None, 2) },
            // SDKs name the user at the root only: what the model was asked stands below it.
            &span(4, 3, None, 3),
            &Span { user: Some("zoë".into()), ..span(20, 1, None, 4) },
            &span(20, 2, Some(1), 5),
            &Span { project: "other".into(), ..span(20, 3, Some(1), 6) },
            &span(1, 4, None, 7),
        ],
    );
    append_entries(
        store,
        [
            &by("zoë", score(Target::Call(records[0].id), "helpful", 1.0, 500)),
            &by("ann", score(Target::Call(records[3].id), "helpful", 2.0, 501)),
            &by("ann", score(Target::Call(records[0].id), "helpful", 3.0, 502)),
            &score(Target::Call(records[393].id), "helpful", 4.0, 503),
        ],
    );
    store.settle().await.unwrap();
    assert_eq!(store.purge(user("zoë")).await.unwrap(), 40);
    store.settle().await.unwrap();

    for text in ["user:zoë", "secret", "session:s-zoë", "score.helpful:2"] {
        assert_eq!(seconds(store, text).await, [0; 0], "{text}");
        assert_eq!(store.count(search(text)).await.unwrap().calls, 0, "{text}");
    }
    assert!(store.get(records[3].id).await.unwrap().is_none());
    let trace = store.trace(Arc::from("default"), [4; 16]).await.unwrap();
    assert_eq!(trace.spans.iter().map(|span| span.user.as_deref()).collect::<Vec<_>>(), [Some("ann")]);
    assert!(trace.calls.is_empty());
    assert!(store.trace(Arc::from("default"), [20; 16]).await.unwrap().spans.is_empty());
    assert_eq!(store.trace(Arc::from("other"), [20; 16]).await.unwrap().spans.len(), 1, "another project's");
    assert_eq!(store.trace(Arc::from("default"), [1; 16]).await.unwrap().spans.len(), 1, "somebody else's");
    assert_eq!(scores(store).await, [3.0]);
    let users = store.values(search(""), analytics::filter::Field::User, String::new()).await.unwrap();
    assert_eq!(
        users.iter().map(|user| (user.value.as_str(), user.calls)).collect::<Vec<_>>(),
        [("ann", 360)]
    );
    let sessions = store.sessions(search("")).await.unwrap().rows;
    assert_eq!(sessions.iter().map(|session| session.id.as_str()).collect::<Vec<_>>(), ["s-ann"]);
    // Everybody else's is there as before.
    assert_eq!(store.count(search("\"small talk\" user:ann")).await.unwrap().calls, 360);
    assert_eq!(store.purge(user("zoë")).await.unwrap(), 0);
}

pub(crate) async fn a_person_is_deleted_by_their_exact_name(store: &dyn Store) {
    append(store, &[of("zoë", call(0)), of("Zoë", call(1)), of("zo", call(2)), call(3)]);
    store.settle().await.unwrap();
    assert_eq!(store.purge(user("zoë")).await.unwrap(), 1);
    store.settle().await.unwrap();
    assert_eq!(seconds(store, "").await, [3, 2, 1]);
}

pub(crate) async fn conditions_of_a_deletion_all_hold(store: &dyn Store) {
    let projects = ["default", "other", "third"];
    let records: Vec<_> = (0..600)
        .map(|n| Record {
            project: projects[n as usize % 3].into(),
            ..of(["ann", "bob"][n as usize % 2], call(n))
        })
        .collect();
    append(store, &records);
    store.settle().await.unwrap();
    let in_project = |project: &str| Search { project: Some(project.into()), ..search("") };
    let left = |project: &'static str| {
        let counted = store.count(in_project(project));
        async move { counted.await.unwrap().calls }
    };
    assert_eq!(store.purge(Doomed::default()).await.unwrap(), 0, "with no condition nothing is deleted");
    let old = Doomed { project: Some("other".into()), ..before(at(300)) };
    assert_eq!(store.purge(old).await.unwrap(), 100);
    let anns = Doomed { project: Some("third".into()), user: Some("ann".into()), ..before(at(300)) };
    assert_eq!(store.purge(anns).await.unwrap(), 50);
    store.settle().await.unwrap();
    assert_eq!((left("default").await, left("other").await, left("third").await), (200, 100, 150));
    let except = Doomed { except: vec!["other".into(), "third".into()], ..before(at(450)) };
    assert_eq!(store.purge(except).await.unwrap(), 150);
    store.settle().await.unwrap();
    assert_eq!((left("default").await, left("other").await, left("third").await), (50, 100, 150));
    let whole = Doomed { project: Some("third".into()), ..Doomed::default() };
    assert_eq!(store.purge(whole).await.unwrap(), 150);
    store.settle().await.unwrap();
    assert_eq!((left("default").await, left("other").await, left("third").await), (50, 100, 0));
}

pub(crate) async fn old_spans_and_scores_go_with_old_calls(store: &dyn Store) {
    append(store, &[in_trace(1, None, 10), in_trace(1, None, 30)]);
    append_entries(store, &[span(1, 1, None, 10), span(1, 2, None, 30), span(2, 1, None, 19)]);
    append_entries(
        store,
        &[
            score(Target::Trace([1; 16]), "helpful", 1.0, 10),
            score(Target::Trace([1; 16]), "helpful", 2.0, 30),
            Score { project: "other".into(), ..score(Target::Trace([1; 16]), "helpful", 3.0, 5) },
        ],
    );
    store.settle().await.unwrap();
    let ours = Doomed { project: Some("default".into()), ..before(at(20)) };
    assert_eq!(store.purge(ours).await.unwrap(), 1);
    store.settle().await.unwrap();
    let trace = store.trace(Arc::from("default"), [1; 16]).await.unwrap();
    assert_eq!(trace.calls.iter().map(|call| call.row.started_at).collect::<Vec<_>>(), [at(30)]);
    assert_eq!(trace.spans.iter().map(|span| span.started_at).collect::<Vec<_>>(), [at(30)]);
    assert!(store.trace(Arc::from("default"), [2; 16]).await.unwrap().spans.is_empty());
    assert_eq!(scores(store).await, [2.0, 3.0]);
    assert_eq!(store.purge(before(at(20))).await.unwrap(), 0);
    store.settle().await.unwrap();
    assert_eq!(scores(store).await, [2.0]);
}

pub(crate) async fn what_arrives_after_a_deletion_stays(store: &dyn Store) {
    append(store, &(0..200).map(|n| of("ann", call(n))).collect::<Vec<_>>());
    store.settle().await.unwrap();
    assert_eq!(store.purge(user("ann")).await.unwrap(), 200);
    append(store, &(0..200).map(|n| of("ann", talk(n, "again", "yes"))).collect::<Vec<_>>());
    store.settle().await.unwrap();
    assert_eq!(seconds(store, "again user:ann").await, (0..200).rev().collect::<Vec<_>>());
}
