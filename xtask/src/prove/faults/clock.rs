//! The wall clock jumping an hour back and forth under load, by libfaketime; the monotonic clock stays true.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context;

use crate::prove::faults::{Lab, Tally, wait_until};
use crate::prove::load::Load;
use crate::workspace::is_there;

const CATCH_UP: Duration = Duration::from_mins(1);
const JUMPS: [&str; 4] = ["+3600", "-3600", "+86400", "+0"];

pub(super) fn run(lab: &Lab<'_>) -> anyhow::Result<()> {
    let library = faketime()?;
    let engine = lab.engine("engine")?;
    let url = engine.database("weir")?;
    let stage = lab.stage("gateway", &format!("[analytics]\nurl = \"{url}\"\n"))?;
    let _provider = stage.start_provider()?;
    let offset = stage.folder.join("faketime");
    std::fs::write(&offset, "+0\n")?;
    let _gateway = stage.start_gateway_with(&[
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME_TIMESTAMP_FILE", offset.display().to_string()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
    ])?;
    let load = Load::start(&stage, false, lab.size.rate, lab.size.seconds)?;
    let share = Duration::from_secs(u64::from(lab.size.seconds)) / (JUMPS.len() as u32 + 1);
    for jump in JUMPS {
        std::thread::sleep(share);
        std::fs::write(&offset, format!("{jump}\n"))?;
    }
    let load = load.finish()?;
    wait_until("the outbox empties", CATCH_UP, || Ok(stage.metric("weir_outbox_rows")? == 0.0))?;
    let recorded = engine.column("SELECT toString(id) FROM weir.calls")?;
    let tally = Tally { acknowledged: load.ids.into_iter().collect(), recorded };
    tally.print(&format!("jumps of {} seconds", JUMPS.join(", ")));
    tally.judge(0)
}

/// The library, installed with apt-get where that is possible.
fn faketime() -> anyhow::Result<PathBuf> {
    let places =
        ["/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime", "/usr/lib/faketime"];
    let find = || {
        let libraries = places.iter().map(|place| Path::new(place).join("libfaketime.so.1"));
        libraries.into_iter().find(|library| library.exists())
    };
    if find().is_none() && rustix::process::geteuid().is_root() && is_there("apt-get") {
        println!("installing libfaketime with apt-get");
        let apt = "apt-get update -qq && apt-get install -y -qq --no-install-recommends libfaketime";
        Command::new("sh").args(["-c", apt]).output()?;
    }
    find().context("libfaketime is not installed: apt-get install libfaketime")
}
