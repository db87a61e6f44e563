//! The seam between records and whatever keeps them: a trait of few verbs, and the values they take and give.
//!
//! `append` may block and is called from the recorder's own thread; everything that reads is async and never
//! waits for what is being written.

use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;
use vocab::id::Call;
use vocab::{Id, Limit, Time};

use crate::filter::{Field, Filter};
use crate::found::{FoundCall, FoundRow};
use crate::outbox::Outbox;
use crate::report::{Report, Table};
use crate::row::Row;
use crate::score::{Score, Target};
use crate::span::Span;
use crate::trace::{FoundTrace, SessionSummary, SummaryPage, TraceSummary};

/// What a reading verb gives back, in time.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, QueryError>> + Send + 'a>>;

/// One thing on its way into a store.
#[derive(Debug)]
pub enum Entry<'r> {
    /// A call.
    Call(Box<Row<'r>>),
    /// A span an application reported.
    Span(&'r Span),
    /// A judgement.
    Score(&'r Score),
}

impl<'r> From<&'r Span> for Entry<'r> {
    fn from(span: &'r Span) -> Self {
        Self::Span(span)
    }
}

impl<'r> From<&'r Score> for Entry<'r> {
    fn from(score: &'r Score) -> Self {
        Self::Score(score)
    }
}

/// What is on its way into a store, made one at a time as the store asks for it.
pub type Entries<'a, 'r> = &'a mut (dyn Iterator<Item = Entry<'r>> + 'a);

/// Keeps what it is given.
pub trait Sink: Send + Sync {
    /// Commits all entries or none, and says how many were new; what is kept already stays as it is. A store that
    /// cannot tell yet counts all. Blocks the thread it is called on.
    fn append(&self, entries: Entries<'_, '_>) -> Result<u64, Unavailable>;

    /// Returns what an operator should know about the store right now.
    fn condition(&self) -> Condition;

    /// Whether there is room for everything about more calls; false asks for calls to be refused.
    fn has_room(&self) -> bool {
        true
    }

    /// Brings everything to rest on disk; nothing is appended afterwards. Blocks the thread it is called on.
    fn close(&self);
}

/// Keeps calls, spans and scores, and finds them again.
pub trait Store: Sink {
    /// Returns once everything appended before can be found. A store that is away makes it wait: put a limit on it.
    fn settle(&self) -> Answer<'_, ()>;

    /// Returns one call with its bodies and attempts, of whatever project.
    fn get(&self, id: Id<Call>) -> Answer<'_, Option<FoundCall>>;

    /// Returns the newest calls that match, one page at a time.
    fn find(&self, search: Search) -> Answer<'_, FoundPage>;

    /// Like `find`, with bodies and attempts; it takes the time it needs, so that an export is complete. A page ends
    /// early where its bodies are large: only without a next cursor there is nothing more.
    fn export(&self, search: Search) -> Answer<'_, FoundPage<FoundCall>>;

    /// Returns the place just behind a call: a search goes on with what stands after it in this store's order.
    fn behind(&self, started: Time, id: Id<Call>) -> Cursor;

    /// Counts the calls that match; limit and cursor do not matter.
    fn count(&self, search: Search) -> Answer<'_, Count>;

    /// Returns the values a field has in the calls that match, most frequent first, as many as the search's limit.
    /// Case makes no difference to how they start; of `model`, names requested and served both count, once a call.
    fn values(&self, search: Search, field: Field, starts_with: String) -> Answer<'_, Vec<ValueCount>>;

    /// Returns the numbers a report asks for.
    fn report(&self, report: Report) -> Answer<'_, Table>;

    /// Returns what is known of one trace of a project.
    fn trace(&self, project: Arc<str>, trace_id: [u8; 16]) -> Answer<'_, FoundTrace>;

    /// Returns the traces of the newest matching calls, each summed up as a whole; with an empty filter also traces
    /// that have spans only in the searched time. A trace stands where its newest matching call does.
    fn traces(&self, search: Search) -> Answer<'_, SummaryPage<TraceSummary>>;

    /// Returns the sessions of the newest matching calls, each summed up over all its calls in the searched time.
    fn sessions(&self, search: Search) -> Answer<'_, SummaryPage<SessionSummary>>;

    /// Returns scores, newest first.
    fn scores(&self, search: ScoreSearch) -> Answer<'_, ScorePage>;

    /// Returns the outbox rows wait in; `None` where they go straight in.
    fn outbox(&self) -> Option<&Outbox> {
        None
    }

    /// Keeps what price ids stand for beside the calls, for who reads the store itself. What it has of them stays as it
    /// is. A store that nobody else reads keeps none.
    fn keep_prices(&self, prices: Vec<PriceRow>) -> Answer<'_, ()> {
        drop(prices);
        Box::pin(async { Ok(()) })
    }

    /// Deletes what is doomed and says how many calls that were.
    fn purge(&self, doomed: Doomed) -> Answer<'_, u64>;

    /// Gives room that deletions left back to the disk, and says how many bytes that was.
    fn compact(&self) -> Answer<'_, u64>;
}

/// What a price id in records stands for.
#[derive(Clone, Debug)]
pub struct PriceRow {
    /// The id.
    pub id: String,
    /// Who sells.
    pub provider: String,
    /// The model's name in the catalogue.
    pub model: String,
    /// The price: JSON.
    pub price: String,
}

/// What to delete: what meets every condition that is set. With none set, nothing.
#[derive(Clone, Debug, Default)]
pub struct Doomed {
    /// Only of this project.
    pub project: Option<Arc<str>>,
    /// Only of projects other than these.
    pub except: Vec<Arc<str>>,
    /// Only what started before.
    pub before: Option<Time>,
    /// Only what this end user did: their calls and spans, spans of the same traces that name nobody, and scores they
    /// gave or that judge those calls. The name is compared exactly.
    pub user: Option<String>,
}

/// How many calls match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Count {
    /// How many were seen.
    pub calls: u64,
    /// Whether that is all of them; false when time ran out first.
    pub complete: bool,
}

/// A value of a field, and how many calls have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ValueCount {
    /// The value.
    pub value: String,
    /// The calls seen that have it.
    pub calls: u64,
}

/// Which scores to find.
#[derive(Clone, Debug, Default)]
pub struct ScoreSearch {
    /// Only of this project; `None` searches all.
    pub project: Option<Arc<str>>,
    /// Only scores of this.
    pub target: Option<Target>,
    /// Only scores of this name.
    pub name: Option<String>,
    /// The earliest, itself included.
    pub from: Option<Time>,
    /// The latest, itself excluded.
    pub to: Option<Time>,
    /// How many to a page.
    pub limit: Limit,
    /// Where the page before this one ended.
    pub cursor: Option<Cursor>,
}

/// A page of scores, newest first.
#[derive(Clone, Debug)]
pub struct ScorePage {
    /// The scores.
    pub scores: Vec<Score>,
    /// Where the next page starts; `None` when there is nothing more.
    pub next_cursor: Option<Cursor>,
}

/// Which calls to find.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// Only calls of this project; `None` searches all.
    pub project: Option<Arc<str>>,
    /// What they must match.
    pub filter: Filter,
    /// The earliest start, itself included.
    pub from: Option<Time>,
    /// The latest start, itself excluded.
    pub to: Option<Time>,
    /// How many to a page.
    pub limit: Limit,
    /// Where the page before this one ended.
    pub cursor: Option<Cursor>,
}

/// A page of calls, newest start first.
#[derive(Debug, Serialize)]
pub struct FoundPage<Found = FoundRow> {
    /// The calls.
    #[serde(rename = "data")]
    pub rows: Vec<Found>,
    /// Where the next page starts; `None` when there is nothing more.
    pub next_cursor: Option<Cursor>,
    /// Whether the page is as full as the calls kept can make it; false when time ran out first, and then
    /// `next_cursor` carries on from where the search stopped.
    pub complete: bool,
    /// When not complete: every call that started after this was searched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub searched_to: Option<Time>,
}

/// A place in the list of calls, newest first: everything from here on started before it. Opaque text outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    pub(crate) started: i64,
    pub(crate) id: u128,
}

impl Cursor {
    /// The place just before everything that started before `time`.
    pub(crate) const fn before(time: Time) -> Self {
        Self { started: time.0, id: 0 }
    }

    /// The place where this very call would be the next one.
    pub(crate) const fn including(started: i64, id: u128) -> Self {
        match id.checked_add(1) {
            Some(id) => Self { started, id },
            None => Self { started: started.saturating_add(1), id: 0 },
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{:016x}{:032x}", self.started, self.id)
    }
}

impl FromStr for Cursor {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        let digits = text.strip_prefix('c').filter(|digits| digits.len() == 48 && digits.is_ascii());
        let (started, id) =
            digits.and_then(|digits| digits.split_at_checked(16)).ok_or(QueryError::Cursor)?;
        let started = u64::from_str_radix(started, 16).map_err(|_| QueryError::Cursor)?;
        let id = u128::from_str_radix(id, 16).map_err(|_| QueryError::Cursor)?;
        Ok(Self { started: started as i64, id })
    }
}

impl Serialize for Cursor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What an operator should know about a store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// A damaged file that was set aside since this process started; the calls in it are not searched.
    pub set_aside: Option<SetAside>,
    /// Bytes the store's files take on disk, the outbox included; not those of a store elsewhere.
    pub file_bytes: u64,
    /// What was given up since the start because the disk was full.
    pub shed: Shed,
    /// What waits to be shipped; `None` for a store that is written directly.
    pub outbox: Option<OutboxCondition>,
}

/// What waits in the outbox, and how shipping goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OutboxCondition {
    /// Rows that wait: calls, spans and scores.
    pub rows: u64,
    /// Bytes they take on disk.
    pub bytes: u64,
    /// When the oldest of them was committed.
    pub oldest: Option<Time>,
    /// Rows shipped since the start.
    pub shipped: u64,
    /// Rows the store refused for what is in them; kept aside with the reason.
    pub poisoned: u64,
    /// Why the last try to ship failed; `None` while shipping works.
    pub trouble: Option<String>,
}

/// What was given up for want of room, by class, in the order it is given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Shed {
    /// Calls kept without bodies.
    pub bodies: u64,
    /// Calls kept without previews, variables and metadata too.
    pub previews: u64,
    /// Successful calls not kept at all.
    pub successes: u64,
    /// Other calls, spans and scores not kept: nothing was left, not even the reserve.
    pub rows: u64,
}

impl Shed {
    pub(crate) const fn add(&mut self, more: &Self) {
        self.bodies += more.bodies;
        self.previews += more.previews;
        self.successes += more.successes;
        self.rows += more.rows;
    }
}

/// A damaged file that was put out of the way so that a fresh one could serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SetAside {
    /// What it was: `records file` or `outbox`.
    pub file: &'static str,
    /// Where it is now.
    pub moved_to: PathBuf,
    /// What was wrong with it.
    pub reason: String,
    /// What was whole in it and is in the fresh one; `None` when nothing is taken over.
    pub salvaged: Option<Salvaged>,
}

/// What was taken over from a damaged file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Salvaged {
    /// Rows that were whole.
    pub rows: u64,
    /// Batches of rows that are known to be lost; `None` when nobody can tell how many there were.
    pub lost_batches: Option<u64>,
}

impl fmt::Display for SetAside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, reason, moved_to) = (self.file, &self.reason, self.moved_to.display());
        write!(f, "the {file} was damaged ({reason}): it was moved to {moved_to} and a fresh one serves; ")?;
        let Some(salvaged) = self.salvaged else {
            return f.write_str("calls recorded before are only in the moved file");
        };
        write!(f, "{} rows that waited in it were saved, ", salvaged.rows)?;
        match salvaged.lost_batches {
            Some(batches) => write!(f, "at least {batches} batches of rows could not be read"),
            None => f.write_str("how many could not be read is not known"),
        }
    }
}

/// The store cannot take rows now; the same rows may be offered again.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(pub String);

/// Why a question to the store has no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum QueryError {
    /// The cursor is not one this store gave out.
    #[error("the cursor is not one that was given out here: start again without it")]
    Cursor,
    /// The store cannot answer now.
    #[error("the records cannot be read right now: {0}")]
    Unavailable(String),
    /// The question would take longer than it may.
    #[error("that takes too long over so many calls: narrow the time or the filter")]
    TooLong,
}
