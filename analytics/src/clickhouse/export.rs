//! Pages of calls with everything that is kept of them, for as long as they take.
//!
//! A page ends early when its bodies grow too large; its cursor then stands behind the last call it has, so that
//! whoever follows cursors gets every call once.

use super::ask::{Asker, PATIENCE};
use super::find;
use super::get;
use super::place::Key;
use crate::found::{FoundCall, Json};
use crate::store::{Cursor, FoundPage, QueryError, Search};

/// Calls whose bodies are fetched at a time, at first.
const FETCHED: usize = 16;
/// The most at a time.
const FETCHED_MOST: usize = 256;
/// Bodies so large together end a page.
const PAGE_BYTES: usize = 32 * 1024 * 1024;

/// Answers one page of an export.
pub(super) async fn export(asker: &Asker, search: &Search) -> Result<FoundPage<FoundCall>, QueryError> {
    let page = find::keys(asker, search, PATIENCE).await?;
    let mut rest = page.rows.into_iter();
    let mut calls = Vec::new();
    let (mut bytes, mut fetched, mut last) = (0, FETCHED, None);
    while bytes < PAGE_BYTES {
        let keys: Vec<_> = rest.by_ref().take(fetched).collect();
        let Some(key) = keys.last() else { break };
        last = Some(Key::place(key));
        let found = get::whole(asker, get::rows(asker, &keys).await?).await?;
        bytes += found.iter().map(size).sum::<usize>();
        // As many at a time as keeps one answer small, judged by those before.
        fetched = (PAGE_BYTES / 4 * found.len() / bytes.max(1)).clamp(1, FETCHED_MOST.min(fetched * 4));
        calls.extend(found);
    }
    let cut: Option<Cursor> = last.filter(|_| rest.len() > 0);
    Ok(FoundPage {
        rows: calls,
        next_cursor: cut.or(page.next_cursor),
        complete: cut.is_some() || page.complete,
        searched_to: page.searched_to.filter(|_| cut.is_none()),
    })
}

pub(super) fn size(call: &FoundCall) -> usize {
    let length = |body: &Option<Json>| body.as_ref().map_or(0, |body| body.get().len());
    length(&call.request_body) + length(&call.response_body) + length(&call.upstream_request_body)
}
