//! The project's tasks: `cargo xtask up`, `test`, `tidy`, `bench`, `prove`, `prices`.
//!
//! One line of [`TASKS`] per task; each is a file of this crate. A task prints what it does and fails with an error that
//! says what to do.
#![expect(clippy::print_stdout, reason = "a tool talks to its terminal")]

mod bench;
mod clickhouse;
mod dashboards;
mod postgres;
mod prices;
mod prove;
mod python;
mod quietly;
mod test;
mod tidy;
mod up;
mod workspace;

use std::process::ExitCode;

use crate::workspace::Workspace;

/// A task: its name, what it is for, and what runs it with the words after the name.
struct Task {
    name: &'static str,
    purpose: &'static str,
    run: fn(&Workspace, &[String]) -> anyhow::Result<()>,
}

const TASKS: &[Task] = &[
    Task { name: "up", purpose: "build the release binary and start `weir serve --demo`", run: up::run },
    Task {
        name: "test",
        purpose: "format, lints, tidy, every test and doc test, the SDK suites",
        run: test::run,
    },
    Task { name: "tidy", purpose: "floors, file and function sizes, names, documentation", run: tidy::run },
    Task {
        name: "bench",
        purpose: "overhead: beside nginx and others; micro: single steps; records: what recording costs",
        run: bench::run,
    },
    Task {
        name: "dashboards",
        purpose: "make Grafana's files from the panels; check: run every panel's query",
        run: dashboards::run,
    },
    Task {
        name: "prices",
        purpose: "make config/prices.json anew from the package genai-prices",
        run: prices::run,
    },
    Task {
        name: "prove",
        purpose: "long proofs by name: records under load and faults, spans in real servers",
        run: prove::run,
    },
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = words.split_first() else {
        return usage("name a task");
    };
    let Some(task) = TASKS.iter().find(|task| task.name == name) else {
        return usage(&format!("there is no task `{name}`"));
    };
    match Workspace::find().and_then(|workspace| (task.run)(&workspace, rest)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo xtask {name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn usage(wrong: &str) -> ExitCode {
    eprintln!("{wrong}\n\nusage: cargo xtask TASK …");
    for Task { name, purpose, .. } in TASKS {
        eprintln!("  {name:<8} {purpose}");
    }
    ExitCode::from(2)
}
