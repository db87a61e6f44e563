//! Virtual environments below cargo's target folder, made once from a list of packages.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::quietly::quietly;
use crate::workspace::{Workspace, is_there};

/// Makes the environment, or takes the one that was made from the same list; returns its Python.
pub(crate) fn environment(
    workspace: &Workspace,
    name: &str,
    list: &Path,
    options: &[&str],
) -> Result<PathBuf, String> {
    let wanted = std::fs::read_to_string(list).map_err(|error| format!("{}: {error}", list.display()))?;
    let folder = workspace.target.join(name);
    let python = folder.join("bin/python");
    let made_from = folder.join("requirements.txt");
    let kept = std::fs::read_to_string(&made_from).is_ok_and(|made_from| made_from == wanted);
    if kept && is_there(&python.display().to_string()) {
        println!("using {}", folder.display());
        return Ok(python);
    }
    make(&folder)?;
    println!("installing {} into {}", list.display(), folder.display());
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    pip.args(options).arg("--requirement").arg(list);
    quietly(&mut pip, "pip cannot install the packages (it needs a Python package index)")?;
    std::fs::write(&made_from, wanted).map_err(|error| error.to_string())?;
    Ok(python)
}

fn make(folder: &Path) -> Result<(), String> {
    println!("making {}", folder.display());
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv", "--clear"]).arg(folder);
    let Err(why) = quietly(&mut venv, "python3 cannot make a virtual environment") else { return Ok(()) };
    if !rustix::process::geteuid().is_root() || !is_there("apt-get") {
        return Err(format!("{why}; install it: apt-get install python3 python3-venv"));
    }
    println!("{why}; installing python3-venv with apt-get");
    let apt = "apt-get update -qq && apt-get install -y -qq --no-install-recommends python3 python3-venv";
    quietly(Command::new("sh").args(["-c", apt]), "apt-get cannot install python3-venv")?;
    quietly(&mut venv, "python3 cannot make a virtual environment")
}
