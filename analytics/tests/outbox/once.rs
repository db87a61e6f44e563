//! Everything arrives, and nothing twice: whatever is lost on the way, and whoever dies when.

use std::time::Duration;

use analytics::outbox::{Batch, Table};
use analytics::shipper::{self, Shipper};

use crate::destination::Fault;
use crate::{Bench, add, batch, each};

#[tokio::test(start_paused = true)]
async fn what_is_committed_arrives_with_all_that_belongs_to_it() {
    let bench = Bench::new();
    (0..20).for_each(|n| bench.commit(n * 10..n * 10 + 10));
    let waiting = bench.outbox.condition();
    assert_eq!((waiting.rows, waiting.oldest, waiting.shipped), (200, Some(crate::START), 0));
    assert!(waiting.bytes > 200 * 40, "{waiting:?}");
    bench.drain().await;
    assert_eq!(bench.fake.rows(Table::Calls), each(0..200, 1));
    assert_eq!(bench.fake.rows(Table::Attempts), each(0..200, 2));
    assert_eq!(bench.fake.rows(Table::Bodies), each(0..200, 1));
    let done = bench.outbox.condition();
    assert_eq!((done.rows, done.bytes, done.oldest, done.shipped), (0, 0, None, 200));
    let state = bench.fake.state();
    let tables: Vec<_> = state.inserts.iter().map(|(table, ..)| *table).collect();
    assert_eq!(
        tables,
        [Table::Attempts, Table::Bodies, Table::Calls],
        "one insert each, the call itself last"
    );
    assert_eq!(state.asked, 0);
}

#[tokio::test(start_paused = true)]
async fn blocks_hold_ten_thousand_calls_or_eight_mebibytes() {
    let bench = Bench::new();
    (0..30).for_each(|n| bench.commit(n * 500..n * 500 + 500));
    bench.outbox.commit(batch(20_000..20_003, 3 << 20)).unwrap();
    bench.outbox.commit(batch(20_003..20_006, 3 << 20)).unwrap();
    bench.drain().await;
    let state = bench.fake.state();
    let calls = state.inserts.iter().filter(|(table, ..)| *table == Table::Calls);
    let rows: Vec<_> = calls.map(|(_, _, rows)| *rows).collect();
    assert_eq!(rows, [10_000, 5_002, 1, 2, 1], "a batch of 9 MiB is cut between calls");
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_is_away_is_tried_until_it_is_back() {
    let bench = Bench::new();
    bench.commit(0..10);
    bench.fake.state().faults.extend([Fault::Away; 30]);
    let began = tokio::time::Instant::now();
    let ended = tokio::time::timeout(Duration::from_mins(1), bench.drain()).await;
    assert!(ended.is_err());
    assert_eq!(bench.outbox.condition().trouble.as_deref(), Some("connection refused"));
    bench.drain().await;
    assert_eq!(bench.fake.rows(Table::Calls), each(0..10, 1));
    assert_eq!(bench.outbox.condition().trouble, None);
    let took = began.elapsed();
    assert!(
        took > Duration::from_mins(2) && took < Duration::from_mins(6),
        "waits grow to some ten seconds: {took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_doubles_nothing() {
    let bench = Bench::new();
    bench.fake.state().faults.extend([Fault::LostAnswer, Fault::Away, Fault::LostAnswer, Fault::LostAnswer]);
    bench.commit(0..10);
    bench.drain().await;
    assert_eq!(bench.fake.rows(Table::Calls), each(0..10, 1));
    assert_eq!(bench.fake.rows(Table::Attempts), each(0..10, 2));
    let state = bench.fake.state();
    let first = state.inserts[0].1;
    assert!(state.inserts.iter().all(|(_, block, _)| *block == first), "a block keeps its token");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_may_be_forgotten_is_not_relied_on() {
    let bench = Bench::new();
    bench.fake.state().faults.extend([Fault::LostAnswerForLong; 2]);
    bench.commit(0..10);
    bench.drain().await;
    assert_eq!(bench.fake.rows(Table::Attempts), each(0..10, 2));
    assert_eq!(bench.fake.rows(Table::Bodies), each(0..10, 1));
    assert_eq!(bench.fake.rows(Table::Calls), each(0..10, 1));
    assert!(bench.fake.state().asked >= 2);
}

#[tokio::test(start_paused = true)]
async fn a_block_that_was_on_its_way_when_the_process_died_is_the_same_block_afterwards() {
    for hanging in 0..3 {
        let mut bench = Bench::new();
        bench.commit(0..10);
        bench.fake.state().faults.extend((0..hanging).map(|_| Fault::LostAnswer));
        bench.fake.state().faults.push_back(Fault::Hangs);
        assert!(tokio::time::timeout(Duration::from_mins(1), bench.drain()).await.is_err());
        bench.commit(10..20);
        bench = bench.killed();
        bench.fake.state().forget();
        bench.drain().await;
        assert_eq!(bench.fake.rows(Table::Attempts), each(0..20, 2), "hanging at {hanging}");
        assert_eq!(bench.fake.rows(Table::Bodies), each(0..20, 1));
        assert_eq!(bench.fake.rows(Table::Calls), each(0..20, 1));
    }
}

// Once, any row of a block was taken for all of it.
#[tokio::test(start_paused = true)]
async fn a_block_of_which_a_part_is_there_is_completed_and_not_taken_to_be_there() {
    for moment in 0..3 {
        for (last, killed) in [(Fault::HalfAndAwayForLong, false), (Fault::HalfAndHangs, true)] {
            let mut bench = Bench::new();
            bench.commit(0..10);
            bench.fake.state().faults.extend((0..moment).map(|_| Fault::LostAnswer));
            bench.fake.state().faults.push_back(last);
            tokio::time::timeout(Duration::from_mins(1), bench.drain()).await.unwrap_or_default();
            if killed {
                bench = bench.killed();
            }
            bench.drain().await;
            assert!(bench.fake.state().asked > 0, "the token is not trusted any more");
            assert_eq!(bench.fake.rows(Table::Attempts), each(0..10, 2), "{last:?} at {moment}");
            assert_eq!(bench.fake.rows(Table::Bodies), each(0..10, 1), "{last:?} at {moment}");
            assert_eq!(bench.fake.rows(Table::Calls), each(0..10, 1), "{last:?} at {moment}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rows_of_different_layouts_do_not_travel_together() {
    let bench = Bench::new();
    bench.commit(0..5);
    let mut newer = Batch::new(crate::LAYOUT + 1);
    add(&mut newer, Table::Calls, 5, b"call");
    bench.outbox.commit(newer).unwrap();
    bench.commit(6..8);
    bench.drain().await;
    assert_eq!(bench.fake.rows(Table::Calls), each(0..8, 1));
    let state = bench.fake.state();
    assert_eq!(state.layouts.len(), 2);
    assert_eq!(state.inserts.iter().filter(|(table, ..)| *table == Table::Calls).count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_jumps_breaks_nothing() {
    let bench = Bench::new();
    bench.fake.state().faults.extend([Fault::LostAnswer, Fault::Away]);
    bench.commit(0..5);
    bench.clock.set(vocab::Time(5));
    bench.commit(5..10);
    bench.clock.set(vocab::Time(4_000_000_000_000_000));
    bench.commit(10..15);
    bench.drain().await;
    assert_eq!(bench.fake.rows(Table::Calls), each(0..15, 1));
    assert_eq!(bench.fake.state().asked, 0, "no time has passed by the clock that never jumps");
}

#[tokio::test]
async fn the_shippers_thread_ships_and_settling_waits_for_it() {
    let mut bench = Bench::new();
    let (outbox, clock) = (bench.outbox.clone(), bench.clock.clone());
    let fake = std::sync::Arc::new(std::mem::replace(&mut bench.fake, crate::Fake::new(&clock)));
    let destination = std::sync::Arc::clone(&fake) as std::sync::Arc<dyn shipper::Destination>;
    let mut shipper = Shipper::start(&outbox, destination, &clock).unwrap();
    for n in 0..5 {
        bench.commit(n * 10..n * 10 + 10);
        outbox.settled().await;
        assert_eq!(fake.rows(Table::Calls), each(0..n * 10 + 10, 1));
    }
    bench.commit(50..60);
    shipper.close();
    assert_eq!(fake.rows(Table::Calls), each(0..60, 1), "what came last is shipped at the end");
    assert!(outbox.commit(batch(0..1, 0)).is_err(), "a closed outbox takes nothing");
    outbox.settled().await;
}

// Once, tables were made with the first call, and nobody was told before that they could not be.
#[tokio::test]
async fn the_destination_is_made_ready_before_there_is_anything_to_ship() {
    let bench = Bench::new();
    bench.fake.state().is_shut = true;
    let (outbox, clock) = (bench.outbox.clone(), bench.clock.clone());
    let fake = std::sync::Arc::new(bench.fake);
    let destination = std::sync::Arc::clone(&fake) as std::sync::Arc<dyn shipper::Destination>;
    let mut shipper = Shipper::start(&outbox, destination, &clock).unwrap();
    fake.prepared.acquire_many(2).await.unwrap().forget();
    assert_eq!(outbox.condition().trouble.as_deref(), Some("a newer weir was here"));
    fake.state().is_shut = false;
    outbox.commit(batch(0..10, 40)).unwrap();
    outbox.settled().await;
    assert_eq!((fake.rows(Table::Calls), outbox.condition().trouble), (each(0..10, 1), None));
    shipper.close();
}
