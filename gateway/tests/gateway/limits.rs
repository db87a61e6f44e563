//! Limits: everything has one, each refusal says which, and nobody else notices.

use serde_json::{Value, json};

use crate::support::canned::chat_content;
use crate::support::{Answer, Harness, Reply, ask, ask_streamed, canned, millis};

/// A chat request of at least this many bytes.
fn large(bytes: usize) -> Value {
    json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "x".repeat(bytes)}]})
}

async fn still_serves(weir: &Harness) {
    assert_eq!(weir.chat(&ask()).await.status, 200);
}

fn is_overload(answer: &Answer) -> bool {
    answer.refusal() == (503, "overloaded".to_owned(), "server_error".to_owned())
}

#[tokio::test]
async fn a_body_that_announces_too_much_is_refused_before_it_is_sent() {
    let weir = Harness::with(|config| config.limits.body_bytes = 1_000).await;
    let mut raw = weir.raw().await;
    let key = weir.api_key();

    raw.send(&format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-length: 2000\r\n\r\n"))
        .await;

    let head = raw.read_until("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 413 "), "{head}");
    let record = weir.only_record().await;
    assert_eq!((&record["status"], &record["error_code"]), (&json!(413), &json!("body_too_large")));
    assert_eq!(record["outcome"], "caller_error");
    still_serves(&weir).await;
}

#[tokio::test]
async fn a_body_too_large_is_refused_with_limit_and_size() {
    let weir = Harness::with(|config| config.limits.body_bytes = 1_000).await;
    let body = large(2_000);

    let answer = weir.chat(&body).await;

    assert_eq!(answer.refusal(), (413, "body_too_large".to_owned(), "invalid_request_error".to_owned()));
    let message = answer.message();
    assert!(message.contains("1000") && message.contains(&body.to_string().len().to_string()), "{message}");
    assert_eq!(weir.provider.calls(), 0);
    still_serves(&weir).await;
}

#[tokio::test]
async fn a_body_of_unknown_length_is_cut_off_at_the_limit() {
    let weir = Harness::with(|config| config.limits.body_bytes = 1_000).await;
    let mut raw = weir.raw().await;
    let key = weir.api_key();
    raw.send(&format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ntransfer-encoding: chunked\r\n\r\n"))
        .await;

    raw.send(&format!("7d0\r\n{}\r\n", "x".repeat(2_000))).await;

    let head = raw.read_until("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 413 "), "{head}");
}

#[tokio::test]
async fn a_head_that_dribbles_in_is_cut_off() {
    let weir = Harness::with(|config| config.limits.headers_timeout = millis(100)).await;
    let mut silent = weir.raw().await;
    let mut dribbling = weir.raw().await;
    dribbling.send("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-a").await;

    assert!(!silent.until_closed().await.starts_with("HTTP/1.1 200"));
    assert!(!dribbling.until_closed().await.starts_with("HTTP/1.1 200"));
    still_serves(&weir).await;
}

#[tokio::test]
async fn a_second_head_that_dribbles_in_is_cut_off_too() {
    let weir = Harness::with(|config| {
        config.limits.headers_timeout = millis(150);
        config.limits.keep_alive = millis(150);
    })
    .await;
    let mut raw = weir.raw().await;
    raw.send("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    raw.read_until("}").await;

    raw.send("GET /healthz HTTP/1.1\r\nho").await;

    assert!(!raw.until_closed().await.contains("200 OK"));
}

#[tokio::test]
async fn a_body_that_dribbles_in_is_refused() {
    let weir = Harness::with(|config| config.limits.body_timeout = millis(100)).await;
    let mut raw = weir.raw().await;
    let key = weir.api_key();

    raw.send(&format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-length: 500\r\n\r\n{{\"mod"))
        .await;

    let head = raw.read_until("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 408 "), "{head}");
    let record = weir.only_record().await;
    assert_eq!(
        (&record["outcome"], &record["error_code"]),
        (&json!("caller_error"), &json!("request_timeout"))
    );
    assert_eq!(weir.provider.calls(), 0);
}

#[tokio::test]
async fn a_caller_who_leaves_in_the_middle_of_its_body_is_cancelled() {
    let weir = Harness::start().await;
    let mut raw = weir.raw().await;
    let key = weir.api_key();
    raw.send(&format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-length: 500\r\n\r\n{{\"mod"))
        .await;

    drop(raw);

    let record = weir.only_record().await;
    assert!(["cancelled", "caller_error"].contains(&record["outcome"].as_str().unwrap()), "{record}");
    assert_eq!(weir.provider.calls(), 0);
}

#[tokio::test]
async fn a_caller_who_does_not_read_its_stream_is_let_go_and_the_provider_with_it() {
    let weir = Harness::with(|config| config.limits.client_write_timeout = millis(150)).await;
    weir.provider.will(Reply::endless(&chat_content(&"x".repeat(60_000))));

    let stream = weir.stream(&ask_streamed()).await;

    weir.provider.deserted().await;
    let record = &weir.records(1).await[0];
    assert_eq!((&record["outcome"], &record["status"]), (&json!("cancelled"), &json!(200)));
    drop(stream);
    still_serves(&weir).await;
}

#[tokio::test]
async fn a_caller_who_does_not_read_slows_the_provider_down_and_fills_no_memory() {
    let weir = Harness::start().await;
    let (reply, feed) = Reply::fed();
    weir.provider.will(reply);
    feed.send(&chat_content("first")).await;
    let stream = weir.stream(&ask_streamed()).await;
    let mebibyte = chat_content(&"x".repeat(1 << 20));

    // With nobody reading, far less than this can be on its way: at some point a piece is no longer taken.
    let blocked = async {
        for _ in 0..256 {
            feed.send(&mebibyte).await;
        }
    };
    let blocked = tokio::time::timeout(millis(1_500), blocked).await.is_err();

    assert!(blocked, "256 MiB were taken although nobody reads");
    drop(stream);
}

#[tokio::test]
async fn a_head_too_large_is_refused() {
    let weir = Harness::with(|config| config.limits.header_bytes = 8 * 1024).await;
    let mut raw = weir.raw().await;

    raw.send(&format!("GET /v1/models HTTP/1.1\r\nhost: x\r\nx-large: {}\r\n\r\n", "x".repeat(20_000))).await;

    let answer = raw.until_closed().await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    still_serves(&weir).await;
}

#[tokio::test]
async fn what_is_no_http_is_turned_away() {
    let weir = Harness::start().await;
    for nonsense in [
        "hello\r\n\r\n",
        "GET\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
    ] {
        let mut raw = weir.raw().await;
        raw.send(nonsense).await;
        let answer = raw.until_closed().await;
        assert!(!answer.contains(" 200 "), "{nonsense}: {answer}");
    }
    still_serves(&weir).await;
}

#[tokio::test]
async fn two_lengths_for_one_body_are_refused() {
    let weir = Harness::start().await;
    let key = weir.api_key();
    for lengths in [
        "content-length: 5\r\ncontent-length: 6",
        "content-length: 5\r\ntransfer-encoding: chunked",
        "content-length: -1",
    ] {
        let mut raw = weir.raw().await;
        raw.send(&format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n{lengths}\r\n\r\n0\r\n\r\n")).await;
        let answer = raw.read_until("\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{lengths}: {answer}");
    }
    assert_eq!(weir.provider.calls(), 0);
}

#[tokio::test]
async fn a_compressed_body_is_refused_with_words() {
    let weir = Harness::start().await;
    let call = weir.call("POST", "/v1/chat/completions").header("content-encoding", "gzip");
    let answer = call.body(&b"\x1f\x8b\x08"[..]).send().await;
    assert_eq!(answer.refusal().1, "invalid_request");
    assert!(answer.message().contains("content-encoding"), "{}", answer.message());
}

#[tokio::test]
async fn calls_beyond_the_limit_are_turned_away_at_once_and_let_in_later() {
    let weir = Harness::with(|config| config.limits.inflight = 1).await;
    let (reply, hold) = Reply::json(&canned::chat("gpt-4o-mini")).held();
    weir.provider.will(reply);
    let call = weir.call("POST", "/v1/chat/completions").json(&ask());
    let first = tokio::spawn(async move { call.send().await });
    weir.provider.arrived(1).await;

    let second = weir.chat(&ask()).await;

    assert!(is_overload(&second), "{}", second.text());
    assert_eq!(second.header("retry-after"), "1");
    assert_eq!(weir.record_of(&second).await["outcome"], "refused");
    hold.release();
    assert_eq!(first.await.unwrap().status, 200);
    still_serves(&weir).await;
}

#[tokio::test]
async fn a_stream_holds_its_place_until_it_ends() {
    let weir = Harness::with(|config| config.limits.inflight = 1).await;
    let (reply, feed) = Reply::fed();
    weir.provider.will(reply);
    feed.send(&chat_content("Hi")).await;
    let mut stream = weir.stream(&ask_streamed()).await;
    stream.event().await.unwrap();
    assert!(is_overload(&weir.chat(&ask()).await));

    stream.hang_up();
    feed.abandoned().await;

    weir.records(2).await;
    still_serves(&weir).await;
}

#[tokio::test]
async fn memory_for_bodies_is_bounded_for_all_calls_together() {
    let weir = Harness::with(|config| {
        config.limits.body_bytes = 100_000;
        config.limits.buffered_bytes = 150_000;
    })
    .await;
    let (reply, hold) = Reply::json(&canned::chat("gpt-4o-mini")).held();
    weir.provider.will(reply);
    let call = weir.call("POST", "/v1/chat/completions").json(&large(90_000));
    let first = tokio::spawn(async move { call.send().await });
    weir.provider.arrived(1).await;

    let second = weir.chat(&large(90_000)).await;

    assert!(is_overload(&second), "{}", second.text());
    still_serves(&weir).await;
    hold.release();
    assert_eq!(first.await.unwrap().status, 200);
    assert_eq!(weir.chat(&large(90_000)).await.status, 200);
}

#[tokio::test]
async fn an_answer_too_large_to_hold_is_the_providers_failure() {
    let weir = Harness::with(|config| {
        config.limits.answer_bytes = 10_000;
        config.providers[0].tries = 1;
    })
    .await;
    let mut reply = canned::chat("gpt-4o-mini");
    reply["choices"][0]["message"]["content"] = "x".repeat(20_000).into();
    weir.provider.will(Reply::json(&reply));

    let answer = weir.chat(&ask()).await;

    assert_eq!(answer.refusal(), (502, "upstream_error".to_owned(), "server_error".to_owned()));
    weir.provider.deserted().await;
    still_serves(&weir).await;
}

#[tokio::test]
async fn a_call_takes_no_longer_than_its_caller_says() {
    let weir = Harness::start().await;
    let (reply, mut hold) = Reply::never();
    weir.provider.will(reply);

    let answer =
        weir.call("POST", "/v1/chat/completions").header("weir-timeout-ms", "100").json(&ask()).send().await;

    assert_eq!(answer.refusal(), (504, "upstream_timeout".to_owned(), "server_error".to_owned()));
    hold.abandoned().await;
    assert_eq!(weir.record_of(&answer).await["outcome"], "timeout");
}

#[tokio::test]
async fn a_caller_cannot_ask_for_more_time_than_there_is() {
    let weir = Harness::with(|config| config.limits.call_timeout = millis(100)).await;
    let (reply, _hold) = Reply::never();
    weir.provider.will(reply);
    let mut body = ask();
    body["weir"] = json!({"timeout_ms": 60_000});

    assert_eq!(weir.chat(&body).await.refusal().1, "upstream_timeout");
}

#[tokio::test]
async fn a_whole_answer_that_stalls_in_the_middle_times_out() {
    let weir = Harness::with(|config| config.limits.call_timeout = millis(200)).await;
    let (reply, feed) = Reply::fed();
    weir.provider.will(reply.header("content-type", "application/json"));
    feed.send("{\"id\":").await;

    let answer = weir.chat(&ask()).await;

    assert_eq!(answer.refusal().1, "upstream_timeout");
    feed.abandoned().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_a_free_one() {
    let weir = Harness::with(|config| config.limits.connections = 1).await;
    let mut first = weir.raw().await;
    first.send("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    first.read_until("}").await;
    let call = weir.call("GET", "/healthz");
    let second = tokio::spawn(async move { call.send().await });

    drop(first);

    assert_eq!(second.await.unwrap().status, 200);
}
