//! Merging into `/v1/completions`: one text, followed by the caller's own text if there is one.

use serde_json::value::RawValue;

use super::{Contribution, MergeError, RenderedItem, json};
use crate::body::{Body, Edit};
use crate::chat::{Content, Part};

/// Puts the prompt's text, and the caller's behind it, into `prompt`.
pub(super) fn merge<'a>(
    body: &Body<'a>,
    contribution: &Contribution<'_>,
    edit: &mut Edit<'a>,
) -> Result<(), MergeError> {
    if !contribution.text {
        return Err(MergeError::NotSupported {
            endpoint: "/v1/completions",
            what: "a prompt of messages".into(),
            instead: "it takes text prompts only; call /v1/chat/completions",
        });
    }
    let callers = callers_text(body)?;
    if callers.is_some() && contribution.locks("messages") {
        return Err(MergeError::messages_locked("prompt"));
    }
    let text = text(&contribution.items)?;
    match callers {
        None if text.is_empty() => return Err(MergeError::NothingLeft),
        None => edit.set("prompt", json(&*text)),
        Some(_) if text.is_empty() => {}
        Some(callers) => edit.set("prompt", followed(&text, callers)),
    }
    Ok(())
}

/// A text as JSON with the caller's JSON string behind it, a blank line between.
pub(super) fn followed(text: &str, callers: &RawValue) -> String {
    let mut joined = json(text);
    joined.pop();
    joined.push_str("\\n\\n");
    joined.push_str(callers.get().strip_prefix('"').unwrap_or_default());
    joined
}

/// The caller's own `prompt`, as a JSON string; an object there has named the registered prompt.
fn callers_text<'a>(body: &Body<'a>) -> Result<Option<&'a RawValue>, MergeError> {
    match body.get("prompt") {
        Some(raw) if raw.get().starts_with('"') => Ok((raw.get() != r#""""#).then_some(raw)),
        Some(raw) if raw.get().starts_with('{') => Ok(None),
        Some(_) => Err(MergeError::wrong_type("prompt", "one string beside a registered prompt")),
        None => Ok(None),
    }
}

fn text(items: &[RenderedItem]) -> Result<String, MergeError> {
    let mut joined = String::new();
    for item in items {
        let RenderedItem::Message(message) = item else { continue };
        match &message.content {
            Content::Text(text) => joined.push_str(text),
            Content::Parts(parts) => {
                for part in parts {
                    joined.push_str(part.as_text().ok_or_else(|| unsupported_part(part))?);
                }
            }
            Content::Absent => {}
        }
    }
    Ok(joined)
}

fn unsupported_part(part: &Part) -> MergeError {
    MergeError::NotSupported {
        endpoint: "/v1/completions",
        what: format!("a content part of type `{}`", part.kind()),
        instead: "it takes text only; call /v1/chat/completions",
    }
}
