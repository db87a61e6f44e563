//! `weir prompt`: prompts as files, compared, tested and pushed.

use std::path::Path;

use serde_json::json;

use crate::commands::weir;
use crate::desk::Desk;

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

const REPLY: &str = "---
type: chat
variables:
  name:
    type: string
    example: Ben
examples:
- variables:
    name: Ann
  expect:
    contains: Ann
    matches: ^Dear
    max_tokens: 20
---
=== user
Dear {{name}}, {{name}}
";

#[tokio::test]
async fn a_folder_of_prompts_is_tested_without_a_gateway() {
    let desk = Desk::open().await;
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    write(folder.path(), "support/reply.prompt", REPLY);
    write(folder.path(), "plain.prompt", "---\ntype: text\n---\nHello {{name}}\n");
    let nowhere = ["prompt", "test", dir, "--admin-url", "http://127.0.0.1:1"];

    let fine = weir(&desk, &nowhere).await;
    assert!(fine.ok, "{} {}", fine.out, fine.err);
    assert!(fine.out.contains("ok    support/reply: 2 rendered\n"), "{}", fine.out);
    assert!(fine.out.contains("ok    plain: compiles; it has no example to render it with"), "{}", fine.out);

    write(folder.path(), "support/reply.prompt", &REPLY.replace("contains: Ann", "contains: Cy"));
    write(folder.path(), "broken.prompt", "---\nengine: jinja\n---\n=== user\none\n{% if %}\n");
    let failed = weir(&desk, &nowhere).await;
    assert!(!failed.ok);
    assert!(
        failed.out.contains("FAIL  support/reply: examples[0]: does not contain \"Cy\""),
        "{}",
        failed.out
    );
    assert!(failed.out.contains("FAIL  broken: line 6: "), "{}", failed.out);
    assert!(failed.err.contains("3 prompts tested with 2 renderings, 2 failed"), "{}", failed.err);
    let json = weir(&desk, &[&nowhere[..], &["--json"]].concat()).await;
    let outcomes: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(
        (json.ok, &outcomes[1]["prompt"], &outcomes[1]["passed"]),
        (false, &json!("plain"), &json!(true))
    );
}

#[tokio::test]
async fn examples_travel_with_their_prompt() {
    let desk = Desk::open().await;
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    write(folder.path(), "support/reply.prompt", REPLY);

    let pushed = weir(&desk, &["prompt", "push", dir]).await;
    assert!(pushed.ok && pushed.out.contains("support/reply@1"), "{} {}", pushed.out, pushed.err);
    let stored = desk.get("/prompts/support%2Freply/versions/1").await.json();
    assert_eq!(stored["examples"][0]["expect"]["contains"], "Ann");
    assert!(weir(&desk, &["prompt", "diff", dir]).await.ok, "a folder just pushed is as registered");

    write(folder.path(), "support/reply.prompt", &REPLY.replace("max_tokens: 20", "max_tokens: 9"));
    let again = weir(&desk, &["prompt", "push", dir]).await;
    assert!(again.out.contains("support/reply@2 (1.0.1)"), "{} {}", again.out, again.err);
    let unchanged = weir(&desk, &["prompt", "push", dir]).await;
    assert!(unchanged.ok && unchanged.err.contains("0 of 1 prompts published"), "{}", unchanged.err);
    let labelled = weir(&desk, &["prompt", "push", dir, "--label", "staging"]).await;
    assert!(labelled.ok && labelled.err.contains("weir label move"), "{}", labelled.err);
}

#[tokio::test]
async fn a_file_under_an_old_name_is_not_pushed_onto_the_prompt_that_had_it() {
    let desk = Desk::open().await;
    desk.publish_saying("support/reply", "Be kind.").await;
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    write(folder.path(), "support/reply.prompt", REPLY);
    let renamed = weir(&desk, &["prompt", "edit", "support/reply", "--name", "support/answer"]).await;
    assert!(renamed.ok, "{}", renamed.err);

    for rehearsal in [&["--dry-run"][..], &[]] {
        let pushed = weir(&desk, &[&["prompt", "push", dir][..], rehearsal].concat()).await;
        assert!(
            !pushed.ok && pushed.err.contains("`support/reply` is an alias of prompt `support/answer`"),
            "{} {}",
            pushed.out,
            pushed.err
        );
    }
    let latest = desk.get("/prompts/support%2Fanswer").await.json();
    assert_eq!(latest["latest_version"].as_u64(), Some(1), "{latest}");
}

#[tokio::test]
async fn versions_of_a_prompt_are_compared() {
    let desk = Desk::open().await;
    desk.publish_saying("support/reply", "Be kind.").await;
    desk.publish_saying("support/reply", "Be very kind.").await;

    let diff = weir(&desk, &["prompt", "diff", "support/reply", "--from", "1"]).await;
    assert!(!diff.ok && diff.out.contains("~Be {+very +}kind."), "{} {}", diff.out, diff.err);
    let json = weir(&desk, &["prompt", "diff", "support/reply", "--to", "production", "--json"]).await;
    assert!(json.out.contains("\"impact\":\"patch\""), "{} {}", json.out, json.err);
    let same = weir(&desk, &["prompt", "diff", "support/reply", "--from", "2", "--to", "2"]).await;
    assert!(same.ok && same.out.is_empty(), "{} {}", same.out, same.err);
    let wrong = weir(&desk, &["prompt", "diff", "support/reply", "--from", "9"]).await;
    assert!(!wrong.ok && wrong.err.contains("has no version `9`"), "{}", wrong.err);
}

#[tokio::test]
async fn prompts_of_a_folder_include_each_other() {
    let desk = Desk::open().await;
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    let reply = "---
type: chat
engine: jinja
examples:
- variables:
    how: kind
  expect:
    contains: Be kind.
---
=== include snippets/tone role=system

=== user
{% include \"snippets/tone\" %} Please.
";
    write(folder.path(), "a/reply.prompt", reply);
    write(
        folder.path(),
        "snippets/tone.prompt",
        "---\ntype: text\nlabels:\n- production\n---\nBe {{how}}.\n",
    );

    let tested = weir(&desk, &["prompt", "test", dir]).await;
    assert!(tested.ok && tested.out.contains("ok    a/reply: 1 rendered"), "{} {}", tested.out, tested.err);
    let pushed = weir(&desk, &["prompt", "push", dir]).await;
    assert!(pushed.ok, "{} {}", pushed.out, pushed.err);
    assert!(pushed.out.starts_with("snippets/tone@1"), "what is included comes first: {}", pushed.out);
    let same = weir(&desk, &["prompt", "diff", dir]).await;
    assert!(same.ok, "a name without a version is what it was pinned to: {}", same.out);

    let pulled = tempfile::tempdir().unwrap();
    assert!(weir(&desk, &["prompt", "pull", pulled.path().to_str().unwrap()]).await.ok);
    let text = std::fs::read_to_string(pulled.path().join("a/reply.prompt")).unwrap();
    assert!(text.contains("=== include snippets/tone@1 role=system"), "{text}");
    assert!(text.contains("{% include \"snippets/tone@1\" %}"), "{text}");
    assert!(weir(&desk, &["prompt", "test", pulled.path().to_str().unwrap()]).await.ok);
}

#[tokio::test]
async fn a_draft_is_kept_shown_compared_rendered_and_published() {
    let desk = Desk::open().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("reply.prompt");
    let path = file.to_str().unwrap();
    desk.publish("support/reply", json!({"messages": [{"role": "user", "content": "Hello"}]})).await;

    std::fs::write(&file, "---\nengine: jinja\n---\n=== user\none\n{% if %}\n").unwrap();
    let broken = weir(&desk, &["prompt", "draft", "save", "support/reply", path]).await;
    assert!(broken.ok && broken.err.contains("line 6: "), "{} {}", broken.out, broken.err);
    std::fs::write(&file, REPLY).unwrap();
    let kept = weir(&desk, &["prompt", "draft", "save", "support/reply", path, "-m", "Warmer"]).await;
    assert!(kept.ok && kept.err.contains("begun from version 1"), "{} {}", kept.out, kept.err);

    let shown = weir(&desk, &["prompt", "draft", "show", "support/reply"]).await;
    std::fs::write(&file, &shown.out).unwrap();
    let again = weir(&desk, &["prompt", "draft", "save", "support/reply", path]).await;
    assert!(again.ok && shown.out.contains("=== user\nDear {{name}}, {{name}}\n"), "{}", shown.out);
    assert_eq!(weir(&desk, &["prompt", "draft", "show", "support/reply"]).await.out, shown.out);
    let diff = weir(&desk, &["prompt", "diff", "support/reply", "--to", "draft"]).await;
    assert!(!diff.ok && diff.out.contains("{{name}}"), "{} {}", diff.out, diff.err);
    let render = weir(&desk, &["prompt", "render", "support/reply@draft", "--var", "name=Ann"]).await;
    assert!(render.ok && render.out.contains("Dear Ann, Ann"), "{} {}", render.out, render.err);
    let made = weir(&desk, &["prompt", "draft", "publish", "support/reply", "--label", "staging"]).await;
    assert!(made.ok && made.out.contains("support/reply@2 ("), "{} {}", made.out, made.err);
    let gone = weir(&desk, &["prompt", "draft", "discard", "support/reply"]).await;
    assert!(!gone.ok && gone.err.contains("has no draft"), "{} {}", gone.out, gone.err);
}

/// Everything a version can hold, in every engine.
fn whole(engine: &str, text: &str) -> serde_json::Value {
    json!({
        "messages": [
            {"include": "snippets/tone@1", "role": "developer"},
            {"include": "snippets/tone@staging"},
            {"role": "system", "content": text, "name": "a b"},
            {"role": "user", "content": [
                {"type": "text", "text": "=== user\n---"},
                {"type": "image_url", "image_url": {"url": "https://weir.example/a.png", "detail": "low"}},
            ]},
            {"role": "assistant", "content": null, "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "content": "4\n\n", "tool_call_id": "1"},
            {"placeholder": "history"},
        ],
        "engine": engine,
        "variables": {
            "x": {"type": "string", "required": false, "default": null, "description": "a: b", "example": "no"},
            "how": {"type": "string"},
        },
        "model": "gpt-4o",
        "fallbacks": ["gpt-4o-mini", {"model": "o3", "parameters": {"temperature": null}, "response_format": null}],
        "parameters": {"temperature": 0.1, "stop": ["---", "yes"], "max_tokens": 100},
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "tool_choice": "auto",
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
        "locked": ["temperature", "tools"],
        "metadata": {"owner": "ann", "n": 1e3, "deep": [{"a": null}]},
        "examples": [{"variables": {"x": "1", "how": "kind"}, "expect": {"contains": ["4"], "max_tokens": 900}}],
    })
}

#[tokio::test]
async fn everything_a_version_holds_goes_through_files_unchanged() {
    let desk = Desk::open().await;
    let tone = json!({"text": "Be {{how}}.", "labels": ["production", "staging"]});
    desk.publish("snippets/tone", tone.clone()).await;
    for (name, content) in [
        ("plain", whole("plain", "{{x}} {\"a\": {}} {{#if}}")),
        ("fstring", whole("fstring", "{x} {{literal}}")),
        ("deep/jinja", whole("jinja", "{% if x %}{{ x }}{% endif %}\n\n{# a #}\n")),
        ("text", json!({"text": "\n{{x}}\r\n\n", "metadata": {"a": 1}})),
    ] {
        let made = desk.post(&format!("/prompts/{}/versions", name.replace('/', "%2F")), &content).await;
        assert_eq!(made.status, 201, "{name}: {}", made.text());
    }
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    assert!(weir(&desk, &["prompt", "pull", dir]).await.ok);

    let other = Desk::open().await;
    other.publish("snippets/tone", tone).await;
    let plan = weir(&other, &["prompt", "push", dir, "--dry-run"]).await;
    assert!(plan.ok && plan.out.contains("would publish deep/jinja (new)"), "{} {}", plan.out, plan.err);
    assert_eq!(other.get("/prompts/plain").await.status, 404, "a plan publishes nothing");
    let pushed = weir(&other, &["prompt", "push", dir]).await;
    assert!(pushed.ok && pushed.err.contains("4 of 5 prompts published"), "{} {}", pushed.out, pushed.err);

    for name in ["plain", "fstring", "deep%2Fjinja", "text"] {
        let path = format!("/prompts/{name}/versions/1");
        let (mut here, mut there) = (desk.get(&path).await.json(), other.get(&path).await.json());
        for version in [&mut here, &mut there] {
            version.as_object_mut().unwrap().retain(|field, _| field != "created_at" && field != "author");
        }
        assert_eq!(here, there, "{name}");
    }
    assert!(weir(&other, &["prompt", "diff", dir]).await.ok, "a folder just pushed is as registered");
    let again = weir(&other, &["prompt", "push", dir, "--dry-run"]).await;
    assert!(again.ok && again.err.contains("0 of 5 prompts to publish"), "{} {}", again.out, again.err);
}

#[tokio::test]
async fn what_cannot_be_done_says_so_and_fails() {
    let desk = Desk::open().await;
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    let fails = async |arguments: &[&str], says: &str| {
        let failed = weir(&desk, arguments).await;
        assert!(!failed.ok && failed.err.contains(says), "{arguments:?}: {} {}", failed.out, failed.err);
    };
    fails(&["prompt", "push", dir], "there is no prompt file").await;
    fails(&["prompt", "test", dir], "there is no prompt file").await;
    write(folder.path(), "broken.prompt", "---\nengine: jinja\n---\n=== user\none\n{% if %}\n");
    fails(&["prompt", "push", dir], "cannot publish `broken`").await;
    write(folder.path(), "broken.prompt", "---\nmodle: x\n---\n=== user\n");
    for command in ["push", "diff"] {
        fails(&["prompt", command, dir], "line 2, column 1: unknown field `modle`").await;
    }
    fails(&["prompt", "render", "nobody"], "there is no prompt `nobody`").await;
    fails(&["prompt", "render", "nobody", "--var", "x"], "write NAME=VALUE").await;
    fails(&["prompt", "draft", "show", "nobody"], "nobody").await;
}

#[tokio::test]
async fn what_a_file_leaves_out_stays_as_it_is() {
    let desk = Desk::open().await;
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    let version =
        json!({"text": "Hi", "metadata": {"owner": "ann"}, "examples": [{"expect": {"contains": "Hi"}}]});
    desk.publish("a", version).await;
    desk.send("PATCH", "/prompts/a", &json!({"description": "greets", "tags": ["x"]})).await;
    write(folder.path(), "a.prompt", "---\ntype: text\n---\nHi\n");

    assert!(weir(&desk, &["prompt", "diff", dir]).await.ok);
    let pushed = weir(&desk, &["prompt", "push", dir]).await;
    assert!(pushed.ok && pushed.err.contains("0 of 1 prompts published"), "{} {}", pushed.out, pushed.err);

    write(folder.path(), "a.prompt", "---\ntype: text\nmetadata:\n  owner: ben\n---\nHi\n");
    let pushed = weir(&desk, &["prompt", "push", dir]).await;
    assert!(
        pushed.out.contains("a@2 (1.0.1)"),
        "metadata that are given are not lost: {} {}",
        pushed.out,
        pushed.err
    );
    assert_eq!(desk.get("/prompts/a/versions/2").await.json()["metadata"]["owner"], "ben");
}
