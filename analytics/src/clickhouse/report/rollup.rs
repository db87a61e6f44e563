//! Reports out of the roll-ups by minute: a few thousand rows instead of as many calls as there were.
//!
//! Served by the roll-ups' keys, which begin with project and minute. A report's first and last moments need not be
//! whole minutes: what is left over is read from the calls, in the same shape.

use vocab::Time;

use super::measures::{self, ALL, CALLS, Piece, of_rollup};
use super::{begin, end, scope};
use crate::clickhouse::filter::{any, counts, folded, words};
use crate::clickhouse::scope::moment;
use crate::clickhouse::sql::Sql;
use crate::filter::{Field, Measure, Pattern, Term, Test};
use crate::report::{Group, Measured, Report};
use vocab::Id;
use vocab::id::Prompt;

/// Microseconds of a minute.
const MINUTE: i64 = 60_000_000;

/// A roll-up that has all a report asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::clickhouse) enum Rollup {
    Model,
    Prompt,
}

impl Rollup {
    /// The roll-up that serves a report, if one does.
    pub(super) fn serving(report: &Report) -> Option<Self> {
        let whole = report.interval.is_none_or(|interval| interval.as_micros() % MINUTE as u128 == 0);
        let measured = report.measures.iter().all(|measure| !matches!(measure, Measured::Score(_)));
        [Self::Model, Self::Prompt].into_iter().find(|rollup| {
            whole
                && measured
                && report.ended_within.is_none()
                && report.group_by.iter().all(|group| rollup.keeps(group))
                && report.filter.terms.iter().all(|term| rollup.condition(term).is_some())
        })
    }

    pub(in crate::clickhouse) const fn table(self) -> &'static str {
        match self {
            Self::Model => "calls_by_model",
            Self::Prompt => "calls_by_prompt",
        }
    }

    /// What it is kept by, besides project and minute.
    const fn dimensions(self) -> &'static str {
        match self {
            Self::Model => "provider, model, outcome",
            Self::Prompt => "prompt, prompt_version, prompt_label, experiment, arm",
        }
    }

    fn keeps(self, group: &Group) -> bool {
        match self {
            Self::Model => {
                matches!(group, Group::Field(Field::Provider | Field::Model | Field::Outcome))
            }
            Self::Prompt => matches!(
                group,
                Group::Version | Group::Field(Field::Prompt | Field::Label | Field::Experiment | Field::Arm)
            ),
        }
    }

    /// A term as a condition on its rows; `None` when they do not tell. `model:` is none, because it also means
    /// the model that was requested.
    fn condition(self, term: &Term) -> Option<Sql> {
        let holds = match (self, &term.test) {
            (Self::Model, Test::Is(field @ (Field::Provider | Field::Outcome), patterns))
            | (Self::Prompt, Test::Is(field @ (Field::Label | Field::Experiment | Field::Arm), patterns)) => {
                any(patterns.iter().map(|pattern| words::is(field, &folded(pattern))))
            }
            (Self::Prompt, Test::Is(Field::Prompt, patterns)) if patterns.iter().all(is_name) => {
                any(patterns.iter().map(|pattern| words::prompt(&["prompt"], &folded(pattern))))
            }
            (Self::Prompt, Test::Counts(Measure::Version, bounds)) => {
                any(bounds.iter().map(|bound| counts(Measure::Version, bound)))
            }
            _ => return None,
        };
        let mut sql = Sql::new(if term.negated { " AND NOT ifNull(" } else { " AND ifNull(" });
        sql.append(&holds).push(", 0)");
        Some(sql)
    }

    /// The statement that answers a report.
    pub(super) fn statement(self, report: &Report) -> Sql {
        let from = Time(
            report.from.0.div_euclid(MINUTE) * MINUTE
                + if report.from.0.rem_euclid(MINUTE) > 0 { MINUTE } else { 0 },
        );
        let to = Time(report.to.0.div_euclid(MINUTE) * MINUTE);
        let mut sql = begin(report, "at", "sum(calls)", of_rollup);
        sql.push(" FROM (");
        if from < to {
            self.minutes(&mut sql, report, from, to);
            for (from, to) in [(report.from, from), (to, report.to)] {
                if from < to {
                    sql.push(" UNION ALL ");
                    self.moments(&mut sql, report, from, to);
                }
            }
        } else {
            self.moments(&mut sql, report, report.from, report.to);
        }
        sql.push(")");
        end(&mut sql, report);
        sql
    }

    /// Whole minutes, out of the roll-up.
    fn minutes(self, sql: &mut Sql, report: &Report, from: Time, to: Time) {
        sql.push("SELECT toInt64(toUnixTimestamp(minute)) * 1000000 AS at, ").push(self.dimensions());
        for (name, _) in pieces(report) {
            sql.push(", ").push(name);
        }
        sql.push(" FROM ").push(self.table()).push(" WHERE ");
        if let Some(project) = &report.project {
            sql.push("project = ").text(&**project).push(" AND ");
        }
        sql.push("minute >= toDateTime(");
        moment(sql, from.0).push(", 'UTC') AND minute < toDateTime(");
        moment(sql, to.0).push(", 'UTC')");
        self.conditions(sql, report);
    }

    /// Less than a minute, out of the calls.
    fn moments(self, sql: &mut Sql, report: &Report, from: Time, to: Time) {
        sql.push("SELECT toInt64(toUnixTimestamp(toStartOfMinute(c.started_at))) * 1000000 AS at, ");
        sql.push(self.dimensions());
        for (name, of_calls) in pieces(report) {
            sql.push(", ").push(of_calls).push(" AS ").push(name);
        }
        sql.push(" FROM calls AS c WHERE ").append(&scope(report, from, to).calls());
        self.conditions(sql, report);
        sql.push(" GROUP BY at, ").push(self.dimensions());
    }

    fn conditions(self, sql: &mut Sql, report: &Report) {
        for condition in report.filter.terms.iter().filter_map(|term| self.condition(term)) {
            sql.append(&condition);
        }
    }
}

/// A statement that sums up calls (`c`) into a roll-up again, just as its feed does.
pub(in crate::clickhouse) fn refill(rollup: Rollup, calls: &Sql) -> Sql {
    let mut sql = Sql::new("INSERT INTO ");
    sql.push(rollup.table()).push(" (project, minute, ").push(rollup.dimensions());
    for (name, _) in ALL {
        sql.push(", ").push(name);
    }
    sql.push(") SELECT project, toStartOfMinute(c.started_at) AS minute, ").push(rollup.dimensions());
    for (name, of_calls) in ALL {
        sql.push(", ").push(of_calls).push(" AS ").push(name);
    }
    sql.push(" FROM calls AS c WHERE ").append(calls).push(" GROUP BY project, minute, ");
    sql.push(rollup.dimensions());
    sql
}

/// The columns a report needs of a roll-up, each once.
fn pieces(report: &Report) -> Vec<Piece> {
    let mut pieces = vec![CALLS];
    for piece in report.measures.iter().flat_map(|measure| measures::pieces(measure)) {
        if !pieces.contains(piece) {
            pieces.push(*piece);
        }
    }
    pieces
}

/// Whether a pattern can only mean a prompt's name: not its id, nor a digest.
fn is_name(pattern: &Pattern) -> bool {
    match pattern {
        Pattern::Exactly(text) => {
            let (name, selector) = text.rsplit_once('@').unwrap_or((text, ""));
            name.parse::<Id<Prompt>>().is_err() && !selector.starts_with("sha256:")
        }
        Pattern::StartsWith(start) => start.is_empty(),
    }
}
