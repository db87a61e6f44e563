//! Full: less and less is kept, the reserve goes, calls never wait; and all of it comes back.

use analytics::outbox::{Keep, Table};
use analytics::{Outbox, OutboxSettings};
use vocab::Clock;

use crate::{Bench, Fake, START, batch, each, path, settings};

/// Commits calls until nothing fits any more, each as the outbox says there is room for; returns how many fitted.
fn fill(bench: &Bench, from: u32, body_bytes: usize) -> (u32, Vec<Keep>) {
    let (mut n, mut steps, mut refused) = (from, vec![bench.outbox.keep()], 0);
    while refused < 4 {
        assert!(n - from < 10_000, "it takes no end of rows");
        let keep = bench.outbox.keep();
        if steps.last() != Some(&keep) {
            steps.push(keep);
        }
        let bytes = if keep == Keep::Everything { body_bytes } else { 3_000 };
        match bench.outbox.commit(batch(n..n + 1, bytes)) {
            Ok(()) => (n, refused) = (n + 1, 0),
            Err(_) => refused += 1,
        }
    }
    (n, steps)
}

#[tokio::test(start_paused = true)]
async fn the_fuller_it_is_the_less_is_asked_for_until_the_reserve_is_gone_too() {
    let bench = Bench::new();
    let reserve = bench.folder.path().join("outbox.sqlite-reserve");
    assert!(reserve.exists() && bench.outbox.has_room());
    bench.outbox.limit_pages(Some(512));
    let (n, steps) = fill(&bench, 0, 20_000);
    assert_eq!(steps, [Keep::Everything, Keep::NoBodies, Keep::Narrow, Keep::Failures]);
    assert!(!bench.outbox.has_room() && !reserve.exists());
    let committed = bench.outbox.condition().rows;
    assert_eq!(committed, u64::from(n), "all or none");
    bench.drain().await;
    assert_eq!(bench.fake.rows(Table::Calls), each(0..n, 1), "what was committed arrives");
    bench.clock.advance(std::time::Duration::from_mins(1));
    while bench.outbox.keep() != Keep::Everything {
        bench.clock.advance(std::time::Duration::from_mins(1));
    }
    bench.drain().await;
    assert!(bench.outbox.has_room() && reserve.exists(), "all is as it was");
    fill(&bench, n, 20_000);
}

// Once, the limit was set only after something had been full.
#[tokio::test(start_paused = true)]
async fn an_outbox_grows_to_the_size_it_was_given_and_its_reserve_and_no_further() {
    let folder = tempfile::tempdir().unwrap();
    let settings = OutboxSettings { bytes: 2 << 20, reserve_bytes: 512 << 10, ..settings(folder.path()) };
    let clock = Clock::manual(START);
    let (outbox, _) = Outbox::open(&settings, &clock).unwrap();
    let bench = Bench { outbox, fake: Fake::new(&clock), clock, folder };
    let (n, steps) = fill(&bench, 0, 20_000);
    assert_eq!(steps, [Keep::Everything, Keep::NoBodies, Keep::Narrow, Keep::Failures]);
    assert!(!bench.folder.path().join("outbox.sqlite-reserve").exists(), "the reserve was given up");
    bench.outbox.close();
    let grown = std::fs::metadata(path(bench.folder.path())).unwrap().len();
    assert!(grown > 2 << 20 && grown <= (2 << 20) + (512 << 10), "{grown}");
    let (bench, _) = bench.reopened();
    bench.drain().await;
    assert_eq!(bench.fake.rows(Table::Calls), each(0..n, 1));
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_is_full_all_at_once_is_met_with_narrower_rows_and_then_the_reserve() {
    let bench = Bench::new();
    bench.commit(0..10);
    bench.outbox.limit_pages(Some(40));
    let mut keeps = Vec::new();
    let big = |bytes| batch(10..11, bytes);
    for bytes in [600_000, 400_000, 400_000] {
        keeps.push(bench.outbox.keep());
        keeps.dedup();
        if bench.outbox.commit(big(bytes)).is_ok() {
            break;
        }
    }
    assert_eq!(keeps, [Keep::Everything, Keep::NoBodies, Keep::Failures]);
    assert!(bench.outbox.condition().rows == 11, "the reserve made room");
    bench.drain().await;
    assert_eq!(bench.fake.rows(Table::Calls), each(0..11, 1));
}

#[tokio::test(start_paused = true)]
async fn an_outbox_without_any_room_left_still_ships_what_it_has() {
    let bench = Bench::new();
    bench.outbox.limit_pages(Some(1));
    fill(&bench, 0, 100_000);
    let (n, _) = fill(&bench, 0, 100);
    assert!(n == 0 || bench.outbox.condition().rows > 0);
    bench.outbox.limit_pages(Some(100));
    bench.commit(500..550);
    bench.outbox.limit_pages(Some(1));
    bench.drain().await;
    let arrived = bench.fake.rows(Table::Calls);
    assert!(arrived.iter().rev().take(50).rev().copied().eq(500..550), "{arrived:?}");
}

#[test]
fn what_is_shed_is_counted_once_it_is_committed() {
    let bench = Bench::new();
    let mut narrow = batch(0..1, 10);
    narrow.shed.bodies = 1;
    narrow.shed.successes = 2;
    bench.outbox.commit(narrow).unwrap();
    bench.outbox.limit_pages(Some(1));
    let mut refused = batch(1..2, 3 << 20);
    refused.shed.bodies = 5;
    assert!(bench.outbox.commit(refused).is_err());
    let shed = bench.outbox.shed();
    assert_eq!((shed.bodies, shed.previews, shed.successes, shed.rows), (1, 0, 2, 0));
}
