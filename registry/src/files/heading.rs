//! The line that begins a message: `=== user name=value`.

use dialects::chat::Role;
use serde_json::{Map, Value};

use crate::content::Item;

const MARK: &str = "=== ";

/// What a heading says.
#[derive(Debug, PartialEq)]
pub(super) enum Heading {
    /// A message whose text follows.
    Message {
        /// Who speaks.
        role: Role,
        /// Further fields, all texts.
        rest: Map<String, Value>,
        /// Whether empty lines around the text belong to it.
        verbatim: bool,
    },
    /// A placeholder or an include; nothing follows.
    Whole(Item),
    /// An item in YAML follows.
    Yaml,
}

/// Whether a line begins a message.
pub(super) fn is_heading(line: &str) -> bool {
    line.starts_with(MARK)
}

/// A line of text that could be taken for a heading, also once it is escaped.
pub(super) fn needs_escape(line: &str) -> bool {
    is_heading(line.trim_start_matches('\\'))
}

impl Heading {
    /// Writes the line, without its end.
    pub(super) fn write(&self) -> String {
        let mut words = Vec::new();
        match self {
            Self::Yaml => words.push("yaml".to_owned()),
            Self::Message { role, rest, verbatim } => {
                words.push(role.as_str().to_owned());
                words.extend(verbatim.then(|| "verbatim".to_owned()));
                words.extend(
                    rest.iter()
                        .map(|(key, value)| format!("{key}={}", quote(value.as_str().unwrap_or_default()))),
                );
            }
            Self::Whole(Item::Placeholder { placeholder }) => {
                words.extend(["placeholder".to_owned(), quote(placeholder)]);
            }
            Self::Whole(Item::Include { include, role }) => {
                words.extend(["include".to_owned(), quote(include)]);
                words.extend(role.map(|role| format!("role={}", role.as_str())));
            }
            Self::Whole(Item::Message(_)) => {}
        }
        format!("{MARK}{}", words.join(" "))
    }

    /// Reads a heading line.
    pub(super) fn read(line: &str) -> Result<Self, String> {
        let mut words = read_words(line.strip_prefix(MARK).unwrap_or(line))?.into_iter();
        let Some(Word { key: None, value: kind }) = words.next() else {
            return Err(format!("`{}` {HINT}", line.trim_end()));
        };
        match kind.as_str() {
            "yaml" => no_more(words).map(|()| Self::Yaml),
            "placeholder" => {
                let placeholder = name_after(&kind, &mut words)?;
                no_more(words).map(|()| Self::Whole(Item::Placeholder { placeholder }))
            }
            "include" => {
                let include = name_after(&kind, &mut words)?;
                read_include(include, words)
            }
            role => match read_role(role) {
                Some(role) => read_message(role, words),
                None => Err(format!("`{}` {HINT}", line.trim_end())),
            },
        }
    }
}

const HINT: &str = "is no heading: after `===` comes system, developer, user, assistant, tool, function, placeholder, \
                    include or yaml; if the line is text, write `\\` before it";

/// Whether a field of a message can stand in a heading.
pub(super) fn is_key(key: &str) -> bool {
    let word = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    word && !matches!(key, "role" | "content" | "verbatim" | "placeholder" | "include")
}

fn read_role(role: &str) -> Option<Role> {
    serde_json::from_value(Value::from(role)).ok()
}

fn read_include(include: String, words: impl Iterator<Item = Word>) -> Result<Heading, String> {
    let mut role = None;
    for word in words {
        match (word.key.as_deref(), read_role(&word.value)) {
            (Some("role"), Some(read)) => role = Some(read),
            _ => {
                return Err(format!(
                    "`{}` is not understood: an include takes `role=` and a role",
                    word.value
                ));
            }
        }
    }
    Ok(Heading::Whole(Item::Include { include, role }))
}

fn read_message(role: Role, words: impl Iterator<Item = Word>) -> Result<Heading, String> {
    let (mut rest, mut verbatim) = (Map::new(), false);
    for word in words {
        match word.key {
            None if word.value == "verbatim" => verbatim = true,
            None => return Err(format!("`{}` is not understood: write `name=value` or nothing", word.value)),
            Some(key) if !is_key(&key) => return Err(format!("`{key}` cannot stand in a heading")),
            Some(key) => {
                rest.insert(key, Value::String(word.value));
            }
        }
    }
    Ok(Heading::Message { role, rest, verbatim })
}

fn name_after(kind: &str, words: &mut impl Iterator<Item = Word>) -> Result<String, String> {
    match words.next() {
        Some(Word { key: None, value }) if !value.trim().is_empty() => Ok(value),
        _ => Err(format!("`{kind}` needs a name after it")),
    }
}

fn no_more(mut words: impl Iterator<Item = Word>) -> Result<(), String> {
    match words.next() {
        None => Ok(()),
        Some(word) => Err(format!("`{}` is not understood: remove it, or put it between quotes", word.value)),
    }
}

/// `value`, `"any value"`, `key=value` or `key="any value"`.
struct Word {
    key: Option<String>,
    value: String,
}

fn read_words(line: &str) -> Result<Vec<Word>, String> {
    let mut words = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || c == '"' || c.is_whitespace()).unwrap_or(rest.len());
        let (start, after) = rest.split_at(end);
        let (key, value) = match after.strip_prefix('=') {
            Some(after) if !start.is_empty() => (Some(start.to_owned()), after),
            _ => (None, rest),
        };
        let (value, after) = read_value(value)?;
        words.push(Word { key, value });
        rest = after.trim_start();
    }
    Ok(words)
}

fn read_value(text: &str) -> Result<(String, &str), String> {
    if !text.starts_with('"') {
        let (value, after) = text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()));
        return Ok((value.to_owned(), after));
    }
    let mut quoted = serde_json::Deserializer::from_str(text).into_iter::<String>();
    match quoted.next() {
        Some(Ok(value)) => Ok((value, text.get(quoted.byte_offset()..).unwrap_or_default())),
        _ => {
            Err("a quoted value has to end with `\"` and escape quotes and `\\` within as JSON does"
                .to_owned())
        }
    }
}

/// A value as it stands in a heading: bare if it is one plain word.
fn quote(value: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':' | '@');
    if !value.is_empty() && value != "verbatim" && value.chars().all(plain) {
        return value.to_owned();
    }
    Value::from(value).to_string()
}
