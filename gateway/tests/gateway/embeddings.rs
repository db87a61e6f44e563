//! Embeddings: numbers pass as they are written, in whatever form was asked for.

use serde_json::json;

use crate::support::{Harness, Reply, canned};

const PATH: &str = "/v1/embeddings";

#[tokio::test]
async fn embeddings_pass_byte_for_byte() {
    let weir = Harness::start().await;
    let asked = "{\"input\":[[1,2],[3]],\"model\":\"text-embedding-3-small\" , \"encoding_format\":\"float\",\"dimensions\":2}";

    let answer = weir.call("POST", PATH).body(asked).send().await;

    assert_eq!(answer.text(), canned::embedding("text-embedding-3-small").to_string());
    assert_eq!(weir.provider.only().text(), asked);
}

#[tokio::test]
async fn embeddings_in_base64_pass_untouched() {
    let weir = Harness::start().await;
    let reply = json!({
        "object": "list", "model": "text-embedding-3-small",
        "data": [{"object": "embedding", "index": 0, "embedding": "AACAPgAAAL8="}],
        "usage": {"prompt_tokens": 4, "total_tokens": 4}
    });
    weir.provider.will(Reply::json(&reply));

    let asked = json!({"input": "Hi", "model": "text-embedding-3-small", "encoding_format": "base64"});
    assert_eq!(weir.post(PATH, &asked).await.json(), reply);
}

#[tokio::test]
async fn embeddings_are_recorded_with_tokens_and_no_output() {
    let weir = Harness::start().await;

    let answer =
        weir.post(PATH, &json!({"input": "Where is my order?", "model": "text-embedding-3-small"})).await;

    let record = weir.record_of(&answer).await;
    assert_eq!((&record["endpoint"], &record["outcome"]), (&json!("embeddings"), &json!("ok")));
    assert_eq!((&record["input_tokens"], &record["output_tokens"]), (&json!(12), &json!(0)));
    assert!(record["request_preview"].as_str().unwrap().contains("Where is my order?"), "{record}");
}
