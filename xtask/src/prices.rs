//! `cargo xtask prices [VERSION]`: makes the shipped price catalogue from the Python package `genai-prices` (MIT).
//!
//! The wheel is fetched with pip into the target folder and read as text by `prices/extract.py`; nothing in it is
//! installed or run. The catalogue and the package's licence are committed; what was left out is printed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use crate::workspace::Workspace;

/// The package the prices come from.
const PACKAGE: &str = "genai-prices";

/// Fetches the package, newest or of the version named, and writes `config/prices.json` and its licence.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> anyhow::Result<()> {
    let wheel = fetch(&workspace.target.join("prices"), words.first().map(String::as_str))?;
    let config = workspace.root.join("config");
    let mut extract = Command::new("python3");
    extract.arg(workspace.root.join("xtask/src/prices/extract.py"));
    extract.args([wheel, config.join("prices.json"), config.join("prices.LICENSE")]);
    succeed(&mut extract, "the package's prices could not be converted")?;
    println!("look through `git diff --stat config/`, run the tests of `dialects`, then commit");
    Ok(())
}

/// Downloads the wheel into a folder of its own and returns where it is.
fn fetch(folder: &Path, version: Option<&str>) -> anyhow::Result<PathBuf> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    let package = version.map_or_else(|| PACKAGE.to_owned(), |version| format!("{PACKAGE}=={version}"));
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest"]);
    pip.arg(folder).arg(package);
    succeed(&mut pip, "pip could not fetch the package; is python3 with pip installed, and PyPI in reach?")?;
    let wheel = fs::read_dir(folder)?.next().context("pip fetched nothing")??;
    Ok(wheel.path())
}

fn succeed(command: &mut Command, otherwise: &str) -> anyhow::Result<()> {
    let status = command.status().with_context(|| otherwise.to_owned())?;
    ensure!(status.success(), "{otherwise}");
    Ok(())
}
