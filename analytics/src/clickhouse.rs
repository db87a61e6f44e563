//! The store for many nodes: ClickHouse, on one server or a cluster of them.
//!
//! Rows wait in the outbox, already encoded, and are shipped from there; nothing here waits for the server on
//! the way in. Migrations run when the server is first reached.

mod address;
mod ask;
mod connection;
mod count;
mod encode;
mod export;
mod filter;
mod find;
mod get;
mod groups;
mod migrate;
mod purge;
mod reader;
mod report;
mod rowbinary;
mod rows;
pub mod schema;
mod scope;
mod scores;
mod sessions;
mod ship;
mod sql;
mod trace;
mod traces;
mod trouble;
mod values;
mod walk;
pub mod words;

pub use migrate::{MigrateError, Migrated};

use address::Address;
use connection::Connection;

/// Brings the database at `url` up to what this build knows, on all servers of `cluster` if one is named.
pub async fn migrate(url: &str, cluster: Option<&str>) -> Result<Migrated, MigrateError> {
    let address = Address::read(url).map_err(MigrateError::Address)?;
    migrate::bring_up(&Connection::new(address, cluster)).await
}
