//! From a rule's words to numbers: the reports it takes, and what they say of each group.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use analytics::filter::Filter;
use analytics::report::{Group, Measured, Report};
use analytics::{QueryError, Redaction, Store, query};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use registry::alerts::{Condition, GROUP_STATES, GroupState, GroupValues, Period, Rule, Unit};
use tokio::time::timeout;
use vocab::Time;

use super::judge::{Seen, Verdict};
use crate::refusal::{Kind, Refusal};

/// How long one report may take.
const REPORT_TIME: Duration = Duration::from_secs(20);
/// Windows up to this long count calls by when they ended, which is when they are recorded: a call that hangs began
/// long before, and would be in none of them. In longer windows that is little, and roll-ups serve them by starts.
const BY_END_MOST: Duration = Duration::from_hours(1);

/// The calls rules are about.
#[derive(Clone, Copy, Debug)]
pub struct Watched<'a> {
    /// Whose.
    pub project: &'a Arc<str>,
    /// By which names its users and sessions are stored.
    pub redaction: &'a Redaction,
    /// How long one may last.
    pub longest: Duration,
}

/// A rule whose words were understood.
pub struct Reading<'r> {
    rule: &'r Rule,
    filter: Filter,
    measured: Measured,
    group_by: Vec<Group>,
}

/// What was seen of a rule.
#[derive(Clone, Debug)]
pub struct Sight {
    /// Each group and what was measured.
    pub groups: BTreeMap<GroupValues, Seen>,
    /// What should be known about it.
    pub trouble: Option<String>,
}

/// What one report says of a group.
#[derive(Clone, Copy, Debug, Default)]
struct Numbers {
    calls: f64,
    value: Option<f64>,
}

type Found = BTreeMap<GroupValues, Numbers>;

impl<'r> Reading<'r> {
    /// Reads a rule's words; refuses those that name nothing.
    pub fn of(rule: &'r Rule) -> Result<Self, Refusal> {
        let refuse = |param: &'static str, error: &dyn std::fmt::Display| {
            Refusal::new(Kind::InvalidRequest, error.to_string()).param(param)
        };
        let measured =
            rule.condition.measure().parse().map_err(|error| refuse("condition.measure", &error))?;
        let groups = rule.group_by.iter().map(|word| word.parse::<Group>());
        let group_by = groups.collect::<Result<_, _>>().map_err(|error| refuse("group_by", &error))?;
        Ok(Self { rule, filter: query::parse(&rule.q)?, measured, group_by })
    }

    /// Measures, as of `now`.
    pub async fn take(
        &self,
        store: &dyn Store,
        watched: Watched<'_>,
        now: Time,
        before: &[GroupState],
    ) -> Result<Sight, QueryError> {
        let from = self.from(now);
        let (current, mut cut) = self.report(store, watched, [from, now]).await?;
        let earlier = match &self.rule.condition {
            Condition::Change { window_seconds, .. } => {
                let window = Duration::from_secs((*window_seconds).into());
                let (earlier, cut_too) = self.report(store, watched, [from.minus(window), from]).await?;
                cut |= cut_too;
                earlier
            }
            Condition::Threshold { .. } | Condition::Cost { .. } => Found::new(),
        };
        let mut groups = BTreeMap::new();
        let known = before.iter().map(|state| &state.group);
        for group in current.keys().chain(earlier.keys()).chain(known) {
            groups.entry(group.clone()).or_insert_with(|| self.see(current.get(group), earlier.get(group)));
        }
        if self.group_by.is_empty() {
            groups.entry(Vec::new()).or_insert_with(|| self.see(None, None));
        }
        let trouble =
            cut.then(|| format!("more than {GROUP_STATES} groups: those with the most calls are judged"));
        Ok(Sight { groups, trouble })
    }

    /// Since when the rule looks at calls.
    fn from(&self, now: Time) -> Time {
        match &self.rule.condition {
            Condition::Threshold { window_seconds, .. } | Condition::Change { window_seconds, .. } => {
                now.minus(Duration::from_secs((*window_seconds).into()))
            }
            Condition::Cost { per, .. } => began(*per, now),
        }
    }

    /// Whether calls count by when they ended.
    const fn counts_by_end(&self) -> bool {
        match &self.rule.condition {
            Condition::Threshold { window_seconds, .. } | Condition::Change { window_seconds, .. } => {
                *window_seconds as u64 <= BY_END_MOST.as_secs()
            }
            Condition::Cost { per, .. } => matches!(per, Period::Hour),
        }
    }

    async fn report(
        &self,
        store: &dyn Store,
        watched: Watched<'_>,
        [from, to]: [Time; 2],
    ) -> Result<(Found, bool), QueryError> {
        let mut filter = self.filter.clone();
        watched.redaction.seek(&mut filter);
        let report = Report {
            project: Some(Arc::clone(watched.project)),
            filter,
            from,
            to,
            ended_within: self.counts_by_end().then_some(watched.longest),
            measures: vec![Measured::Calls, self.measured.clone()],
            group_by: self.group_by.clone(),
            interval: None,
            limit: GROUP_STATES as u32,
        };
        let answered = timeout(REPORT_TIME, store.report(report)).await;
        let table = answered.unwrap_or(Err(QueryError::TooLong))?;
        if !table.complete {
            return Err(QueryError::TooLong);
        }
        let scale = scale(&self.measured);
        let found = table.rows.into_iter().map(|row| {
            let number = |at: usize| row.values.get(at).copied().flatten();
            let calls = number(0).unwrap_or_default();
            (row.group.clone(), Numbers { calls, value: number(1).map(|value| value * scale) })
        });
        Ok((found.collect(), table.truncated))
    }

    /// What the numbers of one group come to.
    fn see(&self, current: Option<&Numbers>, earlier: Option<&Numbers>) -> Seen {
        let current = self.value(current);
        match &self.rule.condition {
            Condition::Threshold { comparison, value, .. } => {
                let verdict = current.map(|measured| comparison.holds(measured, *value));
                Seen { value: current, reference: Some(*value), verdict: verdict.into() }
            }
            Condition::Change { comparison, value, unit, .. } => {
                let earlier = self.value(earlier);
                let change = current.zip(earlier).and_then(|(now, then)| change(*unit, now, then));
                let verdict = change.map(|change| comparison.holds(change, *value));
                Seen { value: current, reference: earlier, verdict: verdict.into() }
            }
            Condition::Cost { amount_usd, at_percent, .. } => {
                let amount = amount_usd * at_percent / 100.0;
                let verdict = current.map(|spent| spent >= amount);
                Seen { value: current, reference: Some(amount), verdict: verdict.into() }
            }
        }
    }

    /// A group's value: what counts things counts none where there are no calls, everything else says nothing.
    fn value(&self, numbers: Option<&Numbers>) -> Option<f64> {
        let numbers = numbers.copied().unwrap_or_default();
        if numbers.calls < self.rule.min_calls as f64 {
            return None;
        }
        numbers.value.or_else(|| counts(&self.measured).then_some(0.0))
    }
}

impl From<Option<bool>> for Verdict {
    fn from(holds: Option<bool>) -> Self {
        match holds {
            Some(true) => Self::Holds,
            Some(false) => Self::Fine,
            None => Self::Nothing,
        }
    }
}

/// Whether a measure counts something, so that nothing at all is 0.
const fn counts(measured: &Measured) -> bool {
    match measured {
        Measured::Calls | Measured::Errors | Measured::Cost | Measured::Unpriced | Measured::Tokens(_) => {
            true
        }
        Measured::ErrorRate
        | Measured::Latency(_)
        | Measured::Ttft(_)
        | Measured::CacheHitRate
        | Measured::Score(_) => false,
    }
}

/// From the store's units to those of rules, which are those of search text: dollars and seconds.
const fn scale(measured: &Measured) -> f64 {
    match measured {
        Measured::Cost => 1e-9,
        Measured::Latency(_) | Measured::Ttft(_) => 1e-6,
        Measured::Calls
        | Measured::Errors
        | Measured::ErrorRate
        | Measured::Unpriced
        | Measured::Tokens(_)
        | Measured::CacheHitRate
        | Measured::Score(_) => 1.0,
    }
}

/// How much `now` differs from `then`; nothing can be said of a change from 0.
pub(super) fn change(unit: Unit, now: f64, then: f64) -> Option<f64> {
    if then == 0.0 {
        return None;
    }
    Some(match unit {
        Unit::Percent => (now - then) / then * 100.0,
        Unit::Factor => now / then,
    })
}

/// When the present hour, day or month began, UTC.
fn began(per: Period, now: Time) -> Time {
    let full = |hours: u64| {
        let micros = i64::try_from(Duration::from_hours(hours).as_micros()).unwrap_or(i64::MAX);
        Time(now.micros() - now.micros().rem_euclid(micros))
    };
    match per {
        Period::Hour => full(1),
        Period::Day => full(24),
        Period::Month => {
            let first = Timestamp::from_microsecond(now.micros())
                .and_then(|now| now.to_zoned(TimeZone::UTC).date().first_of_month().to_zoned(TimeZone::UTC));
            first.map_or(now, |first| Time(first.timestamp().as_microsecond()))
        }
    }
}

#[cfg(test)]
mod tests;
