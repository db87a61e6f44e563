//! Who speaks when: the prompt's messages, the variables that fill its places, and where the caller's messages go.

use serde_json::Value;
use serde_json::value::RawValue;

use super::{MergeError, RenderedItem};
use crate::chat::Message;

/// The place that takes the caller's messages before any other.
const HISTORY: &str = "history";

/// A stretch of the conversation.
pub(super) enum Turn<'p> {
    /// A message of the prompt.
    Prompt(&'p Message),
    /// A message out of a variable, in chat vocabulary.
    Variable(&'p Value),
    /// Here the caller's messages go.
    Caller,
}

/// The conversation in order, with exactly one [`Turn::Caller`]: in the place `history`, else in the first place,
/// else at the end. A place that a variable fills takes the variable's messages first.
pub(super) fn arrange(items: &[RenderedItem]) -> Vec<Turn<'_>> {
    let slot = caller_slot(items);
    let mut turns = Vec::with_capacity(items.len() + 1);
    for (position, item) in items.iter().enumerate() {
        match item {
            RenderedItem::Message(message) => turns.push(Turn::Prompt(message)),
            RenderedItem::Placeholder { fill, .. } => {
                turns.extend(fill.iter().flatten().map(Turn::Variable));
                if slot == Some(position) {
                    turns.push(Turn::Caller);
                }
            }
        }
    }
    if slot.is_none() {
        turns.push(Turn::Caller);
    }
    turns
}

fn caller_slot(items: &[RenderedItem]) -> Option<usize> {
    let is_place = |item: &RenderedItem| matches!(item, RenderedItem::Placeholder { .. });
    let is_history =
        |item: &RenderedItem| matches!(item, RenderedItem::Placeholder { name, .. } if name == HISTORY);
    items.iter().position(is_history).or_else(|| items.iter().position(is_place))
}

/// What stands between the brackets of the caller's list, as written; `None` when the list is absent or empty.
pub(super) fn list_text<'a>(
    key: &'static str,
    wanted: &'static str,
    raw: Option<&'a RawValue>,
) -> Result<Option<&'a str>, MergeError> {
    let Some(raw) = raw else { return Ok(None) };
    let inner = raw.get().strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let inner = inner.ok_or_else(|| MergeError::wrong_type(key, wanted))?.trim_ascii();
    Ok((!inner.is_empty()).then_some(inner))
}

/// A JSON list being written from entries that are JSON text already.
#[derive(Default)]
pub(super) struct List(String);

impl List {
    /// Adds one entry, or several with their commas.
    pub(super) fn push(&mut self, entries: &str) {
        self.0.push(if self.0.is_empty() { '[' } else { ',' });
        self.0.push_str(entries);
    }

    /// Whether nothing was added.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The list's JSON.
    pub(super) fn finish(mut self) -> String {
        self.0.push_str(if self.0.is_empty() { "[]" } else { "]" });
        self.0
    }
}
