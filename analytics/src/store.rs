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

use crate::filter::Filter;
use crate::found::{FoundCall, FoundRow};
use crate::row::Row;

/// What a reading verb gives back, in time.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, QueryError>> + Send + 'a>>;

/// Rows on their way into a store, made one at a time as the store asks for them.
pub type Rows<'a, 'r> = &'a mut (dyn Iterator<Item = Row<'r>> + 'a);

/// Keeps calls and finds them again.
pub trait Store: Send + Sync {
    /// Commits all rows or none, and says how many were new; a row whose id is kept already stays as it is.
    /// Blocks the thread it is called on.
    fn append(&self, rows: Rows<'_, '_>) -> Result<u64, Unavailable>;

    /// Returns one call with its bodies and attempts, of whatever project.
    fn get(&self, id: Id<Call>) -> Answer<'_, Option<FoundCall>>;

    /// Returns the newest calls that match, one page at a time.
    fn find(&self, search: Search) -> Answer<'_, FoundPage>;

    /// Deletes every call that started before `before` and says how many there were.
    fn purge(&self, before: Time) -> Answer<'_, u64>;

    /// Returns what an operator should know about the store right now.
    fn condition(&self) -> Condition;

    /// Brings everything to rest on disk; nothing is appended afterwards. Blocks the thread it is called on.
    fn close(&self);
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
pub struct FoundPage {
    /// The calls.
    #[serde(rename = "data")]
    pub rows: Vec<FoundRow>,
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
    /// Bytes the store's files take on disk.
    pub file_bytes: u64,
}

/// A damaged records file that was put out of the way so that a fresh one could serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SetAside {
    /// Where it is now.
    pub moved_to: PathBuf,
    /// What was wrong with it.
    pub reason: String,
}

impl fmt::Display for SetAside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the records file was damaged ({}): it was moved to {} and a fresh one serves; calls recorded before \
             are only in the moved file",
            self.reason,
            self.moved_to.display()
        )
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
}
