//! The old completions endpoint, which is passed on like the new ones.

use serde_json::json;

use crate::support::{Harness, canned};

const PATH: &str = "/v1/completions";

#[tokio::test]
async fn a_completion_passes_byte_for_byte() {
    let weir = Harness::start().await;
    let asked = "{\"model\":\"gpt-3.5-turbo-instruct\" ,\"prompt\":[\"Once\", \"upon\"],\"suffix\":null}";

    let answer = weir.call("POST", PATH).body(asked).send().await;

    assert_eq!(answer.text(), canned::completion("gpt-3.5-turbo-instruct").to_string());
    assert_eq!(weir.provider.only().text(), asked);
    let record = weir.record_of(&answer).await;
    assert_eq!(
        (&record["endpoint"], &record["response_preview"]),
        (&json!("completions"), &json!(canned::WORDS))
    );
}

#[tokio::test]
async fn a_streamed_completion_withholds_usage_nobody_asked_for() {
    let weir = Harness::start().await;
    let asked = json!({"model": "gpt-3.5-turbo-instruct", "prompt": "Once", "stream": true});

    let stream = weir.call("POST", PATH).json(&asked).stream().await;
    let id = stream.header("weir-call-id").to_owned();
    let events = stream.rest().await;

    assert_eq!(events, canned::completion_events("gpt-3.5-turbo-instruct", false));
    assert_eq!(weir.provider.only().json()["stream_options"], json!({"include_usage": true}));
    let record = weir.record(&id).await;
    assert_eq!((&record["outcome"], &record["output_tokens"]), (&json!("ok"), &json!(3)));
}
