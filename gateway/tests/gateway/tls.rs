//! Providers over TLS and HTTP/2, and callers over HTTP/2.

use bytes::Bytes;
use http::{Request, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::{Call, FakeProvider, Harness, Reply, ask, ask_streamed, canned};

#[tokio::test]
async fn a_provider_over_tls_is_spoken_to_in_http_2() {
    let weir = Harness::before(FakeProvider::start_tls().await, |_| {}).await;

    let answer = weir.chat(&ask()).await;

    assert_eq!((answer.status, answer.text()), (200, canned::chat("gpt-4o-mini").to_string().as_str()));
    let received = weir.provider.only();
    assert_eq!((received.version, received.json()), (Version::HTTP_2, ask()));
    assert!(received.header("authorization").is_some() && received.header("cookie").is_none());
}

#[tokio::test]
async fn a_provider_over_tls_that_knows_http_1_only_is_spoken_to_in_that() {
    let weir = Harness::before(FakeProvider::start_tls_http1().await, |_| {}).await;
    for _ in 0..3 {
        assert_eq!(weir.chat(&ask()).await.status, 200);
    }
    let last = weir.provider.received().pop().unwrap();
    assert_eq!((last.version, last.connection), (Version::HTTP_11, 1));
}

#[tokio::test]
async fn many_calls_share_one_http_2_connection() {
    let weir = Harness::before(FakeProvider::start_tls().await, |_| {}).await;
    assert_eq!(weir.chat(&ask()).await.status, 200);
    let mut calls = JoinSet::new();
    for _ in 0..40 {
        let call =
            Call::new(weir.data_address(), "POST", "/v1/chat/completions").key(weir.api_key()).json(&ask());
        calls.spawn(call.send());
    }

    let answers = calls.join_all().await;

    assert!(answers.iter().all(|answer| answer.status == 200));
    assert!(weir.provider.received().iter().all(|received| received.connection == 1));
}

#[tokio::test]
async fn streams_pass_over_http_2() {
    let weir = Harness::before(FakeProvider::start_tls().await, |_| {}).await;

    let stream = weir.stream(&ask_streamed()).await;

    assert_eq!(stream.rest().await, canned::chat_events_seen("gpt-4o-mini"));
}

#[tokio::test]
async fn a_caller_who_hangs_up_ends_the_call_but_not_the_connection_it_shares() {
    let weir = Harness::before(FakeProvider::start_tls().await, |_| {}).await;
    let (reply, feed) = Reply::fed();
    weir.provider.will(reply);
    feed.send(&canned::chat_content("Hi")).await;
    let mut stream = weir.stream(&ask_streamed()).await;
    stream.event().await.unwrap();

    stream.hang_up();

    feed.abandoned().await;
    assert_eq!(weir.chat(&ask()).await.status, 200);
    assert_eq!(weir.provider.received().pop().unwrap().connection, 1);
}

#[tokio::test]
async fn a_stream_cut_over_http_2_is_not_whole() {
    let weir = Harness::before(FakeProvider::start_tls().await, |_| {}).await;
    weir.provider.will(Reply::events([canned::chat_content("Hi")]).cut());

    let events = weir.stream(&ask_streamed()).await.rest().await;

    assert!(events.last().unwrap().contains("upstream_error"), "{events:?}");
    assert_eq!(weir.records(1).await[0]["outcome"], "truncated");
}

#[tokio::test]
async fn a_provider_nobody_vouches_for_is_not_spoken_to() {
    let provider = FakeProvider::start_tls().await;
    let weir = Harness::before(provider, |config| {
        config.providers[0].ca_file = None;
        config.providers[0].tries = 1;
    })
    .await;

    let answer = weir.chat(&ask()).await;

    assert_eq!(answer.refusal(), (502, "upstream_error".to_owned(), "server_error".to_owned()));
    assert_eq!(weir.provider.calls(), 0);
    let attempt = &weir.record_of(&answer).await["attempts"][0];
    assert!(attempt["error"].as_str().unwrap().contains("certificate"), "{attempt}");
}

#[tokio::test]
async fn callers_may_speak_http_2_from_the_start() {
    let weir = Harness::start().await;
    let socket = TcpStream::connect(weir.data_address()).await.unwrap();
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(socket)).await.unwrap();
    let line = tokio::spawn(connection);
    for body in [ask(), ask_streamed(), json!({"bad": true})] {
        let request = Request::post(format!("http://{}/v1/chat/completions", weir.data_address()))
            .header("authorization", format!("Bearer {}", weir.api_key()))
            .body(Full::new(Bytes::from(body.to_string())))
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), if body["bad"] == true { 400 } else { 200 });
        assert!(!response.into_body().collect().await.unwrap().to_bytes().is_empty());
    }
    line.abort();
}
