//! Numbers over calls: out of a roll-up where it knows all that is asked, out of the calls themselves where not.
//!
//! A roll-up answers for whole hours or days. What the time cuts off at either end, and blocks that are not rolled
//! up yet, are read call by call and added to the same tally, so the answer is the same whichever way it came.

use std::time::Duration;

use rusqlite::{Connection, Transaction};
use vocab::{Clock, Time};

use super::bodies::Unpacker;
use super::columns::Column;
use super::count::one;
use super::marks::Stored;
use super::plan::Plan;
use super::readers::Reader;
use super::rollup::{self, Rollup};
use super::scan::{Walk, Wanted, Which};
use super::scores::{self, ScoresByCall};
use super::tally::{Cell, Sum, Tally};
use crate::filter::{Field, Filter, Measure, Pattern, Test};
use crate::report::{Group, Measured, Report, Table, TableRow, TokenClass};

/// How long a report may take; then it is of the newest calls only and says so.
const BUDGET: Duration = Duration::from_secs(10);
/// The most cells a report is made of; of what does not fit the table says that it is truncated.
const CELLS: usize = 100_000;

const EXTENT: &str = "SELECT min(started_min), max(started_max) FROM block";

/// Answers a report.
pub(super) fn report(reader: &mut Reader, report: &Report, clock: &Clock) -> rusqlite::Result<Table> {
    let deadline = clock.monotonic() + BUDGET;
    within(reader, report, &|| clock.monotonic() >= deadline)
}

/// Answers a report with the time it has.
pub(super) fn within(
    reader: &mut Reader,
    report: &Report,
    late: &dyn Fn() -> bool,
) -> rusqlite::Result<Table> {
    let Reader { db, unpacker, .. } = reader;
    // One transaction, so that roll-ups and calls are of one moment.
    let tx = db.transaction()?;
    let mut plan = Plan::new(&tx, &report.filter, report.project.clone())?;
    plan.need(&[last_column(report)]);
    report.group_by.iter().for_each(|group| need(&mut plan, group));
    let mut making =
        Making { report, plan, scores: scores_of(&tx, report)?, tally: Tally::of_at_most(CELLS) };
    let complete = making.run(&tx, unpacker, late)?;
    Ok(making.into_table(complete))
}

fn scores_of(tx: &Transaction<'_>, report: &Report) -> rusqlite::Result<Vec<ScoresByCall>> {
    let names = report.measures.iter().filter_map(|measure| match measure {
        Measured::Score(name) => Some(name),
        _ => None,
    });
    names.map(|name| scores::of_calls(tx, report.project.as_deref(), name)).collect()
}

/// A report being made.
struct Making<'a> {
    report: &'a Report,
    plan: Plan,
    scores: Vec<ScoresByCall>,
    tally: Tally,
}

impl Making<'_> {
    /// Counts everything; false when time ran out first.
    fn run(
        &mut self,
        db: &Connection,
        unpacker: &mut Unpacker,
        late: &dyn Fn() -> bool,
    ) -> rusqlite::Result<bool> {
        let (from, to) = (self.report.from.micros(), self.report.to.micros());
        let Some((rollup, whole_from, whole_to)) = whole_buckets(db, self.report)? else {
            let from = self.report.started_from().micros();
            return self.walk(db, unpacker, late, (from, to, Which::All));
        };
        self.add_rollup(db, rollup, whole_from, whole_to)?;
        let stretches = [
            (from, to, Which::Unrolled),
            (whole_to.saturating_mul(rollup.width_us), to, Which::Rolled),
            (from, whole_from.saturating_mul(rollup.width_us), Which::Rolled),
        ];
        for stretch in stretches {
            if stretch.0 < stretch.1 && !self.walk(db, unpacker, late, stretch)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn walk(
        &mut self,
        db: &Connection,
        unpacker: &mut Unpacker,
        late: &dyn Fn() -> bool,
        (from, to, which): (i64, i64, Which),
    ) -> rusqlite::Result<bool> {
        let Self { report, plan, scores, tally } = self;
        let walk = Walk { plan, wanted: Wanted::between(from, to), which };
        walk.run(db, unpacker, late, |call| {
            let Some(time) = time_of(report, call) else { return Ok(()) };
            tally.begin(bucket(time, report.interval));
            each_group(tally, &report.group_by, call, &mut |cell| {
                cell.add_call(&call.fields, 1);
                cell.scores.resize(scores.len(), (0.0, 0));
                for (sum, scores) in cell.scores.iter_mut().zip(&*scores) {
                    let (value, count) = scores.get(&call.id).copied().unwrap_or_default();
                    *sum = (sum.0 + value, sum.1 + count);
                }
            });
            Ok(())
        })
    }

    fn add_rollup(&mut self, db: &Connection, rollup: &Rollup, from: i64, to: i64) -> rusqlite::Result<()> {
        let Self { report, plan, tally, .. } = self;
        rollup.each(db, from, to, |fields, n, [sums, latency, ttft]| {
            let call = Stored { id: [0; 16], fields: *fields, metadata: None, variables: None };
            if plan.matches_columns(&call) {
                tally.begin(bucket(n.saturating_mul(rollup.width_us), report.interval));
                each_group(tally, &report.group_by, &call, &mut |cell| cell.add_packed(sums, latency, ttft));
            }
            Ok(())
        })
    }

    fn into_table(self, complete: bool) -> Table {
        // What there was no cell for may be more than what there was one for: no sum of it is whole.
        let complete = complete && !self.tally.overflowed;
        let mut truncated = self.tally.overflowed;
        let mut cells: Vec<_> = self.tally.into_cells().filter(|(_, _, cell)| !cell.is_empty()).collect();
        let most = |cell: &Cell| std::cmp::Reverse(cell.sums.get(Sum::Calls));
        let limit = self.report.limit as usize;
        if cells.len() > limit {
            cells.sort_by(|a, b| (most(&a.2), a.0, &a.1).cmp(&(most(&b.2), b.0, &b.1)));
            cells.truncate(limit);
            truncated = true;
        }
        cells.sort_by(|a, b| (a.0, most(&a.2), &a.1).cmp(&(b.0, most(&b.2), &b.1)));
        let row = |(bucket, group, cell): (i64, _, Cell)| TableRow {
            bucket: self.report.interval.map(|_| Time(bucket)),
            group,
            values: values(&self.report.measures, &cell),
        };
        Table { rows: cells.into_iter().map(row).collect(), complete, truncated }
    }
}

/// The time a call is counted by; `None` when it is not within the report's.
fn time_of(report: &Report, call: &Stored<'_>) -> Option<i64> {
    let started = call.fields.int(Column::StartedAt).unwrap_or_default();
    let Some(longest) = report.ended_within else { return Some(started) };
    let took = call.fields.int(Column::DurationUs).unwrap_or_default();
    let ended = started.saturating_add(took);
    let is_within = (report.from.micros()..report.to.micros()).contains(&ended);
    (is_within && i128::from(took) <= longest.as_micros().cast_signed()).then_some(ended)
}

/// When the bucket of a time begins; 0 when all of the time is one.
fn bucket(started: i64, interval: Option<Duration>) -> i64 {
    let Some(interval) = interval else { return 0 };
    let width = i64::try_from(interval.as_micros()).unwrap_or(i64::MAX).max(1);
    started.div_euclid(width).saturating_mul(width)
}

/// Gives the cells a call counts in to `add`: one, or with tags one for each.
fn each_group(tally: &mut Tally, groups: &[Group], call: &Stored<'_>, add: &mut dyn FnMut(&mut Cell)) {
    let Some((group, rest)) = groups.split_first() else {
        return tally.cell().map_or((), add);
    };
    let mark = tally.mark();
    if *group == Group::Field(Field::Tag) {
        let mut tags = call.fields.list(Column::Tags);
        tags.sort_unstable();
        tags.dedup();
        for tag in &tags {
            tally.push(Some(tag));
            each_group(tally, rest, call, add);
            tally.back_to(mark);
        }
        if !tags.is_empty() {
            return;
        }
    }
    let number = |column| call.fields.int(column).map(|number| number.to_string());
    match group {
        Group::Field(Field::Tag) => tally.push(None),
        Group::Field(field) => tally.push(one(field, call).as_deref()),
        Group::Status => tally.push(number(Column::Status).as_deref()),
        Group::Version => tally.push(number(Column::PromptVersion).as_deref()),
        Group::Node => tally.push(call.fields.text(Column::Node).as_deref()),
    }
    each_group(tally, rest, call, add);
    tally.back_to(mark);
}

/// Has the columns of a group read.
fn need(plan: &mut Plan, group: &Group) {
    match group {
        Group::Field(field) => plan.need_field(field),
        Group::Status => plan.need(&[Column::Status]),
        Group::Version => plan.need(&[Column::PromptVersion]),
        Group::Node => plan.need(&[Column::Node]),
    }
}

/// The last column the measures of a report need.
fn last_column(report: &Report) -> Column {
    let last = |measure: &Measured| match measure {
        Measured::CacheHitRate => Column::Cache,
        Measured::Tokens(TokenClass::All | TokenClass::Input | TokenClass::Output)
        | Measured::Calls
        | Measured::Errors
        | Measured::ErrorRate
        | Measured::Cost
        | Measured::Unpriced
        | Measured::Latency(_)
        | Measured::Ttft(_)
        | Measured::Score(_) => Column::Outcome,
        Measured::Tokens(_) => Column::AudioTokens,
    };
    report.measures.iter().map(last).max().unwrap_or(Column::Outcome)
}

fn values(measures: &[Measured], cell: &Cell) -> Vec<Option<f64>> {
    let mut scores = cell.scores.iter();
    let value = |measure: &Measured| match measure {
        Measured::Score(_) => {
            scores.next().filter(|(_, count)| *count > 0).map(|(sum, count)| sum / *count as f64)
        }
        measure => value(measure, cell),
    };
    measures.iter().map(value).collect()
}

fn value(measure: &Measured, cell: &Cell) -> Option<f64> {
    let sum = |sum| cell.sums.get(sum);
    let known = |number: i64, of: Sum| (sum(of) > 0).then_some(number as f64);
    let rate = |part: i64, all: i64| (all > 0).then(|| part as f64 / all as f64);
    match measure {
        Measured::Calls => Some(sum(Sum::Calls) as f64),
        Measured::Errors => Some(sum(Sum::Errors) as f64),
        Measured::ErrorRate => rate(sum(Sum::Errors), sum(Sum::Calls)),
        Measured::Cost => known(sum(Sum::Cost), Sum::Priced),
        Measured::Unpriced => Some(sum(Sum::Unpriced) as f64),
        Measured::Tokens(class) => known(tokens(*class, cell), Sum::Counted),
        Measured::Latency(part) => cell.latency.quantile(*part),
        Measured::Ttft(part) => cell.ttft.quantile(*part),
        Measured::CacheHitRate => rate(sum(Sum::CacheHits), sum(Sum::CacheHits) + sum(Sum::CacheMisses)),
        Measured::Score(_) => None,
    }
}

const fn tokens(class: TokenClass, cell: &Cell) -> i64 {
    let sums = &cell.sums;
    match class {
        TokenClass::All => sums.get(Sum::Input).saturating_add(sums.get(Sum::Output)),
        TokenClass::Input => sums.get(Sum::Input),
        TokenClass::CachedInput => sums.get(Sum::CachedInput),
        TokenClass::CacheWrite => sums.get(Sum::CacheWrite),
        TokenClass::Output => sums.get(Sum::Output),
        TokenClass::Reasoning => sums.get(Sum::Reasoning),
        TokenClass::Audio => sums.get(Sum::Audio),
    }
}

/// The roll-up that knows all a report asks, and its whole buckets within the report's time: from one, to another
/// excluded. `None` when the calls themselves must be read.
fn whole_buckets(db: &Connection, report: &Report) -> rusqlite::Result<Option<(&'static Rollup, i64, i64)>> {
    let Some(rollup) = rollup_for(report) else { return Ok(None) };
    let mut extent = db.prepare_cached(EXTENT)?;
    let (oldest, newest): (Option<i64>, Option<i64>) =
        extent.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    // Where the time goes beyond all there is, it cuts nothing off.
    let from = if oldest.is_none_or(|oldest| report.from.micros() <= oldest) {
        i64::MIN / rollup.width_us
    } else {
        report.from.micros().saturating_add(rollup.width_us - 1).div_euclid(rollup.width_us)
    };
    let to = if newest.is_none_or(|newest| report.to.micros() > newest) {
        i64::MAX / rollup.width_us
    } else {
        report.to.micros().div_euclid(rollup.width_us)
    };
    Ok((from < to).then_some((rollup, from, to)))
}

fn rollup_for(report: &Report) -> Option<&'static Rollup> {
    let fits = |rollup: &&Rollup| {
        let width = u128::from(rollup.width_us.unsigned_abs());
        report.interval.is_none_or(|interval| interval.as_micros() > 0 && interval.as_micros() % width == 0)
            && report.group_by.iter().all(|group| groups_by(rollup, group))
            && filters_by(rollup, &report.filter)
    };
    let scored = report.measures.iter().any(|measure| matches!(measure, Measured::Score(_)));
    if scored || report.ended_within.is_some() {
        None
    } else {
        [&rollup::HOUR, &rollup::DAY].into_iter().find(fits)
    }
}

fn groups_by(rollup: &Rollup, group: &Group) -> bool {
    let column = match group {
        Group::Field(Field::Model) => Column::Model,
        Group::Field(Field::Provider) => Column::Provider,
        Group::Field(Field::Prompt) => Column::Prompt,
        Group::Field(Field::Label) => Column::PromptLabel,
        Group::Version => Column::PromptVersion,
        Group::Field(_) | Group::Status | Group::Node => return false,
    };
    rollup.dimensions.contains(&column)
}

fn filters_by(rollup: &Rollup, filter: &Filter) -> bool {
    let has = |column| rollup.dimensions.contains(&column);
    // A version's digest is not among the dimensions.
    let digest = |pattern: &Pattern| matches!(pattern, Pattern::Exactly(text) if text.contains("@sha256:"));
    filter.terms.iter().all(|term| match &term.test {
        Test::Is(Field::Provider, _) => has(Column::Provider),
        Test::Is(Field::Prompt, patterns) => has(Column::Prompt) && !patterns.iter().any(digest),
        Test::Is(Field::Label, _) => has(Column::PromptLabel),
        Test::Counts(Measure::Version, _) => has(Column::PromptVersion),
        Test::Is(..) | Test::Counts(..) | Test::Says(_) | Test::Scored(..) => false,
    })
}

#[cfg(test)]
mod tests;
