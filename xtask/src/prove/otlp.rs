//! `cargo xtask prove otlp`: calls that Weir sends on as spans, read back from real MLflow and Arize Phoenix servers.
//!
//! What a server shows of each call is held against what Weir has on record of it. The servers come from `PyPI`, into
//! environments of their own below the target folder; the lists of packages are in `tools/otlp`.

mod calls;
mod mlflow;
mod phoenix;
mod shown;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail, ensure};

use self::calls::Made;
use self::shown::Shown;
use crate::prove::faults::wait_until;
use crate::prove::gateway::Stage;
use crate::python;
use crate::workspace::Workspace;

/// Where the lists of packages and the scripts are.
const TOOLS: &str = "tools/otlp";
/// How long a server may take to start: the first time it makes its tables and compiles its modules.
const START: Duration = Duration::from_mins(4);
/// How long spans may take from a call's end to the server, and from there into its answers.
const ARRIVAL: Duration = Duration::from_secs(30);
/// What the proof runs.
const PROGRAMS: [&str; 2] = ["weir", "mock-provider"];

/// A server that takes spans and shows them.
trait Server {
    /// Where it takes spans.
    fn traces_url(&self) -> String;
    /// Headers that it needs with spans.
    fn headers(&self) -> &'static [(&'static str, &'static str)];
    /// What it was installed into.
    fn environment(&self) -> &Environment;
    /// Every span it shows now.
    fn spans(&self) -> anyhow::Result<Vec<Shown>>;
}

/// A Python with a server's packages and OpenTelemetry's SDK.
struct Environment {
    python: PathBuf,
    tools: PathBuf,
}

impl Environment {
    /// Takes the environment that was made from `tools/otlp/LIST.txt`, or makes it.
    fn new(workspace: &Workspace, list: &str) -> anyhow::Result<Self> {
        let tools = workspace.root.join(TOOLS);
        let (name, list) = (format!("{list}-venv"), tools.join(format!("{list}.txt")));
        let python =
            python::environment(workspace, &name, &list, &["--no-deps"]).map_err(anyhow::Error::msg)?;
        Ok(Self { python, tools })
    }

    /// A script of the tools; it lacks arguments.
    fn script(&self, name: &str) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(self.tools.join(name));
        command
    }

    /// A program that a package brings; it lacks arguments.
    fn program(&self, name: &str) -> Command {
        Command::new(self.python.with_file_name(name))
    }
}

/// What starts a server with its data in a folder.
type Start = fn(&Workspace, &Path) -> anyhow::Result<Box<dyn Server>>;

/// A service the exporter has a preset for: its name there, the names it does not choose, and what starts it.
struct Target {
    preset: &'static str,
    other_names: [&'static str; 2],
    start: Start,
}

const TARGETS: [Target; 2] = [
    Target { preset: "mlflow", other_names: ["next", "openinference"], start: mlflow::start },
    Target { preset: "phoenix", other_names: ["current", "next"], start: phoenix::start },
];

pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let programs = workspace.build_debug(&PROGRAMS)?;
    let folder = workspace.target.join("prove/otlp");
    for target in &TARGETS {
        let folder = folder.join(target.preset);
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        let server = (target.start)(workspace, &folder).context(target.preset)?;
        // With the names the preset chooses, then with the others.
        for (number, names) in [None].into_iter().chain(target.other_names.map(Some)).enumerate() {
            let run = Run { number, preset: target.preset, names, server: &*server };
            run.prove(&programs, &folder).with_context(|| run.title())?;
        }
    }
    Ok(())
}

/// One gateway that sends its calls to one server.
struct Run<'a> {
    number: usize,
    preset: &'static str,
    names: Option<&'static str>,
    server: &'a dyn Server,
}

impl Run<'_> {
    fn title(&self) -> String {
        match self.names {
            None => format!("preset {}", self.preset),
            Some(names) => format!("preset {}, names {names}", self.preset),
        }
    }

    fn settings(&self) -> String {
        let names = self.names.map(|names| format!("names = \"{names}\"\n")).unwrap_or_default();
        let headers: Vec<_> =
            self.server.headers().iter().map(|(name, value)| format!("{name} = \"{value}\"")).collect();
        format!(
            "[export]\npreset = \"{}\"\nurl = \"{}\"\nbodies = true\nheaders = {{ {} }}\n{names}",
            self.preset,
            self.server.traces_url(),
            headers.join(", ")
        )
    }

    fn prove(&self, programs: &Path, folder: &Path) -> anyhow::Result<()> {
        let folder = folder.join(self.names.unwrap_or("preset"));
        let stage = Stage::set_with(programs.to_owned(), folder, &self.settings())?;
        let _provider = stage.start_provider()?;
        let _gateway = stage.start_gateway_with(&[("WEIR_DEMO", "true".to_owned())])?;
        let made = calls::make(&stage, self.server, self.number)?;
        let sent = wait_until_sent(&stage, &made)?;
        let spans = self.wait_until_shown(&made)?;
        println!("{}: {} calls, {sent} spans sent, {} shown", self.title(), made.len(), spans.len());
        shown::print(&made, &spans);
        let (compared, problems) = shown::compare(&made, &spans);
        ensure!(
            problems.is_empty(),
            "{} things are not as they were:\n{}",
            problems.len(),
            problems.join("\n")
        );
        println!("  {compared} values are as they are on record");
        Ok(())
    }

    /// Waits until the server shows every span of these calls, and returns them.
    fn wait_until_shown(&self, made: &[Made]) -> anyhow::Result<Vec<Shown>> {
        let traces: BTreeSet<&str> = made.iter().map(|made| made.call.trace_id.as_str()).collect();
        let expected: usize = made.iter().map(Made::spans).sum();
        let mut spans = Vec::new();
        let waited = wait_until("every span is shown", ARRIVAL, || {
            spans = self.server.spans()?;
            spans.retain(|span| traces.contains(&*span.trace_id));
            Ok(spans.len() >= expected)
        });
        if let Err(error) = waited {
            let ids: Vec<_> = spans.iter().map(|span| format!("{} {}", span.trace_id, span.name)).collect();
            bail!("{error:#}; {} of {expected} are:\n{}", spans.len(), ids.join("\n"));
        }
        ensure!(spans.len() == expected, "{} spans are shown, {expected} were sent", spans.len());
        Ok(spans)
    }
}

/// Waits until the exporter has sent every span of these calls, and returns how many it sent.
fn wait_until_sent(stage: &Stage, made: &[Made]) -> anyhow::Result<u64> {
    let expected = made.iter().map(Made::exported).sum::<usize>() as u64;
    let count = |result: &str| -> anyhow::Result<u64> {
        Ok(stage.metric(&format!("weir_export_spans_total{{result=\"{result}\"}}"))? as u64)
    };
    wait_until("every span is sent", ARRIVAL, || Ok(count("sent")? >= expected))?;
    let log = stage.folder.join("weir.log");
    for result in ["rejected", "failed", "dropped"] {
        ensure!(count(result)? == 0, "spans were {result}, see {}", log.display());
    }
    let sent = count("sent")?;
    ensure!(sent == expected, "{sent} spans were sent, there are {expected} calls and tries");
    Ok(sent)
}

/// Waits until a server answers at `health`, and says how long that took.
fn wait_until_up(name: &str, health: &str, log: &Path) -> anyhow::Result<()> {
    let took = wait_until("it answers", START, || Ok(ureq::get(health).call().is_ok()))
        .with_context(|| format!("{name} does not start, see {}", log.display()))?;
    println!("{name} is up after {took:.1?}");
    Ok(())
}
