//! How many calls match.

use std::time::Duration;

use super::ask::{Asker, Failure};
use super::filter::Conditions;
use super::scope::Scope;
use super::sql::Sql;
use super::walk::Walk;
use crate::store::{Count, QueryError, Search};

/// How long counting may take.
const BUDGET: Duration = Duration::from_secs(2);

/// Counts, as far as time allows; served by the key and the indexes that serve the same search.
pub(super) async fn count(asker: &Asker, search: &Search) -> Result<Count, QueryError> {
    let conditions = Conditions::of(&search.filter, search.project.as_deref());
    let scope = Scope::between(search.project.clone(), search.from, search.to, None);
    let mut walk = Walk::over(asker, &scope, &conditions, BUDGET).await?;
    let mut calls = 0;
    while let Some(stretch) = walk.next() {
        let mut sql = Sql::new("SELECT count() FROM calls WHERE ");
        sql.append(&stretch.matching(&conditions));
        match asker.row::<u64>(&sql, walk.limit()).await {
            Ok(counted) => {
                calls += counted;
                walk.went_through(&stretch);
            }
            Err(Failure::Late) => walk.was_late().await?,
            Err(failure) => return Err(failure.into()),
        }
    }
    Ok(Count { calls, complete: walk.stopped_at().is_none() })
}
