//! Reports: the same numbers that adding up each call by hand gives.

use std::collections::BTreeMap;
use std::time::Duration;

use analytics::filter::Field;
use analytics::record::{CacheUse, Outcome, PromptUse};
use analytics::report::{Group, Measured, Report, Table, TokenClass};
use analytics::score::Target;
use analytics::{Record, Store, query};
use vocab::{Id, NanoUsd, Time, Usage};

use crate::samples::{START, append, append_entries, at, before, call, score};

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
        measures: MEASURES.to_vec(),
        group_by: group_by.to_vec(),
        interval: None,
        limit: 10_000,
    }
}

/// Numbers that look random and are the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }

    /// Spread over some powers of ten, as durations are.
    fn spread(&mut self, least: f64, most: f64) -> u64 {
        (least * (most / least).powf(self.below(1 << 20) as f64 / f64::from(1 << 20))) as u64
    }
}

/// A call at some second in the three days after the start, with something of everything.
fn random(chance: &mut Chance) -> Record {
    let outcomes =
        [Outcome::Ok, Outcome::Ok, Outcome::Ok, Outcome::Cancelled, Outcome::Timeout, Outcome::Refused];
    let used = chance.below(5) > 0;
    let input = chance.below(5_000);
    let usage = Usage {
        input,
        cached_input: input / 3,
        cache_write: input / 7,
        audio_input: chance.below(3),
        output: chance.below(900),
        reasoning: chance.below(50),
        audio_output: chance.below(2),
    };
    let prompt =
        chance.one(&[None, Some(("support/reply", 7)), Some(("support/reply", 8)), Some(("greet", 1))]);
    let prompt = prompt.map(|(name, version)| PromptUse {
        id: Id::first_at(Time(START.0 + name.len() as i64 * 1_000)),
        name: name.into(),
        version,
        digest: format!("abc{version}").into(),
        label: (version != 8).then(|| "production".into()),
    });
    Record {
        project: chance.one(&["default", "default", "default", "other"]).into(),
        outcome: chance.one(&outcomes),
        status: chance.one(&[200, 200, 429, 503]),
        duration_us: chance.spread(1_000.0, 90e6),
        ttft_us: (chance.below(3) > 0).then(|| chance.spread(500.0, 10e6)),
        usage: used.then_some(usage),
        cost: (used && chance.below(4) > 0).then(|| NanoUsd(chance.below(1_000_000) as i64)),
        requested_model: Some("fast".into()),
        model: chance.one(&[None, Some("gpt-4o"), Some("gpt-4o-mini"), Some("claude")]).map(Into::into),
        provider: chance.one(&[None, Some("openai"), Some("azure")]).map(Into::into),
        user: Some(format!("user-{}", chance.below(7)).into()),
        tags: (0..chance.below(3)).map(|tag| format!("t{tag}").into()).collect(),
        metadata: (chance.below(3) > 0).then(|| {
            format!(r#"{{"tier":"{}","seats":{}}}"#, chance.one(&["gold", "silver"]), chance.below(2)).into()
        }),
        cache: chance.one(&[CacheUse::Off, CacheUse::Hit, CacheUse::Miss, CacheUse::Miss]),
        streaming: chance.below(2) > 0,
        prompt,
        ..call(chance.below(72 * 3_600) as i64)
    }
}

fn randoms(count: usize) -> Vec<Record> {
    let mut chance = Chance(0x5eed);
    (0..count).map(|_| random(&mut chance)).collect()
}

async fn filled(store: &dyn Store, count: usize) -> Vec<Record> {
    let records = randoms(count);
    for batch in records.chunks(450) {
        append(store, batch);
    }
    store.settle().await.unwrap();
    records
}

/// The values a call has in a group.
fn values_of(group: &Group, record: &Record) -> Vec<Option<String>> {
    let text = |text: Option<&str>| vec![text.map(str::to_owned)];
    let prompt = record.prompt.as_ref();
    match group {
        Group::Field(Field::Model) => text(record.model.as_deref()),
        Group::Field(Field::Provider) => text(record.provider.as_deref()),
        Group::Field(Field::User) => text(record.user.as_deref()),
        Group::Field(Field::Outcome) => text(Some(record.outcome.as_str())),
        Group::Field(Field::Stream) => vec![Some(record.streaming.to_string())],
        Group::Field(Field::Prompt) => text(prompt.map(|prompt| &*prompt.name)),
        Group::Field(Field::Label) => text(prompt.and_then(|prompt| prompt.label.as_deref())),
        Group::Field(Field::Metadata(key)) => {
            let metadata: Option<serde_json::Value> =
                record.metadata.as_deref().map(|metadata| serde_json::from_str(metadata).unwrap());
            let value = metadata.map(|metadata| metadata[key].clone());
            vec![value.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))]
        }
        Group::Field(Field::Tag) if record.tags.is_empty() => vec![None],
        Group::Field(Field::Tag) => record.tags.iter().map(|tag| Some(tag.to_string())).collect(),
        Group::Status => vec![Some(record.status.to_string())],
        Group::Version => vec![prompt.map(|prompt| prompt.version.to_string())],
        Group::Node => text(Some("node-1")),
        Group::Field(field) => panic!("the test does not know {field}"),
    }
}

type Cells<'r> = BTreeMap<(i64, Vec<Option<String>>), Vec<&'r Record>>;

/// The calls of each row a report should have.
fn cells<'r>(records: impl IntoIterator<Item = &'r Record>, report: &Report) -> Cells<'r> {
    let mut cells = Cells::new();
    for record in records {
        let ours = report.project.as_ref().is_none_or(|project| *project == record.project);
        if !ours || record.started < report.from || record.started >= report.to {
            continue;
        }
        let width = report.interval.map_or(i64::MAX, |interval| interval.as_micros() as i64);
        let bucket = if report.interval.is_some() { record.started.0 / width * width } else { 0 };
        let mut groups = vec![Vec::new()];
        for group in &report.group_by {
            let longer = |values: Vec<Option<String>>| {
                let values_of = values_of(group, record);
                values_of
                    .into_iter()
                    .map(move |value| [values.clone(), vec![value]].concat())
                    .collect::<Vec<_>>()
            };
            groups = groups.into_iter().flat_map(longer).collect();
        }
        groups.into_iter().for_each(|group| cells.entry((bucket, group)).or_default().push(record));
    }
    cells
}

fn total(records: &[&Record], of: impl Fn(&Record) -> Option<u64>) -> Option<f64> {
    let known: Vec<_> = records.iter().filter_map(|record| of(record)).collect();
    (!known.is_empty()).then(|| known.iter().sum::<u64>() as f64)
}

fn exact(measure: &Measured, records: &[&Record]) -> Option<f64> {
    let count = |is: &dyn Fn(&Record) -> bool| records.iter().filter(|record| is(record)).count() as f64;
    let failed = |record: &Record| !matches!(record.outcome, Outcome::Ok | Outcome::Cancelled);
    let tokens = |of: fn(&Usage) -> u64| total(records, |record| record.usage.as_ref().map(of));
    let rate = |part: f64, all: f64| (all > 0.0).then(|| part / all);
    match measure {
        Measured::Calls => Some(records.len() as f64),
        Measured::Errors => Some(count(&failed)),
        Measured::ErrorRate => rate(count(&failed), records.len() as f64),
        Measured::Cost => total(records, |record| record.cost.map(|cost| cost.0 as u64)),
        Measured::Unpriced => Some(count(&|record| {
            record.cost.is_none() && record.usage.is_some_and(|usage| usage.total() > 0)
        })),
        Measured::Tokens(TokenClass::All) => tokens(|usage| usage.total()),
        Measured::Tokens(TokenClass::Input) => tokens(|usage| usage.input),
        Measured::Tokens(TokenClass::CachedInput) => tokens(|usage| usage.cached_input),
        Measured::Tokens(TokenClass::CacheWrite) => tokens(|usage| usage.cache_write),
        Measured::Tokens(TokenClass::Output) => tokens(|usage| usage.output),
        Measured::Tokens(TokenClass::Reasoning) => tokens(|usage| usage.reasoning),
        Measured::Tokens(TokenClass::Audio) => tokens(|usage| usage.audio()),
        Measured::CacheHitRate => {
            let hits = count(&|record| record.cache == CacheUse::Hit);
            rate(hits, hits + count(&|record| record.cache == CacheUse::Miss))
        }
        Measured::Latency(_) | Measured::Ttft(_) | Measured::Score(_) => panic!("not an exact measure"),
    }
}

/// Whether a quantile lies within two percent of what stands at its rank, or next to it.
fn is_quantile(value: Option<f64>, part: f64, mut numbers: Vec<u64>) -> bool {
    numbers.sort_unstable();
    let Some(last) = numbers.len().checked_sub(1) else { return value.is_none() };
    let rank = part * last as f64;
    let least = numbers[(rank.floor() as usize).saturating_sub(1)] as f64;
    let most = numbers[(rank.ceil() as usize + 1).min(last)] as f64;
    value.is_some_and(|value| value >= least * 0.98 && value <= most * 1.02)
}

fn check_value(measure: &Measured, value: Option<f64>, records: &[&Record], told: &str) {
    let durations = |of: fn(&Record) -> Option<u64>| records.iter().filter_map(|record| of(record)).collect();
    match measure {
        Measured::Latency(part) => {
            assert!(
                is_quantile(value, *part, durations(|record| Some(record.duration_us))),
                "{told}: {value:?}"
            );
        }
        Measured::Ttft(part) => {
            assert!(is_quantile(value, *part, durations(|record| record.ttft_us)), "{told}: {value:?}");
        }
        measure => match (value, exact(measure, records)) {
            (Some(value), Some(exact)) => {
                assert!((value - exact).abs() < 1e-9, "{told}: {value} not {exact}")
            }
            (value, exact) => assert_eq!(value, exact, "{told}"),
        },
    }
}

fn check(table: &Table, report: &Report, cells: &Cells<'_>, told: &str) {
    assert!(table.complete && !table.truncated, "{told}");
    assert_eq!(table.rows.len(), cells.len(), "{told}: rows");
    for row in &table.rows {
        assert_eq!(row.bucket.is_some(), report.interval.is_some(), "{told}");
        let key = (row.bucket.map_or(0, |bucket| bucket.0), row.group.clone());
        let records = cells.get(&key).unwrap_or_else(|| panic!("{told}: there are no calls in {key:?}"));
        assert_eq!(row.values.len(), report.measures.len());
        for (measure, value) in report.measures.iter().zip(&row.values) {
            check_value(measure, *value, records, &format!("{told}, {key:?}, {measure:?}"));
        }
    }
    let order =
        |row: &analytics::report::TableRow| (row.bucket, std::cmp::Reverse(row.values[0].unwrap() as u64));
    assert!(table.rows.is_sorted_by_key(order), "{told}: by bucket, then by falling number of calls");
}

pub(crate) async fn reports_add_up_every_call_in_every_group(store: &dyn Store) {
    let records = filled(store, 3_000).await;
    let metadata = |key: &str| Group::Field(Field::Metadata(key.to_owned()));
    let cases: [&[Group]; 12] = [
        &[],
        &[Group::Field(Field::Model)],
        &[Group::Field(Field::Model), Group::Field(Field::Provider)],
        &[Group::Field(Field::Prompt), Group::Version, Group::Field(Field::Label)],
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
    let cases: [(&str, Looks); 9] = [
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
        ("status:429 user:user-3", |record| record.status == 429 && record.user.as_deref() == Some("user-3")),
    ];
    for (text, looks) in cases {
        for group_by in [&[][..], &[Group::Field(Field::Prompt)], &[Group::Field(Field::Model)]] {
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
