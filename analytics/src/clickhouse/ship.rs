//! Blocks of rows into their tables, each exactly once.
//!
//! A block's id is the insert's deduplication token, which the engine remembers for the last thousand blocks of a
//! table, roll-ups included; after that the column `block` tells whether it is there.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::connection::{Connection, within};
use super::schema::{Columns, literal, quoted};
use super::trouble::{Blame, Trouble};

/// Bytes compressed and sent at a time.
const CHUNK_BYTES: usize = 1024 * 1024;
/// How long the connection may take no more of a block.
const SEND: Duration = Duration::from_secs(30);
/// How long the server may take to put a block away, views included.
const END: Duration = Duration::from_secs(120);
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
#[derive(Default)]
pub(super) struct Ship {
    /// The block that was refused last for a reason unknown, and how often.
    unknown: Mutex<([u8; 16], u32)>,
}

impl Ship {
    /// Inserts a block of rows that have these columns. An error blames the rows only when they are at fault.
    pub(super) async fn insert(
        &self,
        connection: &Connection,
        table: (&str, Columns),
        block: [u8; 16],
        rows: &[u8],
    ) -> Result<(), (Blame, String)> {
        connection.ready().await.map_err(|error| (Blame::Server, error.to_string()))?;
        send(connection, table, block, rows).await.map_err(|error| {
            let trouble = Trouble::of(&error);
            (self.blame(&trouble, block), trouble.message)
        })
    }

    /// Whose fault it is. A reason nobody knows is the server's until it has come often.
    fn blame(&self, trouble: &Trouble, block: [u8; 16]) -> Blame {
        let blame = trouble.blame();
        if blame != Blame::Unknown {
            return blame;
        }
        let mut unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        if unknown.0 != block {
            *unknown = (block, 0);
        }
        unknown.1 += 1;
        if unknown.1 >= UNKNOWN { Blame::Rows } else { Blame::Server }
    }
}

async fn send(
    connection: &Connection,
    (table, columns): (&str, Columns),
    block: [u8; 16],
    rows: &[u8],
) -> clickhouse::error::Result<()> {
    let names: Vec<_> = columns.iter().map(|(name, _)| quoted(name)).collect();
    let sql = format!("INSERT INTO {table} ({}) FORMAT RowBinary", names.join(", "));
    let mut insert = connection.client().insert_formatted_with(sql).with_timeouts(Some(SEND), Some(END));
    for (name, value) in SETTINGS {
        insert = insert.with_setting(*name, *value);
    }
    let mut insert = insert.with_setting("insert_deduplication_token", token(block));
    for chunk in rows.chunks(CHUNK_BYTES) {
        insert.send(Bytes::copy_from_slice(chunk)).await?;
    }
    insert.end().await
}

/// Whether a block is in its table.
pub(super) async fn has(connection: &Connection, table: &str, block: [u8; 16]) -> Result<bool, String> {
    connection.ready().await.map_err(|error| error.to_string())?;
    let sql = format!("SELECT block FROM {table} WHERE block = toUUID({}) LIMIT 1", literal(&token(block)));
    let found = async { connection.client().query_raw(&sql).fetch_bytes("TabSeparated")?.collect().await };
    within(found).await.map(|rows| !rows.is_empty()).map_err(|trouble| trouble.message)
}

/// A block's id as the token and the column have it.
fn token(block: [u8; 16]) -> String {
    vocab::Id::<()>::from_bytes(block).to_string()
}
