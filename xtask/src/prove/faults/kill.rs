//! kill -9 at random moments under load, on one data folder, with the embedded store and with ClickHouse.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::ensure;
use vocab::Clock;

use crate::prove::faults::{Lab, Tally, wait_until};
use crate::prove::gateway::Stage;
use crate::prove::load::{Load, Loaded};

/// The load of one round lasts so long, and the kill comes somewhere in the middle of it.
const ROUND_SECONDS: u32 = 3;
const EARLIEST: Duration = Duration::from_millis(400);
const SPREAD_MILLIS: u64 = 2_200;
/// What waits for company, and so is lost with a kill in `batched`.
const WINDOW: Duration = Duration::from_millis(50);
/// How long the last start may take to ship what the outbox holds.
const CATCH_UP: Duration = Duration::from_mins(2);

pub(super) fn strict(lab: &Lab<'_>) -> anyhow::Result<()> {
    both(lab, "strict", Duration::ZERO)
}

pub(super) fn batched(lab: &Lab<'_>) -> anyhow::Result<()> {
    both(lab, "batched", WINDOW + lab.size.commit)
}

/// What clients got in all rounds of one kind.
#[derive(Default)]
struct Rounds {
    tally: Tally,
    /// How long before the kill of its round each acknowledged call had ended.
    ages: BTreeMap<String, Duration>,
}

impl Rounds {
    /// Notes what a load got until a kill, which began at this time in µs since 1970.
    fn take(&mut self, load: Loaded, killed: i64) {
        for (id, ended) in load.ids.into_iter().zip(load.ended) {
            let age = Duration::from_micros(u64::try_from(killed - ended).unwrap_or_default());
            self.ages.insert(id.clone(), age);
            self.tally.acknowledged.insert(id);
        }
    }

    /// Fails if a call is missing that had ended earlier than `window` before its kill, or any record is there twice.
    fn judge(&self, what: &str, window: Duration) -> anyhow::Result<()> {
        self.tally.print(what);
        let recorded: BTreeSet<&String> = self.tally.recorded.iter().collect();
        let missing = self.ages.iter().filter(|(id, _)| !recorded.contains(id));
        if let Some((id, age)) = missing.max_by_key(|(_, age)| **age) {
            println!("{what}: the oldest missing call had ended {age:.1?} before its kill");
            ensure!(*age <= window, "call {id} is missing, and it had ended {age:.1?} before the kill");
        }
        self.tally.judge(if window.is_zero() { 0 } else { self.tally.missing() })
    }
}

fn both(lab: &Lab<'_>, durability: &str, window: Duration) -> anyhow::Result<()> {
    let embedded = lab.stage("embedded", &format!("[records]\ndurability = \"{durability}\"\n"))?;
    rounds(lab, &embedded)?.judge(&format!("{durability}, embedded, {} kills", lab.size.kills), window)?;

    let engine = lab.engine("engine")?;
    let url = engine.database("weir")?;
    let settings = format!("[records]\ndurability = \"{durability}\"\n[analytics]\nurl = \"{url}\"\n");
    let stage = lab.stage("clickhouse", &settings)?;
    let mut rounds = rounds(lab, &stage)?;
    // Asked directly: what a search might hide would show here.
    rounds.tally.recorded = engine.column("SELECT toString(id) FROM weir.calls")?;
    rounds.judge(&format!("{durability}, ClickHouse, {} kills", lab.size.kills), window)
}

fn rounds(lab: &Lab<'_>, stage: &Stage) -> anyhow::Result<Rounds> {
    let provider = stage.start_provider()?;
    stage.slow_provider("latency_us=5000&first_us=5000&chunk_us=1000")?;
    let mut rounds = Rounds::default();
    for kill in 0..lab.size.kills {
        let gateway = stage.start_gateway()?;
        let rate = lab.size.rate / 2;
        let whole = Load::start(stage, false, rate, ROUND_SECONDS)?;
        let streams = Load::start(stage, true, rate, ROUND_SECONDS)?;
        std::thread::sleep(EARLIEST + Duration::from_millis(scatter(kill) % SPREAD_MILLIS));
        let killed = Clock::system().now().micros();
        // Dropping a process kills it with SIGKILL.
        drop(gateway);
        rounds.take(whole.finish()?, killed);
        rounds.take(streams.finish()?, killed);
    }
    let _gateway = stage.start_gateway()?;
    wait_until("the outbox empties", CATCH_UP, || Ok(stage.metric("weir_outbox_rows")? == 0.0))?;
    rounds.tally.recorded = stage.recorded_ids()?;
    drop(provider);
    Ok(rounds)
}

/// A different moment for each kill, the same in every run (the mixing step of splitmix64).
fn scatter(kill: u32) -> u64 {
    let mut mixed = u64::from(kill + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kill_may_take_its_last_moments_and_no_more() {
        let killed = 1_000_000_000;
        let judged = |missing_ended: i64| {
            let mut rounds = Rounds::default();
            let load = Loaded {
                made: 2,
                answered: 2,
                ids: vec!["kept".to_owned(), "missing".to_owned()],
                ended: vec![killed - 900_000, missing_ended],
                report: serde_json::Value::Null,
            };
            rounds.take(load, killed);
            rounds.tally.recorded = vec!["kept".to_owned()];
            rounds.judge("test", WINDOW).is_ok()
        };
        assert!(judged(killed - 40_000) && judged(killed + 10));
        assert!(!judged(killed - 60_000));
    }
}
