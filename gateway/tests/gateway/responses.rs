//! The responses endpoint: passed on as it is, with the prompt echoed wherever an object stands.

use serde_json::{Value, json};

use crate::support::canned::{response_event, response_events, response_object};
use crate::support::{Harness, Reply, canned};

const PATH: &str = "/v1/responses";

async fn with_prompt() -> Harness {
    let weir = Harness::start().await;
    weir.publish_saying("support/reply", "You work for {{company}}.").await;
    weir
}

/// A request by prompt, as OpenAI's SDKs send it.
fn by_prompt(stream: bool) -> Value {
    json!({
        "prompt": {"id": "support/reply", "version": "production", "variables": {"company": "Acme"}},
        "input": "Hi",
        "stream": stream
    })
}

fn echo() -> Value {
    json!({"id": "support/reply", "version": "1", "variables": {"company": "Acme"}})
}

/// The data of a named event.
fn data_of(event: &str) -> Value {
    serde_json::from_str(event.split_once("data: ").unwrap().1).unwrap()
}

#[tokio::test]
async fn a_call_without_a_prompt_passes_byte_for_byte_both_ways() {
    let weir = Harness::start().await;
    let asked =
        "{\"input\" : [{\"role\":\"user\",\"content\":\"Hi\"}], \"model\":\"gpt-4o-mini\",\"top_p\":1e-7}";

    let answer = weir.call("POST", PATH).body(asked).send().await;

    assert_eq!(answer.text(), canned::response("gpt-4o-mini").to_string());
    assert_eq!(weir.provider.only().text(), asked);
    let record = weir.record_of(&answer).await;
    assert_eq!((&record["endpoint"], &record["outcome"]), (&json!("responses"), &json!("ok")));
    assert_eq!((&record["input_tokens"], &record["output_tokens"]), (&json!(12), &json!(3)));
    assert_eq!(record["response_preview"], canned::WORDS);
}

#[tokio::test]
async fn a_stream_without_a_prompt_passes_byte_for_byte_and_gets_no_terminator() {
    let weir = Harness::start().await;
    let asked = json!({"model": "gpt-4o-mini", "input": "Hi", "stream": true});

    let stream = weir.call("POST", PATH).json(&asked).stream().await;
    let id = stream.header("weir-call-id").to_owned();
    let events = stream.rest().await;

    assert_eq!(events, response_events("gpt-4o-mini"));
    assert_eq!(weir.provider.only().json(), asked);
    let record = weir.record(&id).await;
    assert_eq!((&record["outcome"], &record["input_tokens"]), (&json!("ok"), &json!(12)));
    assert_eq!(record["response_body"]["output"][0]["content"][0]["text"], canned::WORDS);
}

#[tokio::test]
async fn a_whole_answer_echoes_the_prompt() {
    let weir = with_prompt().await;

    let answer = weir.post(PATH, &by_prompt(false)).await;

    let mut expected = canned::response("gpt-4o-mini");
    expected["prompt"] = echo();
    assert_eq!(answer.json(), expected);
    assert_eq!(answer.header("content-length"), answer.body.len().to_string());
    assert_eq!(weir.record_of(&answer).await["response_body"]["prompt"], echo());
}

#[tokio::test]
async fn a_provider_that_echoes_a_prompt_of_its_own_is_corrected() {
    let weir = with_prompt().await;
    let mut reply = canned::response("gpt-4o-mini");
    reply["prompt"] = Value::Null;
    weir.provider.will(Reply::json(&reply));

    let answer = weir.post(PATH, &by_prompt(false)).await;

    assert_eq!(answer.json()["prompt"], echo());
    assert_eq!(answer.text().matches("\"prompt\"").count(), 1);
}

#[tokio::test]
async fn a_stream_echoes_the_prompt_in_every_event_that_holds_the_object() {
    let weir = with_prompt().await;

    let events = weir.call("POST", PATH).json(&by_prompt(true)).stream().await.rest().await;

    let original = response_events("gpt-4o-mini");
    assert_eq!(events.len(), original.len());
    for (event, original) in events.iter().zip(&original) {
        let mut expected = data_of(original);
        if expected.get("response").is_some() {
            expected["response"]["prompt"] = echo();
            assert_eq!(event.lines().next(), original.lines().next());
            assert_eq!(data_of(event), expected);
        } else {
            assert_eq!(event, original);
        }
    }
}

#[tokio::test]
async fn the_echo_names_the_prompt_as_the_caller_did() {
    let weir = Harness::start().await;
    weir.create_prompt(
        &json!({"name": "support/reply", "aliases": [{"id": "pmpt_68abc", "versions": {"7": 1}}]}),
    )
    .await;
    weir.publish(
        "support/reply",
        json!({"messages": [{"role": "user", "content": "Hi"}], "model": "gpt-4o-mini"}),
    )
    .await;

    let answer = weir.post(PATH, &json!({"prompt": {"id": "pmpt_68abc", "version": "7"}})).await;

    let echo = &answer.json()["prompt"];
    assert_eq!((&echo["id"], &echo["version"]), (&json!("pmpt_68abc"), &json!("1")));
    assert_eq!(answer.header("weir-prompt"), "support/reply@1");
}

#[tokio::test]
async fn a_stream_that_is_cut_ends_with_an_error_event_that_counts_on() {
    let weir = Harness::start().await;
    weir.provider.will(Reply::events(&response_events("gpt-4o-mini")[..5]).cut());

    let stream = weir
        .call("POST", PATH)
        .json(&json!({"model": "gpt-4o-mini", "input": "Hi", "stream": true}))
        .stream()
        .await;
    let id = stream.header("weir-call-id").to_owned();
    let events = stream.rest().await;

    let last = events.last().unwrap();
    assert!(last.starts_with("event: error\n"), "{last}");
    let error = data_of(last);
    assert_eq!((&error["type"], &error["sequence_number"]), (&json!("error"), &json!(5)));
    assert_eq!((&error["code"], &error["param"]), (&json!("upstream_error"), &Value::Null));
    assert_eq!(weir.record(&id).await["outcome"], "truncated");
}

#[tokio::test]
async fn a_stream_that_ends_without_its_last_event_is_not_whole() {
    let weir = Harness::start().await;
    weir.provider.will(Reply::events(&response_events("gpt-4o-mini")[..5]));

    let stream = weir
        .call("POST", PATH)
        .json(&json!({"model": "gpt-4o-mini", "input": "Hi", "stream": true}))
        .stream()
        .await;
    let events = stream.rest().await;

    assert!(events.last().unwrap().starts_with("event: error\n"), "{events:?}");
    assert_eq!(weir.records(1).await[0]["outcome"], "truncated");
}

#[tokio::test]
async fn a_failed_response_is_passed_on_and_recorded_as_the_providers() {
    let weir = Harness::start().await;
    let mut failed = response_object("gpt-4o-mini", "failed");
    failed["error"] = json!({"code": "server_error", "message": "the model broke"});
    let event = response_event("response.failed", 2, json!({ "response": failed }));
    let mut sent = response_events("gpt-4o-mini")[..2].to_vec();
    sent.push(event);
    weir.provider.will(Reply::events(&sent));

    let stream = weir
        .call("POST", PATH)
        .json(&json!({"model": "gpt-4o-mini", "input": "Hi", "stream": true}))
        .stream()
        .await;
    let events = stream.rest().await;

    assert_eq!(events, sent);
    let record = &weir.records(1).await[0];
    assert_ne!(record["outcome"], "ok");
    assert_eq!(record["error_message"], "the model broke");
}

#[tokio::test]
async fn an_incomplete_response_is_whole_with_its_reason() {
    let weir = Harness::start().await;
    let mut incomplete = canned::response("gpt-4o-mini");
    incomplete["status"] = "incomplete".into();
    incomplete["incomplete_details"] = json!({"reason": "max_output_tokens"});
    weir.provider.will(Reply::json(&incomplete));

    let answer = weir.post(PATH, &json!({"model": "gpt-4o-mini", "input": "Hi"})).await;

    assert_eq!(answer.json(), incomplete);
    let record = weir.record_of(&answer).await;
    assert_eq!((&record["outcome"], &record["finish_reason"]), (&json!("ok"), &json!("length")));
}

#[tokio::test]
async fn tool_calls_are_recorded_by_name() {
    let weir = Harness::start().await;
    let mut called = canned::response("gpt-4o-mini");
    called["output"] = json!([{"id": "fc_1", "type": "function_call", "call_id": "c1", "name": "look_up", "arguments": "{}"}]);
    weir.provider.will(Reply::json(&called));

    let answer = weir.post(PATH, &json!({"model": "gpt-4o-mini", "input": "Hi", "tools": []})).await;

    assert_eq!(weir.record_of(&answer).await["tool_names"], json!(["look_up"]));
}
