//! Any order of commits, failures, restarts and kills: in the end every row is there once.

use std::time::Duration;

use analytics::outbox::Table;
use proptest::prelude::*;

use crate::destination::Fault;
use crate::{Bench, each};

#[derive(Clone, Debug)]
enum Step {
    Commit(u32),
    Fail(Vec<u8>),
    Ship,
    Kill,
    Restart,
    Poison(u32),
    Forget,
    SetClock(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_u32..40).prop_map(Step::Commit),
        3 => prop::collection::vec(0_u8..4, 1..6).prop_map(Step::Fail),
        4 => Just(Step::Ship),
        2 => Just(Step::Kill),
        1 => Just(Step::Restart),
        1 => (0_u32..200).prop_map(Step::Poison),
        1 => Just(Step::Forget),
        1 => (0_i64..4_000_000_000_000_000).prop_map(Step::SetClock),
    ]
}

/// A minute of trying; whatever hangs is cut off.
async fn ship(bench: &Bench) {
    tokio::time::timeout(Duration::from_mins(1), bench.drain()).await.unwrap_or_default();
}

async fn run(steps: Vec<Step>) {
    let mut bench = Bench::new();
    let mut next = 0;
    for step in steps {
        match step {
            Step::Commit(calls) => {
                bench.commit(next..next + calls);
                next += calls;
            }
            Step::Fail(faults) => {
                let all = [Fault::Away, Fault::LostAnswer, Fault::LostAnswerForLong, Fault::Hangs];
                bench.fake.state().faults.extend(faults.into_iter().map(|fault| all[usize::from(fault)]));
            }
            Step::Ship => ship(&bench).await,
            Step::Kill => bench = bench.killed(),
            Step::Restart => bench = bench.reopened().0,
            Step::Poison(n) => {
                bench.fake.state().poison.insert((Table::Calls, n));
            }
            Step::Forget => {
                // Forgotten is only what was long ago.
                bench.clock.advance(Duration::from_mins(20));
                bench.fake.state().forget();
            }
            Step::SetClock(now) => bench.clock.set(vocab::Time(now)),
        }
    }
    bench.fake.state().faults.clear();
    bench.drain().await;
    let poisoned = bench.outbox.poisoned(1_000).unwrap();
    let mut calls = bench.fake.rows(Table::Calls);
    calls.extend(poisoned.iter().map(|row| u32::from_le_bytes(row.row[4..8].try_into().unwrap())));
    calls.sort_unstable();
    assert_eq!(calls, each(0..next, 1));
    assert_eq!(bench.fake.rows(Table::Attempts), each(0..next, 2));
    assert_eq!(bench.fake.rows(Table::Bodies), each(0..next, 1));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_row_arrives_exactly_once_whatever_happens(steps in prop::collection::vec(step(), 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(run(steps));
    }
}
