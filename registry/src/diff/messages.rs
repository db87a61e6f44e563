//! The items of two prompts, paired in order; a text prompt is one item.

use dialects::chat::{Content as MessageContent, Message};
use serde_json::{Map, Value};

use super::align::{Pair, align};
use super::effort::Effort;
use super::{Change, MessageDiff, lines, named};
use crate::content::{Content, Item, PromptBody};

/// How alike two messages of one role count as at least: what stands in one place is one message, whatever it says.
const SAME_ROLE: u32 = 50;
/// How alike messages of different roles have to be to count as one that changed its role.
const ANOTHER_ROLE: u32 = 700;

/// What became of the items of a content.
pub(super) fn compare(from: &Content, to: &Content, effort: &mut Effort) -> Vec<MessageDiff> {
    let (old, new) = (spoken(from), spoken(to));
    let keys = |items: &[Spoken]| items.iter().map(|item| item.value.to_string()).collect::<Vec<_>>();
    let mut diffs = Vec::with_capacity(old.len().max(new.len()));
    for op in effort.compare(&keys(&old), &keys(&new)) {
        let (from, to) = (op.old_range(), op.new_range());
        let pairs: Vec<Pair> = match op {
            similar::DiffOp::Equal { .. } => (0..from.len()).map(|at| (Some(at), Some(at))).collect(),
            similar::DiffOp::Delete { .. }
            | similar::DiffOp::Insert { .. }
            | similar::DiffOp::Replace { .. } => {
                align((from.len(), to.len()), effort, |i, j| old[from.start + i].likeness(&new[to.start + j]))
            }
        };
        for (i, j) in pairs {
            let (i, j) = (i.map(|i| from.start + i), j.map(|j| to.start + j));
            diffs.push(one((i, i.and_then(|i| old.get(i))), (j, j.and_then(|j| new.get(j))), effort));
        }
    }
    find_moved(&mut diffs);
    diffs
}

/// About how many bytes of an item go upstream.
pub(super) fn weight(item: &Item) -> usize {
    match item {
        Item::Message(message) => {
            text_of(message).len() + Value::Object(message.rest.clone()).to_string().len()
        }
        Item::Placeholder { .. } | Item::Include { .. } => 0,
    }
}

/// An item as it is compared.
struct Spoken {
    heading: String,
    role: Option<&'static str>,
    text: String,
    fields: Map<String, Value>,
    value: Value,
}

fn spoken(content: &Content) -> Vec<Spoken> {
    match &content.body {
        PromptBody::Messages(items) => items.iter().map(Spoken::of).collect(),
        PromptBody::Text(text) if text.is_empty() => Vec::new(),
        PromptBody::Text(text) => vec![Spoken {
            heading: "text".into(),
            role: None,
            text: text.clone(),
            fields: Map::new(),
            value: Value::from(text.as_str()),
        }],
    }
}

impl Spoken {
    fn of(item: &Item) -> Self {
        let value = serde_json::to_value(item).unwrap_or_default();
        let mut fields = value.as_object().cloned().unwrap_or_default();
        let (heading, role, text) = match item {
            Item::Message(message) => {
                fields.shift_remove("content");
                (message.role.as_str().to_owned(), Some(message.role.as_str()), text_of(message))
            }
            Item::Placeholder { placeholder } => (format!("placeholder {placeholder}"), None, String::new()),
            Item::Include { include, .. } => (format!("include {include}"), None, String::new()),
        };
        Self { heading, role, text, fields, value }
    }

    fn likeness(&self, other: &Self) -> u32 {
        match (self.role, other.role) {
            (Some(role), Some(other_role)) => {
                let alike = lines::likeness(&self.text, &other.text);
                if role == other_role {
                    alike + SAME_ROLE
                } else {
                    Some(alike).filter(|alike| *alike >= ANOTHER_ROLE).unwrap_or(0)
                }
            }
            (None, None) if self.kind() == other.kind() => SAME_ROLE + self.same_prompt(other),
            (None | Some(_), None) | (None, Some(_)) => 0,
        }
    }

    /// `placeholder`, `include` or `text`.
    fn kind(&self) -> Option<&str> {
        self.heading.split(' ').next()
    }

    /// Whether two includes differ in nothing but the version.
    fn same_prompt(&self, other: &Self) -> u32 {
        let name = |item: &Self| item.heading.split('@').next().map(str::to_owned);
        if name(self) == name(other) { 1_000 } else { 0 }
    }
}

/// The texts of a message, parts that are not text as JSON, a line each.
fn text_of(message: &Message) -> String {
    match &message.content {
        MessageContent::Absent => String::new(),
        MessageContent::Text(text) => text.clone(),
        MessageContent::Parts(parts) => {
            let text = parts.iter().map(|part| match part.as_text().filter(|_| part.0.len() == 2) {
                Some(text) => text.to_owned(),
                None => Value::Object(part.0.clone()).to_string(),
            });
            text.collect::<Vec<_>>().join("\n")
        }
    }
}

fn one(
    (from_index, old): (Option<usize>, Option<&Spoken>),
    (to_index, new): (Option<usize>, Option<&Spoken>),
    effort: &mut Effort,
) -> MessageDiff {
    let text = |item: Option<&Spoken>| item.map(|item| item.text.clone()).unwrap_or_default();
    let value = |item: Option<&Spoken>| item.map(|item| item.value.clone());
    let change = match (old, new) {
        (Some(old), Some(new)) if old.value == new.value => Change::Same,
        (Some(_), Some(_)) => Change::Changed,
        (Some(_), None) => Change::Removed,
        (None, Some(_) | None) => Change::Added,
    };
    let (from, to) = if change == Change::Same { (None, None) } else { (value(old), value(new)) };
    let fields = match (old, new) {
        (Some(old), Some(new)) => named::compare(&old.fields, &new.fields, effort),
        (Some(_), None) | (None, Some(_) | None) => Vec::new(),
    };
    let heading = new.or(old).map(|item| item.heading.clone()).unwrap_or_default();
    let lines = lines::compare(&text(old), &text(new), effort);
    MessageDiff { change, from_index, to_index, heading, from, to, lines, fields }
}

/// What was taken out here and put in there, unchanged, was moved.
fn find_moved(diffs: &mut Vec<MessageDiff>) {
    let removed: Vec<usize> = (0..diffs.len()).filter(|at| diffs[*at].change == Change::Removed).collect();
    let mut gone = Vec::new();
    for from in removed {
        let is_it = |diff: &MessageDiff| diff.change == Change::Added && diff.to == diffs[from].from;
        let Some(to) = diffs.iter().position(is_it) else { continue };
        let (lines, from_index) = (std::mem::take(&mut diffs[from].lines), diffs[from].from_index);
        let lines = lines.into_iter().map(|line| line.became(Change::Same)).collect();
        let moved = &mut diffs[to];
        moved.change = Change::Moved;
        (moved.from_index, moved.from, moved.to, moved.lines) = (from_index, None, None, lines);
        gone.push(from);
    }
    let mut at = 0;
    diffs.retain(|_| {
        at += 1;
        !gone.contains(&(at - 1))
    });
}
