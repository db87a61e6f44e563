//! A scope searched stretch by stretch, newest first, as far as time allows.
//!
//! One statement over everything would either be quick or be cut somewhere unknown. So the first stretch holds some
//! number of calls, by their average density; how long each stretch took decides how far the next one reaches.
//! Wherever the walk stops, everything newer was searched. Common filters fill a page out of the first stretch,
//! rare ones reach the beginning in a handful of statements of which each is served by an index.

use std::time::Duration;

use clickhouse::Row;
use serde::Deserialize;
use vocab::Time;

use super::ask::{Asker, Failure};
use super::scope::Scope;
use super::sql::Sql;
use crate::store::Cursor;

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
    width: i64,
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
    /// Begins at the newest call of the scope; the first stretch holds about so many calls.
    pub(super) async fn over(
        asker: &'a Asker,
        scope: &Scope,
        calls: u64,
        budget: Duration,
    ) -> Result<Self, Failure> {
        let began = asker.monotonic();
        // Answered out of the parts' own counts and time ranges, without reading rows.
        let extent: Extent = asker
            .row(
                &Sql::new(
                    "SELECT count() AS calls, toUnixTimestamp64Micro(min(started_at)) AS first,
                     toUnixTimestamp64Micro(max(started_at)) AS last FROM calls",
                ),
                FIRST,
            )
            .await?;
        let mut scope = scope.clone();
        scope.before = scope.before.min(Cursor { started: extent.last.saturating_add(1), id: 0 });
        scope.from = scope.from.max(if extent.calls == 0 { i64::MAX } else { extent.first });
        let each = (extent.last - extent.first + 1) as f64 / extent.calls.max(1) as f64;
        let width = (each * calls as f64) as i64;
        Ok(Self {
            asker,
            scope,
            width: width.max(SHORTEST),
            deadline: began + budget,
            asked: began,
            searched: 0,
        })
    }

    /// The stretch to search next; `None` when everything was searched, or time ran out.
    pub(super) fn next(&mut self) -> Option<Scope> {
        if self.scope.is_empty() || (self.searched > 0 && self.left() < LEAST) {
            return None;
        }
        self.asked = self.asker.monotonic();
        let from = self.scope.before.started.saturating_sub(self.width).max(self.scope.from);
        Some(Scope { from, ..self.scope.clone() })
    }

    /// What the statement over the next stretch may take.
    pub(super) fn limit(&self) -> Duration {
        match self.searched {
            0 if self.left() < LEAST => FIRST,
            // Room for another try with a shorter stretch.
            0 => self.left() / 2,
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
        let took = (self.asker.monotonic().saturating_sub(self.asked)).as_secs_f64().max(0.001);
        let factor = (self.left().as_secs_f64() * SHARE / took).clamp(1.0 / GROWTH, GROWTH);
        self.width = ((self.width as f64 * factor) as i64).max(SHORTEST);
    }

    /// A stretch took too long; the next one is shorter. Fails when it was as short as can be.
    pub(super) fn was_late(&mut self) -> Result<(), Failure> {
        if self.searched == 0 && self.width == SHORTEST {
            return Err(Failure::Late);
        }
        self.width = (self.width / SHRINKING).max(SHORTEST);
        Ok(())
    }

    /// Where the walk stopped, if it did not get to the end.
    pub(super) const fn stopped_at(&self) -> Option<Cursor> {
        if self.scope.is_empty() { None } else { Some(self.scope.before) }
    }

    /// Like [`Self::stopped_at`], as a time.
    pub(super) fn searched_to(&self) -> Option<Time> {
        self.stopped_at().map(|place| Time(place.started))
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_sub(self.asker.monotonic())
    }
}
