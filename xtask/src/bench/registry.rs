//! A registry of a hundred thousand prompts, in a file and in PostgreSQL: opening it, and what is asked of it.

use std::path::Path;
use std::process::Command;

use anyhow::{bail, ensure};

use crate::postgres::Server;
use crate::workspace::Workspace;

/// Fills both and asks both; `--prompts N`, `--versions V`, `--bytes B` for other sizes, `--only file|postgres` for one.
pub(super) fn run(workspace: &Workspace, words: &[String]) -> anyhow::Result<()> {
    let (mut sizes, mut only) = (Vec::new(), None);
    for pair in words.chunks(2) {
        match pair {
            [option, value] if option == "--only" => only = Some(value.as_str()),
            [option, value] if ["--prompts", "--versions", "--bytes"].contains(&option.as_str()) => {
                sizes.extend([option.as_str(), value.as_str()]);
            }
            _ => bail!("there are --prompts, --versions, --bytes and --only, each with a value"),
        }
    }
    let programs = workspace.build_release(&["registry-scale"])?;
    let folder = workspace.target.join("bench-registry");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    let program = programs.join("registry-scale");
    if only.is_none_or(|only| only == "file") {
        let url = format!("sqlite:{}", folder.join("registry.sqlite").display());
        fill_and_ask(&program, &url, &sizes, &[])?;
    }
    if only.is_none_or(|only| only == "postgres") {
        let server = Server::start()?;
        let copy = folder.join("registry.copy").display().to_string();
        fill_and_ask(&program, &server.url(), &sizes, &["--copy", &copy, "--nodes", "2"])?;
    }
    Ok(std::fs::remove_dir_all(&folder)?)
}

fn fill_and_ask(program: &Path, url: &str, sizes: &[&str], more: &[&str]) -> anyhow::Result<()> {
    println!("filling {url}");
    for options in [&["--fill", "yes"], more] {
        let status = Command::new(program).args(["--url", url]).args(sizes).args(options).status()?;
        ensure!(status.success(), "registry-scale failed");
    }
    Ok(())
}
