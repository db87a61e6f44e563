//! What has a name: variables, parameters, tools, fields of messages, settings.

use serde_json::{Map, Value, json};

use super::effort::Effort;
use super::{Change, NamedDiff, lines};
use crate::content::Content;
use crate::prompts::impact::tools_by_name;

/// Declared variables that differ.
pub(super) fn variables(from: &Content, to: &Content, effort: &mut Effort) -> Vec<NamedDiff> {
    let declared = |content: &Content| {
        let variables = content.variables.iter();
        variables.map(|(name, declared)| (name.clone(), json!(declared))).collect()
    };
    compare(&declared(from), &declared(to), effort)
}

/// Parameters that differ.
pub(super) fn parameters(from: &Content, to: &Content, effort: &mut Effort) -> Vec<NamedDiff> {
    compare(&from.parameters, &to.parameters, effort)
}

/// Tools that differ.
pub(super) fn tools(from: &Content, to: &Content, effort: &mut Effort) -> Vec<NamedDiff> {
    let named = |content: &Content| {
        tools_by_name(content).into_iter().map(|(name, tool)| (name, tool.clone())).collect()
    };
    compare(&named(from), &named(to), effort)
}

/// The response format, when it differs.
pub(super) fn response_format(from: &Content, to: &Content, effort: &mut Effort) -> Option<NamedDiff> {
    let format = |content: &Content| {
        content.response_format.iter().map(|format| ("response_format".to_owned(), format.clone())).collect()
    };
    compare(&format(from), &format(to), effort).pop()
}

/// What else differs.
pub(super) fn settings(
    from: (&Content, &Map<String, Value>),
    to: (&Content, &Map<String, Value>),
    effort: &mut Effort,
) -> Vec<NamedDiff> {
    let settings = |(content, beside): (&Content, &Map<String, Value>)| {
        let mut settings = Map::new();
        let mut say = |name: &str, value: Option<Value>| {
            settings.extend(value.map(|value| (name.to_owned(), value)));
        };
        say("engine", Some(json!(content.engine)));
        say("model", content.model.as_ref().map(|model| json!(model)));
        say("fallbacks", (!content.fallbacks.is_empty()).then(|| json!(content.fallbacks)));
        say("tool_choice", content.tool_choice.clone());
        say("locked", (!content.locked.is_empty()).then(|| json!(content.locked)));
        settings.extend(beside.clone());
        settings
    };
    compare(&settings(from), &settings(to), effort)
}

/// What differs between two sets of named values; their order does not count.
pub(super) fn compare(
    from: &Map<String, Value>,
    to: &Map<String, Value>,
    effort: &mut Effort,
) -> Vec<NamedDiff> {
    let mut diffs = Vec::new();
    for (name, new) in to {
        let old = from.get(name);
        if old != Some(new) {
            diffs.push(one(name, old, Some(new), effort));
        }
    }
    let gone = from.iter().filter(|(name, _)| !to.contains_key(*name));
    diffs.extend(gone.map(|(name, old)| one(name, Some(old), None, effort)));
    diffs
}

fn one(name: &str, old: Option<&Value>, new: Option<&Value>, effort: &mut Effort) -> NamedDiff {
    let nested = [old, new].into_iter().flatten().any(|value| value.is_object() || value.is_array());
    let lines = if nested { lines::compare(&written(old), &written(new), effort) } else { Vec::new() };
    let change = match (old, new) {
        (Some(_), Some(_)) => Change::Changed,
        (Some(_), None) => Change::Removed,
        (None, Some(_) | None) => Change::Added,
    };
    NamedDiff { name: name.to_owned(), change, from: old.cloned(), to: new.cloned(), lines }
}

fn written(value: Option<&Value>) -> String {
    value.map(|value| format!("{value:#}")).unwrap_or_default()
}
