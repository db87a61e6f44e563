//! `cargo xtask tidy`: what the compiler and clippy do not look at.
//!
//! Sizes are reported. Everything else fails: a crate that uses a higher floor, a file without its opening sentence or
//! that nothing reaches, a name that says nothing, an unfinished note, a path of somebody's machine, a metric that
//! documents name and nothing counts, a licence nobody looked at.

mod dependencies;
mod floors;
mod metrics;
mod modules;
mod shape;
mod sources;
mod words;

use std::fmt;
use std::path::Path;

use anyhow::bail;

use crate::tidy::sources::Tree;
use crate::workspace::Workspace;

/// The platform whose binary is looked at.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// One thing that must be mended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    place: String,
    what: String,
}

impl Finding {
    fn at(path: &Path, line: usize, what: impl Into<String>) -> Self {
        Self { place: format!("{}:{line}", path.display()), what: what.into() }
    }

    fn on(path: &Path, what: impl Into<String>) -> Self {
        Self { place: path.display().to_string(), what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// Prints the numbers, then what must be mended, and fails if there is any of it.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> anyhow::Result<()> {
    anyhow::ensure!(words.is_empty(), "it takes no arguments");
    let metadata = workspace.metadata(&["--locked", "--filter-platform", PLATFORM])?;
    let (tree, mut findings) = Tree::read(&workspace.root, &metadata)?;
    shape::report(&tree);
    findings.extend(floors::check(&metadata));
    let shipped = workspace.cargo(dependencies::TREE).args(["--target", PLATFORM]).output()?;
    anyhow::ensure!(shipped.status.success(), "{}", String::from_utf8_lossy(&shipped.stderr).trim());
    findings.extend(dependencies::check(&metadata, &String::from_utf8_lossy(&shipped.stdout)));
    findings.extend(modules::check(&tree));
    findings.extend(words::check(&tree));
    findings.extend(metrics::check(&tree));
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        count => bail!("{count} things to mend, see above"),
    }
}
