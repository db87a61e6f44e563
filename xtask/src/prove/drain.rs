//! A SIGTERM under load loses no record: what clients got and what the store holds are counted against each other.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::prove::gateway::Stage;
use crate::workspace::Workspace;

/// How long the load runs, and when in it the gateway is told to stop.
const LOAD_SECONDS: u32 = 6;
const STOP_AFTER: Duration = Duration::from_secs(3);

pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let programs = workspace.build_release(&["weir", "mock-provider", "load-generator"])?;
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

    let reached = stage.count_provider_calls()?;
    let _gateway = stage.start_gateway()?;
    let records = stage.count_records()?;
    let answered = sum(&whole, "ok") + sum(&streams, "ok");
    let broken = sum(&whole, "broken") + sum(&streams, "broken");
    println!(
        "answered whole with 200: {answered}; cut: {broken}; reached the provider: {reached}; records by status: {records:?}"
    );
    compare(answered, broken, reached, &records)
}

fn compare(answered: u64, broken: u64, reached: u64, records: &BTreeMap<u64, u64>) -> anyhow::Result<()> {
    let with_200 = records.get(&200).copied().unwrap_or_default();
    let all: u64 = records.values().sum();
    ensure!(answered > 0, "nothing was answered: the load did not reach the gateway");
    ensure!(with_200 >= answered, "{} answered calls have no record", answered - with_200);
    ensure!(all >= reached, "{} calls that reached the provider have no record", reached - all);
    // A call cut by the stop has a record too; anything beyond is one call recorded twice.
    ensure!(with_200 <= answered + broken, "{} records stand for no call", with_200 - answered - broken);
    Ok(())
}

pub(super) fn start_load(stage: &Stage, stream: bool, more: &[&str]) -> anyhow::Result<Child> {
    let body = stage.folder.join(if stream { "stream.json" } else { "whole.json" });
    let messages = json!([{ "role": "user", "content": "Does anything get lost?" }]);
    let request = json!({ "model": "mock-model", "messages": messages, "stream": stream });
    std::fs::write(&body, request.to_string())?;
    let mut command: Command = stage.load(more);
    command.args(["--secs", &LOAD_SECONDS.to_string(), "--body"]).arg(&body);
    command.stdout(Stdio::piped()).spawn().context("cannot start the load generator")
}

pub(super) fn finish(load: Child) -> anyhow::Result<Value> {
    let output = load.wait_with_output()?;
    ensure!(output.status.success(), "the load generator ended with {}", output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}

pub(super) fn sum(report: &Value, key: &str) -> u64 {
    report[key].as_u64().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_record_and_a_doubled_one_are_both_seen() {
        let records = |with_200: u64| BTreeMap::from([(200, with_200), (503, 2)]);
        assert!(compare(10, 1, 11, &records(10)).is_ok());
        assert!(compare(10, 1, 11, &records(11)).is_ok());
        for (reached, with_200, said) in
            [(10, 9, "1 answered calls"), (14, 11, "1 calls that reached"), (10, 12, "1 records stand")]
        {
            let refused = compare(10, 1, reached, &records(with_200)).unwrap_err().to_string();
            assert!(refused.starts_with(said), "{refused}");
        }
    }
}
