//! Rows that the destination refuses: found, set aside with the reason, readable; the others arrive once.

use std::time::Duration;

use analytics::outbox::{Batch, Table, Which};

use crate::destination::Fault;
use crate::{Bench, LAYOUT, add, each};

#[tokio::test(start_paused = true)]
async fn poisoned_rows_are_set_aside_alone_and_the_rest_arrives() {
    let bench = Bench::new();
    (0..10).for_each(|n| bench.commit(n * 100..n * 100 + 100));
    bench.fake.state().poison.extend([
        (Table::Calls, 0),
        (Table::Calls, 517),
        (Table::Calls, 999),
        (Table::Bodies, 7),
    ]);
    bench.drain().await;
    let whole: Vec<_> = (0..1_000).filter(|n| ![0, 517, 999].contains(n)).collect();
    assert_eq!(bench.fake.rows(Table::Calls), whole);
    assert_eq!(bench.fake.rows(Table::Bodies), (0..1_000).filter(|n| *n != 7).collect::<Vec<_>>());
    assert_eq!(bench.fake.rows(Table::Attempts), each(0..1_000, 2));
    let condition = bench.outbox.condition();
    assert_eq!((condition.poisoned, condition.rows, condition.shipped, condition.trouble), (4, 0, 997, None));
    let poisoned = bench.outbox.poisoned(10).unwrap();
    let reasons: Vec<_> = poisoned.iter().rev().map(|row| (row.table, row.reason.as_str())).collect();
    assert_eq!(reasons[0], (Table::Bodies, "row 7 cannot be parsed"));
    assert_eq!(reasons[2], (Table::Calls, "row 517 cannot be parsed"));
    assert_eq!(poisoned[0].row, [&4_u32.to_le_bytes()[..], &999_u32.to_le_bytes(), b"call"].concat());
    assert!(bench.fake.state().inserts.len() < 100, "bisected");
}

#[tokio::test(start_paused = true)]
async fn poisoned_rows_can_be_sent_again_or_dropped() {
    let bench = Bench::new();
    bench.fake.state().poison.extend([(Table::Calls, 1), (Table::Attempts, 2), (Table::Calls, 3)]);
    bench.commit(0..5);
    bench.drain().await;
    assert_eq!(bench.outbox.condition().poisoned, 4, "both attempts of one call");
    assert_eq!(bench.outbox.retry_poisoned(Which::One(99)).unwrap(), 0);
    let of_calls: Vec<_> =
        bench.outbox.poisoned(9).unwrap().into_iter().filter(|row| row.table == Table::Calls).collect();
    assert_eq!(bench.outbox.drop_poisoned(Which::One(of_calls[0].id)).unwrap(), 1);
    bench.fake.state().poison.clear();
    assert_eq!(bench.outbox.retry_poisoned(Which::One(of_calls[1].id)).unwrap(), 1);
    bench.drain().await;
    assert_eq!(bench.fake.rows(Table::Calls), [0, 1, 2, 4]);
    assert_eq!(bench.outbox.retry_poisoned(Which::All).unwrap(), 2);
    bench.drain().await;
    assert_eq!(bench.fake.rows(Table::Attempts), each(0..5, 2));
    assert_eq!((bench.outbox.condition().poisoned, bench.outbox.poisoned(9).unwrap().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_kill_at_any_moment_of_bisecting_doubles_nothing_and_loses_nothing() {
    for moment in 0..40 {
        let mut bench = Bench::new();
        (0..4).for_each(|n| bench.commit(n * 8..n * 8 + 8));
        bench.fake.state().poison.extend([(Table::Bodies, 5), (Table::Calls, 0), (Table::Calls, 30)]);
        let fault = if moment % 2 == 0 { Fault::Hangs } else { Fault::LostAnswer };
        // Lost answers do no harm until the one that hangs.
        bench
            .fake
            .state()
            .faults
            .extend(std::iter::repeat_n(fault, moment).filter(|fault| *fault != Fault::Hangs));
        bench.fake.state().faults.push_back(Fault::Hangs);
        tokio::time::timeout(Duration::from_mins(10), bench.drain()).await.unwrap_or_default();
        bench = bench.killed();
        bench.fake.state().forget();
        bench.drain().await;
        assert_eq!(bench.fake.rows(Table::Attempts), each(0..32, 2), "moment {moment}");
        assert_eq!(bench.fake.rows(Table::Bodies), (0..32).filter(|n| *n != 5).collect::<Vec<_>>());
        assert_eq!(bench.fake.rows(Table::Calls), (1..30).chain([31]).collect::<Vec<_>>(), "moment {moment}");
        assert_eq!(bench.outbox.condition().poisoned, 3, "moment {moment}");
    }
}

// Once, cutting one table of a block forgot that the only row of another one was set aside.
#[tokio::test(start_paused = true)]
async fn the_only_row_of_a_table_is_set_aside_once_whatever_becomes_of_the_others() {
    let mut bench = Bench::new();
    let mut batch = Batch::new(LAYOUT);
    (0..2).for_each(|n| add(&mut batch, Table::Calls, n, b"call"));
    add(&mut batch, Table::Attempts, 0, b"only");
    bench.outbox.commit(batch).unwrap();
    bench.fake.state().poison.extend([(Table::Attempts, 0), (Table::Calls, 1)]);
    // The attempt is refused, then the calls, which are cut; the process dies over the first half.
    bench.fake.state().faults.extend([Fault::LostAnswer, Fault::LostAnswer, Fault::Hangs]);
    assert!(tokio::time::timeout(Duration::from_mins(1), bench.drain()).await.is_err());
    bench = bench.killed();
    bench.drain().await;
    assert_eq!(bench.outbox.condition().poisoned, 2);
    assert_eq!(bench.fake.rows(Table::Calls), [0]);
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_refuses_everything_stops_being_believed() {
    let bench = Bench::new();
    bench.fake.state().poison.extend((0..10_050).map(|n| (Table::Attempts, n)));
    (0..51).for_each(|n| bench.commit(n * 100..n * 100 + 100));
    assert!(tokio::time::timeout(Duration::from_hours(1), bench.drain()).await.is_err());
    let condition = bench.outbox.condition();
    assert_eq!((condition.poisoned, condition.rows), (10_000, 5_100));
    assert!(condition.trouble.unwrap().contains("too many rows are set aside"));
    bench.fake.state().poison.clear();
    bench.outbox.drop_poisoned(Which::All).unwrap();
    bench.drain().await;
    assert_eq!(bench.fake.rows(Table::Calls), each(0..5_100, 1));
}
