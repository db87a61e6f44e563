//! Each case is a row of minutes: what was seen in each, and what came of it.

use registry::alerts::{Comparison, Condition, Severity};

use super::*;

const START: Time = Time(1_800_000_000_000_000);

fn rule() -> Rule {
    Rule {
        condition: Condition::Threshold {
            measure: "error_rate".into(),
            comparison: Comparison::Above,
            value: 0.1,
            window_seconds: 300,
        },
        q: String::new(),
        group_by: Vec::new(),
        min_calls: 0,
        for_seconds: 0,
        recover_seconds: 0,
        missing: Missing::Ok,
        severity: Severity::Warning,
        notify: Vec::new(),
        renotify_seconds: None,
    }
}

fn at(minute: usize) -> Time {
    START.plus(Duration::from_mins(minute as u64))
}

/// `!` the condition holds, `.` it does not, `?` nothing to judge, `m!` and so on: while muted.
fn seen(sign: &str) -> Seen {
    let (value, verdict) = match sign.trim_start_matches('m') {
        "!" => (Some(0.5), Verdict::Holds),
        "." => (Some(0.05), Verdict::Fine),
        "?" => (None, Verdict::Nothing),
        other => panic!("no such sign: {other}"),
    };
    Seen { value, reference: Some(0.1), verdict }
}

/// Lets minutes pass; what each came to: the state, `+` when somebody was told that it fires, `~` again, `-` that it is
/// over.
fn run(rule: &Rule, minutes: &str) -> String {
    let mut states = Vec::new();
    let mut out = Vec::new();
    for (minute, sign) in minutes.split_whitespace().enumerate() {
        let now = at(minute);
        let judged = if sign == "x" {
            give_up(rule, &states, now)
        } else {
            let seen = BTreeMap::from([(Vec::new(), seen(sign))]);
            judge(rule, sign.starts_with('m'), &states, &seen, now)
        };
        let told: String = judged.notices.iter().map(|notice| sign_of(notice.news)).collect();
        out.push(format!("{}{told}", judged.states.first().map_or("gone", |state| state.state.as_str())));
        states = judged.states;
    }
    out.join(" ")
}

fn sign_of(news: News) -> char {
    match news {
        News::Fires => '+',
        News::StillFires => '~',
        News::IsOver => '-',
    }
}

#[test]
fn a_condition_fires_once_and_is_over_once() {
    assert_eq!(run(&rule(), ". ! ! . ."), "ok firing+ firing ok- ok");
}

#[test]
fn it_must_hold_for_as_long_as_the_rule_says() {
    let rule = Rule { for_seconds: 120, ..rule() };
    assert_eq!(run(&rule, "! ! ! ! ."), "pending pending firing+ firing ok-");
    assert_eq!(run(&rule, "! ! . ! ! !"), "pending pending ok pending pending firing+", "each time anew");
}

#[test]
fn what_flaps_faster_than_it_must_hold_tells_nobody() {
    let rule = Rule { for_seconds: 120, ..rule() };
    assert_eq!(run(&rule, "! . ! . ! ."), "pending ok pending ok pending ok");
}

#[test]
fn what_flaps_while_it_fires_is_one_firing_if_the_rule_lets_it_recover_slowly() {
    let rule = Rule { recover_seconds: 120, ..rule() };
    assert_eq!(
        run(&rule, "! . ! . . ! . . ."),
        "firing+ firing firing firing firing firing firing firing ok-"
    );
}

#[test]
fn reminders_come_at_their_interval_and_not_before() {
    let rule = Rule { renotify_seconds: Some(180), ..rule() };
    assert_eq!(run(&rule, "! ! ! ! ! ! ! ."), "firing+ firing firing firing~ firing firing firing~ ok-");
}

#[test]
fn nothing_to_judge_means_what_the_rule_says() {
    let with = |missing| Rule { missing, ..rule() };
    assert_eq!(run(&with(Missing::Ok), "! ? . ?"), "firing+ no_data- ok no_data");
    assert_eq!(run(&with(Missing::Keep), "? ! ? ."), "no_data firing+ firing ok-");
    assert_eq!(run(&with(Missing::Fire), ". ? ."), "ok firing+ ok-");
    let slow = Rule { for_seconds: 120, ..with(Missing::Keep) };
    assert_eq!(run(&slow, "! ? !"), "pending pending firing+", "it has been pending all the time");
    let slow = Rule { for_seconds: 120, ..with(Missing::Fire) };
    assert_eq!(run(&slow, "? ? ?"), "pending pending firing+");
}

#[test]
fn while_nothing_can_be_measured_nobody_is_told_and_nothing_is_forgotten() {
    assert_eq!(run(&rule(), "! x x ! ."), "firing+ error error firing ok-");
    assert_eq!(run(&rule(), "! x ."), "firing+ error ok-");
    assert_eq!(run(&rule(), "x x ."), "error error ok");
    let slow = Rule { for_seconds: 60, ..rule() };
    assert_eq!(run(&slow, "! x ! !"), "pending error pending firing+", "it must hold anew");
    assert_eq!(run(&Rule { recover_seconds: 60, ..rule() }, "! x . ."), "firing+ error firing ok-");
}

#[test]
fn a_muted_rule_is_judged_and_what_it_did_not_tell_comes_after() {
    assert_eq!(run(&rule(), "m! m! ! ."), "firing firing firing+ ok-");
    assert_eq!(run(&rule(), "m! m. ."), "firing ok ok", "what nobody heard of needs no end");
    assert_eq!(run(&rule(), "! m. m. ."), "firing+ ok ok ok-");
    let reminding = Rule { renotify_seconds: Some(60), ..rule() };
    assert_eq!(run(&reminding, "! m! m! !"), "firing+ firing firing firing~");
}

#[test]
fn each_group_stands_for_itself() {
    let rule = Rule { group_by: vec!["model".into()], ..rule() };
    let group = |name: &str| vec![Some(name.to_owned())];
    let judge = |before: &[GroupState], seen_of: &[(&str, &str)], minute| {
        let seen = seen_of.iter().map(|(name, sign)| (group(name), seen(sign))).collect();
        judge(&rule, false, before, &seen, at(minute))
    };
    let first = judge(&[], &[("a", "!"), ("b", "."), ("c", "?")], 0);
    let states: Vec<_> = first.states.iter().map(|state| (state.group[0].as_deref(), state.state)).collect();
    assert_eq!(
        states,
        [(Some("a"), AlertState::Firing), (Some("b"), AlertState::Ok)],
        "c has nothing to keep"
    );
    assert_eq!(first.notices.len(), 1);
    let second = judge(&first.states, &[("a", "!"), ("b", "!")], 1);
    assert_eq!(second.notices.iter().map(|it| it.state.group.clone()).collect::<Vec<_>>(), [group("b")]);
    // Calls of both ended: what fired is over, and both are forgotten.
    let third = judge(&second.states, &[("a", "?"), ("b", "?")], 2);
    assert_eq!((third.states.len(), third.notices.len(), third.turns.len()), (0, 2, 2));
}

#[test]
fn the_history_has_every_turn_and_no_standing_still() {
    use AlertState::{Firing, Ok, Pending};
    let rule = Rule { for_seconds: 60, ..rule() };
    let mut states = Vec::new();
    let mut turns = Vec::new();
    for (minute, sign) in [".", "!", "!", "!", ".", "."].iter().enumerate() {
        let judged = judge(&rule, false, &states, &BTreeMap::from([(Vec::new(), seen(sign))]), at(minute));
        turns.extend(judged.turns.into_iter().map(|turn| (turn.from, turn.to, turn.at)));
        states = judged.states;
    }
    let expected = [(Some(Ok), Pending, at(1)), (Some(Pending), Firing, at(2)), (Some(Firing), Ok, at(4))];
    assert_eq!(turns, expected);
}

#[test]
fn a_clock_that_is_set_back_tells_nobody_anything() {
    let rule = Rule { for_seconds: 60, renotify_seconds: Some(300), ..rule() };
    let one = BTreeMap::from([(Vec::new(), seen("!"))]);
    let first = judge(&rule, false, &[], &one, at(10));
    let back = judge(&rule, false, &first.states, &one, at(0));
    assert_eq!((back.states[0].state, back.notices.len()), (AlertState::Pending, 0));
    let fires = judge(&rule, false, &back.states, &one, at(11));
    let back = judge(&rule, false, &fires.states, &one, at(0));
    assert_eq!((fires.notices.len(), back.notices.len()), (1, 0));
}

#[test]
fn groups_are_bounded() {
    let rule = Rule { group_by: vec!["user".into()], ..rule() };
    let many = (0..1_000).map(|user| (vec![Some(user.to_string())], seen("!"))).collect();
    assert_eq!(judge(&rule, false, &[], &many, START).states.len(), STATES);
}

#[test]
fn a_clock_that_was_wrong_for_a_while_makes_nothing_wait_for_its_time() {
    let rule = Rule { for_seconds: 120, renotify_seconds: Some(300), ..rule() };
    let holds = BTreeMap::from([(Vec::new(), seen("!"))]);
    let ahead = judge(&rule, false, &[], &holds, at(60 * 24)).states;
    let back = judge(&rule, false, &ahead, &holds, at(0)).states;
    assert_eq!(back[0].state, AlertState::Pending);
    let fires = judge(&rule, false, &back, &holds, at(2));
    assert_eq!((fires.states[0].state, fires.notices.len()), (AlertState::Firing, 1));
    let told_ahead = GroupState { told_at: Some(at(60 * 24)), ..fires.states[0].clone() };
    let back = judge(&rule, false, &[told_ahead], &holds, at(3)).states;
    let told = |minute| judge(&rule, false, &back, &holds, at(minute)).notices.len();
    assert_eq!((told(7), told(8)), (0, 1), "it was told as of minute 3");
}
