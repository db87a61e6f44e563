//! What webhooks are told of a change: an event with one line for people, and everything else for programs.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};
use vocab::{Id, id};

use super::AuditEntry;
use crate::webhooks::Event;

/// Actions that are events.
const EVENTS: [&str; 2] = ["prompt.version_created", "label.moved"];
/// Families of actions that are events, all of them.
const FAMILIES: [&str; 2] = ["release.", "experiment."];
/// The longest reason in the line for people, in characters.
const WHY_CHARS: usize = 300;

/// The event of a change, if it is one.
pub(super) fn of(entry: &AuditEntry) -> Option<Event> {
    let project = entry.project.as_deref()?;
    let is_event =
        EVENTS.contains(&&*entry.action) || FAMILIES.iter().any(|family| entry.action.starts_with(family));
    if !is_event {
        return None;
    }
    let id: Id<id::Event> = Id::at(entry.at);
    let body = json!({
        "id": id,
        "type": entry.action,
        "project": project,
        "created_at": entry.at,
        "summary": summary(entry),
        "data": data(entry),
    });
    Some(Event {
        id,
        project: project.into(),
        kind: entry.action.as_str().into(),
        body: body.to_string().into(),
    })
}

/// What was noted, who did it, and why.
fn data(entry: &AuditEntry) -> Map<String, Value> {
    let mut data = entry.detail.as_object().cloned().unwrap_or_default();
    let why = data.shift_remove("reason").unwrap_or_default();
    data.insert("who".to_owned(), json!(entry.who));
    data.insert("why".to_owned(), why);
    data
}

/// One line: who did what to what, and why.
fn summary(entry: &AuditEntry) -> String {
    let who = &entry.who;
    let (mut line, why) = match &*entry.action {
        "label.moved" => (moved(entry), "reason"),
        "prompt.version_created" => (published(entry), "commit_message"),
        other => match other.split_once('.') {
            Some(("release", deed)) => (released(entry, deed), "reason"),
            Some(("experiment", deed)) => (tried(entry, deed), "reason"),
            Some(_) | None => (format!("{who}: {other} of {}", entry.target), "reason"),
        },
    };
    if let Some(why) = entry.detail[why].as_str().and_then(|why| why.lines().next()) {
        let why: String = why.chars().take(WHY_CHARS).collect();
        write!(line, ": {why}").unwrap_or_default();
    }
    line
}

fn moved(entry: &AuditEntry) -> String {
    let (who, detail) = (&entry.who, &entry.detail);
    let (prompt, label) = (text(&detail["prompt"]), text(&detail["label"]));
    let what = format!("`{label}` of {prompt}");
    match (&detail["from"], &detail["to"]) {
        (from, Value::Null) => format!("{who} took {what} away from version {from}"),
        (Value::Null, to) => format!("{who} put {what} on version {to}"),
        (from, to) if detail["action"] == "rollback" => {
            format!("{who} rolled {what} back from version {from} to {to}")
        }
        (from, to) => format!("{who} moved {what} from version {from} to {to}"),
    }
}

fn published(entry: &AuditEntry) -> String {
    let detail = &entry.detail;
    let impact = detail["impact"].as_str().map_or_else(String::new, |impact| format!(", {impact}"));
    format!(
        "{} published version {} ({}{impact}) of {}",
        entry.who,
        detail["version"],
        text(&detail["semver"]),
        text(&detail["prompt"])
    )
}

fn released(entry: &AuditEntry, deed: &str) -> String {
    let (who, detail) = (&entry.who, &entry.detail);
    let (prompt, label) = (text(&detail["prompt"]), text(&detail["label"]));
    let what = format!("version {} of {prompt} for `{label}`", detail["version"]);
    match deed {
        "started" | "advanced" | "paused" | "resumed" => {
            format!("{who} {deed} the ramp of {what}, at {} %", detail["percent"])
        }
        "aborted" => format!("{who} aborted the ramp of {what}"),
        _ => format!("{who} {deed} {what}"),
    }
}

fn tried(entry: &AuditEntry, deed: &str) -> String {
    let detail = &entry.detail;
    let (prompt, label) = (text(&detail["prompt"]), text(&detail["label"]));
    format!("{} {deed} the experiment on `{label}` of {prompt}", entry.who)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

#[cfg(test)]
mod tests {
    use vocab::Time;

    use super::*;

    fn entry(action: &str, detail: Value) -> AuditEntry {
        AuditEntry {
            number: 7,
            at: Time(1_800_000_000_000_000),
            project: Some("default".to_owned()),
            who: "ann".to_owned(),
            role: "releaser".to_owned(),
            token: None,
            action: action.to_owned(),
            target: "support/reply@production".to_owned(),
            detail,
            previous: String::new(),
            hash: String::new(),
        }
    }

    fn move_of(action: &str, from: Option<u32>, to: Option<u32>, reason: Option<&str>) -> AuditEntry {
        let detail = json!({
            "prompt": "support/reply", "label": "production", "action": action, "from": from, "to": to,
            "reason": reason,
        });
        entry("label.moved", detail)
    }

    #[test]
    fn a_move_says_who_moved_what_from_where_to_where_and_why() {
        let lines = [
            move_of("move", Some(3), Some(4), Some("reviewed\nby bob")),
            move_of("move", None, Some(1), None),
            move_of("remove", Some(1), None, Some("never again")),
            move_of("rollback", Some(4), Some(3), Some("too many wrong answers")),
        ]
        .map(|entry| summary(&entry));
        assert_eq!(
            lines,
            [
                "ann moved `production` of support/reply from version 3 to 4: reviewed",
                "ann put `production` of support/reply on version 1",
                "ann took `production` of support/reply away from version 1: never again",
                "ann rolled `production` of support/reply back from version 4 to 3: too many wrong answers",
            ]
        );
    }

    #[test]
    fn programs_get_from_to_who_and_why() {
        let event = of(&move_of("move", Some(3), Some(4), Some("reviewed"))).unwrap();
        let body: Value = serde_json::from_str(&event.body).unwrap();
        assert_eq!(
            body["data"],
            json!({"prompt": "support/reply", "label": "production", "action": "move", "from": 3, "to": 4,
                   "who": "ann", "why": "reviewed"})
        );
        assert_eq!((&body["type"], &*event.kind), (&json!("label.moved"), "label.moved"));
        assert_eq!(body["id"], event.id.to_string());
    }

    #[test]
    fn what_belongs_to_no_project_or_is_no_event_is_told_to_nobody() {
        assert!(of(&entry("key.issued", json!({}))).is_none());
        assert!(of(&entry("alert.created", json!({}))).is_none());
        let nowhere = AuditEntry { project: None, ..move_of("move", None, Some(1), None) };
        assert!(of(&nowhere).is_none());
    }

    #[test]
    fn releases_and_experiments_say_what_happened_to_what() {
        let detail = |reason: Option<&str>| json!({"prompt": "support/reply", "label": "production", "version": 4, "percent": 10, "reason": reason});
        let lines = [
            entry("release.proposed", detail(Some("warmer"))),
            entry("release.advanced", detail(Some("by time"))),
            entry("release.aborted", detail(None)),
            entry("experiment.started", detail(None)),
        ]
        .map(|entry| summary(&entry));
        assert_eq!(
            lines,
            [
                "ann proposed version 4 of support/reply for `production`: warmer",
                "ann advanced the ramp of version 4 of support/reply for `production`, at 10 %: by time",
                "ann aborted the ramp of version 4 of support/reply for `production`",
                "ann started the experiment on `production` of support/reply",
            ]
        );
    }
}
