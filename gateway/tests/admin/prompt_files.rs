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
