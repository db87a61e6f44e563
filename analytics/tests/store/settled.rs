//! A store that is asked only once it has settled, so that cases need not know which stores take their time.

use std::sync::Arc;

use analytics::filter::Field;
use analytics::report::{Report, Table};
use analytics::store::{Answer, Entries, ScorePage};
use analytics::trace::{FoundTrace, SessionSummary, SummaryPage, TraceSummary};
use analytics::{
    Condition, Count, Cursor, Doomed, FoundCall, FoundPage, PriceRow, ScoreSearch, Search, Sink, Store,
    Unavailable, ValueCount,
};
use vocab::id::Call;
use vocab::{Id, Time};

pub(crate) struct Settled<S>(pub(crate) S);

impl<S: Store> Settled<S> {
    fn ask<'a, T: 'a>(&'a self, answer: Answer<'a, T>) -> Answer<'a, T> {
        Box::pin(async move {
            self.0.settle().await?;
            answer.await
        })
    }
}

impl<S: Store> Sink for Settled<S> {
    fn append(&self, entries: Entries<'_, '_>) -> Result<u64, Unavailable> {
        self.0.append(entries)
    }

    fn condition(&self) -> Condition {
        self.0.condition()
    }

    fn close(&self) {
        self.0.close();
    }
}

impl<S: Store> Store for Settled<S> {
    fn settle(&self) -> Answer<'_, ()> {
        self.0.settle()
    }

    fn get(&self, id: Id<Call>) -> Answer<'_, Option<FoundCall>> {
        self.ask(self.0.get(id))
    }

    fn find(&self, search: Search) -> Answer<'_, FoundPage> {
        self.ask(self.0.find(search))
    }

    fn export(&self, search: Search) -> Answer<'_, FoundPage<FoundCall>> {
        self.ask(self.0.export(search))
    }

    fn behind(&self, started: Time, id: Id<Call>) -> Cursor {
        self.0.behind(started, id)
    }

    fn count(&self, search: Search) -> Answer<'_, Count> {
        self.ask(self.0.count(search))
    }

    fn values(&self, search: Search, field: Field, starts_with: String) -> Answer<'_, Vec<ValueCount>> {
        self.ask(self.0.values(search, field, starts_with))
    }

    fn report(&self, report: Report) -> Answer<'_, Table> {
        self.ask(self.0.report(report))
    }

    fn trace(&self, project: Arc<str>, trace_id: [u8; 16]) -> Answer<'_, FoundTrace> {
        self.ask(self.0.trace(project, trace_id))
    }

    fn traces(&self, search: Search) -> Answer<'_, SummaryPage<TraceSummary>> {
        self.ask(self.0.traces(search))
    }

    fn sessions(&self, search: Search) -> Answer<'_, SummaryPage<SessionSummary>> {
        self.ask(self.0.sessions(search))
    }

    fn scores(&self, search: ScoreSearch) -> Answer<'_, ScorePage> {
        self.ask(self.0.scores(search))
    }

    fn keep_prices(&self, prices: Vec<PriceRow>) -> Answer<'_, ()> {
        self.0.keep_prices(prices)
    }

    fn purge(&self, doomed: Doomed) -> Answer<'_, u64> {
        self.ask(self.0.purge(doomed))
    }

    fn compact(&self) -> Answer<'_, u64> {
        self.ask(self.0.compact())
    }
}
