//! A version as Langfuse writes it, read and written: `type`, `prompt` and `config` against a content and its metadata.

use dialects::chat::{Content as Said, Message, Role};
use registry::content::{Content, Included, Item, PromptBody};
use registry::template::write_out;
use registry::{Prompt, PromptKind, StoredVersion};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use vocab::LabelName;

use super::config;
use crate::refusal::{Kind, Refusal};

/// How Langfuse writes that another prompt's text belongs here.
pub const COMPOSED: &str = "@@@langfusePrompt:";
/// Members of a message that Langfuse has no words for.
const UNSAYABLE: [&str; 5] = ["tool_calls", "function_call", "audio", "refusal", "tool_call_id"];

/// Members of a JSON object.
pub type Fields = Map<String, Value>;

/// Chat or text, as Langfuse says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Type {
    /// A list of messages and placeholders.
    Chat,
    /// One text.
    #[default]
    Text,
}

/// What is wrong with a version of Langfuse's, and at which field of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The field, such as `prompt[2].role`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

/// Reads `prompt` and `config` of a version: the fields of a content, and the metadata that keep what is left.
pub fn read(kind: Type, prompt: &Value, config: Value) -> Result<(Fields, Fields), Wrong> {
    let mut content = Fields::new();
    match (kind, prompt) {
        (Type::Text, Value::String(text)) => {
            refuse_composed("prompt", text)?;
            content.insert("text".into(), json!(text));
        }
        (Type::Chat, Value::Array(items)) => {
            let items = items.iter().enumerate().map(|(at, item)| read_item(at, item));
            content.insert("messages".into(), items.collect::<Result<_, _>>()?);
        }
        (Type::Text, _) => return wrong("prompt", "a text prompt's `prompt` is a text"),
        (Type::Chat, _) => return wrong("prompt", "a chat prompt's `prompt` is a list of messages"),
    }
    let kept = config::take(config, &mut content);
    Ok((content, kept.into_iter().map(|kept| (config::KEPT.to_owned(), kept)).collect()))
}

fn read_item(at: usize, item: &Value) -> Result<Value, Wrong> {
    if item["type"] == "placeholder" {
        return match item["name"].as_str() {
            Some(name) => Ok(json!({"placeholder": name})),
            None => wrong(&format!("prompt[{at}].name"), "a placeholder needs a `name`"),
        };
    }
    match (item["role"].as_str(), item["content"].as_str()) {
        (Some(role), Some(content)) => {
            if let Some(reference) = composed(content) {
                return Ok(json!({"include": reference, "role": role}));
            }
            refuse_composed(&format!("prompt[{at}].content"), content)?;
            Ok(json!({"role": role, "content": content}))
        }
        (None, _) => wrong(&format!("prompt[{at}].role"), "a message needs a `role`"),
        (Some(_), None) => wrong(&format!("prompt[{at}].content"), "a message's `content` is a text"),
    }
}

/// The reference a text stands for when it is nothing but another prompt's: `@@@langfusePrompt:name=a|version=1@@@`.
fn composed(text: &str) -> Option<String> {
    let (name, selector) = text.trim().strip_prefix(COMPOSED)?.strip_suffix("@@@")?.split_once('|')?;
    let selector = selector.strip_prefix("version=").or_else(|| selector.strip_prefix("label="))?;
    Some(format!("{}@{selector}", name.strip_prefix("name=")?))
}

fn refuse_composed(field: &str, text: &str) -> Result<(), Wrong> {
    if text.contains(COMPOSED) {
        return wrong(
            field,
            "the text of another prompt, `@@@langfusePrompt:…@@@`, has to be all that a message says: give it a message \
             of its own, or write it out",
        );
    }
    Ok(())
}

fn wrong<T>(field: &str, message: &str) -> Result<T, Wrong> {
    Err(Wrong { field: field.to_owned(), message: message.to_owned() })
}

/// Writes a version as the row Langfuse answers; refuses what Langfuse has no words for.
pub(super) fn write(
    prompt: &Prompt,
    version: &StoredVersion,
    (shows, includes): (impl Fn(&LabelName) -> bool, Includes<'_>),
) -> Result<Value, Refusal> {
    let serving = prompt.labels.iter().filter(|(_, serves)| **serves == version.number);
    let mut labels: Vec<&str> =
        serving.map(|(label, _)| label).filter(|label| shows(label)).map(LabelName::as_str).collect();
    if prompt.latest == Some(version.number) {
        labels.push(vocab::name::LATEST);
    }
    let id = format!("{}-{}", prompt.id, version.number);
    let (said, graph) = match includes {
        Includes::Written(settled) if !settled.is_empty() => {
            let root = json!({"id": id, "name": prompt.name, "version": version.number});
            let mut dependencies = Map::new();
            note_dependencies(&id, settled, &mut dependencies);
            let written = write_out(&version.content, settled).and_then(|content| write_prompt(&content));
            (written, json!({"root": root, "dependencies": dependencies}))
        }
        Includes::Written(_) | Includes::Named => (write_prompt(&version.content), Value::Null),
    };
    let said = said.map_err(|why| unsayable(prompt, version, &why))?;
    Ok(json!({
        "id": id,
        "createdAt": version.created_at,
        "updatedAt": prompt.updated_at.max(version.created_at),
        "projectId": prompt.project,
        "createdBy": version.author,
        "name": prompt.name,
        "version": version.number,
        "type": PromptKind::of(&version.content),
        "prompt": said,
        "config": config::give(&version.content, &version.metadata),
        "labels": labels,
        "tags": prompt.tags,
        "commitMessage": version.commit_message,
        "resolutionGraph": graph,
        "isActive": labels.contains(&vocab::name::PRODUCTION),
    }))
}

/// How a row says what a version includes.
#[derive(Clone, Copy)]
pub(super) enum Includes<'a> {
    /// Written out where it stands.
    Written(&'a Included),
    /// By Langfuse's tag, or as the text itself has it.
    Named,
}

/// Notes what includes what, by id, as Langfuse's `resolutionGraph` does.
fn note_dependencies(parent: &str, included: &Included, dependencies: &mut Fields) {
    if included.is_empty() || dependencies.contains_key(parent) {
        return;
    }
    let children = included.iter().map(|(reference, snippet)| {
        let name = reference.split_once('@').map_or(reference.as_str(), |(name, _)| name);
        json!({"id": format!("{}-{}", snippet.prompt, snippet.version), "name": name, "version": snippet.version})
    });
    dependencies.insert(parent.to_owned(), children.collect());
    for snippet in included.values() {
        note_dependencies(
            &format!("{}-{}", snippet.prompt, snippet.version),
            &snippet.included,
            dependencies,
        );
    }
}

/// The config of a version alone, for lists.
pub(super) fn write_config(version: &StoredVersion) -> Value {
    config::give(&version.content, &version.metadata)
}

fn write_prompt(content: &Content) -> Result<Value, String> {
    let items = match &content.body {
        PromptBody::Text(text) => return Ok(json!(text)),
        PromptBody::Messages(items) => items,
    };
    let item = |(at, item): (usize, &Item)| match item {
        Item::Placeholder { placeholder } => Ok(json!({"type": "placeholder", "name": placeholder})),
        Item::Message(message) => {
            write_message(message).ok_or_else(|| format!("messages[{at}] is more than one text"))
        }
        Item::Include { include, role } => {
            let tag = tag(include).ok_or_else(|| format!("messages[{at}] includes another prompt"))?;
            Ok(json!({"role": role.unwrap_or(Role::User), "content": tag}))
        }
    };
    items.iter().enumerate().map(item).collect()
}

/// Langfuse's tag for the text of another prompt.
fn tag(reference: &str) -> Option<String> {
    let (name, selector) = reference.split_once('@')?;
    let kind = if selector.bytes().all(|byte| byte.is_ascii_digit()) { "version" } else { "label" };
    Some(format!("{COMPOSED}name={name}|{kind}={selector}@@@"))
}

fn write_message(message: &Message) -> Option<Value> {
    let text = match &message.content {
        Said::Text(text) => text,
        Said::Parts(parts) => match parts.as_slice() {
            [part] => part.as_text()?,
            _ => return None,
        },
        Said::Absent => return None,
    };
    let holds = |name: &str| message.rest.get(name).is_some_and(|value| !value.is_null());
    if UNSAYABLE.into_iter().any(holds) {
        return None;
    }
    let mut item =
        Map::from_iter([("role".to_owned(), json!(message.role)), ("content".to_owned(), json!(text))]);
    // `type` says what kind of item this is to Langfuse's SDKs.
    item.extend(
        message
            .rest
            .iter()
            .filter(|(name, _)| *name != "type")
            .map(|(name, value)| (name.clone(), value.clone())),
    );
    Some(item.into())
}

fn unsayable(prompt: &Prompt, version: &StoredVersion, why: &str) -> Refusal {
    let (name, number) = (&prompt.name, version.number);
    Refusal::new(
        Kind::NotSupported,
        format!(
            "version {number} of prompt `{name}` cannot be said in Langfuse's API: {why}; read it at /v1/prompts"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(kind: Type, prompt: &Value) -> Value {
        let (fields, _) = read(kind, prompt, Value::Null).unwrap();
        write_prompt(&serde_json::from_value(fields.into()).unwrap()).unwrap()
    }

    #[test]
    fn texts_messages_and_placeholders_come_back_as_they_went() {
        let text = json!("Hi {{name}}, {\"a\": 1}");
        assert_eq!(there_and_back(Type::Text, &text), text);
        let chat = json!([
            {"role": "system", "content": "Be {{tone}}."},
            {"type": "placeholder", "name": "history"},
            {"role": "user", "content": ""},
        ]);
        assert_eq!(there_and_back(Type::Chat, &chat), chat);
        let typed = json!([{"type": "chatmessage", "role": "user", "content": "Hi"}]);
        assert_eq!(there_and_back(Type::Chat, &typed), json!([{"role": "user", "content": "Hi"}]));
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place() {
        let field = |kind, prompt: Value| read(kind, &prompt, Value::Null).unwrap_err().field;
        assert_eq!(field(Type::Text, json!(["Hi"])), "prompt");
        assert_eq!(field(Type::Chat, json!("Hi")), "prompt");
        assert_eq!(field(Type::Chat, json!([{"content": "Hi"}])), "prompt[0].role");
        assert_eq!(field(Type::Chat, json!([{"role": "user", "content": [1]}])), "prompt[0].content");
        assert_eq!(field(Type::Chat, json!([{"type": "placeholder"}])), "prompt[0].name");
        assert_eq!(field(Type::Text, json!("@@@langfusePrompt:name=a|version=1@@@")), "prompt");
    }

    #[test]
    fn what_langfuse_has_no_words_for_is_not_said_halfway() {
        let say = |messages: Value| {
            let content: Content = serde_json::from_value(json!({"messages": messages})).unwrap();
            write_prompt(&content)
        };
        let part = json!({"type": "text", "text": "Hi"});
        let image = json!({"type": "image_url", "image_url": {"url": "https://weir.example/a.png"}});
        assert_eq!(
            say(json!([{"role": "user", "content": [part]}])).unwrap(),
            json!([{"role": "user", "content": "Hi"}])
        );
        for message in [
            json!({"role": "user", "content": [part, image]}),
            json!({"role": "assistant", "content": null, "tool_calls": [{"id": "1"}]}),
            json!({"role": "tool", "content": "4", "tool_call_id": "1"}),
        ] {
            assert_eq!(say(json!([message])).unwrap_err(), "messages[0] is more than one text");
        }
    }
}
