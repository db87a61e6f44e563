//! An outbox whose file is overwritten in the middle while the gateway is down.

use std::io::{Seek, SeekFrom, Write};
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::prove::faults::{Lab, Tally, wait_until};
use crate::prove::load::Load;

const CATCH_UP: Duration = Duration::from_mins(1);
/// Bytes overwritten in the middle of the file.
const DAMAGE: usize = 24 << 10;

pub(super) fn run(lab: &Lab<'_>) -> anyhow::Result<()> {
    let mut engine = lab.engine("engine")?;
    let url = engine.database("weir")?;
    let stage = lab.stage("gateway", &format!("[analytics]\nurl = \"{url}\"\n"))?;
    let _provider = stage.start_provider()?;
    let gateway = stage.start_gateway()?;
    engine.kill();
    let load = Load::start(&stage, false, lab.size.rate, lab.size.seconds.min(20))?.finish()?;
    let waiting = stage.metric("weir_outbox_rows")?;
    gateway.terminate()?;
    gateway.wait()?;

    let outbox = stage.folder.join("data/outbox.sqlite");
    let mut file = std::fs::File::options().write(true).open(&outbox)?;
    let length = file.metadata()?.len();
    ensure!(length > 4 * DAMAGE as u64, "the outbox holds too little to damage: {length} bytes");
    file.seek(SeekFrom::Start(length / 2))?;
    file.write_all(&vec![0xa5; DAMAGE])?;
    drop(file);

    let _gateway = stage.start_gateway().context("a damaged outbox must not stop the gateway")?;
    engine.restart()?;
    wait_until("the outbox empties", CATCH_UP, || Ok(stage.metric("weir_outbox_rows")? == 0.0))?;
    let notices = stage.notices()?;
    let recorded = engine.column("SELECT toString(id) FROM weir.calls")?;
    let tally = Tally { acknowledged: load.ids.into_iter().collect(), recorded };
    tally.print(&format!("{waiting} rows waited, {DAMAGE} bytes of {length} overwritten"));
    println!("the operator reads: {notices:?}");
    ensure!(tally.doubled() == 0, "records are there twice");
    ensure!(!tally.recorded.is_empty(), "nothing was kept of a file that was mostly whole");
    ensure!(
        tally.missing() == 0 || notices.iter().any(|notice| notice.contains("set aside")),
        "records are missing and nobody was told"
    );
    Ok(())
}
