//! The messages of a prompt file, each begun by a heading line:
//!
//! - `=== user` and the other roles, with text fields of the message as `name=value` or `name="any text"`;
//! - `=== user verbatim` when the text begins or ends with an empty line, which would be trimmed otherwise;
//! - `=== placeholder history`, `=== include snippets/tone@3 role=system`;
//! - `=== yaml` for what fits no heading (content parts, tool calls): the whole item as YAML.
//!
//! A line of text that would read as a heading is written with a `\` before it, and one that starts like that with
//! one `\` more.

use std::collections::VecDeque;

use dialects::chat::{Content, Message};
use serde_json::Value;

use super::FileProblem;
use super::front::{read_yaml, write_yaml};
use super::heading::{Heading, is_heading, is_key, needs_escape};
use crate::content::Item;

/// Writes items, an empty line between them.
pub(super) fn write(items: &[Item]) -> String {
    let mut body = String::new();
    let mut trims = false;
    for item in items {
        if trims {
            body.push('\n');
        }
        trims = write_item(item, &mut body);
    }
    body
}

/// Reads the items of a body that begins on this line of the file.
pub(super) fn read(body: &str, first_line: u32) -> Result<Vec<Item>, FileProblem> {
    let (preamble, blocks) = cut(body);
    if let Some(index) = preamble.iter().position(|line| !line.trim().is_empty()) {
        let message = "text before the first message: begin one with a line such as `=== system`".to_owned();
        return Err(FileProblem { line: first_line + index as u32, column: 0, message });
    }
    blocks.iter().map(|block| block.read(first_line + block.index)).collect()
}

/// Whether the first line that is not empty begins a message.
pub(super) fn begins(body: &str) -> bool {
    body.lines().find(|line| !line.trim().is_empty()).is_some_and(is_heading)
}

/// Whether a text comes back from the body of a file as it was.
pub(super) fn is_bare(text: &str) -> bool {
    !text.contains('\r') && !text.starts_with('\n') && !text.ends_with('\n')
}

/// How many empty lines a body begins with.
pub(super) fn blank_lines(body: &str) -> u32 {
    body.chars().take_while(|c| *c == '\n').count() as u32
}

/// Where a line of an item's text stands, in lines after the first of the body; line 0 is the heading.
pub(super) fn line_of(body: &str, item: usize, line: u32) -> Option<u32> {
    let (_, blocks) = cut(body);
    let block = blocks.get(item)?;
    let trimmed = match Heading::read(block.heading) {
        Ok(Heading::Message { verbatim: false, .. }) => {
            block.lines.iter().take_while(|line| line.is_empty()).count()
        }
        Ok(Heading::Message { verbatim: true, .. }) => 0,
        Ok(Heading::Whole(_) | Heading::Yaml) | Err(_) => return Some(block.index),
    };
    Some(if line == 0 { block.index } else { block.index + trimmed as u32 + line })
}

/// Writes one item; says whether empty lines after it do not count.
fn write_item(item: &Item, body: &mut String) -> bool {
    let (heading, text) = match item {
        Item::Message(message) => match head(message) {
            Some((heading, text)) => (heading, text),
            None => (Heading::Yaml, ""),
        },
        whole @ (Item::Placeholder { .. } | Item::Include { .. }) => (Heading::Whole(whole.clone()), ""),
    };
    body.push_str(&heading.write());
    body.push('\n');
    let verbatim = matches!(heading, Heading::Message { verbatim: true, .. });
    if heading == Heading::Yaml {
        let yaml = write_yaml(item);
        body.push_str(&yaml);
        // Empty lines after a block such as `|+` or `|2+` would belong to it.
        return !yaml.lines().any(|line| line.ends_with('+'));
    }
    if verbatim || !text.is_empty() {
        write_text(text, body);
    }
    !verbatim
}

/// The heading and the text of a message, if it is nothing more.
fn head(message: &Message) -> Option<(Heading, &str)> {
    let Content::Text(text) = &message.content else { return None };
    let simple = message.rest.iter().all(|(key, value)| is_key(key) && value.is_string());
    if !simple || text.contains('\r') {
        return None;
    }
    let verbatim = text.starts_with('\n') || text.ends_with('\n');
    Some((Heading::Message { role: message.role, rest: message.rest.clone(), verbatim }, text))
}

fn write_text(text: &str, body: &mut String) {
    for line in text.split('\n') {
        if needs_escape(line) {
            body.push('\\');
        }
        body.push_str(line);
        body.push('\n');
    }
}

/// A heading and the lines up to the next.
struct Block<'t> {
    heading: &'t str,
    /// Where the heading stands, in lines after the first of the body.
    index: u32,
    lines: VecDeque<&'t str>,
}

/// Cuts a body into the lines before the first heading, and the blocks.
fn cut(body: &str) -> (Vec<&str>, Vec<Block<'_>>) {
    let (mut preamble, mut blocks) = (Vec::new(), Vec::<Block<'_>>::new());
    for (index, line) in body.strip_suffix('\n').unwrap_or(body).split('\n').enumerate() {
        match blocks.last_mut() {
            _ if is_heading(line) => {
                blocks.push(Block { heading: line, index: index as u32, lines: VecDeque::new() });
            }
            Some(block) => block.lines.push_back(line),
            None => preamble.push(line),
        }
    }
    (preamble, blocks)
}

impl Block<'_> {
    fn read(&self, line: u32) -> Result<Item, FileProblem> {
        let refuse = |message| FileProblem { line, column: 0, message };
        match Heading::read(self.heading).map_err(refuse)? {
            Heading::Yaml => self.read_yaml(line),
            Heading::Whole(item) if self.lines.iter().all(|line| line.trim().is_empty()) => Ok(item),
            Heading::Whole(_) => Err(refuse("nothing may follow a placeholder or an include".to_owned())),
            Heading::Message { role, rest, verbatim } => {
                Ok(Item::Message(Message { role, content: Content::Text(self.text(verbatim)), rest }))
            }
        }
    }

    fn read_yaml(&self, line: u32) -> Result<Item, FileProblem> {
        let yaml: String = self.lines.iter().flat_map(|line| [line, "\n"]).collect();
        let value: Value = read_yaml(&yaml, line + 1)?;
        serde_json::from_value(value).map_err(|error| FileProblem {
            line,
            column: 0,
            message: format!("this message {error}"),
        })
    }

    fn text(&self, verbatim: bool) -> String {
        let mut lines = self.lines.clone();
        if !verbatim {
            while lines.front().is_some_and(|line| line.is_empty()) {
                lines.pop_front();
            }
            while lines.back().is_some_and(|line| line.is_empty()) {
                lines.pop_back();
            }
        }
        let lines: Vec<_> = lines.into_iter().map(unescape).collect();
        lines.join("\n")
    }
}

fn unescape(line: &str) -> &str {
    line.strip_prefix('\\').filter(|_| needs_escape(line)).unwrap_or(line)
}
