//! `cargo xtask test`: everything that must hold before a change lands, and what ran of it.
//!
//! Every suite runs, also after one has failed. The last line printed is the sum, alone on its line.

mod node;
mod python;
mod suite;

use anyhow::ensure;

use crate::clickhouse::Engine;
use crate::dashboards;
use crate::postgres;
use crate::prove::faults;
use crate::test::suite::{Counts, Outcome};
use crate::tidy;
use crate::workspace::{self, Workspace};

/// Where tests find a ClickHouse and a PostgreSQL.
const CLICKHOUSE_URL: &str = "TEST_CLICKHOUSE_URL";
const POSTGRES_URL: &str = "TEST_POSTGRES_URL";

/// What runs one suite.
type Suite = fn(&Workspace) -> Outcome;

/// Runs all suites; fails if one failed, or, where nobody watches (`CI` is set), if one could not run.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> anyhow::Result<()> {
    ensure!(
        words.is_empty(),
        "it takes no arguments; for a part of it use cargo, pytest or `cargo xtask tidy`"
    );
    workspace::check_c_compiler()?;
    let suites: [(&str, Suite); 9] = [
        ("format", format),
        ("lints", lints),
        ("tidy", tidied),
        ("rust", rust_tests),
        ("doc tests", doc_tests),
        ("python sdk", python::run),
        ("node sdk", node::run),
        ("dashboards", dashboards_answer),
        ("faults", faults_hold),
    ];
    let mut outcomes = Vec::new();
    for (name, suite) in suites {
        println!("\n== {name}");
        outcomes.push((name, suite(workspace)));
    }
    summary(&outcomes)
}

fn format(workspace: &Workspace) -> Outcome {
    suite::check(&mut workspace.cargo(["fmt", "--all", "--check"]), "run `cargo fmt --all`")
}

fn lints(workspace: &Workspace) -> Outcome {
    let arguments = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    suite::check(&mut workspace.cargo(arguments), "clippy has complaints, see above")
}

fn tidied(workspace: &Workspace) -> Outcome {
    match tidy::run(workspace, &[]) {
        Ok(()) => Outcome::Ran(Counts { passed: 1, ..Counts::default() }),
        Err(error) => Outcome::failed(&format!("{error:#}")),
    }
}

/// Runs all tests, with a ClickHouse and a PostgreSQL for those that need them.
fn rust_tests(workspace: &Workspace) -> Outcome {
    match Servers::start(workspace) {
        Ok(servers) => cargo_tests(workspace, &servers.urls()),
        Err(error) => Outcome::CouldNotRun(format!("{error:#}")),
    }
}

/// Those that tests need and the environment does not name.
struct Servers {
    clickhouse: Option<Engine>,
    postgres: Option<postgres::Server>,
}

impl Servers {
    fn start(workspace: &Workspace) -> anyhow::Result<Self> {
        let folder = workspace.target.join("test-clickhouse");
        // Missing on the first run.
        std::fs::remove_dir_all(&folder).ok();
        let is_needed = |url: &str| std::env::var_os(url).is_none();
        Ok(Self {
            clickhouse: is_needed(CLICKHOUSE_URL).then(|| Engine::start(workspace, &folder)).transpose()?,
            postgres: is_needed(POSTGRES_URL).then(postgres::Server::start).transpose()?,
        })
    }

    fn urls(&self) -> Vec<(&'static str, String)> {
        let clickhouse = self.clickhouse.as_ref().map(|engine| (CLICKHOUSE_URL, engine.url()));
        let postgres = self.postgres.as_ref().map(|server| (POSTGRES_URL, server.url()));
        clickhouse.into_iter().chain(postgres).collect()
    }
}

fn cargo_tests(workspace: &Workspace, urls: &[(&str, String)]) -> Outcome {
    let with_servers = |arguments: &[&'static str]| {
        let mut command = workspace.cargo(arguments.iter().copied());
        command.envs(urls.iter().map(|(name, url)| (*name, url)));
        command
    };
    let nextest =
        workspace.cargo(["nextest", "--version"]).output().is_ok_and(|output| output.status.success());
    if nextest {
        let arguments = ["nextest", "run", "--workspace", "--locked", "--no-fail-fast"];
        return suite::counted(&mut with_servers(&arguments), suite::nextest);
    }
    println!("cargo-nextest is not installed; using cargo test");
    let arguments = ["test", "--workspace", "--locked", "--no-fail-fast", "--lib", "--bins", "--tests"];
    suite::counted(&mut with_servers(&arguments), suite::cargo_test)
}

fn doc_tests(workspace: &Workspace) -> Outcome {
    let arguments = ["test", "--workspace", "--locked", "--no-fail-fast", "--doc"];
    suite::counted(&mut workspace.cargo(arguments), suite::cargo_test)
}

/// Every panel of every dashboard returns data.
fn dashboards_answer(workspace: &Workspace) -> Outcome {
    let ran = workspace
        .build_debug(&faults::PROGRAMS)
        .and_then(|programs| dashboards::check::run(workspace, &programs));
    match ran {
        Ok(queries) => Outcome::Ran(Counts { passed: queries as u64, ..Counts::default() }),
        Err(error) => Outcome::failed(&format!("{error:#}")),
    }
}

/// Records survive what `cargo xtask prove faults` does to them, in short runs.
fn faults_hold(workspace: &Workspace) -> Outcome {
    let ran = workspace
        .build_debug(&faults::PROGRAMS)
        .and_then(|programs| faults::run_sized(workspace, "all", &programs, faults::Size::SHORT));
    match ran {
        Ok(()) => Outcome::Ran(Counts { passed: faults::count() as u64, ..Counts::default() }),
        Err(error) => Outcome::failed(&format!("{error:#}")),
    }
}

fn summary(outcomes: &[(&str, Outcome)]) -> anyhow::Result<()> {
    let watched = std::env::var_os("CI").is_none();
    let mut sum = Counts::default();
    println!("\n== summary\n{:<12} {:>7} {:>7} {:>7}", "suite", "passed", "failed", "skipped");
    for (name, outcome) in outcomes {
        let counts = outcome.counts(watched);
        println!("{name:<12} {:>7} {:>7} {:>7}", counts.passed, counts.failed, counts.skipped);
        sum.add(counts);
    }
    for (name, outcome) in outcomes {
        match outcome {
            Outcome::Ran(_) => {}
            Outcome::Failed(_, why) => println!("{name} failed: {why}"),
            Outcome::CouldNotRun(why) => println!("{name} could not run: {why}"),
        }
    }
    println!("{sum}");
    ensure!(sum.failed == 0, "not everything passed");
    Ok(())
}
