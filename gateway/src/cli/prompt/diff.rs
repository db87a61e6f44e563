//! `weir prompt diff`: a folder against the registry, or a prompt's versions against each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use similar::TextDiff;
use vocab::PromptName;

use super::super::client::{Client, segment};
use super::super::say;
use super::{local, registered};

/// Lines of context around a difference.
const CONTEXT_LINES: usize = 3;

/// What `diff` takes.
#[derive(Debug, clap::Args)]
pub struct Diff {
    /// The folder; with --from or --to, the name of a prompt.
    what: PathBuf,
    /// Which version of each prompt to compare the folder with.
    #[arg(long, default_value = "latest", value_name = "SELECTOR")]
    version: String,
    /// Compares this version of a prompt: a label, `latest`, a version, or `draft` for your own draft [default: what
    /// --to was published onto].
    #[arg(long, value_name = "SELECTOR", conflicts_with = "version")]
    from: Option<String>,
    /// Compares it with this one [default: latest].
    #[arg(long, value_name = "SELECTOR", conflicts_with = "version")]
    to: Option<String>,
    /// Prints JSON, where versions are compared.
    #[arg(long)]
    json: bool,
}

impl Diff {
    /// Prints the differences; exit code 1 if there are any.
    pub fn run(&self, client: &Client) -> anyhow::Result<ExitCode> {
        let differs = if self.from.is_some() || self.to.is_some() {
            self.versions(client)?
        } else {
            anyhow::ensure!(!self.json, "--json goes with --from or --to");
            folder(client, &self.what, &self.version)?
        };
        Ok(if differs { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn versions(&self, client: &Client) -> anyhow::Result<bool> {
        let path = format!("/prompts/{}/diff", segment(&self.what.to_string_lossy()));
        let mut query = Vec::new();
        query.extend(self.from.as_deref().map(|from| ("from", from)));
        query.extend(self.to.as_deref().map(|to| ("to", to)));
        if self.json {
            let diff = client.get(&path, &query)?;
            say(&diff.to_string());
            return Ok(diff["same"] != true);
        }
        query.push(("format", "text"));
        let text = client.text(&path, &query)?;
        if !text.is_empty() {
            say(text.trim_end());
        }
        Ok(!text.is_empty())
    }
}

fn folder(client: &Client, dir: &Path, version: &str) -> anyhow::Result<bool> {
    let registered = registered(client, version)?;
    let local: BTreeMap<PromptName, String> =
        local(dir)?.into_iter().map(|(name, file)| (name.clone(), registered.pinned(&name, &file))).collect();
    let names: BTreeSet<&PromptName> = local.keys().chain(registered.files.keys()).collect();
    let nothing = String::new();
    let mut differs = false;
    for name in names {
        let there = registered.as_it_stands(name).unwrap_or_default();
        let here = local.get(name).unwrap_or(&nothing);
        if there != *here {
            differs = true;
            let diff = TextDiff::from_lines(&there, here);
            let headings = (format!("registry/{name}"), format!("{}/{name}", dir.display()));
            let text = diff
                .unified_diff()
                .context_radius(CONTEXT_LINES)
                .header(&headings.0, &headings.1)
                .to_string();
            say(text.trim_end());
        }
    }
    Ok(differs)
}
