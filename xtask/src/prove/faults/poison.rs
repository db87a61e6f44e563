//! Rows the store refuses for what is in them: a constraint on the real engine stands in for them.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::ensure;

use crate::prove::faults::{Lab, Tally, wait_until};
use crate::prove::load::Load;

const CATCH_UP: Duration = Duration::from_mins(1);

pub(super) fn run(lab: &Lab<'_>) -> anyhow::Result<()> {
    let engine = lab.engine("engine")?;
    let url = engine.database("weir")?;
    let stage = lab.stage("gateway", &format!("[analytics]\nurl = \"{url}\"\n"))?;
    let _provider = stage.start_provider()?;
    let _gateway = stage.start_gateway()?;
    stage.call("nobody")?;
    wait_until("the tables are made", CATCH_UP, || {
        Ok(engine.column("SELECT count() FROM weir.calls").is_ok_and(|rows| rows == ["1"]))
    })?;
    engine.run("ALTER TABLE weir.calls ADD CONSTRAINT sound CHECK user != 'poison'")?;

    let load = Load::start(&stage, false, lab.size.rate, lab.size.seconds)?;
    let poisoned: BTreeSet<String> = (0..5).map(|_| stage.call("poison")).collect::<Result<_, _>>()?;
    let mut acknowledged: BTreeSet<String> = load.finish()?.ids.into_iter().collect();
    let took = wait_until("the outbox empties", CATCH_UP, || Ok(stage.metric("weir_outbox_rows")? == 0.0))?;
    let set_aside = stage.metric("weir_records_poisoned")?;
    println!("{set_aside} rows set aside, the rest in {took:.1?} after the load");
    ensure!(set_aside >= 5.0, "5 poisoned calls were made, {set_aside} rows are set aside");
    ensure!(
        stage.notices()?.iter().any(|notice| notice.contains("refused")),
        "the operator is not told of refused rows"
    );

    acknowledged.retain(|id| !poisoned.contains(id));
    let recorded = engine.column("SELECT toString(id) FROM weir.calls")?;
    ensure!(recorded.iter().all(|id| !poisoned.contains(id)), "the constraint did not hold");
    let tally = Tally { acknowledged, recorded };
    tally.print("all but the poisoned");
    tally.judge(0)
}
