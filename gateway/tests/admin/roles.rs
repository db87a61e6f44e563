//! Every route by every role, as the table in `docs/ACCESS.md` says; and the table has every route there is.

use std::collections::BTreeSet;

use insta::assert_snapshot;
use registry::Role;
use serde_json::Value;

use crate::desk::Desk;
use crate::redact::seen;
use crate::support::Call;

/// The table of `docs/ACCESS.md`: what people read is what is walked.
const DOCUMENT: &str = include_str!("../../../docs/ACCESS.md");

/// A route, and whether each role may take it.
struct Row {
    method: &'static str,
    path: &'static str,
    may: [bool; 4],
}

/// Every route of the table.
fn table() -> Vec<Row> {
    let start = "| what | routes | `viewer` | `editor` | `releaser` | `admin` |";
    let lines = DOCUMENT.lines().skip_while(|line| *line != start).skip(2);
    let rows = lines.take_while(|line| line.starts_with('|')).flat_map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [_, routes, roles @ ..] = cells.as_slice() else { panic!("{line}") };
        let may: Vec<bool> = roles.iter().map(|cell| *cell == "yes").collect();
        let may: [bool; 4] = may.try_into().unwrap_or_else(|_| panic!("four roles: {line}"));
        assert!(may.is_sorted(), "each role may do what the ones before it may: {line}");
        let routes: Vec<&str> = routes.split(", ").map(|route| route.trim_matches('`')).collect();
        routes.into_iter().map(move |route| {
            let (method, path) = route.split_once(' ').unwrap();
            Row { method, path, may }
        })
    });
    rows.collect()
}

/// Routes that take no token.
const OPEN: [&str; 4] = ["/api/v1/openapi.json", "/healthz", "/metrics", "/readyz"];

fn filled(path: &str, prompt: &str) -> String {
    path.replace("/projects/{name}", "/projects/default")
        .replace("{name}", prompt)
        .replace("{selector}", "1")
        .replace("{label}", "staging")
        .replace("{id}", "x")
        .replace("{trace_id}", "4bf92f3577b34da6a3ce929d0e0e4736")
}

/// A body that says enough to be judged by what it asks for.
fn body(method: &str, path: &str) -> &'static str {
    if method == "PUT" && path.contains("/labels/") { r#"{"version": 1}"# } else { "{}" }
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
    let table: BTreeSet<_> = table()
        .iter()
        .map(|row| (row.method.to_owned(), row.path.replace("/labels/production", "/labels/{label}")))
        .collect();
    assert_eq!(
        (
            documented.difference(&table).collect::<Vec<_>>(),
            table.difference(&documented).collect::<Vec<_>>()
        ),
        (vec![], vec![]),
        "routes the table in docs/ACCESS.md lacks, and routes it has that are none"
    );
}

#[tokio::test]
async fn each_role_may_what_the_table_says() {
    let desk = Desk::open().await;
    let routes = table();
    assert!(routes.len() > 60, "the table was read");
    for (at, row) in routes.iter().enumerate() {
        for role in Role::ALL {
            // Its own prompt, so that what one may do does not stand in the way of what the next may not.
            let prompt = format!("a%2F{at}-{role}");
            if row.path.contains("/prompts/{name}") {
                let version = serde_json::json!({"text": "Hi", "labels": ["staging", "production"]});
                let made = desk.post(&format!("/prompts/{prompt}/versions"), &version).await;
                assert_eq!(made.status, 201, "{}", made.text());
            }
            let call = desk.by(role, row.method, &filled(row.path, &prompt));
            let answer = call.body(body(row.method, row.path)).send().await;
            let what = format!("{} {} by {role}: {} {}", row.method, row.path, answer.status, answer.text());
            assert_eq!(answer.status == 403, !row.may[role as usize], "{what}");
            assert_ne!(answer.status, 401, "{what}");
            assert!(answer.status < 500, "{what}");
        }
    }
}

#[tokio::test]
async fn publishing_straight_to_production_takes_who_may_move_it() {
    let desk = Desk::open().await;
    let version = serde_json::json!({"text": "Hi", "labels": ["production"]});
    for (role, status) in [(Role::Viewer, 403), (Role::Editor, 403), (Role::Releaser, 201)] {
        let answer = desk.by(role, "POST", "/prompts/a/versions").json(&version).send().await;
        assert_eq!(answer.status, status, "{role}: {}", answer.text());
    }
}

#[tokio::test]
async fn no_route_answers_without_an_admin_token() {
    let desk = Desk::open().await;
    for Row { method, path, .. } in &table() {
        let path = filled(path, "a%2Fb");
        let ask = || Call::new(desk.admin_address(), method, &format!("/api/v1{path}")).body("{}");
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
