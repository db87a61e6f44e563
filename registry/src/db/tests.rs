//! The guards of the seam, on both engines: nulls, types, transactions, retries.

#[path = "../../tests/support/server.rs"]
mod server;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use server::Schema;
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tempfile::TempDir;
use vocab::Time;

use super::*;

/// A database with a table of every type; what keeps it goes when it is dropped.
struct Scratch<K> {
    db: Db,
    keeper: K,
}

async fn sqlite() -> Scratch<TempDir> {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("registry.db").display());
    Scratch { db: opened(&url).await, keeper: folder }
}

async fn postgres() -> Scratch<Schema> {
    let schema = Schema::make().await;
    Scratch { db: opened(&schema.url).await, keeper: schema }
}

async fn opened(url: &str) -> Db {
    let address = Address::read(url).unwrap();
    let db = address.connect().await.unwrap();
    address.prepare(&db, Time(0)).await.unwrap();
    db.write(Time(0), &(), |writing, ()| {
        Box::pin(async move {
            let sql =
                "CREATE TABLE thing (id {int} PRIMARY KEY, label {text}, flag {bool}, body {bytes}) {strict}";
            let sql = writing.tx.dialect(sql);
            writing.tx.script(sql).await
        })
    })
    .await
    .unwrap();
    db
}

macro_rules! on_both {
    ($($case:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test] async fn $case() { super::$case(super::sqlite().await).await; })*
        }
        mod on_postgres {
            $(#[tokio::test] async fn $case() { super::$case(super::postgres().await).await; })*
        }
    };
}

on_both! {
    a_null_is_told_from_zero_and_from_nothing,
    every_type_of_value_survives_the_store,
    a_write_that_fails_leaves_nothing_behind,
    each_write_makes_the_next_revision,
    a_reader_keeps_seeing_one_state,
    readers_cannot_write,
    a_writer_that_is_dropped_leaves_nothing_behind,
}

async fn count(db: &Db) -> i64 {
    let sql = "SELECT COUNT(*) AS things FROM thing LIMIT 1";
    db.maybe(sql, args![]).await.unwrap().unwrap().int("things").unwrap()
}

async fn insert(writing: &mut Writing, id: i64) -> Result<()> {
    writing.tx.run("INSERT INTO thing (id) VALUES ($1)", args![id]).await.map(|_| ())
}

async fn a_null_is_told_from_zero_and_from_nothing<K>(it: Scratch<K>) {
    it.db.write(Time(0), &(), |writing, ()| Box::pin(insert(writing, 1))).await.unwrap();
    let row = it.db.maybe("SELECT label, flag, body FROM thing LIMIT 1", args![]).await.unwrap().unwrap();
    assert_eq!((row.maybe_text("label").unwrap(), row.maybe_int("flag").unwrap()), (None, None));
    assert!(row.text("label").is_err() && row.int("flag").is_err());
    assert!(row.bool("flag").is_err() && row.bytes("body").is_err());
}

async fn every_type_of_value_survives_the_store<K>(it: Scratch<K>) {
    it.db
        .write(Time(0), &(), |writing, ()| {
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

async fn a_write_that_fails_leaves_nothing_behind<K>(it: Scratch<K>) {
    let failed = it
        .db
        .write(Time(0), &(), |writing, ()| {
            Box::pin(async move {
                insert(writing, 1).await?;
                Err::<(), _>(StoreError::Conflict("changed its mind".into()))
            })
        })
        .await;
    assert!(matches!(failed, Err(StoreError::Conflict(_))));
    assert_eq!(count(&it.db).await, 0);
}

async fn each_write_makes_the_next_revision<K>(it: Scratch<K>) {
    let mut revisions = Vec::new();
    for _ in 0..3 {
        let revision =
            it.db.write(Time(0), &(), |writing, ()| Box::pin(async { Ok(writing.revision) })).await;
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
    let it = sqlite().await;
    let unlucky = Unlucky { path: it.keeper.path().join("registry.db"), tries: AtomicU32::new(0) };
    let revision =
        it.db.write(Time(0), &unlucky, |writing, unlucky| Box::pin(unlucky_twice(writing, unlucky))).await;
    assert_eq!((revision.unwrap(), unlucky.tries.load(Ordering::Relaxed)), (2, 3));
    assert_eq!(count(&it.db).await, 1);
}

async fn a_reader_keeps_seeing_one_state<K>(it: Scratch<K>) {
    let sql = "SELECT COUNT(*) AS things FROM thing LIMIT 1";
    let mut reading = it.db.reading().await.unwrap();
    let before = reading.maybe(sql, args![]).await.unwrap().unwrap().int("things").unwrap();
    it.db.write(Time(0), &(), |writing, ()| Box::pin(insert(writing, 1))).await.unwrap();
    let after = reading.maybe(sql, args![]).await.unwrap().unwrap().int("things").unwrap();
    assert_eq!((before, after, count(&it.db).await), (0, 0, 1));
}

async fn readers_cannot_write<K>(it: Scratch<K>) {
    assert!(it.db.maybe("INSERT INTO thing (id) VALUES (9) RETURNING id", args![]).await.is_err());
    assert_eq!(count(&it.db).await, 0);
}

async fn a_writer_that_is_dropped_leaves_nothing_behind<K>(it: Scratch<K>) {
    let mut tx = it.db.writing().await.unwrap();
    tx.run("INSERT INTO thing (id) VALUES ($1)", args![1_i64]).await.unwrap();
    drop(tx);
    // The row is free again, or this would wait for ever.
    it.db.write(Time(0), &(), |writing, ()| Box::pin(insert(writing, 1))).await.unwrap();
    assert_eq!(count(&it.db).await, 1);
}

/// As PostgreSQL tells writers who waited for each other in a circle.
#[tokio::test]
async fn a_deadlock_is_tried_again_from_the_start() {
    let it = postgres().await;
    let tries = AtomicU32::new(0);
    let done =
        it.db.write(Time(0), &tries, |writing, tries| Box::pin(deadlocked_twice(writing, tries))).await;
    done.unwrap();
    assert_eq!((tries.load(Ordering::Relaxed), count(&it.db).await), (3, 1));
}

async fn deadlocked_twice(writing: &mut Writing, tries: &AtomicU32) -> Result<()> {
    insert(writing, 1).await?;
    if tries.fetch_add(1, Ordering::Relaxed) < 2 {
        let raise = "DO $$ BEGIN RAISE EXCEPTION 'deadlock' USING ERRCODE = '40P01'; END $$";
        writing.tx.script(raise.to_owned()).await?;
    }
    Ok(())
}

/// The server answers the commit of a transaction in which something failed with a rollback, and no error.
#[tokio::test]
async fn a_failure_that_was_overlooked_is_not_committed() {
    let it = postgres().await;
    let done = it
        .db
        .write(Time(0), &(), |writing, ()| {
            Box::pin(async move {
                insert(writing, 1).await?;
                drop(insert(writing, 1).await);
                Ok(())
            })
        })
        .await;
    assert!(matches!(done, Err(StoreError::Unavailable(_))), "{done:?}");
    assert_eq!(count(&it.db).await, 0);
}

#[cfg(debug_assertions)]
#[test]
#[should_panic(expected = "two lists of types")]
fn one_text_is_never_bound_with_two_types() {
    value::check_signature("SELECT $1 AS never_run", args![1_i64]);
    value::check_signature("SELECT $1 AS never_run", args!["one"]);
}
