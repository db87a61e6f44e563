//! Reports out of roll-ups and out of calls: the same numbers, however far rolling up has come.

use std::cell::Cell as Left;

use vocab::{Id, NanoUsd, Usage};

use super::super::append::Appender;
use super::super::purge::Purge;
use super::super::schema;
use super::*;
use crate::outbox::Keep;
use crate::policy::Policy;
use crate::query;
use crate::record::{PromptUse, Record};
use crate::row::Row;
use crate::store::{Doomed, Entry};

const START: Time = Time(1_795_996_800_000_000);
const HOUR: i64 = 3_600_000_000;

/// Calls over two days, ten minutes apart or so, in another order than they started in.
fn filled(count: i64) -> Appender {
    let mut db = Connection::open_in_memory().unwrap();
    schema::create(&mut db).unwrap();
    let mut appender = Appender::new(db).unwrap();
    let call = |n: i64| {
        let started = Time(START.0 + (n * 617 % count) * (48 * HOUR / count));
        let version = (n % 3) as u32;
        Record {
            duration_us: 1_000 + (n * n % 90_000) as u64,
            ttft_us: (n % 2 == 0).then_some(n as u64),
            cost: (n % 5 > 0).then_some(NanoUsd(n)),
            usage: Some(Usage { input: n as u64, ..Usage::default() }),
            model: Some(["large", "small"][(n % 2) as usize].into()),
            provider: (n % 7 > 0).then(|| "openai".into()),
            user: Some(format!("user-{}", n % 4).into()),
            prompt: (version > 0).then(|| PromptUse {
                id: Id::first_at(START),
                name: "support/reply".into(),
                version,
                digest: format!("abc{version}").into(),
                label: Some("production".into()),
            }),
            ..Record::begin(Id::at(started), "default".into(), started, dialects::Endpoint::ChatCompletions)
        }
    };
    let (records, policy) = ((0..count).map(call).collect::<Vec<_>>(), Policy::default());
    let mut rows = records.iter().map(|record| Entry::Call(Box::new(Row::new(record, "n", &policy, false))));
    appender.append(&mut rows, Keep::Everything).unwrap();
    appender
}

fn report(text: &str, group_by: &[Group], hours: Option<u64>) -> Report {
    Report {
        project: Some("default".into()),
        filter: query::parse(text).unwrap(),
        from: Time(START.0 + 5 * HOUR + 17),
        to: Time(START.0 + 40 * HOUR + 1),
        ended_within: None,
        measures: vec![
            Measured::Calls,
            Measured::ErrorRate,
            Measured::Cost,
            Measured::Unpriced,
            Measured::Tokens(TokenClass::All),
            Measured::Latency(0.5),
            Measured::Latency(0.99),
            Measured::Ttft(0.9),
        ],
        group_by: group_by.to_vec(),
        interval: hours.map(Duration::from_hours),
        limit: 1_000,
    }
}

fn reports() -> Vec<Report> {
    let model = Group::Field(Field::Model);
    vec![
        report("", &[], None),
        report("", &[], Some(1)),
        report("-provider:openai", std::slice::from_ref(&model), Some(3)),
        report("prompt:support/reply@2", &[Group::Version, Group::Field(Field::Label)], Some(24)),
        report("-prompt:*", &[Group::Field(Field::Prompt)], None),
        Report { from: Time(i64::MIN), to: Time(i64::MAX), ..report("version>1", &[Group::Version], None) },
        Report {
            to: Time(START.0 + 100 * HOUR),
            ..report("", &[model, Group::Field(Field::Provider)], Some(24))
        },
    ]
}

fn answers(appender: Appender) -> (Vec<Table>, Appender) {
    let mut reader = Reader::on(appender.db, 0).unwrap();
    let tables = reports().iter().map(|report| within(&mut reader, report, &|| false).unwrap()).collect();
    (tables, Appender::new(reader.db).unwrap())
}

fn rolled(appender: &Appender) -> i64 {
    appender.db.query_row("SELECT count(*) FROM block WHERE rolled = 1", [], |row| row.get(0)).unwrap()
}

#[test]
fn reports_are_the_same_before_during_and_after_rolling_up() {
    let (read, mut appender) = answers(filled(2_000));
    assert!(read.iter().all(|table| table.complete && !table.rows.is_empty()));
    while rollup::some(&mut appender.db, 4).unwrap() > 0 {
        let (half, same) = answers(appender);
        appender = same;
        assert_eq!(half, read, "with {} blocks rolled up", rolled(&appender));
    }
    assert!(rolled(&appender) > 10);
}

#[test]
fn deleted_calls_are_taken_out_of_the_roll_ups_to_the_last_trace() {
    let mut appender = filled(2_000);
    while rollup::some(&mut appender.db, 4).unwrap() > 0 {}
    let delete = |appender: &mut Appender, doomed: Doomed| {
        let mut purge = Purge::of(doomed);
        while !purge.is_done() {
            purge.step(appender).unwrap();
        }
        purge.calls
    };
    let user = Doomed { user: Some("user-1".into()), ..Doomed::default() };
    assert_eq!(delete(&mut appender, user), 500);
    let (from_rollups, appender) = answers(appender);
    // The same calls, none of them in a roll-up.
    appender.db.execute_batch("UPDATE block SET rolled = 0; DELETE FROM hour; DELETE FROM day").unwrap();
    let (read, mut appender) = answers(appender);
    assert_eq!(from_rollups, read);
    while rollup::some(&mut appender.db, 4).unwrap() > 0 {}
    appender.resume().unwrap();
    assert_eq!(delete(&mut appender, Doomed { before: Some(Time(i64::MAX)), ..Doomed::default() }), 1_500);
    for table in ["call", "body", "block", "gram", "tie", "hour", "day"] {
        let left: i64 =
            appender.db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
        assert_eq!(left, 0, "{table}");
    }
}

#[test]
fn what_a_rolled_up_report_is_asked_decides_which_roll_up_answers() {
    let width = |report: &Report| rollup_for(report).map(|rollup| rollup.width_us / HOUR);
    let of = |text: &str, group_by: &[Group], hours| width(&report(text, group_by, hours));
    let (model, prompt) = (Group::Field(Field::Model), Group::Field(Field::Prompt));
    assert_eq!(of("", &[], Some(1)), Some(1));
    assert_eq!(of("provider:x", std::slice::from_ref(&model), None), Some(1));
    assert_eq!(of("prompt:x@3 label:y version>2", &[prompt.clone(), Group::Version], Some(48)), Some(24));
    for (text, group_by, hours) in [
        ("prompt:x@sha256:abc", &[][..], None),
        ("", std::slice::from_ref(&prompt), Some(1)),
        ("", &[model, prompt.clone()], None),
        ("", &[Group::Status], None),
        ("user:ann", &[], None),
        ("words", &[], None),
        ("model:x", &[], None),
    ] {
        assert_eq!(of(text, group_by, hours), None, "{text} {group_by:?} {hours:?}");
    }
    let odd = Report { interval: Some(Duration::from_mins(90)), ..report("", &[], None) };
    let scored = Report { measures: vec![Measured::Score("helpful".into())], ..report("", &[], None) };
    assert_eq!((width(&odd), width(&scored)), (None, None));
}

#[test]
fn a_report_that_runs_out_of_time_says_so() {
    let mut reader = Reader::on(filled(2_000).db, 0).unwrap();
    let asked = report("user:user-1", &[], None);
    let calls = |table: &Table| table.rows.first().map_or(0.0, |row| row.values[0].unwrap());
    let whole = within(&mut reader, &asked, &|| false).unwrap();
    let left = Left::new(3);
    let late = || left.replace(left.get() - 1) == 1;
    let cut = within(&mut reader, &asked, &late).unwrap();
    assert!(whole.complete && !cut.complete);
    assert!(calls(&cut) < calls(&whole));
}
