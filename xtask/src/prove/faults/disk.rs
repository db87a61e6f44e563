//! A full disk while ClickHouse is away: a small file system of its own for the outbox, or a small limit on it where
//! none can be mounted.

use std::time::Duration;

use anyhow::ensure;

use crate::prove::faults::{Lab, wait_until};
use crate::prove::load::Load;

const CATCH_UP: Duration = Duration::from_mins(2);
/// What the outbox may take, and the reserve in it.
const ROOM: &str = "outbox_bytes = \"2MiB\"\nreserve_bytes = \"512KiB\"\n";

pub(super) fn run(lab: &Lab<'_>) -> anyhow::Result<()> {
    let mut engine = lab.engine("engine")?;
    let url = engine.database("weir")?;
    let stage = lab.stage("gateway", &format!("[records]\n{ROOM}[analytics]\nurl = \"{url}\"\n"))?;
    let _provider = stage.start_provider()?;
    let _gateway = stage.start_gateway()?;
    stage.call("nobody")?;
    wait_until("the first record is shipped", CATCH_UP, || Ok(stage.metric("weir_outbox_rows")? == 0.0))?;
    engine.kill();

    let load = Load::start_long(&stage, lab.size.rate, lab.size.seconds)?;
    let load = load.finish()?;
    let shed = |class: &str| stage.metric(&format!("weir_records_shed_total{{class=\"{class}\"}}"));
    let (bodies, previews) = (shed("bodies")?, shed("previews")?);
    let (successes, rows) = (shed("successes")?, shed("rows")?);
    println!(
        "answered {} of {} calls; given up: {bodies} bodies, {previews} previews, {successes} successes, {rows} rows",
        load.answered, load.made
    );
    ensure!(load.answered == load.made, "calls failed because the disk was full: {}", load.report);
    ensure!(bodies > 0.0, "the load did not fill the disk");

    engine.restart()?;
    wait_until("the outbox empties", CATCH_UP, || Ok(stage.metric("weir_outbox_rows")? == 0.0))?;
    let dropped = stage.metric("weir_records_dropped_total{class=\"calls\"}")?;
    let recorded = engine.column("SELECT toString(id) FROM weir.calls")?;
    let recorded: std::collections::BTreeSet<_> = recorded.into_iter().collect();
    let missing = load.ids.iter().filter(|id| !recorded.contains(*id)).count() as f64;
    println!("missing {missing}, counted as given up {}", successes + rows + dropped);
    ensure!(missing <= successes + rows + dropped, "calls are missing that were not counted");
    Ok(())
}
