//! The front matter: everything but the messages, as YAML.

use indexmap::IndexMap;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use vocab::{LabelName, PromptName};

use super::{FileProblem, PromptFile};
use crate::content::{Alias, Content, Engine, Fallback, PromptBody, Variable};

/// The deepest nesting in YAML; JSON schemas of tools are the deepest things prompts hold.
const DEPTH: usize = 128;

/// The front matter as it is written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FrontMatter {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<PromptName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(default, rename = "type")]
    pub(super) kind: Option<Kind>,
    #[serde(default, skip_serializing_if = "is_plain")]
    engine: Engine,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    labels: Vec<LabelName>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<Alias>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    fallbacks: Vec<Fallback>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    parameters: Map<String, Value>,
    /// `name:` alone declares a variable too.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    variables: IndexMap<String, Option<Variable>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tools: Option<Vec<Value>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    response_format: Option<Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    locked: Vec<String>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    metadata: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    examples: Vec<Value>,
    /// The text of a text prompt that the body would not keep as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<String>,
}

/// What follows the front matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// Messages.
    Chat,
    /// The text.
    Text,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_plain(engine: &Engine) -> bool {
    *engine == Engine::Plain
}

impl FrontMatter {
    /// The front matter of a file; `text` is the text of a text prompt that cannot stand in the body.
    pub(super) fn of(file: &PromptFile, text: Option<String>) -> Self {
        let PromptFile { name, description, tags, labels, aliases, metadata, examples, content } =
            file.clone();
        let kind = if content.is_text() { Kind::Text } else { Kind::Chat };
        Self {
            name,
            description,
            kind: Some(kind),
            engine: content.engine,
            tags,
            labels,
            aliases,
            model: content.model,
            fallbacks: content.fallbacks,
            parameters: content.parameters,
            variables: content.variables.into_iter().map(|(name, variable)| (name, Some(variable))).collect(),
            tools: content.tools,
            tool_choice: content.tool_choice,
            response_format: content.response_format,
            locked: content.locked,
            metadata,
            examples,
            text,
        }
    }

    /// The file with this front matter and body.
    pub(super) fn into_file(self, body: PromptBody) -> PromptFile {
        let declared = |(name, variable): (String, Option<Variable>)| (name, variable.unwrap_or_default());
        PromptFile {
            name: self.name,
            description: self.description,
            tags: self.tags,
            labels: self.labels,
            aliases: self.aliases,
            metadata: self.metadata,
            examples: self.examples,
            content: Content {
                body,
                engine: self.engine,
                variables: self.variables.into_iter().map(declared).collect(),
                model: self.model,
                fallbacks: self.fallbacks,
                parameters: self.parameters,
                tools: self.tools,
                tool_choice: self.tool_choice,
                response_format: self.response_format,
                locked: self.locked,
            },
        }
    }
}

/// Reads the lines between the fences, which begin on line 2.
pub(super) fn read(front: &str) -> Result<FrontMatter, FileProblem> {
    read_yaml(front, 2)
}

/// Writes the lines between the fences.
pub(super) fn write(front: &FrontMatter) -> String {
    write_yaml(front)
}

/// Reads YAML that begins on this line of the file.
pub(super) fn read_yaml<T: DeserializeOwned>(yaml: &str, first_line: u32) -> Result<T, FileProblem> {
    let options = serde_saphyr::options! {
        // `no` and `on` are words, not flags.
        strict_booleans: true,
        budget: serde_saphyr::budget! { max_depth: DEPTH },
    };
    // Nothing is an object without fields.
    let yaml = if yaml.trim().is_empty() { "{}" } else { yaml };
    serde_saphyr::from_str_with_options(yaml, options).map_err(|error| {
        let (line, column) = error.location().map_or((1, 1), |place| (place.line(), place.column()));
        let told = error.without_snippet().to_string();
        let message = told.rsplit_once(" at line ").map_or(told.as_str(), |(message, _)| message);
        let message = message.split(", set DuplicateKeyPolicy").next().unwrap_or_default().to_owned();
        FileProblem { line: first_line + line as u32 - 1, column: column as u32, message }
    })
}

/// Writes YAML that ends with a line end.
pub(super) fn write_yaml(value: &impl Serialize) -> String {
    let options = serde_saphyr::ser_options! { folded_wrap_chars: 1_000_000, compact_list_indent: false };
    let mut yaml = String::new();
    serde_saphyr::to_fmt_writer_with_options(&mut yaml, value, options)
        .expect("strings, numbers, lists and maps with text keys have a form in YAML");
    if !yaml.ends_with('\n') {
        yaml.push('\n');
    }
    yaml
}
