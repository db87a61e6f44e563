//! Calls, spans and scores deleted, a block or a handful at a time so that nothing else waits long.
//!
//! Deleted calls are taken out of the roll-ups, so reports are about what is left. What one person did goes more
//! thoroughly: the search filters of their blocks are made anew without it, and the room is overwritten.

use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use vocab::Time;

use super::append::Appender;
use super::blocks::{closed_to, filter_again};
use super::bodies::Unpacker;
use super::columns::{Column, Fields};
use super::grams::Mark;
use super::rollup::Change;
use super::ties::{self, Ties};
use crate::store::Doomed;

/// Blocks passed over in one step.
const PASSED_OVER: usize = 64;
/// Spans or scores looked at in one step.
const ROWS: usize = 500;

const NEXT_BLOCK: &str = "SELECT b.first, b.last, b.rolled, t.projects, g.filter FROM block AS b
                          LEFT JOIN tie AS t ON t.first = b.first LEFT JOIN gram AS g ON g.first = b.first
                          WHERE b.first > ?1 AND b.started_min < ?2 ORDER BY b.first LIMIT 1";
const CALLS: &str = "SELECT seq, id, fields FROM call WHERE seq BETWEEN ?1 AND ?2";
const SPANS: &str =
    "SELECT started, seq, project, user, hex(trace_id) FROM span WHERE (started, seq) > (?1, ?2) AND started < ?3
                     ORDER BY started, seq LIMIT ?4";
const SCORES: &str = "SELECT at, seq, project, author, NULL FROM score WHERE (at, seq) > (?1, ?2) AND at < ?3
                      ORDER BY at, seq LIMIT ?4";

/// What is said in a trace without naming anybody is said by whom the rest of it names.
const OF_TRACE: &str = "DELETE FROM span WHERE trace_id = unhex(?1) AND project = ?2 AND user IS NULL
                        AND started < ?3";

/// A deletion under way.
pub(super) struct Purge {
    doomed: Doomed,
    at: Place,
    /// How many calls are deleted.
    pub(super) calls: u64,
}

/// How far a deletion has come: everything before this is done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Blocks { after: i64 },
    Spans { after: (i64, i64) },
    Scores { after: (i64, i64) },
    Done,
}

/// A closed block that may hold doomed calls.
struct Suspect {
    first: i64,
    last: i64,
    rolled: bool,
    passed_over: bool,
}

/// Calls of a block that stay, or go.
#[derive(Default)]
struct Parted {
    doomed: Vec<Gone>,
    ties: Ties,
    /// When the first and the last of those that stay started.
    stay: Option<(i64, i64)>,
}

/// A call that goes.
struct Gone {
    seq: i64,
    id: [u8; 16],
    project: String,
    /// Its trace, in hex.
    trace: String,
}

impl Purge {
    pub(super) const fn of(doomed: Doomed) -> Self {
        let all = doomed.project.is_none() && doomed.except.is_empty();
        let nothing = all && doomed.before.is_none() && doomed.user.is_none();
        Self { doomed, at: if nothing { Place::Done } else { Place::Blocks { after: 0 } }, calls: 0 }
    }

    pub(super) const fn is_done(&self) -> bool {
        matches!(self.at, Place::Done)
    }

    /// Deletes some more.
    pub(super) fn step(&mut self, appender: &mut Appender) -> rusqlite::Result<()> {
        if self.doomed.user.is_some() {
            appender.db.pragma_update(None, "secure_delete", true)?;
        }
        self.at = match self.at {
            Place::Blocks { after } => self.blocks(appender, after)?,
            Place::Spans { after } => self
                .rows(appender, SPANS, "DELETE FROM span WHERE seq = ?1", after)?
                .map_or(Place::Scores { after: (i64::MIN, 0) }, |after| Place::Spans { after }),
            Place::Scores { after } => {
                let next = self.rows(appender, SCORES, "DELETE FROM score WHERE seq = ?1", after)?;
                next.map_or(Place::Done, |after| Place::Scores { after })
            }
            Place::Done => Place::Done,
        };
        if self.is_done() {
            appender.db.pragma_update(None, "secure_delete", false)?;
        }
        Ok(())
    }

    /// Deletes of one closed block, or of the open one when no closed one is left.
    fn blocks(&mut self, appender: &mut Appender, after: i64) -> rusqlite::Result<Place> {
        let tx = appender.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut after = after;
        for _ in 0..PASSED_OVER {
            let Some(block) = self.next(&tx, after)? else {
                let parted = self.part(&tx, closed_to(&tx)? + 1, i64::MAX)?;
                self.delete(&tx, &parted)?;
                tx.commit()?;
                if !parted.doomed.is_empty() {
                    appender.resume_after_deletion()?;
                }
                return Ok(Place::Spans { after: (i64::MIN, 0) });
            };
            after = block.first;
            if !block.passed_over {
                self.block(&tx, &block)?;
                break;
            }
        }
        tx.commit()?;
        Ok(Place::Blocks { after })
    }

    /// The next closed block.
    fn next(&self, tx: &Transaction<'_>, after: i64) -> rusqlite::Result<Option<Suspect>> {
        let mut statement = tx.prepare_cached(NEXT_BLOCK)?;
        let mut rows = statement.query([after, self.before()])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let projects = row.get_ref(3)?.as_blob_or_null()?;
        let Doomed { project, except, user, .. } = &self.doomed;
        let mut passed_over = projects.is_some_and(|held| !ties::may_hold(held, project.as_deref(), except));
        if let Some(user) = user
            && let Some(filter) = row.get_ref(4)?.as_blob_or_null()?
        {
            passed_over |= !Mark::word("user", "", user).may_be_in(filter);
        }
        Ok(Some(Suspect { first: row.get(0)?, last: row.get(1)?, rolled: row.get(2)?, passed_over }))
    }

    fn block(&mut self, tx: &Transaction<'_>, block: &Suspect) -> rusqlite::Result<()> {
        let parted = self.part(tx, block.first, block.last)?;
        if block.rolled {
            take_out(tx, &parted)?;
        }
        self.delete(tx, &parted)?;
        let Some((min, max)) = parted.stay else {
            for table in ["block", "gram", "tie"] {
                tx.prepare_cached(&format!("DELETE FROM {table} WHERE first = ?1"))?
                    .execute([block.first])?;
            }
            return Ok(());
        };
        if parted.doomed.is_empty() {
            return Ok(());
        }
        tx.prepare_cached("UPDATE block SET started_min = ?2, started_max = ?3 WHERE first = ?1")?
            .execute([block.first, min, max])?;
        if block.rolled {
            parted.ties.write(tx, block.first)?;
        }
        if self.doomed.user.is_some() {
            filter_again(tx, &mut Unpacker::knowing(tx)?, block.first, block.last)?;
        }
        Ok(())
    }

    /// Tells the calls that go from those that stay.
    fn part(&self, db: &Connection, first: i64, last: i64) -> rusqlite::Result<Parted> {
        let mut parted = Parted::default();
        let mut calls = db.prepare_cached(CALLS)?;
        let mut calls = calls.query([first, last])?;
        while let Some(row) = calls.next()? {
            let fields = Fields::read_all(row.get_ref(2)?.as_str().unwrap_or_default());
            let started = fields.int(Column::StartedAt).unwrap_or_default();
            let project = fields.text(Column::Project).unwrap_or_default();
            if self.dooms(&project, started, fields.text(Column::User).as_deref()) {
                let trace = fields.text(Column::TraceId).unwrap_or_default().into_owned();
                let project = project.into_owned();
                parted.doomed.push(Gone { seq: row.get(0)?, id: row.get(1)?, project, trace });
            } else {
                parted.ties.add(&fields);
                let (min, max) = parted.stay.unwrap_or((started, started));
                parted.stay = Some((min.min(started), max.max(started)));
            }
        }
        Ok(parted)
    }

    fn delete(&mut self, tx: &Transaction<'_>, parted: &Parted) -> rusqlite::Result<()> {
        for Gone { seq, id, project, trace } in &parted.doomed {
            tx.prepare_cached("DELETE FROM body WHERE seq = ?1")?.execute([seq])?;
            tx.prepare_cached("DELETE FROM call WHERE seq = ?1")?.execute([seq])?;
            if self.doomed.user.is_some() {
                tx.prepare_cached("DELETE FROM score WHERE target = ?1 AND kind = 1")?.execute([id])?;
                tx.prepare_cached(OF_TRACE)?.execute(params![trace, project, self.before()])?;
            }
        }
        self.calls += parted.doomed.len() as u64;
        Ok(())
    }

    /// Looks at some spans or scores in order of time and deletes the doomed; returns where to go on.
    fn rows(
        &self,
        appender: &mut Appender,
        select: &str,
        delete: &str,
        after: (i64, i64),
    ) -> rusqlite::Result<Option<(i64, i64)>> {
        let tx = appender.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (mut seen, mut last) = (0, after);
        {
            let mut statement = tx.prepare_cached(select)?;
            let mut rows = statement.query(params![after.0, after.1, self.before(), ROWS as i64])?;
            let mut doomed = Vec::new();
            while let Some(row) = rows.next()? {
                last = (row.get(0)?, row.get(1)?);
                seen += 1;
                if self.dooms(row.get_ref(2)?.as_str()?, last.0, row.get_ref(3)?.as_str_or_null()?) {
                    doomed.push((last.1, row.get::<_, String>(2)?, row.get::<_, Option<String>>(4)?));
                }
            }
            let mut delete = tx.prepare_cached(delete)?;
            for (seq, project, trace) in doomed {
                delete.execute([seq])?;
                if self.doomed.user.is_some() && trace.is_some() {
                    tx.prepare_cached(OF_TRACE)?.execute(params![trace, project, self.before()])?;
                }
            }
        }
        tx.commit()?;
        Ok((seen == ROWS).then_some(last))
    }

    /// Everything that goes is before this.
    fn before(&self) -> i64 {
        self.doomed.before.map_or(i64::MAX, Time::micros)
    }

    /// Whether something of a project, a time and a person is to go.
    fn dooms(&self, project: &str, started: i64, user: Option<&str>) -> bool {
        let Doomed { project: only, except, user: theirs, .. } = &self.doomed;
        only.as_deref().is_none_or(|only| only == project)
            && !except.iter().any(|other| **other == *project)
            && started < self.before()
            && theirs.as_deref().is_none_or(|theirs| user == Some(theirs))
    }
}

/// Takes the calls that go out of the roll-ups.
fn take_out(tx: &Transaction<'_>, parted: &Parted) -> rusqlite::Result<()> {
    let mut change = Change::taking_out();
    for Gone { seq, .. } in &parted.doomed {
        let mut call = tx.prepare_cached("SELECT fields FROM call WHERE seq = ?1 LIMIT 1")?;
        let mut call = call.query([seq])?;
        if let Some(row) = call.next()?
            && let Ok(text) = row.get_ref(0)?.as_str()
        {
            change.call(&Fields::read(text, Column::AudioTokens));
        }
    }
    change.write(tx)
}
