//! The values a field has, for suggestions.

use std::collections::HashMap;
use std::time::Duration;

use clickhouse::Row;
use serde::Deserialize;

use super::ask::{Asker, Failure};
use super::filter::{Conditions, words};
use super::scope::Scope;
use super::sql::Sql;
use super::walk::Walk;
use crate::filter::Field;
use crate::folding;
use crate::store::{QueryError, Search, ValueCount};

/// How long looking for values may take; what was seen by then is the answer.
const BUDGET: Duration = Duration::from_millis(500);
/// The most different values of one stretch that are taken into account.
const VALUES: i64 = 10_000;

#[derive(Row, Deserialize)]
struct Seen {
    value: String,
    number: u64,
}

/// Counts the values of a field, most frequent first; those seen most recently when time runs out. Reads the key's
/// range of `calls`, and of it the field's column.
pub(super) async fn values(
    asker: &Asker,
    search: &Search,
    field: &Field,
    starts_with: &str,
) -> Result<Vec<ValueCount>, QueryError> {
    let conditions = Conditions::of(&search.filter, search.project.as_deref());
    let start = folding::fold(starts_with);
    let scope = Scope::between(search.project.clone(), search.from, search.to, None);
    let mut walk = Walk::over(asker, &scope, &conditions, BUDGET).await?;
    let mut counts: HashMap<String, u64> = HashMap::new();
    while let Some(stretch) = walk.next() {
        let sql = counted(&stretch.matching(&conditions), field, &start);
        match asker.rows::<Seen>(&sql, walk.limit()).await {
            Ok(seen) => {
                for Seen { value, number } in seen {
                    *counts.entry(value).or_default() += number;
                }
                walk.went_through(&stretch);
            }
            Err(Failure::Late) => walk.was_late().await?,
            Err(failure) => return Err(failure.into()),
        }
    }
    let mut counts: Vec<_> = counts.into_iter().map(|(value, calls)| ValueCount { value, calls }).collect();
    counts.sort_unstable_by(|a, b| b.calls.cmp(&a.calls).then_with(|| a.value.cmp(&b.value)));
    counts.truncate(search.limit.get() as usize);
    Ok(counts)
}

/// The most frequent values of a field in matching calls, each counted once a call.
fn counted(matching: &Sql, field: &Field, start: &str) -> Sql {
    let mut sql = Sql::new("SELECT toString(seen) AS value, count() AS number FROM (SELECT ");
    sql.append(&each(field)).push(" AS seen FROM calls WHERE ").append(matching).push(") WHERE seen != ''");
    if !start.is_empty() {
        sql.push(" AND startsWith(");
        words::fold(&mut sql, "seen").push(", ").text(start).push(")");
    }
    sql.push(" GROUP BY seen ORDER BY number DESC LIMIT ").int(VALUES);
    sql
}

/// The values of a field: of a model, as requested and as served.
fn each(field: &Field) -> Sql {
    match field {
        Field::Model => Sql::new("arrayJoin(arrayDistinct([requested_model, model, response_model]))"),
        field => words::value(field),
    }
}
