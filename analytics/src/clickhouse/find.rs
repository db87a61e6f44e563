//! The newest calls that match, one page at a time.
//!
//! Served by the key: each stretch is read backwards along `(project, started_at, id)` and stops when the page is
//! full. Which index rules out what does not match is said in [`super::filter`].

use std::time::Duration;

use super::ask::{Asker, BUDGET, Failure};
use super::filter::Conditions;
use super::rows::{CALL, CallRow};
use super::scope::Scope;
use super::sql::Sql;
use super::walk::Walk;
use crate::found::FoundRow;
use crate::store::{FoundPage, QueryError, Search};

/// About how many calls the first stretch holds.
const CALLS: u64 = 500_000;
/// The same when what was said must be looked at.
const SAID: u64 = 50_000;

/// Answers a search.
pub(super) async fn find(asker: &Asker, search: &Search) -> Result<FoundPage, QueryError> {
    let page = page(asker, search, BUDGET).await?;
    Ok(FoundPage {
        rows: page.rows.into_iter().map(FoundRow::from).collect(),
        next_cursor: page.next_cursor,
        complete: page.complete,
        searched_to: page.searched_to,
    })
}

/// Finds a page of rows within `budget`.
pub(super) async fn page(
    asker: &Asker,
    search: &Search,
    budget: Duration,
) -> Result<FoundPage<CallRow>, Failure> {
    let conditions = Conditions::of(&search.filter, search.project.as_deref());
    let limit = search.limit.get() as usize;
    let mut walk = Walk::over(asker, &Scope::of(search), first_stretch(&conditions), budget).await?;
    let mut rows: Vec<CallRow> = Vec::new();
    while rows.len() <= limit
        && let Some(stretch) = walk.next()
    {
        let wanted = limit + 1 - rows.len();
        match newest(asker, &stretch, &conditions, wanted, walk.limit()).await {
            Ok(found) if found.len() == wanted => {
                walk.went_to(found.last().map_or(stretch.before, CallRow::place));
                rows.extend(found);
                rows.dedup_by_key(|row| row.call);
            }
            Ok(found) => {
                walk.went_through(&stretch);
                rows.extend(found);
                rows.dedup_by_key(|row| row.call);
            }
            Err(Failure::Late) => walk.was_late()?,
            Err(failure) => return Err(failure),
        }
    }
    Ok(finished(rows, limit, &walk))
}

/// About how many calls the first stretch of a search should hold.
pub(super) fn first_stretch(conditions: &Conditions) -> u64 {
    if conditions.needs_texts() { SAID } else { CALLS }
}

/// Cuts a page off; a row beyond it says that there is more.
fn finished(mut rows: Vec<CallRow>, limit: usize, walk: &Walk<'_>) -> FoundPage<CallRow> {
    let more = rows.len() > limit;
    rows.truncate(limit);
    if more {
        let next_cursor = rows.last().map(CallRow::place);
        return FoundPage { rows, next_cursor, complete: true, searched_to: None };
    }
    let searched_to = walk.searched_to();
    FoundPage { rows, next_cursor: walk.stopped_at(), complete: searched_to.is_none(), searched_to }
}

/// The newest matching rows of one stretch. A call that was shipped twice has the same place twice, next to each
/// other: it is the page's work to keep one.
async fn newest(
    asker: &Asker,
    stretch: &Scope,
    conditions: &Conditions,
    limit: usize,
    time: Duration,
) -> Result<Vec<CallRow>, Failure> {
    let mut sql = Sql::new("SELECT ");
    sql.push(CALL).push(" FROM calls WHERE ").append(&stretch.matching(conditions));
    sql.push(" ORDER BY started_at DESC, toUInt128(id) DESC LIMIT ").int(limit as i64);
    asker.rows(&sql, time).await
}
