//! What is doomed deleted from every table, by lightweight deletes.
//!
//! Rows vanish from answers at once; their room is given back as parts are merged, or by [`compact`]. Roll-ups name
//! no users: those of a whole project or time go with it, and where only some calls of a minute go, the minute is
//! summed up again out of the calls that stay.

mod rollups;

use vocab::Id;
use vocab::id::Call;

use super::ask::{Asker, PATIENCE};
use super::scope::moment;
use super::sql::Sql;
use super::words as marks;
use crate::filter::Field;
use crate::folding;
use crate::store::{Doomed, QueryError};

/// The tables rows are deleted from. Calls go last, because the rest is found by them: a purge that was
/// interrupted is simply done again.
const TABLES: [&str; 5] = ["bodies", "attempts", "scores", "spans", "calls"];

/// Deletes what is doomed and says how many calls that were.
pub(super) async fn purge(asker: &Asker, doomed: &Doomed) -> Result<u64, QueryError> {
    let all = doomed.project.is_none() && doomed.except.is_empty();
    if all && doomed.before.is_none() && doomed.user.is_none() {
        return Ok(0);
    }
    let mut sql = Sql::new("SELECT count() FROM calls WHERE ");
    sql.append(&condition(doomed, "calls"));
    let number: u64 = asker.row(&sql, PATIENCE).await?;
    let minutes = rollups::minutes(asker, doomed).await?;
    if let Some(user) = &doomed.user {
        delete(asker, "spans", &around(doomed, user)).await?;
    }
    for table in TABLES {
        delete(asker, table, &condition(doomed, table)).await?;
    }
    rollups::mend(asker, doomed, &minutes).await?;
    Ok(number)
}

/// Gives room that deletions left back to the disk, and says how many bytes that was.
pub(super) async fn compact(asker: &Asker) -> Result<u64, QueryError> {
    let size =
        Sql::new("SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = currentDatabase()");
    let before: u64 = asker.row(&size, PATIENCE).await?;
    for table in TABLES {
        let mut sql = Sql::new("ALTER TABLE ");
        sql.name(&asker.connection().everywhere(table))
            .push(" APPLY DELETED MASK SETTINGS mutations_sync = 2");
        asker.run(&sql).await?;
    }
    let after: u64 = asker.row(&size, PATIENCE).await?;
    Ok(before.saturating_sub(after))
}

/// Deletes rows of a table, on all servers.
async fn delete(asker: &Asker, table: &'static str, condition: &Sql) -> Result<(), QueryError> {
    let mut sql = Sql::new("DELETE FROM ");
    sql.name(&asker.connection().everywhere(table)).push(" WHERE ").append(condition);
    Ok(asker.run(&sql).await?)
}

/// The condition that a row of `table` is doomed.
fn condition(doomed: &Doomed, table: &'static str) -> Sql {
    let mut sql = of_projects(doomed);
    if let Some(before) = doomed.before {
        match table {
            // A try was sent later than its call began; the call's id knows when that was.
            "attempts" => {
                let first = u128::from_be_bytes(Id::<Call>::first_at(before).bytes());
                sql.push(" AND toUInt128(id) < ").wide(first)
            }
            "scores" => moment(sql.push(" AND at < "), before.0),
            _ => moment(sql.push(" AND started_at < "), before.0),
        };
    }
    if let Some(user) = &doomed.user {
        sql.append(&of_user(doomed, table, user));
    }
    sql
}

fn of_projects(doomed: &Doomed) -> Sql {
    let mut sql = Sql::new("1");
    if let Some(project) = &doomed.project {
        sql.push(" AND project = ").text(&**project);
    }
    if !doomed.except.is_empty() {
        sql.push(" AND project NOT IN ").texts(doomed.except.iter().map(ToString::to_string).collect());
    }
    sql
}

/// The condition that a span names nobody, and what else is said in its trace is a user's.
fn around(doomed: &Doomed, user: &str) -> Sql {
    let mut sql = condition(&Doomed { user: None, ..doomed.clone() }, "spans");
    sql.push(" AND user = '' AND (project, trace_id) IN (SELECT project, trace_id FROM calls WHERE ");
    sql.append(&condition(doomed, "calls"));
    sql.push(" UNION ALL SELECT project, trace_id FROM spans WHERE ").append(&of_projects(doomed));
    sql.append(&of_user(doomed, "spans", user)).push(")");
    sql
}

/// The condition that a row is of a user; their calls are found by `word_seen`.
fn of_user(doomed: &Doomed, table: &'static str, user: &str) -> Sql {
    let mut sql = Sql::default();
    match table {
        "calls" => {
            if let Some((word, _)) = marks::sought(&Field::User, &folding::fold(user)) {
                sql.push(" AND has(words, ").text(word).push(")");
            }
            sql.push(" AND user = ").text(user);
        }
        "spans" => {
            sql.push(" AND user = ").text(user);
        }
        "scores" => {
            sql.push(" AND (author = ").text(user);
            sql.push(" OR (target_kind = 'call' AND target IN (SELECT toString(id) FROM calls WHERE ");
            sql.append(&condition(doomed, "calls")).push(")))");
        }
        _ => {
            sql.push(" AND id IN (SELECT id FROM calls WHERE ").append(&condition(doomed, "calls")).push(")");
        }
    }
    sql
}
