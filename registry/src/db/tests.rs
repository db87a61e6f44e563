//! The guards of the seam: nulls, types, transactions, retries.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tempfile::TempDir;
use vocab::Time;

use super::*;

struct Scratch {
    db: Db,
    folder: TempDir,
}

async fn scratch() -> Scratch {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("registry.db");
    let db = sqlite::open(&path, Time(0)).await.unwrap();
    db.write(&(), |writing, ()| {
        Box::pin(async move {
            let sql =
                "CREATE TABLE thing (id INTEGER PRIMARY KEY, label TEXT, flag INTEGER, body BLOB) STRICT";
            writing.tx.script(sql.to_owned()).await
        })
    })
    .await
    .unwrap();
    Scratch { db, folder }
}

async fn count(db: &Db) -> i64 {
    let sql = "SELECT COUNT(*) AS things FROM thing LIMIT 1";
    db.maybe(sql, args![]).await.unwrap().unwrap().int("things").unwrap()
}

async fn insert(writing: &mut Writing, id: i64) -> Result<()> {
    writing.tx.run("INSERT INTO thing (id) VALUES ($1)", args![id]).await.map(|_| ())
}

#[tokio::test]
async fn a_null_is_told_from_zero_and_from_nothing() {
    let it = scratch().await;
    it.db.write(&(), |writing, ()| Box::pin(insert(writing, 1))).await.unwrap();
    let row = it.db.maybe("SELECT label, flag, body FROM thing LIMIT 1", args![]).await.unwrap().unwrap();
    assert_eq!((row.maybe_text("label").unwrap(), row.maybe_int("flag").unwrap()), (None, None));
    assert!(row.text("label").is_err() && row.int("flag").is_err());
    assert!(row.bool("flag").is_err() && row.bytes("body").is_err());
}

#[tokio::test]
async fn every_type_of_value_survives_the_store() {
    let it = scratch().await;
    it.db
        .write(&(), |writing, ()| {
            Box::pin(async move {
                let sql = "INSERT INTO thing (id, label, flag, body) VALUES ($1, $2, $3, $4)";
                let values = args![i64::MIN, "a'b\"\u{1f600}", true, [0_u8, 255].as_slice()];
                writing.tx.run(sql, values).await
            })
        })
        .await
        .unwrap();
    let row = it.db.maybe("SELECT id, label, flag, body FROM thing LIMIT 1", args![]).await.unwrap().unwrap();
    assert_eq!(row.int("id").unwrap(), i64::MIN);
    assert_eq!(row.text("label").unwrap(), "a'b\"\u{1f600}");
    assert!(row.bool("flag").unwrap());
    assert_eq!(row.bytes("body").unwrap(), [0, 255]);
}

#[tokio::test]
async fn a_write_that_fails_leaves_nothing_behind() {
    let it = scratch().await;
    let failed = it
        .db
        .write(&(), |writing, ()| {
            Box::pin(async move {
                insert(writing, 1).await?;
                Err::<(), _>(StoreError::Conflict("changed its mind".into()))
            })
        })
        .await;
    assert!(matches!(failed, Err(StoreError::Conflict(_))));
    assert_eq!(count(&it.db).await, 0);
}

#[tokio::test]
async fn each_write_makes_the_next_revision() {
    let it = scratch().await;
    let mut revisions = Vec::new();
    for _ in 0..3 {
        let revision = it.db.write(&(), |writing, ()| Box::pin(async { Ok(writing.revision) })).await;
        revisions.push(revision.unwrap());
    }
    assert_eq!(revisions, [2, 3, 4]);
}

/// Fails twice the way SQLite fails when another connection writes, then does it.
struct Unlucky {
    path: PathBuf,
    tries: AtomicU32,
}

async fn unlucky_twice(writing: &mut Writing, unlucky: &Unlucky) -> Result<i64> {
    insert(writing, 1).await?;
    if unlucky.tries.fetch_add(1, Ordering::Relaxed) < 2 {
        let options = SqliteConnectOptions::new().filename(&unlucky.path).busy_timeout(Duration::ZERO);
        let mut other = SqliteConnection::connect_with(&options).await?;
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await?;
    }
    Ok(writing.revision)
}

#[tokio::test]
async fn a_write_that_lost_a_race_is_tried_again_from_the_start() {
    let it = scratch().await;
    let unlucky = Unlucky { path: it.folder.path().join("registry.db"), tries: AtomicU32::new(0) };
    let revision = it.db.write(&unlucky, |writing, unlucky| Box::pin(unlucky_twice(writing, unlucky))).await;
    assert_eq!((revision.unwrap(), unlucky.tries.load(Ordering::Relaxed)), (2, 3));
    assert_eq!(count(&it.db).await, 1);
}

#[tokio::test]
async fn a_reader_keeps_seeing_one_state() {
    let it = scratch().await;
    let sql = "SELECT COUNT(*) AS things FROM thing LIMIT 1";
    let mut reading = it.db.reading().await.unwrap();
    let before = reading.maybe(sql, args![]).await.unwrap().unwrap().int("things").unwrap();
    it.db.write(&(), |writing, ()| Box::pin(insert(writing, 1))).await.unwrap();
    let after = reading.maybe(sql, args![]).await.unwrap().unwrap().int("things").unwrap();
    assert_eq!((before, after, count(&it.db).await), (0, 0, 1));
}

#[tokio::test]
async fn readers_cannot_write() {
    let it = scratch().await;
    assert!(it.db.maybe("INSERT INTO thing (id) VALUES (9) RETURNING id", args![]).await.is_err());
    assert_eq!(count(&it.db).await, 0);
}

#[cfg(debug_assertions)]
#[test]
#[should_panic(expected = "two lists of types")]
fn one_text_is_never_bound_with_two_types() {
    value::check_signature("SELECT $1 AS never_run", args![1_i64]);
    value::check_signature("SELECT $1 AS never_run", args!["one"]);
}
