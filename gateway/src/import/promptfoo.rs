//! Prompts of a promptfoo configuration: YAML, with the files it names.

use serde_json::{Map, Value, json};

use super::texts::{Texts, curly, in_one_engine};
use super::{Found, FoundVersion, NotThat, parameters, role, text};

/// Reads a file that the configuration names, relative to it.
pub type ReadFile<'r> = &'r dyn Fn(&str) -> Result<String, String>;

/// What parts prompts in one text file.
const SEPARATOR: &str = "\n---\n";
/// The most cases that are taken as examples.
const EXAMPLES: usize = 200;

/// One prompt as it is written: a label, if it has one, and its text.
struct Written {
    label: Option<String>,
    text: String,
}

/// Reads the prompts of a configuration; `stem` names those without a label.
pub fn read(yaml: &str, stem: &str, open: ReadFile<'_>) -> Result<Vec<Found>, NotThat> {
    let config: Value = serde_saphyr::from_str(yaml)
        .map_err(|error| NotThat::new(format!("it is not YAML: {}", error.without_snippet())))?;
    let written = match &config["prompts"] {
        Value::Array(prompts) => prompts.iter().flat_map(|prompt| written(prompt, open)).collect(),
        Value::Object(prompts) => {
            prompts.iter().flat_map(|(path, label)| named(path, label.as_str(), open)).collect()
        }
        Value::String(prompt) => named(prompt, None, open),
        _ => return Err(NotThat::new("it has no `prompts`")),
    };
    let mut notes = Vec::new();
    let settings = settings(&config["providers"], &mut notes);
    let examples = examples(&config, open, &mut notes);
    let several = written.len() > 1;
    let found = written.into_iter().enumerate().map(|(at, written)| {
        let number = if several { format!("{stem}-{}", at + 1) } else { stem.to_owned() };
        let (label, text) = match written {
            Ok(Written { label, text }) => (label, Ok(text)),
            Err(why) => (None, Err(why)),
        };
        let mut found = Found::named(&label.unwrap_or(number))?;
        found.notes.extend(notes.iter().cloned());
        let mut own = Vec::new();
        let version = text.and_then(|text| content(&text, &mut own)).map(|mut content| {
            content.extend(settings.clone());
            FoundVersion { content, examples: examples.clone(), ..FoundVersion::default() }
        });
        found.take(("1", Vec::new()), version, own);
        Ok(found)
    });
    found.collect()
}

/// The prompts an entry of `prompts` stands for.
fn written(prompt: &Value, open: ReadFile<'_>) -> Vec<Result<Written, String>> {
    match prompt {
        Value::String(prompt) => named(prompt, None, open),
        Value::Object(_) => {
            let label = text(prompt, "label");
            let from = ["raw", "id", "path", "file"].into_iter().find_map(|field| text(prompt, field));
            match from {
                Some(from) => named(from, label, open),
                None => vec![Err("a prompt has neither `raw` nor `id`".to_owned())],
            }
        }
        _ => vec![Err("a prompt is a text or an object".to_owned())],
    }
}

/// A prompt as a text, or as the name of a file that holds some.
fn named(prompt: &str, label: Option<&str>, open: ReadFile<'_>) -> Vec<Result<Written, String>> {
    let is_bare_path = !prompt.contains(['\n', '{', ' ']) && prompt.contains('.');
    let Some(path) = prompt.strip_prefix("file://").or(is_bare_path.then_some(prompt)) else {
        let label = label.map(str::to_owned);
        return vec![Ok(Written { label, text: prompt.to_owned() })];
    };
    let extension = extension(path);
    if !matches!(extension, "txt" | "json" | "yaml" | "yml" | "md" | "j2") {
        return vec![Err(format!("`{path}` is a program: only texts are carried"))];
    }
    let text = match open(path) {
        Ok(text) => text.replace("\r\n", "\n"),
        Err(why) => return vec![Err(format!("`{path}`: {why}"))],
    };
    let stem = path.rsplit('/').next().unwrap_or(path).trim_end_matches(extension).trim_end_matches('.');
    let texts: Vec<&str> = if extension == "txt" { text.split(SEPARATOR).collect() } else { vec![&text] };
    let several = texts.len() > 1;
    let label = label.unwrap_or(stem);
    let written = texts.iter().enumerate().map(|(at, text)| {
        let label = if several { format!("{label}-{}", at + 1) } else { label.to_owned() };
        Ok(Written { label: Some(label), text: text.trim_end().to_owned() })
    });
    written.collect()
}

fn extension(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or_default()
}

/// A text, or a list of messages in JSON or YAML.
fn content(text: &str, notes: &mut Vec<String>) -> Result<Map<String, Value>, String> {
    let list: Option<Vec<Value>> = Some(text.trim_start())
        .filter(|text| text.starts_with(['[', '-']))
        .and_then(|text| serde_json::from_str(text).ok().or_else(|| serde_saphyr::from_str(text).ok()))
        .filter(|list: &Vec<Value>| list.iter().all(|item| item["role"].is_string()));
    let (field, body, engine) = if let Some(list) = &list {
        let (messages, engine, _) = in_one_engine(|texts| messages(list, texts))?;
        ("messages", json!(messages), engine)
    } else {
        let (text, engine, _) = in_one_engine(|texts| texts.text(curly(text), text))?;
        ("text", json!(text), engine)
    };
    if engine == "jinja" {
        notes.push("its text was Nunjucks and is read as jinja: try it with its variables".to_owned());
    }
    if list.is_none() && text.trim_start().starts_with('[') && text.contains("\"role\"") {
        notes.push(
            "it looks like messages, but is no JSON before it is filled in: carried as one text".to_owned(),
        );
    }
    Ok(Map::from_iter([(field.to_owned(), body), ("engine".to_owned(), json!(engine))]))
}

fn messages(given: &[Value], texts: &mut Texts) -> Result<Vec<Value>, String> {
    let message = |message: &Value| {
        let word = message["role"].as_str().unwrap_or_default();
        let role = role(word).ok_or_else(|| format!("role `{}` is not known here", word.escape_debug()))?;
        let mut content = message["content"].clone();
        match &mut content {
            Value::String(text) => *text = texts.text(curly(text), text)?,
            Value::Array(parts) => {
                for part in parts {
                    if let Some(text) = part["text"].as_str() {
                        part["text"] = texts.text(curly(text), text)?.into();
                    }
                }
            }
            _ => return Err("a message has no `content`".to_owned()),
        }
        Ok(json!({"role": role, "content": content}))
    };
    given.iter().map(message).collect()
}

/// Model and parameters of the first provider.
fn settings(providers: &Value, notes: &mut Vec<String>) -> Map<String, Value> {
    let mut settings = Map::new();
    let all: Vec<&Value> = match providers {
        Value::Array(all) => all.iter().collect(),
        Value::Null => return settings,
        one => vec![one],
    };
    let Some(first) = all.first() else { return settings };
    let id = first.as_str().or_else(|| text(first, "id")).unwrap_or_default();
    let Some(model) = model(id) else {
        notes.push(format!("provider `{id}` is not carried"));
        return settings;
    };
    if all.len() > 1 {
        notes.push(format!("of {} providers the first is carried, `{id}`", all.len()));
    }
    settings.insert("model".into(), json!(model));
    let mut given = first["config"].as_object().cloned().unwrap_or_default();
    for field in ["tools", "tool_choice", "response_format"] {
        settings.extend(given.shift_remove(field).map(|value| (field.to_owned(), value)));
    }
    given.retain(|name, _| {
        let is_known = crate::langfuse::PARAMETERS.contains(&name.as_str());
        if !is_known {
            notes.push(format!("`{name}` of the provider's config is not carried"));
        }
        is_known
    });
    let given = parameters(&given, notes);
    if !given.is_empty() {
        settings.insert("parameters".into(), given.into());
    }
    settings
}

/// `openai:chat:gpt-4o` as `gpt-4o`, `anthropic:messages:claude-…` as `anthropic/claude-…`.
fn model(id: &str) -> Option<String> {
    let (provider, rest) = id.split_once(':')?;
    let model = ["chat:", "completion:", "responses:", "messages:", "embedding:"]
        .into_iter()
        .find_map(|kind| rest.strip_prefix(kind))
        .unwrap_or(rest);
    match provider {
        "file" | "exec" | "python" | "http" | "https" => None,
        "openai" => Some(model.to_owned()),
        _ => Some(format!("{provider}/{model}")),
    }
}

/// The variables of its tests. What they assert is about answers, and stays behind.
fn examples(config: &Value, open: ReadFile<'_>, notes: &mut Vec<String>) -> Vec<Value> {
    let mut tests = match &config["tests"] {
        Value::Array(tests) => tests.clone(),
        Value::String(path) => match from_file(path, open) {
            Ok(tests) => tests,
            Err(why) => {
                notes.push(format!("the tests in `{path}` are not carried: {why}"));
                Vec::new()
            }
        },
        _ => Vec::new(),
    };
    tests.truncate(EXAMPLES);
    let of_all = config["defaultTest"]["vars"].as_object().cloned().unwrap_or_default();
    let mut asserted = usize::from(!config["defaultTest"]["assert"].is_null());
    let mut examples = Vec::new();
    for test in &tests {
        asserted += usize::from(!test["assert"].is_null());
        let mut variables = of_all.clone();
        variables.extend(test["vars"].as_object().cloned().unwrap_or_default());
        let is_file = |value: &Value| value.as_str().is_some_and(|text| text.starts_with("file://"));
        if variables.values().any(is_file) || !test.is_object() {
            notes.push("a test that takes variables from a file is not carried".to_owned());
        } else if !variables.is_empty() {
            examples.push(json!({"variables": variables}));
        }
    }
    if asserted > 0 {
        notes.push(format!(
            "what tests assert of answers is not carried, their variables are ({asserted} assert something)"
        ));
    }
    examples
}

fn from_file(path: &str, open: ReadFile<'_>) -> Result<Vec<Value>, String> {
    let path = path.strip_prefix("file://").unwrap_or(path);
    if !matches!(extension(path), "yaml" | "yml" | "json") {
        return Err("only tests in YAML or JSON are read".to_owned());
    }
    serde_saphyr::from_str(&open(path)?).map_err(|error| error.without_snippet().to_string())
}
