//! The list of traces: those of the newest matching calls, and those that have reported spans only.

mod spans;
mod sums;

use super::ask::Asker;
use super::groups::{self, Newest, Tie};
use crate::store::{QueryError, Search};
use crate::trace::{SummaryPage, TraceSummary};

/// Returns the traces of the newest matching calls; with an empty filter those without calls stand among them.
pub(super) async fn traces(asker: &Asker, search: &Search) -> Result<SummaryPage<TraceSummary>, QueryError> {
    let mut newest = groups::newest(asker, search, Tie::Trace).await?;
    if search.filter.terms.is_empty() {
        let spans = spans::without_calls(asker, search, newest.next).await?;
        newest = merged(newest, spans, search.limit.get() as usize);
    }
    let mut sums = sums::of(asker, &newest.groups).await?;
    let rows = newest.groups.iter().filter_map(|group| sums.remove(&group.key())).collect();
    Ok(SummaryPage { rows, next_cursor: newest.next, complete: newest.complete })
}

/// Puts traces without calls among the others. Where either was not looked at any further, the page ends.
fn merged(calls: Newest, spans: Newest, limit: usize) -> Newest {
    let mut groups = calls.groups;
    groups.extend(spans.groups);
    groups.sort_unstable_by_key(|group| std::cmp::Reverse(group.place));
    let mut next = calls.next.max(spans.next);
    groups.retain(|group| next.is_none_or(|frontier| group.place >= frontier));
    if groups.len() > limit {
        groups.truncate(limit);
        next = groups.last().map(|group| group.place);
    }
    Newest { groups, next, complete: calls.complete && spans.complete }
}
