//! What numbers come to, and when hours, days and months begin.

use registry::alerts::{Comparison, Missing, Severity};

use super::*;

fn rule(condition: Condition) -> Rule {
    Rule {
        condition,
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

fn threshold(measure: &str, comparison: Comparison, value: f64) -> Condition {
    Condition::Threshold { measure: measure.into(), comparison, value, window_seconds: 300 }
}

fn changed(measure: &str, comparison: Comparison, value: f64, unit: Unit) -> Condition {
    Condition::Change { measure: measure.into(), comparison, value, unit, window_seconds: 300 }
}

fn cost(amount_usd: f64, at_percent: f64) -> Condition {
    Condition::Cost { amount_usd, per: Period::Day, at_percent }
}

/// The verdict on what was measured now and the while before.
fn verdict(rule: &Rule, now: Option<f64>, then: Option<f64>) -> Verdict {
    let numbers = |value| Numbers { calls: 20.0, value };
    Reading::of(rule).unwrap().see(Some(&numbers(now)), Some(&numbers(then))).verdict
}

#[test]
fn numbers_are_judged_by_the_kind_of_rule() {
    use Comparison::{Above, AtLeast, Below};
    use Verdict::{Fine, Holds, Nothing};
    let percent = |comparison, value| changed("latency_p95", comparison, value, Unit::Percent);
    for (condition, now, then, expected) in [
        (threshold("error_rate", Above, 0.1), Some(0.2), None, Holds),
        (threshold("error_rate", Above, 0.1), Some(0.1), None, Fine),
        (threshold("error_rate", Above, 0.1), None, None, Nothing),
        (threshold("calls", Below, 1.0), None, None, Holds),
        (percent(Above, 50.0), Some(1.6), Some(1.0), Holds),
        (percent(Above, 50.0), Some(1.4), Some(1.0), Fine),
        (percent(Below, -50.0), Some(0.4), Some(1.0), Holds),
        (percent(Above, 50.0), Some(1.6), None, Nothing),
        (percent(Above, 50.0), None, Some(1.0), Nothing),
        (changed("calls", AtLeast, 2.0, Unit::Factor), Some(20.0), Some(10.0), Holds),
        (changed("calls", AtLeast, 2.0, Unit::Factor), Some(20.0), Some(0.0), Nothing),
        (changed("calls", Below, 0.5, Unit::Factor), None, Some(10.0), Holds),
        (cost(10.0, 80.0), Some(8.0), None, Holds),
        (cost(10.0, 80.0), Some(7.99), None, Fine),
        (cost(10.0, 80.0), None, None, Fine),
    ] {
        let rule = rule(condition);
        assert_eq!(verdict(&rule, now, then), expected, "{:?} {now:?} {then:?}", rule.condition);
    }
}

#[test]
fn too_few_calls_say_nothing() {
    let few = Rule { min_calls: 21, ..rule(threshold("error_rate", Comparison::Above, 0.1)) };
    assert_eq!(verdict(&few, Some(1.0), None), Verdict::Nothing);
    let enough = Rule { min_calls: 20, ..few };
    assert_eq!(verdict(&enough, Some(1.0), None), Verdict::Holds);
}

#[test]
fn words_that_measure_nothing_are_refused_by_their_field() {
    let good = || rule(threshold("latency_p95", Comparison::Above, 2.0));
    let grouped = |word: &str| Rule { group_by: vec![word.to_owned()], ..good() };
    assert!(Reading::of(&grouped("metadata.tier")).is_ok());
    for (param, rule) in [
        ("condition.measure", rule(threshold("speed", Comparison::Above, 1.0))),
        ("group_by", grouped("colour")),
        ("q", Rule { q: "colour:red".into(), ..good() }),
    ] {
        let Err(refusal) = Reading::of(&rule) else { panic!("{param} was taken") };
        let body: serde_json::Value = serde_json::from_slice(&refusal.body()).unwrap();
        assert_eq!((refusal.status().as_u16(), body["error"]["param"].as_str()), (400, Some(param)));
    }
}

#[test]
fn hours_days_and_months_begin_where_the_calendar_says() {
    let began = |per, now: &str| began(per, now.parse().unwrap()).to_string();
    for (per, expected) in [
        (Period::Hour, "2028-02-29T13:00:00.000000Z"),
        (Period::Day, "2028-02-29T00:00:00.000000Z"),
        (Period::Month, "2028-02-01T00:00:00.000000Z"),
    ] {
        assert_eq!(began(per, "2028-02-29T13:59:59.999999Z"), expected);
        assert_eq!(began(per, expected), expected, "its first moment is its own");
    }
}
