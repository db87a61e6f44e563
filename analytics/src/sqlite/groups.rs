//! Traces and sessions as groups of calls: those of the newest matching calls, and all calls of each.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;

use super::bodies::Unpacker;
use super::columns::{Column, Fields};
use super::find::Hunt;
use super::marks::Stored;
use super::plan::Plan;
use super::scan::{Scan, Texts, Wanted};
use super::ties::{self, Tie};
use crate::filter::Filter;
use crate::store::{Cursor, Search};

/// How long summing up the groups of a page may take, once they are found.
pub(super) const SUMMARY_BUDGET: Duration = Duration::from_secs(1);

const FIELDS: &str = "SELECT fields FROM call WHERE seq = ?1 LIMIT 1";

/// A trace or a session.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) project: Arc<str>,
    /// The trace's id in hex, or the session's name.
    pub(super) name: String,
    /// Where it stands in the list: the place of its newest matching call.
    pub(super) place: Cursor,
}

/// A page of groups, and where the next begins.
pub(super) struct Newest {
    pub(super) groups: Vec<Group>,
    pub(super) next: Option<Cursor>,
    /// False when time ran out first.
    pub(super) complete: bool,
}

/// Returns the groups of the newest matching calls.
pub(super) fn newest(
    db: &Connection,
    unpacker: &mut Unpacker,
    search: &Search,
    tie: Tie,
    late: &dyn Fn() -> bool,
) -> rusqlite::Result<Newest> {
    let mut plan = Plan::new(db, &search.filter, search.project.clone())?;
    plan.need(&[tie.column()]);
    let hunt = Hunt { plan: &plan, wanted: Wanted::by(search), limit: search.limit.get() as usize };
    let mut page = Page { db, plan: &plan, search, tie, seen: HashSet::new(), groups: Vec::new() };
    let ended = hunt.run(db, unpacker, late, &mut |found| page.take(found.place, found.seq))?;
    Ok(Newest { groups: page.groups, next: ended.next, complete: ended.searched_to.is_none() })
}

/// A page being filled.
struct Page<'a> {
    db: &'a Connection,
    plan: &'a Plan,
    search: &'a Search,
    tie: Tie,
    seen: HashSet<(Arc<str>, String)>,
    groups: Vec<Group>,
}

impl Page<'_> {
    /// Takes the group of a call unless this page or one before has it.
    fn take(&mut self, place: Cursor, seq: i64) -> rusqlite::Result<bool> {
        let Some((project, name)) = self.named(seq)? else { return Ok(false) };
        if !self.seen.insert((Arc::clone(&project), name.clone())) {
            return Ok(false);
        }
        let group = Group { project, name, place };
        if self.was_before(&group)? {
            return Ok(false);
        }
        self.groups.push(group);
        Ok(true)
    }

    fn named(&self, seq: i64) -> rusqlite::Result<Option<(Arc<str>, String)>> {
        let mut statement = self.db.prepare_cached(FIELDS)?;
        let mut rows = statement.query([seq])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let fields = Fields::read(row.get_ref(0)?.as_str()?, self.tie.column());
        let project = fields.text(Column::Project).unwrap_or_default();
        Ok(fields.text(self.tie.column()).map(|name| (Arc::from(&*project), name.into_owned())))
    }

    /// Whether a page before this one had the group: it has a matching call newer than where this page began.
    fn was_before(&self, group: &Group) -> rusqlite::Result<bool> {
        let Some(cursor) = self.search.cursor else { return Ok(false) };
        let all = Wanted::without_cursor(self.search);
        let newer = Wanted { from: all.from.max(cursor.started), ..all };
        let (mut scan, mut texts) = (Scan::prepare(self.db)?, Texts::prepare(self.db)?);
        let mut unpacker = None;
        let mut was = false;
        for block in ties::blocks(self.db, self.tie, [&*group.name], newer.from)? {
            scan.each(self.plan, newer, block, |seq, place, call| {
                let is = |column, ours: &str| call.fields.text(column).is_some_and(|its| its == ours);
                let ours = is(self.tie.column(), &group.name) && is(Column::Project, &group.project);
                if was || place < cursor || !ours {
                    return Ok(());
                }
                if self.plan.needs_texts() && unpacker.is_none() {
                    unpacker = Some(Unpacker::knowing(self.db)?);
                }
                was = match &mut unpacker {
                    Some(unpacker) => texts.fit(seq, self.plan, unpacker)?,
                    None => true,
                };
                Ok(())
            })?;
        }
        Ok(was)
    }
}

/// All calls of some groups in some time.
pub(super) struct CallsOf<'a> {
    pub(super) tie: Tie,
    pub(super) groups: &'a [Group],
    pub(super) wanted: Wanted,
    pub(super) late: &'a dyn Fn() -> bool,
}

impl CallsOf<'_> {
    /// Gives each call to `see` with the number of its group; false when time ran out first.
    pub(super) fn each(
        &self,
        db: &Connection,
        mut see: impl FnMut(usize, &Stored<'_>),
    ) -> rusqlite::Result<bool> {
        let mut numbers: HashMap<&str, Vec<(&str, usize)>> = HashMap::new();
        for (n, group) in self.groups.iter().enumerate() {
            numbers.entry(&group.name).or_default().push((&group.project, n));
        }
        let mut plan = Plan::new(db, &Filter::default(), None)?;
        plan.need(&[Column::CacheWriteTokens]);
        let mut scan = Scan::prepare(db)?;
        for block in ties::blocks(db, self.tie, numbers.keys().copied(), self.wanted.from)? {
            scan.each(&plan, self.wanted, block, |_, _, call| {
                let Some(name) = call.fields.text(self.tie.column()) else { return Ok(()) };
                let Some(projects) = numbers.get(&*name) else { return Ok(()) };
                let project = call.fields.text(Column::Project).unwrap_or_default();
                if let Some((_, n)) = projects.iter().find(|(its, _)| *its == project) {
                    see(*n, call);
                }
                Ok(())
            })?;
            if (self.late)() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether a call counts as an error: it neither went well nor was given up by its caller.
pub(super) fn failed(fields: &Fields<'_>) -> bool {
    fields.text(Column::Outcome).is_some_and(|outcome| !matches!(&*outcome, "ok" | "cancelled"))
}

/// Input and output tokens of a call.
pub(super) fn tokens(fields: &Fields<'_>) -> u64 {
    [Column::InputTokens, Column::OutputTokens]
        .into_iter()
        .filter_map(|column| fields.int(column))
        .map(i64::unsigned_abs)
        .sum()
}

#[cfg(test)]
mod tests;
