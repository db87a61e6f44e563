//! Merging into `/v1/responses`: leading instructions go to `instructions`, all other messages to `input`.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::completions::followed;
use super::items::{Items, says_something, unsupported};
use super::messages::{List, Turn, arrange, list_text};
use super::{Contribution, MergeError, json};
use crate::body::{Body, Edit};
use crate::chat::{Content, Message};

/// Puts the prompt's messages and the caller's into `instructions` and `input`.
pub(super) fn merge<'a>(
    body: &Body<'a>,
    contribution: &Contribution<'_>,
    edit: &mut Edit<'a>,
) -> Result<(), MergeError> {
    let caller = Caller::read(body)?;
    if contribution.locks("messages")
        && let Some(name) = caller.speaks_in(body)
    {
        return Err(MergeError::messages_locked(name));
    }
    let conversation = Conversation::build(contribution, caller.input)?;
    if conversation.is_empty() && caller.instructions.is_none() && !continues(body) {
        return Err(MergeError::NothingLeft);
    }
    conversation.write(body, &caller, edit);
    Ok(())
}

/// Whether the call goes on from messages the provider keeps.
fn continues(body: &Body<'_>) -> bool {
    body.get("previous_response_id").is_some() || body.get("conversation").is_some()
}

/// What the caller says.
struct Caller<'a> {
    instructions: Option<&'a RawValue>,
    input: Option<Input<'a>>,
}

#[derive(Clone, Copy)]
enum Input<'a> {
    /// A JSON string that is not empty.
    Text(&'a str),
    /// What stands between the brackets of a list that is not empty.
    Items(&'a str),
}

impl<'a> Caller<'a> {
    fn read(body: &Body<'a>) -> Result<Self, MergeError> {
        let instructions = body.get("instructions");
        if instructions.is_some_and(|raw| !raw.get().starts_with('"')) {
            return Err(MergeError::wrong_type("instructions", "a string"));
        }
        let instructions = instructions.filter(|raw| raw.get() != r#""""#);
        let input = match body.get("input").map(RawValue::get) {
            Some(r#""""#) => None,
            Some(text) if text.starts_with('"') => Some(Input::Text(text)),
            _ => list_text("input", "a string or a list of items", body.get("input"))?.map(Input::Items),
        };
        Ok(Self { instructions, input })
    }

    /// The field in which the caller brings messages, if there is one.
    fn speaks_in(&self, body: &Body<'_>) -> Option<&'static str> {
        match self {
            Self { instructions: Some(_), .. } => Some("instructions"),
            Self { input: Some(_), .. } => Some("input"),
            _ => ["previous_response_id", "conversation"].into_iter().find(|key| body.get(key).is_some()),
        }
    }
}

/// The prompt's messages and the caller's input as this endpoint takes them.
#[derive(Default)]
struct Conversation {
    instructions: String,
    input: List,
    /// Whether `input` holds items of the prompt, and not only what the caller sent.
    is_changed: bool,
}

impl Conversation {
    fn build(contribution: &Contribution<'_>, callers: Option<Input<'_>>) -> Result<Self, MergeError> {
        let mut conversation = Self::default();
        let mut items = Items::default();
        for turn in arrange(&contribution.items) {
            match turn {
                Turn::Prompt(message) => conversation.add(message, &mut items)?,
                Turn::Variable(value) => match message_of(value)? {
                    Some(message) => conversation.add(&message, &mut items)?,
                    None => conversation.push(value),
                },
                Turn::Caller => conversation.take(callers),
            }
        }
        Ok(conversation)
    }

    /// Adds a message: to the instructions as long as only instructions came before it.
    fn add(&mut self, message: &Message, items: &mut Items) -> Result<(), MergeError> {
        if message.role.instructs() && self.input.is_empty() {
            return self.instruct(message);
        }
        for item in items.translate(message)? {
            self.push(&item);
        }
        Ok(())
    }

    fn push(&mut self, item: &Value) {
        self.input.push(&json(item));
        self.is_changed = true;
    }

    fn instruct(&mut self, message: &Message) -> Result<(), MergeError> {
        for text in instruction_texts(message)? {
            if !self.instructions.is_empty() && !text.is_empty() {
                self.instructions.push_str("\n\n");
            }
            self.instructions.push_str(text);
        }
        Ok(())
    }

    fn take(&mut self, callers: Option<Input<'_>>) {
        match callers {
            Some(Input::Items(items)) => self.input.push(items),
            Some(Input::Text(text)) => self.input.push(&format!(r#"{{"role":"user","content":{text}}}"#)),
            None => {}
        }
    }

    const fn is_empty(&self) -> bool {
        self.instructions.is_empty() && self.input.is_empty()
    }

    fn write<'a>(self, body: &Body<'a>, caller: &Caller<'a>, edit: &mut Edit<'a>) {
        match caller.instructions {
            _ if self.instructions.is_empty() => {}
            Some(callers) => edit.set("instructions", followed(&self.instructions, callers)),
            None => edit.set("instructions", json(&self.instructions)),
        }
        // Without a prompt's items the caller's input stays as it came; OpenAI wants the field to be there unless the
        // call continues another one.
        if self.is_changed || (body.get("input").is_none() && !continues(body)) {
            edit.set("input", self.input.finish());
        }
    }
}

/// The texts of a message that instructs; nothing else can stand in `instructions`.
fn instruction_texts(message: &Message) -> Result<Vec<&str>, MergeError> {
    if let Some((name, _)) = message.rest.iter().find(|(_, value)| says_something(value)) {
        return Err(unsupported(format!("`{name}` in a message of role `{}`", message.role.as_str())));
    }
    match &message.content {
        Content::Text(text) => Ok(vec![text]),
        Content::Absent => Ok(Vec::new()),
        Content::Parts(parts) => {
            let texts = parts.iter().map(|part| match part.as_text() {
                Some(text) => Ok(text),
                None => Err(unsupported(format!("a content part of type `{}` in instructions", part.kind()))),
            });
            texts.collect()
        }
    }
}

/// A variable's message; `None` for what is an item of this endpoint already.
fn message_of(value: &Value) -> Result<Option<Message>, MergeError> {
    if value.get("role").is_none() && value.get("type").is_some() {
        return Ok(None);
    }
    let message = Message::deserialize(value);
    message.map(Some).map_err(|_| unsupported("a variable's entry that is no chat message".into()))
}
