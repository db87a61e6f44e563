//! The store for many nodes: ClickHouse, on one server or a cluster of them.
//!
//! Rows wait in the outbox, already encoded, and are shipped from there; nothing here waits for the server on
//! the way in. Migrations run when the server is first reached.

mod address;
mod connection;
mod encode;
mod migrate;
mod rowbinary;
pub mod schema;
mod ship;
mod trouble;
pub mod words;

pub use migrate::{MigrateError, Migrated};

use address::Address;
use connection::Connection;

/// Brings the database at `url` up to what this build knows, on all servers of `cluster` if one is named.
pub async fn migrate(url: &str, cluster: Option<&str>) -> Result<Migrated, MigrateError> {
    let address = Address::read(url).map_err(MigrateError::Address)?;
    migrate::bring_up(&Connection::new(address, cluster)).await
}
