//! `cargo xtask prove faults NAME`: what happens to records when something breaks, with the figures printed.
//!
//! Every run loads a real gateway, breaks one thing, and holds the ids of the answers clients got whole against the ids
//! on record. `cargo xtask test` runs all of them short, on its debug build.

mod clock;
mod damage;
mod disk;
mod kill;
mod outage;
mod poison;
mod unruly;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use crate::clickhouse::Engine;
use crate::prove::gateway::Stage;
use crate::workspace::Workspace;

/// One thing that breaks: its name, what must hold, and what runs it.
struct Fault {
    name: &'static str,
    holds: &'static str,
    run: fn(&Lab<'_>) -> anyhow::Result<()>,
}

const FAULTS: &[Fault] = &[
    Fault {
        name: "kill-strict",
        holds: "kill -9 at random under load, strict: every acknowledged call is on record exactly once",
        run: kill::strict,
    },
    Fault {
        name: "kill-batched",
        holds: "kill -9 at random under load, batched: each takes the last 50 ms and no more, none is there twice",
        run: kill::batched,
    },
    Fault {
        name: "outage",
        holds: "ClickHouse away for half of the load: nothing lost, caught up afterwards",
        run: outage::run,
    },
    Fault {
        name: "unruly",
        holds: "ClickHouse refusing, stalling, failing, and taking blocks without saying so: exactly once",
        run: unruly::run,
    },
    Fault {
        name: "poison",
        holds: "rows ClickHouse refuses: set aside, counted, readable; the rest goes in",
        run: poison::run,
    },
    Fault {
        name: "disk",
        holds: "the disk full, of both stores: calls are answered, the reserve goes and comes back, all is counted",
        run: disk::run,
    },
    Fault {
        name: "damage",
        holds: "a damaged outbox: what is whole is kept, the rest reported, Weir serves",
        run: damage::run,
    },
    Fault {
        name: "clock",
        holds: "the clock jumps back and forth: nothing lost, none twice",
        run: clock::run,
    },
];

/// What a fault runs.
pub(crate) const PROGRAMS: [&str; 3] = ["weir", "mock-provider", "load-generator"];

/// How much of a fault is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    kills: u32,
    seconds: u32,
    rate: u32,
    /// How long a commit under way may take when everything is busy.
    commit: Duration,
}

impl Size {
    /// As the issue of durability asks.
    const FULL: Self = Self { kills: 50, seconds: 60, rate: 500, commit: Duration::from_millis(50) };
    /// As much as a test run has time for, on a debug build.
    pub(crate) const SHORT: Self =
        Self { kills: 3, seconds: 6, rate: 150, commit: Duration::from_millis(450) };
}

/// Where a fault is run, with what, and how much of it.
pub(crate) struct Lab<'a> {
    workspace: &'a Workspace,
    programs: PathBuf,
    size: Size,
    name: &'static str,
}

/// What a fault's clients got, against what is on record.
#[derive(Debug, Default)]
struct Tally {
    acknowledged: BTreeSet<String>,
    recorded: Vec<String>,
}

impl Tally {
    /// Acknowledged calls that are not on record.
    fn missing(&self) -> u64 {
        let recorded: BTreeSet<&String> = self.recorded.iter().collect();
        self.acknowledged.iter().filter(|id| !recorded.contains(id)).count() as u64
    }

    /// Records whose id is there already.
    fn doubled(&self) -> u64 {
        let recorded: BTreeSet<&String> = self.recorded.iter().collect();
        (self.recorded.len() - recorded.len()) as u64
    }

    fn print(&self, what: &str) {
        println!(
            "{what}: acknowledged {}, on record {}, missing {}, doubled {}",
            self.acknowledged.len(),
            self.recorded.len(),
            self.missing(),
            self.doubled()
        );
    }

    /// Fails if more than `may_miss` acknowledged calls are missing, or any record is there twice.
    fn judge(&self, may_miss: u64) -> anyhow::Result<()> {
        ensure!(!self.acknowledged.is_empty(), "nothing was answered: the load did not reach the gateway");
        let (missing, doubled) = (self.missing(), self.doubled());
        ensure!(missing <= may_miss, "{missing} acknowledged calls are not on record, {may_miss} may be");
        ensure!(doubled == 0, "{doubled} records are there twice");
        Ok(())
    }
}

impl Lab<'_> {
    fn folder(&self, part: &str) -> PathBuf {
        self.workspace.target.join("prove/faults").join(self.name).join(part)
    }

    /// A stage with more settings than usual.
    fn stage(&self, part: &str, settings: &str) -> anyhow::Result<Stage> {
        Stage::set_with(self.programs.clone(), self.folder(part), settings)
    }

    /// A ClickHouse of its own.
    fn engine(&self, part: &str) -> anyhow::Result<Engine> {
        let folder = self.folder(part);
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        Engine::start(self.workspace, &folder)
    }
}

/// Runs the fault that is named, or all.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> anyhow::Result<()> {
    let Some((name, options)) = words.split_first() else { bail!("name one: all, {}", list()) };
    if options == ["--short"] {
        return run_sized(workspace, name, &workspace.build_debug(&PROGRAMS)?, Size::SHORT);
    }
    let mut size = Size::FULL;
    for pair in options.chunks(2) {
        let [option, value] = pair else { bail!("{} needs a number", pair[0]) };
        let value = value.parse().with_context(|| format!("{option} needs a number, not {value}"))?;
        match option.as_str() {
            "--kills" => size.kills = value,
            "--seconds" => size.seconds = value,
            "--rate" => size.rate = value,
            _ => bail!("there is no option {option}; there are --short, or --kills, --seconds, --rate"),
        }
    }
    let programs = workspace.build_release(&PROGRAMS)?;
    run_sized(workspace, name, &programs, size)
}

/// Runs the fault that is named, or all, so much of it, with these programs.
pub(crate) fn run_sized(
    workspace: &Workspace,
    name: &str,
    programs: &Path,
    size: Size,
) -> anyhow::Result<()> {
    let chosen: Vec<&Fault> = FAULTS.iter().filter(|fault| name == "all" || fault.name == name).collect();
    ensure!(!chosen.is_empty(), "there is no fault `{name}`; there are: all, {}", list());
    for fault in chosen {
        println!("== {}: {}", fault.name, fault.holds);
        let lab = Lab { workspace, programs: programs.to_owned(), size, name: fault.name };
        (fault.run)(&lab).with_context(|| fault.name)?;
        println!("{}: holds", fault.name);
    }
    Ok(())
}

/// How many faults there are.
pub(crate) const fn count() -> usize {
    FAULTS.len()
}

/// Waits until a condition holds and returns how long that took.
pub(crate) fn wait_until(
    what: &str,
    limit: Duration,
    mut holds: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<Duration> {
    #[expect(clippy::disallowed_methods, reason = "a tool times what it waits for")]
    let now = Instant::now;
    let began = now();
    loop {
        if holds()? {
            return Ok(began.elapsed());
        }
        ensure!(began.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn list() -> String {
    FAULTS.iter().map(|fault| fault.name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_call_and_a_doubled_one_are_both_seen() {
        let tally = |acknowledged: &[&str], recorded: &[&str]| Tally {
            acknowledged: acknowledged.iter().map(|id| (*id).to_owned()).collect(),
            recorded: recorded.iter().map(|id| (*id).to_owned()).collect(),
        };
        assert!(tally(&["a", "b"], &["b", "a", "unacknowledged"]).judge(0).is_ok());
        assert!(tally(&["a", "b"], &["a"]).judge(1).is_ok());
        assert!(tally(&["a", "b"], &["a"]).judge(0).is_err());
        assert!(tally(&["a"], &["a", "a"]).judge(0).is_err());
        assert!(tally(&[], &[]).judge(0).is_err());
    }
}
