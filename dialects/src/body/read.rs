//! Finding members with serde: keys and values are borrowed from the text wherever they hold no escapes.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Body, BodyError, Member};

/// Members a usual request has room for without growing the list.
const USUAL_MEMBERS: usize = 16;

/// Finds the members of the object in `bytes`.
pub(super) fn scan(bytes: &[u8]) -> Result<Body<'_>, BodyError> {
    // Checked once as a whole: checking value by value costs more.
    let text = std::str::from_utf8(bytes).map_err(|error| not_utf8(bytes, error.valid_up_to()))?;
    if text.trim_ascii().is_empty() {
        return Err(BodyError::Empty);
    }
    match serde_json::from_str::<Members<'_>>(text) {
        Ok(Members(members)) => Ok(Body { text, members }),
        Err(error) if error.is_data() => Err(BodyError::NotAnObject),
        Err(error) => Err(not_json(&error)),
    }
}

/// The string a value is, unescaped; `None` when it is something else.
pub(super) fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(raw.get()).ok().map(|text| text.0)
}

/// Writes `text` as a JSON string.
pub(super) fn write_text(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("a string always has a JSON form and a Vec takes all bytes");
}

fn not_utf8(bytes: &[u8], at: usize) -> BodyError {
    let before = &bytes[..at];
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    let column = memchr::memrchr(b'\n', before).map_or(at + 1, |newline| at - newline);
    BodyError::NotJson { reason: "a byte that is not UTF-8".into(), line, column }
}

fn not_json(error: &serde_json::Error) -> BodyError {
    let full = error.to_string();
    let reason = full.split(" at line ").next().unwrap_or_default().to_owned();
    BodyError::NotJson { reason, line: error.line(), column: error.column() }
}

struct Members<'a>(Vec<Member<'a>>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Vec::with_capacity(USUAL_MEMBERS);
        while let Some((Text(key), value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
            members.push(Member { key, value });
        }
        Ok(Members(members))
    }
}

/// A string borrowed unless it holds escapes; serde's own `Cow` never borrows.
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }
}
