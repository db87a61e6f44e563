//! `weir prompt check`: whether files would hold as versions, asked of the gateway, which has what they include.

use std::path::PathBuf;
use std::process::ExitCode;

use registry::files;
use registry::template::Problem;
use serde_json::{Value, json};

use super::super::client::Client;
use super::super::page::items;
use super::super::{complain, say};
use super::publish;

/// What `check` takes.
#[derive(Debug, clap::Args)]
pub struct Check {
    /// The files; `-` is standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Prints JSON: a list of `{file, valid, problems, variables, examples}`.
    #[arg(long)]
    json: bool,
}

/// What is wrong with the templates of a content.
pub(super) struct Problems(Vec<Problem>);

impl Check {
    /// Prints what is wrong; exit code 1 if anything is.
    pub fn run(&self, client: &Client) -> anyhow::Result<ExitCode> {
        let mut verdicts = Vec::new();
        for path in &self.files {
            let (text, file) = publish::read(path)?;
            let mut body = publish::version_of(&file, None)?;
            body.shift_remove("metadata");
            let mut verdict = client.post("/templates/check", &Value::Object(body))?;
            if !self.json {
                let shown = path.display().to_string();
                Problems::of(&verdict).complain(&shown, &text);
                for failure in failures(&verdict) {
                    complain(&format!("{shown}: {failure}"));
                }
            }
            verdict["file"] = json!(path);
            verdicts.push(verdict);
        }
        if self.json {
            say(&Value::from(verdicts.clone()).to_string());
        }
        let bad = verdicts.iter().filter(|verdict| !holds(verdict)).count();
        complain(&format!("{} files checked, {bad} with problems", verdicts.len()));
        Ok(if bad > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

fn holds(verdict: &Value) -> bool {
    verdict["valid"] == true && failures(verdict).is_empty()
}

/// What is wrong with the renderings of the examples.
fn failures(verdict: &Value) -> Vec<String> {
    let of_one = |(index, example): (usize, &Value)| {
        let told = items(&example["failures"]).iter().filter_map(Value::as_str);
        told.map(|why| format!("examples[{index}]: {why}")).collect::<Vec<_>>()
    };
    items(&verdict["examples"]).iter().enumerate().flat_map(of_one).collect()
}

impl Problems {
    /// The `problems` of a verdict or a draft.
    pub(super) fn of(answer: &Value) -> Self {
        let number = |value: &Value| value.as_u64().and_then(|number| u32::try_from(number).ok());
        let problem = |it: &Value| Problem {
            item: it["item"].as_u64().and_then(|item| usize::try_from(item).ok()),
            line: number(&it["line"]).unwrap_or_default(),
            column: number(&it["column"]).unwrap_or_default(),
            message: it["message"].as_str().unwrap_or_default().to_owned(),
        };
        Self(items(&answer["problems"]).iter().map(problem).collect())
    }

    /// Tells each one with its line in the file of this name and text.
    pub(super) fn complain(&self, file: &str, text: &str) {
        for problem in &self.0 {
            complain(&format!("{file}: line {}: {}", files::line_of(text, problem), problem.message));
        }
    }
}
