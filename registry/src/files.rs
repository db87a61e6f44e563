//! Prompts as files people read and review: YAML front matter between `---` lines, then the messages or the text.
//!
//! ```text
//! ---
//! description: answers customers
//! type: chat
//! model: openai/gpt-4o
//! parameters:
//!   temperature: 0.2
//! ---
//! === system
//! You help customers of {{shop}}.
//!
//! === placeholder history
//!
//! === user name=customer
//! {{question}}
//! ```
//!
//! A line that starts with `=== ` begins a message (see `files/body.rs`); blank lines around a message's text do not
//! count. With `type: text` everything after the front matter is the text. Whatever these forms cannot say without
//! loss is written as YAML instead, so that a file always reads back as what was written. Pure: no file is touched.

mod body;
mod front;
mod heading;
mod path;
#[cfg(test)]
mod tests;

use std::fmt;

use serde_json::{Map, Value};
use vocab::{LabelName, PromptName};

use crate::content::{Alias, Content, PromptBody};
use crate::template::Problem;
use front::{FrontMatter, Kind};

pub use path::{EXTENSION, PathProblem, name_of, path_of};

const FENCE: &str = "---";

/// A prompt as one file holds it: what the prompt is, and one version's content.
#[derive(Clone, Debug, PartialEq)]
pub struct PromptFile {
    /// The prompt's name, where it is not the file's path that tells it.
    pub name: Option<PromptName>,
    /// What the prompt is for.
    pub description: Option<String>,
    /// The prompt's tags.
    pub tags: Vec<String>,
    /// The labels that are to serve this version.
    pub labels: Vec<LabelName>,
    /// The foreign ids the prompt answers to.
    pub aliases: Vec<Alias>,
    /// The version's free metadata.
    pub metadata: Map<String, Value>,
    /// Cases to try the version with, as written.
    pub examples: Vec<Value>,
    /// The version's content.
    pub content: Content,
}

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct FileProblem {
    /// The line of the file, from 1.
    pub line: u32,
    /// The column, in characters from 1; 0 when the whole line is meant.
    pub column: u32,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if self.column > 0 {
            write!(f, ", column {}", self.column)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Reads a prompt file. Line ends may be those of Windows.
pub fn read(text: &str) -> Result<PromptFile, FileProblem> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let halves = Halves::of(&text)?;
    let mut front = front::read(halves.front)?;
    let body = read_body(&mut front, &halves)?;
    Ok(front.into_file(body))
}

/// Writes a prompt file; [`read`] gives the same back.
pub fn write(file: &PromptFile) -> String {
    let (body, text) = match &file.content.body {
        PromptBody::Messages(items) => (body::write(items), None),
        PromptBody::Text(text) if body::is_bare(text) && text.is_empty() => (String::new(), None),
        PromptBody::Text(text) if body::is_bare(text) => (format!("{text}\n"), None),
        PromptBody::Text(text) => (String::new(), Some(text.clone())),
    };
    let front = front::write(&FrontMatter::of(file, text));
    format!("{FENCE}\n{front}{FENCE}\n{body}")
}

/// The line of a file that a template's problem is about.
pub fn line_of(text: &str, problem: &Problem) -> u32 {
    let text = text.replace("\r\n", "\n");
    let Ok(halves) = Halves::of(&text) else { return 1 };
    match (problem.item, problem.line) {
        (Some(item), line) => {
            body::line_of(halves.body, item, line).map_or(1, |line| halves.body_line + line)
        }
        (None, 0) => 1,
        (None, line) => halves.body_line + body::blank_lines(halves.body) + line - 1,
    }
}

/// A file cut at its fences.
struct Halves<'t> {
    front: &'t str,
    body: &'t str,
    /// The line the body begins on.
    body_line: u32,
}

impl<'t> Halves<'t> {
    fn of(text: &'t str) -> Result<Self, FileProblem> {
        let Some((first, rest)) = text.split_once('\n').filter(|(first, _)| first.trim_end() == FENCE) else {
            let message = "a prompt file begins with a line `---`, the front matter, and another `---`: what stands \
                           before or instead of it would be taken for the prompt's text";
            return Err(FileProblem { line: 1, column: 0, message: message.to_owned() });
        };
        let mut offset = first.len() + 1;
        let front_start = offset;
        for (index, line) in rest.split_inclusive('\n').enumerate() {
            if line.trim_end() == FENCE {
                let front = text.get(front_start..offset).unwrap_or_default();
                let body = text.get(offset + line.len()..).unwrap_or_default();
                return Ok(Self { front, body, body_line: index as u32 + 3 });
            }
            offset += line.len();
        }
        let message = "the front matter has no end: write a line `---` after it".to_owned();
        Err(FileProblem { line: 1, column: 0, message })
    }
}

fn read_body(front: &mut FrontMatter, halves: &Halves<'_>) -> Result<PromptBody, FileProblem> {
    let refuse =
        |message: &str| Err(FileProblem { line: halves.body_line, column: 0, message: message.to_owned() });
    let has_body = !halves.body.trim_matches('\n').is_empty();
    let inferred = match &front.text {
        Some(_) => Kind::Text,
        None if body::begins(halves.body) => Kind::Chat,
        None if has_body => Kind::Text,
        None if front.kind.is_none() => {
            return refuse("the prompt is empty: begin a message with a line such as `=== user`");
        }
        None => Kind::Chat,
    };
    match (front.kind.unwrap_or(inferred), front.text.take()) {
        (Kind::Chat, Some(_)) => refuse("`text` in the front matter belongs to `type: text`: remove it"),
        (Kind::Chat, None) => Ok(PromptBody::Messages(body::read(halves.body, halves.body_line)?)),
        (Kind::Text, Some(_)) if has_body => refuse("the text is in the front matter: nothing may follow it"),
        (Kind::Text, Some(text)) => Ok(PromptBody::Text(text)),
        (Kind::Text, None) => Ok(PromptBody::Text(halves.body.trim_matches('\n').to_owned())),
    }
}
