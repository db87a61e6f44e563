//! Opens a registry of many prompts and asks it what calls and people ask.
//!
//! ```text
//! registry-scale --url URL [--fill yes] [--prompts N] [--versions V] [--bytes B] [--tries T] [--copy FILE] [--nodes 2]
//! ```
//!
//! `--fill yes` only fills: a fresh registry gets prompts with versions of some bytes each, the last but one labelled
//! `production`. Without it, prints how long opening takes, the memory afterwards, and for each question the median and
//! the longest of some tries. With two nodes, a second one opens the same database and says when it serves what the first
//! changed; memory is then of both.
#![expect(clippy::print_stdout, reason = "the report is this program's output")]

mod asking;
mod filling;

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use benches::Arguments;
use registry::Registry;
use rustix::time::{ClockId, clock_gettime};
use vocab::Clock;

use self::filling::Many;

fn main() -> anyhow::Result<()> {
    let known = ["url", "fill", "prompts", "versions", "bytes", "tries", "copy", "nodes"];
    let arguments = Arguments::of_process(&known)?;
    let url = arguments.text("url", "");
    ensure!(!url.is_empty(), "--url names the registry");
    let many = Many {
        prompts: arguments.number("prompts", 100_000)?,
        versions: arguments.number("versions", 10)?,
        bytes: arguments.number("bytes", 1_000)?,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        if arguments.text("fill", "no") == "yes" {
            return many.fill(url).await;
        }
        let clock = Clock::system();
        let copy = Some(arguments.text("copy", "")).filter(|path| !path.is_empty()).map(PathBuf::from);
        let registry = timed(url, copy.as_deref(), &clock).await?;
        let tries = arguments.number("tries", 9)?;
        asking::ask(&registry, &many, tries, &clock).await?;
        println!("at the end: {} MiB; at its highest {} MiB", memory("VmRSS:")?, memory("VmHWM:")?);
        if arguments.number("nodes", 1)? > 1 {
            asking::reach(&registry, &open(url, None, &clock).await?, tries, &clock).await?;
        }
        registry.close().await;
        Ok(())
    })
}

async fn timed(url: &str, copy: Option<&Path>, clock: &Clock) -> anyhow::Result<Registry> {
    let (before, cpu) = (clock.now(), clock_gettime(ClockId::ProcessCPUTime));
    let registry = open(url, copy, clock).await?;
    let seconds = (clock.now().micros() - before.micros()) as f64 / 1e6;
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    let cpu_seconds = (spent.tv_sec - cpu.tv_sec) as f64 + (spent.tv_nsec - cpu.tv_nsec) as f64 / 1e9;
    let (now, highest) = (memory("VmRSS:")?, memory("VmHWM:")?);
    println!("open: {seconds:.2} s, CPU {cpu_seconds:.2} s, {now} MiB; at its highest {highest} MiB");
    Ok(registry)
}

async fn open(url: &str, copy: Option<&Path>, clock: &Clock) -> anyhow::Result<Registry> {
    Ok(match copy {
        Some(copy) => Registry::open_keeping(url, copy, clock.clone()).await?,
        None => Registry::open(url, clock.clone()).await?,
    })
}

/// Memory of this process in MiB, by its name in Linux's `status`.
pub(crate) fn memory(name: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("only Linux tells memory this way")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no such line")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024)
}
