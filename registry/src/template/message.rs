//! One message with its texts compiled.

use dialects::chat::{Content, Message, Part, Role};
use serde_json::{Map, Value};

use super::RenderError;
use super::fill::{Fill, Said};
use super::problem::Spot;
use super::text::{Compiler, Text};

/// Fields that make a message worth sending without content.
const CONTENT_SUBSTITUTES: [&str; 4] = ["tool_calls", "function_call", "audio", "refusal"];

/// A compiled message. The texts of `content` are templates, and so is the URL of an image part; every other field
/// is literal.
#[derive(Debug)]
pub(super) struct MessageTemplate {
    role: Role,
    content: ContentTemplate,
    rest: Map<String, Value>,
    /// Whether the message stays even if nothing is left of its content.
    stays: bool,
}

#[derive(Debug)]
enum ContentTemplate {
    Absent,
    Text(Text),
    Parts(Vec<PartTemplate>),
}

#[derive(Debug)]
enum PartTemplate {
    /// Text alone: images and files may split it.
    Text(Text),
    /// A part with a field that is a template.
    Field(Part, Field, Text),
    Literal(Part),
}

/// Which field of a part is a template.
#[derive(Clone, Copy, Debug)]
enum Field {
    /// `text` of a text part that has more fields, such as `cache_control`.
    Text,
    /// `image_url.url`.
    ImageUrl,
}

impl MessageTemplate {
    /// Compiles a message.
    pub(super) fn compile(message: &Message, item: usize, compiler: &mut Compiler<'_>) -> Self {
        let spot = Spot { item: Some(item), part: None };
        compiler.instructs = message.role.instructs();
        let (content, empty) = match &message.content {
            Content::Absent => (ContentTemplate::Absent, true),
            Content::Text(text) => (ContentTemplate::Text(compiler.compile(text, spot)), text.is_empty()),
            Content::Parts(parts) => {
                (ContentTemplate::Parts(compile_parts(parts, spot, compiler)), parts.is_empty())
            }
        };
        let substituted = |key: &str| message.rest.get(key).is_some_and(|value| !value.is_null());
        let stays = empty || CONTENT_SUBSTITUTES.into_iter().any(substituted);
        Self { role: message.role, content, rest: message.rest.clone(), stays }
    }

    /// A text prompt: one user message.
    pub(super) fn of_text(text: &str, compiler: &mut Compiler<'_>) -> Self {
        let content = ContentTemplate::Text(compiler.compile(text, Spot::default()));
        Self { role: Role::User, content, rest: Map::new(), stays: text.is_empty() }
    }

    /// A text that another prompt includes, in the role it is to speak in.
    pub(super) fn of_snippet(text: &str, role: Role, item: usize, compiler: &mut Compiler<'_>) -> Self {
        compiler.instructs = role.instructs();
        let content = ContentTemplate::Text(compiler.compile(text, Spot { item: Some(item), part: None }));
        Self { role, content, rest: Map::new(), stays: text.is_empty() }
    }

    /// Fills the message in; nothing if nothing is left of it.
    pub(super) fn render(&self, fill: &mut Fill<'_>) -> Result<Option<Message>, RenderError> {
        fill.instructs = self.role.instructs();
        let content = match &self.content {
            ContentTemplate::Absent => Content::Absent,
            ContentTemplate::Text(text) => {
                let mut said = Said::default();
                text.write(fill, &mut said)?;
                if said.is_empty() && !self.stays {
                    return Ok(None);
                }
                said.into_content()
            }
            ContentTemplate::Parts(parts) => {
                let parts = write_parts(parts, fill)?;
                if parts.is_empty() && !self.stays {
                    return Ok(None);
                }
                Content::Parts(parts)
            }
        };
        Ok(Some(Message { role: self.role, content, rest: self.rest.clone() }))
    }
}

fn compile_parts(parts: &[Part], spot: Spot, compiler: &mut Compiler<'_>) -> Vec<PartTemplate> {
    let compile = |(index, part): (usize, &Part)| {
        let spot = Spot { part: Some(index), ..spot };
        if let Some(text) = part.as_text().filter(|_| part.0.len() == 2) {
            return PartTemplate::Text(compiler.compile(text, spot));
        }
        match Field::find(part) {
            Some((field, text)) => PartTemplate::Field(part.clone(), field, compiler.compile(text, spot)),
            None => PartTemplate::Literal(part.clone()),
        }
    };
    parts.iter().enumerate().map(compile).collect()
}

/// Fills parts in; text parts of which nothing is left are dropped.
fn write_parts(parts: &[PartTemplate], fill: &mut Fill<'_>) -> Result<Vec<Part>, RenderError> {
    let mut said = Said::default();
    for part in parts {
        match part {
            PartTemplate::Text(text) => {
                text.write(fill, &mut said)?;
                said.end_text();
            }
            PartTemplate::Field(part, field, text) => {
                let mut value = Said::text_only();
                text.write(fill, &mut value)?;
                if !value.is_empty() {
                    said.push_part(field.put(part, value.into_text()));
                }
            }
            PartTemplate::Literal(part) => said.push_part(part.clone()),
        }
    }
    Ok(said.into_parts())
}

impl Field {
    fn find(part: &Part) -> Option<(Self, &str)> {
        let url = || part.0.get("image_url")?.get("url")?.as_str();
        match part.as_text() {
            Some(text) => Some((Self::Text, text)),
            None if part.kind() == "image_url" => Some((Self::ImageUrl, url()?)),
            None => None,
        }
    }

    fn put(self, part: &Part, value: String) -> Part {
        let mut part = part.clone();
        let place = match self {
            Self::Text => part.0.get_mut("text"),
            Self::ImageUrl => part.0.get_mut("image_url").and_then(|image| image.get_mut("url")),
        };
        if let Some(place) = place {
            *place = Value::String(value);
        }
        part
    }
}
