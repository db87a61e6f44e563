//! Traces and sessions found by their ties, and without: the same ones.

use vocab::{Clock, Id, Limit, Time};

use super::super::append::Appender;
use super::super::readers::Reader;
use super::super::{rollup, schema, sessions, traces};
use super::*;
use crate::outbox::Keep;
use crate::policy::Policy;
use crate::query;
use crate::record::Record;
use crate::row::Row;
use crate::store::Entry;
use crate::trace::{SessionSummary, TraceSummary};

const START: Time = Time(1_795_996_800_000_000);

fn filled(count: i64) -> Appender {
    let mut db = Connection::open_in_memory().unwrap();
    schema::create(&mut db).unwrap();
    let mut appender = Appender::new(db).unwrap();
    let call = |n: i64| {
        let started = Time(START.0 + (n + n * 37 % 150) * 1_000);
        Record {
            trace_id: [(n / 3 % 60) as u8 + 1; 16],
            session: (n % 3 > 0).then(|| format!("s-{}", n / 7 % 50).into()),
            user: Some(format!("user-{}", n % 10).into()),
            ..Record::begin(Id::at(started), "default".into(), started, dialects::Endpoint::ChatCompletions)
        }
    };
    let (records, policy) = ((0..count).map(call).collect::<Vec<_>>(), Policy::default());
    let mut rows = records.iter().map(|record| Entry::Call(Box::new(Row::new(record, "n", &policy, false))));
    appender.append(&mut rows, Keep::Everything).unwrap();
    appender
}

/// All pages of traces and of sessions, and the calls of one trace.
fn answers(reader: &mut Reader, text: &str) -> (Vec<TraceSummary>, Vec<SessionSummary>, usize) {
    let clock = Clock::manual(START);
    let filter = query::parse(text).unwrap();
    let first = Search { filter, limit: Limit::new(9).unwrap(), ..Search::default() };
    let (mut all_traces, mut all_sessions) = (Vec::new(), Vec::new());
    let mut search = first.clone();
    loop {
        let page = traces::traces(reader, &search, &clock).unwrap();
        assert!(page.complete);
        all_traces.extend(page.rows);
        search.cursor = page.next_cursor;
        if search.cursor.is_none() {
            break;
        }
    }
    search = first;
    loop {
        let page = sessions::sessions(reader, &search, &clock).unwrap();
        all_sessions.extend(page.rows);
        search.cursor = page.next_cursor;
        if search.cursor.is_none() {
            break;
        }
    }
    let trace = traces::trace(reader, &"default".into(), [5; 16], &clock).unwrap();
    (all_traces, all_sessions, trace.calls.len())
}

#[test]
fn ties_lead_to_the_same_traces_and_sessions_as_reading_every_call() {
    let mut reader = Reader::on(filled(700).db, 0).unwrap();
    let read: Vec<_> = ["", "user:user-3"].map(|text| answers(&mut reader, text)).into();
    assert!(
        read.iter().all(|(traces, sessions, calls)| traces.len() > 9 && sessions.len() > 9 && *calls > 10)
    );
    while rollup::some(&mut reader.db, 2).unwrap() > 0 {
        let tied: Vec<_> = ["", "user:user-3"].map(|text| answers(&mut reader, text)).into();
        assert_eq!(tied, read);
    }
    let few = ties::blocks(&reader.db, Tie::Trace, ["no such trace"], i64::MIN).unwrap();
    assert_eq!(few.len(), 1, "only the open block has to be read");
}

#[test]
fn a_page_of_traces_that_runs_out_of_time_goes_on_where_it_stopped() {
    let reader = Reader::on(filled(600).db, 0).unwrap();
    let mut unpacker = Unpacker::knowing(&reader.db).unwrap();
    let mut names = |steps: u32| {
        let mut search = Search { limit: Limit::new(20).unwrap(), ..Search::default() };
        let (mut names, mut cuts) = (Vec::new(), 0);
        loop {
            let left = std::cell::Cell::new(steps);
            let late = || left.replace(left.get().saturating_sub(1)) == 0;
            let page = newest(&reader.db, &mut unpacker, &search, Tie::Trace, &late).unwrap();
            cuts += u32::from(!page.complete);
            names.extend(page.groups.into_iter().map(|group| group.name));
            search.cursor = page.next;
            if search.cursor.is_none() {
                return (names, cuts);
            }
        }
    };
    let (whole, cuts) = names(u32::MAX);
    assert_eq!(cuts, 0);
    let (pieces, cuts) = names(7);
    assert!(cuts > 0);
    assert_eq!(pieces, whole);
}
