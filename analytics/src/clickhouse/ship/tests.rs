//! Blocks on a real engine: once each, blamed for what is their fault only, gone when their time is over.

use std::time::Duration;

use dialects::Endpoint;
use vocab::{Id, NanoUsd, Time, Usage};

use super::super::encode::Encoder;
use super::super::scratch::Scratch;
use super::*;
use crate::outbox::{Table, frame};
use crate::policy::Policy;
use crate::record::{Outcome, Record};
use crate::row::Row;

const DAY: i64 = 24 * 60 * 60 * 1_000_000;

fn calls(started: &[Time], retention: Option<Duration>) -> Vec<u8> {
    packed(&rows(started, retention))
}

fn rows(started: &[Time], retention: Option<Duration>) -> Vec<u8> {
    let policy = Policy { retention, ..Policy::default() };
    let mut rows = Vec::new();
    for started in started {
        let record = Record {
            outcome: Outcome::Ok,
            duration_us: 1_000,
            usage: Some(Usage { input: 3, ..Usage::default() }),
            cost: Some(NanoUsd(7)),
            ..Record::begin(Id::at(*started), "default".into(), *started, Endpoint::ChatCompletions)
        };
        let row = Row::new(&record, "node", &policy, false);
        Encoder::default().call(&row, &mut rows);
    }
    rows
}

fn packed(rows: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    frame::pack(rows, &mut packed);
    packed
}

fn shipment(block: BlockId, packed: &[u8]) -> Shipment<'_> {
    Shipment { table: Table::Calls, block, layout: schema::LAYOUT, rows: 1, packed }
}

fn now() -> Time {
    vocab::Clock::system().now()
}

#[tokio::test]
async fn a_block_sent_twice_is_there_once_and_so_are_its_roll_ups() {
    let scratch = Scratch::new();
    let ship = Ship::new(scratch.connect());
    // Two weeks apart, so that the block falls into several parts.
    let bytes = calls(&[now(), Time(now().0 - 14 * DAY)], None);
    let block = Id::at(now());
    assert_eq!(ship.has(shipment(block, &bytes)).await, Ok(false));
    for _ in 0..3 {
        ship.insert(shipment(block, &bytes)).await.unwrap();
    }
    assert_eq!(ship.has(shipment(block, &bytes)).await, Ok(true));
    assert_eq!(scratch.value("SELECT count() FROM calls").await, "2");
    for table in ["calls_by_model", "calls_by_prompt"] {
        let sums = format!("SELECT sum(calls), sum(input_tokens), sum(cost_nanousd) FROM {table}");
        assert_eq!(scratch.value(&sums).await, "2\t6\t14", "{table}");
    }
    ship.insert(shipment(Id::at(now()), &bytes)).await.unwrap();
    assert_eq!(scratch.value("SELECT count() FROM calls").await, "4", "the same rows as another block");
    scratch.drop().await;
}

// Once, any row of a block was taken for all of it.
#[tokio::test]
async fn a_block_that_was_broken_off_is_completed_when_it_is_sent_again() {
    let scratch = Scratch::new();
    let ship = Ship::new(scratch.connect());
    let weeks = [now(), Time(now().0 - 14 * DAY)].map(|started| rows(&[started], None));
    let (half, whole) = (packed(&weeks[0]), packed(&weeks.concat()));
    let block = Id::at(now());
    let sent = Shipment { rows: 2, ..shipment(block, &whole) };
    assert_eq!(ship.has(sent).await, Ok(false));
    // What a server leaves behind that dies after the first week's calls and before their roll-ups.
    scratch.connect().run("DETACH TABLE calls_by_model_feed").await.unwrap();
    ship.insert(Shipment { packed: &half, rows: 1, ..sent }).await.unwrap();
    scratch.connect().run("ATTACH TABLE calls_by_model_feed").await.unwrap();
    assert_eq!(ship.has(sent).await, Ok(false), "one of two rows is there");
    ship.insert(sent).await.unwrap();
    assert_eq!(ship.has(sent).await, Ok(true));
    assert_eq!(scratch.value("SELECT count() FROM calls").await, "2");
    for table in ["calls_by_model", "calls_by_prompt"] {
        let calls = format!("SELECT sum(calls) FROM {table}");
        assert_eq!(scratch.value(&calls).await, "2", "{table}");
    }
    scratch.drop().await;
}

// Once, tables were made once in the life of a process.
#[tokio::test]
async fn a_server_that_comes_back_empty_gets_its_tables_again() {
    let scratch = Scratch::new();
    let ship = Ship::new(scratch.connect());
    let bytes = calls(&[now()], None);
    for block in [Id::at(now()), Id::at(now())] {
        ship.insert(shipment(block, &bytes)).await.unwrap();
        scratch.clear().await;
        assert!(matches!(ship.has(shipment(block, &bytes)).await, Err(Refused::Away(_))));
        assert_eq!(ship.has(shipment(block, &bytes)).await, Ok(false));
        scratch.clear().await;
        assert!(matches!(ship.insert(shipment(block, &bytes)).await, Err(Refused::Away(_))));
    }
    scratch.drop().await;
}

#[tokio::test]
async fn what_cannot_be_read_is_the_rows_fault() {
    let scratch = Scratch::new();
    let ship = Ship::new(scratch.connect());
    let refused = ship.insert(shipment(Id::at(now()), &packed(b"\x07default nonsense"))).await.unwrap_err();
    assert!(matches!(refused, Refused::Rejected(_)), "{refused}");
    assert_eq!(scratch.value("SELECT count() FROM calls").await, "0");
    scratch.drop().await;
}

#[tokio::test]
async fn rows_of_a_later_build_wait() {
    let scratch = Scratch::new();
    let ship = Ship::new(scratch.connect());
    let later = Shipment { layout: schema::LAYOUT + 1, ..shipment(Id::at(now()), b"") };
    assert!(matches!(ship.insert(later).await, Err(Refused::Away(reason)) if reason.contains("newer weir")));
    scratch.drop().await;
}

#[tokio::test]
async fn a_server_that_is_away_is_not_the_rows_fault_and_says_no_password() {
    let address = super::super::address::Address::read("http://weir:hunter2@127.0.0.1:1/weir").unwrap();
    let ship = Ship::new(Connection::new(&address, None));
    let refused = ship.insert(shipment(Id::at(now()), b"")).await.unwrap_err();
    assert!(matches!(&refused, Refused::Away(reason) if !reason.contains("hunter2")), "{refused}");
}

#[test]
fn a_reason_unknown_is_the_servers_until_it_has_come_often() {
    let ship = Ship::new(Connection::new(&super::super::address::Address::read("http://h/d").unwrap(), None));
    let (block, other) = (Id::at(Time(1)), Id::at(Time(2)));
    let refuse = |block| ship.refused(Trouble { code: Some(49), message: "odd".to_owned() }, block);
    for _ in 1..UNKNOWN {
        assert!(matches!(refuse(block), Refused::Away(_)));
    }
    assert!(matches!(refuse(other), Refused::Away(_)));
    for _ in 1..UNKNOWN {
        assert!(matches!(refuse(block), Refused::Away(_)));
    }
    assert!(matches!(refuse(block), Refused::Rejected(_)));
}

#[tokio::test]
async fn rows_go_when_their_projects_retention_is_over() {
    let scratch = Scratch::new();
    let ship = Ship::new(scratch.connect());
    let (old, days) = (Time(now().0 - 40 * DAY), |days: u64| Some(Duration::from_secs(days * 86_400)));
    for retention in [days(30), days(90), None] {
        let bytes = calls(&[old], retention);
        ship.insert(shipment(Id::at(now()), &bytes)).await.unwrap();
    }
    for table in ["calls", "calls_by_model"] {
        let optimize = format!("OPTIMIZE TABLE {table} FINAL");
        scratch.connect().run(&optimize).await.unwrap();
    }
    assert_eq!(
        scratch
            .value("SELECT groupArray(retention_days) FROM (SELECT * FROM calls ORDER BY retention_days)")
            .await,
        "[0,90]"
    );
    scratch.drop().await;
}
