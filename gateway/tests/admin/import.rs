//! `weir import`, as a process of its own against a real gateway.

use registry::Role;
use serde_json::{Value, json};

use crate::commands::weir;
use crate::desk::Desk;
use crate::support::ask;

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/import");

fn file(name: &str) -> String {
    format!("{FILES}/{name}")
}

/// What an import says it did, as JSON.
async fn import(desk: &Desk, words: &[&str]) -> Value {
    weir(desk, &[&["import"], words, &["--json"]].concat()).await.json()
}

/// The prompt of that name in a report.
fn of<'r>(report: &'r Value, name: &str) -> &'r Value {
    let prompts = report["prompts"].as_array().unwrap();
    prompts.iter().find(|prompt| prompt["name"] == *name).unwrap_or_else(|| panic!("no {name} in {report}"))
}

#[tokio::test]
async fn openais_prompts_serve_by_their_ids_and_versions_as_before() {
    let desk = Desk::open().await;
    let path = file("openai.json");
    let planned = import(&desk, &["openai", &path, "--dry-run"]).await;
    assert_eq!((&planned["published"], &planned["dry_run"]), (&json!(2), &json!(true)));
    assert_eq!(desk.get("/prompts").await.json()["data"], json!([]), "a dry run changes nothing");

    let done = import(&desk, &["openai", &path]).await;
    assert_eq!(done["published"], 2, "{done}");
    let prompt = desk.get("/prompts/Support%20reply").await.json();
    let alias = &prompt["aliases"][0];
    assert_eq!((&alias["versions"], &alias["default"]), (&json!({"1": 1, "2": 2}), &json!(2)));

    let mut body = ask();
    body["prompt"] = json!({"id": alias["id"], "version": "1", "variables": {"tone": "kind"}});
    let served = desk.chat(&body).await;
    assert!(served.header("weir-prompt").ends_with("reply@1"), "{}", served.header("weir-prompt"));

    let again = import(&desk, &["openai", &path]).await;
    assert_eq!((&again["published"], &again["already_there"]), (&json!(0), &json!(2)));
    assert_eq!(
        of(&again, "Support reply")["changed"],
        json!([]),
        "a second run finds everything in its place"
    );
}

#[tokio::test]
async fn a_langfuse_server_is_read_whole_and_only_once() {
    let desk = Desk::open().await;
    for (text, labels) in
        [("one", json!([])), ("two {{name}}", json!(["production"])), ("one", json!(["staging"]))]
    {
        let messages = json!([{"role": "user", "content": text}]);
        let new = json!({"messages": messages, "labels": labels, "commit_message": text, "metadata": {"langfuse_config": {"owner": "ann"}}});
        assert_eq!(desk.post("/prompts/support%2Freply/versions", &new).await.status, 201);
    }
    desk.send("PATCH", "/prompts/support%2Freply", &json!({"tags": ["mail"]})).await;
    // A gateway speaks Langfuse's API: it can stand for such a server.
    let url = format!("http://{}", desk.data_address());
    let from = [
        "langfuse",
        "--url",
        &url,
        "--public-key",
        "any",
        "--secret-key",
        desk.api_key(),
        "--folder",
        "copy",
    ];
    let only = [&from[..], &["--name", "support/reply"]].concat();

    let done = import(&desk, &only).await;
    let taken = of(&done, "copy/support/reply");
    assert_eq!(taken["labels"], json!({"production": 2, "staging": 3}), "{done}");
    let copy = desk.get("/prompts/copy%2Fsupport%2Freply").await.json();
    assert_eq!((&copy["latest_version"], &copy["tags"]), (&json!(3), &json!(["mail"])));
    let second = desk.get("/prompts/copy%2Fsupport%2Freply/versions/2").await.json();
    assert_eq!(
        (&second["commit_message"], &second["metadata"]["langfuse_config"]),
        (&json!("two {{name}}"), &json!({"owner": "ann"}))
    );

    let again = import(&desk, &only).await;
    assert_eq!((&again["published"], &of(&again, "copy/support/reply")["labels"]), (&json!(0), &json!({})));
    let moved = json!({"version": 1});
    desk.send("PUT", "/prompts/copy%2Fsupport%2Freply/labels/production", &moved).await;
    let kept = import(&desk, &only).await;
    assert!(of(&kept, "copy/support/reply")["notes"].to_string().contains("stays at version 1"), "{kept}");
    let back = import(&desk, &[&only[..], &["--move-labels"]].concat()).await;
    assert_eq!(of(&back, "copy/support/reply")["labels"], json!({"production": 2}));
    assert_eq!(
        desk.get("/prompts/support%2Freply").await.json()["latest_version"],
        3,
        "the source is only read"
    );

    let wrong = weir(
        &desk,
        &["import", "langfuse", "--url", &url, "--public-key", "any", "--secret-key", "sk-lf-no"],
    )
    .await;
    assert!(!wrong.ok && wrong.err.contains("401") && !wrong.err.contains("sk-lf-no"), "{}", wrong.err);
}

#[tokio::test]
async fn every_kind_of_file_is_taken_in_with_a_report_of_what_is_not() {
    let desk = Desk::open().await;
    for (source, file_name, published) in [
        ("promptlayer", "promptlayer.json", 3),
        ("langsmith", "langsmith.json", 4),
        ("mlflow", "mlflow.json", 2),
        ("promptfoo", "promptfooconfig.yaml", 4),
    ] {
        let path = file(file_name);
        let done = import(&desk, &[source, &path]).await;
        assert_eq!(done["published"], published, "{done}");
        let again = import(&desk, &[source, &path]).await;
        assert_eq!((&again["published"], &again["already_there"]), (&json!(0), &json!(published)), "{again}");
    }
    let said = weir(&desk, &["import", "promptlayer", &file("promptlayer.json")]).await;
    assert!(
        said.ok && said.out.contains("mixed\n  note: version 1 is not carried: its texts"),
        "{}",
        said.out
    );
    assert!(said.out.contains("support-response\n  nothing to do"), "{}", said.out);
    assert!(said.err.contains("0 versions published, 3 already there"), "{}", said.err);
    let examples = desk.get("/prompts/promptfooconfig-1/versions/1").await.json()["examples"].clone();
    assert_eq!(examples, json!([{"variables": {"tone": "kindly", "question": "Where is my order?"}}]));
}

#[tokio::test]
async fn what_may_not_be_done_is_said_and_the_rest_goes_on() {
    let desk = Desk::open().await;
    let made = desk.post("/tokens", &json!({"name": "ci", "role": "editor"})).await.json();
    let editor = ["--admin-token", made["secret"].as_str().unwrap()];
    let path = file("mlflow.json");
    let refused = weir(&desk, &[&["import", "mlflow", &path], &editor[..]].concat()).await;
    assert!(
        !refused.ok && refused.out.contains("label `production` is not put on version 2"),
        "{}",
        refused.out
    );
    assert_eq!(desk.get("/prompts/summarization-prompt").await.json()["latest_version"], 2);

    let taken = json!({"name": "greeting", "aliases": [{"id": "extract"}]});
    assert_eq!(desk.by(Role::Admin, "POST", "/prompts").json(&taken).send().await.status, 201);
    let partly = weir(&desk, &["import", "langsmith", &file("langsmith.json"), &file("greeting.json")]).await;
    assert!(
        !partly.ok && partly.out.contains("failed: `extract` is an alias of prompt `greeting`"),
        "{}",
        partly.out
    );
    assert!(partly.out.contains("support-reply\n  published"), "{}", partly.out);
    let missing = weir(&desk, &["import", "openai", "no-such-file"]).await;
    assert!(!missing.ok && missing.err.contains("cannot read no-such-file"), "{}", missing.err);
}

#[tokio::test]
async fn a_token_held_to_a_folder_imports_into_that_folder_only() {
    let desk = Desk::open().await;
    let new = json!({"name": "ci", "role": "releaser", "folders": ["imported"]});
    let made = desk.post("/tokens", &new).await.json();
    let held = ["--admin-token", made["secret"].as_str().unwrap()];
    let path = file("mlflow.json");
    let outside = weir(&desk, &[&["import", "mlflow", &path], &held[..]].concat()).await;
    assert!(!outside.ok && outside.out.contains("in `imported` only"), "{} {}", outside.out, outside.err);
    assert_eq!(desk.get("/prompts").await.json()["data"], json!([]));

    let inside = [&["import", "mlflow", &path, "--folder", "imported"], &held[..]].concat();
    let inside = weir(&desk, &inside).await;
    assert!(inside.ok, "{} {}", inside.out, inside.err);
    assert_eq!(desk.get("/prompts/imported%2Fsummarization-prompt").await.json()["latest_version"], 2);
}
