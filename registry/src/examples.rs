//! Cases a version is tried with: the variables of a call, and what has to come of them.
//!
//! They are kept as written; what is read here is what publishing, `weir prompt test` and `POST /templates/check`
//! hold them to. Nothing is sent to any model: what is judged is the rendered prompt.

#[cfg(test)]
mod tests;

use dialects::chat::Content as MessageContent;
use dialects::merge::RenderedItem;
use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::content::{Content, Variables};
use crate::diff::tokens_of;
use crate::template::{Rendered, Template};

/// The most examples of a version.
const EXAMPLES: usize = 1_000;
/// How large a compiled pattern may get, in bytes.
const PATTERN_BYTES: usize = 1 << 20;
/// The most of a rendering that a failure shows, in characters.
const SHOWN_CHARS: usize = 200;

/// A case to try a version with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// The variables of the call.
    #[serde(default)]
    pub variables: Variables,
    /// What has to come of them; nothing but a rendering when nothing is said.
    #[serde(default)]
    pub expect: Expect,
}

/// What the rendered prompt has to be like. Its text is that of all its messages, an empty line between them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Texts it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<Texts>,
    /// The text it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<String>,
    /// Regular expressions that find something in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<Texts>,
    /// The most tokens it takes, by an estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
}

/// One text or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Texts {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

impl Texts {
    fn all(texts: Option<&Self>) -> &[String] {
        match texts {
            None => &[],
            Some(Self::One(text)) => std::slice::from_ref(text),
            Some(Self::Several(texts)) => texts,
        }
    }
}

/// Reads the examples of a version, or says which one is wrong and why.
pub fn read(examples: &[Value]) -> Result<Vec<Example>, String> {
    if examples.len() > EXAMPLES {
        return Err(format!("`examples` has {} items: the limit is {EXAMPLES}", examples.len()));
    }
    let read = |(index, example): (usize, &Value)| {
        Example::read(example).map_err(|why| format!("examples[{index}]: {why}"))
    };
    examples.iter().enumerate().map(read).collect()
}

/// The variables that a content gives an example of, by the declarations themselves.
pub fn declared(content: &Content) -> Variables {
    let given = content.variables.iter();
    given.filter_map(|(name, variable)| Some((name.clone(), variable.example.clone()?))).collect()
}

impl Example {
    fn read(value: &Value) -> Result<Self, String> {
        if !value.is_object() {
            return Err("an example is an object with `variables` and `expect`".into());
        }
        let example: Self = serde_json::from_value(value.clone()).map_err(|error| error.to_string())?;
        for text in Texts::all(example.expect.matches.as_ref()) {
            pattern(text)?;
        }
        Ok(example)
    }

    /// What is wrong with what a template makes of these variables; nothing when it is as expected.
    pub fn judge(&self, template: &Template) -> Vec<String> {
        match template.render(&self.variables) {
            Err(error) => vec![error.to_string()],
            Ok(rendered) => self.expect.judge(&said(&rendered)),
        }
    }
}

impl Expect {
    fn judge(&self, text: &str) -> Vec<String> {
        let mut failures = Vec::new();
        for wanted in Texts::all(self.contains.as_ref()).iter().filter(|wanted| !text.contains(&***wanted)) {
            failures.push(format!("does not contain {}: it says {}", quoted(wanted), quoted(text)));
        }
        if let Some(wanted) = self.equals.as_ref().filter(|wanted| *wanted != text) {
            failures.push(format!("is not {}: it says {}", quoted(wanted), quoted(text)));
        }
        for wanted in Texts::all(self.matches.as_ref()) {
            match pattern(wanted) {
                Ok(pattern) if pattern.is_match(text) => {}
                Ok(_) => failures.push(format!("does not match /{wanted}/: it says {}", quoted(text))),
                Err(why) => failures.push(why),
            }
        }
        let tokens = tokens_of(text.len());
        if let Some(most) = self.max_tokens.filter(|most| tokens > *most) {
            failures.push(format!("takes about {tokens} tokens: at most {most} were expected"));
        }
        failures
    }
}

fn pattern(text: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(text).size_limit(PATTERN_BYTES).build();
    built.map_err(|error| format!("`matches` has a pattern that is none: {error}"))
}

/// The texts of the messages, an empty line between them.
fn said(rendered: &Rendered) -> String {
    let texts = rendered.items.iter().filter_map(|item| match item {
        RenderedItem::Message(message) => match &message.content {
            MessageContent::Absent => None,
            MessageContent::Text(text) => Some(text.clone()),
            MessageContent::Parts(parts) => {
                Some(parts.iter().filter_map(|part| part.as_text()).collect::<Vec<_>>().join("\n"))
            }
        },
        RenderedItem::Placeholder { .. } => None,
    });
    texts.collect::<Vec<_>>().join("\n\n")
}

fn quoted(text: &str) -> String {
    let cut: String = text.chars().take(SHOWN_CHARS).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("{}{more}", Value::from(cut))
}
