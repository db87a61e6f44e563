//! Prompt and request in, what goes upstream out: one golden file for each rule of merging.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails where its own data are wrong")]

use std::fs;
use std::path::Path;

use dialects::Endpoint;
use dialects::body::{Body, Edit};
use dialects::chat::{Content, Message, Role};
use dialects::merge::{Contribution, MergeError, RenderedItem, merge};
use dialects::naming;
use serde::Deserialize;
use serde_json::{Map, Value, json};

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/merge");

/// A golden file: the rule it shows, a request, and a prompt version that is rendered already.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    rule: String,
    endpoint: String,
    request: Value,
    prompt: Prompt,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Prompt {
    #[serde(default)]
    items: Vec<Item>,
    text: Option<String>,
    model: Option<String>,
    #[serde(default)]
    parameters: Map<String, Value>,
    tools: Option<Vec<Value>>,
    tool_choice: Option<Value>,
    response_format: Option<Value>,
    #[serde(default)]
    locked: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Item {
    Place { placeholder: String, fill: Option<Vec<Value>> },
    Message(Message),
}

impl Prompt {
    fn items(&self) -> Vec<RenderedItem> {
        let items = self.items.iter().map(|item| match item {
            Item::Place { placeholder, fill } => {
                RenderedItem::Placeholder { name: placeholder.clone(), fill: fill.clone() }
            }
            Item::Message(message) => RenderedItem::Message(message.clone()),
        });
        let text = self.text.iter().map(|text| {
            let content = Content::Text(text.clone());
            RenderedItem::Message(Message { role: Role::User, content, rest: Map::new() })
        });
        items.chain(text).collect()
    }

    fn contribution(&self) -> Contribution<'_> {
        Contribution {
            items: self.items(),
            text: self.text.is_some(),
            model: self.model.as_deref(),
            parameters: &self.parameters,
            tools: self.tools.as_deref(),
            tool_choice: self.tool_choice.as_ref(),
            response_format: self.response_format.as_ref(),
            locked: &self.locked,
        }
    }
}

impl Case {
    fn endpoint(&self) -> Endpoint {
        match self.endpoint.as_str() {
            "chat" => Endpoint::ChatCompletions,
            "responses" => Endpoint::Responses,
            "completions" => Endpoint::Completions,
            "embeddings" => Endpoint::Embeddings,
            other => panic!("no endpoint {other}"),
        }
    }

    fn upstream(&self) -> Result<Value, MergeError> {
        let request = self.request.to_string();
        let body = Body::scan(request.as_bytes()).unwrap();
        let mut edit = Edit::new();
        naming::cut(&body, &mut edit);
        merge(self.endpoint(), &body, &self.prompt.contribution(), &mut edit)?;
        Ok(serde_json::from_slice(&edit.write(&body)).unwrap())
    }

    /// What goes upstream, or the refusal.
    fn outcome(&self) -> Value {
        match self.upstream() {
            Ok(upstream) => json!({ "upstream": upstream }),
            Err(error) => {
                let message = error.to_string();
                json!({"refused": {"code": error.code(), "param": error.param(), "message": message}})
            }
        }
    }
}

#[test]
fn every_rule_of_merging_gives_the_request_on_file() {
    let mut cases: Vec<_> = fs::read_dir(CASES).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    cases.sort();
    assert!(cases.len() > 60, "only {} golden files found", cases.len());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(CASES);
    settings.set_prepend_module_to_snapshot(false);
    for path in cases {
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap();
        let case = read(&path);
        settings.set_description(&*case.rule);
        settings.bind(|| insta::assert_json_snapshot!(name, case.outcome()));
    }
}

fn read(path: &Path) -> Case {
    let text = fs::read_to_string(path).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
