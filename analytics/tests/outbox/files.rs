//! The file itself: one process at a time, no newer one, smaller when it is empty, readable while it is written.

use std::fs;

use analytics::outbox::{self, Table};
use analytics::{OpenError, Outbox, OutboxSettings};
use rusqlite::Connection;

use crate::{Bench, batch, path, settings};

#[test]
fn two_processes_cannot_have_one_outbox() {
    let bench = Bench::new();
    let second = Outbox::open(&settings(bench.folder.path()), &bench.clock);
    assert!(matches!(second, Err(OpenError::InUse { .. })));
}

#[test]
fn newer_and_foreign_files_are_refused_and_left_alone() {
    let (bench, _) = Bench::new().reopened();
    bench.outbox.close();
    let (folder, clock) = (bench.folder, bench.clock);
    drop(bench.outbox);
    let file = path(folder.path());
    Connection::open(&file).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let newer = Outbox::open(&settings(folder.path()), &clock).err().unwrap();
    assert!(matches!(newer, OpenError::Newer { found: 99, known: 1, .. }), "{newer}");
    assert!(matches!(outbox::status(&file, 1), Err(OpenError::Newer { .. })));
    fs::remove_file(&file).unwrap();
    Connection::open(&file).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    let foreign = Outbox::open(&settings(folder.path()), &clock).err().unwrap();
    assert!(matches!(foreign, OpenError::Foreign { .. }), "{foreign}");
    assert!(matches!(outbox::status(&file, 1), Err(OpenError::Foreign { .. })));
}

#[tokio::test(start_paused = true)]
async fn anybody_may_see_what_waits_while_the_gateway_writes() {
    let bench = Bench::new();
    let file = path(bench.folder.path());
    assert!(outbox::status(&bench.folder.path().join("none.sqlite"), 1).is_err());
    bench.fake.state().poison.insert((Table::Calls, 0));
    bench.commit(0..2);
    bench.drain().await;
    bench.commit(2..9);
    let (seen, poisoned) = outbox::status(&file, 5).unwrap();
    let known = bench.outbox.condition();
    assert_eq!((seen.rows, seen.bytes, seen.oldest, seen.poisoned), (7, known.bytes, known.oldest, 1));
    assert_eq!(poisoned, bench.outbox.poisoned(5).unwrap());
}

#[tokio::test(start_paused = true)]
async fn what_waited_is_known_after_a_restart() {
    let bench = Bench::new();
    bench.commit(0..7);
    let before = bench.outbox.condition();
    let (bench, _) = bench.reopened();
    assert_eq!(bench.outbox.condition(), before);
    bench.drain().await;
    let (bench, _) = bench.reopened();
    assert_eq!((bench.outbox.condition().rows, bench.outbox.condition().oldest), (0, None));
}

#[tokio::test(start_paused = true)]
async fn an_empty_outbox_gives_its_room_back() {
    let bench = Bench::new();
    for n in 0..20 {
        bench.outbox.commit(batch(n * 2..n * 2 + 2, 1 << 20)).unwrap();
    }
    assert!(bench.outbox.file_bytes() > 40 << 20);
    bench.drain().await;
    let (bench, _) = bench.reopened();
    let left = fs::metadata(path(bench.folder.path())).unwrap().len();
    assert!(left < 20 << 20, "{left} bytes left");
    assert_eq!(bench.fake.rows(Table::Bodies).len(), 40);
}

#[tokio::test(start_paused = true)]
async fn a_synced_outbox_does_all_the_same() {
    let mut bench = Bench::new();
    bench.outbox.close();
    let folder = tempfile::tempdir().unwrap();
    let synced = OutboxSettings { sync_full: true, ..settings(folder.path()) };
    (bench.outbox, _) = Outbox::open(&synced, &bench.clock).unwrap();
    bench.commit(0..10);
    bench.drain().await;
    assert_eq!(bench.fake.rows(Table::Calls), (0..10).collect::<Vec<_>>());
}

#[cfg(unix)]
#[test]
fn nobody_else_may_read_what_waits() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    for name in ["outbox.sqlite", "outbox.sqlite-reserve"] {
        let mode = fs::metadata(bench.folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}
