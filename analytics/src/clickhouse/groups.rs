//! Traces and sessions as groups of calls: those of the newest matching calls.
//!
//! Each stretch is read backwards along the key, one call a group, until the page is full. Whether a page before
//! had a group is looked up by `trace_seen`, or by `word_seen` for sessions.

use std::collections::HashSet;

use clickhouse::Row;
use serde::Deserialize;

use super::ask::{Asker, BUDGET, Failure};
use super::filter::{Conditions, words};
use super::place::{place, uuid};
use super::scope::{Scope, moment};
use super::sql::Sql;
use super::walk::Walk;
use super::words as marks;
use crate::filter::Field;
use crate::folding;
use crate::store::{Cursor, Search};

/// What makes calls belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tie {
    Trace,
    Session,
}

/// A trace or a session, and its newest matching call.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) project: String,
    /// The trace's id in hex, or the session's name.
    pub(super) name: String,
    /// Where it stands in the list.
    pub(super) place: Cursor,
}

/// A call that puts its group into a list.
#[derive(Row, Deserialize)]
struct Member {
    project: String,
    name: String,
    started: i64,
    call: u128,
}

impl From<Member> for Group {
    fn from(member: Member) -> Self {
        let place = place(member.started, member.call);
        Self { project: member.project, name: member.name, place }
    }
}

impl Group {
    pub(super) fn key(&self) -> (String, String) {
        (self.project.clone(), self.name.clone())
    }
}

/// A page of groups, and where the next begins.
pub(super) struct Newest {
    pub(super) groups: Vec<Group>,
    pub(super) next: Option<Cursor>,
    /// False when time ran out first.
    pub(super) complete: bool,
}

impl Tie {
    const fn field(self) -> Field {
        match self {
            Self::Trace => Field::Trace,
            Self::Session => Field::Session,
        }
    }

    /// The condition that a call belongs to a group at all.
    const fn there(self) -> &'static str {
        match self {
            Self::Trace => "",
            Self::Session => " AND session != ''",
        }
    }

    /// The condition that a call belongs to one of these groups.
    pub(super) fn among(self, groups: &[Group]) -> Sql {
        let names: Vec<_> = groups.iter().map(|group| group.name.clone()).collect();
        let projects: HashSet<_> = groups.iter().map(|group| group.project.clone()).collect();
        let mut sql = Sql::new(" AND project IN ");
        sql.texts(projects.into_iter().collect());
        match self {
            Self::Trace => {
                sql.push(" AND trace_id IN (arrayMap(name -> toFixedString(unhex(name), 16), ");
                sql.texts(names).push("))")
            }
            Self::Session => {
                let word = |name: &String| marks::sought(&Field::Session, &folding::fold(name));
                let words = names.iter().filter_map(word).map(|(word, _)| word).collect();
                sql.push(" AND hasAny(words, ").texts(words).push(") AND session IN ").texts(names)
            }
        };
        sql
    }
}

/// Returns the groups of the newest matching calls.
pub(super) async fn newest(asker: &Asker, search: &Search, tie: Tie) -> Result<Newest, Failure> {
    let conditions = Conditions::of(&search.filter, search.project.as_deref());
    let limit = search.limit.get() as usize;
    let mut walk = Walk::over(asker, &Scope::of(search), &conditions, BUDGET).await?;
    let (mut groups, mut seen) = (Vec::new(), HashSet::new());
    while groups.len() <= limit
        && let Some(stretch) = walk.next()
    {
        // Groups of the stretches before may come again.
        let wanted = limit + 1 + seen.len();
        match first_of_each(asker, &walk, &stretch, &conditions, (tie, wanted)).await {
            Ok(mut found) => {
                match found.last().filter(|_| found.len() == wanted) {
                    Some(last) => walk.went_to(last.place),
                    None => walk.went_through(&stretch),
                }
                found.retain(|group| seen.insert(group.key()));
                let before = seen_before(asker, search, &conditions, tie, &found).await?;
                groups.extend(found.into_iter().filter(|group| !before.contains(&group.key())));
            }
            Err(Failure::Late) => walk.was_late().await?,
            Err(failure) => return Err(failure),
        }
    }
    if groups.len() > limit {
        groups.truncate(limit);
        let next = groups.last().map(|group: &Group| group.place);
        return Ok(Newest { groups, next, complete: true });
    }
    let next = walk.stopped_at();
    Ok(Newest { groups, next, complete: next.is_none() })
}

/// The newest matching call of each group in one stretch.
async fn first_of_each(
    asker: &Asker,
    walk: &Walk<'_>,
    stretch: &Scope,
    conditions: &Conditions,
    (tie, wanted): (Tie, usize),
) -> Result<Vec<Group>, Failure> {
    let mut sql = Sql::new("SELECT project, ");
    sql.append(&words::value(&tie.field()));
    sql.push(
        " AS name, toUnixTimestamp64Micro(started_at) AS started, toUInt128(id) AS call FROM calls WHERE ",
    );
    sql.append(&stretch.matching(conditions)).push(tie.there());
    sql.push(" ORDER BY started_at DESC, id DESC LIMIT 1 BY project, name LIMIT ").int(wanted as i64);
    let members = asker.rows::<Member>(&sql, walk.limit()).await?;
    Ok(members.into_iter().map(Group::from).collect())
}

/// Which of the groups a page before this one had: those with a matching call newer than where this page began.
async fn seen_before(
    asker: &Asker,
    search: &Search,
    conditions: &Conditions,
    tie: Tie,
    groups: &[Group],
) -> Result<HashSet<(String, String)>, Failure> {
    let Some(cursor) = search.cursor.filter(|_| !groups.is_empty()) else { return Ok(HashSet::new()) };
    let mut scope = Scope::between(search.project.clone(), search.from, search.to, None);
    scope.from = scope.from.max(cursor.started);
    let mut sql = Sql::new("SELECT DISTINCT project, ");
    sql.append(&words::value(&tie.field())).push(" AS name FROM calls WHERE ");
    sql.append(&scope.matching(conditions)).append(&tie.among(groups)).push(" AND (started_at > ");
    moment(&mut sql, cursor.started).push(" OR id >= toUUID(").text(uuid(cursor.id)).push(")) LIMIT 100000");
    Ok(asker.rows::<(String, String)>(&sql, BUDGET).await?.into_iter().collect())
}
