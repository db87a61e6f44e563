//! Pages of a list: how many, from where, and what comes next.

use serde::{Deserialize, Serialize};

/// How many items a page holds: 1 to 1,000, 50 when nobody says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Limit(u32);

impl Limit {
    /// The most one page may hold.
    pub const MAX: u32 = 1_000;

    /// `items`, or `None` when it is 0 or over [`Limit::MAX`].
    pub const fn new(items: u32) -> Option<Self> {
        if items == 0 || items > Self::MAX { None } else { Some(Self(items)) }
    }

    /// The number of items.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

/// One page of a list and the cursor of the next one, `None` at the end. Cursors are opaque text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items, in the list's order.
    pub data: Vec<T>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// The same page with each item turned into something else.
    pub fn map<U>(self, turn: impl FnMut(T) -> U) -> Page<U> {
        Page { data: self.data.into_iter().map(turn).collect(), next_cursor: self.next_cursor }
    }
}
