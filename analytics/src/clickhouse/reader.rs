//! Everything that is asked of the store, each question in a file of its own.

use std::sync::Arc;

use vocab::id::Call;
use vocab::{Clock, Id};

use super::ask::Asker;
use super::connection::Connection;
use super::{count, export, find, get, prices, purge, report, scores, sessions, trace, traces, values};
use crate::filter::Field;
use crate::found::FoundCall;
use crate::report::{Report, Table};
use crate::store::{
    Count, Doomed, FoundPage, PriceRow, QueryError, ScorePage, ScoreSearch, Search, ValueCount,
};
use crate::trace::{FoundTrace, SessionSummary, SummaryPage, TraceSummary};

/// The reading side of the store, and what deletes.
pub(crate) struct Reader(Asker);

impl Reader {
    pub(crate) const fn new(connection: Arc<Connection>, clock: Clock) -> Self {
        Self(Asker::new(connection, clock))
    }

    pub(crate) async fn get(&self, id: Id<Call>) -> Result<Option<FoundCall>, QueryError> {
        get::call(&self.0, id).await
    }

    pub(crate) async fn find(&self, search: Search) -> Result<FoundPage, QueryError> {
        find::find(&self.0, &search).await
    }

    pub(crate) async fn export(&self, search: Search) -> Result<FoundPage<FoundCall>, QueryError> {
        export::export(&self.0, &search).await
    }

    pub(crate) async fn count(&self, search: Search) -> Result<Count, QueryError> {
        count::count(&self.0, &search).await
    }

    pub(crate) async fn values(
        &self,
        search: Search,
        field: Field,
        starts_with: String,
    ) -> Result<Vec<ValueCount>, QueryError> {
        values::values(&self.0, &search, &field, &starts_with).await
    }

    pub(crate) async fn report(&self, report: Report) -> Result<Table, QueryError> {
        report::report(&self.0, &report).await
    }

    pub(crate) async fn trace(
        &self,
        project: Arc<str>,
        trace_id: [u8; 16],
    ) -> Result<FoundTrace, QueryError> {
        trace::trace(&self.0, &project, trace_id).await
    }

    pub(crate) async fn traces(&self, search: Search) -> Result<SummaryPage<TraceSummary>, QueryError> {
        traces::traces(&self.0, &search).await
    }

    pub(crate) async fn sessions(&self, search: Search) -> Result<SummaryPage<SessionSummary>, QueryError> {
        sessions::sessions(&self.0, &search).await
    }

    pub(crate) async fn scores(&self, search: ScoreSearch) -> Result<ScorePage, QueryError> {
        scores::scores(&self.0, &search).await
    }

    pub(crate) async fn keep_prices(&self, prices: Vec<PriceRow>) -> Result<(), QueryError> {
        prices::keep(&self.0, &prices).await
    }

    /// Deletes what is doomed, of what has been shipped.
    pub(crate) async fn purge(&self, doomed: Doomed) -> Result<u64, QueryError> {
        purge::purge(&self.0, &doomed).await
    }

    pub(crate) async fn compact(&self) -> Result<u64, QueryError> {
        purge::compact(&self.0).await
    }
}
