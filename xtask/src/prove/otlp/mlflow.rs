//! A real MLflow server, read with its own client.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use rustix::process::{Signal, kill_process_group};

use super::shown::Shown;
use super::{Environment, Server, wait_until_up};
use crate::prove::gateway::{Process, free_port};
use crate::workspace::Workspace;

struct MlFlow {
    environment: Environment,
    process: Process,
    url: String,
    log: PathBuf,
}

impl Drop for MlFlow {
    fn drop(&mut self) {
        // `mlflow server` starts the processes that serve; ended alone it would leave them behind.
        if let Ok(group) = self.process.id() {
            kill_process_group(group, Signal::KILL).ok();
        }
    }
}

pub(super) fn start(workspace: &Workspace, folder: &Path) -> anyhow::Result<Box<dyn Server>> {
    let environment = Environment::new(workspace, "mlflow")?;
    let (port, log) = (free_port()?, folder.join("mlflow.log"));
    let mut command = environment.program("mlflow");
    command.current_dir(folder).process_group(0);
    command.args(["server", "--host", "127.0.0.1", "--port", &port.to_string(), "--workers", "1"]);
    command.arg("--backend-store-uri").arg(format!("sqlite:///{}", folder.join("mlflow.db").display()));
    command.env("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false").env("MLFLOW_DISABLE_TELEMETRY", "true");
    let process = Process::start(&mut command, &log)?;
    let server = MlFlow { environment, process, url: format!("http://127.0.0.1:{port}"), log };
    wait_until_up("MLflow", &format!("{}/health", server.url), &server.log)?;
    Ok(Box::new(server))
}

impl Server for MlFlow {
    fn traces_url(&self) -> String {
        format!("{}/v1/traces", self.url)
    }

    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[("x-mlflow-experiment-id", "0")]
    }

    fn environment(&self) -> &Environment {
        &self.environment
    }

    fn spans(&self) -> anyhow::Result<Vec<Shown>> {
        let mut read = self.environment.script("mlflow_spans.py");
        let output = read.arg(&self.url).env("MLFLOW_DISABLE_TELEMETRY", "true").output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout)?;
        text.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
    }
}
