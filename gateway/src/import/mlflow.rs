//! Prompts of an MLflow registry, where they are registered models whose texts stand in tags: as its REST API answers
//! `registered-models/search` and `model-versions/search`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::texts::{Texts, curly, in_one_engine};
use super::{Found, FoundVersion, NotThat, id, items, read_json, role, text};

/// The tags that make a registered model a prompt.
pub const IS_PROMPT: &str = "mlflow.prompt.is_prompt";
const TEXT: &str = "mlflow.prompt.text";
const TYPE: &str = "_mlflow_prompt_type";
const FORMAT: &str = "_mlflow_prompt_response_format";
const CONFIG: &str = "_mlflow_prompt_model_config";

/// Settings of a model's config and their names in requests.
const SETTINGS: [(&str, &str); 7] = [
    ("temperature", "temperature"),
    ("max_tokens", "max_tokens"),
    ("top_p", "top_p"),
    ("top_k", "top_k"),
    ("frequency_penalty", "frequency_penalty"),
    ("presence_penalty", "presence_penalty"),
    ("stop_sequences", "stop"),
];

/// Reads the prompts of a file.
pub fn read(file: &str) -> Result<Vec<Found>, NotThat> {
    let mut models = Vec::new();
    let mut versions = Vec::new();
    for value in read_json(file)? {
        for value in items(&value, &[]) {
            models.extend(value["registered_models"].as_array().into_iter().flatten().cloned());
            versions.extend(value["model_versions"].as_array().into_iter().flatten().cloned());
        }
    }
    of(&models, versions)
}

/// Puts versions to their models.
pub fn of(models: &[Value], versions: Vec<Value>) -> Result<Vec<Found>, NotThat> {
    let mut named: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for version in versions {
        let name = text(&version, "name").ok_or_else(|| NotThat::new("a model version has a `name`"))?;
        named.entry(name.to_owned()).or_default().push(version);
    }
    if named.is_empty() {
        return Err(NotThat::new(
            "it holds no `model_versions`: save what GET /api/2.0/mlflow/model-versions/search answers",
        ));
    }
    let model = |name: &str| models.iter().find(|model| model["name"] == *name).cloned().unwrap_or_default();
    named.into_iter().map(|(name, versions)| prompt(&name, &model(&name), versions)).collect()
}

fn prompt(name: &str, model: &Value, mut versions: Vec<Value>) -> Result<Found, NotThat> {
    let mut found = Found::named(name)?;
    found.description = text(model, "description").map(str::to_owned);
    let own = tags(model).into_iter().filter(|(key, _)| !is_mlflows(key));
    found.tags =
        own.map(|(key, value)| if value.is_empty() { key } else { format!("{key}:{value}") }).collect();
    versions.sort_by_key(|version| number(&version["version"]));
    for version in &versions {
        let Some(id) = id(&version["version"]) else {
            return Err(NotThat::new("a model version has a `version`"));
        };
        let pointing = model["aliases"].as_array().into_iter().flatten();
        let pointing = pointing.filter(|alias| number(&alias["version"]) == number(&version["version"]));
        let aliases: Vec<&str> = pointing.filter_map(|alias| text(alias, "alias")).collect();
        let labels = found.labels(aliases);
        let mut notes = Vec::new();
        let read = self::version(version, &mut notes);
        found.take((&id, labels), read, notes);
    }
    Ok(found)
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn tags(value: &Value) -> BTreeMap<String, String> {
    let tags = value["tags"].as_array().into_iter().flatten();
    tags.filter_map(|tag| {
        Some((tag["key"].as_str()?.to_owned(), tag["value"].as_str().unwrap_or_default().to_owned()))
    })
    .collect()
}

fn is_mlflows(key: &str) -> bool {
    key.starts_with("mlflow.") || key.starts_with("_mlflow_")
}

fn version(version: &Value, notes: &mut Vec<String>) -> Result<FoundVersion, String> {
    let tags = tags(version);
    let said = tags.get(TEXT).ok_or("it has no text: is it a prompt?")?;
    let chat: Option<Vec<Value>> = match tags.get(TYPE).map(String::as_str) {
        Some("chat") => Some(
            serde_json::from_str(said).map_err(|error| format!("its messages cannot be read: {error}"))?,
        ),
        _ => None,
    };
    let (field, body, engine) = if let Some(messages) = chat {
        let (messages, engine, found) = in_one_engine(|texts| self::messages(&messages, texts))?;
        notes.extend(found);
        ("messages", json!(messages), engine)
    } else {
        let (text, engine, _) = in_one_engine(|texts| texts.text(curly(said), said))?;
        ("text", json!(text), engine)
    };
    let mut content = Map::from_iter([(field.to_owned(), body), ("engine".to_owned(), json!(engine))]);
    if let Some(schema) = tags.get(FORMAT).and_then(|schema| serde_json::from_str::<Value>(schema).ok()) {
        let name = text(&schema, "title").unwrap_or("answer");
        let format = json!({"type": "json_schema", "json_schema": {"name": name, "schema": schema}});
        content.insert("response_format".into(), format);
    }
    if let Some(config) = tags.get(CONFIG).and_then(|config| serde_json::from_str::<Value>(config).ok()) {
        take_config(&config, &mut content, notes);
    }
    let own = tags.into_iter().filter(|(key, _)| !is_mlflows(key));
    let metadata = own.map(|(key, value)| (key, Value::from(value))).collect();
    let commit_message = text(version, "description").map(str::to_owned);
    Ok(FoundVersion { content, commit_message, metadata, ..FoundVersion::default() })
}

fn messages(given: &[Value], texts: &mut Texts) -> Result<Vec<Value>, String> {
    let message = |message: &Value| {
        let word = message["role"].as_str().unwrap_or_default();
        let role = role(word).ok_or_else(|| format!("role `{}` is not known here", word.escape_debug()))?;
        let text = message["content"].as_str().ok_or("a message's `content` is more than a text")?;
        Ok(json!({"role": role, "content": texts.text(curly(text), text)?}))
    };
    given.iter().map(message).collect()
}

fn take_config(config: &Value, content: &mut Map<String, Value>, notes: &mut Vec<String>) {
    if let Some(model) = text(config, "model_name") {
        content.insert("model".into(), json!(model));
        let provider = text(config, "provider").filter(|provider| *provider != "openai");
        notes.extend(provider.map(|provider| {
            format!("model `{model}` was called at `{provider}`: a provider that has it is to be configured")
        }));
    }
    let mut parameters = config["extra_params"].as_object().cloned().unwrap_or_default();
    for (theirs, ours) in SETTINGS {
        let value = Some(&config[theirs]).filter(|value| !value.is_null());
        parameters.extend(value.map(|value| (ours.to_owned(), value.clone())));
    }
    let parameters = super::parameters(&parameters, notes);
    if !parameters.is_empty() {
        content.insert("parameters".into(), parameters.into());
    }
}
