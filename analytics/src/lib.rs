//! What calls did: records of every call, kept, searched and looked up.
//!
//! A [`Record`] is filed with the [`Recorder`], which never keeps a call waiting. Its writer thread makes a
//! [`Row`] of each and commits them in batches to a [`Store`]; people ask the store through a [`Search`] whose
//! filter [`query::parse`] reads from text. There are two stores: [`sqlite::SqliteStore`], a file of its own, and
//! [`clickhouse::ClickHouseStore`], a server of many, which records reach by way of an [`Outbox`].

pub mod clickhouse;
mod file;
pub mod filter;
mod folding;
pub mod found;
pub mod moment;
pub mod otlp;
pub mod outbox;
pub mod policy;
pub mod query;
pub mod record;
pub mod recorder;
pub mod redact;
pub mod report;
mod room;
pub mod row;
pub mod score;
pub mod shipper;
pub mod span;
pub mod sqlite;
pub mod store;
pub mod trace;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use vocab::Clock;

pub use clickhouse::ClickHouseStore;
pub use filter::Filter;
pub use found::{FoundAttempt, FoundCall, FoundRow};
pub use outbox::{Outbox, OutboxSettings};
pub use policy::{BodyPolicy, Policies, Policy, Sample};
pub use record::Record;
pub use recorder::{Closed, Counts, Listener, NotCommitted, Recorder};
pub use redact::{Known, Redaction, Rule};
pub use row::Row;
pub use score::Score;
pub use span::Span;
pub use store::{
    Condition, Count, Cursor, Doomed, Entry, FoundPage, OutboxCondition, PriceRow, QueryError, Salvaged,
    ScoreSearch, Search, SetAside, Shed, Sink, Store, Unavailable, ValueCount,
};

/// Records in and out: one recorder, one store.
pub struct Analytics {
    /// Takes records in.
    pub recorder: Recorder,
    /// Finds them again.
    pub store: Arc<dyn Store>,
}

/// How records are kept.
#[derive(Clone)]
pub struct Settings {
    /// Where: `sqlite:PATH`, or `http(s)://user:password@host:8123/database` of a ClickHouse server.
    pub url: String,
    /// The cluster whose nodes share the tables; for ClickHouse.
    pub cluster: Option<Arc<str>>,
    /// The most the recorder's queue may hold, in bytes.
    pub queue_bytes: usize,
    /// What is kept of each project's calls.
    pub policies: Policies,
    /// Sees every call as it is stored; for sending it on.
    pub listener: Option<Arc<dyn Listener>>,
    /// This node's name, written on every row.
    pub node: Arc<str>,
    /// Where time comes from.
    pub clock: Clock,
    /// Where records wait for a store that is elsewhere, how safely they are committed, and what is kept free for them.
    pub outbox: OutboxSettings,
}

impl Analytics {
    /// Opens the store and starts the recorder's thread. A damaged file is set aside and a fresh one serves:
    /// [`Store::condition`] says so.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "settings are made for this call and of no use after it"
    )]
    pub fn open(settings: Settings) -> Result<Self, OpenError> {
        if settings.url.starts_with("http://") || settings.url.starts_with("https://") {
            let store: Arc<dyn Store> = Arc::new(ClickHouseStore::open(&settings)?);
            return Self::record_into(store, &settings, &settings.outbox.path);
        }
        let path = settings.url.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path));
        let Some(path) = path.filter(|path| !path.is_empty()).map(PathBuf::from) else {
            let scheme = settings.url.split(':').next().unwrap_or_default().to_owned();
            return Err(OpenError::NotSupported { scheme });
        };
        let store = sqlite::SqliteStore::open(&path, settings.clock.clone())?;
        if settings.outbox.sync_full {
            store.sync_fully();
        }
        store.keep_reserve(settings.outbox.reserve_bytes);
        Self::record_into(Arc::new(store), &settings, &path)
    }

    fn record_into(store: Arc<dyn Store>, settings: &Settings, path: &Path) -> Result<Self, OpenError> {
        let sink = Arc::clone(&store) as Arc<dyn Sink>;
        let recorder = Recorder::start(sink, settings)
            .map_err(|error| OpenError::Unavailable { path: path.to_owned(), reason: error.to_string() })?;
        Ok(Self { recorder, store })
    }

    /// Writes everything filed so far and closes the store; gives up when that takes longer than `grace`.
    pub async fn close(self, grace: Duration) -> Closed {
        self.recorder.close(grace).await
    }
}

/// Why records cannot be kept at the place the settings name.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A kind of store that is not built.
    #[error(
        "records cannot be kept at a `{scheme}:` address like this one: set the analytics url to `sqlite:PATH`, or to \
         the `http(s)://user:password@host:8123/database` of a ClickHouse server"
    )]
    NotSupported {
        /// What the address began with; the rest may hold a password.
        scheme: String,
    },
    /// An address of a ClickHouse server that is none.
    #[error("the analytics url names no ClickHouse server: {reason}")]
    Address {
        /// What is wrong with it; the rest may hold a password.
        reason: &'static str,
    },
    /// Written by a newer Weir.
    #[error(
        "{} was written by a newer weir (format {found}, this one knows {known}): start the newer weir, or name another file",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format this build knows.
        known: i64,
    },
    /// Some other program's database.
    #[error("{} is a SQLite file but does not hold weir's records: name another file", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Another process writes it.
    #[error("{} is being written by another weir: stop that one, or name another file", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// Everything else the machine can refuse.
    #[error("records cannot be kept in {}: {reason}", path.display())]
    Unavailable {
        /// The file.
        path: PathBuf,
        /// What the machine said.
        reason: String,
    },
}
