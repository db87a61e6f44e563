//! Reports: the same numbers that adding up each call by hand gives.

use std::time::Duration;

use analytics::filter::Field;
use analytics::report::{Group, Measured, Report, TokenClass};
use analytics::score::Target;
use analytics::{Record, Store, query};
use vocab::{NanoUsd, Usage};

use crate::samples::{append, append_entries, at, before, call, score};
use crate::sums::{Chance, cells, check, check_value, randoms};

const HOUR: i64 = 3_600;

/// Every measure there is but scores.
const MEASURES: &[Measured] = &[
    Measured::Calls,
    Measured::Errors,
    Measured::ErrorRate,
    Measured::Cost,
    Measured::Unpriced,
    Measured::Tokens(TokenClass::All),
    Measured::Tokens(TokenClass::Input),
    Measured::Tokens(TokenClass::CachedInput),
    Measured::Tokens(TokenClass::CacheWrite),
    Measured::Tokens(TokenClass::Output),
    Measured::Tokens(TokenClass::Reasoning),
    Measured::Tokens(TokenClass::Audio),
    Measured::CacheHitRate,
    Measured::Latency(0.5),
    Measured::Latency(0.95),
    Measured::Ttft(0.9),
];

/// A report over all of the default project.
fn report(text: &str, group_by: &[Group]) -> Report {
    Report {
        project: Some("default".into()),
        filter: query::parse(text).unwrap(),
        from: at(-HOUR * 24 * 365),
        to: at(HOUR * 24 * 365),
        ended_within: None,
        measures: MEASURES.to_vec(),
        group_by: group_by.to_vec(),
        interval: None,
        limit: 10_000,
    }
}

async fn filled(store: &dyn Store, count: usize) -> Vec<Record> {
    let records = randoms(count);
    for batch in records.chunks(450) {
        append(store, batch);
    }
    store.settle().await.unwrap();
    records
}

pub(crate) async fn reports_add_up_every_call_in_every_group(store: &dyn Store) {
    let records = filled(store, 3_000).await;
    let metadata = |key: &str| Group::Field(Field::Metadata(key.to_owned()));
    let cases: [&[Group]; 14] = [
        &[],
        &[Group::Field(Field::Model)],
        &[Group::Field(Field::Model), Group::Field(Field::Provider)],
        &[Group::Field(Field::Prompt), Group::Version, Group::Field(Field::Label)],
        &[Group::Field(Field::Experiment), Group::Field(Field::Arm)],
        &[Group::Field(Field::Arm), Group::Field(Field::ArmUnit)],
        &[Group::Field(Field::User)],
        &[Group::Field(Field::Outcome), Group::Status],
        &[metadata("tier")],
        &[metadata("seats"), Group::Field(Field::Provider)],
        &[Group::Field(Field::Tag)],
        &[Group::Field(Field::Stream), Group::Field(Field::Tag), metadata("tier")],
        &[Group::Node],
        &[metadata("none")],
    ];
    for group_by in cases {
        let report = report("", group_by);
        let told = format!("{group_by:?}");
        let expected = if *group_by == [metadata("none")] {
            let none = |((bucket, _), records)| ((bucket, vec![None]), records);
            cells(&records, &Report { group_by: vec![], ..report.clone() }).into_iter().map(none).collect()
        } else {
            cells(&records, &report)
        };
        check(&store.report(report.clone()).await.unwrap(), &report, &expected, &told);
    }
    let everybody = Report { project: None, ..report("", &[Group::Field(Field::Model)]) };
    check(
        &store.report(everybody.clone()).await.unwrap(),
        &everybody,
        &cells(&records, &everybody),
        "all projects",
    );
}

pub(crate) async fn reports_put_time_into_buckets_within_exact_bounds(store: &dyn Store) {
    let records = filled(store, 3_000).await;
    let of_models: &[Group] = &[Group::Field(Field::Model)];
    let of_prompts: &[Group] = &[Group::Field(Field::Prompt)];
    let minutes = |minutes: u64| Some(Duration::from_mins(minutes));
    for (group_by, interval, from, to) in [
        (of_models, minutes(60), -HOUR, 100 * HOUR),
        (of_models, minutes(60), 0, 72 * HOUR),
        (of_models, minutes(60), 5 * HOUR + 1_234, 60 * HOUR - 17),
        (of_models, minutes(6 * 60), 5 * HOUR + 1_234, 100 * HOUR),
        (of_models, None, 5 * HOUR + 1_234, 60 * HOUR - 17),
        (of_models, minutes(60), 5 * HOUR + 10, 5 * HOUR + 900),
        (of_models, minutes(60), 5 * HOUR + 1_800, 6 * HOUR + 1_800),
        (of_models, minutes(7), 10 * HOUR, 13 * HOUR),
        (of_models, minutes(90), 0, 72 * HOUR),
        (of_prompts, minutes(24 * 60), 3 * HOUR, 71 * HOUR),
        (of_prompts, minutes(24 * 60), -100 * HOUR, 100 * HOUR),
        (of_prompts, minutes(60), 3 * HOUR, 71 * HOUR),
        (&[], minutes(24 * 60), 3 * HOUR, 71 * HOUR),
    ] {
        let report = Report { interval, from: at(from), to: at(to), ..report("", group_by) };
        let told = format!("{group_by:?} by {interval:?} from {from} to {to}");
        let expected = cells(&records, &report);
        assert!(!expected.is_empty(), "{told}");
        check(&store.report(report.clone()).await.unwrap(), &report, &expected, &told);
    }
}

pub(crate) async fn reports_are_of_the_calls_that_match(store: &dyn Store) {
    type Looks = fn(&Record) -> bool;
    let records = filled(store, 2_000).await;
    let named =
        |record: &Record| record.prompt.as_ref().is_some_and(|prompt| &*prompt.name == "support/reply");
    let reply = |text: &str, version: u32| (text.to_owned(), version);
    let cases: [(&str, Looks); 10] = [
        ("provider:openai", |record| record.provider.as_deref() == Some("openai")),
        ("-provider:openai,azure", |record| record.provider.is_none()),
        ("model:gpt-4o", |record| record.model.as_deref() == Some("gpt-4o")),
        ("model:fast", |_| true),
        ("prompt:greet", |record| record.prompt.as_ref().is_some_and(|prompt| &*prompt.name == "greet")),
        ("prompt:support/reply@7", |record| record.prompt.as_ref().is_some_and(|prompt| prompt.version == 7)),
        ("prompt:support/reply@sha256:abc8", |record| {
            record.prompt.as_ref().is_some_and(|prompt| prompt.version == 8)
        }),
        ("-label:production", |record| record.prompt.as_ref().is_none_or(|prompt| prompt.label.is_none())),
        ("experiment:support/reply/production", |record| record.exposure.is_some()),
        ("status:429 user:user-3", |record| record.status == 429 && record.user.as_deref() == Some("user-3")),
    ];
    for (text, looks) in cases {
        let prompts = Group::Field(Field::Prompt);
        for group_by in [&[][..], &[prompts], &[Group::Field(Field::Model)], &[Group::Field(Field::Arm)]] {
            let report = report(text, group_by);
            let expected = cells(records.iter().filter(|record| looks(record)), &report);
            check(
                &store.report(report.clone()).await.unwrap(),
                &report,
                &expected,
                &format!("{text} {group_by:?}"),
            );
        }
    }
    let by_id = reply(
        &format!(
            "prompt:{}",
            records.iter().find(|record| named(record)).unwrap().prompt.as_ref().unwrap().id
        ),
        0,
    )
    .0;
    let report = report(&by_id, &[Group::Version]);
    let expected = cells(records.iter().filter(|record| named(record)), &report);
    check(&store.report(report.clone()).await.unwrap(), &report, &expected, &by_id);
}

pub(crate) async fn quantiles_are_within_two_percent(store: &dyn Store) {
    let mut chance = Chance(7);
    let records: Vec<_> = (0..2_500)
        .map(|n| Record { duration_us: chance.spread(200.0, 3e8), ttft_us: Some(n as u64 % 50), ..call(n) })
        .collect();
    for batch in records.chunks(500) {
        append(store, batch);
    }
    store.settle().await.unwrap();
    let parts = [0.0, 0.01, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1.0];
    let measures = parts.iter().flat_map(|part| [Measured::Latency(*part), Measured::Ttft(*part)]);
    let report = Report { measures: measures.collect(), ..report("", &[]) };
    let table = store.report(report.clone()).await.unwrap();
    for (measure, value) in report.measures.iter().zip(&table.rows[0].values) {
        check_value(measure, *value, &records.iter().collect::<Vec<_>>(), &format!("{measure:?}"));
    }
}

pub(crate) async fn what_is_not_known_is_null_in_a_report_and_not_zero(store: &dyn Store) {
    let used = Some(Usage { input: 10, ..Usage::default() });
    let of = |model: &str, record: Record| Record { model: Some(model.into()), ..record };
    append(
        store,
        &[
            of("unpriced", Record { usage: used, ..call(0) }),
            of("priced", Record { usage: used, cost: Some(NanoUsd(70)), ..call(1) }),
            of("priced", Record { usage: used, ..call(2) }),
            of("free", Record { usage: Some(Usage::default()), cost: Some(NanoUsd(0)), ..call(3) }),
            of("unused", call(4)),
        ],
    );
    store.settle().await.unwrap();
    let measures = vec![
        Measured::Cost,
        Measured::Unpriced,
        Measured::Tokens(TokenClass::All),
        Measured::Ttft(0.5),
        Measured::CacheHitRate,
        Measured::ErrorRate,
        Measured::Score("helpful".into()),
    ];
    let report = Report { measures, ..report("", &[Group::Field(Field::Model)]) };
    let table = store.report(report).await.unwrap();
    let values = |model: &str| {
        let row = table.rows.iter().find(|row| row.group == [Some(model.to_owned())]);
        row.unwrap_or_else(|| panic!("no row for {model}")).values.clone()
    };
    let zero = Some(0.0);
    assert_eq!(values("unpriced"), [None, Some(1.0), Some(10.0), None, None, zero, None]);
    assert_eq!(values("priced"), [Some(70.0), Some(1.0), Some(20.0), None, None, zero, None]);
    assert_eq!(values("free"), [zero, zero, zero, None, None, zero, None]);
    assert_eq!(values("unused"), [None, zero, None, None, None, zero, None]);
}

pub(crate) async fn a_report_averages_the_scores_given_to_its_calls(store: &dyn Store) {
    let of = |user: &str, seconds| Record { user: Some(user.into()), ..call(seconds) };
    let records = [of("ann", 0), of("ann", 1), of("bob", 2), of("eve", 3)];
    append(store, &records);
    let judged = |n: usize, name: &str, value| score(Target::Call(records[n].id), name, value, 10);
    append_entries(
        store,
        &[
            judged(0, "helpful", 1.0),
            judged(0, "helpful", 0.0),
            judged(1, "helpful", 0.5),
            judged(1, "accuracy", 9.0),
            judged(2, "helpful", 0.25),
            score(Target::Trace(records[3].trace_id), "helpful", 1.0, 10),
        ],
    );
    store.settle().await.unwrap();
    let measures =
        vec![Measured::Score("helpful".into()), Measured::Calls, Measured::Score("accuracy".into())];
    let report = Report { measures, ..report("", &[Group::Field(Field::User)]) };
    let table = store.report(report.clone()).await.unwrap();
    let of = |user: &str| {
        table.rows.iter().find(|row| row.group == [Some(user.to_owned())]).unwrap().values.clone()
    };
    assert_eq!(of("ann"), [Some(0.5), Some(2.0), Some(9.0)]);
    assert_eq!(of("bob"), [Some(0.25), Some(1.0), None]);
    assert_eq!(of("eve"), [None, Some(1.0), None]);
    let judged = Report { group_by: vec![], filter: query::parse("score.helpful<0.4").unwrap(), ..report };
    let table = store.report(judged).await.unwrap();
    assert_eq!(table.rows[0].values[1], Some(2.0), "ann's first call and bob's");
}

pub(crate) async fn a_report_keeps_the_rows_with_the_most_calls(store: &dyn Store) {
    // One call of user-0, two of user-1, and so on.
    let users = (0..20).flat_map(|user| (0..=user).map(move |n| (user, n)));
    let records: Vec<_> = users
        .map(|(user, n)| Record {
            user: Some(format!("user-{user}").into()),
            ..call(i64::from(user * 100 + n))
        })
        .collect();
    append(store, &records);
    store.settle().await.unwrap();
    let measures = vec![Measured::Calls];
    let report = Report { measures, limit: 3, ..report("", &[Group::Field(Field::User)]) };
    let table = store.report(report.clone()).await.unwrap();
    assert!(table.truncated && table.complete);
    let rows: Vec<_> =
        table.rows.iter().map(|row| (row.group[0].as_deref().unwrap(), row.values[0].unwrap())).collect();
    assert_eq!(rows, [("user-19", 20.0), ("user-18", 19.0), ("user-17", 18.0)]);
    let table = store.report(Report { limit: 20, ..report }).await.unwrap();
    assert!(!table.truncated && table.rows.len() == 20);
}

// What hangs ends long after it began: by their starts, alerts never saw such calls.
pub(crate) async fn a_report_may_be_about_when_calls_ended(store: &dyn Store) {
    let took = |n, started, seconds: u64| Record {
        started: at(started),
        duration_us: seconds * 1_000_000,
        ..call(n)
    };
    append(store, &[took(0, 0, 300), took(1, 290, 1), took(2, 250, 100), took(3, 180, 20), took(4, 300, 20)]);
    store.settle().await.unwrap();
    let report = Report { from: at(200), to: at(320), measures: vec![Measured::Calls], ..report("", &[]) };
    let calls = async |report: &Report| -> Vec<_> {
        let table = store.report(report.clone()).await.unwrap();
        assert!(table.complete);
        table.rows.into_iter().map(|row| (row.bucket, row.values[0].unwrap())).collect()
    };
    assert_eq!(calls(&report).await, [(None, 3.0)]);
    let ended = Report { ended_within: Some(Duration::from_mins(10)), ..report };
    // From 200 on, 320 excluded: all but the third and the last.
    assert_eq!(calls(&ended).await, [(None, 3.0)]);
    let minutes = Report { interval: Some(Duration::from_mins(1)), ..ended.clone() };
    let bucket = |seconds| Some(at(seconds));
    assert_eq!(calls(&minutes).await, [(bucket(180), 1.0), (bucket(240), 1.0), (bucket(300), 1.0)]);
    let short = Report { ended_within: Some(Duration::from_secs(20)), ..ended };
    assert_eq!(calls(&short).await, [(None, 2.0)], "the one that took longer is left out");
}

pub(crate) async fn a_report_about_nothing_has_no_rows(store: &dyn Store) {
    append(store, &[call(0)]);
    store.settle().await.unwrap();
    for report in [
        report("user:nobody", &[]),
        report("provider:nobody", &[]),
        Report { project: Some("none".into()), ..report("", &[]) },
        Report { from: at(10), to: at(20), ..report("", &[]) },
        Report { from: at(20), to: at(10), ..report("", &[]) },
    ] {
        let table = store.report(report).await.unwrap();
        assert!(table.rows.is_empty() && table.complete && !table.truncated);
    }
}

pub(crate) async fn a_report_is_about_what_is_left_after_deleting(store: &dyn Store) {
    let mut records = filled(store, 2_000).await;
    let told = "after deleting";
    store.purge(before(at(20 * HOUR + 7))).await.unwrap();
    let user = analytics::Doomed { user: Some("user-3".into()), ..analytics::Doomed::default() };
    store.purge(user).await.unwrap();
    store.settle().await.unwrap();
    records.retain(|record| record.started >= at(20 * HOUR + 7) && record.user.as_deref() != Some("user-3"));
    for group_by in
        [&[][..], &[Group::Field(Field::Model)], &[Group::Field(Field::Prompt)], &[Group::Field(Field::User)]]
    {
        let report = Report { interval: Some(Duration::from_hours(24)), ..report("", group_by) };
        check(&store.report(report.clone()).await.unwrap(), &report, &cells(&records, &report), told);
    }
}
