//! JSON text redacted in place: strings unescaped, looked at and written again, everything else copied.
//!
//! What turns out not to be JSON is looked at as plain text too, with its escapes resolved, so that a body nobody
//! can parse hides nothing.

use std::borrow::Cow;
use std::ops::Range;

use super::Redaction;

/// How deep JSON may stand in strings of JSON, as arguments of tools do; deeper it is text.
const DEPTH_MAX: u8 = 4;

/// The body redacted; `None` when nothing in it is to be replaced.
pub(super) fn changed(redaction: &Redaction, body: &[u8], depth: u8) -> Option<Vec<u8>> {
    let mut walk = Walk { redaction, body, depth, out: Vec::new(), copied: 0, odd: !begins_json(body) };
    if !walk.odd {
        walk.run();
    }
    let odd = walk.odd;
    let changed = walk.finish();
    if !odd {
        return changed;
    }
    let text = changed.as_deref().unwrap_or(body);
    let plain = unescape(text);
    redaction.changed(&plain).map(String::into_bytes).or(changed)
}

fn begins_json(body: &[u8]) -> bool {
    body.trim_ascii_start().first().is_some_and(|first| b"{[\"".contains(first))
}

struct Walk<'a> {
    redaction: &'a Redaction,
    body: &'a [u8],
    depth: u8,
    out: Vec<u8>,
    /// How much of the body is in `out`.
    copied: usize,
    /// Whether something stands outside of strings that JSON does not have there.
    odd: bool,
}

impl Walk<'_> {
    fn run(&mut self) {
        let mut at = 0;
        while let Some(quote) = memchr::memchr(b'"', self.body.get(at..).unwrap_or_default()) {
            self.between(at..at + quote);
            let Some(end) = string_end(self.body, at + quote + 1) else {
                self.odd = true;
                return;
            };
            if !is_key(self.body, end + 1) {
                self.string(at + quote + 1..end);
            }
            at = end + 1;
        }
        self.between(at..self.body.len());
    }

    /// Looks at what stands between two strings: structure, words, and numbers.
    fn between(&mut self, place: Range<usize>) {
        let body = self.body;
        let mut after_scalar = false;
        let mut at = place.start;
        while at < place.end {
            let byte = body.get(at).copied().unwrap_or_default();
            if byte.is_ascii_whitespace() || b",:[]{}".contains(&byte) {
                after_scalar &= byte.is_ascii_whitespace();
                at += 1;
                continue;
            }
            let rest = body.get(at..place.end).unwrap_or_default();
            let length = rest.iter().take_while(|byte| is_scalar(**byte)).count().max(1);
            // Two in a row are not JSON, but may be a number that somebody wrote in groups.
            self.odd |= after_scalar;
            after_scalar = true;
            self.scalar(at..at + length);
            at += length;
        }
    }

    fn scalar(&mut self, place: Range<usize>) {
        let text = self.body.get(place.clone()).unwrap_or_default();
        if !text.first().is_some_and(|first| first.is_ascii_digit() || *first == b'-') {
            self.odd |= !matches!(text, b"true" | b"false" | b"null");
            return;
        }
        if !text.iter().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(byte)) {
            self.odd = true;
        }
        let digits = text.strip_prefix(b"-").unwrap_or(text);
        let whole = std::str::from_utf8(digits).ok().filter(|_| digits.iter().all(u8::is_ascii_digit));
        if let Some(changed) = whole.and_then(|digits| self.redaction.changed(digits)) {
            self.replace(place, &changed);
        }
    }

    fn string(&mut self, place: Range<usize>) {
        let raw = self.body.get(place.clone()).unwrap_or_default();
        if !self.redaction.may_change(raw) {
            return;
        }
        let text = unescape(raw);
        let inner = self.depth < DEPTH_MAX && begins_json(text.as_bytes());
        let changed = if inner {
            let changed = changed(self.redaction, text.as_bytes(), self.depth + 1);
            changed.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        } else {
            self.redaction.changed(&text)
        };
        if let Some(changed) = changed {
            self.replace(place.start - 1..place.end + 1, &changed);
        }
    }

    /// Puts a string in the place of a value.
    fn replace(&mut self, place: Range<usize>, text: &str) {
        self.out.extend_from_slice(self.body.get(self.copied..place.start).unwrap_or_default());
        self.out.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
        self.copied = place.end;
    }

    fn finish(mut self) -> Option<Vec<u8>> {
        if self.copied == 0 {
            return None;
        }
        self.out.extend_from_slice(self.body.get(self.copied..).unwrap_or_default());
        Some(self.out)
    }
}

const fn is_scalar(byte: u8) -> bool {
    !byte.is_ascii_whitespace() && !matches!(byte, b',' | b':' | b'[' | b']' | b'{' | b'}' | b'"')
}

/// Where the string that begins at `at` has its closing quote.
fn string_end(body: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr::memchr2(b'"', b'\\', body.get(at..)?)?;
        if body.get(at) == Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}

fn is_key(body: &[u8], after: usize) -> bool {
    body.get(after..).unwrap_or_default().trim_ascii_start().first() == Some(&b':')
}

/// Resolves JSON's escapes; what is none stays as it is.
fn unescape(raw: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(raw);
    if !text.contains('\\') {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = &*text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let (escaped, length) = escape(after);
        match escaped {
            Some(plain) => out.push(plain),
            None => out.push('\\'),
        }
        rest = after.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// What follows a backslash, and how much of it belongs to the escape.
fn escape(after: &str) -> (Option<char>, usize) {
    let plain = match after.as_bytes().first() {
        Some(b'n') => '\n',
        Some(b't') => '\t',
        Some(b'r') => '\r',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(byte @ (b'"' | b'\\' | b'/')) => char::from(*byte),
        Some(b'u') => return unicode(after),
        Some(_) | None => return (None, 0),
    };
    (Some(plain), 1)
}

/// `uXXXX`, or a surrogate pair; half a pair stands for nothing.
fn unicode(after: &str) -> (Option<char>, usize) {
    let code = |text: &str, at: usize| u32::from_str_radix(text.get(at..at + 4)?, 16).ok();
    let Some(first) = code(after, 1) else { return (None, 0) };
    if let Some(plain) = char::from_u32(first) {
        return (Some(plain), 5);
    }
    let second = after.get(5..7).filter(|next| *next == "\\u").and_then(|_| code(after, 7));
    let pair = second.and_then(|low| {
        let low = low.checked_sub(0xDC00).filter(|low| *low < 0x400)?;
        char::from_u32(0x1_0000 + ((first.checked_sub(0xD800)? & 0x3FF) << 10) + low)
    });
    match pair {
        Some(plain) => (Some(plain), 11),
        None => (Some(char::REPLACEMENT_CHARACTER), 5),
    }
}
