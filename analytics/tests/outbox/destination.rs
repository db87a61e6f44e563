//! A destination as ClickHouse is one: it puts a block away in two parts, remembers the tokens of the parts of its last
//! blocks, and can be told to fail.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use analytics::outbox::{BlockId, Table};
use analytics::shipper::{Destination, Refused, Shipment, Shipping};
use tokio::sync::Semaphore;
use vocab::Clock;

/// What happens to one insert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The rows do not get there.
    Away,
    /// They do, but the answer is lost.
    LostAnswer,
    /// They do, the answer is lost, and by the time of the next try the token is forgotten.
    LostAnswerForLong,
    /// Those of the first part do; then the destination is away for long.
    HalfAndAwayForLong,
    /// Those of the first part do, and the answer never comes.
    HalfAndHangs,
    /// They do, and the answer never comes.
    Hangs,
}

pub(crate) struct Fake {
    state: Mutex<State>,
    /// Has a permit for each time it was to make itself ready.
    pub(crate) prepared: Semaphore,
    clock: Clock,
}

#[derive(Default)]
pub(crate) struct State {
    /// It cannot make itself ready.
    pub(crate) is_shut: bool,
    /// What happens to the next inserts.
    pub(crate) faults: VecDeque<Fault>,
    /// Rows with these numbers are refused, with the whole insert.
    pub(crate) poison: HashSet<(Table, u32)>,
    /// The inserts that came, refused ones included.
    pub(crate) inserts: Vec<(Table, BlockId, u64)>,
    /// How often it was asked whether a block is there.
    pub(crate) asked: u32,
    pub(crate) layouts: HashSet<u32>,
    rows: HashMap<Table, Vec<u32>>,
    tokens: HashSet<(Table, BlockId, Part)>,
    /// How many rows of a block there are.
    blocks: HashMap<(Table, BlockId), u64>,
}

/// Rows with even numbers are one part of a block, those with odd ones the other.
type Part = u32;

impl Fake {
    pub(crate) fn new(clock: &Clock) -> Self {
        Self { state: Mutex::default(), prepared: Semaphore::new(0), clock: clock.clone() }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The numbers of the rows of a table, in order.
    pub(crate) fn rows(&self, table: Table) -> Vec<u32> {
        let mut rows = self.state().rows.get(&table).cloned().unwrap_or_default();
        rows.sort_unstable();
        rows
    }

    fn take(&self, shipment: Shipment<'_>) -> Result<bool, Refused> {
        let mut state = self.state();
        let (table, key) = (shipment.table, (shipment.table, shipment.block));
        state.inserts.push((table, shipment.block, shipment.rows));
        state.layouts.insert(shipment.layout);
        let fault = state.faults.pop_front();
        if fault == Some(Fault::Away) {
            return Err(Refused::Away("connection refused".to_owned()));
        }
        let numbers = numbers(&shipment.plain().unwrap());
        assert_eq!(numbers.len() as u64, shipment.rows);
        if let Some(n) = numbers.iter().find(|n| state.poison.contains(&(table, **n))) {
            return Err(Refused::Rejected(format!("row {n} cannot be parsed")));
        }
        state.put(key, &numbers, 0);
        let away = || Err(Refused::Away("timed out".to_owned()));
        match fault {
            Some(Fault::HalfAndAwayForLong) => {
                self.clock.advance(Duration::from_mins(20));
                return away();
            }
            Some(Fault::HalfAndHangs) => return Ok(true),
            _ => state.put(key, &numbers, 1),
        }
        match fault {
            Some(Fault::LostAnswer) => away(),
            Some(Fault::LostAnswerForLong) => {
                state.tokens.clear();
                self.clock.advance(Duration::from_mins(20));
                away()
            }
            other => Ok(other == Some(Fault::Hangs)),
        }
    }
}

impl State {
    fn put(&mut self, (table, block): (Table, BlockId), numbers: &[u32], part: Part) {
        if self.tokens.insert((table, block, part)) {
            let rows: Vec<u32> = numbers.iter().copied().filter(|n| n % 2 == part).collect();
            *self.blocks.entry((table, block)).or_default() += rows.len() as u64;
            self.rows.entry(table).or_default().extend(rows);
        }
    }

    /// Forgets all tokens; the rows stay.
    pub(crate) fn forget(&mut self) {
        self.tokens.clear();
    }
}

impl Destination for Fake {
    fn ready(&self) -> Shipping<'_, ()> {
        self.prepared.add_permits(1);
        let shut = || Err(Refused::Away("a newer weir was here".to_owned()));
        Box::pin(std::future::ready(if self.state().is_shut { shut() } else { Ok(()) }))
    }

    fn insert<'a>(&'a self, shipment: Shipment<'a>) -> Shipping<'a, ()> {
        Box::pin(async move {
            if self.take(shipment)? {
                std::future::pending::<()>().await;
            }
            Ok(())
        })
    }

    fn has<'a>(&'a self, shipment: Shipment<'a>) -> Shipping<'a, bool> {
        let mut state = self.state();
        state.asked += 1;
        let there = state.blocks.get(&(shipment.table, shipment.block)).copied().unwrap_or_default();
        let has = there >= shipment.rows;
        Box::pin(std::future::ready(Ok(has)))
    }
}

/// The numbers of the rows; fails on bytes that no row has.
fn numbers(mut bytes: &[u8]) -> Vec<u32> {
    let mut numbers = Vec::new();
    while !bytes.is_empty() {
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let (length, n) = (number(0) as usize, number(4));
        numbers.push(n);
        bytes = &bytes[8 + length..];
    }
    numbers
}
