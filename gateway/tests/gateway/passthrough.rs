//! Routes Weir does not read: streamed both ways, recorded, and open only to keys that may.

use serde_json::json;

use crate::support::{Harness, PROVIDER_KEY, Reply, canned};

async fn with_open_key() -> (Harness, String) {
    let weir = Harness::start().await;
    let key = weir.key(json!({"passthrough": true})).await;
    (weir, key)
}

#[tokio::test]
async fn routes_that_keep_state_need_a_key_that_may() {
    let weir = Harness::start().await;
    for (method, path) in [
        ("GET", "/v1/files"),
        ("POST", "/v1/files"),
        ("POST", "/v1/batches"),
        ("GET", "/v1/responses/resp_1"),
        ("DELETE", "/v1/responses/resp_1"),
        ("POST", "/v1/fine_tuning/jobs"),
        ("GET", "/v1/chat/completions/chatcmpl-1"),
        ("POST", "/v1/something/new"),
    ] {
        let answer = weir.call(method, path).send().await;
        assert_eq!(answer.refusal().1, "permission_denied", "{method} {path}");
    }
    assert_eq!(weir.provider.calls(), 0);
}

#[tokio::test]
async fn a_key_that_may_reaches_them_with_method_path_and_query() {
    let (weir, key) = with_open_key().await;

    let answer = weir.call("DELETE", "/v1/files/file-1?after=x%20y&limit=2").key(&key).send().await;

    assert_eq!(answer.status, 200, "{}", answer.text());
    let received = weir.provider.only();
    assert_eq!(
        (received.method.as_str(), &*received.path),
        ("DELETE", "/v1/files/file-1?after=x%20y&limit=2")
    );
    assert_eq!(received.header("authorization"), Some(format!("Bearer {PROVIDER_KEY}").as_str()));
    let record = weir.record_of(&answer).await;
    assert_eq!((&record["endpoint"], &record["outcome"]), (&json!("passthrough"), &json!("ok")));
}

#[tokio::test]
async fn calls_to_a_model_are_open_to_every_key() {
    let weir = Harness::start().await;
    for path in ["/v1/images/generations", "/v1/audio/speech", "/v1/moderations", "/v1/rerank"] {
        let answer = weir.post(path, &json!({"model": "some-model", "input": "x"})).await;
        assert_eq!((answer.status, &answer.json()["path"]), (200, &json!(path)), "{path}");
    }
}

#[tokio::test]
async fn their_models_are_checked_too() {
    let weir = Harness::start().await;
    let key = weir.key(json!({"models": ["tts-1"]})).await;
    let speak = |model: &str| {
        weir.call("POST", "/v1/audio/speech").key(&key).json(&json!({"model": model, "input": "x"})).send()
    };
    assert_eq!(speak("tts-1").await.status, 200);
    assert_eq!(speak("tts-1-hd").await.refusal().1, "permission_denied");
    let unnamed = weir.call("POST", "/v1/moderations").key(&key).json(&json!({"input": "x"})).send().await;
    assert_eq!(unnamed.refusal().1, "permission_denied");
    assert_eq!(weir.provider.calls(), 1);
}

#[tokio::test]
async fn a_form_goes_upstream_as_it_came() {
    let weir = Harness::start().await;
    let form = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n\0\u{1}RIFF\r\n\
                --b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--b--\r\n";

    let call = weir
        .call("POST", "/v1/audio/transcriptions")
        .header("content-type", "multipart/form-data; boundary=b");
    let answer = call.body(form).send().await;

    assert_eq!(answer.status, 200, "{}", answer.text());
    let received = weir.provider.only();
    assert_eq!(received.text(), form);
    assert_eq!(received.header("content-type"), Some("multipart/form-data; boundary=b"));
}

#[tokio::test]
async fn an_answer_that_is_no_json_comes_back_as_it_is() {
    let weir = Harness::start().await;
    let reply = Reply::text(200, "audio/mpeg", "ID3\u{4}\0\0").header("content-disposition", "attachment");
    weir.provider.will(reply);

    let answer = weir.post("/v1/audio/speech", &json!({"model": "tts-1", "input": "x"})).await;

    assert_eq!(answer.text(), "ID3\u{4}\0\0");
    assert_eq!(answer.header("content-type"), "audio/mpeg");
    assert_eq!(answer.header("content-disposition"), "attachment");
}

#[tokio::test]
async fn an_answer_is_streamed_on_while_it_comes() {
    let weir = Harness::start().await;
    let (reply, feed) = Reply::fed();
    weir.provider.will(reply);
    feed.send("event: a\ndata: 1\n\n").await;
    let call = weir.call("POST", "/v1/images/generations").json(&json!({"model": "m", "stream": true}));

    let mut stream = call.stream().await;

    assert_eq!(stream.event().await.as_deref(), Some("event: a\ndata: 1\n\n"));
    feed.send("event: b\ndata: 2\n\n").await;
    assert_eq!(stream.event().await.as_deref(), Some("event: b\ndata: 2\n\n"));
    stream.hang_up();
    feed.abandoned().await;
    assert_eq!(weir.records(1).await[0]["outcome"], "cancelled");
}

#[tokio::test]
async fn an_answer_that_breaks_off_breaks_off_here_too() {
    let weir = Harness::start().await;
    weir.provider.will(Reply::text(200, "audio/mpeg", "half a song").cut());

    let stream = weir.call("POST", "/v1/audio/speech").json(&json!({"model": "tts-1"})).stream().await;

    assert!(stream.breaks_off().await, "half an answer must not look whole");
    assert_eq!(weir.records(1).await[0]["outcome"], "truncated");
}

#[tokio::test]
async fn a_providers_refusal_is_relayed() {
    let (weir, key) = with_open_key().await;
    weir.provider.will(Reply::error(404, "invalid_request_error", "file_not_found", "No such file"));

    let answer = weir.call("GET", "/v1/files/file-9").key(&key).send().await;

    assert_eq!((answer.status, answer.message()), (404, "No such file".to_owned()));
    assert_eq!(weir.record_of(&answer).await["outcome"], "caller_error");
}

#[tokio::test]
async fn the_model_is_renamed_for_the_provider_there_too() {
    let weir = Harness::start().await;

    weir.post("/v1/moderations", &json!({"model": "openai/omni-moderation-latest", "input": "x"})).await;

    assert_eq!(weir.provider.only().json(), json!({"model": "omni-moderation-latest", "input": "x"}));
}

#[tokio::test]
async fn what_later_versions_will_serve_is_not_found_rather_than_passed_on() {
    let (weir, key) = with_open_key().await;
    for path in ["/v1/messages", "/v1/messages/count_tokens"] {
        let answer = weir.call("POST", path).key(&key).json(&json!({})).send().await;
        assert_eq!(answer.refusal().1, "not_found", "{path}");
    }
    for path in ["/", "/v2/models", "/chat/completions", "/api/v1/prompts", "/v1"] {
        assert_eq!(weir.get(path).await.refusal().1, "not_found", "{path}");
    }
    assert_eq!(weir.provider.calls(), 0);
}

#[tokio::test]
async fn a_path_cannot_climb_out_of_the_api() {
    let (weir, key) = with_open_key().await;
    for path in ["/v1/../admin", "/v1/files/../../secret", "/v1/%2e%2e/admin"] {
        let answer = weir.call("GET", path).key(&key).send().await;
        let climbed = weir.provider.received().iter().any(|received| received.path.contains(".."));
        assert!(answer.status >= 400 && !climbed, "{path}: {} {:?}", answer.status, weir.provider.received());
    }
}

#[tokio::test]
async fn usage_is_read_where_an_answer_tells_it() {
    let weir = Harness::start().await;
    weir.provider.will(Reply::json(&canned::embedding("omni")));

    let answer = weir.post("/v1/moderations", &json!({"model": "omni", "input": "x"})).await;

    assert_eq!(weir.record_of(&answer).await["input_tokens"], 12);
}
