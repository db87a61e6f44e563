//! The tables of a records file, and the settings every connection to it has.
//!
//! `call` holds the narrow columns, packed ([`super::columns`]); its key is the order of arrival, because a key
//! in any other order dirties scattered pages. `body` holds what only a call's own page needs. `block` and
//! `gram` say per 128 calls or so when they started and what may be found in them, `tie` which traces, sessions and
//! projects they belong to. `hour` and `day` are roll-ups of the blocks that are marked as rolled. Spans and scores
//! are few beside calls and have indexes. The views `calls` and `attempts` are for people who open the file with
//! SQLite itself; Weir does not read them.
//!
//! Version 1 had the first five tables. A file of that version gets the others when it is opened, empty; the
//! roller fills them block by block as it does for new calls.

use std::fmt::Write;

use rusqlite::{Connection, params};

use super::bodies;
use super::columns::{LISTS, NAMES};
use crate::file::Format;

/// The format this build writes, kept in `user_version`.
const VERSION: i64 = 2;
/// What makes a file a records file.
pub(super) const FORMAT: Format =
    Format { noun: "records file", table: "call", version: VERSION, create, upgrade, write_ahead };
/// Marks a file as Weir's records: `weir` in ASCII.
const APPLICATION: i64 = 0x7765_6972;
/// Bytes to a page.
pub(super) const PAGE_BYTES: i64 = 8192;

/// What version 1 began with.
const TABLES: &str = "
    CREATE TABLE call (
        seq INTEGER PRIMARY KEY,
        id BLOB NOT NULL UNIQUE,
        fields TEXT NOT NULL,
        metadata TEXT,
        variables TEXT
    ) STRICT;
    CREATE TABLE body (
        seq INTEGER PRIMARY KEY,
        request_preview TEXT,
        response_preview TEXT,
        usage_raw TEXT,
        attempts TEXT,
        dictionary INTEGER,
        packed BLOB
    ) STRICT;
    CREATE TABLE block (
        first INTEGER PRIMARY KEY,
        last INTEGER NOT NULL,
        started_min INTEGER NOT NULL,
        started_max INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX block_newest ON block (started_max, started_min, first, last);
    CREATE TABLE gram (first INTEGER PRIMARY KEY, filter BLOB NOT NULL) STRICT;
    CREATE TABLE dictionary (number INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
";

/// What version 2 added. `rolled` says of a block that it is in `tie`, `hour` and `day`. In the roll-ups a field
/// that calls lack is an empty text; `sums` is packed numbers, the last two are sketches.
const TABLES_OF_2: &str = "
    ALTER TABLE block ADD COLUMN rolled INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX block_unrolled ON block (first) WHERE rolled = 0;
    CREATE TABLE tie (first INTEGER PRIMARY KEY, ties BLOB NOT NULL, projects BLOB NOT NULL) STRICT;
    CREATE TABLE hour (
        hour INTEGER NOT NULL,
        project TEXT NOT NULL,
        provider TEXT NOT NULL,
        model TEXT NOT NULL,
        sums BLOB NOT NULL,
        latency BLOB NOT NULL,
        ttft BLOB NOT NULL,
        PRIMARY KEY (hour, project, provider, model)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE day (
        day INTEGER NOT NULL,
        project TEXT NOT NULL,
        prompt TEXT NOT NULL,
        prompt_id TEXT NOT NULL,
        prompt_version TEXT NOT NULL,
        prompt_label TEXT NOT NULL,
        sums BLOB NOT NULL,
        latency BLOB NOT NULL,
        ttft BLOB NOT NULL,
        PRIMARY KEY (day, project, prompt, prompt_id, prompt_version, prompt_label)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE span (
        seq INTEGER PRIMARY KEY,
        trace_id BLOB NOT NULL,
        span_id BLOB NOT NULL,
        project TEXT NOT NULL,
        started INTEGER NOT NULL,
        user TEXT,
        fields TEXT NOT NULL,
        dictionary INTEGER,
        packed BLOB,
        UNIQUE (trace_id, span_id, project)
    ) STRICT;
    CREATE INDEX span_newest ON span (started, span_id);
    CREATE TABLE score (
        seq INTEGER PRIMARY KEY,
        id BLOB NOT NULL UNIQUE,
        project TEXT NOT NULL,
        at INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        target BLOB NOT NULL,
        name TEXT NOT NULL,
        value REAL NOT NULL,
        comment TEXT,
        source TEXT NOT NULL,
        author TEXT
    ) STRICT;
    CREATE INDEX score_newest ON score (at, id, project, name);
    CREATE INDEX score_of_target ON score (target, kind, at, id);
    CREATE INDEX score_of_name ON score (name, seq, project, kind, target, value);
";

/// The parts of an attempt, in the order they are packed in.
pub(super) const ATTEMPT: [&str; 13] = [
    "provider",
    "model",
    "status",
    "failure_class",
    "error",
    "started_at",
    "duration_us",
    "ttft_us",
    "upstream_request_id",
    "cost_nanousd",
    "won",
    "reason",
    "waited_us",
];

/// An id with its dashes.
const ID: &str = "lower(substr(hex(c.id), 1, 8) || '-' || substr(hex(c.id), 9, 4) || '-' || \
                  substr(hex(c.id), 13, 4) || '-' || substr(hex(c.id), 17, 4) || '-' || substr(hex(c.id), 21))";

/// Makes the tables of a new file. The page size is set before the first table, or not at all.
pub(super) fn create(db: &mut Connection) -> rusqlite::Result<()> {
    db.pragma_update(None, "page_size", PAGE_BYTES)?;
    // So that room can be given back to the disk a few pages at a time.
    db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    write_ahead(db)?;
    let tx = db.transaction()?;
    tx.execute_batch(TABLES)?;
    tx.execute_batch(TABLES_OF_2)?;
    tx.execute_batch(&views())?;
    tx.execute(
        "INSERT INTO dictionary (number, bytes) VALUES (?1, ?2)",
        params![bodies::DICTIONARY, bodies::DICTIONARY_BYTES],
    )?;
    tx.pragma_update(None, "application_id", APPLICATION)?;
    tx.pragma_update(None, "user_version", VERSION)?;
    tx.commit()
}

/// Brings a file of an older version to this one; all of it or nothing.
pub(super) fn upgrade(db: &mut Connection, from: i64) -> rusqlite::Result<()> {
    if from >= VERSION {
        return Ok(());
    }
    let tx = db.transaction()?;
    tx.execute_batch(TABLES_OF_2)?;
    tx.pragma_update(None, "user_version", VERSION)?;
    tx.commit()?;
    tracing::info!(from, to = VERSION, "the records file was upgraded; its roll-ups are made as it is used");
    Ok(())
}

fn views() -> String {
    let column = |sql: &mut String, n: usize, name: &str| {
        let read = if LISTS.iter().any(|list| *list as usize == n) { "->" } else { "->>" };
        // Writing to a string cannot fail.
        write!(sql, ", c.fields {read} '$[{n}]' AS \"{name}\"").unwrap_or_default();
    };
    let mut calls = format!("CREATE VIEW calls AS SELECT c.seq, {ID} AS id");
    NAMES.iter().enumerate().for_each(|(n, name)| column(&mut calls, n, name));
    calls.push_str(
        ", c.metadata, c.variables, b.usage_raw, b.request_preview, b.response_preview
           FROM call AS c LEFT JOIN body AS b ON b.seq = c.seq;",
    );
    let mut attempts = format!("CREATE VIEW attempts AS SELECT {ID} AS id, a.key + 1 AS n");
    for (n, name) in ATTEMPT.iter().enumerate() {
        write!(attempts, ", a.value ->> '$[{n}]' AS \"{name}\"").unwrap_or_default();
    }
    attempts.push_str(" FROM call AS c JOIN body AS b ON b.seq = c.seq, json_each(b.attempts) AS a;");
    calls + &attempts
}

/// Sets up the one connection that writes, or the one that brings the log home.
pub(super) fn write_ahead(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(std::time::Duration::from_secs(10))?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "NORMAL")?;
    db.pragma_update(None, "wal_autocheckpoint", 0)?;
    db.pragma_update(None, "cache_size", -8_192)?;
    db.set_prepared_statement_cache_capacity(32);
    Ok(())
}
