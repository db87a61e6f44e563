//! The suite of the official Python SDK against the real binary, in a virtual environment under cargo's target folder.

use std::process::Command;

use crate::python;
use crate::test::suite::{self, Outcome};
use crate::workspace::Workspace;

/// Where the suite and the list of its packages are.
const SUITE: &str = "gateway/tests/sdk";

/// Builds `weir`, installs the packages, runs pytest.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let suite = workspace.root.join(SUITE);
    let weir = match workspace.build_weir() {
        Ok(weir) => weir,
        Err(why) => return Outcome::failed(&why),
    };
    let python = match python::environment(workspace, "sdk-venv", &suite.join("requirements.txt"), &[]) {
        Ok(python) => python,
        Err(why) => return Outcome::CouldNotRun(why),
    };
    let mut pytest = Command::new(python);
    pytest.current_dir(&workspace.root).args(["-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", SUITE]);
    pytest.env("WEIR_BIN", weir);
    suite::counted(&mut pytest, suite::pytest)
}
