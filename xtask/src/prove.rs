//! `cargo xtask prove`: proofs too long for `cargo xtask test`, each against the release binary.

mod crash;
mod drain;
pub(crate) mod faults;
pub(crate) mod gateway;
mod load;
mod nodes;
mod otlp;
mod proxy;

use anyhow::bail;

use crate::bench;
use crate::workspace::Workspace;

/// One proof: its name, what it shows, and what runs it.
struct Proof {
    name: &'static str,
    shows: &'static str,
    run: fn(&Workspace) -> anyhow::Result<()>,
}

const PROOFS: &[Proof] = &[
    Proof { name: "drain", shows: "SIGTERM under load: every answered call has its record", run: drain::run },
    Proof {
        name: "crash",
        shows: "kill -9 under load: at most the last batch window is missing, nothing is there twice",
        run: crash::run,
    },
    Proof {
        name: "nodes",
        shows: "two nodes on one PostgreSQL under load: how soon a rollback at one serves at the other, no call failing",
        run: nodes::run,
    },
    Proof {
        name: "otlp",
        shows: "calls sent on as spans show in MLflow and Arize Phoenix as they are on record",
        run: otlp::run,
    },
    Proof { name: "soak", shows: "memory over 500,000 calls", run: soak },
];

fn soak(workspace: &Workspace) -> anyhow::Result<()> {
    let words = ["overhead", "--soak", "500000", "--peers", "weir"].map(str::to_owned);
    bench::run(workspace, &words)
}

/// Runs the proof that is named, or all with `all`.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> anyhow::Result<()> {
    if let Some(("faults", rest)) = words.split_first().map(|(name, rest)| (name.as_str(), rest)) {
        return faults::run(workspace, rest);
    }
    let [name] = words else { bail!("name one: faults …, {}", list()) };
    let chosen: Vec<&Proof> = PROOFS.iter().filter(|proof| name == "all" || proof.name == name).collect();
    if chosen.is_empty() {
        bail!("there is no proof `{name}`; there are: {}", list());
    }
    for proof in chosen {
        println!("== {}: {}", proof.name, proof.shows);
        (proof.run)(workspace)?;
        println!("{}: proven", proof.name);
    }
    Ok(())
}

fn list() -> String {
    PROOFS.iter().map(|proof| format!("{} ({})", proof.name, proof.shows)).collect::<Vec<_>>().join(", ")
}
