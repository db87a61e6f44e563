//! Every route of the data plane with every kind of key, as the table in `docs/ACCESS.md` says.

use serde_json::{Value, json};

use crate::support::{Call, Harness};

const DOCUMENT: &str = include_str!("../../../docs/ACCESS.md");
/// The table's first line: the routes, then a column for each kind of key.
const START: &str = "| routes of the data plane | any key | `read_prompts: false` | `passthrough: true` | \
                     `registered_prompts_only: true` | an admin token |";
const PROMPT: &str = "greeting";
/// Where the routes are told apart.
const SURFACE: &str = include_str!("../../src/surface.rs");
/// What is answered with a 404 so far.
const UNSERVED: &str = "/v1/messages";

/// The table of what lists and projects keep out.
const OUTSIDE: &str = "| routes of the data plane | not in `prompts` | not in `labels` | not in `models` | in another project |";

/// The routes of one line, whether they name a prompt, and what each column says.
struct Row {
    routes: Vec<(&'static str, &'static str)>,
    names_prompt: bool,
    cells: Vec<&'static str>,
}

fn table(start: &str) -> Vec<Row> {
    let lines = DOCUMENT.lines().skip_while(|line| *line != start).skip(2);
    let rows = lines.take_while(|line| line.starts_with('|')).map(|line| {
        let mut cells = line.strip_prefix('|').unwrap().split('|').map(str::trim);
        let said = cells.next().unwrap();
        let quoted = said.split('`').skip(1).step_by(2);
        Row {
            routes: quoted.filter_map(|route| route.split_once(' ')).collect(),
            names_prompt: said.ends_with("naming a prompt"),
            cells: cells.take(start.matches('|').count() - 2).collect(),
        }
    });
    rows.collect()
}

/// What a route is asked with, so that nothing but the key could be in the way.
fn body(path: &str, names_prompt: bool) -> Value {
    let mut body = match path {
        "/v1/chat/completions" => json!({"messages": [{"role": "user", "content": "Hi"}]}),
        "/v1/responses" | "/v1/embeddings" => json!({"input": "Hi"}),
        "/v1/completions" => json!({"prompt": "Hi"}),
        "/v1/feedback/links" => return json!({"session_id": "s", "name": "helpful"}),
        "/v1/feedback" => return json!({"session_id": "s", "name": "helpful", "value": 1}),
        path if path.ends_with("/traces") => return json!({"resourceSpans": []}),
        path if path.ends_with("/render") => return json!({}),
        "/api/public/v2/prompts" => return json!({"name": "made", "prompt": "Hi"}),
        path if path.starts_with("/api/public/") => return json!({"newLabels": ["dev"]}),
        _ => json!({}),
    };
    if names_prompt {
        body = if path == "/v1/completions" { json!({}) } else { body };
        body["prompt_id"] = if path == "/v1/completions" { "plain".into() } else { PROMPT.into() };
    }
    body["model"] = "gpt-4o-mini".into();
    body
}

fn path(path: &str) -> String {
    path.replace("{name}", PROMPT).replace("{link}", "x").replace("{id}", "gpt-4o-mini")
}

/// A gateway with a prompt of messages and one of text.
async fn open() -> Harness {
    let weir = Harness::start().await;
    weir.publish_saying(PROMPT, "Be kind.").await;
    weir.publish("plain", json!({"text": "Hi", "labels": ["production"]})).await;
    weir
}

#[test]
fn the_table_has_every_path_that_is_told_apart() {
    let table = table(START);
    let walked: Vec<&str> = table.iter().flat_map(|row| &row.routes).map(|(_, path)| *path).collect();
    let code = SURFACE.split("\nfn ").next().unwrap();
    let told_apart = code.split('"').skip(1).step_by(2).filter(|text| text.starts_with('/'));
    let below = [gateway::langfuse::PREFIX, gateway::feedback::PATH, "/v1/feedback/links"];
    let paths: Vec<&str> = told_apart.chain(below).filter(|path| *path != UNSERVED).collect();
    assert!(paths.len() > 15, "the routes were found: {paths:?}");
    for path in paths {
        // `/v1/` alone stands for whatever is passed through.
        let found = walked.iter().any(|known| match path.strip_suffix('/') {
            Some(_) => known.starts_with(path),
            None => *known == path,
        });
        assert!(found, "{path} has no row in docs/ACCESS.md");
    }
}

#[tokio::test]
async fn each_key_may_what_the_table_says() {
    let weir = open().await;
    let scopes = [
        json!({}),
        json!({"read_prompts": false}),
        json!({"passthrough": true}),
        json!({"registered_prompts_only": true}),
    ];
    let mut secrets = Vec::new();
    for scope in scopes {
        secrets.push(weir.key(scope).await);
    }
    secrets.push(weir.admin_token().to_owned());
    let rows = table(START);
    assert!(rows.len() >= 10, "the table was read");
    for row in rows {
        for (method, route) in &row.routes {
            for (secret, cell) in secrets.iter().zip(&row.cells) {
                let body = body(route, row.names_prompt);
                let call = Call::new(weir.data_address(), method, &path(route)).json(&body);
                let answer = call.key(secret).send().await;
                let refused = matches!(answer.status, 401 | 403);
                let what = format!("{method} {route} with {body}: {} {}", answer.status, answer.text());
                assert_eq!(refused, *cell != "yes", "{what}");
                assert!(answer.status < 500, "{what}");
            }
            let keyless = Call::new(weir.data_address(), method, &path(route));
            let keyless = keyless.json(&body(route, row.names_prompt)).send().await;
            let open = ["/healthz", "/readyz", "/v1/feedback/{link}"].contains(route);
            assert_eq!(keyless.status == 401, !open, "{method} {route} without a key: {}", keyless.text());
        }
    }
}

#[tokio::test]
async fn a_list_or_a_project_keeps_out_what_the_table_says() {
    let weir = open().await;
    assert_eq!(weir.admin("POST", "/projects").json(&json!({"name": "shop"})).send().await.status, 201);
    let mut secrets = Vec::new();
    for scope in [
        json!({"prompts": ["support/*"]}),
        json!({"labels": ["staging"]}),
        json!({"models": ["claude-*"]}),
        json!({"project": "shop"}),
    ] {
        secrets.push(weir.key(scope).await);
    }
    let rows = table(OUTSIDE);
    assert_eq!(rows.len(), 7, "the table was read");
    for row in rows {
        for (method, route) in &row.routes {
            for (secret, cell) in secrets.iter().zip(&row.cells) {
                let body = body(route, row.names_prompt);
                let call = Call::new(weir.data_address(), method, &path(route)).json(&body);
                let answer = call.key(secret).send().await;
                let what = format!("{method} {route} with {body}: {} {}", answer.status, answer.text());
                match *cell {
                    "yes" => assert!(answer.status < 300, "{what}"),
                    refused => assert_eq!(answer.status.to_string(), refused, "{what}"),
                }
            }
        }
    }
    for (secret, models_alone) in secrets.iter().zip([false, false, true, false]) {
        let listed = async |path| {
            let answer = weir.call("GET", path).key(secret).send().await.json();
            answer["data"].as_array().unwrap().clone()
        };
        let (prompts, models): (Vec<_>, Vec<_>) =
            listed("/v1/models").await.into_iter().partition(|model| model["owned_by"] == "weir");
        let found = (models.is_empty(), prompts.len(), listed("/api/public/v2/prompts").await.len());
        let expected = if models_alone { (true, 2, 2) } else { (false, 0, 0) };
        assert_eq!(found, expected, "only `models` hides models, and no prompts");
    }
}
