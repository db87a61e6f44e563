//! Brings a ClickHouse database up to what this build knows, one migration after another.
//!
//! What was done is kept in `weir_migrations` with a digest of each file. A database that a newer build has
//! migrated, or a file that was edited after it was applied, is refused. ClickHouse has no transactions and no
//! compare-and-set; making a table that is there already fails, though, for all but one, and that table is the
//! lock. Statements are such that running one again changes nothing, so a migration that broke off is run again.

use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::sleep;

use super::connection::Connection;
use super::schema::{MIGRATIONS, literal, quoted};
use super::trouble::Trouble;

/// How long a node waits for another that is migrating before it says so.
const WAIT: Duration = Duration::from_secs(20);
/// How long between two looks at whether it is done.
const LOOK: Duration = Duration::from_millis(250);
/// A lock older than this was left by a node that died. One that merely took long does no harm: its statements are such
/// that two nodes may run them side by side.
const ABANDONED_S: u64 = 30;
/// The longest version a server is believed to have; `26.9.1.1234` and what its builders add.
const VERSION_BYTES: usize = 64;
/// `TABLE_ALREADY_EXISTS`: somebody else has the lock.
const TAKEN: u32 = 57;

/// What a migration did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Migrated {
    /// Migrations applied now, in order.
    pub applied: Vec<String>,
    /// How many were there before.
    pub present: usize,
}

/// Why a database cannot be brought up to date.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MigrateError {
    /// The address is none.
    #[error("the analytics url cannot be used: {0}")]
    Address(&'static str),
    /// A newer build was here.
    #[error(
        "the ClickHouse database was migrated by a newer weir ({0}): start that one, or name another database"
    )]
    Newer(String),
    /// A migration is not what it was when it was applied.
    #[error(
        "the ClickHouse database has migration {0} with another content than this weir: it was made by some other build"
    )]
    Edited(String),
    /// Another node migrates and does not come to an end.
    #[error(
        "another node is migrating the ClickHouse database: if none is, this is tried again in half a minute"
    )]
    Busy,
    /// Something answers, and it is none.
    #[error(
        "what answers at the analytics url is not a ClickHouse server, which would have told its version: name the \
         server's HTTP port (8123, with TLS 8443), and look for a proxy in between"
    )]
    NotClickHouse,
    /// What the server said.
    #[error("{0}")]
    Server(String),
}

impl From<Trouble> for MigrateError {
    fn from(trouble: Trouble) -> Self {
        Self::Server(trouble.message)
    }
}

/// Makes the database and its tables, or brings them up to date.
pub(super) async fn bring_up(connection: &Connection) -> Result<Migrated, MigrateError> {
    let present = applied(connection).await?;
    if present.len() == MIGRATIONS.len() {
        return Ok(Migrated { applied: Vec::new(), present: present.len() });
    }
    begin(connection).await?;
    take_lock(connection).await?;
    let done = apply(connection).await;
    let dropped = connection.run(&format!("DROP TABLE IF EXISTS {}", lock(connection))).await;
    let migrated = done?;
    dropped?;
    Ok(migrated)
}

/// The names of the migrations that are yet to be applied; changes nothing.
pub(super) async fn pending(connection: &Connection) -> Result<Vec<String>, MigrateError> {
    let present = applied(connection).await?;
    let names = MIGRATIONS.iter().map(|(name, _)| (*name).to_owned());
    Ok(names.filter(|name| !present.contains(name)).collect())
}

/// The names of the migrations applied so far, checked against those of this build.
async fn applied(connection: &Connection) -> Result<Vec<String>, MigrateError> {
    look_whether_it_is_clickhouse(connection).await?;
    let database = literal(connection.database());
    let there =
        format!("SELECT count() FROM system.tables WHERE database = {database} AND name = 'weir_migrations'");
    if connection.ask(&there).await? != [["1"]] {
        return Ok(Vec::new());
    }
    let rows = connection
        .ask(&format!(
            "SELECT name, any(digest) FROM {}.weir_migrations GROUP BY name ORDER BY name LIMIT 1000",
            quoted(connection.database())
        ))
        .await?;
    let mut names = Vec::new();
    for row in rows {
        let [name, digest] = row.as_slice() else { continue };
        let Some((_, text)) = MIGRATIONS.iter().find(|(known, _)| known == name) else {
            return Err(MigrateError::Newer(name.clone()));
        };
        if *digest != digest_of(text) {
            return Err(MigrateError::Edited(name.clone()));
        }
        names.push(name.clone());
    }
    Ok(names)
}

/// Statements that a stranger swallows with a friendly face would count as done.
async fn look_whether_it_is_clickhouse(connection: &Connection) -> Result<(), MigrateError> {
    let answer = connection.ask("SELECT version()").await?;
    let is_version = |text: &String| {
        text.contains('.') && text.starts_with(|c: char| c.is_ascii_digit()) && text.len() <= VERSION_BYTES
    };
    match answer.as_slice() {
        [row] if row.len() == 1 && row.iter().all(is_version) => Ok(()),
        _ => Err(MigrateError::NotClickHouse),
    }
}

/// Makes the database, and the table of what was done.
async fn begin(connection: &Connection) -> Result<(), MigrateError> {
    let place = connection.place();
    let database = literal(connection.database());
    let there = format!("SELECT count() FROM system.databases WHERE name = {database}");
    if connection.ask(&there).await? != [["1"]] {
        for statement in place.statements("CREATE DATABASE IF NOT EXISTS {db} {on_cluster}") {
            connection.run_on_server(&statement).await?;
        }
    }
    let table = "CREATE TABLE IF NOT EXISTS {db}.weir_migrations {on_cluster} (name String, digest String, \
                 applied_at DateTime('UTC') DEFAULT now()) ENGINE = {everywhere weir_migrations} ORDER BY name";
    for statement in place.statements(table) {
        connection.run(&statement).await?;
    }
    Ok(())
}

async fn apply(connection: &Connection) -> Result<Migrated, MigrateError> {
    let present = applied(connection).await?;
    let mut migrated = Migrated { applied: Vec::new(), present: present.len() };
    for (name, text) in MIGRATIONS.iter().filter(|(name, _)| !present.iter().any(|present| present == name)) {
        for statement in connection.place().statements(text) {
            connection.run(&statement).await?;
        }
        connection
            .run(&format!(
                "INSERT INTO {}.weir_migrations (name, digest) SETTINGS async_insert = 0 VALUES ('{name}', '{}')",
                quoted(connection.database()),
                digest_of(text)
            ))
            .await?;
        migrated.applied.push((*name).to_owned());
    }
    Ok(migrated)
}

/// Waits until no other node migrates, then keeps others from it.
async fn take_lock(connection: &Connection) -> Result<(), MigrateError> {
    let create = format!("CREATE TABLE {} (nothing UInt8) ENGINE = Memory", lock(connection));
    let mut waited = Duration::ZERO;
    loop {
        match connection.run(&create).await {
            Ok(()) => return Ok(()),
            Err(trouble) if trouble.code != Some(TAKEN) => return Err(trouble.into()),
            Err(_) if waited >= WAIT => return Err(MigrateError::Busy),
            Err(_) => break_abandoned(connection).await?,
        }
        sleep(LOOK).await;
        waited += LOOK;
    }
}

async fn break_abandoned(connection: &Connection) -> Result<(), MigrateError> {
    let old = format!(
        "SELECT count() FROM system.tables WHERE database = {} AND name = 'weir_migrating' \
         AND metadata_modification_time < now() - {ABANDONED_S}",
        literal(connection.database())
    );
    if connection.ask(&old).await? == [["1"]] {
        connection.run(&format!("DROP TABLE IF EXISTS {}", lock(connection))).await?;
    }
    Ok(())
}

/// The table that is the lock, with what makes it one on all servers.
fn lock(connection: &Connection) -> String {
    connection.place().statements("{db}.weir_migrating {on_cluster}").concat()
}

fn digest_of(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests;
