//! A full disk, while ClickHouse is away and under the embedded store: the data folder on a small file system of its own.
//! Where none can be mounted, the outbox has a small limit instead, and the embedded store is left out.

mod mount;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;

use self::mount::Mount;
use crate::prove::faults::{Lab, wait_until};
use crate::prove::gateway::Stage;
use crate::prove::load::{Load, Loaded};

const CATCH_UP: Duration = Duration::from_mins(2);
/// The disk while it is small, and once there is room again.
const SMALL_MIB: u32 = 12;
const LARGE_MIB: u32 = 512;
const RESERVE_BYTES: u64 = 1 << 20;
/// What the outbox may take where there is no small disk.
const LIMIT: &str = "outbox_bytes = \"8MiB\"\n";

pub(super) fn run(lab: &Lab<'_>) -> anyhow::Result<()> {
    under_the_outbox(lab)?;
    under_the_embedded_store(lab)
}

/// A stage whose data folder is a small disk, and where its reserve lies.
struct Cellar {
    stage: Stage,
    disk: Option<Mount>,
    reserve: PathBuf,
}

impl Cellar {
    fn dig(lab: &Lab<'_>, part: &str, reserve: &str, settings: &str) -> anyhow::Result<Self> {
        let data = lab.folder(part).join("data");
        // Left by a run that was killed.
        Mount::release(&data);
        let records = format!("[records]\nreserve_bytes = \"1MiB\"\n{settings}");
        let stage = lab.stage(part, &records)?;
        let disk = Mount::small(&data, SMALL_MIB)?;
        Ok(Self { stage, disk, reserve: data.join(reserve) })
    }

    fn has_reserve(&self) -> bool {
        std::fs::metadata(&self.reserve).is_ok_and(|file| file.len() == RESERVE_BYTES)
    }

    /// Loads the gateway with more than there is room for.
    fn fill(&self, lab: &Lab<'_>) -> anyhow::Result<Loaded> {
        wait_until("the reserve is written", CATCH_UP, || Ok(self.has_reserve()))?;
        let load = Load::start_long(&self.stage, lab.size.rate, lab.size.seconds)?.finish()?;
        let [bodies, previews, successes, rows] = self.shed()?;
        println!(
            "answered {} of {} calls; given up: {bodies} bodies, {previews} previews, {successes} successes, {rows} rows",
            load.answered, load.made
        );
        ensure!(load.answered == load.made, "calls failed because the disk was full: {}", load.report);
        ensure!(bodies > 0.0 && successes > 0.0, "the load did not fill the disk");
        ensure!(!self.reserve.exists(), "the reserve was not given up");
        Ok(load)
    }

    fn shed(&self) -> anyhow::Result<[f64; 4]> {
        let shed = |class: &str| self.stage.metric(&format!("weir_records_shed_total{{class=\"{class}\"}}"));
        Ok([shed("bodies")?, shed("previews")?, shed("successes")?, shed("rows")?])
    }

    /// Makes room, and waits until the reserve is there again.
    fn dig_out(&self) -> anyhow::Result<()> {
        if let Some(disk) = &self.disk {
            disk.grow(LARGE_MIB)?;
        }
        let took = wait_until("the reserve is back", CATCH_UP, || Ok(self.has_reserve()))?;
        println!("the reserve was back {took:.1?} after there was room");
        Ok(())
    }

    /// Every call that was answered is on record, or was counted as given up.
    fn judge(&self, load: &Loaded, recorded: Vec<String>) -> anyhow::Result<()> {
        let dropped = self.stage.metric("weir_records_dropped_total{class=\"calls\"}")?;
        let [_, _, successes, rows] = self.shed()?;
        let recorded: BTreeSet<_> = recorded.into_iter().collect();
        let missing = load.ids.iter().filter(|id| !recorded.contains(*id)).count() as f64;
        println!("missing {missing}, counted as given up {}", successes + rows + dropped);
        ensure!(missing <= successes + rows + dropped, "calls are missing that were not counted");
        Ok(())
    }
}

fn under_the_outbox(lab: &Lab<'_>) -> anyhow::Result<()> {
    let mut engine = lab.engine("engine")?;
    let url = engine.database("weir")?;
    let can_mount = Mount::is_possible(&lab.folder("try"))?;
    if !can_mount {
        println!("no file system can be mounted here: the outbox has a limit of 8 MiB instead");
    }
    let limit = if can_mount { "" } else { LIMIT };
    let settings = format!("{limit}[analytics]\nurl = \"{url}\"\n");
    let cellar = Cellar::dig(lab, "gateway", "outbox.sqlite-reserve", &settings)?;
    let (stage, _provider) = (&cellar.stage, cellar.stage.start_provider()?);
    let _gateway = stage.start_gateway()?;
    stage.call("nobody")?;
    wait_until("the first record is shipped", CATCH_UP, || Ok(stage.metric("weir_outbox_rows")? == 0.0))?;
    engine.kill();
    let load = cellar.fill(lab)?;
    engine.restart()?;
    // Shipping notes what it does: on a disk without a free byte it, too, waits for room.
    cellar.dig_out()?;
    wait_until("the outbox empties", CATCH_UP, || Ok(stage.metric("weir_outbox_rows")? == 0.0))?;
    cellar.judge(&load, engine.column("SELECT toString(id) FROM weir.calls")?)
}

fn under_the_embedded_store(lab: &Lab<'_>) -> anyhow::Result<()> {
    let cellar = Cellar::dig(lab, "embedded", "records.sqlite-reserve", "")?;
    if cellar.disk.is_none() {
        println!("no file system can be mounted here: the embedded store is left out");
        return Ok(());
    }
    let (stage, _provider) = (&cellar.stage, cellar.stage.start_provider()?);
    let _gateway = stage.start_gateway()?;
    let load = cellar.fill(lab)?;
    cellar.dig_out()?;
    wait_until("records are written", CATCH_UP, || {
        let written = stage.metric("weir_records_written_total")?;
        Ok(written + stage.metric("weir_records_dropped_total{class=\"calls\"}")? >= load.made as f64)
    })?;
    cellar.judge(&load, stage.recorded_ids()?)
}
