//! The newest calls that match, one page at a time.
//!
//! First the keys: read backwards along `(project, started_at, id)` until the page is full, so that only the columns
//! the filter needs are read of what does not match. Then the rows, each looked up by its whole key. Which index
//! rules out what does not match is said in [`super::filter`].

use std::time::Duration;

use super::ask::{Asker, BUDGET, Failure};
use super::filter::Conditions;
use super::get;
use super::place::{KEY, Key};
use super::scope::Scope;
use super::sql::Sql;
use super::walk::Walk;
use crate::found::FoundRow;
use crate::store::{Cursor, FoundPage, QueryError, Search};

/// Answers a search.
pub(super) async fn find(asker: &Asker, search: &Search) -> Result<FoundPage, QueryError> {
    let page = keys(asker, search, BUDGET).await?;
    let rows = get::rows(asker, &page.rows).await?;
    Ok(FoundPage {
        rows: rows.into_iter().map(FoundRow::from).collect(),
        next_cursor: page.next_cursor,
        complete: page.complete,
        searched_to: page.searched_to,
    })
}

/// Finds the keys of a page within `budget`.
pub(super) async fn keys(
    asker: &Asker,
    search: &Search,
    budget: Duration,
) -> Result<FoundPage<Key>, Failure> {
    let conditions = Conditions::of(&search.filter, search.project.as_deref());
    let limit = search.limit.get() as usize;
    let mut walk = Walk::over(asker, &Scope::of(search), &conditions, budget).await?;
    let mut keys: Vec<Key> = Vec::new();
    while keys.len() <= limit
        && let Some(stretch) = walk.next()
    {
        let wanted = limit + 1 - keys.len();
        match newest(asker, &stretch, &conditions, wanted, walk.limit()).await {
            Ok(found) => {
                match found.last().filter(|_| found.len() == wanted) {
                    Some(last) => walk.went_to(last.place()),
                    None => walk.went_through(&stretch),
                }
                keys.extend(found);
                // A call that was shipped twice has the same place twice.
                keys.dedup_by_key(|key| key.call);
            }
            Err(Failure::Late) => walk.was_late().await?,
            Err(failure) => return Err(failure),
        }
    }
    Ok(page(keys, limit, walk.stopped_at()))
}

/// Cuts a page off; a key beyond it says that there is more.
fn page(mut keys: Vec<Key>, limit: usize, stopped_at: Option<Cursor>) -> FoundPage<Key> {
    let more = keys.len() > limit;
    keys.truncate(limit);
    if more {
        let next_cursor = keys.last().map(Key::place);
        return FoundPage { rows: keys, next_cursor, complete: true, searched_to: None };
    }
    let searched_to = stopped_at.map(|place| vocab::Time(place.started));
    FoundPage { rows: keys, next_cursor: stopped_at, complete: searched_to.is_none(), searched_to }
}

/// The newest matching keys of one stretch. A search for texts alone needs no look at the calls.
async fn newest(
    asker: &Asker,
    stretch: &Scope,
    conditions: &Conditions,
    limit: usize,
    time: Duration,
) -> Result<Vec<Key>, Failure> {
    let mut sql = Sql::new("SELECT ");
    sql.push(KEY);
    if conditions.are_said_only() {
        sql.push(" FROM bodies WHERE ").append(&stretch.calls()).append(&conditions.says);
    } else {
        sql.push(" FROM calls WHERE ").append(&stretch.matching(conditions));
    }
    sql.push(" ORDER BY started_at DESC, id DESC LIMIT ").int(limit as i64);
    asker.rows(&sql, time).await
}
