//! Every route by every role: what it takes stands in one table, and the table has every route there is.

use std::collections::BTreeSet;

use insta::assert_snapshot;
use registry::Role;
use serde_json::Value;

use crate::desk::Desk;
use crate::redact::seen;
use crate::support::Call;

/// The least role of each route that takes a token.
const TABLE: [(&str, &str, Role); 70] = [
    ("GET", "/prompts", Role::Viewer),
    ("POST", "/prompts", Role::Editor),
    ("GET", "/prompts/{name}", Role::Viewer),
    ("PATCH", "/prompts/{name}", Role::Editor),
    ("DELETE", "/prompts/{name}", Role::Editor),
    ("GET", "/prompts/{name}/versions", Role::Viewer),
    ("POST", "/prompts/{name}/versions", Role::Editor),
    ("GET", "/prompts/{name}/versions/{selector}", Role::Viewer),
    ("GET", "/prompts/{name}/labels", Role::Viewer),
    ("PUT", "/prompts/{name}/labels/{label}", Role::Editor),
    ("DELETE", "/prompts/{name}/labels/{label}", Role::Editor),
    ("GET", "/prompts/{name}/labels/{label}/history", Role::Viewer),
    ("POST", "/prompts/{name}/labels/{label}/rollback", Role::Releaser),
    ("POST", "/prompts/{name}/render", Role::Viewer),
    ("POST", "/templates/check", Role::Viewer),
    ("GET", "/keys", Role::Viewer),
    ("POST", "/keys", Role::Admin),
    ("GET", "/keys/{id}", Role::Viewer),
    ("PATCH", "/keys/{id}", Role::Admin),
    ("DELETE", "/keys/{id}", Role::Admin),
    ("GET", "/tokens", Role::Viewer),
    ("POST", "/tokens", Role::Admin),
    ("GET", "/tokens/{id}", Role::Viewer),
    ("DELETE", "/tokens/{id}", Role::Admin),
    ("GET", "/calls", Role::Viewer),
    ("GET", "/calls/{id}", Role::Viewer),
    ("DELETE", "/calls", Role::Admin),
    ("GET", "/calls/count", Role::Viewer),
    ("GET", "/calls/values", Role::Viewer),
    ("GET", "/calls/fields", Role::Viewer),
    ("GET", "/calls/export", Role::Viewer),
    ("GET", "/traces", Role::Viewer),
    ("GET", "/traces/{trace_id}", Role::Viewer),
    ("GET", "/sessions", Role::Viewer),
    ("GET", "/sessions/{id}", Role::Viewer),
    ("GET", "/scores", Role::Viewer),
    ("POST", "/scores", Role::Editor),
    ("POST", "/feedback-links", Role::Editor),
    ("POST", "/reports", Role::Viewer),
    ("GET", "/views", Role::Viewer),
    ("POST", "/views", Role::Editor),
    ("GET", "/views/{id}", Role::Viewer),
    ("PATCH", "/views/{id}", Role::Editor),
    ("DELETE", "/views/{id}", Role::Editor),
    ("GET", "/outbox", Role::Viewer),
    ("GET", "/outbox/poisoned", Role::Admin),
    ("DELETE", "/outbox/poisoned", Role::Admin),
    ("DELETE", "/outbox/poisoned/{id}", Role::Admin),
    ("POST", "/outbox/poisoned/retry", Role::Admin),
    ("POST", "/records/compact", Role::Admin),
    ("GET", "/prices", Role::Viewer),
    ("GET", "/alerts", Role::Viewer),
    ("POST", "/alerts", Role::Editor),
    ("GET", "/alerts/{id}", Role::Viewer),
    ("PATCH", "/alerts/{id}", Role::Editor),
    ("DELETE", "/alerts/{id}", Role::Editor),
    ("GET", "/alerts/{id}/history", Role::Viewer),
    ("POST", "/alerts/{id}/test", Role::Viewer),
    ("POST", "/alerts/{id}/mute", Role::Editor),
    ("GET", "/webhooks", Role::Viewer),
    ("POST", "/webhooks", Role::Admin),
    ("GET", "/webhooks/{id}", Role::Viewer),
    ("PATCH", "/webhooks/{id}", Role::Admin),
    ("DELETE", "/webhooks/{id}", Role::Admin),
    ("GET", "/webhooks/{id}/deliveries", Role::Viewer),
    ("POST", "/webhooks/{id}/test", Role::Admin),
    ("POST", "/webhooks/deliveries/{id}/replay", Role::Admin),
    ("GET", "/audit", Role::Viewer),
    ("GET", "/audit/export", Role::Viewer),
    ("GET", "/audit/head", Role::Viewer),
];

/// Routes that take no token.
const OPEN: [&str; 4] = ["/api/v1/openapi.json", "/healthz", "/metrics", "/readyz"];

fn filled(path: &str) -> String {
    path.replace("{name}", "a%2Fb")
        .replace("{selector}", "1")
        .replace("{label}", "staging")
        .replace("{id}", "x")
        .replace("{trace_id}", "4bf92f3577b34da6a3ce929d0e0e4736")
}

#[test]
fn the_table_has_every_route() {
    let description: Value = serde_json::from_str(&gateway::admin::openapi()).unwrap();
    let mut documented = BTreeSet::new();
    for (path, operations) in description["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let open = operation["security"]
                .as_array()
                .is_some_and(|security| security.iter().any(|way| way == &serde_json::json!({})));
            assert_eq!(open, OPEN.contains(&path.as_str()), "{path}");
            if !open {
                documented.insert((method.to_uppercase(), path.strip_prefix("/api/v1").unwrap().to_owned()));
            }
        }
    }
    let table = TABLE.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()));
    assert_eq!(documented, table.collect());
}

#[tokio::test]
async fn each_route_takes_its_least_role_and_every_higher_one() {
    let desk = Desk::open().await;
    for (method, path, least) in &TABLE {
        for role in Role::ALL {
            let answer = desk.by(role, method, &filled(path)).body("{}").send().await;
            let refused = answer.status == 403;
            assert_eq!(
                refused,
                role < *least,
                "{method} {path} by {role}: {} {}",
                answer.status,
                answer.text()
            );
            assert_ne!(answer.status, 401, "{method} {path} by {role}");
            assert!(answer.status < 500, "{method} {path} by {role}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn no_route_answers_without_an_admin_token() {
    let desk = Desk::open().await;
    for (method, path, _) in &TABLE {
        let ask = || Call::new(desk.admin_address(), method, &format!("/api/v1{}", filled(path))).body("{}");
        for call in [
            ask(),
            ask().key("wt-wrong"),
            ask().key(desk.api_key()),
            ask().header("authorization", "Basic eDp5"),
        ] {
            let answer = call.send().await;
            assert_eq!(
                (answer.status, &answer.json()["error"]["code"]),
                (401, &"invalid_api_key".into()),
                "{method} {path}"
            );
        }
    }
}

#[tokio::test]
async fn a_refusal_says_which_token_would_do() {
    let desk = Desk::open().await;
    let ask = || Call::new(desk.admin_address(), "GET", "/api/v1/prompts");

    assert_snapshot!("without_a_token", seen(&ask().send().await));
    assert_snapshot!("with_a_wrong_token", seen(&ask().key("wt-wrong").send().await));
    assert_snapshot!("with_a_virtual_key", seen(&ask().key(desk.api_key()).send().await));
    assert_snapshot!("by_a_viewer", seen(&desk.by(Role::Viewer, "POST", "/prompts").send().await));
    assert_snapshot!("by_an_editor", seen(&desk.by(Role::Editor, "POST", "/keys").send().await));
    assert_snapshot!(
        "rollback_by_an_editor",
        seen(&desk.by(Role::Editor, "POST", "/prompts/a/labels/b/rollback").send().await)
    );
}

#[tokio::test]
async fn an_admin_token_calls_no_models() {
    let desk = Desk::open().await;
    let answer = desk.call("GET", "/v1/models").key(desk.admin_token()).send().await;
    assert_eq!(answer.status, 401, "{}", answer.text());
}
