//! `cargo xtask bench`: what a call through the gateway costs.

mod records;
mod registry;

use std::process::Command;

use anyhow::{bail, ensure};

use crate::clickhouse::Engine;
use crate::workspace::Workspace;

/// Runs `overhead`, `micro`, `records`, `records-clickhouse` or `registry`, with the words after it.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> anyhow::Result<()> {
    let (which, rest) = words.split_first().map_or(("", words), |(which, rest)| (which.as_str(), rest));
    match which {
        "overhead" => overhead(workspace, rest),
        "micro" => micro(workspace, rest),
        "records" => records::run(workspace, rest),
        "records-clickhouse" => records_clickhouse(workspace, rest),
        "registry" => registry::run(workspace, rest),
        _ => bail!(
            "say which: `bench overhead` (beside nginx and others), `bench micro [filter]` (single steps), `bench records` (what recording costs), `bench records-clickhouse` (how long questions take over ten million calls), or `bench registry` (a hundred thousand prompts)"
        ),
    }
}

/// The gateway beside its anchors; `benches/overhead/bench.py --help` tells the rest.
fn overhead(workspace: &Workspace, rest: &[String]) -> anyhow::Result<()> {
    let programs = workspace.build_release(&["weir", "mock-provider", "load-generator", "bare-proxy"])?;
    let status = Command::new("python3")
        .arg(workspace.root.join("benches/overhead/bench.py"))
        .args(rest)
        .env("BENCH_BIN", programs)
        .env("BENCH_RUN", workspace.target.join("bench-overhead"))
        .status()?;
    ensure!(status.success(), "the bench did not finish");
    Ok(())
}

/// Questions over many calls, on an engine of their own; `benches/clickhouse/bench.py --help` tells the rest.
fn records_clickhouse(workspace: &Workspace, rest: &[String]) -> anyhow::Result<()> {
    let engine = Engine::start(workspace, &workspace.target.join("bench-clickhouse"))?;
    let mut bench = Command::new("python3");
    bench.arg(workspace.root.join("benches/clickhouse/bench.py")).args(rest);
    let status = bench.env("CLICKHOUSE_URL", engine.url()).status()?;
    ensure!(status.success(), "the bench did not finish");
    Ok(())
}

fn micro(workspace: &Workspace, rest: &[String]) -> anyhow::Result<()> {
    let status =
        workspace.cargo(["bench", "--package", "benches", "--bench", "*", "--"]).args(rest).status()?;
    ensure!(status.success(), "a micro benchmark failed");
    Ok(())
}
