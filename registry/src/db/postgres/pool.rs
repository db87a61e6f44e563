//! Connections to PostgreSQL, a bounded number of them, each given back only when nothing about it is in doubt.
//!
//! A network may swallow packets without a word, and a driver that waits for an answer then waits for ever. So every
//! statement has a time, and a connection whose answer did not come, or came with an error, is closed rather than
//! kept: the server takes back what it had begun.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::TryStreamExt as _;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Postgres};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::super::{Result, Row, Value};
use crate::StoreError;

/// How long a connection may take to be made.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// How long an idle connection may take to say that it lives.
const LIFE_TIME: Duration = Duration::from_secs(2);
/// How long to wait for room; whoever finds none is told that the database is busy.
const ROOM_TIME: Duration = Duration::from_secs(10);
/// How long a statement may take: longer than the server lets it.
const ANSWER_TIME: Duration = Duration::from_secs(35);
/// The same for a file of statements that changes the schema, and for waiting until another node has done so.
const SCRIPT_TIME: Duration = Duration::from_mins(10);
/// How long those who still use connections are waited for at the end.
const CLOSE_TIME: Duration = Duration::from_secs(10);

/// What all nodes lock before they change the schema: "weir", as a number.
const SCHEMA_LOCK: &str = "SET LOCAL statement_timeout = '600s'; SELECT pg_advisory_xact_lock(2003134834)";

/// What did not come in time.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Silence {
    #[error("the server was not reached within {0:?}")]
    Connection(Duration),
    #[error("the server did not answer within {0:?}")]
    Answer(Duration),
    #[error("all connections were in use for {0:?}")]
    Room(Duration),
    #[error("the registry is closed")]
    Closed,
}

impl From<Silence> for StoreError {
    fn from(silence: Silence) -> Self {
        Self::Unavailable(Box::new(silence))
    }
}

/// A bounded number of connections. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Parts>);

struct Parts {
    options: PgConnectOptions,
    setup: &'static str,
    size: usize,
    room: Arc<Semaphore>,
    idle: Mutex<Vec<PgConnection>>,
}

/// The options hold a password and print it.
impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("size", &self.0.size).finish_non_exhaustive()
    }
}

impl Pool {
    /// A pool that connects when it is first used.
    pub(super) fn new(options: PgConnectOptions, setup: &'static str, size: usize) -> Self {
        let room = Arc::new(Semaphore::new(size));
        Self(Arc::new(Parts { options, setup, size, room, idle: Mutex::default() }))
    }

    pub(in crate::db) async fn all(&self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>> {
        let mut lease = self.lease().await?;
        let rows = all(&mut lease.connection, sql, values).await?;
        lease.give_back();
        Ok(rows)
    }

    pub(in crate::db) async fn maybe(&self, sql: &'static str, values: &[Value]) -> Result<Option<Row>> {
        let mut lease = self.lease().await?;
        let row = maybe(&mut lease.connection, sql, values).await?;
        lease.give_back();
        Ok(row)
    }

    pub(in crate::db) async fn begin(&self, sql: &'static str) -> Result<Transaction> {
        let mut lease = self.lease().await?;
        answer(ANSWER_TIME, lease.connection.execute(sql)).await?;
        Ok(Transaction { lease, has_failed: false })
    }

    pub(super) fn options(&self) -> &PgConnectOptions {
        &self.0.options
    }

    /// Waits for those who use connections, then ends them all.
    pub(in crate::db) async fn close(&self) {
        let everyone = u32::try_from(self.0.size).unwrap_or(u32::MAX);
        // Whoever takes longer is cut off.
        drop(timeout(CLOSE_TIME, self.0.room.acquire_many(everyone)).await);
        self.0.room.close();
        while let Some(connection) = self.take_idle() {
            drop(timeout(LIFE_TIME, connection.close()).await);
        }
    }

    async fn lease(&self) -> Result<Lease> {
        let room = timeout(ROOM_TIME, Arc::clone(&self.0.room).acquire_owned()).await;
        let room = room.map_err(|_| Silence::Room(ROOM_TIME))?.map_err(|_| Silence::Closed)?;
        let connection = match self.living().await {
            Some(connection) => connection,
            None => connect(&self.0.options, self.0.setup).await?,
        };
        Ok(Lease { connection, pool: self.clone(), _room: room })
    }

    /// An idle connection that answers.
    async fn living(&self) -> Option<PgConnection> {
        let mut connection = self.take_idle()?;
        if matches!(timeout(LIFE_TIME, connection.ping()).await, Ok(Ok(()))) {
            return Some(connection);
        }
        // What died took those beside it along: a server that went away, or a network.
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        None
    }

    fn take_idle(&self) -> Option<PgConnection> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

/// A connection in use. Dropped, it is closed.
struct Lease {
    connection: PgConnection,
    pool: Pool,
    _room: OwnedSemaphorePermit,
}

impl Lease {
    fn give_back(self) {
        self.pool.0.idle.lock().unwrap_or_else(PoisonError::into_inner).push(self.connection);
    }
}

/// A transaction under way. Dropped, its connection is closed, and the server takes everything back.
pub(crate) struct Transaction {
    lease: Lease,
    has_failed: bool,
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("has_failed", &self.has_failed).finish_non_exhaustive()
    }
}

impl Transaction {
    pub(in crate::db) async fn all(&mut self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>> {
        let rows = all(&mut self.lease.connection, sql, values).await;
        self.noting(rows)
    }

    pub(in crate::db) async fn each(
        &mut self,
        sql: &'static str,
        values: &[Value],
        mut take: impl FnMut(Row) -> Result<()>,
    ) -> Result<()> {
        let mut rows = bind(sql, values).fetch(&mut self.lease.connection);
        let taking = async {
            while let Some(row) = rows.try_next().await? {
                take(Row::Postgres(row))?;
            }
            Ok(())
        };
        let taken = timeout(ANSWER_TIME, taking).await;
        drop(rows);
        self.noting(taken.unwrap_or_else(|_| Err(Silence::Answer(ANSWER_TIME).into())))
    }

    pub(in crate::db) async fn maybe(&mut self, sql: &'static str, values: &[Value]) -> Result<Option<Row>> {
        let row = maybe(&mut self.lease.connection, sql, values).await;
        self.noting(row)
    }

    pub(in crate::db) async fn run(&mut self, sql: &'static str, values: &[Value]) -> Result<u64> {
        let done = answer(ANSWER_TIME, bind(sql, values).execute(&mut self.lease.connection)).await;
        self.noting(done.map(|done| done.rows_affected()))
    }

    pub(in crate::db) async fn script(&mut self, sql: String) -> Result<()> {
        let statements = sqlx::raw_sql(AssertSqlSafe(sql));
        let done = answer(SCRIPT_TIME, self.lease.connection.execute(statements)).await;
        self.noting(done.map(drop))
    }

    /// Waits until no other node changes the schema, and keeps them from it until the end.
    pub(in crate::db) async fn exclude_others(&mut self) -> Result<()> {
        self.script(SCHEMA_LOCK.to_owned()).await
    }

    /// Commits. The server would answer a commit after an error with a rollback, and call that a success.
    pub(in crate::db) async fn commit(mut self) -> Result<()> {
        if self.has_failed {
            return Err(StoreError::Unavailable("a statement of the transaction failed before".into()));
        }
        answer(ANSWER_TIME, self.lease.connection.execute("COMMIT")).await?;
        self.lease.give_back();
        Ok(())
    }

    pub(in crate::db) async fn roll_back(mut self) {
        if answer(ANSWER_TIME, self.lease.connection.execute("ROLLBACK")).await.is_ok() {
            self.lease.give_back();
        }
    }

    fn noting<T>(&mut self, result: Result<T>) -> Result<T> {
        self.has_failed |= result.is_err();
        result
    }
}

/// Makes a connection and tells it what holds for it.
pub(super) async fn connect(options: &PgConnectOptions, setup: &'static str) -> Result<PgConnection> {
    let connecting = async {
        let mut connection = options.connect().await?;
        connection.execute(sqlx::raw_sql(setup)).await?;
        Ok(connection)
    };
    match timeout(CONNECT_TIME, connecting).await {
        Ok(connected) => connected.map_err(|error: sqlx::Error| error.into()),
        Err(_) => Err(Silence::Connection(CONNECT_TIME).into()),
    }
}

async fn all(connection: &mut PgConnection, sql: &'static str, values: &[Value]) -> Result<Vec<Row>> {
    let rows = answer(ANSWER_TIME, bind(sql, values).fetch_all(connection)).await?;
    Ok(rows.into_iter().map(Row::Postgres).collect())
}

async fn maybe(connection: &mut PgConnection, sql: &'static str, values: &[Value]) -> Result<Option<Row>> {
    let row = answer(ANSWER_TIME, bind(sql, values).fetch_optional(connection)).await?;
    Ok(row.map(Row::Postgres))
}

async fn answer<T>(
    time: Duration,
    asked: impl Future<Output = std::result::Result<T, sqlx::Error>>,
) -> Result<T> {
    match timeout(time, asked).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Silence::Answer(time).into()),
    }
}

fn bind(sql: &'static str, values: &[Value]) -> Query<'static, Postgres, PgArguments> {
    values.iter().fold(sqlx::query(sql), |query, value| match value {
        Value::Text(text) => query.bind(text.clone()),
        Value::Int(int) => query.bind(*int),
        Value::Bool(bool) => query.bind(*bool),
        Value::Bytes(bytes) => query.bind(bytes.clone()),
    })
}
