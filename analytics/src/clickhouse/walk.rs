//! A scope searched stretch by stretch, newest first, as far as time allows.
//!
//! A statement over everything is quick when an index serves it, or when it reads along the key and fills its page
//! soon: that is tried first. When it is cut, nobody knows where it was. Then the first stretch holds some number of
//! calls, by their average density; how long each stretch took decides how far the next one reaches. Wherever the
//! walk stops, everything newer was searched.

use std::time::Duration;

use clickhouse::Row;
use serde::Deserialize;

use super::ask::{Asker, Failure};
use super::filter::Conditions;
use super::scope::Scope;
use super::sql::Sql;
use crate::store::Cursor;

/// About how many calls the first stretch holds.
const CALLS: u64 = 200_000;
/// The same when what was said must be looked at besides, or when there is no one project to read along the key of.
const FEWER_CALLS: u64 = 30_000;
/// The least time a statement is given.
const LEAST: Duration = Duration::from_millis(20);
/// However late it is, the first stretch gets this long: every page gets somewhere.
const FIRST: Duration = Duration::from_secs(10);
/// The shortest stretch, µs.
const SHORTEST: i64 = 1_000_000;
/// How much longer than the one before a stretch may be.
const GROWTH: f64 = 16.0;
/// Of the time that is left, how much the next stretch should take.
const SHARE: f64 = 0.4;
/// How much shorter a stretch is tried when one took too long.
const SHRINKING: i64 = 8;

/// How far a search got, and how far it reaches next.
pub(super) struct Walk<'a> {
    asker: &'a Asker,
    scope: Scope,
    /// How many calls the first stretch shall hold.
    calls: u64,
    /// How long the next stretch is, µs; `None` is everything.
    width: Option<i64>,
    deadline: Duration,
    asked: Duration,
    /// Stretches that were searched.
    searched: u32,
}

#[derive(Row, Deserialize)]
struct Extent {
    calls: u64,
    first: i64,
    last: i64,
}

impl<'a> Walk<'a> {
    /// Begins at the newest call of the scope.
    pub(super) async fn over(
        asker: &'a Asker,
        scope: &Scope,
        conditions: &Conditions,
        budget: Duration,
    ) -> Result<Self, Failure> {
        let began = asker.monotonic();
        let at_once = scope.project.is_some() && (!conditions.needs_texts() || conditions.are_said_only());
        let calls = if at_once { CALLS } else { FEWER_CALLS };
        let scope = scope.clone();
        let mut walk =
            Self { asker, scope, calls, width: None, deadline: began + budget, asked: began, searched: 0 };
        if !at_once {
            walk.look_around().await?;
        }
        Ok(walk)
    }

    /// Asks how many calls there are, from when to when: answered out of the parts' own counts and time ranges,
    /// without reading rows.
    async fn look_around(&mut self) -> Result<(), Failure> {
        let sql = Sql::new(
            "SELECT count() AS calls, toUnixTimestamp64Micro(min(started_at)) AS first,
             toUnixTimestamp64Micro(max(started_at)) AS last FROM calls",
        );
        let extent: Extent = self.asker.row(&sql, FIRST).await?;
        let after = Cursor { started: extent.last.saturating_add(1), id: 0 };
        self.scope.before = self.scope.before.min(after);
        self.scope.from = self.scope.from.max(if extent.calls == 0 { i64::MAX } else { extent.first });
        let each = (extent.last - extent.first + 1) as f64 / extent.calls.max(1) as f64;
        self.width = Some(((each * self.calls as f64) as i64).max(SHORTEST));
        Ok(())
    }

    /// The stretch to search next; `None` when everything was searched, or time ran out.
    pub(super) fn next(&mut self) -> Option<Scope> {
        if self.scope.is_empty() || (self.searched > 0 && self.left() < LEAST) {
            return None;
        }
        self.asked = self.asker.monotonic();
        let from = self.width.map_or(i64::MIN, |width| self.scope.before.started.saturating_sub(width));
        Some(Scope { from: from.max(self.scope.from), ..self.scope.clone() })
    }

    /// What the statement over the next stretch may take.
    pub(super) fn limit(&self) -> Duration {
        match self.searched {
            0 if self.left() < LEAST => FIRST,
            // Room for another try with a shorter stretch.
            0 => self.left().mul_f64(SHARE),
            _ => self.left(),
        }
    }

    /// Everything down to `place` was searched.
    pub(super) fn went_to(&mut self, place: Cursor) {
        self.searched += 1;
        self.scope.before = place;
    }

    /// A whole stretch was searched.
    pub(super) fn went_through(&mut self, stretch: &Scope) {
        self.went_to(Cursor { started: stretch.from, id: 0 });
        let took = self.asker.monotonic().saturating_sub(self.asked).as_secs_f64().max(0.001);
        let factor = (self.left().as_secs_f64() * SHARE / took).clamp(1.0 / GROWTH, GROWTH);
        self.width = self.width.map(|width| ((width as f64 * factor) as i64).max(SHORTEST));
    }

    /// A stretch took too long; the next one is shorter. Fails when it was as short as can be.
    pub(super) async fn was_late(&mut self) -> Result<(), Failure> {
        match self.width {
            None => self.look_around().await,
            Some(SHORTEST) if self.searched == 0 => Err(Failure::Late),
            Some(width) => {
                self.width = Some((width / SHRINKING).max(SHORTEST));
                Ok(())
            }
        }
    }

    /// Where the walk stopped, if it did not get to the end.
    pub(super) const fn stopped_at(&self) -> Option<Cursor> {
        if self.scope.is_empty() { None } else { Some(self.scope.before) }
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_sub(self.asker.monotonic())
    }
}
