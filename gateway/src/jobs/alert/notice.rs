//! What is told of an alert: an event with one line for people, and everything else for programs.

use registry::Alert;
use registry::alerts::{Comparison, Condition, Rule, Unit};
use registry::webhooks::Event;
use serde_json::{Map, Value, json};
use vocab::{Id, Time};

use super::judge::{News, Notice};
use super::reading::change;

/// The longest value of a group in the line for people, in characters.
const GROUP_CHARS: usize = 100;

/// The event of a notice.
pub(super) fn event(alert: &Alert, notice: &Notice, at: Time) -> Event {
    let (id, kind) = (Id::at(at), kind(notice.news));
    let state = &notice.state;
    let body = json!({
        "id": id,
        "type": kind,
        "project": alert.project,
        "created_at": at,
        "summary": summary(alert, notice),
        "data": {
            "alert": {"id": alert.id, "name": alert.name, "severity": alert.rule.severity},
            "condition": alert.rule.condition,
            "q": alert.rule.q,
            "group": group(&alert.rule, &state.group),
            "state": state.state,
            "since": state.since,
            "value": state.value,
            "reference": state.reference,
            "reminder": notice.news == News::StillFires,
        },
    });
    Event { id, project: alert.project.clone(), kind: kind.into(), body: body.to_string().into() }
}

const fn kind(news: News) -> &'static str {
    match news {
        News::Fires | News::StillFires => "alert.firing",
        News::IsOver => "alert.resolved",
    }
}

/// The values by the fields they are of.
fn group(rule: &Rule, values: &[Option<String>]) -> Map<String, Value> {
    rule.group_by.iter().cloned().zip(values.iter().map(|value| json!(value))).collect()
}

/// One line: what is the case, where, and how far beyond what was allowed.
fn summary(alert: &Alert, notice: &Notice) -> String {
    let (name, severity) = (&alert.name, alert.rule.severity);
    let place = place(&alert.rule, &notice.state.group);
    let what = match notice.news {
        News::Fires => format!("[{severity}] {name} fires{place}"),
        News::StillFires => format!("[{severity}] {name} still fires{place}"),
        News::IsOver => format!("[resolved] {name} is over{place}"),
    };
    format!("{what}: {}", numbers(&alert.rule.condition, notice.state.value, notice.state.reference))
}

fn place(rule: &Rule, values: &[Option<String>]) -> String {
    let pairs = rule.group_by.iter().zip(values).map(|(field, value)| {
        let value: String = value.as_deref().unwrap_or("none").chars().take(GROUP_CHARS).collect();
        format!("{field} {value}")
    });
    let pairs: Vec<_> = pairs.collect();
    if pairs.is_empty() { String::new() } else { format!(" for {}", pairs.join(", ")) }
}

fn numbers(condition: &Condition, value: Option<f64>, reference: Option<f64>) -> String {
    let measure = condition.measure();
    let Some(now) = value else { return format!("there is nothing to measure of {measure}") };
    match condition {
        Condition::Threshold { comparison, value, window_seconds, .. } => {
            let (now, value) = (shown(measure, now), shown(measure, *value));
            format!(
                "{measure} is {now} over {}, the limit is {} {value}",
                span(*window_seconds),
                words(*comparison)
            )
        }
        Condition::Change { comparison, value, unit, window_seconds, .. } => {
            let changed = reference.and_then(|then| change(*unit, now, then)).map(|change| by(*unit, change));
            let then = reference.map_or_else(|| "nothing".to_owned(), |then| shown(measure, then));
            let changed = changed.map_or_else(String::new, |changed| format!(" ({changed})"));
            let (now, window) = (shown(measure, now), span(*window_seconds));
            let limit = format!("{} {}", words(*comparison), by(*unit, *value));
            format!(
                "{measure} is {now} over {window} after {then} the {window} before{changed}, the limit is {limit}"
            )
        }
        Condition::Cost { amount_usd, per, .. } => {
            format!("{} of {} spent this {per}", shown("cost", now), shown("cost", *amount_usd))
        }
    }
}

const fn words(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Above => "above",
        Comparison::AtLeast => "at or above",
        Comparison::Below => "below",
        Comparison::AtMost => "at or below",
    }
}

fn by(unit: Unit, number: f64) -> String {
    match unit {
        Unit::Percent => format!("{} %", plain(number)),
        Unit::Factor => format!("{} times", plain(number)),
    }
}

/// A number with its unit.
fn shown(measure: &str, number: f64) -> String {
    if measure == "cost" {
        return format!("{number:.2} USD");
    }
    if measure.starts_with("latency_") || measure.starts_with("ttft_") {
        return format!("{} s", plain(number));
    }
    plain(number)
}

/// A number as short as says enough.
fn plain(number: f64) -> String {
    let text = format!("{number:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A span of time in its largest whole unit.
fn span(seconds: u32) -> String {
    let (size, unit) = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")]
        .into_iter()
        .find(|(size, _)| seconds.is_multiple_of(*size))
        .unwrap_or((1, "s"));
    format!("{} {unit}", seconds / size)
}
