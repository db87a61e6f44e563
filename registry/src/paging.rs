//! Where a page of a list starts: cursors that hold the last key seen, opaque to the caller.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use vocab::{Limit, Page};

use crate::StoreError;

/// Which page of a list is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paging {
    /// How many items.
    pub limit: Limit,
    /// Where to go on; the start when absent.
    pub cursor: Option<String>,
}

impl Paging {
    /// The key the last page ended with.
    pub(crate) fn after(&self) -> Result<Option<String>, StoreError> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let key = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        key.filter(|key| !key.contains('\0')).map(Some).ok_or_else(bad_cursor)
    }

    /// The same, for lists ordered by a number.
    pub(crate) fn after_number(&self) -> Result<Option<i64>, StoreError> {
        self.after()?.map(|key| key.parse().map_err(|_| bad_cursor())).transpose()
    }

    /// How many rows to ask for: one more than the page holds tells whether there is another.
    pub(crate) fn rows(&self) -> i64 {
        i64::from(self.limit.get()) + 1
    }

    /// Cuts the extra row off and makes the cursor of the next page from the last one kept.
    pub(crate) fn page<T>(&self, mut data: Vec<T>, key: impl Fn(&T) -> String) -> Page<T> {
        let limit = self.limit.get() as usize;
        let more = data.len() > limit;
        data.truncate(limit);
        let last = data.last().filter(|_| more);
        let next_cursor = last.map(|last| URL_SAFE_NO_PAD.encode(key(last)));
        Page { data, next_cursor }
    }
}

fn bad_cursor() -> StoreError {
    StoreError::invalid("cursor", "this cursor is not one that a list returned: start without one")
}
