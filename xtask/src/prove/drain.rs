//! A SIGTERM under load loses no record: what clients got and what the store holds are counted against each other.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::prove::gateway::Stage;
use crate::workspace::Workspace;

/// How long the load runs, and when in it the gateway is told to stop.
const LOAD_SECONDS: u32 = 6;
const STOP_AFTER: Duration = Duration::from_secs(3);

pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let programs = workspace.build_release(&["gateway", "benches"])?;
    let stage = Stage::set(programs, workspace.target.join("prove/drain"))?;
    let _provider = stage.start_provider()?;
    stage.slow_provider("latency_us=20000&first_us=20000&chunk_us=5000")?;
    let gateway = stage.start_gateway()?;

    let whole = start_load(&stage, false, &["--conc", "32", "--rate", "800"])?;
    let streams = start_load(&stage, true, &["--conc", "16"])?;
    std::thread::sleep(STOP_AFTER);
    gateway.terminate()?;
    let status = gateway.wait()?;
    let (whole, streams) = (finish(whole)?, finish(streams)?);
    println!("whole answers: {whole}\nstreams: {streams}");
    ensure!(status.success(), "the gateway ended with {status}");

    let _gateway = stage.start_gateway()?;
    let records = stage.count_records()?;
    let answered = sum(&whole, "ok") + sum(&streams, "ok");
    let broken = sum(&whole, "broken") + sum(&streams, "broken");
    let recorded = records.get(&200).copied().unwrap_or_default();
    println!("answered whole with 200: {answered}; cut: {broken}; records by status: {records:?}");
    ensure!(answered > 0, "nothing was answered: the load did not reach the gateway");
    ensure!(recorded >= answered, "{} answered calls have no record", answered - recorded);
    // A call cut by the stop has a record too; anything beyond is one call recorded twice.
    ensure!(recorded <= answered + broken, "{} records stand for no call", recorded - answered - broken);
    Ok(())
}

fn start_load(stage: &Stage, stream: bool, more: &[&str]) -> anyhow::Result<std::process::Child> {
    let body = stage.folder.join(if stream { "stream.json" } else { "whole.json" });
    let messages = json!([{ "role": "user", "content": "Does anything get lost?" }]);
    let request = json!({ "model": "mock-model", "messages": messages, "stream": stream });
    std::fs::write(&body, request.to_string())?;
    let mut command: Command = stage.load(&body, more);
    command.args(["--secs", &LOAD_SECONDS.to_string()]);
    command.stdout(Stdio::piped()).spawn().context("cannot start the load generator")
}

fn finish(load: std::process::Child) -> anyhow::Result<Value> {
    let output = load.wait_with_output()?;
    ensure!(output.status.success(), "the load generator ended with {}", output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn sum(report: &Value, key: &str) -> u64 {
    report[key].as_u64().unwrap_or_default()
}
