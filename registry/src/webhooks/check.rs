//! What a webhook may be: addresses that can be sent to, events that are raised.

use super::Format;
use crate::StoreError;
use crate::db::Result;
use crate::prompts::names::check_text;

/// The longest address, in bytes.
const URL_BYTES: usize = 2_000;
/// The most entries in a list of events.
const EVENTS: usize = 50;
/// Hosts that take Slack's messages and nothing else.
const SLACK_HOSTS: [&str; 2] = ["hooks.slack.com", "hooks.slack-gov.com"];
/// What is raised, and the families of it.
const RAISED: [&str; 24] = [
    "*",
    "alert.*",
    "alert.firing",
    "alert.resolved",
    "experiment.*",
    "experiment.changed",
    "experiment.removed",
    "experiment.started",
    "experiment.stopped",
    "label.*",
    "label.moved",
    "prompt.*",
    "prompt.version_created",
    "release.*",
    "release.aborted",
    "release.advanced",
    "release.approved",
    "release.paused",
    "release.proposed",
    "release.rejected",
    "release.released",
    "release.resumed",
    "release.started",
    "release.withdrawn",
];
/// What is announced and not raised yet.
const LATER: [&str; 1] = ["budget."];

/// Refuses what cannot be sent to, or would put a secret where it is shown.
pub(super) fn url(url: &str) -> Result<()> {
    let wrong = |message: &str| Err(StoreError::invalid("url", message));
    if url.len() > URL_BYTES || !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return wrong("`url` must be at most 2000 visible ASCII characters: percent-encode others");
    }
    let Some(host) = host_of(url) else {
        return wrong("`url` must start with https:// or http:// and name a host");
    };
    if authority_of(url).contains('@') {
        return wrong("`url` holds a user or password, which are not sent: deliveries are signed instead");
    }
    if url.contains('#') {
        return wrong("`url` holds a fragment, which is never sent: take `#…` away");
    }
    if SLACK_HOSTS.contains(&host) && !url.starts_with("https://") {
        return wrong("Slack takes messages over https:// only");
    }
    Ok(())
}

/// What bodies look like at an address.
pub(super) fn format_of(url: &str) -> Format {
    match host_of(url) {
        Some(host) if SLACK_HOSTS.contains(&host) => Format::Slack,
        Some(_) | None => Format::Weir,
    }
}

/// Everything from the path on.
pub(super) fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find(['/', '?']).and_then(|at| rest.get(at..)).unwrap_or_default()
}

fn authority_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    rest.split(['/', '?', '#', '\\']).next().unwrap_or_default()
}

fn host_of(url: &str) -> Option<&str> {
    if !url.starts_with("https://") && !url.starts_with("http://") {
        return None;
    }
    let authority = authority_of(url);
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        Some(_) | None => authority,
    };
    (!host.is_empty()).then_some(host)
}

/// Each event once, in order.
pub(super) fn events(events: &[String]) -> Result<Vec<String>> {
    if events.len() > EVENTS {
        return Err(StoreError::invalid("events", format!("`events` has at most {EVENTS} entries")));
    }
    let mut checked: Vec<String> = Vec::with_capacity(events.len());
    for event in events {
        check_text("events", event, 100)?;
        if LATER.iter().any(|family| event.starts_with(family)) {
            let message = format!("`{}` is not raised yet: leave it out", event.escape_debug());
            return Err(StoreError::NotSupported { field: "events".into(), message });
        }
        if !RAISED.contains(&&**event) {
            let (event, raised) = (event.escape_debug(), RAISED.join(", "));
            let message = format!("there is no event `{event}`: name some of {raised}");
            return Err(StoreError::invalid("events", message));
        }
        if !checked.contains(event) {
            checked.push(event.clone());
        }
    }
    checked.sort();
    Ok(checked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slack_is_told_by_its_host_and_not_by_what_only_looks_like_it() {
        assert_eq!(format_of("https://hooks.slack.com/services/T0/B0/x"), Format::Slack);
        for other in ["https://hooks.slack.com.evil.example/", "https://example.com/hooks.slack.com", ""] {
            assert_eq!(format_of(other), Format::Weir, "{other}");
        }
    }

    #[test]
    fn what_cannot_be_sent_to_is_refused() {
        for good in ["https://example.com", "http://10.0.0.1:8080/x?y=1", "https://[2001:db8::1]:443/x"] {
            assert!(url(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "example.com/hook",
            "ftp://example.com/",
            "https://",
            "https:///x",
            "https://user:password@example.com/",
            "https://example.com/x#y",
            "https://example.com/ä",
            "https://example.com/a b",
            "http://hooks.slack.com/services/x",
        ] {
            assert!(matches!(url(bad), Err(StoreError::Invalid { .. })), "{bad}");
        }
    }
}
