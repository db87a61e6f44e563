//! `strict` durability: the end of an answer waits until its record is committed.
//!
//! These tests never wait for a record: where the answer is whole, the record is there.

use config::{Config, Durability};
use serde_json::{Value, json};

use crate::support::{Answer, Harness, Reply, ask, ask_streamed, canned};

fn strict(config: &mut Config) {
    config.records.durability = Durability::Strict;
}

/// The record that is there already.
async fn on_record(weir: &Harness, id: &str) -> Value {
    let found = weir.app().store.get(id.parse().unwrap()).await.unwrap();
    serde_json::to_value(found.unwrap_or_else(|| panic!("{id} was answered and is not on record"))).unwrap()
}

async fn on_record_of(weir: &Harness, answer: &Answer) -> Value {
    on_record(weir, answer.header("weir-call-id")).await
}

#[tokio::test]
async fn a_whole_answer_is_on_record_when_it_arrives() {
    let weir = Harness::with(strict).await;

    let answer = weir.chat(&ask()).await;

    assert_eq!(answer.status, 200);
    let record = on_record_of(&weir, &answer).await;
    assert_eq!((&record["outcome"], &record["status"]), (&json!("ok"), &json!(200)));
    assert_eq!(record["response_body"]["object"], "chat.completion");
}

#[tokio::test]
async fn a_stream_is_on_record_when_its_terminator_arrives() {
    let weir = Harness::with(strict).await;

    let stream = weir.stream(&ask_streamed()).await;
    let id = stream.header("weir-call-id").to_owned();
    let events = stream.rest().await;

    assert_eq!(events.last().map(String::as_str), Some(canned::DONE));
    let record = on_record(&weir, &id).await;
    assert_eq!((&record["outcome"], &record["streaming"]), (&json!("ok"), &json!(true)));
    assert_eq!(record["response_body"]["object"], "chat.completion", "{record}");
}

#[tokio::test]
async fn an_error_is_on_record_when_it_arrives() {
    let weir = Harness::with(strict).await;
    weir.provider.will(Reply::status(400, &json!({"error": {"message": "no such tool"}})));

    let relayed = weir.chat(&ask()).await;
    let refused = weir.chat(&json!({"model": "prompt:no/such", "messages": []})).await;

    assert_eq!((relayed.status, refused.status), (400, 404));
    assert_eq!(on_record_of(&weir, &relayed).await["outcome"], "caller_error");
    assert_eq!(on_record_of(&weir, &refused).await["error_code"], "prompt_not_found");
}

#[tokio::test]
async fn what_is_passed_through_is_on_record_when_its_last_byte_arrives() {
    let weir = Harness::with(strict).await;
    weir.provider.will(Reply::json(&json!({"data": [{"url": "https://example.com/a.png"}]})));

    let answer =
        weir.post("/v1/images/generations", &json!({"model": "gpt-image-1", "prompt": "A weir"})).await;

    assert_eq!(answer.status, 200);
    assert_eq!(on_record_of(&weir, &answer).await["endpoint"], "passthrough");
}

#[tokio::test]
async fn calls_that_wait_at_the_same_time_are_all_on_record() {
    let weir = Harness::with(strict).await;
    let request = ask();

    let answers = futures_util::future::join_all((0..40).map(|_| weir.chat(&request))).await;

    for answer in answers {
        assert_eq!(on_record_of(&weir, &answer).await["outcome"], "ok");
    }
}

#[tokio::test]
async fn an_answer_whose_record_cannot_be_kept_is_not_acknowledged() {
    let weir = Harness::with(|config| {
        strict(config);
        config.records.queue_bytes = 1;
    })
    .await;

    let answer = weir.chat(&ask()).await;
    let stream = weir.stream(&ask_streamed()).await;

    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (503, Some("overloaded")));
    assert!(answer.text().contains("record"), "{}", answer.text());
    assert_eq!(stream.status, 200);
    assert!(stream.breaks_off().await, "a stream that is not on record looks whole");
}
