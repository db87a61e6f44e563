//! Decides how a rule stands and who is told: a function of what stood before, what was seen, and the time.

use std::collections::BTreeMap;
use std::time::Duration;

use registry::alerts::{AlertState, GroupState, GroupValues, Missing, Rule, Turn};
use vocab::{Id, Time};

/// The most groups whose state is kept, those without calls included.
const STATES: usize = 2 * registry::alerts::GROUP_STATES;

/// What was seen of one group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// What was measured.
    pub value: Option<f64>,
    /// What it was compared with.
    pub reference: Option<f64>,
    /// Whether the condition holds.
    pub verdict: Verdict,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Holds,
    /// It does not.
    Fine,
    /// There is nothing to judge.
    Nothing,
}

/// What came of judging.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Judged {
    pub(super) states: Vec<GroupState>,
    pub(super) turns: Vec<Turn>,
    pub(super) notices: Vec<Notice>,
}

/// Something to tell.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Notice {
    pub(super) news: News,
    /// How the group stands now.
    pub(super) state: GroupState,
}

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// It fires.
    Fires,
    /// It still does.
    StillFires,
    /// It is over.
    IsOver,
}

/// Judges every group that was seen.
pub(super) fn judge(
    rule: &Rule,
    muted: bool,
    before: &[GroupState],
    seen: &BTreeMap<GroupValues, Seen>,
    now: Time,
) -> Judged {
    let mut judged = Judged::default();
    let before: Vec<_> = before.iter().map(|state| not_ahead(state, now)).collect();
    for (group, seen) in seen {
        let was = before.iter().find(|state| state.group == *group);
        let mut state = next(rule, was, group, seen, now);
        if let Some(news) = tell(rule, muted, &mut state, now) {
            judged.notices.push(Notice { news, state: state.clone() });
        }
        judged.keep(was, state, rule);
    }
    judged.states.truncate(STATES);
    judged
}

/// What is left to say when nothing could be measured: every group is in error, and nobody is told, since what was
/// the case may still be.
pub(super) fn give_up(rule: &Rule, before: &[GroupState], now: Time) -> Judged {
    let mut judged = Judged::default();
    let fresh = || GroupState {
        group: Vec::new(),
        state: AlertState::Error,
        since: now,
        value: None,
        reference: None,
        fine_since: None,
        announced: false,
        told_at: None,
    };
    if before.is_empty() && rule.group_by.is_empty() {
        judged.keep(None, fresh(), rule);
    }
    for was in before {
        let since = if was.state == AlertState::Error { was.since } else { now };
        let state = GroupState { state: AlertState::Error, since, ..was.clone() };
        judged.keep(Some(was), state, rule);
    }
    judged
}

/// How a group stands now.
fn next(rule: &Rule, was: Option<&GroupState>, group: &GroupValues, seen: &Seen, now: Time) -> GroupState {
    // What could not be judged for a while goes on as it was told.
    let fires = was.is_some_and(|was| {
        was.state == AlertState::Firing || (was.state == AlertState::Error && was.announced)
    });
    let fine_since = was.and_then(|was| was.fine_since);
    let (state, fine_since) = match (seen.verdict, rule.missing) {
        (Verdict::Holds, _) | (Verdict::Nothing, Missing::Fire) => (holding(rule, was, fires, now), None),
        (Verdict::Fine, _) if fires => recovering(rule, fine_since, now),
        (Verdict::Fine, _) => (AlertState::Ok, None),
        (Verdict::Nothing, Missing::Keep) if fires => (AlertState::Firing, fine_since),
        (Verdict::Nothing, Missing::Keep) if was.is_some_and(|was| was.state == AlertState::Pending) => {
            (AlertState::Pending, None)
        }
        (Verdict::Nothing, Missing::Keep | Missing::Ok) => (AlertState::NoData, None),
    };
    let since = was.filter(|was| was.state == state).map_or(now, |was| was.since);
    GroupState {
        group: group.clone(),
        state,
        since,
        value: seen.value,
        reference: seen.reference,
        fine_since,
        announced: was.is_some_and(|was| was.announced),
        told_at: was.and_then(|was| was.told_at),
    }
}

/// The condition holds: pending until it has for long enough.
fn holding(rule: &Rule, was: Option<&GroupState>, fires: bool, now: Time) -> AlertState {
    let pending = was.filter(|was| was.state == AlertState::Pending);
    let since = pending.map_or(now, |was| was.since);
    if fires || passed(since, rule.for_seconds, now) { AlertState::Firing } else { AlertState::Pending }
}

/// It fired and the condition no longer holds: over once that has lasted for long enough.
fn recovering(rule: &Rule, fine_since: Option<Time>, now: Time) -> (AlertState, Option<Time>) {
    let since = fine_since.unwrap_or(now);
    if passed(since, rule.recover_seconds, now) {
        (AlertState::Ok, None)
    } else {
        (AlertState::Firing, Some(since))
    }
}

/// What is to be told of a group, noted in its state: each end of a firing once, and reminders between.
fn tell(rule: &Rule, muted: bool, state: &mut GroupState, now: Time) -> Option<News> {
    if muted {
        return None;
    }
    let news = match (state.state == AlertState::Firing, state.announced) {
        (true, false) => News::Fires,
        (true, true) => {
            let told_at = state.told_at.unwrap_or(state.since);
            rule.renotify_seconds.filter(|seconds| passed(told_at, *seconds, now))?;
            News::StillFires
        }
        (false, true) => News::IsOver,
        (false, false) => return None,
    };
    state.announced = news != News::IsOver;
    state.told_at = state.announced.then_some(now);
    Some(news)
}

impl Judged {
    /// Keeps a state and what changed.
    fn keep(&mut self, was: Option<&GroupState>, state: GroupState, rule: &Rule) {
        let is_well = matches!(state.state, AlertState::Ok | AlertState::NoData);
        let from = was.map(|was| was.state);
        // A group that is seen for the first time and is well is no news.
        if from != Some(state.state) && !(from.is_none() && is_well) {
            self.turns.push(Turn {
                id: Id::at(state.since),
                group: state.group.clone(),
                from,
                to: state.state,
                value: state.value,
                reference: state.reference,
                at: state.since,
            });
        }
        // A group that is well and has no calls any more is forgotten: values come and go.
        let is_idle = state.value.is_none_or(|value| value == 0.0);
        let forgotten = is_well && is_idle && !state.announced && !rule.group_by.is_empty();
        if !forgotten {
            self.states.push(state);
        }
    }
}

/// A state as of now at the latest: what a clock that was wrong put into the future would hold for as long.
fn not_ahead(state: &GroupState, now: Time) -> GroupState {
    let sooner = |time: Time| time.min(now);
    GroupState {
        since: sooner(state.since),
        fine_since: state.fine_since.map(sooner),
        told_at: state.told_at.map(sooner),
        ..state.clone()
    }
}

/// Whether so many seconds lie between two times. A clock that was set back makes it wait, not fire.
fn passed(since: Time, seconds: u32, now: Time) -> bool {
    now >= since.plus(Duration::from_secs(seconds.into()))
}

#[cfg(test)]
mod tests;
