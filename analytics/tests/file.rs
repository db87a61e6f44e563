//! The records file through bad times: crashes, damage, other programs, a full disk, many readers.

#![expect(clippy::unwrap_used, reason = "a test fails where its own files are wrong")]

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use analytics::record::{Capture, Outcome};
use analytics::report::{Measured, Report};
use analytics::sqlite::SqliteStore;
use analytics::{
    Analytics, Doomed, Entry, OpenError, OutboxSettings, Policies, Policy, Record, Row, Search, Settings,
    Shed, Sink, Store, query,
};
use dialects::Endpoint;
use serde_json::json;
use vocab::{Clock, Id, Limit, Time};

const START: Time = Time(1_795_996_800_000_000);

fn call(n: i64) -> Record {
    let started = Time(START.0 + n * 1_000);
    let message = json!({"role": "assistant", "content": format!("answer number {n} to somebody")});
    Record {
        status: 200,
        outcome: Outcome::Ok,
        request_body: json!({"messages": [{"role": "user", "content": "hello"}]}).to_string().into(),
        response_body: Capture::Whole(json!({"choices": [{"message": message}]}).to_string().into()),
        ..Record::begin(Id::at(started), "default".into(), started, Endpoint::ChatCompletions)
    }
}

fn calls(range: std::ops::Range<i64>) -> Vec<Record> {
    range.map(call).collect()
}

fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, Clock::system()).unwrap()
}

fn append(store: &dyn Store, records: &[Record]) {
    try_append(store, records).unwrap();
}

fn try_append(store: &dyn Store, records: &[Record]) -> Result<u64, analytics::Unavailable> {
    let policy = Policy::default();
    store.append(
        &mut records.iter().map(|record| Entry::Call(Box::new(Row::new(record, "n", &policy, false)))),
    )
}

async fn count(store: &dyn Store, text: &str) -> usize {
    let filter = query::parse(text).unwrap();
    let mut search = Search { filter, limit: Limit::new(Limit::MAX).unwrap(), ..Search::default() };
    let mut found = 0;
    loop {
        let page = store.find(search.clone()).await.unwrap();
        found += page.rows.len();
        search.cursor = page.next_cursor;
        if search.cursor.is_none() {
            return found;
        }
    }
}

/// A file with calls in it, closed in good order.
fn written(folder: &Path) -> PathBuf {
    let path = folder.join("records.db");
    let store = open(&path);
    append(&store, &calls(0..1_000));
    store.close();
    path
}

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(bytes).unwrap();
}

#[tokio::test]
async fn calls_are_there_after_closing_and_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path());
    assert!(!folder.path().join("records.db-wal").exists(), "the log was brought home");
    let store = open(&path);
    assert_eq!(count(&store, "").await, 1_000);
    append(&store, &calls(1_000..1_010));
    // Text in closed blocks, in the block that was open, and in the newest calls.
    for text in ["\"number 5 to\"", "\"number 990 to\"", "\"number 1005 to\""] {
        assert_eq!(count(&store, text).await, 1, "{text}");
    }
    assert_eq!(store.condition().set_aside, None);
}

#[tokio::test]
async fn what_was_committed_survives_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.db");
    let store = open(&path);
    append(&store, &calls(0..300));
    append(&store, &calls(300..310));
    // The disk as a crash would leave it: the file and its log, nothing closed.
    let crashed = tempfile::tempdir().unwrap();
    for name in ["records.db", "records.db-wal"] {
        fs::copy(folder.path().join(name), crashed.path().join(name)).unwrap();
    }
    let again = open(&crashed.path().join("records.db"));
    assert_eq!(count(&again, "").await, 310);
    assert_eq!(count(&again, "\"number 305 to\"").await, 1);
    append(&again, &calls(305..320));
    assert_eq!(count(&again, "").await, 325, "new ids are new calls");
}

#[tokio::test]
async fn a_damaged_file_is_set_aside_and_a_fresh_one_serves() {
    for (what, at, bytes) in [
        ("header", 0, vec![0x55; 100]),
        ("schema", 100, vec![0xff; 400]),
        ("pages", 4_096 * 5, vec![0xa7; 4_096 * 20]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path());
        overwrite(&path, at, &bytes);
        let store = open(&path);
        let set_aside = store.condition().set_aside.unwrap_or_else(|| panic!("{what} was not noticed"));
        assert!(set_aside.to_string().contains("moved to"), "{set_aside}");
        let mut kept = vec![0; bytes.len()];
        let mut moved = fs::File::open(&set_aside.moved_to).unwrap();
        moved.seek(SeekFrom::Start(at)).unwrap();
        moved.read_exact(&mut kept).unwrap();
        assert_eq!(kept, bytes, "{what}: the damaged file is kept as it was");
        append(&store, &calls(0..10));
        assert_eq!(count(&store, "").await, 10, "{what}");
    }
}

#[tokio::test]
async fn damage_that_shows_while_serving_is_survived() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path());
    let store = open(&path);
    assert_eq!(count(&store, "").await, 1_000);
    // What the writer remembers of the file is void once somebody else has written to it.
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute("DELETE FROM dictionary WHERE number = -1", [])
        .unwrap();
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute("INSERT INTO dictionary VALUES (-1, x'')", [])
        .unwrap();
    // Everything behind the first page, the tree of ids included.
    let length = fs::metadata(&path).unwrap().len();
    overwrite(&path, 4_096, &vec![0xa7; length as usize - 4_096]);
    let records = calls(2_000..2_400);
    let failed = try_append(&store, &records).unwrap_err();
    assert!(failed.to_string().contains("malformed"), "{failed}");
    assert!(store.condition().set_aside.unwrap().moved_to.exists());
    append(&store, &records);
    assert_eq!(count(&store, "").await, 400);
}

#[tokio::test]
async fn one_unreadable_body_spoils_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path());
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute("UPDATE body SET packed = x'00112233' WHERE seq = 7", []).unwrap();
    db.execute("UPDATE call SET fields = 'no array' WHERE seq = 9", []).unwrap();
    db.execute("UPDATE body SET attempts = 'no array', usage_raw = '{' WHERE seq = 11", []).unwrap();
    drop(db);
    let store = open(&path);
    assert_eq!(count(&store, "-user:ann").await, 1_000);
    assert_eq!(count(&store, "answer").await, 999, "only the call whose body is gone");
    let row = &store.find(Search::default()).await.unwrap().rows[0];
    assert_eq!(store.get(row.id).await.unwrap().unwrap().row.body_state, "full");
}

#[test]
fn a_newer_or_foreign_file_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let newer = written(folder.path());
    rusqlite::Connection::open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let foreign = folder.path().join("other.db");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE mine (x)").unwrap();
    for (path, words) in [(&newer, "newer weir"), (&foreign, "does not hold weir's records")] {
        let before = fs::read(path).unwrap();
        let error = SqliteStore::open(path, Clock::system()).err().unwrap();
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(fs::read(path).unwrap(), before);
    }
}

#[test]
fn a_file_that_is_in_use_is_refused_until_it_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er/records.db");
    let first = open(&path);
    assert!(matches!(SqliteStore::open(&path, Clock::system()), Err(OpenError::InUse { .. })));
    first.close();
    assert!(try_append(&first, &calls(0..1)).is_err());
    open(&path).close();
}

#[test]
fn addresses_that_name_no_file_are_refused_with_what_to_write() {
    let settings = |url: &str| Settings {
        url: url.to_owned(),
        queue_bytes: 1 << 20,
        policies: Policies::default(),
        listener: None,
        node: "n".into(),
        clock: Clock::system(),
        cluster: None,
        outbox: OutboxSettings::at("outbox.sqlite"),
    };
    let refused = |url: &str| Analytics::open(settings(url)).err().unwrap().to_string();
    let other = refused("postgres://user:hunter2@host:5432/db");
    assert!(other.contains("sqlite:PATH") && !other.contains("hunter2"), "{other}");
    assert!(refused("sqlite:").contains("PATH"));
    assert!(refused("sqlite:/proc/none/records.db").contains("/proc/none/records.db"));
}

#[cfg(unix)]
#[test]
fn nobody_else_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.db");
    let store = open(&path);
    append(&store, &calls(0..10));
    for name in ["records.db", "records.db-wal"] {
        let mode = fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}");
    }
}

#[tokio::test]
async fn sqlite_itself_shows_every_column_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.db");
    let store = open(&path);
    let record =
        Record { tags: vec!["a".into(), "b".into()], metadata: Some(r#"{"tier":"gold"}"#.into()), ..call(1) };
    append(&store, std::slice::from_ref(&record));
    let db = rusqlite::Connection::open(&path).unwrap();
    let sql = "SELECT id, project, status, outcome, started_at, duration_us, cost_nanousd, tags, trace_id,
               metadata ->> 'tier', response_preview, body_state, node FROM calls";
    db.query_row(sql, [], |row| {
        assert_eq!(row.get::<_, String>(0)?, record.id.to_string());
        assert_eq!(row.get::<_, String>(1)?, "default");
        assert_eq!(row.get::<_, i64>(2)?, 200);
        assert_eq!(row.get::<_, i64>(4)?, record.started.0);
        assert_eq!(row.get::<_, Option<i64>>(6)?, None);
        assert_eq!(row.get::<_, String>(7)?, r#"["a","b"]"#);
        assert_eq!(row.get::<_, String>(9)?, "gold");
        assert_eq!(row.get::<_, String>(10)?, "answer number 1 to somebody");
        Ok(())
    })
    .unwrap();
    assert_eq!(db.query_row("SELECT count(*) FROM attempts", [], |row| row.get::<_, i64>(0)).unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_and_the_writer_do_not_wait_for_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(&folder.path().join("records.db")));
    append(&*store, &calls(0..200));
    let writing = Arc::new(AtomicBool::new(true));
    let readers: Vec<_> = (0..6)
        .map(|n| {
            let (store, writing) = (Arc::clone(&store), Arc::clone(&writing));
            tokio::spawn(async move {
                let (mut last, mut looks) = (0, 0);
                while writing.load(Ordering::SeqCst) || looks == 0 {
                    let found = count(&*store, if n % 2 == 0 { "" } else { "answer" }).await;
                    assert!(found >= last, "what was there stays there");
                    (last, looks) = (found, looks + 1);
                }
                looks
            })
        })
        .collect();
    let (writer, done) = (Arc::clone(&store), Arc::clone(&writing));
    tokio::task::spawn_blocking(move || {
        (200..1_400).step_by(60).for_each(|n| append(&*writer, &calls(n..n + 60)));
        done.store(false, Ordering::SeqCst);
    })
    .await
    .unwrap();
    for reader in readers {
        assert!(reader.await.unwrap() > 0);
    }
    assert_eq!(count(&*store, "").await, 1_400);
}

#[tokio::test]
async fn a_full_disk_loses_nothing_once_there_is_room_again() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::manual(START);
    let store = SqliteStore::open(&folder.path().join("records.db"), clock.clone()).unwrap();
    append(&store, &calls(0..100));
    store.limit_pages(Some(40));
    let records = calls(100..1_100);
    let failed = try_append(&store, &records).unwrap_err();
    assert!(failed.to_string().contains("full"), "{failed}");
    assert_eq!(count(&store, "").await, 100, "all or none");
    store.limit_pages(None);
    clock.advance(Duration::from_mins(1));
    append(&store, &records);
    assert_eq!(count(&store, "").await, 1_100);
    assert_eq!(count(&store, "\"number 1077 to\"").await, 1);
    assert_eq!(store.condition().shed, Shed::default());
}

// Once, the same rows were offered again and again until the queue was full as well.
#[tokio::test]
async fn a_full_disk_is_met_with_narrower_rows_and_then_the_reserve() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("records.db"), Clock::manual(START));
    let reserve = folder.path().join("records.db-reserve");
    let store = SqliteStore::open(&path, clock.clone()).unwrap();
    store.keep_reserve(1 << 20);
    store.tidy();
    assert_eq!((fs::metadata(&reserve).unwrap().len(), store.has_room()), (1 << 20, true));
    let large = |n| Record { request_body: json!({ "x": noise(n, 100_000) }).to_string().into(), ..call(n) };
    store.limit_pages(Some(60));
    append(&store, &[large(0)]);
    let mut tries = 0;
    for n in 1..400 {
        while try_append(&store, &[large(n)]).is_err() {
            tries += 1;
            assert!(tries < 10 && !store.has_room(), "calls are refused by those who want that");
        }
    }
    assert!(!reserve.exists(), "it was given up");
    let shed = store.condition().shed;
    assert!(shed.bodies > 0 && shed.previews > 0 && shed.successes > 0 && shed.rows == 0, "{shed:?}");
    assert_eq!(count(&store, "").await as u64, 400 - shed.successes, "each is there or counted");
    store.limit_pages(None);
    for _ in 0..2 {
        clock.advance(Duration::from_secs(5));
        store.has_room();
    }
    store.tidy();
    append(&store, &[large(400)]);
    assert_eq!((fs::metadata(&reserve).unwrap().len(), store.has_room()), (1 << 20, true));
    assert_eq!(store.find(Search::default()).await.unwrap().rows[0].body_state, "full");
}

/// Text that does not pack.
fn noise(seed: i64, length: usize) -> String {
    let mut chance = seed.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        char::from(b'!' + (chance % 90) as u8)
    };
    (0..length).map(|_| next()).collect()
}

#[tokio::test]
async fn the_recorder_writes_what_was_filed_and_says_so_when_closed() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        url: format!("sqlite:{}", folder.path().join("records.db").display()),
        queue_bytes: 8 << 20,
        policies: Policies::default(),
        listener: None,
        node: "node-1".into(),
        clock: Clock::system(),
        cluster: None,
        outbox: OutboxSettings::at(folder.path().join("outbox.sqlite")),
    };
    let analytics = Analytics::open(settings.clone()).unwrap();
    for record in calls(0..700) {
        analytics.recorder.file(record);
    }
    analytics.recorder.flush().await;
    assert_eq!(count(&*analytics.store, "").await, 700);
    for record in calls(700..1_234) {
        analytics.recorder.file(record);
    }
    let closed = analytics.close(Duration::from_mins(1)).await;
    assert_eq!((closed.written, closed.dropped), (1_234, 0));
    let analytics = Analytics::open(settings).unwrap();
    assert_eq!(count(&*analytics.store, "answer").await, 1_234);
}

/// The tables as version 1 made them.
const VERSION_1: &str = "
    CREATE TABLE call (
        seq INTEGER PRIMARY KEY,
        id BLOB NOT NULL UNIQUE,
        fields TEXT NOT NULL,
        metadata TEXT,
        variables TEXT
    ) STRICT;
    CREATE TABLE body (
        seq INTEGER PRIMARY KEY,
        request_preview TEXT,
        response_preview TEXT,
        usage_raw TEXT,
        attempts TEXT,
        dictionary INTEGER,
        packed BLOB
    ) STRICT;
    CREATE TABLE block (
        first INTEGER PRIMARY KEY,
        last INTEGER NOT NULL,
        started_min INTEGER NOT NULL,
        started_max INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX block_newest ON block (started_max, started_min, first, last);
    CREATE TABLE gram (first INTEGER PRIMARY KEY, filter BLOB NOT NULL) STRICT;
    CREATE TABLE dictionary (number INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
    PRAGMA application_id = 0x77656972;
    PRAGMA user_version = 1;
";

/// A file as the build before wrote it: its tables, and rows that have not changed since.
fn written_by_version_1(folder: &Path) -> PathBuf {
    let (now, path) = (written(folder), folder.join("old.db"));
    let db = rusqlite::Connection::open(&path).unwrap();
    db.pragma_update(None, "page_size", 8_192).unwrap();
    db.pragma_update(None, "journal_mode", "WAL").unwrap();
    db.execute_batch(VERSION_1).unwrap();
    db.execute("ATTACH ?1 AS now", [now.to_str().unwrap()]).unwrap();
    for table in ["call", "body", "gram", "dictionary"] {
        db.execute(&format!("INSERT INTO main.{table} SELECT * FROM now.{table}"), []).unwrap();
    }
    db.execute("INSERT INTO block SELECT first, last, started_min, started_max FROM now.block", []).unwrap();
    path
}

async fn reported(store: &dyn Store) -> f64 {
    let report = Report {
        project: Some("default".into()),
        filter: query::parse("").unwrap(),
        from: Time(START.0 - 3_600_000_000),
        to: Time(START.0 + 3_600_000_000),
        ended_within: None,
        measures: vec![Measured::Calls],
        group_by: Vec::new(),
        interval: None,
        limit: 10,
    };
    store.report(report).await.unwrap().rows[0].values[0].unwrap()
}

#[tokio::test]
async fn a_file_of_version_1_is_upgraded_where_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let path = written_by_version_1(folder.path());
    let store = open(&path);
    assert_eq!(store.condition().set_aside, None);
    assert_eq!(count(&store, "").await, 1_000);
    assert!((reported(&store).await - 1_000.0).abs() < 0.1);
    append(&store, &calls(1_000..1_500));
    assert_eq!(count(&store, "\"number 5 to\"").await, 1);
    assert!((reported(&store).await - 1_500.0).abs() < 0.1);
    let trace_id = call_of_trace(&store, 5).await;
    assert_eq!(store.trace("default".into(), trace_id).await.unwrap().calls.len(), 1);
    // The roller works block by block; however far it has come, no call is counted twice or not at all.
    let db = rusqlite::Connection::open(&path).unwrap();
    let left = "SELECT count(*) FROM block WHERE rolled = 0";
    while db.query_row(left, [], |row| row.get::<_, i64>(0)).unwrap() > 0 {
        assert!((reported(&store).await - 1_500.0).abs() < 0.1);
    }
    assert!((reported(&store).await - 1_500.0).abs() < 0.1);
    assert_eq!(store.trace("default".into(), trace_id).await.unwrap().calls.len(), 1);
    drop(db);
    store.close();
    assert_eq!(count(&open(&path), "").await, 1_500, "a second start finds nothing to do");
}

/// The trace of the call with this number.
async fn call_of_trace(store: &dyn Store, n: i64) -> [u8; 16] {
    let filter = query::parse(&format!("\"number {n} to\"")).unwrap();
    let row = store.find(Search { filter, ..Search::default() }).await.unwrap().rows.remove(0);
    u128::from_str_radix(&row.trace_id, 16).unwrap().to_be_bytes()
}

#[tokio::test]
async fn room_that_deletions_left_is_given_back() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    for path in [written(folders[0].path()), written_by_version_1(folders[1].path())] {
        let store = open(&path);
        append(&store, &calls(1_000..4_000));
        assert_eq!(store.compact().await.unwrap(), 0, "nothing was deleted");
        let before = Time(START.0 + 3_500 * 1_000);
        let old = Doomed { before: Some(before), ..Doomed::default() };
        assert_eq!(store.purge(old).await.unwrap(), 3_500);
        let freed = store.compact().await.unwrap();
        assert!(freed > 1_000_000, "{freed} bytes");
        append(&store, &calls(4_000..4_100));
        assert_eq!(count(&store, "answer").await, 600);
        assert!((reported(&store).await - 600.0).abs() < 0.1);
        let old = Doomed { project: Some("default".into()), ..Doomed::default() };
        assert_eq!(store.purge(old).await.unwrap(), 600);
        assert!(store.compact().await.unwrap() > 0, "piece by piece from now on, whoever began the file");
        store.close();
        let length = fs::metadata(&path).unwrap().len();
        assert!(length < 400_000, "{length} bytes are left");
    }
}
