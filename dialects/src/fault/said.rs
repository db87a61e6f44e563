//! What an error body says: an object in one of many shapes, a list, plain text, HTML or nothing.

use std::time::Duration;

use serde_json::Value;

use super::retry_after::parse_span;

/// How long a message for people may be, in bytes.
const MESSAGE_BYTES_MAX: usize = 2 * 1024;

/// Beginnings of words that are keys: what follows is not shown.
const KEY_PREFIXES: [&str; 6] = ["sk-", "sk_", "gsk_", "xai-", "AIza", "pplx-"];

/// Shorter words are no keys.
const KEY_BYTES_MIN: usize = 12;

/// Where providers put what they want to say, best first.
const MESSAGE_KEYS: [&str; 9] = [
    "message",
    "msg",
    "detail",
    "error",
    "errors",
    "error_message",
    "error_description",
    "description",
    "title",
];

/// What kind of body it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Text,
    Html,
    /// Began as JSON and is not.
    HalfJson,
    Empty,
}

/// An error body, read.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) form: Form,
    pub(super) code: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) retry_after: Option<Duration>,
    /// Every machine-readable word of the body, in lower case.
    pub(super) marks: Vec<String>,
    words: Option<String>,
}

impl Said {
    pub(super) fn read(body: &[u8]) -> Self {
        let body = body.trim_ascii();
        match serde_json::from_slice(body) {
            Ok(Value::String(text)) => Self::of_text(&text),
            Ok(value) => Self::of_json(&value),
            Err(_) => Self::of_text(&String::from_utf8_lossy(body)),
        }
    }

    fn of_json(value: &Value) -> Self {
        let whole = first(value);
        let error = first(whole.get("error").filter(|error| error.is_object()).unwrap_or(whole));
        let code = scalar(&error["code"]).or_else(|| scalar(&whole["code"]));
        let kind = scalar(&error["type"]).filter(|kind| kind != "error");
        let details = error["details"].as_array().map(Vec::as_slice).unwrap_or_default();
        let marks = [&code, &kind].into_iter().cloned().chain([
            scalar(&error["status"]),
            scalar(&error["innererror"]["code"]),
            scalar(&error["inner_error"]["code"]),
            scalar(&error["metadata"]["error_type"]),
            scalar(&error["metadata"]["provider_code"]),
            scalar(&error["details"]["error_code"]),
        ]);
        let reasons = details.iter().map(|detail| scalar(&detail["reason"]));
        let delay = details.iter().find_map(|detail| detail["retryDelay"].as_str());
        Self {
            form: Form::Json,
            marks: marks.chain(reasons).flatten().map(|mark| mark.to_ascii_lowercase()).collect(),
            retry_after: delay.and_then(parse_span),
            words: words_of(error),
            code,
            kind,
        }
    }

    fn of_text(text: &str) -> Self {
        let form = match text.as_bytes().first() {
            None => Form::Empty,
            Some(b'{' | b'[') => Form::HalfJson,
            Some(_) if is_html(text) => Form::Html,
            Some(_) => Form::Text,
        };
        let words = (form == Form::Text).then(|| text.to_owned());
        Self { form, code: None, kind: None, retry_after: None, marks: Vec::new(), words }
    }

    /// The status the body stands for: inside a 200, providers put it into `code`.
    pub(super) fn status_or(&self, status: u16) -> u16 {
        let inside =
            if status == 200 { self.code.as_deref().and_then(|code| code.parse().ok()) } else { None };
        inside.filter(|code| (400..600).contains(code)).unwrap_or(status)
    }

    /// Whether one of `words` is among the body's machine-readable words.
    pub(super) fn is_marked(&self, words: &[&str]) -> bool {
        self.marks.iter().any(|mark| words.contains(&mark.as_str()))
    }

    /// Whether the message for people contains one of `phrases`, which are in lower case.
    pub(super) fn mentions(&self, phrases: &[&str]) -> bool {
        let words = self.words.as_deref().unwrap_or_default().to_lowercase();
        phrases.iter().any(|phrase| words.contains(phrase))
    }

    /// One line for people.
    pub(super) fn message(&self, status: u16) -> String {
        let words = self.words.as_deref().filter(|words| !is_html(words)).map(clean).unwrap_or_default();
        if !words.is_empty() {
            return words;
        }
        match self.form {
            Form::Html => format!("the provider answered with status {status} and an HTML page"),
            Form::HalfJson => format!("the provider answered with status {status} and broken JSON"),
            Form::Json | Form::Text | Form::Empty => {
                format!("the provider answered with status {status} and no explanation")
            }
        }
    }
}

/// The value itself, or the first of a list.
fn first(value: &Value) -> &Value {
    value.as_array().and_then(|list| list.first()).unwrap_or(value)
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.chars().take(128).collect()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The words for people in an error value; a relay's own words give way to those of the provider behind it.
fn words_of(error: &Value) -> Option<String> {
    let behind = error["metadata"]["raw"].as_str().filter(|raw| !raw.is_empty());
    let Some(behind) = behind else { return find_words(error, 4) };
    let inner = serde_json::from_str(behind).ok().and_then(|value| find_words(&value, 4));
    let own = find_words(error, 4).unwrap_or_default();
    let inner = inner.unwrap_or_else(|| behind.to_owned());
    Some(format!("{own}: {inner}").trim_start_matches(": ").to_owned())
}

fn find_words(value: &Value, depth: u8) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.trim().is_empty()),
        Value::Object(fields) if depth > 0 => {
            MESSAGE_KEYS.iter().find_map(|key| find_words(fields.get(*key)?, depth - 1))
        }
        Value::Array(items) if depth > 0 => items.iter().find_map(|item| find_words(item, depth - 1)),
        _ => None,
    }
}

fn is_html(text: &str) -> bool {
    let head: String = text.trim_start().chars().take(1024).collect::<String>().to_ascii_lowercase();
    head.starts_with('<')
        || ["<html", "<!doctype", "<body", "<head", "<div"].iter().any(|tag| head.contains(tag))
}

/// One line without control characters, without keys, and not too long.
fn clean(text: &str) -> String {
    let text: String = text.chars().take(2 * MESSAGE_BYTES_MAX).collect();
    let mut line = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        push_masked(&mut line, word);
    }
    if line.len() > MESSAGE_BYTES_MAX {
        line.truncate(line.floor_char_boundary(MESSAGE_BYTES_MAX - '…'.len_utf8()));
        line.push('…');
    }
    line
}

/// Appends a word, cut short where a key begins.
fn push_masked(line: &mut String, word: &str) {
    match key_start(word) {
        Some(end) if word.len() >= end + KEY_BYTES_MIN => {
            line.push_str(word.get(..end).unwrap_or_default());
            line.push_str("***");
        }
        _ => line.push_str(word),
    }
}

/// Where the first key's prefix ends; `task-force` has none.
fn key_start(word: &str) -> Option<usize> {
    let starts = KEY_PREFIXES.iter().flat_map(|prefix| word.match_indices(prefix));
    let is_start = |at: usize| !word.get(..at).is_some_and(|before| before.ends_with(char::is_alphanumeric));
    starts.filter(|(at, _)| is_start(*at)).map(|(at, prefix)| at + prefix.len()).min()
}
