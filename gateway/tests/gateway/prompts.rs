//! Prompts by name, as they live: labels that move, versions that stay, variables that lack, reading without calling.

use serde_json::{Value, json};

use crate::support::{Answer, Harness, Reply, ask, canned};

const PROMPT: &str = "support/reply";

fn naming(reference: &str) -> Value {
    json!({"prompt": {"id": reference}})
}

/// The system message of the last request upstream.
fn last_said(weir: &Harness) -> String {
    let sent = weir.provider.received().pop().unwrap().json();
    sent["messages"][0]["content"].as_str().unwrap().to_owned()
}

async fn published(texts: &[&str]) -> Harness {
    let weir = Harness::start().await;
    for text in texts {
        weir.publish(
            PROMPT,
            json!({"messages": [{"role": "system", "content": text}], "model": "gpt-4o-mini"}),
        )
        .await;
    }
    weir
}

#[tokio::test]
async fn a_moved_label_serves_on_the_next_call() {
    let weir = published(&["one", "two", "three"]).await;
    for (version, text) in [(1, "one"), (3, "three"), (2, "two"), (1, "one")] {
        weir.move_label(PROMPT, "production", version).await;

        let answer = weir.chat(&naming(PROMPT)).await;

        assert_eq!(answer.header("weir-prompt"), format!("{PROMPT}@{version}"));
        assert_eq!(answer.header("weir-prompt-label"), "production");
        assert_eq!(last_said(&weir), text);
    }
}

#[tokio::test]
async fn a_snippet_that_floats_serves_on_the_next_call() {
    let weir = Harness::start().await;
    let tone = |text: &str| json!({"text": text, "labels": ["staging"]});
    weir.publish("snippets/tone", tone("Be kind.")).await;
    let including = json!({
        "messages": [{"include": "snippets/tone@staging", "role": "system"}], "model": "gpt-4o-mini",
    });
    weir.publish(PROMPT, including).await;
    let mut digests = Vec::new();
    for text in ["Be kind.", "Be stern.", "Be brief."] {
        weir.publish("snippets/tone", tone(text)).await;

        let answer = weir.chat(&naming("support/reply@1")).await;

        assert_eq!(last_said(&weir), text);
        assert_eq!(answer.header("weir-prompt"), "support/reply@1");
        digests.push(weir.record_of(&answer).await["prompt_digest"].clone());
    }
    assert!(digests[0].is_string() && digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");

    let gone = weir.admin("DELETE", "/prompts/snippets%2Ftone/labels/staging").send().await;
    assert!(gone.status < 300, "{}", gone.text());
    let answer = weir.chat(&naming("support/reply@1")).await;
    assert_eq!(answer.refusal(), (422, "template_error".to_owned(), "invalid_request_error".to_owned()));
    assert!(answer.text().contains("points at nothing any more"), "{}", answer.text());
}

#[tokio::test]
async fn a_label_that_is_taken_away_serves_nothing() {
    let weir = published(&["one"]).await;
    weir.move_label(PROMPT, "staging", 1).await;
    assert_eq!(weir.chat(&naming("support/reply@staging")).await.status, 200);

    let path = "/prompts/support%2Freply/labels/staging";
    let removed = weir.admin("DELETE", path).send().await;

    assert!(removed.status < 300, "{}", removed.text());
    let answer = weir.chat(&naming("support/reply@staging")).await;
    assert_eq!(answer.refusal(), (404, "prompt_not_found".to_owned(), "invalid_request_error".to_owned()));
    assert_eq!(weir.record_of(&answer).await["outcome"], "caller_error");
}

#[tokio::test]
async fn a_new_version_does_not_change_what_labels_and_pins_serve() {
    let weir = published(&["one"]).await;
    weir.move_label(PROMPT, "production", 1).await;
    weir.publish(PROMPT, json!({"messages": [{"role": "system", "content": "two"}], "model": "gpt-4o-mini"}))
        .await;

    for (reference, text) in
        [("support/reply", "one"), ("support/reply@1", "one"), ("support/reply@latest", "two")]
    {
        assert_eq!(weir.chat(&naming(reference)).await.status, 200);
        assert_eq!(last_said(&weir), text, "{reference}");
    }
}

#[tokio::test]
async fn a_pinned_call_tells_of_no_label() {
    let weir = published(&["one"]).await;

    let answer = weir.chat(&naming("support/reply@1")).await;

    assert_eq!(answer.header("weir-prompt"), "support/reply@1");
    assert!(!answer.headers.contains_key("weir-prompt-label"));
    assert!(weir.record_of(&answer).await["prompt_label"].is_null());
}

#[tokio::test]
async fn a_digest_selects_a_version_by_its_beginning() {
    let weir = Harness::start().await;
    let published = weir.publish_saying(PROMPT, "one").await;
    let digest = published["digest"].as_str().unwrap().trim_start_matches("sha256:").to_owned();

    for digits in [8, 12, 64] {
        let reference = format!("{PROMPT}@sha256:{}", &digest.chars().take(digits).collect::<String>());
        let answer = weir.chat(&naming(&reference)).await;
        assert_eq!((answer.status, answer.header("weir-prompt")), (200, "support/reply@1"), "{reference}");
    }
    let unknown = weir.chat(&naming("support/reply@sha256:00000000")).await;
    assert_eq!(unknown.refusal().1, "prompt_not_found");
}

#[tokio::test]
async fn old_names_answer_after_a_rename() {
    let weir = Harness::start().await;
    weir.publish_saying(PROMPT, "one").await;
    let renamed =
        weir.admin("PATCH", "/prompts/support%2Freply").json(&json!({"name": "help/reply"})).send().await;
    assert_eq!(renamed.status, 200, "{}", renamed.text());

    for name in ["support/reply", "help/reply"] {
        let answer = weir.chat(&naming(name)).await;
        assert_eq!((answer.status, answer.header("weir-prompt")), (200, "help/reply@1"), "{name}");
    }
}

#[tokio::test]
async fn an_archived_prompt_is_not_found_even_pinned() {
    let weir = published(&["one"]).await;
    let archived = weir.admin("DELETE", "/prompts/support%2Freply").send().await;
    assert!(archived.status < 300, "{}", archived.text());

    assert_eq!(weir.chat(&naming("support/reply@1")).await.refusal().1, "prompt_not_found");
    assert_eq!(weir.provider.calls(), 0);
}

#[tokio::test]
async fn missing_variables_are_named_and_recorded_and_nothing_is_sent() {
    let weir = Harness::start().await;
    weir.publish_saying(PROMPT, "{{company}} {{product}} {{tone}}").await;
    let body = json!({"prompt": {"id": PROMPT, "variables": {"product": "socks"}}});

    for path in ["/v1/chat/completions", "/v1/responses"] {
        let answer = weir.post(path, &body).await;

        assert_eq!(
            answer.refusal(),
            (422, "missing_variables".to_owned(), "invalid_request_error".to_owned())
        );
        let message = answer.message();
        assert!(message.contains("company") && message.contains("tone"), "{message}");
        assert!(!message.contains("product"), "{message}");
        let record = weir.record_of(&answer).await;
        assert_eq!(
            (&record["outcome"], &record["error_code"]),
            (&json!("caller_error"), &json!("missing_variables"))
        );
        assert_eq!((&record["prompt"], &record["prompt_version"]), (&json!(PROMPT), &json!(1)));
    }
    assert_eq!(weir.provider.calls(), 0);
}

#[tokio::test]
async fn variables_nobody_asked_for_are_recorded_with_the_others() {
    let weir = Harness::start().await;
    weir.publish_saying(PROMPT, "{{company}}").await;
    let variables = json!({"company": "Acme", "colour": "blue"});

    let answer = weir.chat(&json!({"prompt": {"id": PROMPT, "variables": variables}})).await;

    assert_eq!(weir.record_of(&answer).await["variables"], variables);
}

#[tokio::test]
async fn a_prompt_call_is_recorded_with_its_version_and_what_went_upstream() {
    let weir = Harness::start().await;
    let published = weir.publish_saying(PROMPT, "You work for {{company}}.").await;
    let body = json!({"prompt": {"id": PROMPT, "variables": {"company": "Acme"}}, "messages": [{"role": "user", "content": "Hi"}]});

    let answer = weir.chat(&body).await;

    let record = weir.record_of(&answer).await;
    assert_eq!((&record["prompt"], &record["prompt_version"]), (&json!(PROMPT), &json!(1)));
    assert_eq!(
        (&record["prompt_label"], &record["prompt_digest"]),
        (&json!("production"), &published["digest"])
    );
    assert_eq!(record["request_body"], body);
    assert_eq!(record["upstream_request_body"], weir.provider.only().json());
    assert!(record["request_preview"].as_str().unwrap().contains("You work for Acme."), "{record}");
}

#[tokio::test]
async fn a_prompts_name_outside_latin_letters_travels_in_headers() {
    let weir = Harness::start().await;
    weir.publish_saying("支持/回复", "one").await;

    let answer = weir.chat(&naming("支持/回复")).await;

    assert_eq!(answer.status, 200);
    let header = percent_encoding::percent_decode_str(answer.header("weir-prompt")).decode_utf8().unwrap();
    assert_eq!(header, "支持/回复@1");
}

#[tokio::test]
async fn a_streamed_call_by_name_streams() {
    let weir = Harness::start().await;
    weir.publish_saying(PROMPT, "one").await;
    let mut body = naming(PROMPT);
    body["stream"] = true.into();

    let stream = weir.stream(&body).await;

    assert_eq!(stream.header("weir-prompt"), "support/reply@1");
    assert_eq!(stream.rest().await, canned::chat_events_seen("gpt-4o-mini"));
    assert_eq!(last_said(&weir), "one");
}

#[tokio::test]
async fn a_prompt_is_read_without_a_call() {
    let weir = Harness::start().await;
    weir.publish_saying(PROMPT, "You work for {{company}}.").await;

    for path in [
        "/v1/prompts/support/reply",
        "/v1/prompts/support%2Freply?label=production",
        "/v1/prompts/support/reply?version=1",
    ] {
        let answer = weir.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let read = answer.json();
        assert_eq!((&read["name"], &read["version"]), (&json!(PROMPT), &json!(1)), "{path}");
        assert_eq!(read["messages"][0]["content"], "You work for {{company}}.", "{path}");
    }
    assert_eq!(weir.get("/v1/prompts/nothing").await.refusal().1, "prompt_not_found");
    assert_eq!(weir.get("/v1/prompts/support/reply?label=a&version=1").await.refusal().0, 400);
    assert_eq!(weir.provider.calls(), 0);
}

#[tokio::test]
async fn a_prompt_is_rendered_without_a_call() {
    let weir = Harness::start().await;
    weir.publish_saying(PROMPT, "You work for {{company}}.").await;
    let render = async |variables: Value| -> Answer {
        weir.post("/v1/prompts/support%2Freply/render", &json!({ "variables": variables })).await
    };

    let answer = render(json!({"company": "Acme"})).await;

    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["messages"][0]["content"], "You work for Acme.");
    assert_eq!(render(json!({})).await.refusal().1, "missing_variables");
    assert_eq!(weir.provider.calls(), 0);
}

#[tokio::test]
async fn virtual_keys_never_write_prompts() {
    let weir = published(&["one"]).await;
    for method in ["PUT", "PATCH", "DELETE", "POST"] {
        let answer = weir.call(method, "/v1/prompts/support%2Freply").json(&json!({})).send().await;
        assert_eq!(answer.refusal().0, 405, "{method}");
    }
    let answer = weir.admin("GET", "/prompts").key(weir.api_key()).send().await;
    assert_eq!(answer.status, 401, "a virtual key must not open the admin API");
}

#[tokio::test]
async fn prompts_survive_a_restart() {
    let weir = Harness::start().await;
    weir.publish_saying(PROMPT, "one").await;
    let key = weir.api_key().to_owned();

    let weir = weir.stop().await.start_again().await;

    let answer = weir.call("POST", "/v1/chat/completions").key(&key).json(&naming(PROMPT)).send().await;
    assert_eq!((answer.status, last_said(&weir)), (200, "one".to_owned()));
}

#[tokio::test]
async fn a_call_keeps_the_version_it_began_with_while_its_label_moves() {
    let weir = published(&["one", "two"]).await;
    weir.move_label(PROMPT, "production", 1).await;
    let (reply, hold) = Reply::json(&canned::chat("gpt-4o-mini")).held();
    weir.provider.will(reply);
    let call = weir.call("POST", "/v1/chat/completions").json(&naming(PROMPT));
    let waiting = tokio::spawn(async move { call.send().await });
    weir.provider.arrived(1).await;

    weir.move_label(PROMPT, "production", 2).await;
    hold.release();

    let answer = waiting.await.unwrap();
    assert_eq!(answer.header("weir-prompt"), "support/reply@1");
    assert_eq!(weir.record_of(&answer).await["prompt_version"], 1);
}

#[tokio::test]
async fn a_call_that_names_no_prompt_tells_of_none() {
    let weir = published(&["one"]).await;
    let answer = weir.chat(&ask()).await;
    assert!(!answer.headers.contains_key("weir-prompt"));
    assert!(weir.record_of(&answer).await["prompt"].is_null());
}
