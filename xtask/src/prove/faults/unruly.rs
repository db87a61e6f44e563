//! A proxy in front of ClickHouse that refuses, stalls, fails, and swallows the answers to blocks that went in.

use std::time::Duration;

use crate::prove::faults::{Lab, Tally, wait_until};
use crate::prove::load::Load;
use crate::prove::proxy::{Mood, Proxy};

const CATCH_UP: Duration = Duration::from_mins(2);

pub(super) fn run(lab: &Lab<'_>) -> anyhow::Result<()> {
    let engine = lab.engine("engine")?;
    let direct = engine.database("weir")?;
    let proxy = Proxy::start(engine.address())?;
    let url = direct.replace(&engine.address().to_string(), &proxy.address().to_string());
    let stage = lab.stage("gateway", &format!("[analytics]\nurl = \"{url}\"\n"))?;
    let _provider = stage.start_provider()?;
    let _gateway = stage.start_gateway()?;
    let load = Load::start(&stage, false, lab.size.rate, lab.size.seconds)?;

    let moods = [Mood::Refuses, Mood::SwallowsAnswers, Mood::Fails, Mood::Stalls, Mood::SwallowsAnswers];
    let share = Duration::from_secs(u64::from(lab.size.seconds)) / (moods.len() as u32 + 1);
    for mood in moods {
        proxy.set(mood);
        std::thread::sleep(share);
    }
    proxy.set(Mood::Passes);
    let load = load.finish()?;
    let took = wait_until("the outbox empties", CATCH_UP, || Ok(stage.metric("weir_outbox_rows")? == 0.0))?;
    println!(
        "{} answers swallowed after their block went in, {} requests refused, failed or stalled; caught up {took:.1?} after the load",
        proxy.swallowed(),
        proxy.spoiled()
    );
    let recorded = engine.column("SELECT toString(id) FROM weir.calls")?;
    let tally = Tally { acknowledged: load.ids.into_iter().collect(), recorded };
    tally.print("unruly");
    tally.judge(0)
}
