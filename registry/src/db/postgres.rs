//! PostgreSQL under the seam: connecting, looking at a database without touching it, what its words are.

mod notices;
mod pool;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection, Row as _};

pub(super) use notices::TELL;
pub(crate) use pool::Silence;
pub(super) use pool::{Pool, Transaction};

use super::Db;
use super::migrate::{self, Applied};
use crate::OpenError;
use crate::error::Place;

/// Could not be serialised, and deadlocked.
pub(super) const LOST_RACES: [&str; 2] = ["40001", "40P01"];

/// What the tokens of a migration mean here. Texts are compared byte by byte, as SQLite does, or pages would differ.
pub(super) const WORDS: [(&str, &str); 5] = [
    ("{int}", "BIGINT"),
    ("{bool}", "BOOLEAN"),
    ("{bytes}", "BYTEA"),
    ("{text}", "TEXT COLLATE \"C\""),
    ("{strict}", ""),
];

/// Begins a transaction that sees each statement's newest state; the revision row makes writers wait for each other.
pub(super) const WRITING: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
/// Begins a transaction that sees one state.
pub(super) const READING: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Connections that write: all but one wait for the revision row, or do what makes no revision.
const WRITERS: usize = 4;
/// Connections that read.
const READERS: usize = 8;
/// Statements kept prepared on a connection: more than this crate has.
const STATEMENTS: usize = 500;

/// What a connection is told first. The server ends what a node that hangs has begun, so that the others go on.
const WRITER_SETUP: &str = "SET statement_timeout = '30s'; SET idle_in_transaction_session_timeout = '30s'";
const READER_SETUP: &str = "SET statement_timeout = '30s'; SET idle_in_transaction_session_timeout = '30s'; \
                            SET default_transaction_read_only = on";

/// The server's word for a column that is not there.
const UNDEFINED_COLUMN: &str = "42703";

/// Connects when it is first asked something.
pub(super) fn connect(options: &PgConnectOptions) -> Db {
    let options = options.clone().statement_cache_capacity(STATEMENTS);
    let writers = Pool::new(options.clone(), WRITER_SETUP, WRITERS);
    let readers = Pool::new(options, READER_SETUP, READERS);
    Db::Postgres { writers, readers }
}

/// Says which migrations a database has, changing nothing; `None` for one without tables.
pub(super) async fn inspect(
    options: &PgConnectOptions,
    at: &Place,
) -> Result<Option<Vec<Applied>>, OpenError> {
    let connected = pool::connect(options, READER_SETUP).await;
    let mut connection =
        connected.map_err(|error| OpenError::Unavailable { at: at.clone(), source: error.into_source() })?;
    let applied = examine(&mut connection, at).await;
    // What was read stands, however the goodbye goes.
    drop(connection.close().await);
    applied
}

async fn examine(connection: &mut PgConnection, at: &Place) -> Result<Option<Vec<Applied>>, OpenError> {
    let read = |error: sqlx::Error| OpenError::Unavailable { at: at.clone(), source: error.into() };
    let unsuitable = |reason: &str| OpenError::Unsuitable { at: at.clone(), reason: reason.to_owned() };
    let sql = "SELECT current_setting('server_encoding'), current_schema() IS NULL";
    let (encoding, homeless): (String, bool) =
        sqlx::query_as(sql).fetch_one(&mut *connection).await.map_err(read)?;
    if encoding != "UTF8" {
        return Err(unsuitable(&format!(
            "its encoding is {encoding}: make one with CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0"
        )));
    }
    if homeless {
        return Err(unsuitable("no schema of its search_path exists: make it with CREATE SCHEMA"));
    }
    let sql = "SELECT CAST(tablename AS TEXT) FROM pg_catalog.pg_tables WHERE schemaname = current_schema()
               ORDER BY tablename LIMIT 1000";
    let tables: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut *connection).await.map_err(read)?;
    let Some(first) = tables.first() else { return Ok(None) };
    let foreign = |table: &str| OpenError::Foreign { at: at.clone(), table: table.to_owned() };
    if !tables.iter().any(|table| table == migrate::TABLE) {
        return Err(foreign(first));
    }
    let rows = match sqlx::query(migrate::APPLIED).fetch_all(&mut *connection).await {
        // Another program may keep its migrations under the same name.
        Err(error) if code(&error).as_deref() == Some(UNDEFINED_COLUMN) => {
            return Err(foreign(migrate::TABLE));
        }
        rows => rows.map_err(read)?,
    };
    let applied = rows.iter().map(|row| Ok(Applied { number: row.try_get(0)?, digest: row.try_get(1)? }));
    applied.collect::<Result<_, sqlx::Error>>().map(Some).map_err(read)
}

fn code(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

/// The database's name and where it is, for messages.
pub(super) fn name(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    match options.get_socket() {
        Some(socket) => format!("{database} at {}", socket.display()),
        None => format!("{database} at {}:{}", options.get_host(), options.get_port()),
    }
}
