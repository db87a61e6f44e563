//! Blocks of rows into their tables, each exactly once.
//!
//! A block's id is the insert's deduplication token, which the engine remembers for the last ten thousand blocks of a
//! table, roll-ups included; after that the column `block` tells how much of it is there. A block goes in week by week
//! and shard by shard: one that is there in part is sent again, and the token keeps out what is there already.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use clickhouse::Compression;

use super::connection::{Connection, within};
use super::schema::{self, literal, quoted};
use super::trouble::{Blame, Trouble};
use crate::outbox::BlockId;
use crate::shipper::{Destination, Refused, Shipment, Shipping};

/// Bytes sent at a time.
const CHUNK_BYTES: usize = 1024 * 1024;
/// How long the connection may take no more of a block.
const SEND: Duration = Duration::from_secs(30);
/// How long the server may take to put a block away, views included.
const END: Duration = Duration::from_mins(2);
/// After so many refusals for reasons unknown, it is taken to be the rows.
const UNKNOWN: u32 = 8;

/// How blocks are inserted. Asynchronous inserts forget tokens; one block is one insert into views too; what a
/// clock that jumped has scattered over many weeks goes in all the same; the text index is built when parts are
/// merged, which makes inserts six times faster and changes no answer.
const SETTINGS: &[(&str, &str)] = &[
    ("async_insert", "0"),
    ("insert_deduplicate", "1"),
    ("deduplicate_blocks_in_dependent_materialized_views", "1"),
    ("throw_on_max_partitions_per_insert_block", "0"),
    ("distributed_foreground_insert", "1"),
    ("exclude_materialize_skip_indexes_on_insert", "said_grams"),
    ("input_format_null_as_default", "0"),
];

/// Puts blocks into tables.
pub(super) struct Ship {
    connection: Connection,
    /// The block that was refused last for a reason unknown, and how often.
    unknown: Mutex<(Option<BlockId>, u32)>,
}

impl Destination for Ship {
    fn ready(&self) -> Shipping<'_, ()> {
        Box::pin(async {
            let ready = self.connection.ready().await;
            ready.map_err(|error| Refused::Away(error.to_string()))
        })
    }

    fn insert<'a>(&'a self, shipment: Shipment<'a>) -> Shipping<'a, ()> {
        Box::pin(async move {
            self.ready().await?;
            let sent = send(&self.connection, shipment).await;
            sent.map_err(|error| self.refused(Trouble::of(&error), shipment.block))
        })
    }

    fn has<'a>(&'a self, shipment: Shipment<'a>) -> Shipping<'a, bool> {
        Box::pin(async move {
            self.ready().await?;
            let sql = format!(
                "SELECT count() >= {} FROM {} WHERE block = toUUID({})",
                shipment.rows,
                shipment.table.as_str(),
                literal(&shipment.block.to_string())
            );
            let are_there = within(async {
                self.connection.client().query_raw(&sql).fetch_bytes("TabSeparated")?.collect().await
            });
            are_there.await.map(|said| said.starts_with(b"1")).map_err(|trouble| {
                self.connection.heed(&trouble);
                Refused::Away(trouble.message)
            })
        })
    }
}

impl Ship {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, unknown: Mutex::default() }
    }

    /// Whose fault it is. A reason nobody knows is the server's until it has come often.
    fn refused(&self, trouble: Trouble, block: BlockId) -> Refused {
        self.connection.heed(&trouble);
        let rows_to_blame = match trouble.blame() {
            Blame::Server => false,
            Blame::Rows => true,
            Blame::Unknown => {
                let mut unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
                unknown.1 = if unknown.0 == Some(block) { unknown.1 + 1 } else { 1 };
                unknown.0 = Some(block);
                unknown.1 >= UNKNOWN
            }
        };
        if rows_to_blame { Refused::Rejected(trouble.message) } else { Refused::Away(trouble.message) }
    }
}

async fn send(connection: &Connection, shipment: Shipment<'_>) -> clickhouse::error::Result<()> {
    let Some(columns) = schema::columns(shipment.table, shipment.layout) else {
        let newer = "a newer weir wrote these rows: start that one to ship them";
        return Err(clickhouse::error::Error::Custom(newer.to_owned()));
    };
    let names: Vec<_> = columns.iter().map(|(name, _)| quoted(name)).collect();
    let sql = format!("INSERT INTO {} ({}) FORMAT RowBinary", shipment.table.as_str(), names.join(", "));
    // The rows are packed already, as the server reads them.
    let client = connection.client().clone().with_compression(Compression::None);
    let mut insert = client.insert_formatted_with(sql).with_timeouts(Some(SEND), Some(END));
    for (name, value) in SETTINGS {
        insert = insert.with_setting(*name, *value);
    }
    let token = shipment.block.to_string();
    let mut insert = insert.with_setting("insert_deduplication_token", token).with_setting("decompress", "1");
    for chunk in shipment.packed.chunks(CHUNK_BYTES) {
        insert.send(Bytes::copy_from_slice(chunk)).await?;
    }
    insert.end().await
}

#[cfg(test)]
mod tests;
