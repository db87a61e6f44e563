//! `cargo xtask test`: everything that must hold before a change lands, and what ran of it.
//!
//! Every suite runs, also after one has failed. The last line printed is the sum, alone on its line.

mod python;
mod suite;

use anyhow::ensure;

use crate::test::suite::{Counts, Outcome};
use crate::tidy;
use crate::workspace::{self, Workspace};

/// What runs one suite.
type Suite = fn(&Workspace) -> Outcome;

/// Runs all suites; fails if one failed, or, where nobody watches (`CI` is set), if one could not run.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> anyhow::Result<()> {
    ensure!(
        words.is_empty(),
        "it takes no arguments; for a part of it use cargo, pytest or `cargo xtask tidy`"
    );
    workspace::check_c_compiler()?;
    let suites: [(&str, Suite); 6] = [
        ("format", format),
        ("lints", lints),
        ("tidy", tidied),
        ("rust", rust_tests),
        ("doc tests", doc_tests),
        ("python sdk", python::run),
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

fn rust_tests(workspace: &Workspace) -> Outcome {
    let nextest =
        workspace.cargo(["nextest", "--version"]).output().is_ok_and(|output| output.status.success());
    if nextest {
        let arguments = ["nextest", "run", "--workspace", "--locked", "--no-fail-fast"];
        return suite::counted(&mut workspace.cargo(arguments), suite::nextest);
    }
    println!("cargo-nextest is not installed; using cargo test");
    let arguments = ["test", "--workspace", "--locked", "--no-fail-fast", "--lib", "--bins", "--tests"];
    suite::counted(&mut workspace.cargo(arguments), suite::cargo_test)
}

fn doc_tests(workspace: &Workspace) -> Outcome {
    let arguments = ["test", "--workspace", "--locked", "--no-fail-fast", "--doc"];
    suite::counted(&mut workspace.cargo(arguments), suite::cargo_test)
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
