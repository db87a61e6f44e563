//! Prompts by name, as golden files: what is registered, a request, and what goes upstream or is refused.
//!
//! One file of `tests/golden/prompts` for each rule; its `given` names a file of prompts that several share.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::support::{Answer, Harness};

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/prompts");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    rule: String,
    given: Option<String>,
    #[serde(default)]
    prompts: Vec<Prompt>,
    request: Request,
    served: Option<String>,
    upstream: Option<Value>,
    refused: Option<Refused>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Prompt {
    name: String,
    #[serde(default)]
    aliases: Vec<Value>,
    versions: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    path: String,
    #[serde(default)]
    headers: Map<String, Value>,
    body: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    status: u16,
    code: String,
    param: Option<String>,
    #[serde(default)]
    says: Vec<String>,
}

fn read<T: DeserializeOwned>(path: &Path) -> T {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

impl Case {
    async fn set_up(&self) -> Harness {
        let weir = Harness::start().await;
        let path = self.given.as_ref().map(|given| Path::new(CASES).join(format!("given/{given}.json")));
        let given: Vec<Prompt> = path.map(|path| read(&path)).unwrap_or_default();
        for prompt in given.iter().chain(&self.prompts) {
            weir.create_prompt(&json!({"name": prompt.name, "aliases": prompt.aliases})).await;
            for version in &prompt.versions {
                weir.publish(&prompt.name, version.clone()).await;
            }
        }
        weir
    }

    async fn send(&self, weir: &Harness) -> Answer {
        let mut call = weir.call("POST", &self.request.path).json(&self.request.body);
        for (name, value) in &self.request.headers {
            call = call.header(name, value.as_str().unwrap());
        }
        call.send().await
    }

    /// What is not as the file says; empty when all is well.
    async fn judge(&self) -> String {
        let weir = self.set_up().await;
        let answer = self.send(&weir).await;
        match (&self.refused, &self.upstream) {
            (Some(refused), None) => refused.judge(&answer, weir.provider.calls()),
            (None, Some(upstream)) => self.judge_sent(upstream, &answer, &weir),
            (Some(_), Some(_)) | (None, None) => "it needs `upstream` or `refused`".to_owned(),
        }
    }

    fn judge_sent(&self, upstream: &Value, answer: &Answer, weir: &Harness) -> String {
        if answer.status != 200 {
            return format!("answered with {} {}", answer.status, answer.text());
        }
        let sent = weir.provider.only().json();
        let mut wrong = String::new();
        if sent != *upstream {
            write!(wrong, "sent     {sent}\n  expected {upstream}").unwrap();
        }
        let served = Some(answer.header("weir-prompt"));
        if served != self.served.as_deref() {
            write!(wrong, "served {served:?}, expected {:?}", self.served).unwrap();
        }
        wrong
    }
}

impl Refused {
    fn judge(&self, answer: &Answer, sent: usize) -> String {
        if answer.status == 200 || sent > 0 {
            return "it was sent upstream".to_owned();
        }
        let error = answer.error();
        let message = error["message"].as_str().unwrap();
        let right = answer.status == self.status
            && error["code"] == self.code
            && self.param.as_ref().is_none_or(|param| error["param"] == *param)
            && self.says.iter().all(|word| message.contains(word));
        if right { String::new() } else { format!("refused with {} {error}", answer.status) }
    }
}

#[tokio::test]
async fn every_golden_file_holds() {
    let mut paths: Vec<PathBuf> = fs::read_dir(CASES).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    assert!(paths.len() > 70, "the golden files are gone: {paths:?}");
    let mut failures = String::new();
    for path in paths {
        let case: Case = read(&path);
        let wrong = case.judge().await;
        if !wrong.is_empty() {
            let name = path.file_stem().unwrap().to_string_lossy();
            writeln!(failures, "\n{name}: {}\n  {wrong}", case.rule).unwrap();
        }
    }
    assert!(failures.is_empty(), "{failures}");
}
