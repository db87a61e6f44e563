//! Langfuse's API as its SDKs speak it: shapes, key pairs, refusals, and what cannot be said.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::{Answer, Call, Harness, ask};

const PROMPTS: &str = "/api/public/v2/prompts";
const REPLY: &str = "/api/public/v2/prompts/support%2Freply";

/// A call with a pair of keys, of which the second counts.
fn paired(call: Call, password: &str) -> Call {
    let pair = STANDARD.encode(format!("pk-lf-anything:{password}"));
    call.header("authorization", &format!("Basic {pair}"))
}

async fn read(weir: &Harness, path: &str) -> Answer {
    paired(weir.call("GET", path), weir.api_key()).send().await
}

async fn write(weir: &Harness, method: &str, path: &str, body: &Value) -> Answer {
    paired(weir.call(method, path), weir.admin_token()).json(body).send().await
}

async fn create(weir: &Harness, body: &Value) -> Value {
    let answer = write(weir, "POST", PROMPTS, body).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()
}

fn chat(text: &str) -> Value {
    json!({
        "name": "support/reply",
        "type": "chat",
        "prompt": [{"role": "system", "content": text}, {"type": "placeholder", "name": "history"}],
        "labels": ["production"],
    })
}

/// Status, message and name of an error.
fn refused(answer: &Answer) -> (u16, String, Value) {
    let body = answer.json();
    assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), ["message", "error"], "{body}");
    (answer.status, body["message"].as_str().unwrap().to_owned(), body["error"].clone())
}

/// What is wrong with the data: where, and in what words.
fn issue(answer: &Answer) -> (Value, String) {
    let (status, message, error) = refused(answer);
    assert_eq!((status, message.as_str()), (400, "Invalid request data"), "{error}");
    (error[0]["path"].clone(), error[0]["message"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_version_reads_as_langfuse_writes_it() {
    let weir = Harness::start().await;
    let mut new = chat("Hi {{name}}");
    new["config"] = json!({"model": "gpt-4o-mini", "temperature": 0.2, "owner": "ann"});
    new["tags"] = json!(["support"]);
    new["commitMessage"] = json!("Sound warmer");

    let made = create(&weir, &new).await;
    let row = read(&weir, REPLY).await.json();

    assert_eq!(made, row);
    for (field, value) in [
        ("name", json!("support/reply")),
        ("version", json!(1)),
        ("type", json!("chat")),
        ("prompt", new["prompt"].clone()),
        ("config", new["config"].clone()),
        ("labels", json!(["production", "latest"])),
        ("tags", json!(["support"])),
        ("commitMessage", json!("Sound warmer")),
        ("resolutionGraph", Value::Null),
        ("isActive", json!(true)),
        ("projectId", json!("default")),
    ] {
        assert_eq!(row[field], value, "{field}");
    }
    let fields = ["id", "createdAt", "updatedAt", "createdBy"];
    assert!(fields.iter().all(|field| row[field].is_string()), "{row}");
}

#[tokio::test]
async fn what_was_written_through_langfuse_serves_calls_with_its_model_and_parameters() {
    let weir = Harness::start().await;
    let mut new = chat("Hi {{name}}");
    new["config"] = json!({"model": "gpt-4o-mini", "temperature": 0.2, "owner": "ann"});
    create(&weir, &new).await;

    let mut body = ask();
    body["model"] = json!("");
    body["prompt"] = json!({"id": "support/reply", "variables": {"name": "Ada"}});
    assert_eq!(weir.chat(&body).await.status, 200);

    let sent = weir.provider.only().json();
    assert_eq!((&sent["model"], &sent["temperature"]), (&json!("gpt-4o-mini"), &json!(0.2)));
    assert_eq!(sent["messages"][0]["content"], "Hi Ada");
    assert!(sent.get("owner").is_none(), "{sent}");
}

#[tokio::test]
async fn versions_are_found_by_label_by_number_and_by_production_alone() {
    let weir = Harness::start().await;
    create(&weir, &chat("one")).await;
    let mut second = chat("two");
    second["labels"] = json!(["staging"]);
    create(&weir, &second).await;

    for (query, version) in [
        ("", 1),
        ("?label=production", 1),
        ("?label=staging", 2),
        ("?label=latest", 2),
        ("?version=2&resolve=false", 2),
    ] {
        let answer = read(&weir, &format!("{REPLY}{query}")).await;
        assert_eq!((answer.status, &answer.json()["version"]), (200, &json!(version)), "{query}");
    }
    let both = read(&weir, &format!("{REPLY}?version=1&label=production")).await;
    let words = "Cannot specify both version and label".to_owned();
    assert_eq!(refused(&both), (400, words, json!("InvalidRequestError")));
    let odd = read(&weir, &format!("{REPLY}?version=one")).await;
    assert_eq!(issue(&odd).0, json!(["version"]));
}

#[tokio::test]
async fn a_split_label_gives_readers_their_part() {
    let weir = Harness::start().await;
    create(&weir, &chat("one")).await;
    let mut second = chat("two");
    second["labels"] = json!([]);
    create(&weir, &second).await;
    let arm = |version: u32| json!({"name": format!("v{version}"), "version": version, "weight": 1});
    let plan = json!({"arms": [arm(1), arm(2)], "unit": "user", "state": "running"});
    let put = weir.admin("PUT", "/prompts/support%2Freply/experiments/production").json(&plan).send().await;
    assert_eq!(put.status, 200, "{}", put.text());

    for number in 0..8 {
        let user = format!("user-{number}");
        let body = json!({"prompt": {"id": "support/reply"}, "weir": {"user": user}});
        let called = weir.chat(&body).await;
        let reads = paired(weir.call("GET", REPLY), weir.api_key()).header("weir-user", &user).send().await;
        assert_eq!(format!("support/reply@{}", reads.json()["version"]), called.header("weir-prompt"));
        assert_eq!(reads.header("weir-experiment"), called.header("weir-experiment"));
    }
    let mut dealt = BTreeSet::new();
    for _ in 0..64 {
        dealt.insert(read(&weir, REPLY).await.json()["version"].as_u64());
    }
    assert_eq!(dealt, BTreeSet::from([Some(1), Some(2)]), "each reading by itself");
    for _ in 0..8 {
        let read = paired(weir.call("GET", REPLY), weir.admin_token()).send().await;
        assert_eq!(read.json()["version"], 1, "whoever manages prompts sees what the label points at");
    }
    assert_eq!(read(&weir, &format!("{REPLY}?version=1")).await.json()["version"], 1);
}

#[tokio::test]
async fn what_is_not_there_is_said_in_langfuses_words() {
    let weir = Harness::start().await;
    create(&weir, &chat("one")).await;

    for (path, words) in [
        (REPLY.to_owned() + "?label=Prod", "Prompt not found: 'support/reply' with label 'Prod'"),
        (REPLY.to_owned() + "?version=9", "Prompt not found: 'support/reply' with version 9"),
        (PROMPTS.to_owned() + "/nobody", "Prompt not found: 'nobody' with label 'production'"),
        (PROMPTS.to_owned() + "/a%7Cb", "Prompt not found: 'a|b' with label 'production'"),
    ] {
        assert_eq!(
            refused(&read(&weir, &path).await),
            (404, words.to_owned(), json!("LangfuseNotFoundError"))
        );
    }
    let elsewhere = read(&weir, "/api/public/ingestion").await;
    assert_eq!(refused(&elsewhere).2, "LangfuseNotFoundError");
    let put = write(&weir, "PUT", PROMPTS, &json!({})).await;
    assert_eq!((put.status, refused(&put).2), (405, json!("MethodNotAllowedError")));
}

#[tokio::test]
async fn a_virtual_key_reads_within_its_scope_and_never_writes() {
    let weir = Harness::start().await;
    create(&weir, &chat("one")).await;
    let mut other = chat("two");
    other["name"] = json!("sales/pitch");
    create(&weir, &other).await;

    let wrong = paired(weir.call("GET", REPLY), "sk-lf-wrong").send().await;
    assert_eq!((wrong.status, refused(&wrong).2), (401, json!("UnauthorizedError")));
    let none = weir.call("GET", REPLY).without_key().send().await;
    assert_eq!((none.status, none.header("www-authenticate")), (401, "Basic realm=\"weir\""));
    let posted = paired(weir.call("POST", PROMPTS), weir.api_key()).json(&chat("two")).send().await;
    assert_eq!((posted.status, refused(&posted).2), (403, json!("ForbiddenError")));

    let held = weir.key(json!({"prompts": ["support/*"], "labels": ["production"]})).await;
    let get = async |path: &str| paired(weir.call("GET", path), &held).send().await;
    assert_eq!(get(REPLY).await.status, 200);
    for path in
        [format!("{PROMPTS}/sales%2Fpitch"), format!("{REPLY}?version=1"), format!("{REPLY}?label=latest")]
    {
        assert_eq!(get(&path).await.status, 403, "{path}");
    }
    let listed = get(PROMPTS).await.json();
    assert_eq!(
        (&listed["meta"]["totalItems"], &listed["data"][0]["name"]),
        (&json!(1), &json!("support/reply"))
    );
    let blind = weir.key(json!({"read_prompts": false})).await;
    for path in [REPLY, PROMPTS] {
        assert_eq!(paired(weir.call("GET", path), &blind).send().await.status, 403, "{path}");
    }
}

#[tokio::test]
async fn a_role_reaches_as_far_as_on_the_admin_api() {
    let weir = Harness::start().await;
    let token = json!({"name": "ci", "role": "editor"});
    let editor = weir.admin("POST", "/tokens").json(&token).send().await.json()["secret"].clone();
    let editor = editor.as_str().unwrap();
    let post = async |body: &Value| paired(weir.call("POST", PROMPTS), editor).json(body).send().await;

    assert_eq!(refused(&post(&chat("one")).await).2, "ForbiddenError", "production takes a releaser");
    assert_eq!(read(&weir, REPLY).await.status, 404, "nothing was published halfway");
    let mut staged = chat("one");
    staged["labels"] = json!(["staging"]);
    assert_eq!(post(&staged).await.status, 201);
    let read = paired(weir.call("GET", &format!("{REPLY}?label=staging")), editor).send().await;
    assert_eq!(read.json()["createdBy"], "ci");
    let moved = paired(weir.call("PATCH", &format!("{REPLY}/versions/1")), editor);
    assert_eq!(moved.json(&json!({"newLabels": ["eu", "production"]})).send().await.status, 403);
    let labels = paired(weir.call("GET", &format!("{REPLY}?version=1")), editor).send().await.json();
    assert_eq!(labels["labels"], json!(["staging", "latest"]), "nothing was moved halfway");
}

#[tokio::test]
async fn the_same_again_is_the_version_there_is_and_other_config_is_a_new_one() {
    let weir = Harness::start().await;
    let mut new = chat("one");
    new["config"] = json!({"owner": "ann"});
    assert_eq!(create(&weir, &new).await["version"], 1);
    assert_eq!(create(&weir, &new).await["version"], 1);
    new["config"] = json!({"owner": "bob"});
    let second = create(&weir, &new).await;
    assert_eq!((&second["version"], &second["config"]), (&json!(2), &json!({"owner": "bob"})));
    assert_eq!(read(&weir, &format!("{REPLY}?version=1")).await.json()["config"], json!({"owner": "ann"}));
}

#[tokio::test]
async fn new_labels_are_added_to_those_a_version_has() {
    let weir = Harness::start().await;
    create(&weir, &chat("one")).await;
    create(&weir, &chat("two")).await;

    let path = format!("{REPLY}/versions/1");
    let patched = write(&weir, "PATCH", &path, &json!({"newLabels": ["production", "eu.1"]})).await;
    assert_eq!((patched.status, &patched.json()["labels"]), (200, &json!(["eu.1", "production"])));
    let again = write(&weir, "PATCH", &path, &json!({"newLabels": ["staging"]})).await.json();
    assert_eq!(again["labels"], json!(["eu.1", "production", "staging"]));

    let latest = write(&weir, "PATCH", &path, &json!({"newLabels": ["a", "latest"]})).await;
    assert_eq!(issue(&latest).0, json!(["newLabels", 1]));
    let missing = write(&weir, "PATCH", &format!("{REPLY}/versions/9"), &json!({"newLabels": []})).await;
    let words = "Prompt 'support/reply' version 9 not found in project".to_owned();
    assert_eq!(refused(&missing), (404, words, json!("LangfuseNotFoundError")));
}

#[tokio::test]
async fn a_deleted_prompt_is_archived_and_comes_back_when_it_is_written_again() {
    let weir = Harness::start().await;
    create(&weir, &chat("one")).await;
    create(&weir, &chat("two")).await;
    let delete = async |query: &str| write(&weir, "DELETE", &format!("{REPLY}{query}"), &json!({})).await;

    assert_eq!(refused(&delete("?version=1").await).2, "InvalidRequestError", "versions never vanish");
    assert_eq!(
        (delete("?label=production").await.status, delete("?label=production").await.status),
        (204, 404)
    );
    assert_eq!(read(&weir, REPLY).await.status, 404);
    assert_eq!(read(&weir, &format!("{REPLY}?version=2")).await.status, 200);

    let gone = delete("").await;
    assert_eq!((gone.status, gone.text()), (204, ""));
    assert_eq!(read(&weir, &format!("{REPLY}?version=2")).await.status, 404);
    assert_eq!(delete("").await.status, 404);
    assert_eq!(create(&weir, &chat("three")).await["version"], 3);
}

#[tokio::test]
async fn wrong_data_is_named_by_its_place_and_nothing_is_written() {
    let weir = Harness::start().await;
    let with = |field: &str, value: Value| {
        let mut body = chat("{a!r}");
        body[field] = value;
        body
    };
    for (body, path) in [
        (with("name", json!("a|b")), json!(["name"])),
        (with("labels", json!(["ok", "Not"])), json!(["labels", 1])),
        (with("type", json!("image")), json!(["type"])),
        (with("colour", json!("red")), json!(["colour"])),
        (with("prompt", json!([{"role": "king", "content": "Hi"}])), json!(["prompt"])),
        (
            with("prompt", json!([{"role": "user", "content": [{"type": "text"}]}])),
            json!(["prompt", 0, "content"]),
        ),
        (with("config", json!({"weir_engine": "fstring"})), json!(["prompt"])),
    ] {
        let answer = write(&weir, "POST", PROMPTS, &body).await;
        assert_eq!(issue(&answer).0, path, "{}", answer.text());
    }
    assert_eq!(read(&weir, PROMPTS).await.json()["meta"]["totalItems"], 0);
    create(&weir, &chat("one")).await;
    let text = json!({"name": "support/reply", "prompt": "Hi"});
    assert_eq!(write(&weir, "POST", PROMPTS, &text).await.status, 400, "its type stays");
}

#[tokio::test]
async fn prompts_are_listed_by_name_with_the_versions_that_fit() {
    let weir = Harness::start().await;
    for name in ["c", "a", "b"] {
        for (text, labels) in [("one", json!(["production"])), ("two", json!([]))] {
            let new = json!({"name": name, "prompt": text, "labels": labels, "tags": [name, "all"], "config": {"max_tokens": text.len()}});
            create(&weir, &new).await;
        }
    }
    let list = async |query: &str| read(&weir, &format!("{PROMPTS}{query}")).await.json();
    let names = |page: &Value| {
        page["data"].as_array().unwrap().iter().map(|row| row["name"].clone()).collect::<Value>()
    };

    let whole = list("").await;
    assert_eq!(names(&whole), json!(["a", "b", "c"]));
    assert_eq!(whole["meta"], json!({"page": 1, "limit": 10, "totalItems": 3, "totalPages": 1}));
    assert_eq!(whole["pagination"], whole["meta"]);
    let first = &whole["data"][0];
    assert_eq!(
        (&first["type"], &first["versions"], &first["labels"], &first["tags"], &first["lastConfig"]),
        (
            &json!("text"),
            &json!([1, 2]),
            &json!(["production", "latest"]),
            &json!(["a", "all"]),
            &json!({"max_tokens": 3})
        )
    );
    assert_eq!(names(&list("?page=2&limit=2").await), json!(["c"]));
    assert_eq!(names(&list("?page=9").await), json!([]));
    assert_eq!(names(&list("?tag=b").await), json!(["b"]));
    assert_eq!(names(&list("?name=a&tag=b").await), json!([]));
    let labelled = list("?label=production").await["data"][2].clone();
    assert_eq!((&labelled["versions"], &labelled["labels"]), (&json!([1]), &json!(["production"])));
    let since = first["lastUpdatedAt"].as_str().unwrap();
    assert_eq!(
        names(&list(&format!("?fromUpdatedAt={since}&toUpdatedAt=2999-01-01T00:00:00Z&tag=a")).await),
        json!(["a"])
    );
    assert_eq!(names(&list(&format!("?toUpdatedAt={since}&tag=a")).await), json!([]));
    for query in ["?limit=101", "?page=0", "?fromUpdatedAt=yesterday"] {
        assert_eq!(read(&weir, &format!("{PROMPTS}{query}")).await.status, 400, "{query}");
    }
}

#[tokio::test]
async fn versions_from_elsewhere_read_as_far_as_langfuse_has_words() {
    let weir = Harness::start().await;
    let jinja = json!({"text": "{% if a %}x{% endif %}", "engine": "jinja", "labels": ["production"], "model": "gpt-4o"});
    weir.publish("jinja", jinja).await;
    let row = read(&weir, &format!("{PROMPTS}/jinja")).await.json();
    assert_eq!(row["config"], json!({"model": "gpt-4o", "weir_engine": "jinja"}));
    let mut back = json!({"name": "jinja"});
    back["prompt"] = row["prompt"].clone();
    back["config"] = row["config"].clone();
    assert_eq!(create(&weir, &back).await["version"], 1, "what was read can be written");

    let image = json!({"type": "image_url", "image_url": {"url": "https://weir.example/a.png"}});
    let seen = json!({"messages": [{"role": "user", "content": [image]}], "labels": ["production"]});
    weir.publish("seen", seen).await;
    let (status, words, error) = refused(&read(&weir, &format!("{PROMPTS}/seen")).await);
    assert_eq!((status, error), (400, json!("InvalidRequestError")));
    assert!(words.contains("messages[0] is more than one text"), "{words}");
}

#[tokio::test]
async fn either_secret_passes_the_check_of_the_sdks() {
    let weir = Harness::start().await;
    for secret in [weir.api_key(), weir.admin_token()] {
        let answer = paired(weir.call("GET", "/api/public/projects"), secret).send().await;
        let project = &answer.json()["data"][0];
        assert_eq!(
            (answer.status, &project["id"], &project["name"]),
            (200, &json!("default"), &json!("default"))
        );
        assert!(project["organization"]["id"].is_string() && project["metadata"].is_object(), "{project}");
    }
    let wrong = paired(weir.call("GET", "/api/public/projects"), "sk-lf-wrong").send().await;
    assert_eq!(wrong.status, 401);
}

#[tokio::test]
async fn what_a_prompt_includes_is_written_out_unless_it_is_asked_for_by_name() {
    let weir = Harness::start().await;
    weir.publish("snippets/tone", json!({"text": "Be {{how}}.", "labels": ["production", "staging"]})).await;
    weir.publish("snippets/open", json!({"messages": [{"include": "snippets/tone"}]})).await;
    let includes = json!({
        "messages": [
            {"include": "snippets/tone@staging", "role": "system"}, {"include": "snippets/open@1"},
            {"role": "user", "content": "{{q}}"},
        ],
        "labels": ["production"],
    });
    weir.publish("support/reply", includes).await;

    let row = read(&weir, REPLY).await.json();
    let said = json!([
        {"role": "system", "content": "Be {{how}}."}, {"role": "user", "content": "Be {{how}}."},
        {"role": "user", "content": "{{q}}"},
    ]);
    assert_eq!(row["prompt"], said);
    let graph = &row["resolutionGraph"];
    assert_eq!((&graph["root"]["name"], &graph["root"]["id"]), (&json!("support/reply"), &row["id"]));
    let children = &graph["dependencies"][row["id"].as_str().unwrap()];
    assert_eq!(
        (&children[0]["name"], &children[1]["name"]),
        (&json!("snippets/open"), &json!("snippets/tone"))
    );
    let deeper = &graph["dependencies"][children[0]["id"].as_str().unwrap()];
    assert_eq!((&deeper[0]["name"], &deeper[0]["version"]), (&json!("snippets/tone"), &json!(1)));

    weir.publish("snippets/tone", json!({"text": "Be brief.", "labels": ["staging"]})).await;
    let row = read(&weir, REPLY).await.json();
    assert_eq!(
        (&row["prompt"][0]["content"], &row["prompt"][1]["content"]),
        (&json!("Be brief."), &said[1]["content"])
    );

    let tag = "@@@langfusePrompt:name=snippets/tone|label=staging@@@";
    let named = read(&weir, &format!("{REPLY}?resolve=false")).await.json();
    assert_eq!((&named["prompt"][0]["content"], &named["resolutionGraph"]), (&json!(tag), &Value::Null));
}

#[tokio::test]
async fn a_message_that_is_another_prompts_text_includes_it() {
    let weir = Harness::start().await;
    weir.publish("snippets/tone", json!({"text": "Be kind."})).await;
    let tag = "@@@langfusePrompt:name=snippets/tone|version=1@@@";
    let made = create(&weir, &chat(tag)).await;
    assert_eq!(made["prompt"][0], json!({"role": "system", "content": "Be kind."}));
    let stored = weir.admin("GET", "/prompts/support%2Freply/versions/1").send().await.json();
    assert_eq!(stored["messages"][0], json!({"include": "snippets/tone@1", "role": "system"}));
    let named = read(&weir, &format!("{REPLY}?resolve=false")).await.json();
    assert_eq!(named["prompt"][0]["content"], tag);

    for wrong in [format!("Well: {tag}"), "@@@langfusePrompt:name=nobody|version=1@@@".to_owned()] {
        let refused = write(&weir, "POST", PROMPTS, &chat(&wrong)).await;
        assert_eq!(refused.status, 400, "{}", refused.text());
    }
}

#[tokio::test]
async fn a_jinja_text_is_written_out_too_and_mixed_engines_are_not() {
    let weir = Harness::start().await;
    weir.publish("tone", json!({"text": "Be {{how}}."})).await;
    let page = json!({"engine": "jinja", "text": "{% if q %}{% include 'tone@1' %}{% endif %}", "labels": ["production"]});
    weir.publish("page", page).await;
    let mixed = json!({"engine": "jinja", "messages": [{"include": "tone@1"}], "labels": ["production"]});
    weir.publish("mixed", mixed).await;

    let row = read(&weir, &format!("{PROMPTS}/page")).await.json();
    assert_eq!(row["prompt"], r#"{% if q %}{{ "Be " }}{{ how }}{{ "." }}{% endif %}"#);
    let named = read(&weir, &format!("{PROMPTS}/page?resolve=false")).await.json();
    assert_eq!(named["prompt"], r#"{% if q %}{% include "tone@1" %}{% endif %}"#);
    let (status, words, _) = refused(&read(&weir, &format!("{PROMPTS}/mixed")).await);
    assert!(
        status == 400 && words.contains("whose engine is plain where its own is jinja"),
        "{status} {words}"
    );
}
