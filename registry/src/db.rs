//! The seam between the registry and its database: one SQL text for every engine, four verbs, typed values.
//!
//! An engine is one variant of [`Address`], [`Db`] and [`Tx`] and one file under `db/`. What the SQL may use is the
//! common subset of SQLite and PostgreSQL: `$n`, named columns, `ON CONFLICT`, `RETURNING`, `LIMIT` always, times as
//! microseconds, JSON as text. Never `SELECT *`: after a change of schema SQLite's driver loses rows silently.

mod address;
mod kept;
mod migrate;
mod postgres;
mod row;
mod sqlite;
mod value;

use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::{Sqlite, SqlitePool, Transaction};
use tokio::sync::Notify;
use vocab::Time;

pub(crate) use address::Address;
pub(crate) use kept::{Columns, Packed};
pub(crate) use postgres::Silence;
pub(crate) use row::Row;
pub(crate) use value::{Value, args, to_json};

use crate::StoreError;

pub(crate) type Result<T> = std::result::Result<T, StoreError>;

/// How often a write is tried when the database says that it lost a race.
const TRIES: u32 = 8;
/// The wait before the second try; it doubles from there.
const FIRST_WAIT: Duration = Duration::from_millis(2);

/// A database, connected.
#[derive(Clone, Debug)]
pub(crate) enum Db {
    /// One connection writes, several read: a second writer would only wait and fail.
    Sqlite { writer: SqlitePool, readers: SqlitePool },
    /// Apart, so that writers who wait for each other leave room for reading.
    Postgres { writers: postgres::Pool, readers: postgres::Pool },
}

/// A transaction. Dropped without [`Tx::commit`], it leaves nothing behind.
#[derive(Debug)]
pub(crate) enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(postgres::Transaction),
}

/// Work done inside a write transaction. It may run more than once.
pub(crate) type Work<I, T> = for<'t> fn(&'t mut Writing, &'t I) -> BoxFuture<'t, Result<T>>;

/// Work done inside a transaction that makes no revision. It may run more than once.
pub(crate) type Chore<I, T> = for<'t> fn(&'t mut Tx, &'t I) -> BoxFuture<'t, Result<T>>;

/// A write transaction and the number of the revision it makes.
#[derive(Debug)]
pub(crate) struct Writing {
    pub(crate) tx: Tx,
    /// Goes into every row this write touches, so that a reader can ask for what is newer.
    pub(crate) revision: i64,
    /// When it was asked for.
    pub(crate) now: Time,
}

impl Db {
    /// All rows of a query; reads go to the readers.
    pub(crate) async fn all(&self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>> {
        value::check(sql, values)?;
        match self {
            Self::Sqlite { readers, .. } => sqlite::all(readers, sql, values).await,
            Self::Postgres { readers, .. } => readers.all(sql, values).await,
        }
    }

    /// The first row of a query.
    pub(crate) async fn maybe(&self, sql: &'static str, values: &[Value]) -> Result<Option<Row>> {
        value::check(sql, values)?;
        match self {
            Self::Sqlite { readers, .. } => sqlite::maybe(readers, sql, values).await,
            Self::Postgres { readers, .. } => readers.maybe(sql, values).await,
        }
    }

    /// A transaction that reads one state of the database, whatever is written meanwhile.
    pub(crate) async fn reading(&self) -> Result<Tx> {
        match self {
            Self::Sqlite { readers, .. } => Ok(Tx::Sqlite(readers.begin().await?)),
            Self::Postgres { readers, .. } => Ok(Tx::Postgres(readers.begin(postgres::READING).await?)),
        }
    }

    /// Runs `work` in one transaction, and repeats it when the database says that it lost a race.
    ///
    /// Belongs into a task of its own: a future dropped halfway may have committed or not.
    pub(crate) async fn write<I, T>(&self, now: Time, input: &I, work: Work<I, T>) -> Result<T> {
        let mut tries = Tries::default();
        loop {
            let answer = self.write_once(now, input, work).await;
            let Some(wait) = tries.wait_after(&answer) else { return answer };
            tokio::time::sleep(wait).await;
        }
    }

    /// The same for what no node serves calls by, such as the state of a job: it makes no revision, so that nobody
    /// looks for something to take in. The first row it locks must be one that all who touch the others lock first.
    pub(crate) async fn chore<I, T>(&self, input: &I, work: Chore<I, T>) -> Result<T> {
        let mut tries = Tries::default();
        loop {
            let answer = self.chore_once(input, work).await;
            let Some(wait) = tries.wait_after(&answer) else { return answer };
            tokio::time::sleep(wait).await;
        }
    }

    async fn chore_once<I, T>(&self, input: &I, work: Chore<I, T>) -> Result<T> {
        let mut tx = self.writing().await?;
        let answer = work(&mut tx, input).await;
        tx.end(answer).await
    }

    async fn write_once<I, T>(&self, now: Time, input: &I, work: Work<I, T>) -> Result<T> {
        let mut tx = self.writing().await?;
        // The revision row comes first in every write: it is the one lock everybody takes in the same order.
        let sql = "UPDATE revision SET number = number + 1 WHERE id = 1 RETURNING number";
        let revision = match tx.maybe(sql, args![]).await? {
            Some(row) => row.int("number")?,
            None => return Err(StoreError::unreadable("the revision row is gone")),
        };
        let mut writing = Writing { tx, revision, now };
        let mut answer = work(&mut writing, input).await;
        if let Ok(done) = answer {
            answer = writing.tx.tell().await.map(|()| done);
        }
        writing.tx.end(answer).await
    }

    /// A transaction that writes; on SQLite the only one.
    async fn writing(&self) -> Result<Tx> {
        match self {
            Self::Sqlite { writer, .. } => Ok(Tx::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?)),
            Self::Postgres { writers, .. } => Ok(Tx::Postgres(writers.begin(postgres::WRITING).await?)),
        }
    }

    /// A transaction that nobody else has at the same time, on any node: for changing the schema.
    async fn exclusive(&self) -> Result<Tx> {
        let mut tx = self.writing().await?;
        match &mut tx {
            // Its writing transactions exclude each other as it is.
            Tx::Sqlite(_) => {}
            Tx::Postgres(tx) => tx.exclude_others().await?,
        }
        Ok(tx)
    }

    /// Passes notices of other nodes' writes on to `told`, for ever; returns where there are none.
    pub(crate) async fn listen(&self, told: &Notify) {
        match self {
            Self::Sqlite { .. } => {}
            Self::Postgres { readers, .. } => readers.listen(told).await,
        }
    }

    /// Ends all connections; SQLite folds its write-ahead log into the file.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres { writers, readers } => {
                readers.close().await;
                writers.close().await;
            }
        }
    }
}

impl Tx {
    /// All rows of a query.
    pub(crate) async fn all(&mut self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>> {
        value::check(sql, values)?;
        match self {
            Self::Sqlite(tx) => sqlite::all(&mut **tx, sql, values).await,
            Self::Postgres(tx) => tx.all(sql, values).await,
        }
    }

    /// Hands over the rows of a query one by one, as they come.
    pub(crate) async fn each(
        &mut self,
        sql: &'static str,
        values: &[Value],
        take: impl FnMut(Row) -> Result<()> + Send,
    ) -> Result<()> {
        value::check(sql, values)?;
        match self {
            Self::Sqlite(tx) => sqlite::each(&mut **tx, sql, values, take).await,
            Self::Postgres(tx) => tx.each(sql, values, take).await,
        }
    }

    /// The first row of a query, or of what a statement returns.
    pub(crate) async fn maybe(&mut self, sql: &'static str, values: &[Value]) -> Result<Option<Row>> {
        value::check(sql, values)?;
        match self {
            Self::Sqlite(tx) => sqlite::maybe(&mut **tx, sql, values).await,
            Self::Postgres(tx) => tx.maybe(sql, values).await,
        }
    }

    /// Runs a statement and says how many rows it changed.
    pub(crate) async fn run(&mut self, sql: &'static str, values: &[Value]) -> Result<u64> {
        value::check(sql, values)?;
        match self {
            Self::Sqlite(tx) => sqlite::run(&mut **tx, sql, values).await,
            Self::Postgres(tx) => tx.run(sql, values).await,
        }
    }

    /// Tells other nodes, when this commits, that there is something new.
    async fn tell(&mut self) -> Result<()> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(tx) => tx.run(postgres::TELL, args![]).await.map(drop),
        }
    }

    /// Runs a file of statements without values.
    async fn script(&mut self, sql: String) -> Result<()> {
        match self {
            Self::Sqlite(tx) => sqlite::script(&mut **tx, sql).await,
            Self::Postgres(tx) => tx.script(sql).await,
        }
    }

    /// A file's text with its tokens replaced by the engine's words.
    fn dialect(&self, sql: &str) -> String {
        let words = match self {
            Self::Sqlite(_) => &sqlite::WORDS,
            Self::Postgres(_) => &postgres::WORDS,
        };
        words.iter().fold(sql.to_owned(), |sql, (token, word)| sql.replace(token, word))
    }

    /// Commits when the work was done, else takes everything back.
    pub(crate) async fn end<T>(self, answer: Result<T>) -> Result<T> {
        match answer {
            Ok(answer) => self.commit().await.map(|()| answer),
            Err(error) => {
                self.roll_back().await;
                Err(error)
            }
        }
    }

    async fn commit(self) -> Result<()> {
        match self {
            Self::Sqlite(tx) => Ok(tx.commit().await?),
            Self::Postgres(tx) => tx.commit().await,
        }
    }

    /// Takes everything back. Should that fail, the connection is closed, which does the same.
    async fn roll_back(self) {
        match self {
            Self::Sqlite(tx) => drop(tx.rollback().await),
            Self::Postgres(tx) => tx.roll_back().await,
        }
    }
}

/// How often a transaction was tried.
#[derive(Default)]
struct Tries(u32);

impl Tries {
    /// How long to wait before trying again; `None` when the answer stands.
    fn wait_after<T>(&mut self, answer: &Result<T>) -> Option<Duration> {
        let Err(StoreError::Unavailable(error)) = answer else { return None };
        if !lost_a_race(&**error) || self.0 + 1 >= TRIES {
            return None;
        }
        self.0 += 1;
        Some(FIRST_WAIT * (1 << (self.0 - 1)))
    }
}

fn lost_a_race(error: &(dyn std::error::Error + 'static)) -> bool {
    let database = error.downcast_ref::<sqlx::Error>().and_then(sqlx::Error::as_database_error);
    let code = database.and_then(sqlx::error::DatabaseError::code);
    // The codes of one engine are none of the other's.
    code.is_some_and(|code| sqlite::LOST_RACES.contains(&&*code) || postgres::LOST_RACES.contains(&&*code))
}

#[cfg(test)]
mod tests;
