//! Prompts from elsewhere, read into what is to be registered here and notes of what cannot be. Pure: files are read,
//! and other gateways asked, by `cli/import.rs`.

mod langchain;
pub mod langfuse;
pub mod langsmith;
pub mod mlflow;
pub mod openai;
pub mod promptfoo;
pub mod promptlayer;
mod texts;

use serde::Serialize;
use serde_json::{Map, Value};
use vocab::{LabelName, PromptName};

/// A prompt found elsewhere.
#[derive(Debug, PartialEq, Serialize)]
pub struct Found {
    /// What it is called here.
    pub name: PromptName,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Words to find it by.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The id elsewhere that calls name it by, and are to go on doing so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Its versions, oldest first.
    pub versions: Vec<FoundVersion>,
    /// What is not carried, and what is carried otherwise than it was.
    pub notes: Vec<String>,
}

/// One version of it.
#[derive(Debug, Default, PartialEq, Serialize)]
pub struct FoundVersion {
    /// What it is called elsewhere.
    pub id: String,
    /// The fields of a content.
    pub content: Map<String, Value>,
    /// What its author said about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit_message: Option<String>,
    /// Facts beside the content.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// Cases to try it with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<Value>,
    /// Labels that serve it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<LabelName>,
    /// Whether it serves calls by the id elsewhere that name no version.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_default: bool,
}

/// Why a file is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotThat(String);

impl NotThat {
    fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl Found {
    /// A prompt of this name elsewhere, without versions yet.
    fn named(name: &str) -> Result<Self, NotThat> {
        let (fitting, changed) = fitting_name(name)?;
        let notes = changed.then(|| format!("its name was `{}`", name.escape_debug())).into_iter().collect();
        Ok(Self {
            name: fitting,
            description: None,
            tags: Vec::new(),
            alias: None,
            versions: Vec::new(),
            notes,
        })
    }

    /// Takes in what reading a version came to.
    fn take(
        &mut self,
        (id, labels): (&str, Vec<LabelName>),
        read: Result<FoundVersion, String>,
        notes: Vec<String>,
    ) {
        self.notes.extend(notes.into_iter().map(|note| format!("version {id}: {note}")));
        match read {
            Ok(version) => self.versions.push(FoundVersion { id: id.to_owned(), labels, ..version }),
            Err(why) => {
                self.notes.push(format!("version {id} is not carried: {why}"));
                self.notes.extend(
                    labels.iter().map(|label| format!("label `{label}` is not carried, with its version")),
                );
            }
        }
    }

    /// Makes texts user messages where other versions are lists of messages: a prompt here is one or the other for life.
    pub fn settle_kind(&mut self) {
        if !self.versions.iter().any(|version| version.content.contains_key("messages")) {
            return;
        }
        for version in &mut self.versions {
            let Some(text) = version.content.shift_remove("text") else { continue };
            let message = serde_json::json!({"role": "user", "content": text});
            version.content.insert("messages".into(), Value::Array(vec![message]));
            self.notes.push(format!(
                "version {}: its text is a user message here, as other versions are messages",
                version.id
            ));
        }
    }

    /// Prompts of one name put together, such as versions of one prompt from several files.
    pub fn together(all: Vec<Self>) -> Vec<Self> {
        let mut named: Vec<Self> = Vec::new();
        for found in all {
            match named.iter_mut().find(|known| known.name == found.name) {
                Some(known) => known.join(found),
                None => named.push(found),
            }
        }
        named
    }

    fn join(&mut self, other: Self) {
        self.description = self.description.take().or(other.description);
        self.alias = self.alias.take().or(other.alias);
        let tags = other.tags.into_iter().filter(|tag| !self.tags.contains(tag)).collect::<Vec<_>>();
        self.tags.extend(tags);
        self.versions.extend(other.versions);
        if self.versions.iter().all(|version| version.id.parse::<u64>().is_ok()) {
            self.versions.sort_by_key(|version| version.id.parse::<u64>().unwrap_or_default());
        }
        let notes = other.notes.into_iter().filter(|note| !self.notes.contains(note)).collect::<Vec<_>>();
        self.notes.extend(notes);
    }

    /// The labels that have a form here.
    fn labels<'l>(&mut self, labels: impl IntoIterator<Item = &'l str>) -> Vec<LabelName> {
        let mut fitting = Vec::new();
        for label in labels.into_iter().filter(|label| *label != vocab::name::LATEST) {
            let folded = label.to_lowercase().replace(' ', "-");
            match folded.parse() {
                Ok(name) => {
                    if folded != label {
                        self.notes.push(format!("label `{label}` is `{folded}` here"));
                    }
                    fitting.push(name);
                }
                Err(error) => {
                    self.notes.push(format!("label `{}` is not carried: {error}", label.escape_debug()));
                }
            }
        }
        fitting
    }
}

/// The nearest name that follows the rule, and whether it is another.
fn fitting_name(name: &str) -> Result<(PromptName, bool), NotThat> {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '.' | '_' | '-' | '/');
    let folded: String = name.trim().chars().map(|c| if allowed(c) { c } else { '-' }).collect();
    let segments: Vec<&str> =
        folded.split('/').map(str::trim).filter(|segment| !segment.is_empty()).collect();
    let folded = segments.join("/");
    let fitting =
        folded.parse().map_err(|error| NotThat::new(format!("`{}`: {error}", name.escape_debug())))?;
    Ok((fitting, folded != name))
}

/// A text that is there and not empty.
fn text<'v>(value: &'v Value, field: &str) -> Option<&'v str> {
    value[field].as_str().filter(|text| !text.is_empty())
}

/// A number or a text, as an id.
fn id(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        _ => None,
    }
}

/// The items of a list, wherever it stands: the value itself, one of these members, or the value alone.
fn items(value: &Value, members: &[&str]) -> Vec<Value> {
    if let Some(list) = value.as_array() {
        return list.clone();
    }
    let list = members.iter().find_map(|member| value[*member].as_array());
    list.map_or_else(|| vec![value.clone()], Clone::clone)
}

/// JSON, or one JSON value to a line.
fn read_json(text: &str) -> Result<Vec<Value>, NotThat> {
    let values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let values: Vec<Value> =
        values.collect::<Result<_, _>>().map_err(|error| NotThat::new(format!("it is not JSON: {error}")))?;
    if values.is_empty() { Err(NotThat::new("it is empty")) } else { Ok(values) }
}

/// Takes what has a form here from a provider's parameters; notes the rest.
fn parameters(given: &Map<String, Value>, notes: &mut Vec<String>) -> Map<String, Value> {
    let mut parameters = Map::new();
    for (name, value) in given.iter().filter(|(_, value)| !value.is_null()) {
        if dialects::merge::is_parameter(name) {
            parameters.insert(name.clone(), value.clone());
        } else {
            notes.push(format!("parameter `{name}` is not carried"));
        }
    }
    parameters
}

/// A role as chat completions say it.
fn role(word: &str) -> Option<&'static str> {
    Some(match word {
        "system" => "system",
        "developer" => "developer",
        "user" | "human" => "user",
        "assistant" | "ai" | "model" => "assistant",
        "tool" => "tool",
        "function" => "function",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
