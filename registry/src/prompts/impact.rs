//! How much a version differs from its parent, for whoever calls it: major, minor or patch, and why.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use vocab::Impact;

use crate::content::{Content, Fallback, Item, PromptBody, Variable, VariableKind};
use crate::template::{TemplateVariable, references};

/// One difference and how much it matters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// How much.
    pub impact: Impact,
    /// The difference in words.
    pub reason: String,
}

/// How much a version differs, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessment {
    /// The strongest of the reasons.
    pub impact: Impact,
    /// Every difference found, strongest first.
    pub reasons: Vec<Reason>,
}

/// What callers can put into a version: its variables, declared or merely used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface(BTreeMap<String, Slot>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    required: bool,
    kind: Option<VariableKind>,
    declared: bool,
}

impl Slot {
    /// What is undeclared on both sides changed at most with its engine, and that has a reason of its own.
    fn retyped(self, new: Self) -> bool {
        self.kind != new.kind && (self.declared || new.declared)
    }
}

impl Interface {
    /// The variables of a content: what it declares, and what its templates use beside.
    pub fn of(content: &Content, used: &[TemplateVariable]) -> Self {
        // A placeholder may be filled by a variable of its name, but it is compared as a placeholder.
        let places = placeholders(&content.body);
        let used = used.iter().filter(|variable| !places.contains(&*variable.name)).map(|variable| {
            let slot = Slot { required: variable.required, kind: variable.kind, declared: variable.declared };
            (variable.name.clone(), slot)
        });
        let declared = |(name, variable): (&String, &Variable)| {
            let slot = Slot { required: variable.is_required(), kind: variable.kind, declared: true };
            (name.clone(), slot)
        };
        Self(used.chain(content.variables.iter().map(declared)).collect())
    }
}

impl Assessment {
    /// Compares two contents, each with its interface.
    pub fn between((old, before): (&Content, &Interface), (new, after): (&Content, &Interface)) -> Self {
        let mut reasons = Reasons::default();
        compare_variables(before, after, &mut reasons);
        compare_body(&old.body, &new.body, &mut reasons);
        compare_includes(old, new, &mut reasons);
        compare_tools(old, new, &mut reasons);
        compare_settings(old, new, &mut reasons);
        let mut reasons = reasons.0;
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.impact));
        let impact = reasons.first().map_or(Impact::Patch, |first| first.impact);
        Self { impact, reasons }
    }

    /// The same, with what stands beside the contents by name: `examples`, `metadata`.
    #[must_use]
    pub fn beside(mut self, old: &Map<String, Value>, new: &Map<String, Value>) -> Self {
        for name in ["examples", "metadata"] {
            if old.get(name) != new.get(name) {
                self.reasons.push(Reason { impact: Impact::Patch, reason: format!("{name} changed") });
            }
        }
        self
    }

    /// The same, with an impact the author raised it to.
    #[must_use]
    pub fn raised_to(mut self, said: Impact) -> Self {
        if said > self.impact {
            self.impact = said;
            self.reasons.insert(0, Reason { impact: said, reason: "the author says so".into() });
        }
        self
    }
}

#[derive(Default)]
struct Reasons(Vec<Reason>);

impl Reasons {
    fn major(&mut self, reason: impl Into<String>) {
        self.0.push(Reason { impact: Impact::Major, reason: reason.into() });
    }

    fn minor(&mut self, reason: impl Into<String>) {
        self.0.push(Reason { impact: Impact::Minor, reason: reason.into() });
    }

    fn patch(&mut self, reason: impl Into<String>) {
        self.0.push(Reason { impact: Impact::Patch, reason: reason.into() });
    }
}

fn compare_variables(before: &Interface, after: &Interface, reasons: &mut Reasons) {
    for name in before.0.keys().filter(|name| !after.0.contains_key(*name)) {
        reasons.major(format!("variable `{name}` removed"));
    }
    for (name, new) in &after.0 {
        match before.0.get(name) {
            None if new.required => reasons.major(format!("required variable `{name}` added")),
            None => reasons.minor(format!("optional variable `{name}` added")),
            Some(old) => {
                if old.retyped(*new) {
                    reasons.major(format!("variable `{name}` changed its type"));
                }
                match (old.required, new.required) {
                    (false, true) => reasons.major(format!("variable `{name}` became required")),
                    (true, false) => reasons.patch(format!("variable `{name}` became optional")),
                    (true, true) | (false, false) => {}
                }
            }
        }
    }
}

fn compare_body(old: &PromptBody, new: &PromptBody, reasons: &mut Reasons) {
    let (old_places, new_places) = (placeholders(old), placeholders(new));
    for name in old_places.difference(&new_places) {
        reasons.major(format!("placeholder `{name}` removed"));
    }
    for name in new_places.difference(&old_places) {
        reasons.minor(format!("placeholder `{name}` added"));
    }
    let (old_roles, new_roles) = (messages_by_role(old), messages_by_role(new));
    for (role, count) in &new_roles {
        if *count > old_roles.get(role).copied().unwrap_or(0) {
            reasons.minor(format!("{role} message added"));
        }
    }
    for (role, count) in &old_roles {
        if *count > new_roles.get(role).copied().unwrap_or(0) {
            reasons.patch(format!("{role} message removed"));
        }
    }
    if old_places == new_places && old_roles == new_roles && old != new {
        reasons.patch("wording changed");
    }
}

/// Snippets that stayed, in another version or by another label. What that brings is compared as if it stood there.
fn compare_includes(old: &Content, new: &Content, reasons: &mut Reasons) {
    let (before, after) = (references(old), references(new));
    for reference in after.iter().filter(|reference| !before.contains(reference)) {
        let name = prompt_of(reference);
        let was = before.iter().find(|was| prompt_of(was) == name && !after.contains(was));
        if let Some(was) = was {
            reasons.patch(format!("`{was}` became `{reference}`"));
        }
    }
}

fn prompt_of(reference: &str) -> &str {
    reference.split_once('@').map_or(reference, |(name, _)| name)
}

fn placeholders(body: &PromptBody) -> BTreeSet<&str> {
    let names = items(body).iter().filter_map(|item| match item {
        Item::Placeholder { placeholder } => Some(placeholder.as_str()),
        Item::Include { .. } | Item::Message(_) => None,
    });
    names.collect()
}

fn messages_by_role(body: &PromptBody) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for item in items(body) {
        let role = match item {
            Item::Message(message) => message.role.as_str(),
            Item::Include { .. } => "included",
            Item::Placeholder { .. } => continue,
        };
        *counts.entry(role).or_default() += 1;
    }
    counts
}

fn items(body: &PromptBody) -> &[Item] {
    match body {
        PromptBody::Messages(items) => items,
        PromptBody::Text(_) => &[],
    }
}

fn compare_tools(old: &Content, new: &Content, reasons: &mut Reasons) {
    let (old, new) = (tools_by_name(old), tools_by_name(new));
    for (name, tool) in &old {
        match new.get(name) {
            None => reasons.major(format!("tool `{name}` removed")),
            Some(changed) if changed != tool => reasons.major(format!("tool `{name}` changed")),
            Some(_) => {}
        }
    }
    for name in new.keys().filter(|name| !old.contains_key(*name)) {
        reasons.minor(format!("tool `{name}` added"));
    }
}

/// Tools by what tells them apart: a function's name, else the tool's type and its place among those.
pub(crate) fn tools_by_name(content: &Content) -> BTreeMap<String, &Value> {
    let mut by_name = BTreeMap::new();
    for tool in content.tools.iter().flatten() {
        let named = ["function", "custom"].iter().find_map(|kind| tool.get(kind)?.get("name")?.as_str());
        let name = named.or_else(|| tool.get("name")?.as_str()).or_else(|| tool.get("type")?.as_str());
        let name = name.unwrap_or("unnamed");
        let mut key = name.to_owned();
        while by_name.contains_key(&key) {
            key.push('\'');
        }
        by_name.insert(key, tool);
    }
    by_name
}

fn compare_settings(old: &Content, new: &Content, reasons: &mut Reasons) {
    if old.response_format != new.response_format {
        reasons.major("response format changed");
    }
    for lock in new.locked.iter().filter(|lock| !old.locked.contains(lock)) {
        reasons.major(format!("`{lock}` locked"));
    }
    for lock in old.locked.iter().filter(|lock| !new.locked.contains(lock)) {
        reasons.patch(format!("`{lock}` unlocked"));
    }
    if old.model != new.model {
        reasons.minor("model changed");
    }
    compare_fallbacks(old, new, reasons);
    if old.parameters != new.parameters || old.tool_choice != new.tool_choice {
        reasons.minor("parameters changed");
    }
    if old.engine != new.engine {
        reasons.minor("engine changed");
    }
    if new.variables.iter().any(|(name, new)| old.variables.get(name).is_some_and(|old| restated(old, new))) {
        reasons.patch("descriptions or defaults of variables changed");
    }
}

/// What answers come in another shape for is as major with a fallback as without one.
fn compare_fallbacks(old: &Content, new: &Content, reasons: &mut Reasons) {
    if old.fallbacks == new.fallbacks {
        return;
    }
    let shape = |it: &Fallback| (it.tools.clone(), it.response_format.clone());
    let bare = (None, None);
    for (at, fallback) in new.fallbacks.iter().enumerate() {
        let before = old.fallbacks.iter().find(|before| before.model == fallback.model).map(shape);
        if shape(fallback) != before.unwrap_or(bare.clone()) {
            reasons
                .major(format!("fallback {at} (`{}`) changed its tools or response format", fallback.model));
        }
    }
    reasons.minor("fallbacks changed");
}

/// Whether what callers need not know of a variable changed.
fn restated(old: &Variable, new: &Variable) -> bool {
    old.default != new.default || old.description != new.description || old.example != new.example
}

#[cfg(test)]
mod tests;
