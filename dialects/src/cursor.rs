//! Walks JSON text in place: checks it, and shows the members asked for without building anything.
//!
//! Every event of a stream passes through here, so it must cost little; and providers put numbers where
//! strings belong and nulls where lists do, so it must not mind. A value of an unexpected type is passed over.

use std::borrow::Cow;

use serde_json::{Map, Value};

#[cfg(test)]
mod tests;

/// How deep values may nest, as in `serde_json`.
const DEPTH_MAX: u8 = 127;

/// The text is not JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotJson;

type Step = Result<(), NotJson>;

/// A place in JSON text.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    depth: u8,
}

impl<'a> Cursor<'a> {
    /// A cursor before the value that `bytes` hold.
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, NotJson> {
        let text = std::str::from_utf8(bytes).map_err(|_| NotJson)?;
        Ok(Self { text, at: 0, depth: 0 })
    }

    /// Walks an object, showing `member` each key (as written between its quotes) with the cursor before its
    /// value, which `member` must take. Passes over anything but an object; says whether it was one.
    pub(crate) fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, &'a str) -> Step,
    ) -> Result<bool, NotJson> {
        if self.peek() != Some(b'{') {
            return self.skip().map(|()| false);
        }
        self.enter()?;
        let mut more = self.peek() != Some(b'}');
        while more {
            if self.peek() != Some(b'"') {
                return Err(NotJson);
            }
            let key = self.string()?;
            self.expect(b':')?;
            member(self, key)?;
            more = self.comma_or(b'}')?;
        }
        self.leave(b'}').map(|()| true)
    }

    /// Walks an array, calling `item` before each value, which `item` must take. Passes over anything else.
    pub(crate) fn array(&mut self, mut item: impl FnMut(&mut Self) -> Step) -> Step {
        if self.peek() != Some(b'[') {
            return self.skip();
        }
        self.enter()?;
        let mut more = self.peek() != Some(b']');
        while more {
            item(self)?;
            more = self.comma_or(b']')?;
        }
        self.leave(b']')
    }

    /// Takes a string; passes over anything else.
    pub(crate) fn text(&mut self) -> Result<Option<Text<'a>>, NotJson> {
        if self.peek() == Some(b'"') {
            self.string().map(|raw| Some(Text(raw)))
        } else {
            self.skip().map(|()| None)
        }
    }

    /// Takes a value as it is written, unless it is `null`.
    pub(crate) fn raw(&mut self) -> Result<Option<&'a str>, NotJson> {
        self.peek();
        let start = self.at;
        self.skip()?;
        Ok(self.text.get(start..self.at).filter(|raw| *raw != "null"))
    }

    /// Takes a whole number; passes over anything else.
    pub(crate) fn number(&mut self) -> Result<Option<u64>, NotJson> {
        Ok(self.raw()?.and_then(|raw| raw.parse().ok()))
    }

    /// Builds a value. Unlike `serde_json` it takes half surrogate pairs, which models do emit.
    pub(crate) fn value(&mut self) -> Result<Value, NotJson> {
        Ok(match self.peek() {
            Some(b'{') => {
                let mut members = Map::new();
                self.object(|json, key| {
                    members.insert(Text(key).decode().into_owned(), json.value()?);
                    Ok(())
                })?;
                Value::Object(members)
            }
            Some(b'[') => {
                let mut items = Vec::new();
                self.array(|json| {
                    items.push(json.value()?);
                    Ok(())
                })?;
                Value::Array(items)
            }
            Some(b'"') => Value::String(self.text()?.map_or(Cow::Borrowed(""), Text::decode).into_owned()),
            _ => self.raw()?.and_then(|raw| serde_json::from_str(raw).ok()).unwrap_or_default(),
        })
    }

    /// Passes over a value.
    pub(crate) fn skip(&mut self) -> Step {
        match self.peek() {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'{') => self.object(|json, _| json.skip()).map(|_| ()),
            Some(b'[') => self.array(Self::skip),
            Some(b'n') => self.word("null"),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'-' | b'0'..=b'9') => self.digits(),
            _ => Err(NotJson),
        }
    }

    /// The first byte of what comes next, blanks passed over.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = self.byte();
            match byte {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                _ => return byte,
            }
        }
    }

    /// Where the cursor stands, in bytes.
    pub(crate) const fn offset(&self) -> usize {
        self.at
    }

    /// Checks that only blanks are left.
    pub(crate) fn end(mut self) -> Step {
        if self.peek().is_none() { Ok(()) } else { Err(NotJson) }
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn enter(&mut self) -> Step {
        self.at += 1;
        self.depth += 1;
        if self.depth > DEPTH_MAX { Err(NotJson) } else { Ok(()) }
    }

    fn leave(&mut self, closing: u8) -> Step {
        self.depth -= 1;
        self.expect(closing)
    }

    fn expect(&mut self, wanted: u8) -> Step {
        if self.peek() != Some(wanted) {
            return Err(NotJson);
        }
        self.at += 1;
        Ok(())
    }

    /// Takes a comma, or stays before `closing`.
    fn comma_or(&mut self, closing: u8) -> Result<bool, NotJson> {
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == closing => Ok(false),
            _ => Err(NotJson),
        }
    }

    fn word(&mut self, word: &str) -> Step {
        let found = self.text.as_bytes().get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes()));
        self.at += word.len();
        if found { Ok(()) } else { Err(NotJson) }
    }

    /// Takes a string and returns what stands between its quotes.
    fn string(&mut self) -> Result<&'a str, NotJson> {
        self.at += 1;
        let start = self.at;
        loop {
            self.at += plain_length(self.text.as_bytes().get(self.at..).unwrap_or_default());
            match self.byte() {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                _ => return Err(NotJson),
            }
        }
        let raw = self.text.get(start..self.at).ok_or(NotJson)?;
        self.at += 1;
        Ok(raw)
    }

    fn escape(&mut self) -> Step {
        self.at += 1;
        let length = match self.byte() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 1,
            Some(b'u') => {
                let digits = self.text.as_bytes().get(self.at + 1..self.at + 5).ok_or(NotJson)?;
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return Err(NotJson);
                }
                5
            }
            _ => return Err(NotJson),
        };
        self.at += length;
        Ok(())
    }

    fn digits(&mut self) -> Step {
        self.at += usize::from(self.byte() == Some(b'-'));
        if self.byte() == Some(b'0') {
            self.at += 1;
        } else {
            self.run_of_digits()?;
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.run_of_digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), Some(b'+' | b'-')));
            self.run_of_digits()?;
        }
        Ok(())
    }

    fn run_of_digits(&mut self) -> Step {
        let start = self.at;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(NotJson) }
    }
}

/// How many bytes at the start of `bytes` are neither a quote, a backslash nor a control character. Eight
/// bytes at a time: most of an event's bytes lie in strings.
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    let mut length = 0;
    for word in bytes.chunks_exact(8) {
        let Ok(word) = word.try_into().map(u64::from_le_bytes) else { break };
        let quote = word ^ (ONES * u64::from(b'"'));
        let backslash = word ^ (ONES * u64::from(b'\\'));
        let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word;
        let special = (below(word, 0x20) | below(quote, 1) | below(backslash, 1)) & HIGHS;
        if special != 0 {
            return length + (special.trailing_zeros() / 8) as usize;
        }
        length += 8;
    }
    let rest = bytes.get(length..).unwrap_or_default();
    length + rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(rest.len())
}

/// What stands between the quotes of a JSON string, escapes and all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    /// Whether the string is empty.
    pub(crate) const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Whether the string is `other`, which must need no escapes.
    pub(crate) fn is(self, other: &str) -> bool {
        self.0 == other
    }

    /// The string as written, without its quotes.
    pub(crate) const fn raw(self) -> &'a str {
        self.0
    }

    /// About how many bytes of text the string stands for: escapes count for what they mean.
    pub(crate) fn decoded_bytes(self) -> u64 {
        let escapes = memchr::memchr_iter(b'\\', self.0.as_bytes()).count();
        (self.0.len() - escapes) as u64
    }

    /// The text the string stands for. Half a surrogate pair, which models do emit, becomes U+FFFD.
    pub(crate) fn decode(self) -> Cow<'a, str> {
        if !self.0.contains('\\') {
            return Cow::Borrowed(self.0);
        }
        let mut rest = self.0;
        let mut text = String::with_capacity(rest.len());
        while let Some((before, escape)) = rest.split_once('\\') {
            text.push_str(before);
            let (decoded, length) = decode_escape(escape);
            text.push(decoded);
            rest = escape.get(length..).unwrap_or_default();
        }
        text.push_str(rest);
        Cow::Owned(text)
    }
}

/// The character an escape stands for, and how many bytes after the backslash it takes.
fn decode_escape(escape: &str) -> (char, usize) {
    match escape.as_bytes().first() {
        Some(b'b') => ('\u{8}', 1),
        Some(b'f') => ('\u{c}', 1),
        Some(b'n') => ('\n', 1),
        Some(b'r') => ('\r', 1),
        Some(b't') => ('\t', 1),
        Some(b'u') => decode_unicode(escape),
        Some(&byte) => (char::from(byte), 1),
        None => (char::REPLACEMENT_CHARACTER, 0),
    }
}

fn decode_unicode(escape: &str) -> (char, usize) {
    let first = hex(escape.get(1..5));
    let second = if escape.get(5..7) == Some("\\u") { hex(escape.get(7..11)) } else { None };
    let pair = first.into_iter().chain(second);
    match char::decode_utf16(pair).next() {
        Some(Ok(decoded)) => (decoded, if decoded.len_utf16() == 2 { 11 } else { 5 }),
        _ => (char::REPLACEMENT_CHARACTER, 5),
    }
}

fn hex(digits: Option<&str>) -> Option<u16> {
    u16::from_str_radix(digits?, 16).ok()
}
