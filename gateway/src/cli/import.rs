//! `weir import`: prompts from elsewhere into the registry, with a report of what was carried and what was not.

mod apply;
mod fetch;
mod report;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;

use self::apply::Registrar;
use super::client::Client;
use crate::import::{Found, langsmith, mlflow, openai, promptfoo, promptlayer};

/// The largest file that is read.
const FILE_BYTES: u64 = 64 << 20;

/// How prompts are taken in, wherever they come from.
#[derive(Debug, clap::Args)]
pub struct How {
    /// Prints what would be done, and does nothing.
    #[arg(long, global = true)]
    dry_run: bool,
    /// Puts labels where they are elsewhere, also those that are somewhere else here.
    #[arg(long, global = true)]
    move_labels: bool,
    /// The folder to put the prompts into.
    #[arg(long, global = true, value_name = "FOLDER")]
    folder: Option<String>,
    /// Prints the report as JSON.
    #[arg(long, global = true)]
    json: bool,
}

/// Where prompts come from.
#[derive(Debug, Subcommand)]
pub enum Source {
    /// From a Langfuse server, every version of every prompt.
    Langfuse {
        /// The server's URL.
        #[arg(
            long,
            env = "LANGFUSE_BASE_URL",
            default_value = "https://cloud.langfuse.com",
            value_name = "URL"
        )]
        url: String,
        /// The project's public key.
        #[arg(long, env = "LANGFUSE_PUBLIC_KEY", value_name = "KEY")]
        public_key: String,
        /// The project's secret key.
        #[arg(long, env = "LANGFUSE_SECRET_KEY", hide_env_values = true, value_name = "KEY")]
        secret_key: String,
        /// One prompt instead of all.
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
    /// From files with answers of PromptLayer's API.
    #[command(name = "promptlayer")]
    PromptLayer {
        /// The files; `-` is the standard input.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// From files with LangSmith's manifests or commits.
    #[command(name = "langsmith")]
    LangSmith {
        /// The files; `-` is the standard input.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// What to call a prompt whose file does not tell; its file's name otherwise.
        #[arg(long)]
        name: Option<String>,
    },
    /// From an MLflow server, or files with answers of its API.
    Mlflow {
        /// The files; `-` is the standard input.
        #[arg(required_unless_present = "url")]
        files: Vec<PathBuf>,
        /// The server's URL.
        #[arg(long, env = "MLFLOW_TRACKING_URI", value_name = "URL", conflicts_with = "files")]
        url: Option<String>,
        /// The server's token, where it wants one.
        #[arg(long, env = "MLFLOW_TRACKING_TOKEN", hide_env_values = true, value_name = "TOKEN")]
        token: Option<String>,
    },
    /// From promptfoo's configurations.
    Promptfoo {
        /// The files; those they name are found beside them.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// From prompts pasted from OpenAI's dashboard.
    #[command(name = "openai")]
    OpenAi {
        /// The files, JSON or the prompt's text alone; `-` is the standard input.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// The prompt's id, where the file does not tell: `pmpt_…`.
        #[arg(long, value_name = "ID")]
        id: Option<String>,
        /// The version that was pasted, where the file does not tell.
        #[arg(long, value_name = "VERSION")]
        of_version: Option<String>,
        /// What to call the prompt here.
        #[arg(long)]
        name: Option<String>,
    },
}

/// Reads the source, registers what it holds, and prints the report; exit code 1 when something failed.
pub fn run(client: &Client, how: &How, source: &Source) -> anyhow::Result<ExitCode> {
    let mut found = source.read()?;
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found.iter_mut().for_each(Found::settle_kind);
    let registrar = Registrar { client, how };
    let taken: Vec<_> = found.iter().map(|found| registrar.take(found)).collect();
    report::print(how, &taken);
    let failed = taken.iter().any(|taken| taken.error.is_some());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

impl Source {
    fn read(&self) -> anyhow::Result<Vec<Found>> {
        match self {
            Self::Langfuse { url, public_key, secret_key, name } => {
                fetch::langfuse(url, (public_key, secret_key), name.as_deref())
            }
            Self::PromptLayer { files } => each(files, |_, text| Ok(promptlayer::read(text)?)),
            Self::LangSmith { files, name } => each(files, |path, text| {
                let own = stem(path);
                Ok(langsmith::read(text, name.as_deref().unwrap_or(&own))?)
            }),
            Self::Mlflow { url: Some(url), token, .. } => fetch::mlflow(url, token.as_deref()),
            Self::Mlflow { files, .. } => each(files, |_, text| Ok(mlflow::read(text)?)),
            Self::Promptfoo { files } => each(files, |path, text| {
                let beside = path.parent().unwrap_or(Path::new("."));
                let open = |name: &str| read(&beside.join(name)).map_err(|error| format!("{error:#}"));
                Ok(promptfoo::read(text, &stem(path), &open)?)
            }),
            Self::OpenAi { files, id, of_version, name } => {
                let known = openai::Known { name: name.clone(), id: id.clone(), version: of_version.clone() };
                each(files, |_, text| Ok(openai::read(text, &known)?))
            }
        }
    }
}

/// What the files hold together.
fn each(
    files: &[PathBuf],
    of: impl Fn(&Path, &str) -> anyhow::Result<Vec<Found>>,
) -> anyhow::Result<Vec<Found>> {
    let mut all = Vec::new();
    for path in files {
        let text = read(path)?;
        all.extend(of(path, &text).with_context(|| path.display().to_string())?);
    }
    Ok(Found::together(all))
}

fn read(path: &Path) -> anyhow::Result<String> {
    let from: Box<dyn std::io::Read> = if path == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?)
    };
    let mut text = String::new();
    let read = from.take(FILE_BYTES + 1).read_to_string(&mut text);
    let size = read.with_context(|| format!("cannot read {}", path.display()))?;
    anyhow::ensure!(size as u64 <= FILE_BYTES, "{} has more than {FILE_BYTES} bytes", path.display());
    Ok(text)
}

/// A file's name without its extension.
fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(|| "prompt".to_owned(), |stem| stem.to_string_lossy().into_owned())
}
