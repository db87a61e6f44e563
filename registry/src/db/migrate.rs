//! Brings a database to this build's schema: every pending file in one transaction, each held to its digest.

use sha2::{Digest, Sha256};
use vocab::Time;

use super::{Address, Db, Result, Tx, args};
use crate::error::Place;
use crate::{OpenError, canonical};

/// The table that says what was applied.
pub(super) const TABLE: &str = "migration";
/// Reads it, oldest first.
pub(super) const APPLIED: &str = "SELECT number, digest FROM migration ORDER BY number LIMIT 10000";

/// One file of `migrations/`. Never edited once released: its digest is in every database.
struct Migration {
    number: i64,
    name: &'static str,
    sql: &'static str,
}

const MIGRATIONS: [Migration; 9] = [
    Migration { number: 1, name: "0001_registry", sql: include_str!("../../migrations/0001_registry.sql") },
    Migration { number: 2, name: "0002_alerts", sql: include_str!("../../migrations/0002_alerts.sql") },
    Migration { number: 3, name: "0003_views", sql: include_str!("../../migrations/0003_views.sql") },
    Migration { number: 4, name: "0004_audit", sql: include_str!("../../migrations/0004_audit.sql") },
    Migration { number: 5, name: "0005_projects", sql: include_str!("../../migrations/0005_projects.sql") },
    Migration { number: 6, name: "0006_content", sql: include_str!("../../migrations/0006_content.sql") },
    Migration { number: 7, name: "0007_snippets", sql: include_str!("../../migrations/0007_snippets.sql") },
    Migration { number: 8, name: "0008_releases", sql: include_str!("../../migrations/0008_releases.sql") },
    Migration { number: 9, name: "0009_search", sql: include_str!("../../migrations/0009_search.sql") },
];

/// A migration that a database has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Applied {
    pub(super) number: i64,
    pub(super) digest: String,
}

/// How many of this build's migrations a database already has; an error when it has others.
pub(super) fn pending(applied: &[Applied], at: &Place) -> std::result::Result<usize, OpenError> {
    for (known, applied) in MIGRATIONS.iter().zip(applied) {
        if known.number != applied.number || digest(known) != applied.digest {
            return Err(OpenError::Edited { at: at.clone(), migration: applied.number });
        }
    }
    let known = MIGRATIONS.last().map_or(0, |last| last.number);
    let found = applied.last().map_or(0, |last| last.number);
    if found > known {
        return Err(OpenError::Newer { at: at.clone(), found, known });
    }
    Ok(applied.len())
}

/// The names of this build's migrations from one on.
pub(super) fn names_from(done: usize) -> Vec<String> {
    MIGRATIONS.iter().skip(done).map(|migration| migration.name.to_owned()).collect()
}

/// Applies what is pending, or nothing at all.
pub(super) async fn run(db: &Db, address: &Address, now: Time) -> std::result::Result<(), OpenError> {
    let failed = |error| address.judge(error);
    let mut tx = db.exclusive().await.map_err(failed)?;
    let applied = applied(&mut tx).await.map_err(failed)?;
    let done = pending(&applied, &address.place())?;
    for migration in MIGRATIONS.iter().skip(done) {
        apply(&mut tx, migration, now).await.map_err(failed)?;
    }
    tx.commit().await.map_err(failed)
}

async fn applied(tx: &mut Tx) -> Result<Vec<Applied>> {
    let sql = "CREATE TABLE IF NOT EXISTS migration (number {int} PRIMARY KEY, digest {text} NOT NULL,
               applied_us {int} NOT NULL) {strict}";
    tx.script(tx.dialect(sql)).await?;
    let rows = tx.all(APPLIED, args![]).await?;
    rows.iter().map(|row| Ok(Applied { number: row.int("number")?, digest: row.text("digest")? })).collect()
}

async fn apply(tx: &mut Tx, migration: &Migration, now: Time) -> Result<()> {
    tx.script(tx.dialect(migration.sql)).await?;
    let sql = "INSERT INTO migration (number, digest, applied_us) VALUES ($1, $2, $3)";
    tx.run(sql, args![migration.number, digest(migration), now.micros()]).await?;
    Ok(())
}

fn digest(migration: &Migration) -> String {
    canonical::hex(&Sha256::digest(migration.sql))
}
