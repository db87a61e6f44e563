//! How one content differs from another: as data, and as text for a terminal.
//!
//! Pure. Messages are paired in order, their texts compared line by line and changed lines word by word; everything
//! else is compared by name. What comparing may cost is bounded: beyond that, texts are shown as replaced.

mod align;
mod effort;
mod lines;
mod messages;
mod named;
#[cfg(test)]
mod tests;
mod text;

use serde::Serialize;
use serde_json::{Map, Value};
use vocab::Impact;

use crate::content::Content;
use crate::prompts::impact::{Assessment, Interface, Reason};
use effort::Effort;

pub use text::Headings;

/// Bytes of text to a token, by and large.
const BYTES_PER_TOKEN: u64 = 4;

/// How a content differs from the one before it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diff {
    /// Whether there is no difference.
    pub same: bool,
    /// How much it matters to callers; none when there is nothing before it, or one of the two does not hold.
    pub impact: Option<Impact>,
    /// Why.
    pub impact_reasons: Vec<Reason>,
    /// The messages in order; a text prompt's text is one.
    pub messages: Vec<MessageDiff>,
    /// Declared variables that differ.
    pub variables: Vec<NamedDiff>,
    /// Parameters that differ.
    pub parameters: Vec<NamedDiff>,
    /// Tools that differ.
    pub tools: Vec<NamedDiff>,
    /// The response format, when it differs.
    pub response_format: Option<NamedDiff>,
    /// What else differs: `engine`, `model`, `fallbacks`, `tool_choice`, `locked`, and beside the content `examples` and
    /// `metadata`.
    pub settings: Vec<NamedDiff>,
    /// What the two cost to send.
    pub tokens: TokenDiff,
}

/// What became of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It stayed as it was.
    Same,
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is there on both sides and differs.
    Changed,
    /// It stayed as it was, at another place.
    Moved,
}

/// What became of one item of `messages`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MessageDiff {
    /// What became of it.
    pub change: Change,
    /// Where it was.
    pub from_index: Option<usize>,
    /// Where it is.
    pub to_index: Option<usize>,
    /// What it is: a role, `placeholder …`, `include …` or `text`.
    pub heading: String,
    /// As it was, unless it stayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// As it is, unless it stayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
    /// Its text, line by line.
    pub lines: Vec<Line>,
    /// What differs beside its text, such as `role` or `name`.
    pub fields: Vec<NamedDiff>,
}

/// What became of one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What became of it.
    pub change: Change,
    /// Its number before, from 1.
    pub from_line: Option<usize>,
    /// Its number now, from 1.
    pub to_line: Option<usize>,
    /// Its text, cut where it differs: a line that is not `changed` is one piece.
    pub pieces: Vec<Piece>,
}

/// A piece of a line that stayed, is new or is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Piece {
    /// `same`, `added` or `removed`.
    pub change: Change,
    /// The text.
    pub text: String,
}

/// What became of something that has a name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NamedDiff {
    /// Its name.
    pub name: String,
    /// What became of it.
    pub change: Change,
    /// As it was; none when it is new.
    pub from: Option<Value>,
    /// As it is; none when it is gone.
    pub to: Option<Value>,
    /// The same line by line as JSON, for lists and objects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<Line>,
}

/// How many tokens a version takes before its variables are filled in: an estimate from its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TokenDiff {
    /// Before.
    pub from: u64,
    /// Now.
    pub to: u64,
    /// What was added, or taken away.
    pub difference: i64,
}

/// One of the two contents that are compared.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// The content.
    pub content: &'a Content,
    /// What stands beside it by name: `examples` and `metadata`, unless they are empty.
    pub beside: &'a Map<String, Value>,
    /// What callers can put into it; none when its templates do not hold.
    pub interface: Option<&'a Interface>,
}

impl Diff {
    /// Compares a content with the one before it, or with nothing.
    pub fn between(from: Option<Side<'_>>, to: Side<'_>) -> Self {
        let mut effort = Effort::default();
        let (nothing, none) = (Content::empty(to.content.is_text()), Map::new());
        let before = from.map_or(&nothing, |from| from.content);
        let beside = from.map_or(&none, |from| from.beside);
        let assessment = from.and_then(|from| {
            let assessment =
                Assessment::between((from.content, from.interface?), (to.content, to.interface?));
            Some(assessment.beside(from.beside, to.beside))
        });
        let same = from.is_some() && before == to.content && beside == to.beside;
        let (impact, reasons) = assessment.filter(|_| !same).map(|it| (it.impact, it.reasons)).unzip();
        Self {
            same,
            impact,
            impact_reasons: reasons.unwrap_or_default(),
            messages: messages::compare(before, to.content, &mut effort),
            variables: named::variables(before, to.content, &mut effort),
            parameters: named::parameters(before, to.content, &mut effort),
            tools: named::tools(before, to.content, &mut effort),
            response_format: named::response_format(before, to.content, &mut effort),
            settings: named::settings((before, beside), (to.content, to.beside), &mut effort),
            tokens: TokenDiff::between(before, to.content),
        }
    }
}

impl TokenDiff {
    fn between(from: &Content, to: &Content) -> Self {
        let (from, to) = (estimated_tokens(from), estimated_tokens(to));
        Self { from, to, difference: to.cast_signed() - from.cast_signed() }
    }
}

/// About how many tokens of input a content is, before variables are filled in.
pub fn estimated_tokens(content: &Content) -> u64 {
    let said: usize = match &content.body {
        crate::content::PromptBody::Text(text) => text.len(),
        crate::content::PromptBody::Messages(items) => items.iter().map(messages::weight).sum(),
    };
    let json = |value: &Value| value.to_string().len();
    let tools: usize = content.tools.iter().flatten().map(json).sum();
    let format = content.response_format.as_ref().map_or(0, json);
    tokens_of(said + tools + format)
}

/// About how many tokens so many bytes of text are.
pub const fn tokens_of(bytes: usize) -> u64 {
    (bytes as u64).div_ceil(BYTES_PER_TOKEN)
}

impl Line {
    fn whole(change: Change, numbers: (Option<usize>, Option<usize>), text: &str) -> Self {
        let (from_line, to_line) = numbers;
        Self { change, from_line, to_line, pieces: vec![Piece { change, text: text.to_owned() }] }
    }

    fn became(mut self, change: Change) -> Self {
        self.change = change;
        self.pieces.iter_mut().for_each(|piece| piece.change = change);
        self
    }
}
