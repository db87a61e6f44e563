//! Two nodes on one PostgreSQL: what is changed at one is served by the other at once, and no call fails meanwhile.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use config::Config;
use serde_json::{Value, json};
use vocab::{Clock, Secret};

use crate::server::Schema;
use crate::support::{Harness, until};

const PROMPT: &str = "support/reply";
const PATH: &str = "/prompts/support%2Freply";
/// How soon every call must get what was changed at the other node.
const SOON: Duration = Duration::from_secs(1);
/// Calls under way at any time, at each node.
const CALLERS: usize = 6;
/// How many calls must have begun later than that before a change counts as seen, at each node.
const ENOUGH: usize = 20;

/// Two nodes under load.
struct Nodes {
    /// Where changes are made, and the other.
    weirs: [Harness; 2],
    clock: Clock,
    seen: [Mutex<Vec<Seen>>; 2],
    stop: AtomicBool,
}

/// What came of one call.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// When it was sent, since the clock began.
    sent: Duration,
    status: u16,
    version: u32,
}

impl Nodes {
    async fn start(schema: &Schema) -> Self {
        let weirs = [Harness::with(node(schema)).await, Harness::with(node(schema)).await];
        let seen = [Mutex::default(), Mutex::default()];
        Self { weirs, clock: Clock::system(), seen, stop: AtomicBool::new(false) }
    }

    /// Calls one node without pause, each user in turn, until told to stop.
    async fn call(&self, node: usize, caller: usize) {
        for turn in 0_usize.. {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let user = format!("user-{}", caller * 100 + turn % 100);
            let body = json!({"prompt": {"id": PROMPT}, "weir": {"user": user}});
            let sent = self.clock.monotonic();
            let answer = self.weirs[node].chat(&body).await;
            let version = answer.headers.get("weir-prompt").and_then(|it| it.to_str().ok());
            let version = version.and_then(|it| it.rsplit_once('@')?.1.parse().ok()).unwrap_or_default();
            self.seen[node].lock().unwrap().push(Seen { sent, status: answer.status, version });
        }
    }

    /// All callers of both nodes.
    async fn load(&self) {
        let callers = (0..2).flat_map(|node| (0..CALLERS).map(move |caller| self.call(node, caller)));
        futures_util::future::join_all(callers).await;
    }

    /// Asks the admin API of the first node.
    async fn change(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.weirs[0].admin(method, path).json(body).send().await;
        assert!((200..300).contains(&answer.status), "{path}: {}", answer.text());
        answer.json()
    }

    /// From now on at the first node, and a second from now on at the other, calls get these versions, all of them,
    /// and no others.
    async fn serve(&self, versions: &[u32], what: &str) {
        let versions: BTreeSet<u32> = versions.iter().copied().collect();
        let answered = self.clock.monotonic();
        for (node, from) in [(0, answered), (1, answered + SOON)] {
            let since = |seen: &Seen| seen.sent >= from;
            let later = until("calls after the change", async || {
                let seen = self.seen[node].lock().unwrap();
                let later: Vec<u32> =
                    seen.iter().filter(|seen| since(seen)).map(|seen| seen.version).collect();
                (later.len() >= ENOUGH).then_some(later)
            })
            .await;
            assert_eq!(later.into_iter().collect::<BTreeSet<_>>(), versions, "{what}, at node {node}");
        }
    }
}

fn node(schema: &Schema) -> impl FnOnce(&mut Config) {
    let url = Secret::new(schema.url.as_str());
    move |config| {
        config.registry_url = url;
        config.api_key = Some(Secret::new("sk-weir-two-nodes"));
        config.admin_token = Some(Secret::new("weir-admin-two-nodes"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_reaches_the_other_node_within_a_second_under_load() {
    let schema = Schema::make().await;
    let it = Nodes::start(&schema).await;
    for text in ["the first", "the second", "the third"] {
        it.weirs[0].publish_saying(PROMPT, text).await;
    }
    until("the other node to know them", async || {
        let answer = it.weirs[1].chat(&json!({"prompt": {"id": PROMPT}})).await;
        (answer.headers.get("weir-prompt")? == "support/reply@3").then_some(())
    })
    .await;

    let changes = async {
        changes(&it).await;
        it.stop.store(true, Ordering::Relaxed);
    };
    tokio::join!(changes, it.load());

    for (node, seen) in it.seen.iter().enumerate() {
        let seen = seen.lock().unwrap();
        let failed: Vec<_> = seen.iter().filter(|seen| seen.status != 200).collect();
        assert!(failed.is_empty(), "node {node}: {failed:?} of {} calls", seen.len());
    }
    assert_eq!(it.weirs[1].get("/readyz").await.json()["notices"], json!([]));
}

/// A rollback, a label moved, a ramp up to its end, an experiment started and stopped.
async fn changes(it: &Nodes) {
    let label = format!("{PATH}/labels/production");
    it.serve(&[3], "nothing was changed yet").await;
    it.change("POST", &format!("{label}/rollback"), &json!({})).await;
    it.serve(&[2], "rolled back").await;
    it.change("PUT", &label, &json!({"version": 1})).await;
    it.serve(&[1], "moved").await;

    let ramp = json!({"label": "production", "version": 3, "ramp": {"steps": [50, 100]}});
    let release = it.change("POST", &format!("{PATH}/releases"), &ramp).await;
    let release = format!("/releases/{}", release["id"].as_str().unwrap());
    it.change("POST", &format!("{release}/release"), &json!({})).await;
    it.serve(&[1, 3], "half way up").await;
    it.change("POST", &format!("{release}/advance"), &json!({})).await;
    it.serve(&[3], "all the way up").await;

    let experiment = format!("{PATH}/experiments/production");
    let arm = |version: u32| json!({"name": format!("v{version}"), "version": version, "weight": 1});
    let mut plan = json!({"arms": [arm(1), arm(2)], "unit": "user", "state": "running"});
    it.change("PUT", &experiment, &plan).await;
    it.serve(&[1, 2], "an experiment runs").await;
    for user in 0..10 {
        let body = json!({"prompt": {"id": PROMPT}, "weir": {"user": format!("user-{user}")}});
        let [one, two] = [it.weirs[0].chat(&body).await, it.weirs[1].chat(&body).await];
        assert_eq!(one.header("weir-experiment"), two.header("weir-experiment"), "of user {user}");
    }
    plan["state"] = "stopped".into();
    it.change("PUT", &experiment, &plan).await;
    it.serve(&[3], "it stopped").await;
}
