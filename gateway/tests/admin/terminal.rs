//! What commands say to people: tables, facts, and what to do where they were refused.

use serde_json::{Value, json};

use crate::commands::{Said, weir};
use crate::desk::{Desk, encoded};

/// A command line of words without blanks.
async fn run(desk: &Desk, line: &str) -> Said {
    weir(desk, &line.split(' ').collect::<Vec<_>>()).await
}

/// Asserts that a command is refused, saying this.
async fn refused(desk: &Desk, line: &str, says: &str) {
    let said = run(desk, line).await;
    assert!(!said.ok && said.err.contains(says), "weir {line}: {} {}", said.out, said.err);
}

/// A file with these lines.
fn file(dir: &tempfile::TempDir, name: &str, text: &str) -> String {
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

const REPLY: &str = "---\ndescription: answers customers\ntags: [mail]\naliases:\n- id: pmpt_68ab\n  default: 1\n---\n=== system\nBe kind.\n";

#[tokio::test]
async fn a_prompt_is_made_found_shown_and_moved() {
    let (desk, dir) = (Desk::open().await, tempfile::tempdir().unwrap());
    let path = file(&dir, "reply.prompt", REPLY);
    let made = run(&desk, &format!("prompt create support/reply --file {path}")).await;
    assert_eq!((made.ok, made.err.as_str()), (true, "prompt support/reply@1 (1.0.0) made\n"));
    refused(&desk, &format!("prompt create support/reply --file {path}"), "409").await;
    refused(&desk, "prompt create support/reply", "409").await;
    refused(&desk, "prompt create a//b", "a//b").await;

    let listed = run(&desk, "prompt list --folder support --tag mail -q customers").await.out;
    assert!(listed.starts_with(
        "NAME           TYPE  LATEST  LABELS  TAGS  CHANGED\nsupport/reply  chat  1       -       mail  20"
    ));
    assert_eq!(run(&desk, "prompt list --tag other").await.out.lines().count(), 1);
    let shown = run(&desk, "prompt show support/reply").await.out;
    assert!(shown.contains("aliases      pmpt_68ab → 1\n"), "{shown}");
    let version = run(&desk, "prompt show support/reply@1").await;
    let same = file(&dir, "same.prompt", &version.out);
    assert_eq!(
        run(&desk, &format!("prompt publish support/reply {same}")).await.out,
        "support/reply@1 (1.0.0)\n"
    );
    assert!(version.err.starts_with("support/reply@1 (1.0.0) by bootstrap at 20"), "{}", version.err);
    refused(&desk, "prompt show support/reply@9", "404").await;

    let moved = run(&desk, "prompt edit support/reply --folder help/desk --tags a,b --add-alias old=1").await;
    let words = "prompt support/reply is help/desk/reply now, and answers to the old name too\n";
    assert_eq!((moved.ok, moved.err.as_str()), (true, words));
    let now = run(&desk, "prompt show support/reply --json").await.json();
    assert_eq!(json!([now["name"], now["tags"]]), json!(["help/desk/reply", ["a", "b"]]));
    let ids: Vec<&Value> = now["aliases"].as_array().unwrap().iter().map(|alias| &alias["id"]).collect();
    assert!(["pmpt_68ab", "support/reply", "old"].iter().all(|id| ids.contains(&&json!(id))), "{ids:?}");
    run(&desk, "prompt edit help/desk/reply --remove-alias old").await;
    refused(&desk, "prompt edit help/desk/reply --remove-alias old", "has no alias `old`").await;
    refused(&desk, "prompt edit help/desk/reply", "there is nothing to change").await;
    refused(&desk, "prompt edit nobody --tags x", "404").await;
}

#[tokio::test]
async fn a_prompt_that_serves_is_not_archived() {
    let desk = Desk::open().await;
    desk.publish("a", json!({"text": "one"})).await;
    desk.move_label("a", "production", 1).await;
    refused(&desk, "prompt archive a", "production").await;
    assert!(run(&desk, "label remove a production").await.ok);
    assert_eq!(run(&desk, "prompt archive a").await.err, "prompt a is archived\n");
    assert!(run(&desk, "prompt list --archived").await.out.contains("\na "));
    assert_eq!(run(&desk, "prompt restore a").await.err, "prompt a is back\n");
    refused(&desk, "prompt archive nobody", "404").await;
    refused(&desk, "label remove a production", "404").await;
}

#[tokio::test]
async fn a_file_is_checked_and_published_with_its_lines() {
    let (desk, dir) = (Desk::open().await, tempfile::tempdir().unwrap());
    let bad = file(&dir, "bad.prompt", "---\nengine: jinja\n---\n=== system\nBe {{ tone.\n");
    let bad_at = format!("{bad}: line 5: ");
    refused(&desk, &format!("prompt check {bad}"), &bad_at).await;
    refused(&desk, &format!("prompt publish a {bad}"), "messages[0]: line 1, column 11: ").await;
    let wrong = "---\nexamples:\n- variables: {tone: kind}\n  expect: {contains: rude}\n---\n=== system\nBe {{tone}}.\n";
    let wrong = file(&dir, "wrong.prompt", wrong);
    refused(&desk, &format!("prompt check {wrong}"), "examples[0]: ").await;

    let good = file(&dir, "good.prompt", REPLY);
    let said = run(&desk, &format!("prompt check {good} {wrong}")).await;
    assert!(!said.ok && said.err.ends_with("2 files checked, 1 with problems\n"), "{}", said.err);
    let published = run(&desk, &format!("prompt publish a {good} -m first --label staging")).await;
    assert_eq!(published.out, "a@1 (1.0.0)\n");
    refused(&desk, &format!("prompt publish a {good} --expect 7"), "409").await;
    refused(&desk, "prompt publish a /nowhere.prompt", "cannot read /nowhere.prompt").await;
    let versions = run(&desk, "prompt versions a").await.out;
    assert!(versions.contains("\n1        1.0.0   -       staging  bootstrap  20"), "{versions}");
    assert!(versions.ends_with("  first\n"), "{versions}");
}

#[tokio::test]
async fn a_draft_is_kept_with_its_problems_and_published_without() {
    let (desk, dir) = (Desk::open().await, tempfile::tempdir().unwrap());
    desk.publish("a", json!({"messages": [{"role": "system", "content": "one"}]})).await;
    refused(&desk, "prompt draft show a", "404").await;
    let path = file(&dir, "a.prompt", "---\nengine: jinja\n---\n=== system\nBe {{ tone.\n");
    let saved = run(&desk, &format!("prompt draft save a {path}")).await;
    let words = format!("your draft of a, begun from version 1\n{path}: line 5: ");
    assert!(saved.ok && saved.err.starts_with(&words), "{}", saved.err);
    refused(&desk, "prompt draft publish a", "messages[0]: line 1, column 11: ").await;
    let shown = run(&desk, "prompt draft show a").await;
    assert!(shown.ok && shown.out.ends_with("=== system\nBe {{ tone.\n"), "{}", shown.out);

    std::fs::write(&path, "---\n---\n=== system\nBe {{tone}}.\n").unwrap();
    assert!(run(&desk, &format!("prompt draft save a {path} -m warmer")).await.ok);
    assert_eq!(run(&desk, "prompt draft publish a --label staging").await.out, "a@2 (2.0.0)\n");
    refused(&desk, "prompt draft discard a", "404").await;
}

#[tokio::test]
async fn lists_come_in_pages() {
    let desk = Desk::open().await;
    for n in 0..5 {
        desk.post("/prompts", &json!({"name": format!("p{n}")})).await;
    }
    let first = run(&desk, "prompt list --limit 2").await;
    assert_eq!(first.out.lines().count(), 3);
    let cursor = first.err.split("--cursor ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    assert!(run(&desk, &format!("prompt list --limit 2 --cursor {cursor}")).await.out.contains("\np2 "));
    let all = run(&desk, "prompt list --all --json").await.json();
    assert_eq!((all["data"].as_array().unwrap().len(), &all["next_cursor"]), (5, &Value::Null));
    refused(&desk, "prompt list --limit 0", "`limit` must be 1 to 1000").await;
    refused(&desk, "prompt list --cursor nonsense", "cursor").await;
    refused(&desk, "prompt list --all --limit 2", "cannot be used with").await;
}

#[tokio::test]
async fn keys_webhooks_and_views_go_by_their_names() {
    let desk = Desk::open().await;
    for _ in 0..2 {
        assert!(run(&desk, "key create twin").await.ok);
    }
    refused(&desk, "key show twin", "2 keys are named `twin`: name one by its id").await;
    refused(&desk, "key show nobody", "there is no key `nobody`: `weir key list` shows them").await;
    let key = run(&desk, "key create till --models openai/* --read-prompts=false --json").await.json();
    assert_eq!(json!([key["models"], key["read_prompts"]]), json!([["openai/*"], false]));
    assert!(run(&desk, "key show till").await.out.contains("\nmodels                   openai/*\n"));
    refused(&desk, "key edit till", "there is nothing to change").await;
    refused(&desk, "key edit till --expires-at 2001-01-01T00:00:00Z", "has passed").await;
    assert!(run(&desk, "key revoke till").await.ok);
    refused(&desk, "key revoke till", "there is no key `till`").await;
    refused(&desk, "token show nobody", "there is no token `nobody`").await;
    refused(&desk, "project show nobody", "404").await;

    refused(&desk, "webhook create pager ftp://example.com", "http").await;
    assert!(run(&desk, "webhook create pager https://hooks.example.com/x --events label.*").await.ok);
    assert!(run(&desk, "webhook list").await.out.contains("  pager  https://hooks.example.com/"));
    refused(&desk, "webhook edit pager --events nothing.*", "nothing.*").await;
    refused(&desk, "webhook test other", "there is no webhook `other`").await;
    refused(&desk, "webhook replay 019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d", "404").await;
    // No request goes to a private address.
    assert!(run(&desk, "webhook create home http://127.0.0.1:9").await.ok);
    refused(&desk, "webhook test home --json", "").await;

    assert!(run(&desk, "view create slow -q latency>5s").await.ok);
    refused(&desk, "view create slow -q latency>5s", "409").await;
    refused(&desk, "view create odd -q colour:red", "there is no field `colour`").await;
    refused(&desk, "view create costs --kind report", "needs its `report`").await;
    refused(&desk, "view create late --from -1h --to -2h", "must lie before `to`").await;
    refused(&desk, "view show other", "there is no view `other`").await;
}

#[tokio::test]
async fn a_search_that_nobody_quoted_or_that_ends_before_it_begins_is_refused() {
    let desk = Desk::open().await;
    for line in
        ["calls search refund policy", "calls count a b", "session list a b", "trace list a b", "export a b"]
    {
        refused(&desk, line, "put quotes around all of it").await;
    }
    for line in
        ["calls search", "calls count", "export", "trace list", "session list", "score list", "audit list"]
    {
        refused(&desk, &format!("{line} --from -1h --to -2h"), "must lie before `to`").await;
    }
    for path in [
        "/calls",
        "/calls/count",
        "/calls/export",
        "/calls/values?field=model",
        "/traces",
        "/sessions",
        "/scores",
        "/audit",
    ] {
        let and = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{and}from={}&to={}", encoded("2026-01-02"), encoded("2026-01-01"));
        let answer = desk.get(&path).await;
        assert_eq!((answer.status, &answer.json()["error"]["param"]), (400, &json!("from")), "{path}");
    }
}

#[tokio::test]
async fn scores_are_given_to_something() {
    let desk = Desk::open().await;
    refused(&desk, "score add helpful 1", "say what it judges: --call, --trace or --session").await;
    refused(&desk, "score add helpful 1 --session s --trace t", "cannot be used with").await;
    refused(&desk, "score add helpful much --session s", "value").await;
    let added = run(&desk, "score add helpful false --session s").await;
    assert_eq!((added.ok, added.err.as_str()), (true, "helpful is 0.0 for session s\n"));
    let listed = run(&desk, "score list --name helpful").await.out;
    assert!(listed.lines().nth(1).unwrap().contains("  helpful  0.0    session s  "), "{listed}");
    refused(&desk, "session show nobody", "there is no session `nobody`").await;
}

#[tokio::test]
async fn a_configuration_without_a_provider_is_told_so() {
    let (desk, dir) = (Desk::open().await, tempfile::tempdir().unwrap());
    let path = file(&dir, "weir.toml", "");
    let checked = run(&desk, &format!("check --config {path}")).await;
    assert!(checked.out.contains("no provider is configured"), "{} {}", checked.out, checked.err);
}

#[tokio::test]
async fn release_label_and_experiment_say_why_not() {
    let desk = Desk::open().await;
    desk.publish("a", json!({"text": "one"})).await;
    let id = "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d";
    for deed in ["approve", "reject", "withdraw", "release", "pause", "resume", "advance", "abort", "show"] {
        refused(&desk, &format!("release {deed} {id}"), "404").await;
    }
    refused(&desk, "release list --state odd", "odd").await;
    refused(&desk, "release propose a production 9", "404").await;
    refused(&desk, "label move a production 9", "404").await;
    refused(&desk, "label rollback a production", "4").await;
    refused(&desk, "label policy production --freeze soon", "not an RFC 3339 time").await;
    refused(&desk, "label policy --approvals 1", "required").await;
    refused(&desk, "experiment show a production", "404").await;
    refused(&desk, "experiment start a trial --arm b=1 --arm c=1 --exclude-metadata tier", "write KEY=VALUE")
        .await;
    let policy = "label policy production --approvals 1 --contract-check true --freeze 2001-01-01T00:00:00Z";
    let set = run(&desk, policy).await;
    assert!(
        set.ok && set.out.contains("\nfreeze          2001-01-01T00:00:00.000000Z until lifted\n"),
        "{} {}",
        set.out,
        set.err
    );
    refused(&desk, "label move a production 1", "is frozen until an admin lifts it").await;
}
