//! Two nodes on one PostgreSQL: what is changed at one is served by the other at once, and no call fails meanwhile.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use config::Config;
use serde_json::json;
use vocab::{Clock, Secret};

use crate::server::Schema;
use crate::support::{Harness, until};

const PROMPT: &str = "support/reply";
/// How soon the other node must serve a change.
const SOON: Duration = Duration::from_secs(1);

fn node(schema: &Schema) -> impl FnOnce(&mut Config) {
    let url = Secret::new(schema.url.as_str());
    move |config| {
        config.registry_url = url;
        config.api_key = Some(Secret::new("sk-weir-two-nodes"));
        config.admin_token = Some(Secret::new("weir-admin-two-nodes"));
    }
}

/// Calls one node without pause until told to stop; counts calls, and those that were not answered.
async fn load(weir: &Harness, calls: &AtomicU32, failed: &AtomicU32, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let answer = weir.chat(&json!({"prompt": {"id": PROMPT}})).await;
        calls.fetch_add(1, Ordering::Relaxed);
        if answer.status != 200 {
            failed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_reaches_the_other_node_within_a_second_under_load() {
    let schema = Schema::make().await;
    let one = Harness::with(node(&schema)).await;
    let two = Harness::with(node(&schema)).await;
    one.publish_saying(PROMPT, "the first").await;
    one.publish_saying(PROMPT, "the second").await;
    serves(&two, 2).await;

    let (calls, failed, stop) = (AtomicU32::new(0), AtomicU32::new(0), AtomicBool::new(false));
    let change = async {
        let clock = Clock::system();
        for version in [1, 2, 1, 2] {
            let before = clock.now();
            one.move_label(PROMPT, "production", version).await;
            serves(&two, version).await;
            let taken = Duration::from_micros((clock.now().micros() - before.micros()).unsigned_abs());
            assert!(taken < SOON, "{taken:?}");
        }
        stop.store(true, Ordering::Relaxed);
    };
    tokio::join!(change, load(&two, &calls, &failed, &stop), load(&two, &calls, &failed, &stop));

    assert_eq!(failed.into_inner(), 0, "of {} calls", calls.into_inner());
    assert_eq!(two.get("/readyz").await.json()["notices"], json!([]));
}

async fn serves(weir: &Harness, version: u32) {
    let served = format!("{PROMPT}@{version}");
    until("the other node to serve it", async || {
        let answer = weir.chat(&json!({"prompt": {"id": PROMPT}})).await;
        (answer.status == 200 && answer.header("weir-prompt") == served).then_some(())
    })
    .await;
}
