//! The store for many nodes: ClickHouse, on one server or a cluster of them.
//!
//! Rows wait in the outbox, already encoded, and are shipped from there; nothing here waits for the server on
//! the way in. Migrations run at the start, or when the server is first reached.

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
mod place;
mod prices;
mod purge;
mod reader;
mod report;
mod rowbinary;
mod rows;
mod schema;
mod scope;
mod scores;
#[cfg(test)]
mod scratch;
mod sessions;
mod ship;
mod sql;
mod trace;
mod traces;
mod trouble;
mod unpack;
mod values;
mod walk;
mod words;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use vocab::id::Call;
use vocab::{Id, Time};

pub use migrate::{MigrateError, Migrated};

use address::Address;
use connection::Connection;
use encode::Encoder;
use reader::Reader;
use ship::Ship;

use crate::filter::Field;
use crate::found::FoundCall;
use crate::outbox::{Batch, Outbox, PoisonedRow};
use crate::report::{Report, Table};
use crate::shipper::Shipper;
use crate::store::{
    Answer, Condition, Count, Cursor, Doomed, Entries, FoundPage, PriceRow, QueryError, ScorePage,
    ScoreSearch, Search, Sink, Store, Unavailable, ValueCount,
};
use crate::trace::{FoundTrace, SessionSummary, SummaryPage, TraceSummary};
use crate::{OpenError, Policies, Settings};

/// How long a purge waits for the outbox to be shipped.
const SETTLING: Duration = Duration::from_mins(1);
const NOT_SHIPPED: &str = "records that wait in the outbox could not be shipped in time: nothing was deleted, see \
                           `weir outbox status`";

/// Records in ClickHouse, by way of an outbox on this node.
pub struct ClickHouseStore {
    outbox: Outbox,
    shipper: Mutex<Shipper>,
    encoder: Mutex<Encoder>,
    policies: Policies,
    reader: Reader,
}

impl ClickHouseStore {
    /// Opens the outbox and begins to ship what is in it. The server need not be there.
    pub fn open(settings: &Settings) -> Result<Self, OpenError> {
        let address = Address::read(&settings.url).map_err(|reason| OpenError::Address { reason })?;
        let connect = || Connection::new(&address, settings.cluster.as_deref());
        let (outbox, _) = Outbox::open(&settings.outbox, &settings.clock)?;
        let shipper =
            Shipper::start(&outbox, Arc::new(Ship::new(connect())), &settings.clock).map_err(|error| {
                OpenError::Unavailable { path: settings.outbox.path.clone(), reason: error.to_string() }
            })?;
        Ok(Self {
            outbox,
            shipper: Mutex::new(shipper),
            encoder: Mutex::default(),
            policies: settings.policies.clone(),
            reader: Reader::new(Arc::new(connect()), settings.clock.clone()),
        })
    }
}

impl Sink for ClickHouseStore {
    fn append(&self, entries: Entries<'_, '_>) -> Result<u64, Unavailable> {
        let keep = self.outbox.keep();
        let mut batch = Batch::new(schema::LAYOUT);
        let mut encoder = self.encoder.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entered = 0;
        for entry in entries {
            encoder.enter(entry, keep, &self.policies, &mut batch);
            entered += 1;
        }
        self.outbox.commit(batch)?;
        Ok(entered)
    }

    fn condition(&self) -> Condition {
        Condition {
            set_aside: self.outbox.set_aside(),
            file_bytes: self.outbox.file_bytes(),
            shed: self.outbox.shed(),
            outbox: Some(self.outbox.condition()),
        }
    }

    fn has_room(&self) -> bool {
        self.outbox.has_room()
    }

    fn close(&self) {
        self.shipper.lock().unwrap_or_else(PoisonError::into_inner).close();
    }
}

impl Store for ClickHouseStore {
    fn outbox(&self) -> Option<&Outbox> {
        Some(&self.outbox)
    }

    fn settle(&self) -> Answer<'_, ()> {
        Box::pin(async {
            self.outbox.settled().await;
            Ok(())
        })
    }

    fn get(&self, id: Id<Call>) -> Answer<'_, Option<FoundCall>> {
        Box::pin(self.reader.get(id))
    }

    fn find(&self, search: Search) -> Answer<'_, FoundPage> {
        Box::pin(self.reader.find(search))
    }

    fn export(&self, search: Search) -> Answer<'_, FoundPage<FoundCall>> {
        Box::pin(self.reader.export(search))
    }

    fn behind(&self, started: Time, id: Id<Call>) -> Cursor {
        place::place(started.0, u128::from_be_bytes(id.bytes()))
    }

    fn count(&self, search: Search) -> Answer<'_, Count> {
        Box::pin(self.reader.count(search))
    }

    fn values(&self, search: Search, field: Field, starts_with: String) -> Answer<'_, Vec<ValueCount>> {
        Box::pin(self.reader.values(search, field, starts_with))
    }

    fn report(&self, report: Report) -> Answer<'_, Table> {
        Box::pin(self.reader.report(report))
    }

    fn trace(&self, project: Arc<str>, trace_id: [u8; 16]) -> Answer<'_, FoundTrace> {
        Box::pin(self.reader.trace(project, trace_id))
    }

    fn traces(&self, search: Search) -> Answer<'_, SummaryPage<TraceSummary>> {
        Box::pin(self.reader.traces(search))
    }

    fn sessions(&self, search: Search) -> Answer<'_, SummaryPage<SessionSummary>> {
        Box::pin(self.reader.sessions(search))
    }

    fn scores(&self, search: ScoreSearch) -> Answer<'_, ScorePage> {
        Box::pin(self.reader.scores(search))
    }

    fn keep_prices(&self, prices: Vec<PriceRow>) -> Answer<'_, ()> {
        Box::pin(self.reader.keep_prices(prices))
    }

    fn purge(&self, doomed: Doomed) -> Answer<'_, u64> {
        Box::pin(async {
            // What still waits in the outbox would come back.
            let settled = tokio::time::timeout(SETTLING, self.settle());
            settled.await.map_err(|_| QueryError::Unavailable(NOT_SHIPPED.to_owned()))??;
            self.reader.purge(doomed).await
        })
    }

    fn compact(&self) -> Answer<'_, u64> {
        Box::pin(self.reader.compact())
    }
}

/// What a poisoned row says, column by column, long texts cut; `None` for a row that a newer weir wrote.
pub fn readable(row: &PoisonedRow) -> Option<serde_json::Value> {
    schema::columns(row.table, row.layout).map(|columns| unpack::unpack(columns, &row.row).into())
}

/// The migrations the database at `url` has yet to get, by name.
pub async fn pending(url: &str, cluster: Option<&str>) -> Result<Vec<String>, MigrateError> {
    let address = Address::read(url).map_err(MigrateError::Address)?;
    migrate::pending(&Connection::new(&address, cluster)).await
}

/// Brings the database at `url` up to what this build knows, on all servers of `cluster` if one is named.
pub async fn migrate(url: &str, cluster: Option<&str>) -> Result<Migrated, MigrateError> {
    let address = Address::read(url).map_err(MigrateError::Address)?;
    migrate::bring_up(&Connection::new(&address, cluster)).await
}
