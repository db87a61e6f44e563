//! ClickHouse killed in the middle of the load and started again: nothing lost, and how long catching up takes.

use std::time::Duration;

use crate::prove::faults::{Lab, Tally, wait_until};
use crate::prove::load::Load;

/// Catching up may take a fifth of the outage, but never less than this.
const LEAST_CATCH_UP: Duration = Duration::from_secs(20);
/// The oldest row of an outbox that has caught up: rows wait a second for company.
const CURRENT_SECONDS: f64 = 2.5;

pub(super) fn run(lab: &Lab<'_>) -> anyhow::Result<()> {
    let mut engine = lab.engine("engine")?;
    let url = engine.database("weir")?;
    let stage = lab.stage("gateway", &format!("[analytics]\nurl = \"{url}\"\n"))?;
    let _provider = stage.start_provider()?;
    let gateway = stage.start_gateway()?;
    let load = Load::start(&stage, false, lab.size.rate, lab.size.seconds)?;

    let quarter = Duration::from_secs(u64::from(lab.size.seconds)) / 4;
    std::thread::sleep(quarter);
    engine.kill();
    std::thread::sleep(quarter * 2);
    let waiting = stage.metric("weir_outbox_rows")?;
    engine.restart()?;
    let limit = (quarter * 2 / 5).max(LEAST_CATCH_UP);
    let shipped = || Ok(stage.metric("weir_outbox_oldest_seconds")? < CURRENT_SECONDS);
    let took = wait_until("what waited is shipped", limit, shipped)?;
    let load = load.finish()?;
    wait_until("the outbox empties", LEAST_CATCH_UP, || Ok(stage.metric("weir_outbox_rows")? == 0.0))?;
    println!(
        "away for {:?} at {} calls a second: {waiting} rows waited, caught up {took:.1?} after its return, under load; memory {:.0} MiB",
        quarter * 2,
        lab.size.rate,
        gateway.memory_mib()?
    );
    let recorded = engine.column("SELECT toString(id) FROM weir.calls")?;
    let tally = Tally { acknowledged: load.ids.into_iter().collect(), recorded };
    tally.print("outage");
    tally.judge(0)
}
