//! `/outbox` and `/records`: how the keeping of records goes.

use insta::assert_snapshot;
use serde_json::json;

use crate::desk::Desk;
use crate::redact::seen;

#[tokio::test]
async fn an_embedded_store_has_nothing_waiting() {
    let desk = Desk::open().await;
    let status = desk.get("/outbox").await.json();
    assert_eq!(
        (&status["kind"], &status["rows"], &status["trouble"]),
        (&json!("direct"), &json!(0), &json!(null))
    );
    assert!(status["file_bytes"].as_u64().unwrap() > 0, "{status}");
    assert_eq!(desk.get("/outbox/poisoned").await.json()["data"], json!([]));
    assert_eq!(desk.post("/outbox/poisoned/retry", &json!({})).await.json(), json!({"retried": 0}));
    assert_eq!(desk.delete("/outbox/poisoned").await.json(), json!({"dropped": 0}));
    assert_snapshot!("no_such_poisoned_row", seen(&desk.delete("/outbox/poisoned/7").await));
    assert_eq!(desk.delete("/outbox/poisoned/x").await.status, 404);
}

#[tokio::test]
async fn room_is_given_back() {
    let desk = Desk::open().await;
    let compacted = desk.post("/records/compact", &json!({})).await;
    assert_eq!(compacted.status, 200, "{}", compacted.text());
    assert!(compacted.json()["freed_bytes"].is_u64());
}
