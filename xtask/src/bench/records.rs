//! What recording costs, side by side: into the embedded store, into a ClickHouse that swallows, into a real one.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::clickhouse::Engine;
use crate::prove::gateway::Process;
use crate::workspace::Workspace;

/// How many records each run files, unless told otherwise.
const COUNT: u64 = 100_000;
/// Records a second, unless told otherwise. As fast as can be (`--rate 0`), the queue grows and what is measured is
/// memory that nothing keeps warm.
const RATE: u64 = 5_000;
/// Interleaved rounds, so that a machine's drift falls on all alike.
const ROUNDS: usize = 2;

/// What the words after `bench records` say.
struct Load {
    count: u64,
    rate: u64,
    only: Option<String>,
}

/// Runs every way of recording in turn and prints a table; `--only NAME`, `--count N`, `--rate R` for one of them.
pub(super) fn run(workspace: &Workspace, words: &[String]) -> anyhow::Result<()> {
    let load = Load::read(words)?;
    let programs = workspace.build_release(&["record-load", "swallowing-stub"])?;
    let folder = workspace.target.join("bench-records");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    let engine = Engine::start(workspace, &folder.join("engine"))?;
    let stub_address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let mut stub = Command::new(programs.join("swallowing-stub"));
    stub.args(["--addr", &stub_address.to_string(), "--to", &engine.address().to_string()]);
    let _stub = Process::start(&mut stub, &folder.join("stub.log"))?;

    println!(
        "| into | own CPU µs | whole process CPU µs | records/s | memory MiB early/late | dropped | waiting |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    let rounds = if load.only.is_some() { 1 } else { ROUNDS };
    for round in 0..rounds {
        for name in ["embedded", "stub", "clickhouse"] {
            if load.only.as_deref().is_some_and(|only| only != name) {
                continue;
            }
            let part = folder.join(format!("{name}-{round}"));
            std::fs::create_dir_all(&part)?;
            let database = format!("{name}_{round}");
            let url = match name {
                "embedded" => format!("sqlite:{}", part.join("records.sqlite").display()),
                "stub" => engine
                    .database(&database)?
                    .replace(&engine.address().to_string(), &stub_address.to_string()),
                _ => engine.database(&database)?,
            };
            print(name, &measure(&programs, &part, &url, &load)?);
        }
    }
    Ok(())
}

impl Load {
    fn read(words: &[String]) -> anyhow::Result<Self> {
        let mut load = Self { count: COUNT, rate: RATE, only: None };
        for pair in words.chunks(2) {
            let [option, value] = pair else { bail!("{} needs a value", pair[0]) };
            let number = || value.parse().with_context(|| format!("{option} needs a number, not {value}"));
            match option.as_str() {
                "--count" => load.count = number()?,
                "--rate" => load.rate = number()?,
                "--only" => load.only = Some(value.clone()),
                _ => bail!("there is no option {option}; there are --count, --rate, --only"),
            }
        }
        Ok(load)
    }
}

fn measure(programs: &Path, folder: &Path, url: &str, load: &Load) -> anyhow::Result<Value> {
    let mut command = Command::new(programs.join("record-load"));
    command.args([
        "--url",
        url,
        "--count",
        &load.count.to_string(),
        "--rate",
        &load.rate.to_string(),
        "--folder",
    ]);
    let output = command.arg(folder).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn print(name: &str, report: &Value) {
    let number = |key: &str| report[key].as_f64().unwrap_or(f64::NAN);
    let memory = |at: usize| report["memory_mib"][at].as_f64().unwrap_or(f64::NAN);
    println!(
        "| {name} | {:.2} | {:.1} | {:.0} | {:.0}/{:.0} | {} | {} |",
        number("own_us"),
        number("all_us"),
        number("rate"),
        memory(0),
        memory(1),
        report["dropped"],
        report["waiting_rows"]
    );
}
