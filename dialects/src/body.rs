//! A JSON object scanned, not rebuilt: members are found and borrowed, and edits are spliced between untouched bytes.
//!
//! Nothing that is not asked for changes: member order, numbers as they were written, duplicate keys and blanks
//! between members all survive. Not a general JSON editor: it sees the members of one object and no deeper.

mod read;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde_json::value::RawValue;
use serde_json::{Map, Value};
use thiserror::Error;

/// One JSON object with its members, borrowed from the bytes it was read from.
#[derive(Debug)]
pub struct Body<'a> {
    text: &'a str,
    members: Vec<Member<'a>>,
}

#[derive(Debug)]
struct Member<'a> {
    key: Cow<'a, str>,
    value: &'a RawValue,
}

impl<'a> Body<'a> {
    /// Finds the members of the object in `bytes`. Values are checked to be JSON, at any depth, but not built.
    pub fn scan(bytes: &'a [u8]) -> Result<Self, BodyError> {
        read::scan(bytes)
    }

    /// The value of `key`: the last one when there are several; `null` counts as absent.
    pub fn get(&self, key: &str) -> Option<&'a RawValue> {
        let member = self.members.iter().rev().find(|member| member.key == key)?;
        (member.value.get() != "null").then_some(member.value)
    }

    /// The string under `key`.
    pub fn text(&self, key: &'static str) -> Result<Option<Cow<'a, str>>, BodyError> {
        let Some(raw) = self.get(key) else { return Ok(None) };
        read::text(raw).map(Some).ok_or_else(|| BodyError::wrong_type(key, "a string"))
    }

    /// The boolean under `key`.
    pub fn flag(&self, key: &'static str) -> Result<Option<bool>, BodyError> {
        match self.get(key).map(RawValue::get) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(BodyError::wrong_type(key, "true or false")),
        }
    }

    /// The value under `key`, built; refuses what is nested more than 127 levels deep.
    pub fn value(&self, key: &'static str) -> Result<Option<Value>, BodyError> {
        let Some(raw) = self.get(key) else { return Ok(None) };
        // Scanned bytes are JSON already, so depth is the only thing left to fail on.
        serde_json::from_str(raw.get()).map(Some).map_err(|_| BodyError::TooDeep { key: key.into() })
    }

    /// The object under `key`, built like [`Body::value`].
    pub fn object(&self, key: &'static str) -> Result<Option<Map<String, Value>>, BodyError> {
        match self.value(key)? {
            None => Ok(None),
            Some(Value::Object(members)) => Ok(Some(members)),
            Some(_) => Err(BodyError::wrong_type(key, "an object")),
        }
    }

    /// All members in their order, duplicates and nulls included.
    pub fn members(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.members.iter().map(|member| (&*member.key, member.value))
    }

    /// Whether there is a member `key`, be it `null`.
    pub fn holds(&self, key: &str) -> bool {
        self.members.iter().any(|member| member.key == key)
    }

    /// Where each member lies in the text, in order.
    fn spans(&self) -> impl Iterator<Item = (&Member<'a>, Span)> {
        let text = self.text.as_bytes();
        let mut before = opening(text);
        self.members.iter().map(move |member| {
            let json = member.value.get();
            let value = json.as_ptr().addr() - text.as_ptr().addr();
            // Only blanks, a comma and the key itself lie between two values.
            let key = before + text[before..value].iter().position(|byte| *byte == b'"').unwrap_or_default();
            let span = Span { before, key, value, end: value + json.len() };
            before = span.end;
            (member, span)
        })
    }
}

/// Offsets of one member: where the one before it ends, its key, its value, its end.
#[derive(Clone, Copy)]
struct Span {
    before: usize,
    key: usize,
    value: usize,
    end: usize,
}

/// The offset behind the object's opening brace.
fn opening(text: &[u8]) -> usize {
    text.iter().position(|byte| *byte == b'{').map_or(0, |brace| brace + 1)
}

/// What to change in a body before it is forwarded. A later change of a key replaces an earlier one.
#[derive(Debug, Default)]
pub struct Edit<'a> {
    changes: Vec<(Cow<'a, str>, Change<'a>)>,
}

#[derive(Debug)]
enum Change<'a> {
    Set(Cow<'a, str>),
    Remove,
}

impl<'a> Edit<'a> {
    /// No change.
    pub const fn new() -> Self {
        Self { changes: Vec::new() }
    }

    /// Replaces every value of `key` by `json`, or appends the member when the body has none.
    pub fn set(&mut self, key: impl Into<Cow<'a, str>>, json: impl Into<Cow<'a, str>>) {
        self.change(key.into(), Change::Set(json.into()));
    }

    /// Takes every member named `key` out.
    pub fn remove(&mut self, key: impl Into<Cow<'a, str>>) {
        self.change(key.into(), Change::Remove);
    }

    /// The JSON that `key` will be set to; `None` when it is left alone or removed.
    pub fn replacement(&self, key: &str) -> Option<&str> {
        match self.find(key) {
            Some(Change::Set(json)) => Some(json),
            Some(Change::Remove) | None => None,
        }
    }

    /// Whether the bytes go on untouched.
    pub const fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The body with the changes made and all other bytes as they were.
    pub fn write(&self, body: &Body<'_>) -> Vec<u8> {
        let mut splice = Splice::begin(body.text.as_bytes(), self.weight());
        for (member, span) in body.spans() {
            match self.find(&member.key) {
                None => splice.keep(span),
                Some(Change::Set(json)) => splice.replace(span, json),
                Some(Change::Remove) => splice.drop(span),
            }
        }
        for (key, change) in &self.changes {
            if let Change::Set(json) = change
                && !body.holds(key)
            {
                splice.append(key, json);
            }
        }
        splice.finish()
    }

    fn change(&mut self, key: Cow<'a, str>, change: Change<'a>) {
        match self.changes.iter_mut().find(|(other, _)| *other == key) {
            Some(entry) => entry.1 = change,
            None => self.changes.push((key, change)),
        }
    }

    fn find(&self, key: &str) -> Option<&Change<'a>> {
        self.changes.iter().find(|(other, _)| other == key).map(|(_, change)| change)
    }

    /// At most how many bytes the changes add.
    fn weight(&self) -> usize {
        let added = |(key, change): &(Cow<'_, str>, Change<'_>)| match change {
            Change::Set(json) => key.len() + json.len() + 4,
            Change::Remove => 0,
        };
        self.changes.iter().map(added).sum()
    }
}

/// A changed object being put together from pieces of the old one.
struct Splice<'t> {
    text: &'t [u8],
    out: Vec<u8>,
    /// Where the last member seen ends: the tail starts there.
    end: usize,
    /// Where the first member's key starts, once it was seen: what stands before it opens the object.
    first_key: Option<usize>,
    is_empty: bool,
}

impl<'t> Splice<'t> {
    fn begin(text: &'t [u8], added_bytes: usize) -> Self {
        let out = Vec::with_capacity(text.len() + added_bytes);
        Self { text, out, end: opening(text), first_key: None, is_empty: true }
    }

    fn keep(&mut self, span: Span) {
        self.lead(span);
        self.out.extend_from_slice(&self.text[span.key..span.end]);
    }

    fn replace(&mut self, span: Span, json: &str) {
        self.lead(span);
        self.out.extend_from_slice(&self.text[span.key..span.value]);
        self.out.extend_from_slice(json.as_bytes());
    }

    fn drop(&mut self, span: Span) {
        self.first_key.get_or_insert(span.key);
        self.end = span.end;
    }

    /// Writes what stands before a member: its own comma and blanks, or the object's opening for the first kept one.
    fn lead(&mut self, span: Span) {
        let first_key = *self.first_key.get_or_insert(span.key);
        let lead = if self.is_empty { 0..first_key } else { span.before..span.key };
        self.out.extend_from_slice(&self.text[lead]);
        self.is_empty = false;
        self.end = span.end;
    }

    fn append(&mut self, key: &str, json: &str) {
        if self.is_empty {
            self.out.extend_from_slice(&self.text[..opening(self.text)]);
        } else {
            self.out.push(b',');
        }
        read::write_text(key, &mut self.out);
        self.out.push(b':');
        self.out.extend_from_slice(json.as_bytes());
        self.is_empty = false;
    }

    fn finish(mut self) -> Vec<u8> {
        if self.is_empty {
            self.out.extend_from_slice(&self.text[..opening(self.text)]);
        }
        self.out.extend_from_slice(&self.text[self.end..]);
        self.out
    }
}

/// Why a body, or one of its members, cannot be read. Speaks to the caller.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BodyError {
    /// There are no bytes.
    #[error("the request body is empty: send a JSON object")]
    Empty,
    /// The bytes are not JSON.
    #[error("the request body is not valid JSON: {reason} at line {line}, column {column}")]
    NotJson {
        /// What is wrong.
        reason: String,
        /// Where, counted from 1.
        line: usize,
        /// Where in the line, in bytes.
        column: usize,
    },
    /// The bytes are JSON, but no object.
    #[error("the request body must be a JSON object, `{{…}}`")]
    NotAnObject,
    /// A member is of another type than it must be.
    #[error("`{key}` must be {wanted}")]
    WrongType {
        /// The member.
        key: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// A member that has to be built is nested too deep.
    #[error("`{key}` is nested too deep: 127 levels are read")]
    TooDeep {
        /// The member.
        key: String,
    },
}

impl BodyError {
    /// A member that must be `wanted` and is not.
    pub fn wrong_type(key: impl Into<String>, wanted: &'static str) -> Self {
        Self::WrongType { key: key.into(), wanted }
    }

    /// The same about a member of the object `outer`.
    #[must_use]
    pub fn within(self, outer: &str) -> Self {
        match self {
            Self::WrongType { key, wanted } => Self::WrongType { key: format!("{outer}.{key}"), wanted },
            Self::TooDeep { key } => Self::TooDeep { key: format!("{outer}.{key}") },
            Self::Empty | Self::NotJson { .. } | Self::NotAnObject => self,
        }
    }

    /// The member at fault, for the error's `param`.
    pub fn param(&self) -> Option<&str> {
        match self {
            Self::Empty | Self::NotJson { .. } | Self::NotAnObject => None,
            Self::WrongType { key, .. } | Self::TooDeep { key } => Some(key),
        }
    }
}
