//! Rows the store refuses for what is in them: a proxy refuses what holds a certain word, as ClickHouse refuses rows that
//! break a constraint. (The embedded engine itself drops such rows and says nothing.)

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::ensure;

use crate::prove::faults::{Lab, Tally, wait_until};
use crate::prove::load::Load;
use crate::prove::proxy::{Mood, POISON, Proxy};

const CATCH_UP: Duration = Duration::from_mins(2);
const POISONED: usize = 5;

pub(super) fn run(lab: &Lab<'_>) -> anyhow::Result<()> {
    let engine = lab.engine("engine")?;
    let direct = engine.database("weir")?;
    let proxy = Proxy::start(engine.address())?;
    proxy.set(Mood::RefusesPoison);
    let url = direct.replace(&engine.address().to_string(), &proxy.address().to_string());
    let stage = lab.stage("gateway", &format!("[analytics]\nurl = \"{url}\"\n"))?;
    let _provider = stage.start_provider()?;
    let _gateway = stage.start_gateway()?;

    let load = Load::start(&stage, false, lab.size.rate, lab.size.seconds)?;
    let poisoned: BTreeSet<String> = (0..POISONED).map(|_| stage.call(POISON)).collect::<Result<_, _>>()?;
    let mut acknowledged: BTreeSet<String> = load.finish()?.ids.into_iter().collect();
    let took = wait_until("the outbox empties", CATCH_UP, || Ok(stage.metric("weir_outbox_rows")? == 0.0))?;
    let set_aside = stage.metric("weir_records_poisoned")?;
    println!("{set_aside} rows of {POISONED} calls set aside, the rest in {took:.1?} after the load");
    ensure!(
        set_aside >= POISONED as f64,
        "{POISONED} poisoned calls were made, {set_aside} rows are set aside"
    );
    for row in stage.poisoned()? {
        let id = row["columns"]["id"].as_str().unwrap_or_default();
        ensure!(poisoned.contains(id), "a row set aside does not say which call it is of: {row}");
    }
    ensure!(
        stage.notices()?.iter().any(|notice| notice.contains("refused")),
        "the operator is not told of refused rows"
    );

    acknowledged.retain(|id| !poisoned.contains(id));
    let recorded = engine.column("SELECT toString(id) FROM weir.calls")?;
    ensure!(recorded.iter().all(|id| !poisoned.contains(id)), "a refused row went in");
    let tally = Tally { acknowledged, recorded };
    tally.print("all but the poisoned");
    tally.judge(0)
}
