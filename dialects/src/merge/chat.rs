//! Merging into `/v1/chat/completions`: the prompt's own vocabulary, so messages are written as they are.

use super::messages::{List, Turn, arrange, list_text};
use super::{Contribution, MergeError, json};
use crate::body::{Body, Edit};

/// Puts the prompt's messages and the caller's into `messages`.
pub(super) fn merge<'a>(
    body: &Body<'a>,
    contribution: &Contribution<'_>,
    edit: &mut Edit<'a>,
) -> Result<(), MergeError> {
    let callers = list_text("messages", "a list of messages", body.get("messages"))?;
    if callers.is_some() && contribution.locks("messages") {
        return Err(MergeError::messages_locked("messages"));
    }
    let mut messages = List::default();
    for turn in arrange(&contribution.items) {
        match turn {
            Turn::Prompt(message) => messages.push(&json(message)),
            Turn::Variable(message) => messages.push(&json(message)),
            Turn::Caller => callers.into_iter().for_each(|callers| messages.push(callers)),
        }
    }
    if messages.is_empty() {
        return Err(MergeError::NothingLeft);
    }
    edit.set("messages", messages.finish());
    Ok(())
}
