//! SQLite under the seam: connecting, looking at a file without touching it, running statements.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::query::Query;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, Connection, Row as _, Sqlite, SqliteExecutor};

use super::migrate::{self, Applied};
use super::{Db, Result, Row, Value};
use crate::OpenError;
use crate::error::Place;

/// Busy, locked, and the two ways a snapshot can be too old to write from.
pub(super) const LOST_RACES: [&str; 4] = ["5", "6", "261", "517"];

/// What the tokens of a migration mean here.
pub(super) const WORDS: [(&str, &str); 5] = [
    ("{int}", "INTEGER"),
    ("{bool}", "INTEGER"),
    ("{bytes}", "BLOB"),
    ("{text}", "TEXT"),
    ("{strict}", "STRICT"),
];

/// Connections that read; each is a thread.
const READERS: u32 = 4;
/// How long SQLite waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a statement waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);
/// The largest file that every start reads whole before it serves.
const CHECKED_BYTES: u64 = 128 << 20;
/// The end of the name of the file beside a registry that was found to be damaged while it served.
const FOUND_DAMAGED: &str = "-damaged";
/// What every SQLite file starts with.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// Opens or creates the file, and refuses one that is not this build's before anything in it is touched.
pub(super) async fn open(path: &Path) -> std::result::Result<Db, OpenError> {
    if let Some(applied) = inspect(path).await? {
        migrate::pending(&applied, &Place::File(path.into()))?;
    }
    create_private(path).map_err(|error| unavailable(path, error))?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        // A published version that was acknowledged survives a power cut; writes here are rare.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT);
    let pool = || {
        SqlitePoolOptions::new()
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
    };
    let writer = pool().max_connections(1).connect_with(options.clone()).await;
    let writer = writer.map_err(|error| judge(path, error))?;
    // What was found damaged would have been refused: it was restored.
    forget_damage(path).map_err(|error| unavailable(path, error))?;
    let readers = pool().max_connections(READERS).connect_lazy_with(options.read_only(true));
    Ok(Db::Sqlite { writer, readers })
}

/// Checks a file that is there and says which migrations it has, changing neither it nor its neighbours.
/// `None` for a file that is yet to be made. A large file that was closed cleanly is left for [`find_damage`].
pub(super) async fn inspect(path: &Path) -> std::result::Result<Option<Vec<Applied>>, OpenError> {
    match std::fs::metadata(path) {
        Ok(found) if found.len() == 0 => return Ok(None),
        Ok(_) => check_magic(path)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unavailable(path, error)),
    }
    if has_bytes(&beside(path, "-journal")) {
        // A crash while the file was made: nobody can read it before a writer has rolled it back.
        return Ok(None);
    }
    // Immutable: SQLite makes no -wal or -shm file. Only a log left by a crash makes it look at those.
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .immutable(!has_bytes(&beside(path, "-wal")))
        .busy_timeout(BUSY_TIMEOUT);
    let mut connection =
        SqliteConnection::connect_with(&options).await.map_err(|error| judge(path, error))?;
    let read = examine(&mut connection, path).await;
    let closed = connection.close().await;
    let applied = read?;
    closed.map_err(|error| judge(path, error))?;
    Ok(applied)
}

/// Reads the whole of a large file that is in use, which takes seconds, and says what is damaged in it. The next start
/// reads it whole again before it serves.
pub(super) async fn find_damage(path: &Path) -> std::result::Result<(), OpenError> {
    if !is_large(path) {
        return Ok(());
    }
    let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(BUSY_TIMEOUT);
    let mut connection =
        SqliteConnection::connect_with(&options).await.map_err(|error| judge(path, error))?;
    let found = read_whole(&mut connection, path).await;
    if let Err(OpenError::Corrupt { reason, .. }) = &found {
        std::fs::write(beside(path, FOUND_DAMAGED), reason).map_err(|error| unavailable(path, error))?;
    }
    connection.close().await.map_err(|error| judge(path, error))?;
    found
}

async fn examine(
    connection: &mut SqliteConnection,
    path: &Path,
) -> std::result::Result<Option<Vec<Applied>>, OpenError> {
    let read = |error| judge(path, error);
    // After a crash, or when damage was found before, nothing serves before everything was read.
    if !is_large(path) || has_bytes(&beside(path, "-wal")) || has_bytes(&beside(path, FOUND_DAMAGED)) {
        read_whole(connection, path).await?;
    }
    let sql = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name LIMIT 1000";
    let tables: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut *connection).await.map_err(read)?;
    let Some(first) = tables.first() else { return Ok(None) };
    if !tables.iter().any(|table| table == migrate::TABLE) {
        return Err(OpenError::Foreign { at: Place::File(path.into()), table: first.clone() });
    }
    let rows = sqlx::query(migrate::APPLIED).fetch_all(&mut *connection).await.map_err(read)?;
    let applied = rows.iter().map(|row| Ok(Applied { number: row.try_get(0)?, digest: row.try_get(1)? }));
    applied.collect::<std::result::Result<_, sqlx::Error>>().map(Some).map_err(read)
}

async fn read_whole(connection: &mut SqliteConnection, path: &Path) -> std::result::Result<(), OpenError> {
    let verdict = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(connection).await;
    let verdict: String = verdict.map_err(|error| judge(path, error))?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(OpenError::Corrupt { at: Place::File(path.into()), reason: verdict })
}

fn check_magic(path: &Path) -> std::result::Result<(), OpenError> {
    use std::io::Read;
    let mut head = Vec::with_capacity(MAGIC.len());
    let read = std::fs::File::open(path).and_then(|file| file.take(16).read_to_end(&mut head));
    read.map_err(|error| unavailable(path, error))?;
    if head == MAGIC {
        return Ok(());
    }
    Err(OpenError::Corrupt {
        at: Place::File(path.into()),
        reason: "it does not start like an SQLite database".into(),
    })
}

/// Makes the file readable by its owner only; SQLite gives its logs the same mode.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn has_bytes(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.len() > 0)
}

fn is_large(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.len() > CHECKED_BYTES)
}

fn forget_damage(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(beside(path, FOUND_DAMAGED)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Tells damage from everything else that can go wrong with a file.
pub(super) fn judge(path: &Path, error: sqlx::Error) -> OpenError {
    const CORRUPT: i32 = 11;
    const NOT_A_DATABASE: i32 = 26;
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<i32>().ok());
    // The low byte is the kind of error, the rest its particulars.
    if code.is_some_and(|code| [CORRUPT, NOT_A_DATABASE].contains(&(code & 0xff))) {
        return OpenError::Corrupt { at: Place::File(path.into()), reason: error.to_string() };
    }
    unavailable(path, error)
}

fn unavailable(path: &Path, error: impl Into<crate::error::BoxError>) -> OpenError {
    OpenError::Unavailable { at: Place::File(path.into()), source: error.into() }
}

pub(super) async fn all<'e>(
    executor: impl SqliteExecutor<'e>,
    sql: &'static str,
    values: &[Value],
) -> Result<Vec<Row>> {
    let rows = bind(sql, values).fetch_all(executor).await?;
    Ok(rows.into_iter().map(Row::Sqlite).collect())
}

pub(super) async fn each<'e>(
    executor: impl SqliteExecutor<'e>,
    sql: &'static str,
    values: &[Value],
    mut take: impl FnMut(Row) -> Result<()>,
) -> Result<()> {
    // Rows read in one go: SQLite's thread and this one would fight for one lock, making rows and freeing them.
    let rows = bind(sql, values).fetch_all(executor).await?;
    rows.into_iter().try_for_each(|row| take(Row::Sqlite(row)))
}

pub(super) async fn maybe<'e>(
    executor: impl SqliteExecutor<'e>,
    sql: &'static str,
    values: &[Value],
) -> Result<Option<Row>> {
    Ok(bind(sql, values).fetch_optional(executor).await?.map(Row::Sqlite))
}

pub(super) async fn run<'e>(
    executor: impl SqliteExecutor<'e>,
    sql: &'static str,
    values: &[Value],
) -> Result<u64> {
    Ok(bind(sql, values).execute(executor).await?.rows_affected())
}

pub(super) async fn script<'e>(executor: impl SqliteExecutor<'e>, sql: String) -> Result<()> {
    executor.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
    Ok(())
}

fn bind(sql: &'static str, values: &[Value]) -> Query<'static, Sqlite, SqliteArguments> {
    values.iter().fold(sqlx::query(sql), |query, value| match value {
        Value::Text(text) => query.bind(text.clone()),
        Value::Int(int) => query.bind(*int),
        Value::Bool(bool) => query.bind(*bool),
        Value::Bytes(bytes) => query.bind(bytes.clone()),
    })
}
