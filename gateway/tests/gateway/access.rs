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

/// The routes of one line, whether they name a prompt, and which columns may take them.
struct Row {
    routes: Vec<(&'static str, &'static str)>,
    names_prompt: bool,
    may: Vec<bool>,
}

fn table() -> Vec<Row> {
    let lines = DOCUMENT.lines().skip_while(|line| *line != START).skip(2);
    let rows = lines.take_while(|line| line.starts_with('|')).map(|line| {
        let mut cells = line.strip_prefix('|').unwrap().split('|').map(str::trim);
        let said = cells.next().unwrap();
        let quoted = said.split('`').skip(1).step_by(2);
        Row {
            routes: quoted.filter_map(|route| route.split_once(' ')).collect(),
            names_prompt: said.ends_with("naming a prompt"),
            may: cells.take(5).map(|cell| cell == "yes").collect(),
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
    let table = table();
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
    let rows = table();
    assert!(rows.len() >= 10, "the table was read");
    for row in rows {
        for (method, route) in &row.routes {
            for (secret, may) in secrets.iter().zip(&row.may) {
                let body = body(route, row.names_prompt);
                let call = Call::new(weir.data_address(), method, &path(route)).json(&body);
                let answer = call.key(secret).send().await;
                let refused = matches!(answer.status, 401 | 403);
                let what = format!("{method} {route} with {body}: {} {}", answer.status, answer.text());
                assert_eq!(refused, !may, "{what}");
                assert!(answer.status < 500, "{what}");
            }
            let keyless = Call::new(weir.data_address(), method, &path(route));
            let keyless = keyless.json(&body(route, row.names_prompt)).send().await;
            let open = ["/healthz", "/readyz", "/v1/feedback/{link}"].contains(route);
            assert_eq!(keyless.status == 401, !open, "{method} {route} without a key: {}", keyless.text());
        }
    }
}
