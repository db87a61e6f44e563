//! One call's values on their way into the texts: turned to text once, inserted, never read again.

use std::borrow::Cow;

use dialects::chat::{Content, Part};
use serde_json::Value;

use super::media::{self, InputPart};
use super::slots::{Sent, Slots};
use super::{RenderError, jinja};

/// The most bytes a rendered prompt has, whatever its engine.
const PROMPT_BYTES: usize = 64 << 20;

/// The values of one call, ready to insert.
pub(super) struct Fill<'a> {
    slots: &'a Slots,
    inserts: Vec<Insert<'a>>,
    room: usize,
    /// Whether the message being written is an instruction, which holds neither images nor files.
    pub(super) instructs: bool,
    session: Option<jinja::Session<'a>>,
}

/// A value as it is inserted.
enum Insert<'a> {
    /// Its text: strings raw, null empty, anything else compact JSON.
    Text(Cow<'a, str>),
    /// An image or a file, which splits the text around it.
    Media(Part),
}

impl<'a> Fill<'a> {
    /// Turns each value that a plain or fstring text inserts to its form, once; jinja texts have their session.
    pub(super) fn new(
        slots: &'a Slots,
        sent: &Sent<'a>,
        session: Option<jinja::Session<'a>>,
    ) -> Result<Self, RenderError> {
        let inserts = sent.iter().zip(slots.iter()).map(|(value, (name, slot))| match value {
            Some(value) if slot.inserted => Insert::read(value).map_err(|reason| invalid(name, reason)),
            None | Some(_) => Ok(Insert::Text(Cow::Borrowed(""))),
        });
        let inserts = inserts.collect::<Result<_, _>>()?;
        Ok(Self { slots, inserts, room: PROMPT_BYTES, instructs: false, session })
    }

    /// Writes literal or finished text.
    pub(super) fn say(&mut self, text: &str, said: &mut Said) -> Result<(), RenderError> {
        take(&mut self.room, text.len())?;
        said.text.push_str(text);
        Ok(())
    }

    /// Writes a jinja page.
    pub(super) fn say_page(&mut self, page: &jinja::Page, said: &mut Said) -> Result<(), RenderError> {
        let Some(session) = &mut self.session else { return Ok(()) };
        let text = session.render(page)?;
        if said.text.is_empty() {
            said.text = text;
        } else {
            said.text.push_str(&text);
        }
        Ok(())
    }

    /// Writes the value of a variable.
    pub(super) fn insert(&mut self, index: usize, said: &mut Said) -> Result<(), RenderError> {
        match self.inserts.get(index) {
            Some(Insert::Text(text)) => {
                take(&mut self.room, text.len())?;
                said.text.push_str(text);
            }
            Some(Insert::Media(part)) => {
                if let Some(reason) = self.refuse_media(said) {
                    return Err(invalid(self.slots.at(index).0, reason));
                }
                said.push_part(part.clone());
            }
            None => {}
        }
        Ok(())
    }

    fn refuse_media(&self, said: &Said) -> Option<&'static str> {
        if self.instructs {
            Some(
                "is an image or a file, which a system or developer message cannot hold: use it in a user message",
            )
        } else if said.text_only {
            Some("is an image or a file where only text can stand")
        } else {
            None
        }
    }
}

impl<'a> Insert<'a> {
    /// Reads a value; an error is worded to follow the variable's name.
    fn read(value: &'a Value) -> Result<Self, String> {
        Ok(match (value, media::read(value)?) {
            (_, Some(InputPart::Text(text))) => Self::Text(text.into()),
            (_, Some(InputPart::Media(part))) => Self::Media(part),
            (Value::String(text), None) => Self::Text(text.into()),
            (Value::Null, None) => Self::Text("".into()),
            (value, None) => Self::Text(value.to_string().into()),
        })
    }
}

/// Wraps a reason in the error callers see.
pub(super) fn invalid(name: &str, reason: impl Into<String>) -> RenderError {
    RenderError::Invalid { name: name.to_owned(), reason: reason.into() }
}

fn take(room: &mut usize, bytes: usize) -> Result<(), RenderError> {
    *room = room.checked_sub(bytes).ok_or_else(|| RenderError::Template {
        message: format!(
            "the prompt grows beyond {} MiB with these variables: send less",
            PROMPT_BYTES >> 20
        ),
        item: None,
        line: 1,
        column: 1,
    })?;
    Ok(())
}

/// What one message says, while it is being written.
#[derive(Default)]
pub(super) struct Said {
    text: String,
    parts: Vec<Part>,
    text_only: bool,
}

impl Said {
    /// For places that take text and nothing else, such as an image's URL.
    pub(super) fn text_only() -> Self {
        Self { text_only: true, ..Self::default() }
    }

    /// Makes room for text that is to come.
    pub(super) fn reserve(&mut self, bytes: usize) {
        self.text.reserve(bytes);
    }

    /// Adds a part that is not text; text before it becomes a part of its own.
    pub(super) fn push_part(&mut self, part: Part) {
        self.end_text();
        self.parts.push(part);
    }

    /// Ends a text part; an empty one is nothing.
    pub(super) fn end_text(&mut self) {
        if !self.text.is_empty() {
            self.parts.push(Part::text(std::mem::take(&mut self.text)));
        }
    }

    /// Whether nothing was said.
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty() && self.parts.is_empty()
    }

    /// What was said: a text, or parts once there was one.
    pub(super) fn into_content(mut self) -> Content {
        if self.parts.is_empty() {
            return Content::Text(self.text);
        }
        self.end_text();
        Content::Parts(self.parts)
    }

    /// What was said as parts, even if it is one text.
    pub(super) fn into_parts(mut self) -> Vec<Part> {
        self.end_text();
        self.parts
    }

    /// What was said where only text can stand.
    pub(super) fn into_text(self) -> String {
        self.text
    }
}
