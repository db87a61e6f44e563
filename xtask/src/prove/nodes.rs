//! Two nodes on one PostgreSQL under load: how soon what is changed at one serves at the other. No call may fail, and a
//! second after the answer to a change none may get what served before it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use vocab::Clock;

use crate::postgres::Server;
use crate::prove::gateway::Stage;
use crate::workspace::Workspace;

const PROGRAMS: [&str; 2] = ["weir", "mock-provider"];
/// How often everything is changed, and how long is looked for calls that come late.
const ROUNDS: usize = 20;
const LOOK: Duration = Duration::from_millis(1_200);
/// How late a call may get what served before.
const SOON: Duration = Duration::from_secs(1);
/// Connections at each node, and how long each rests between two calls.
const CALLERS: usize = 16;
const REST: Duration = Duration::from_millis(20);
const PROMPT: &str = "/prompts/support%2Freply";

/// What came of one call.
#[derive(Clone, Copy, Debug)]
struct Seen {
    sent: Duration,
    status: u16,
    version: u32,
}

/// A change, after which one version serves.
#[derive(Clone, Copy, Debug)]
struct Change {
    what: &'static str,
    version: u32,
    asked: Duration,
    answered: Duration,
    /// When the next one may have begun.
    over: Duration,
}

/// Two nodes, and all that was seen of them.
struct Nodes<'a> {
    stages: &'a [Stage; 2],
    clock: Clock,
    seen: [Mutex<Vec<Seen>>; 2],
    stop: AtomicBool,
}

pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let programs = workspace.build_release(&PROGRAMS)?;
    let server = Server::start()?;
    let settings = format!("[registry]\nurl = \"{}\"\n", server.url());
    let folder = workspace.target.join("prove/nodes");
    let stage = |name| Stage::set_with(programs.clone(), folder.join(name), &settings);
    let stages = [stage("near")?, stage("far")?];
    let mut processes = Vec::new();
    for stage in &stages {
        processes.extend([stage.start_provider()?, stage.start_gateway()?]);
    }
    for text in ["the first", "the second", "the third"] {
        let version = json!({"messages": [{"role": "user", "content": text}], "model": "mock-model"});
        stages[0].manage("POST", &format!("{PROMPT}/versions"), &version)?;
    }
    let seen = [Mutex::default(), Mutex::default()];
    let it = Nodes { stages: &stages, clock: Clock::system(), seen, stop: AtomicBool::new(false) };
    it.manage("PUT", "/labels/production", &json!({"version": 1}))?;
    std::thread::sleep(LOOK);
    let changes = it.changed_under_load()?;
    it.judge(&changes)
}

impl Nodes<'_> {
    fn changed_under_load(&self) -> anyhow::Result<Vec<Change>> {
        std::thread::scope(|scope| {
            let callers = (0..2).flat_map(|node| (0..CALLERS).map(move |caller| (node, caller)));
            for (node, caller) in callers {
                scope.spawn(move || self.call(node, caller));
            }
            let changes = self.change_everything();
            self.stop.store(true, Ordering::Relaxed);
            changes
        })
    }

    /// Calls a node on a connection of its own until told to stop.
    fn call(&self, node: usize, caller: usize) {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut turn = caller * 1_000;
        let mut seen = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            turn += 1;
            let body = json!({"prompt": {"id": "support/reply"}, "weir": {"user": format!("user-{turn}")}});
            let sent = self.clock.monotonic();
            let (status, version) = self.stages[node].prompt(&agent, &body).unwrap_or_default();
            seen.push(Seen { sent, status, version });
            std::thread::sleep(REST);
        }
        if let Ok(mut all) = self.seen[node].lock() {
            all.append(&mut seen);
        }
    }

    fn change_everything(&self) -> anyhow::Result<Vec<Change>> {
        let mut changes = Vec::new();
        for _ in 0..ROUNDS {
            let to = |version: u32| json!({ "version": version });
            // What a rollback goes back to is version 1, in every round.
            self.manage("PUT", "/labels/production", &to(1))?;
            std::thread::sleep(LOOK);
            changes.push(self.change("label moved", 2, ("PUT", "/labels/production"), &to(2))?);
            changes.push(self.change("rollback", 1, ("POST", "/labels/production/rollback"), &json!({}))?);

            let ramp = json!({"label": "production", "version": 3, "ramp": {"steps": [50, 100]}});
            let release = self.manage("POST", "/releases", &ramp)?;
            let release = format!("/releases/{}", release["id"].as_str().context("a release has an id")?);
            self.stages[0].manage("POST", &format!("{release}/release"), &json!({}))?;
            std::thread::sleep(LOOK);
            changes.push(self.change(
                "last step of a ramp",
                3,
                ("POST", &format!("{release}/advance")),
                &json!({}),
            )?);

            let arm = |version: u32| json!({"name": format!("v{version}"), "version": version, "weight": 1});
            let mut plan = json!({"arms": [arm(1), arm(2)], "unit": "user", "state": "running"});
            self.manage("PUT", "/experiments/production", &plan)?;
            std::thread::sleep(LOOK);
            plan["state"] = "stopped".into();
            changes.push(self.change("experiment stopped", 3, ("PUT", "/experiments/production"), &plan)?);
        }
        Ok(changes)
    }

    /// Asks the near node about the prompt.
    fn manage(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.stages[0].manage(method, &format!("{PROMPT}{path}"), body)
    }

    /// Changes something at the near node, and waits for the calls that may be late.
    fn change(
        &self,
        what: &'static str,
        version: u32,
        (method, path): (&str, &str),
        body: &Value,
    ) -> anyhow::Result<Change> {
        let asked = self.clock.monotonic();
        if path.starts_with("/releases/") {
            self.stages[0].manage(method, path, body)?;
        } else {
            self.manage(method, path, body)?;
        }
        let answered = self.clock.monotonic();
        std::thread::sleep(LOOK);
        Ok(Change { what, version, asked, answered, over: self.clock.monotonic() })
    }

    fn judge(&self, changes: &[Change]) -> anyhow::Result<()> {
        let [near, far] =
            [0, 1].map(|node| self.seen[node].lock().map(|seen| seen.clone()).unwrap_or_default());
        let failed = near.iter().chain(&far).filter(|seen| seen.status != 200).count();
        let seconds = self.clock.monotonic().as_secs_f64();
        let all = near.len() + far.len();
        println!(
            "{all} calls on {} connections, {:.0} a second, {failed} failed",
            2 * CALLERS,
            all as f64 / seconds
        );
        let mut kinds: Vec<&str> = changes.iter().map(|change| change.what).collect();
        kinds.truncate(kinds.len() / ROUNDS);
        for kind in kinds {
            let of_kind = || changes.iter().filter(|change| change.what == kind);
            let here = Spread::of(of_kind().map(|change| change.late(&near, change.answered)));
            let there = Spread::of(of_kind().map(|change| change.late(&far, change.answered)));
            let asked = Spread::of(of_kind().map(|change| change.late(&far, change.asked)));
            println!(
                "{kind}: the other node's last call with the old version began {asked} after it was asked for, {there} after the answer"
            );
            ensure!(here.most.is_zero(), "{kind}: calls of the node it was made at came {here} late");
            ensure!(there.most < SOON, "{kind}: calls of the other node came {there} late");
        }
        ensure!(failed == 0 && all > 0, "{failed} of {all} calls failed");
        Ok(())
    }
}

impl Change {
    /// How long after a moment the last call began that got something else than this brought.
    fn late(&self, seen: &[Seen], after: Duration) -> Duration {
        let late = seen
            .iter()
            .filter(|seen| seen.version != self.version && (after..self.over).contains(&seen.sent));
        late.map(|seen| seen.sent.saturating_sub(after)).max().unwrap_or_default()
    }
}

/// The middle and the most of some times.
struct Spread {
    median: Duration,
    most: Duration,
}

impl Spread {
    fn of(times: impl Iterator<Item = Duration>) -> Self {
        let mut times: Vec<Duration> = times.collect();
        times.sort();
        let median = times.get(times.len() / 2).copied().unwrap_or_default();
        Self { median, most: times.last().copied().unwrap_or_default() }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        write!(f, "{:.1} ms (p50), {:.1} ms (most)", millis(self.median), millis(self.most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_late_by_how_long_after_the_answer_it_began() {
        let at = Duration::from_millis;
        let seen = |sent, version| Seen { sent: at(sent), status: 200, version };
        let change =
            Change { what: "rollback", version: 1, asked: at(100), answered: at(110), over: at(2_000) };
        let calls = [seen(90, 2), seen(105, 2), seen(130, 2), seen(140, 1), seen(2_010, 2)];
        assert_eq!(change.late(&calls, change.answered), at(20));
        assert_eq!(change.late(&calls, change.asked), at(30));
        assert_eq!(change.late(&[seen(105, 2), seen(111, 1)], change.answered), Duration::ZERO);
    }
}
