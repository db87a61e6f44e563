//! Load on a gateway: how many calls were made, and the ids of those whose answers came whole.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::prove::gateway::Stage;

/// Different texts that take turns in a long load: so many that one batch holds none of them twice.
const TEXTS: usize = 64;
/// Connections that share the load.
const CONNECTIONS: u32 = 32;

/// A running load generator.
pub(crate) struct Load {
    generator: Child,
    ids: PathBuf,
}

/// What a load generator saw.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// Calls that were sent, answered or not.
    pub(crate) made: u64,
    /// Calls answered whole with 200.
    pub(crate) answered: u64,
    /// Their ids.
    pub(crate) ids: Vec<String>,
    /// When each of these answers ended, µs since 1970.
    pub(crate) ended: Vec<i64>,
    /// The generator's whole report.
    pub(crate) report: Value,
}

impl Load {
    /// Starts `rate` calls a second for `seconds`.
    pub(crate) fn start(stage: &Stage, stream: bool, rate: u32, seconds: u32) -> anyhow::Result<Self> {
        Self::start_saying(stage, &["Does anything get lost?".to_owned()], stream, (rate, seconds))
    }

    /// The same, each call with some twenty kilobytes to say that do not compress.
    pub(crate) fn start_long(stage: &Stage, rate: u32, seconds: u32) -> anyhow::Result<Self> {
        let mut seed = 1_u64;
        let mut word = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            format!("{:013x} ", seed >> 12)
        };
        let said: Vec<String> = (0..TEXTS).map(|_| (0..1_500).map(|_| word()).collect()).collect();
        Self::start_saying(stage, &said, false, (rate, seconds))
    }

    fn start_saying(stage: &Stage, said: &[String], stream: bool, load: (u32, u32)) -> anyhow::Result<Self> {
        let name = if stream { "stream" } else { "whole" };
        let (rate, seconds) = (load.0.to_string(), load.1.to_string());
        let connections = CONNECTIONS.to_string();
        let ids = stage.folder.join(format!("{name}.ids"));
        let mut command: Command = stage.load(&["--conc", &connections, "--rate", &rate, "--secs", &seconds]);
        command.arg("--ids").arg(&ids);
        for (said, n) in said.iter().zip(0..) {
            let body = stage.folder.join(format!("{name}-{n}.json"));
            let messages = json!([{ "role": "user", "content": said }]);
            let request = json!({ "model": "mock-model", "messages": messages, "stream": stream });
            std::fs::write(&body, request.to_string())?;
            command.arg("--body").arg(body);
        }
        let generator = command.stdout(Stdio::piped()).spawn().context("cannot start the load generator")?;
        Ok(Self { generator, ids })
    }

    /// Waits for the end of the load.
    pub(crate) fn finish(self) -> anyhow::Result<Loaded> {
        let output = self.generator.wait_with_output()?;
        ensure!(output.status.success(), "the load generator ended with {}", output.status);
        let report: Value = serde_json::from_slice(&output.stdout)?;
        let count = |key: &str| report[key].as_u64().unwrap_or_default();
        let (mut ids, mut ended) = (Vec::new(), Vec::new());
        for line in std::fs::read_to_string(&self.ids)?.lines() {
            let (id, end) =
                line.split_once(' ').context("the load generator wrote an id without its time")?;
            ids.push(id.to_owned());
            ended.push(end.parse()?);
        }
        Ok(Loaded { made: count("ok") + count("errors"), answered: count("ok"), ids, ended, report })
    }
}
