//! `weir prompt test`: every prompt file of a folder, compiled, rendered with its example variables and held to its
//! examples. Needs no gateway and sends nothing anywhere.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use registry::content::Content;
use registry::examples::{self, Example};
use registry::files::{self, PromptFile};
use registry::template::Template;
use serde_json::{Value, json};
use vocab::PromptName;

use super::super::{complain, say};
use super::folder::Folder;
use super::paths;

/// What `test` takes.
#[derive(Debug, clap::Args)]
pub struct Test {
    /// The folder.
    dir: PathBuf,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// What came of one prompt.
struct Outcome {
    name: PromptName,
    /// How many renderings were tried.
    tried: usize,
    failures: Vec<String>,
}

impl Test {
    /// Prints what came of every prompt; exit code 1 if one failed.
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let files = paths(&self.dir)?;
        anyhow::ensure!(!files.is_empty(), "there is no prompt file in {}", self.dir.display());
        let folder = Folder::open(&self.dir)?;
        let outcomes = files.into_iter().map(|(name, path)| Outcome::of(name, &path, &folder));
        let outcomes = outcomes.collect::<anyhow::Result<Vec<_>>>()?;
        if self.json {
            say(&json!(outcomes.iter().map(Outcome::as_json).collect::<Vec<_>>()).to_string());
        } else {
            outcomes.iter().for_each(Outcome::print);
        }
        let failed = outcomes.iter().filter(|outcome| !outcome.failures.is_empty()).count();
        let tried: usize = outcomes.iter().map(|outcome| outcome.tried).sum();
        complain(&format!("{} prompts tested with {tried} renderings, {failed} failed", outcomes.len()));
        Ok(if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

impl Outcome {
    fn of(name: PromptName, path: &Path, folder: &Folder) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let (tried, failures) = match files::read(&text) {
            Ok(file) => judge(&text, &file, folder),
            Err(problem) => (0, vec![problem.to_string()]),
        };
        Ok(Self { name, tried, failures })
    }

    fn as_json(&self) -> Value {
        json!({
            "prompt": self.name, "passed": self.failures.is_empty(), "renderings": self.tried,
            "failures": self.failures,
        })
    }

    fn print(&self) {
        let Self { name, tried, failures } = self;
        match tried {
            _ if !failures.is_empty() => {
                for failure in failures {
                    say(&format!("FAIL  {name}: {failure}"));
                }
            }
            0 => say(&format!("ok    {name}: compiles; it has no example to render it with")),
            tried => say(&format!("ok    {name}: {tried} rendered")),
        }
    }
}

/// How many renderings were tried, and what is wrong.
fn judge(text: &str, file: &PromptFile, folder: &Folder) -> (usize, Vec<String>) {
    let template = match Template::including(&file.content, &folder.included(&file.content)) {
        Ok(template) => template,
        Err(problems) => {
            let line = |problem| format!("line {}: {}", files::line_of(text, problem), problem.message);
            return (0, problems.iter().map(line).collect());
        }
    };
    let mut failures = Vec::new();
    let own = by_declarations(&file.content, &template);
    let mut tried = 0;
    if let Some(example) = &own {
        tried += 1;
        failures.extend(example.judge(&template).into_iter().map(|why| format!("example variables: {why}")));
    }
    match examples::read(&file.examples) {
        Err(why) => failures.push(why),
        Ok(examples) => {
            for (index, example) in examples.iter().enumerate() {
                tried += 1;
                let told = example.judge(&template).into_iter();
                failures.extend(told.map(|why| format!("examples[{index}]: {why}")));
            }
        }
    }
    (tried, failures)
}

/// The rendering that the declarations' own `example`s give, when they cover all that is required: always, where nothing is.
fn by_declarations(content: &Content, template: &Template) -> Option<Example> {
    let variables = examples::declared(content);
    let covers = template.variables().iter().all(|it| !it.required || variables.contains_key(&it.name));
    covers.then(|| Example { variables, ..Example::default() })
}
