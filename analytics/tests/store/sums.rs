//! What a report should say, worked out by adding up one call after the other; and calls to try it on.

use std::collections::BTreeMap;

use analytics::Record;
use analytics::filter::Field;
use analytics::record::{CacheUse, Exposure, Outcome, PromptUse};
use analytics::report::{Group, Measured, Report, Table, TokenClass};
use vocab::{Id, NanoUsd, Time, Usage};

use crate::samples::{START, call};

/// Numbers that look random and are the same in every run.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }

    /// Spread over some powers of ten, as durations are.
    pub(crate) fn spread(&mut self, least: f64, most: f64) -> u64 {
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
        ..Usage::default()
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
    let exposure = prompt.as_ref().filter(|prompt| &*prompt.name == "support/reply").map(|prompt| Exposure {
        experiment: "support/reply/production".into(),
        arm: if prompt.version == 7 { "control" } else { "warm" }.into(),
        unit: chance.one(&["user", "user", "none"]).into(),
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
        exposure,
        ..call(chance.below(72 * 3_600) as i64)
    }
}

pub(crate) fn randoms(count: usize) -> Vec<Record> {
    let mut chance = Chance(0x5eed);
    (0..count).map(|_| random(&mut chance)).collect()
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
        Group::Field(Field::Experiment) => text(record.exposure.as_ref().map(|it| &*it.experiment)),
        Group::Field(Field::Arm) => text(record.exposure.as_ref().map(|it| &*it.arm)),
        Group::Field(Field::ArmUnit) => text(record.exposure.as_ref().map(|it| &*it.unit)),
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

pub(crate) type Cells<'r> = BTreeMap<(i64, Vec<Option<String>>), Vec<&'r Record>>;

/// The calls of each row a report should have.
pub(crate) fn cells<'r>(records: impl IntoIterator<Item = &'r Record>, report: &Report) -> Cells<'r> {
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
        for group in groups {
            cells.entry((bucket, group)).or_default().push(record);
        }
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
    let lowest = numbers[(rank.floor() as usize).saturating_sub(1)] as f64;
    let highest = numbers[(rank.ceil() as usize + 1).min(last)] as f64;
    value.is_some_and(|value| value >= lowest * 0.98 && value <= highest * 1.02)
}

pub(crate) fn check_value(measure: &Measured, value: Option<f64>, records: &[&Record], told: &str) {
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
                assert!((value - exact).abs() < 1e-9, "{told}: {value} not {exact}");
            }
            (value, exact) => assert_eq!(value, exact, "{told}"),
        },
    }
}

pub(crate) fn check(table: &Table, report: &Report, cells: &Cells<'_>, told: &str) {
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
