//! A kill -9 under load, several times: at most the calls of the last batch window are missing, and none is there twice.

use std::time::Duration;

use anyhow::ensure;

use crate::prove::drain::{finish, start_load, sum};
use crate::prove::gateway::Stage;
use crate::workspace::Workspace;

/// How often the gateway is killed.
const KILLS: u32 = 5;
/// Calls a second.
const RATE: u32 = 800;
/// When in the load the gateway is killed; a little later each time.
const KILL_AFTER: Duration = Duration::from_millis(2_500);
const KILL_LATER: Duration = Duration::from_millis(137);
/// What a kill may take: the batch window of 50 ms, and as much again for a commit that is under way.
const WINDOW: Duration = Duration::from_millis(100);

pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let programs = workspace.build_release(&["weir", "mock-provider", "load-generator"])?;
    let may_miss = u64::from(RATE) * WINDOW.as_millis() as u64 / 1_000;
    let (mut answered_in_all, mut missing_in_all) = (0, 0);
    for kill in 0..KILLS {
        let stage = Stage::set(programs.clone(), workspace.target.join("prove/crash"))?;
        let _provider = stage.start_provider()?;
        stage.slow_provider("latency_us=20000&first_us=20000&chunk_us=5000")?;
        let gateway = stage.start_gateway()?;
        let load = start_load(&stage, false, &["--conc", "32", "--rate", &RATE.to_string()])?;
        std::thread::sleep(KILL_AFTER + KILL_LATER * kill);
        // Dropping a process kills it with SIGKILL.
        drop(gateway);
        let answered = sum(&finish(load)?, "ok");
        let reached = stage.count_provider_calls()?;

        let _gateway = stage.start_gateway()?;
        let recorded: u64 = stage.count_records()?.values().sum();
        let missing = answered.saturating_sub(recorded);
        println!(
            "kill {}: answered {answered}, reached the provider {reached}, on record {recorded}, missing {missing}",
            kill + 1
        );
        ensure!(answered > 0, "nothing was answered: the load did not reach the gateway");
        ensure!(missing <= may_miss, "{missing} answered calls are not on record, {may_miss} may be");
        ensure!(recorded <= reached, "{} records stand for no call", recorded - reached);
        answered_in_all += answered;
        missing_in_all += missing;
    }
    println!(
        "answered {answered_in_all} in all, {missing_in_all} of them lost by {KILLS} kills, none doubled"
    );
    Ok(())
}
