//! `/views`: saved searches and reports.

use insta::assert_snapshot;
use registry::Role;
use serde_json::{Value, json};

use crate::desk::{Desk, each};
use crate::redact::seen;

fn slow() -> Value {
    json!({"name": "slow", "kind": "calls", "q": "latency>5s", "columns": ["model"], "from": "-7d"})
}

async fn save(desk: &Desk, view: &Value) -> String {
    let saved = desk.post("/views", view).await;
    assert_eq!(saved.status, 201, "{}", saved.text());
    format!("/views/{}", saved.json()["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_view_is_saved_found_changed_and_deleted() {
    let desk = Desk::open().await;
    let saved = desk.by(Role::Editor, "POST", "/views").json(&slow()).send().await;
    assert_snapshot!("saved_view", seen(&saved));
    let path = saved.header("location").strip_prefix("/api/v1").unwrap().to_owned();
    assert_eq!(desk.get(&path).await.json(), saved.json());
    let known =
        desk.by(Role::Viewer, "GET", &path).header("if-none-match", saved.header("etag")).send().await;
    assert_eq!(known.status, 304);

    let report =
        json!({"name": "cost", "kind": "report", "report": {"measures": ["cost"], "group_by": ["model"]}});
    save(&desk, &report).await;
    assert_eq!(each(&desk.all("/views", 1).await, "name"), ["cost", "slow"]);
    assert_eq!(each(&desk.all("/views?kind=calls", 10).await, "name"), ["slow"]);

    let change = json!({"name": "slower", "q": "latency>9s", "from": null});
    let changed = desk.send("PATCH", &path, &change).await;
    assert_snapshot!("changed_view", seen(&changed));
    assert_eq!(desk.delete(&path).await.status, 204);
    assert_snapshot!("deleted_view", seen(&desk.get(&path).await));
}

#[tokio::test]
async fn a_view_changed_meanwhile_is_not_overwritten() {
    let desk = Desk::open().await;
    let path = save(&desk, &slow()).await;
    let before = desk.get(&path).await;
    desk.send("PATCH", &path, &json!({"name": "first"})).await;
    let late = |method: &str| desk.by(Role::Editor, method, &path).header("if-match", before.header("etag"));
    assert_snapshot!("lost_view_update", seen(&late("PATCH").json(&json!({"name": "second"})).send().await));
    assert_eq!(late("DELETE").send().await.status, 412);
    assert_eq!(desk.get(&path).await.json()["name"], "first");
}

#[tokio::test]
async fn a_view_that_could_not_be_shown_is_refused() {
    let desk = Desk::open().await;
    save(&desk, &slow()).await;
    let traces = |column: &str| json!({"name": column, "kind": "traces", "columns": ["trace_id", column]});
    save(&desk, &traces("spans")).await;
    assert!(desk.post("/views", &traces("model")).await.text().contains("traces have no column `model`"));
    let with = |field: &str, value: Value| {
        let mut view = slow();
        view[field] = value;
        view
    };
    for (name, view) in [
        ("view_taken", slow()),
        ("view_unknown_column", with("columns", json!(["id", "nope"]))),
        ("view_unknown_kind", with("kind", json!("table"))),
        ("view_wrong_search", with("q", json!("colour:red"))),
        ("view_wrong_time", with("from", json!("yesterday"))),
        ("view_with_a_report_it_has_not", with("report", json!({"measures": ["calls"]}))),
        ("view_without_its_report", with("kind", json!("report"))),
        ("view_unknown_field", with("colour", json!("red"))),
        ("view_wrong_measure", json!({"name": "r", "kind": "report", "report": {"measures": ["speed"]}})),
        (
            "view_time_in_report",
            json!({"name": "r", "kind": "report", "report": {"measures": ["calls"], "from": "-1h"}}),
        ),
    ] {
        assert_snapshot!(name, seen(&desk.post("/views", &view).await));
    }
}
