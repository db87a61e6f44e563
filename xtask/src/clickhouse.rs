//! The real ClickHouse engine on loopback, for tests, proofs and benchmarks: `tools/clickhouse` in a virtual environment.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::prove::gateway::Process;
use crate::python;
use crate::workspace::Workspace;

const TOOL: &str = "tools/clickhouse";
/// How long a start may take, looked at so often.
const LOOK_WAIT: Duration = Duration::from_millis(50);
const LOOKS_MAX: u32 = 1_200;

/// A running engine with a data folder of its own.
pub(crate) struct Engine {
    python: PathBuf,
    tool: PathBuf,
    folder: PathBuf,
    address: SocketAddr,
    process: Option<Process>,
}

impl Engine {
    /// Starts an engine whose data are in `folder`; the first time, installs what it needs.
    pub(crate) fn start(workspace: &Workspace, folder: &Path) -> anyhow::Result<Self> {
        let tool = workspace.root.join(TOOL);
        let python =
            python::environment(workspace, "clickhouse-venv", &tool.join("requirements.txt"), &["--no-deps"])
                .map_err(anyhow::Error::msg)?;
        std::fs::create_dir_all(folder)?;
        let mut engine = Self {
            python,
            tool: tool.join("clickhouse_http.py"),
            folder: folder.to_owned(),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            process: None,
        };
        engine.restart()?;
        Ok(engine)
    }

    /// Starts it again where it was, on the same port.
    pub(crate) fn restart(&mut self) -> anyhow::Result<()> {
        let port_file = self.folder.join("port");
        // Missing when there was no start before.
        std::fs::remove_file(&port_file).ok();
        let mut command = Command::new(&self.python);
        command.arg(&self.tool).arg("--path").arg(self.folder.join("data"));
        command.args(["--port", &self.address.port().to_string(), "--port-file"]).arg(&port_file);
        self.process = Some(Process::start(&mut command, &self.folder.join("engine.log"))?);
        for _ in 0..LOOKS_MAX {
            let port = std::fs::read_to_string(&port_file).unwrap_or_default();
            if let Ok(port) = port.trim().parse() {
                self.address.set_port(port);
                if self.rows("system", "SELECT 1").is_ok() {
                    return Ok(());
                }
            }
            std::thread::sleep(LOOK_WAIT);
        }
        bail!("ClickHouse does not start, see {}", self.folder.join("engine.log").display())
    }

    /// Kills it with SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL, without a database.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes a database and returns its URL.
    pub(crate) fn database(&self, name: &str) -> anyhow::Result<String> {
        self.run(&format!("CREATE DATABASE IF NOT EXISTS {name}"))?;
        Ok(format!("{}/{name}", self.url()))
    }

    /// Runs a statement.
    pub(crate) fn run(&self, sql: &str) -> anyhow::Result<()> {
        self.ask("system", sql).map(drop)
    }

    /// The rows a query returns, each a JSON object.
    pub(crate) fn rows(&self, database: &str, sql: &str) -> anyhow::Result<Vec<Value>> {
        let text = self.ask(database, &format!("{sql} FORMAT JSONEachRow"))?;
        text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }

    /// The first column of what a query returns.
    pub(crate) fn column(&self, sql: &str) -> anyhow::Result<Vec<String>> {
        Ok(self.ask("system", &format!("{sql} FORMAT TSV"))?.lines().map(str::to_owned).collect())
    }

    fn ask(&self, database: &str, sql: &str) -> anyhow::Result<String> {
        let url = format!("{}/?database={database}", self.url());
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut answer = agent.post(url).send(sql).context("ClickHouse does not answer")?;
        let (status, text) =
            (answer.status(), answer.body_mut().with_config().limit(u64::MAX).read_to_string()?);
        ensure!(status.is_success(), "{}", text.lines().next().unwrap_or_default());
        Ok(text)
    }
}
