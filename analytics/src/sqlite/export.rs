//! Matching calls in full, page by page, however long it takes.
//!
//! Each look at the file is as short as a search's, so that the log is never held up; a page goes on until it is
//! full, by calls or by bytes, or until there is nothing more.

use std::time::Duration;

use vocab::{Clock, Limit};

use super::find;
use super::readers::Reader;
use super::reading;
use crate::found::{FoundCall, Json};
use crate::store::{Cursor, FoundPage, Search};

/// A page that holds so many bytes of bodies ends, so that memory is bounded.
const PAGE_BYTES: usize = 16 * 1024 * 1024;
/// A page that took so long ends; the next one goes on from there.
const PAGE_TIME: Duration = Duration::from_secs(10);
/// Calls looked for at a time.
const STEP: u32 = 100;

/// Answers an export.
pub(super) fn export(
    reader: &mut Reader,
    search: &Search,
    clock: &Clock,
) -> rusqlite::Result<FoundPage<FoundCall>> {
    let deadline = clock.monotonic() + PAGE_TIME;
    let mut page = FoundPage { rows: Vec::new(), next_cursor: None, complete: true, searched_to: None };
    let (mut search, limit, mut bytes) = (search.clone(), search.limit.get() as usize, 0);
    loop {
        let missing = (limit - page.rows.len()) as u32;
        search.limit = Limit::new(missing.min(STEP)).unwrap_or_default();
        let found = find::find(reader, &search, clock)?;
        for row in &found.rows {
            // Deleted in between: as if it had been deleted before.
            let Some(call) = reading::call(reader, row.id)? else { continue };
            bytes += weight(&call);
            let place = Cursor { started: row.started_at.micros(), id: u128::from_be_bytes(row.id.bytes()) };
            page.rows.push(call);
            if bytes >= PAGE_BYTES {
                page.next_cursor = Some(place);
                return Ok(page);
            }
        }
        search.cursor = found.next_cursor;
        if found.searched_to.is_some() && clock.monotonic() >= deadline {
            return Ok(FoundPage {
                complete: false,
                next_cursor: found.next_cursor,
                searched_to: found.searched_to,
                ..page
            });
        }
        if found.next_cursor.is_none() || page.rows.len() >= limit {
            page.next_cursor = found.next_cursor;
            return Ok(page);
        }
    }
}

/// Bytes of a call's bodies.
pub(super) fn weight(call: &FoundCall) -> usize {
    let bodies = [&call.request_body, &call.response_body, &call.upstream_request_body];
    bodies.into_iter().flatten().map(|body: &Json| body.get().len()).sum()
}
