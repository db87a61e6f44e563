//! Where the project and its build output are, and how cargo is called.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use serde_json::Value;

/// The project's folder and cargo's.
pub(crate) struct Workspace {
    /// The folder of the root `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Cargo's target folder, which `CARGO_TARGET_DIR` may have moved.
    pub(crate) target: PathBuf,
}

impl Workspace {
    pub(crate) fn find() -> anyhow::Result<Self> {
        // Read at run time: a build kept from another clone must not work on that clone.
        let here = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let root = here.as_deref().and_then(Path::parent).context("call this as `cargo xtask`")?;
        let mut workspace = Self { root: root.to_owned(), target: PathBuf::new() };
        let metadata = workspace.metadata(&["--no-deps"])?;
        workspace.target =
            metadata["target_directory"].as_str().context("cargo named no target folder")?.into();
        Ok(workspace)
    }

    /// A cargo command in the project's folder.
    pub(crate) fn cargo<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.current_dir(&self.root).args(arguments);
        command
    }

    /// What `cargo metadata` says.
    pub(crate) fn metadata(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let fixed = ["metadata", "--format-version", "1"];
        let output = self.cargo(fixed.into_iter().chain(arguments.iter().copied())).output()?;
        ensure!(
            output.status.success(),
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Builds these release binaries and returns their folder.
    pub(crate) fn build_release(&self, programs: &[&str]) -> anyhow::Result<PathBuf> {
        check_c_compiler()?;
        println!("building {} (release)", programs.join(", "));
        let status = self.build(programs).arg("--release").status()?;
        ensure!(status.success(), "the build failed");
        Ok(self.target.join("release"))
    }

    /// Builds these binaries as tests do and returns their folder.
    pub(crate) fn build_debug(&self, programs: &[&str]) -> anyhow::Result<PathBuf> {
        let status = self.build(programs).status()?;
        ensure!(status.success(), "the build failed");
        Ok(self.target.join("debug"))
    }

    /// Builds `weir` as tests do and returns its path, or in a few words why not.
    pub(crate) fn build_weir(&self) -> Result<PathBuf, String> {
        match self.build(&["weir"]).status() {
            Ok(status) if status.success() => Ok(self.target.join("debug/weir")),
            Ok(_) => Err("weir does not build".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// A cargo command that builds these binaries. All packages are named, so that dependencies get the same features
    /// in every build and are compiled once.
    pub(crate) fn build(&self, programs: &[&str]) -> Command {
        let mut build = self.cargo(["build", "--locked", "--workspace"]);
        for program in programs {
            build.args(["--bin", program]);
        }
        build
    }
}

/// Whether a program of this name can be started.
pub(crate) fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// `SQLite` and the TLS library are C: without a compiler cargo fails late and at length.
pub(crate) fn check_c_compiler() -> anyhow::Result<()> {
    let compiler =
        std::env::var_os("CC").and_then(|cc| cc.into_string().ok()).unwrap_or_else(|| "cc".to_owned());
    if is_there(compiler.split_whitespace().next().unwrap_or("cc")) {
        return Ok(());
    }
    bail!(
        "there is no C compiler (`{compiler}`); install one: apt-get install build-essential, or xcode-select --install"
    )
}
