//! `weir check`: the problems of the configuration and of prompt files, each with file, line and fix.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use registry::files;
use registry::template::{Problem, Template};

use super::prompt::folder::Folder;
use super::prompt::paths;
use super::{ServeArguments, complain, say};
use crate::app;

/// What `check` takes.
#[derive(Debug, clap::Args)]
pub struct CheckArguments {
    #[command(flatten)]
    serve: ServeArguments,
    /// A folder of prompt files to check too.
    #[arg(long, value_name = "DIR")]
    prompts: Option<PathBuf>,
}

/// Prints every problem; exit code 1 if there is any.
pub fn run(arguments: &CheckArguments) -> anyhow::Result<ExitCode> {
    let mut problems = Vec::new();
    match arguments.serve.load() {
        Ok(config) => {
            for notice in &config.notices {
                say(&format!("note: {notice}"));
            }
            match app::catalogue(&config) {
                Ok(_) => {
                    let names: Vec<&str> = config.providers.iter().map(|provider| &*provider.name).collect();
                    say(&format!("the configuration is sound; {}", served_by(&names)));
                }
                Err(error) => problems.push(format!("{error:#}")),
            }
        }
        Err(found) => problems.push(found.to_string()),
    }
    if let Some(dir) = &arguments.prompts {
        let files = paths(dir)?;
        let folder = Folder::open(dir)?;
        for path in files.values() {
            problems.extend(prompt_problems(path, &folder)?);
        }
        say(&format!("{} prompt files checked", files.len()));
    }
    for problem in &problems {
        complain(problem);
    }
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn served_by(providers: &[&str]) -> String {
    if providers.is_empty() {
        return "no provider is configured, so calls will be refused: set OPENAI_API_KEY or another provider's \
                variable, name one under [providers], or add --demo"
            .to_owned();
    }
    format!("providers: {}", providers.join(", "))
}

fn prompt_problems(path: &Path, folder: &Folder) -> anyhow::Result<Vec<String>> {
    let text = std::fs::read_to_string(path)?;
    let shown = path.display();
    let file = match files::read(&text) {
        Ok(file) => file,
        Err(problem) => return Ok(vec![format!("{shown}: {problem}")]),
    };
    let problems =
        Template::including(&file.content, &folder.included(&file.content)).err().unwrap_or_default();
    let line =
        |problem: &Problem| format!("{shown}: line {}: {}", files::line_of(&text, problem), problem.message);
    Ok(problems.iter().map(line).collect())
}
