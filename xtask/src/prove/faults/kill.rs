//! kill -9 at random moments under load, on one data folder, with the embedded store and with ClickHouse.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::prove::faults::{Lab, Tally, wait_until};
use crate::prove::gateway::Stage;
use crate::prove::load::Load;

/// The load of one round lasts so long, and the kill comes somewhere in the middle of it.
const ROUND_SECONDS: u32 = 3;
const EARLIEST: Duration = Duration::from_millis(400);
const SPREAD_MILLIS: u64 = 2_200;
/// What a kill may take in `batched`: the window of 50 ms, and as much again for a commit that is under way.
const WINDOW: Duration = Duration::from_millis(100);
/// How long the last start may take to ship what the outbox holds.
const CATCH_UP: Duration = Duration::from_mins(2);

pub(super) fn strict(lab: &Lab<'_>) -> anyhow::Result<()> {
    both(lab, "strict", 0)
}

pub(super) fn batched(lab: &Lab<'_>) -> anyhow::Result<()> {
    let window = u64::from(lab.size.rate) * WINDOW.as_millis() as u64 / 1_000;
    both(lab, "batched", (window + 1) * u64::from(lab.size.kills))
}

fn both(lab: &Lab<'_>, durability: &str, may_miss: u64) -> anyhow::Result<()> {
    let embedded = lab.stage("embedded", &format!("[records]\ndurability = \"{durability}\"\n"))?;
    rounds(lab, &embedded, &format!("{durability}, embedded"))?.judge(may_miss)?;

    let engine = lab.engine("engine")?;
    let url = engine.database("weir")?;
    let settings = format!("[records]\ndurability = \"{durability}\"\n[analytics]\nurl = \"{url}\"\n");
    let stage = lab.stage("clickhouse", &settings)?;
    let mut tally = rounds(lab, &stage, &format!("{durability}, ClickHouse"))?;
    // Asked directly: what a search might hide would show here.
    tally.recorded = engine.column("SELECT toString(id) FROM weir.calls")?;
    tally.judge(may_miss)
}

fn rounds(lab: &Lab<'_>, stage: &Stage, what: &str) -> anyhow::Result<Tally> {
    let provider = stage.start_provider()?;
    stage.slow_provider("latency_us=5000&first_us=5000&chunk_us=1000")?;
    let mut acknowledged = BTreeSet::new();
    for kill in 0..lab.size.kills {
        let gateway = stage.start_gateway()?;
        let rate = lab.size.rate / 2;
        let whole = Load::start(stage, false, rate, ROUND_SECONDS)?;
        let streams = Load::start(stage, true, rate, ROUND_SECONDS)?;
        std::thread::sleep(EARLIEST + Duration::from_millis(scatter(kill) % SPREAD_MILLIS));
        // Dropping a process kills it with SIGKILL.
        drop(gateway);
        acknowledged.extend(whole.finish()?.ids);
        acknowledged.extend(streams.finish()?.ids);
    }
    let _gateway = stage.start_gateway()?;
    wait_until("the outbox empties", CATCH_UP, || Ok(stage.metric("weir_outbox_rows")? == 0.0))?;
    let tally = Tally { acknowledged, recorded: stage.recorded_ids()? };
    tally.print(&format!("{what}, {} kills", lab.size.kills));
    drop(provider);
    Ok(tally)
}

/// A different moment for each kill, the same in every run (the mixing step of splitmix64).
fn scatter(kill: u32) -> u64 {
    let mut mixed = u64::from(kill + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 31)
}
