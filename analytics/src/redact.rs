//! What must not be stored, replaced before anything is: in bodies, texts, variables, errors, spans and scores.
//!
//! JSON is redacted string by string, after unescaping, so that `\u0040` hides nothing; its keys and its shape stay.
//! Without rules nothing is looked at. Replaced text is gone: no store, preview, search or export ever sees it.

mod json;
mod known;
mod numbers;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use regex::{Captures, Regex};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

pub use self::known::Known;
use self::known::{Finder, Signs};
use crate::filter::{Field, Filter, Pattern, Test};
use crate::record::{Attempt, Capture, Record};
use crate::score::{Score, Target};

/// How far a pattern of the operator's own looks ahead at first; a match that reaches this far is looked for again with
/// more. `regex` is linear in the text for each match, so that many matches could cost the square of it.
const AHEAD_BYTES: usize = 4 << 10;
/// What all matches of one pattern in one text may look at; what is left of the text then is replaced as a whole.
const SCAN_BYTES_MAX: usize = 1 << 30;

/// One thing to replace.
#[derive(Clone, Debug)]
pub enum Rule {
    /// Something every gateway knows, by `[name]`.
    Known(Known),
    /// What a pattern matches.
    Own {
        /// The pattern. It should not match the empty text.
        pattern: Regex,
        /// What stands in its place; `$1` is the first group.
        with: Box<str>,
    },
}

/// The rules of a project; patterns of its own come first. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Redaction {
    own: Arc<[(Regex, Box<str>)]>,
    known: Arc<[Finder]>,
}

impl Redaction {
    /// Makes the rules ready for use.
    pub fn new(rules: Vec<Rule>) -> Self {
        let mut own = Vec::new();
        let mut known = Vec::new();
        for rule in rules {
            match rule {
                Rule::Own { pattern, with } => own.push((pattern, with)),
                Rule::Known(name) => known.push(name),
            }
        }
        known.sort();
        known.dedup();
        Self { own: own.into(), known: known.into_iter().map(Finder::of).collect() }
    }

    /// Whether there are no rules.
    pub fn is_empty(&self) -> bool {
        self.own.is_empty() && self.known.is_empty()
    }

    /// Redacts plain text.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.changed(text).map_or(Cow::Borrowed(text), Cow::Owned)
    }

    /// Redacts a body: JSON, lines of JSON, or anything else as the text it is.
    pub fn json<'t>(&self, body: Cow<'t, [u8]>) -> Cow<'t, [u8]> {
        if self.is_empty() {
            return body;
        }
        match json::changed(self, &body, 0) {
            Some(changed) => Cow::Owned(changed),
            None => body,
        }
    }

    /// Redacts text that may be JSON.
    pub fn said<'t>(&self, text: Cow<'t, str>) -> Cow<'t, str> {
        if self.is_empty() {
            return text;
        }
        match json::changed(self, text.as_bytes(), 0) {
            Some(changed) => Cow::Owned(String::from_utf8_lossy(&changed).into_owned()),
            None => text,
        }
    }

    /// Redacts the strings and whole numbers in a value, not its keys.
    pub fn value(&self, value: &mut Value) {
        match value {
            _ if self.is_empty() => {}
            Value::Null | Value::Bool(_) => {}
            Value::Number(number) => {
                let whole = number.as_u64().map(|whole| whole.to_string());
                let whole = whole.or_else(|| whole_double(number.as_f64()?));
                if let Some(changed) = whole.and_then(|whole| self.changed(&whole)) {
                    *value = Value::String(changed);
                }
            }
            Value::String(text) => {
                if let Cow::Owned(changed) = self.said(Cow::Borrowed(text)) {
                    *text = changed;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(members) => members.values_mut().for_each(|member| self.value(member)),
        }
    }

    /// Redacts who or which session somebody is, so that it still tells one from another: what is replaced is
    /// followed by the beginning of the whole text's SHA-256. Whoever looks for `name` looks for `identity(name)`.
    pub fn identity<'t>(&self, name: &'t str) -> Cow<'t, str> {
        let Some(mut changed) = self.changed(name) else { return Cow::Borrowed(name) };
        changed.push('#');
        for byte in Sha256::digest(name.as_bytes()).iter().take(6) {
            // Writing into a string cannot fail.
            write!(changed, "{byte:02x}").unwrap_or_default();
        }
        Cow::Owned(changed)
    }

    /// Has a filter find users and sessions by what is stored of them too. What was stored under other rules is found
    /// as before.
    pub fn seek(&self, filter: &mut Filter) {
        for term in &mut filter.terms {
            let Test::Is(Field::User | Field::Session, patterns) = &mut term.test else { continue };
            let stored = |pattern: &Pattern| match pattern {
                Pattern::Exactly(name) => match self.identity(name) {
                    Cow::Owned(stored) => Some(Pattern::Exactly(stored)),
                    Cow::Borrowed(_) => None,
                },
                Pattern::StartsWith(_) => None,
            };
            let stored: Vec<_> = patterns.iter().filter_map(stored).collect();
            patterns.extend(stored);
        }
    }

    /// Replaces the name of a session that is judged by what is stored of it.
    pub fn target(&self, target: &mut Target) {
        if let Target::Session(session) = target
            && let Cow::Owned(name) = self.identity(session)
        {
            *session = name.into();
        }
    }

    /// Redacts what a record holds beside its bodies, which a [`Row`](crate::Row) reads. What had to be changed no
    /// longer holds an answer, metadata or variables.
    pub fn record<'r>(&self, record: &'r Record) -> Cow<'r, Record> {
        if self.is_empty() {
            return Cow::Borrowed(record);
        }
        let mut kept =
            Record { metadata: None, variables: None, response_body: Capture::Nothing, ..record.clone() };
        let mut touched = record.metadata.is_some() || record.variables.is_some();
        touched |= self.replace(&mut kept.error_message);
        touched |= self.replace_identity(&mut kept.user);
        touched |= self.replace_identity(&mut kept.session);
        for tag in &mut kept.tags {
            touched |= self.replace_in(tag);
        }
        for attempt in &mut kept.attempts {
            touched |= self.attempt(attempt);
        }
        if let Some(Cow::Owned(raw)) = kept.usage_raw.as_deref().map(|raw| self.said(Cow::Borrowed(raw))) {
            kept.usage_raw = Some(raw.into());
            touched = true;
        }
        if touched { Cow::Owned(kept) } else { Cow::Borrowed(record) }
    }

    /// Redacts a score's comment, author and session.
    pub fn score(&self, score: &mut Score) {
        if let Some(Cow::Owned(comment)) = score.comment.as_deref().map(|said| self.said(Cow::Borrowed(said)))
        {
            score.comment = Some(comment.into());
        }
        self.replace_identity(&mut score.author);
        self.target(&mut score.target);
    }

    fn attempt(&self, attempt: &mut Attempt) -> bool {
        self.replace(&mut attempt.error)
    }

    fn replace(&self, text: &mut Option<Box<str>>) -> bool {
        text.as_mut().is_some_and(|text| self.replace_in(text))
    }

    fn replace_in(&self, text: &mut Box<str>) -> bool {
        // Providers' errors often quote JSON.
        let Cow::Owned(changed) = self.said(Cow::Borrowed(text)) else { return false };
        *text = changed.into();
        true
    }

    /// Replaces a user or a session; says whether it was changed.
    pub(crate) fn replace_identity(&self, name: &mut Option<Box<str>>) -> bool {
        let Some(Cow::Owned(changed)) = name.as_deref().map(|name| self.identity(name)) else { return false };
        *name = Some(changed.into());
        true
    }

    /// The text redacted; `None` when nothing in it is to be replaced.
    fn changed(&self, text: &str) -> Option<String> {
        let mut changed: Option<String> = None;
        for (pattern, with) in self.own.iter() {
            let now = changed.as_deref().unwrap_or(text);
            changed = replaced(pattern, with, now, SCAN_BYTES_MAX).or(changed);
        }
        let signs = if self.known.is_empty() { Signs::default() } else { Signs::of(text.as_bytes()) };
        for finder in self.known.iter().filter(|finder| finder.may_find(signs)) {
            changed = finder.replaced(changed.as_deref().unwrap_or(text)).or(changed);
        }
        changed
    }

    /// Whether something may be found in a JSON string as it is written. Never wrong when it says no.
    fn may_change(&self, raw: &[u8]) -> bool {
        if !self.own.is_empty() || memchr::memmem::find(raw, b"\\u").is_some() {
            return true;
        }
        let signs = Signs::of(raw);
        self.known.iter().any(|finder| finder.may_find(signs))
    }
}

/// A double without a fraction, as whole numbers are written: some exporters have no other numbers.
fn whole_double(number: f64) -> Option<String> {
    (number.fract() == 0.0 && (0.0..1e19).contains(&number)).then(|| format!("{number:.0}"))
}

/// Replaces what `pattern` matches; `None` when that is nothing.
fn replaced(pattern: &Regex, with: &str, text: &str, scan_bytes_max: usize) -> Option<String> {
    let mut out = String::new();
    let (mut at, mut copied, mut scanned) = (0, 0, 0);
    while at < text.len()
        && let Some(found) = next_match(pattern, text, at)
    {
        let place = found.get_match().range();
        at = place.end;
        if place.is_empty() {
            at = text.ceil_char_boundary(at + 1);
            continue;
        }
        out.push_str(text.get(copied..place.start).unwrap_or_default());
        found.expand(with, &mut out);
        copied = at;
        scanned += AHEAD_BYTES.min(text.len());
        if scanned > scan_bytes_max {
            return Some(out);
        }
    }
    if copied == 0 {
        return None;
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Some(out)
}

/// The first match from `at` on. One that would only be seen from beyond its window is not.
fn next_match<'t>(pattern: &Regex, text: &'t str, at: usize) -> Option<Captures<'t>> {
    let mut ahead = AHEAD_BYTES;
    loop {
        let end = text.floor_char_boundary(at.saturating_add(ahead));
        let found = pattern.captures_at(text.get(..end)?, at);
        let whole = found.as_ref().is_some_and(|found| found.get_match().end() < end);
        if whole || end == text.len() {
            return found;
        }
        ahead *= 4;
    }
}

#[cfg(test)]
mod tests;
