//! Damaged files: what is whole is saved and arrives, the rest is told, and nothing wrong is ever shipped.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use analytics::outbox::Table;
use analytics::{Outbox, SetAside};
use proptest::prelude::*;
use tempfile::TempDir;
use vocab::Clock;

use crate::{Bench, Fake, batch, path, settings};

const BATCHES: u32 = 60;
const CALLS: u32 = 5;

/// A closed outbox in which calls wait, some in a block that was on its way.
fn written() -> (TempDir, Clock) {
    let bench = Bench::new();
    for n in 0..BATCHES {
        bench.outbox.commit(batch(n * CALLS..(n + 1) * CALLS, 3_000)).unwrap();
    }
    bench.outbox.close();
    (bench.folder, bench.clock)
}

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(bytes).unwrap();
}

/// Opens it, ships what it can, and returns what arrived and what was said.
fn shipped(folder: &Path, clock: &Clock) -> (Vec<u32>, Option<SetAside>) {
    let (outbox, _) = Outbox::open(&settings(folder), clock).unwrap();
    let fake = Fake::new(clock);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(analytics::shipper::drain(&outbox, &fake, clock));
    let rows = fake.rows(Table::Calls);
    assert_eq!(rows.len(), fake.rows(Table::Bodies).len(), "batches are whole or not there");
    assert!(rows.windows(2).all(|pair| pair[0] < pair[1]), "none twice");
    (rows, outbox.set_aside())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_overwritten_the_rest_arrives(at in 0.0..1.0_f64, bytes in prop::collection::vec(any::<u8>(), 1..9_000)) {
        let (folder, clock) = written();
        let file = path(folder.path());
        let length = fs::metadata(&file).unwrap().len();
        let at = (length as f64 * at) as u64;
        overwrite(&file, at, &bytes);
        let (rows, set_aside) = shipped(folder.path(), &clock);
        let all = rows.len() as u32 == BATCHES * CALLS;
        prop_assert!(all || set_aside.is_some(), "{} of {} arrived and nothing was said", rows.len(), BATCHES * CALLS);
        if let Some(set_aside) = set_aside {
            prop_assert!(set_aside.moved_to.exists());
            let salvaged = set_aside.salvaged.unwrap();
            prop_assert!(salvaged.rows == rows.len() as u64, "{} {}", set_aside, rows.len());
            if let Some(lost) = salvaged.lost_batches {
                // The first or the last may be gone without a trace.
                let known = lost * u64::from(CALLS) + salvaged.rows;
                let all = u64::from(BATCHES * CALLS);
                prop_assert!(known <= all && known + 3 * u64::from(CALLS) >= all, "{set_aside}");
            }
        }
    }

    #[test]
    fn whatever_is_cut_off_the_rest_arrives(keep in 0.0..1.0_f64) {
        let (folder, clock) = written();
        let file = fs::OpenOptions::new().write(true).open(path(folder.path())).unwrap();
        let length = file.metadata().unwrap().len();
        file.set_len((length as f64 * keep) as u64).unwrap();
        let (rows, set_aside) = shipped(folder.path(), &clock);
        prop_assert!(set_aside.is_some() || rows.is_empty(), "{} arrived and nothing was said", rows.len());
    }
}

#[test]
fn one_damaged_page_costs_a_few_batches_and_no_more() {
    let (folder, clock) = written();
    let file = path(folder.path());
    let length = fs::metadata(&file).unwrap().len();
    overwrite(&file, length / 2, &[0x5a; 64]);
    let (rows, set_aside) = shipped(folder.path(), &clock);
    let set_aside = set_aside.unwrap();
    let lost = set_aside.salvaged.unwrap().lost_batches.unwrap();
    assert!((1..=3).contains(&lost), "{set_aside}");
    assert_eq!(rows.len() as u64, u64::from(CALLS) * (u64::from(BATCHES) - lost));
    let said = set_aside.to_string();
    assert!(
        said.starts_with("the outbox was damaged (") && said.contains(&format!("{lost} batches")),
        "{said}"
    );
}

#[test]
fn a_damaged_outbox_goes_on_taking_rows_while_the_gateway_runs() {
    let bench = Bench::new();
    for n in 0..BATCHES {
        bench.outbox.commit(batch(n * CALLS..(n + 1) * CALLS, 3_000)).unwrap();
    }
    let (bench, _) = bench.reopened();
    let file = path(bench.folder.path());
    let length = fs::metadata(&file).unwrap().len();
    overwrite(&file, length / 2, &[0x5a; 64]);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(bench.drain());
    let set_aside = bench.outbox.set_aside().unwrap();
    bench.commit(1_000..1_010);
    runtime.block_on(bench.drain());
    let rows = bench.fake.rows(Table::Calls);
    assert_eq!(rows.len() as u64, set_aside.salvaged.unwrap().rows + 10);
    assert!(rows.ends_with(&(1_000..1_010).collect::<Vec<_>>()));
}

// Once, batches lost from the end were waited for until another one came.
#[test]
fn nobody_waits_for_what_damage_took() {
    let bench = Bench::new();
    for n in 0..BATCHES {
        // Three blocks, so that the damage begins in the second and the third is lost.
        bench.outbox.commit(batch(n * CALLS..(n + 1) * CALLS, 60_000)).unwrap();
    }
    let (bench, _) = bench.reopened();
    let file = path(bench.folder.path());
    let length = fs::metadata(&file).unwrap().len();
    overwrite(&file, length / 10 * 7, &vec![0x5a; (length / 10 * 3) as usize]);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let both = async { tokio::join!(bench.outbox.settled(), bench.drain()) };
        tokio::time::timeout(Duration::from_mins(1), both).await.expect("who waited is let go");
        let settled = tokio::time::timeout(Duration::from_mins(1), bench.outbox.settled());
        settled.await.expect("and nobody begins to wait");
    });
    let rows = bench.fake.rows(Table::Calls);
    assert!(!rows.is_empty() && !rows.contains(&(BATCHES * CALLS - 1)), "the newest are lost: {rows:?}");
    assert!(bench.outbox.set_aside().is_some());
    bench.commit(1_000..1_010);
    runtime.block_on(bench.drain());
    assert!(bench.fake.rows(Table::Calls).ends_with(&(1_000..1_010).collect::<Vec<_>>()));
}

#[test]
fn a_file_that_is_no_database_is_set_aside() {
    let (folder, clock) = written();
    fs::write(path(folder.path()), "not a database at all, but long enough to be looked at as one").unwrap();
    let (rows, set_aside) = shipped(folder.path(), &clock);
    assert_eq!((rows.len(), set_aside.unwrap().salvaged.unwrap().lost_batches), (0, None));
}
