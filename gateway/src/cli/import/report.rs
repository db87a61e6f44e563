//! What an import did, for people and for programs.

use serde_json::json;

use super::How;
use super::apply::Taken;
use crate::cli::{complain, say};

/// Prints the report.
pub(super) fn print(how: &How, taken: &[Taken]) {
    let published = taken.iter().flat_map(|taken| &taken.versions).filter(|step| step.new).count();
    let there = taken.iter().flat_map(|taken| &taken.versions).count() - published;
    if how.json {
        let report =
            json!({"dry_run": how.dry_run, "prompts": taken, "published": published, "already_there": there});
        say(&report.to_string());
        return;
    }
    for prompt in taken {
        for line in lines(how, prompt) {
            say(&line);
        }
    }
    let deed = if how.dry_run { "to publish" } else { "published" };
    let notes: usize = taken.iter().map(|taken| taken.notes.len()).sum();
    let failed = taken.iter().filter(|taken| taken.error.is_some()).count();
    complain(&format!(
        "{} prompts: {published} versions {deed}, {there} already there; {notes} notes, {failed} failed",
        taken.len()
    ));
}

fn lines(how: &How, taken: &Taken) -> Vec<String> {
    let mut lines = vec![taken.name.clone()];
    let new: Vec<String> = taken
        .versions
        .iter()
        .filter(|step| step.new)
        .map(|step| {
            if step.from == step.version.to_string() {
                step.from.clone()
            } else {
                format!("{} as {}", step.from, step.version)
            }
        })
        .collect();
    let would = if how.dry_run { "would publish" } else { "published" };
    if !new.is_empty() {
        lines.push(format!("  {would} {}", new.join(", ")));
    }
    lines.extend(taken.labels.iter().map(|(label, version)| format!("  label {label} on version {version}")));
    if !taken.changed.is_empty() {
        lines.push(format!("  with its {}", taken.changed.join(", ")));
    }
    if lines.len() == 1 && taken.error.is_none() && !taken.versions.is_empty() {
        lines.push("  nothing to do".to_owned());
    }
    lines.extend(taken.notes.iter().map(|note| format!("  note: {note}")));
    lines.extend(taken.error.iter().map(|error| format!("  failed: {error}")));
    lines
}
