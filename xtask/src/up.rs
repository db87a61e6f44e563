//! `cargo xtask up`: one command from a clone to a gateway that answers.

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::workspace::Workspace;

const HELP: &str = "usage: cargo xtask up [--data-dir ./data] [what `weir serve` takes]…";

/// Builds the release binary and becomes `weir serve --demo`.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> anyhow::Result<()> {
    if words.iter().any(|word| word == "--help" || word == "-h") {
        println!("{HELP}");
        return Ok(());
    }
    let weir = workspace.build_release(&["weir"])?.join("weir");
    let mut serve = Command::new(&weir);
    serve.args(["serve", "--demo"]).args(words);
    if !words.iter().any(|word| word.starts_with("--data-dir")) {
        serve.args(["--data-dir", "./data"]);
    }
    println!("starting {} serve --demo\n", weir.display());
    // The gateway takes this process's place, so the terminal's signals reach it and nothing stands between.
    Err(anyhow::Error::new(serve.exec()).context(format!("cannot start {}", weir.display())))
}
