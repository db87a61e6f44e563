//! The suite of unmodified JavaScript SDKs against the real binary, with its packages under cargo's target folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::quietly::quietly;
use crate::test::suite::{self, Outcome};
use crate::workspace::{Workspace, is_there};

/// Where the suite and the list of its packages are.
const SUITE: &str = "gateway/tests/node";

/// Builds `weir`, installs the packages, runs node's own test runner.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let suite = workspace.root.join(SUITE);
    let weir = match workspace.build_weir() {
        Ok(weir) => weir,
        Err(why) => return Outcome::failed(&why),
    };
    let packages = match install(workspace, &suite.join("package.json")) {
        Ok(packages) => packages,
        Err(why) => return Outcome::CouldNotRun(why),
    };
    let mut node = Command::new("node");
    node.current_dir(&suite).args(["--test", "--test-reporter=tap", "langfuse.test.cjs"]);
    node.env("WEIR_BIN", weir).env("NODE_PATH", packages);
    suite::counted(&mut node, suite::tap)
}

/// Installs the packages, or takes those that were installed from the same list; returns their folder.
fn install(workspace: &Workspace, list: &Path) -> Result<PathBuf, String> {
    find_node()?;
    let wanted = std::fs::read_to_string(list).map_err(|error| format!("{}: {error}", list.display()))?;
    let folder = workspace.target.join("sdk-node");
    let packages = folder.join("node_modules");
    let made_from = folder.join("installed.json");
    if std::fs::read_to_string(&made_from).is_ok_and(|made_from| made_from == wanted) {
        println!("using {}", folder.display());
        return Ok(packages);
    }
    println!("installing {} into {}", list.display(), folder.display());
    let copy =
        std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(folder.join("package.json"), &wanted));
    copy.map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut npm = Command::new("npm");
    npm.current_dir(&folder).args([
        "install",
        "--no-audit",
        "--no-fund",
        "--no-package-lock",
        "--ignore-scripts",
    ]);
    quietly(&mut npm, "npm cannot install the packages (it needs a registry)")?;
    std::fs::write(&made_from, wanted).map_err(|error| error.to_string())?;
    Ok(packages)
}

fn find_node() -> Result<(), String> {
    if is_there("node") && is_there("npm") {
        return Ok(());
    }
    if !rustix::process::geteuid().is_root() || !is_there("apt-get") {
        return Err("node and npm are missing; install them: apt-get install nodejs npm".to_owned());
    }
    println!("node and npm are missing; installing them with apt-get");
    let apt = "apt-get update -qq && apt-get install -y -qq --no-install-recommends nodejs npm";
    quietly(Command::new("sh").args(["-c", apt]), "apt-get cannot install nodejs and npm")
}
