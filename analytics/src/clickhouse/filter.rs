//! A filter as the conditions of a statement, with the very meaning it has in the embedded store.
//!
//! Which index helps: `word_seen` (bloom filter over `words`) for exact users, sessions, tags, metadata and
//! variables; `trace_seen` and `id_seen`; `status_seen` (set); `duration_within` and `cost_within` (minmax);
//! `said_grams` for text. Every other field is a dictionary-coded column of few values, read at some hundred
//! million rows a second; lists go backwards along the key and stop when they are full.

pub(super) mod words;

use super::scores::FIRST_OF_EACH;
use super::sql::Sql;
use crate::filter::{Bound, Comparison, Filter, Measure, Pattern, SCORE_UNIT, Term, Test};
use crate::folding;

/// What calls must match: their columns, and what was said in them.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions {
    /// ` AND …` for each term about columns.
    pub(super) columns: Sql,
    /// ` AND …` for each text that must have been said.
    pub(super) says: Sql,
    /// Texts that must not have been said, as patterns.
    pub(super) says_not: Vec<String>,
}

impl Conditions {
    /// The conditions of `filter`; scores are those of `project`.
    pub(super) fn of(filter: &Filter, project: Option<&str>) -> Self {
        let mut conditions = Self::default();
        filter.terms.iter().for_each(|term| conditions.add(term, project));
        conditions
    }

    /// Whether what was said must be looked at.
    pub(super) fn needs_texts(&self) -> bool {
        !self.says.is_empty() || !self.says_not.is_empty()
    }

    /// Whether nothing matters but that texts were said.
    pub(super) fn are_said_only(&self) -> bool {
        !self.says.is_empty() && self.columns.is_empty() && self.says_not.is_empty()
    }

    fn add(&mut self, term: &Term, project: Option<&str>) {
        let condition = match &term.test {
            Test::Says(text) => return self.add_text(text, term.negated),
            Test::Is(field, patterns) => {
                let patterns: Vec<_> = patterns.iter().map(folded).collect();
                any(patterns.iter().map(|pattern| words::is(field, pattern)))
            }
            Test::Counts(measure, bounds) => any(bounds.iter().map(|bound| counts(*measure, bound))),
            Test::Scored(name, bounds) => scored(project, name, bounds),
        };
        // The opposite also holds for calls that lack the field, where the condition is null.
        let (open, close) = if term.negated { (" AND NOT ifNull(", ", 0)") } else { (" AND ", "") };
        self.columns.push(open).append(&condition).push(close);
    }

    fn add_text(&mut self, text: &str, negated: bool) {
        let pattern = containing(&folding::fold(text));
        if negated {
            self.says_not.push(pattern);
        } else {
            self.says.push(" AND said LIKE ").text(pattern);
        }
    }
}

/// One of the conditions holds.
pub(super) fn any(conditions: impl Iterator<Item = Sql>) -> Sql {
    let mut sql = Sql::new("(");
    for (n, condition) in conditions.enumerate() {
        sql.push(if n > 0 { " OR " } else { "" }).append(&condition);
    }
    sql.push(")");
    sql
}

pub(super) fn folded(pattern: &Pattern) -> Pattern {
    match pattern {
        Pattern::Exactly(word) => Pattern::Exactly(folding::fold(word)),
        Pattern::StartsWith(start) => Pattern::StartsWith(folding::fold(start)),
    }
}

/// A `LIKE` pattern for whatever contains `text`.
fn containing(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// A measure as a number, and whether there is one; unknown numbers are null, or what `known` rules out.
const fn measured(measure: Measure) -> (&'static str, &'static str) {
    match measure {
        Measure::Status => ("status", "1"),
        Measure::Version => ("prompt_version", "prompt_version != 0"),
        Measure::Cost => ("cost_nanousd", "isNotNull(cost_nanousd)"),
        Measure::Latency => ("duration_us", "1"),
        Measure::Ttft => ("ttft_us", "isNotNull(ttft_us)"),
        Measure::Tokens => (
            "(ifNull(input_tokens, 0) + ifNull(output_tokens, 0))",
            "(isNotNull(input_tokens) OR isNotNull(output_tokens))",
        ),
        Measure::InputTokens => ("input_tokens", "isNotNull(input_tokens)"),
        Measure::OutputTokens => ("output_tokens", "isNotNull(output_tokens)"),
    }
}

pub(super) fn counts(measure: Measure, bound: &Bound) -> Sql {
    let (number, known) = measured(measure);
    let mut sql = Sql::new(known);
    match bound {
        Bound::StartsWith(digits) if digits.is_empty() => {}
        Bound::StartsWith(digits) => {
            sql.push(" AND startsWith(toString(").push(number).push("), ").text(digits).push(")");
        }
        Bound::Compares(comparison, limit) => {
            sql.push(" AND ").push(number).push(sign(*comparison)).int(*limit);
        }
    }
    sql
}

const fn sign(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => " = ",
        Comparison::Less => " < ",
        Comparison::AtMost => " <= ",
        Comparison::More => " > ",
        Comparison::AtLeast => " >= ",
    }
}

/// The most scores of one name a filter takes into account: the newest.
const SCORES: i64 = 1_000_000;

/// A score of some name lies within one of these: the call's own, its trace's or its session's. There are far fewer
/// scores than calls, so they are looked up first.
fn scored(project: Option<&str>, name: &str, bounds: &[Bound]) -> Sql {
    let of = |kind: &'static str, target: &'static str| {
        let mut sql = Sql::new("(SELECT ");
        sql.push(target).push(" FROM (SELECT target, value FROM (SELECT id, target, value, at FROM scores");
        sql.push(" WHERE name = ").text(name);
        if let Some(project) = project {
            sql.push(" AND project = ").text(project);
        }
        sql.push(" AND target_kind = '").push(kind).push("'").push(FIRST_OF_EACH);
        sql.push(") ORDER BY at DESC LIMIT ").int(SCORES).push(") WHERE ");
        sql.append(&any(bounds.iter().map(valued))).push(")");
        sql
    };
    let mut sql = Sql::new("(id IN ");
    sql.append(&of("call", "toUUID(target)"));
    sql.push(" OR trace_id IN ").append(&of("trace", "toFixedString(unhex(target), 16)"));
    sql.push(" OR (session != '' AND session IN ").append(&of("session", "target")).push("))");
    sql
}

fn valued(bound: &Bound) -> Sql {
    match bound {
        Bound::Compares(comparison, number) => {
            let mut sql = Sql::new("value");
            sql.push(sign(*comparison)).real(*number as f64 / SCORE_UNIT);
            sql
        }
        Bound::StartsWith(_) => Sql::new("1"),
    }
}

#[cfg(test)]
mod tests;
