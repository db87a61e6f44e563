//! How many calls match, and what values a field has in them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use vocab::{Clock, Id, Time};

use super::columns::Column;
use super::marks::{self, Stored, columns_of};
use super::plan::Plan;
use super::readers::Reader;
use super::report;
use super::scan::{Walk, Wanted, Which};
use crate::filter::Field;
use crate::folding;
use crate::report::{Measured, Report};
use crate::store::{Count, Search, ValueCount};

/// How long counting may take.
const COUNT_BUDGET: Duration = Duration::from_secs(2);
/// How long looking for values may take; what was seen by then is the answer.
const VALUES_BUDGET: Duration = Duration::from_millis(500);
/// The most different values that are kept apart; others are not counted.
const VALUES: usize = 50_000;

/// Counts the calls that match: a report of one number.
pub(super) fn count(reader: &mut Reader, search: &Search, clock: &Clock) -> rusqlite::Result<Count> {
    let deadline = clock.monotonic() + COUNT_BUDGET;
    let report = Report {
        project: search.project.clone(),
        filter: search.filter.clone(),
        from: search.from.unwrap_or(Time(i64::MIN)),
        to: search.to.unwrap_or(Time(i64::MAX)),
        ended_within: None,
        measures: vec![Measured::Calls],
        group_by: Vec::new(),
        interval: None,
        limit: 1,
    };
    let table = report::within(reader, &report, &|| clock.monotonic() >= deadline)?;
    let calls = table.rows.first().and_then(|row| row.values.first().copied().flatten());
    Ok(Count { calls: calls.unwrap_or_default() as u64, complete: table.complete })
}

/// Counts the values of a field, most frequent first; those seen most recently when time runs out.
pub(super) fn values(
    reader: &mut Reader,
    search: &Search,
    field: &Field,
    starts_with: &str,
    clock: &Clock,
) -> rusqlite::Result<Vec<ValueCount>> {
    let deadline = clock.monotonic() + VALUES_BUDGET;
    let late = || clock.monotonic() >= deadline;
    let Reader { db, unpacker, .. } = reader;
    let tx = db.transaction()?;
    let mut plan = Plan::new(&tx, &search.filter, search.project.clone())?;
    plan.need_field(field);
    let walk = Walk { plan: &plan, wanted: Wanted::without_cursor(search), which: Which::All };
    let start = folding::fold(starts_with);
    let mut counts: HashMap<String, u64> = HashMap::new();
    walk.run(&tx, unpacker, &late, |call| {
        for value in of(field, call) {
            if let Some(count) = counts.get_mut(&*value) {
                *count += 1;
            } else if counts.len() < VALUES && folding::fold(&value).starts_with(&start) {
                counts.insert(value.into_owned(), 1);
            }
        }
        Ok(())
    })?;
    let mut counts: Vec<_> = counts.into_iter().map(|(value, calls)| ValueCount { value, calls }).collect();
    counts.sort_unstable_by(|a, b| b.calls.cmp(&a.calls).then_with(|| a.value.cmp(&b.value)));
    counts.truncate(search.limit.get() as usize);
    Ok(counts)
}

/// The values of a field in one call, each once: of `model`, as requested and as served.
fn of<'c>(field: &Field, call: &'c Stored<'_>) -> Vec<Cow<'c, str>> {
    let mut values: Vec<_> = match field {
        Field::Model => columns_of(field).iter().filter_map(|column| call.fields.text(*column)).collect(),
        Field::Tag => call.fields.list(Column::Tags).into_iter().map(Cow::Owned).collect(),
        field => one(field, call).into_iter().collect(),
    };
    values.retain(|value| !value.is_empty());
    values.sort_unstable();
    values.dedup();
    values
}

/// The value of a field that a call has once at most.
pub(super) fn one<'c>(field: &Field, call: &'c Stored<'_>) -> Option<Cow<'c, str>> {
    match field {
        Field::Id => Some(Cow::Owned(Id::<vocab::id::Call>::from_bytes(call.id).to_string())),
        Field::Stream => {
            Some(Cow::Borrowed(if call.fields.flag(Column::Streaming) { "true" } else { "false" }))
        }
        Field::Model => call.fields.text(Column::Model),
        Field::Metadata(key) => given(call.metadata, key),
        Field::Variable(key) => given(call.variables, key),
        field => columns_of(field).first().and_then(|column| call.fields.text(*column)),
    }
}

fn given<'c>(json: Option<&'c str>, key: &str) -> Option<Cow<'c, str>> {
    let members = marks::object(json?)?;
    members.get(key).map(|value| marks::plain(value)).map(|value| Cow::Owned(value.into_owned()))
}
