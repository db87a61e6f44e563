//! HTTP as other clients speak it: pieces, pipelines, old versions, expectations.

use serde_json::json;

use crate::support::{Harness, RawConnection, ask, canned};

/// The head of a chat request, up to where its own headers go.
fn head(weir: &Harness, version: &str) -> String {
    let key = weir.api_key();
    format!("POST /v1/chat/completions HTTP/{version}\r\nhost: x\r\nauthorization: Bearer {key}\r\n")
}

/// A whole chat request on one line.
fn request(weir: &Harness) -> String {
    let body = ask().to_string();
    format!("{}content-length: {}\r\n\r\n{body}", head(weir, "1.1"), body.len())
}

async fn answer(raw: &mut RawConnection) -> String {
    let head = raw.read_until("\r\n\r\n").await;
    let body = raw.read_until("\"service_tier\":\"default\"}").await;
    assert_eq!(body, canned::chat("gpt-4o-mini").to_string());
    head
}

#[tokio::test]
async fn a_body_in_chunks_goes_upstream_whole() {
    let weir = Harness::start().await;
    let mut raw = weir.raw().await;
    raw.send(&format!("{}transfer-encoding: chunked\r\n\r\n", head(&weir, "1.1"))).await;

    for piece in ["{\"model\":\"gpt-4o-mini\",", "\"messages\":[]", "}"] {
        raw.send(&format!("{:x}\r\n{piece}\r\n", piece.len())).await;
    }
    raw.send("0\r\n\r\n").await;

    assert!(answer(&mut raw).await.starts_with("HTTP/1.1 200 "));
    let received = weir.provider.only();
    assert_eq!(received.text(), "{\"model\":\"gpt-4o-mini\",\"messages\":[]}");
    assert_eq!(received.header("content-length"), Some("37"));
}

#[tokio::test]
async fn requests_sent_ahead_are_answered_in_order() {
    let weir = Harness::start().await;
    let mut raw = weir.raw().await;

    raw.send(&format!("{0}{0}GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n", request(&weir))).await;

    answer(&mut raw).await;
    answer(&mut raw).await;
    assert!(raw.read_until("\"ok\"}").await.starts_with("HTTP/1.1 200 "));
    assert_eq!(weir.provider.calls(), 2);
}

#[tokio::test]
async fn a_client_that_asks_before_it_sends_is_told_to_go_on() {
    let weir = Harness::start().await;
    let mut raw = weir.raw().await;
    let body = ask().to_string();
    raw.send(&format!(
        "{}expect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        head(&weir, "1.1"),
        body.len()
    ))
    .await;
    assert!(raw.read_until("\r\n\r\n").await.starts_with("HTTP/1.1 100 "));

    raw.send(&body).await;

    assert!(answer(&mut raw).await.starts_with("HTTP/1.1 200 "));
    assert_eq!(weir.provider.only().header("expect"), None);
}

#[tokio::test]
async fn a_client_that_asks_with_a_wrong_key_is_refused_before_it_sends() {
    let weir = Harness::start().await;
    let mut raw = weir.raw().await;
    let head = head(&weir, "1.1").replace(weir.api_key(), "sk-nobodys");

    raw.send(&format!("{head}expect: 100-continue\r\ncontent-length: 50000000\r\n\r\n")).await;

    assert!(raw.read_until("\r\n\r\n").await.starts_with("HTTP/1.1 401 "));
}

#[tokio::test]
async fn a_client_of_http_1_0_is_answered_and_let_go() {
    let weir = Harness::start().await;
    let body = ask().to_string();
    let mut raw = weir.raw().await;

    raw.send(&format!("{}content-length: {}\r\n\r\n{body}", head(&weir, "1.0"), body.len())).await;

    let answer = raw.until_closed().await;
    assert!(answer.starts_with("HTTP/1.0 200 "), "{answer}");
    assert!(answer.ends_with(&canned::chat("gpt-4o-mini").to_string()), "{answer}");
}

#[tokio::test]
async fn a_request_that_comes_byte_by_byte_is_answered() {
    let weir = Harness::start().await;
    let mut raw = weir.raw().await;

    for byte in request(&weir).chars() {
        raw.send(byte.encode_utf8(&mut [0; 4])).await;
    }

    assert!(answer(&mut raw).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_query_goes_upstream_with_its_path() {
    let weir = Harness::start().await;

    weir.post("/v1/chat/completions?api-version=2026-01-01", &ask()).await;

    assert_eq!(weir.provider.only().path, "/v1/chat/completions?api-version=2026-01-01");
}

#[tokio::test]
async fn a_connection_that_was_refused_serves_the_next_request() {
    let weir = Harness::start().await;
    let mut raw = weir.raw().await;
    let body = json!({"model": 7}).to_string();
    raw.send(&format!("{}content-length: {}\r\n\r\n{body}", head(&weir, "1.1"), body.len())).await;
    assert!(raw.read_until("\r\n\r\n").await.starts_with("HTTP/1.1 400 "));
    raw.read_until("}}").await;

    raw.send(&request(&weir)).await;

    assert!(answer(&mut raw).await.starts_with("HTTP/1.1 200 "));
}
