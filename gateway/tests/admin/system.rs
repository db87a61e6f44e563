//! Health, metrics, the page, and what every route has in common.

use insta::assert_snapshot;
use registry::Role;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::desk::Desk;
use crate::redact::seen;
use crate::support::{Answer, Call, millis, patiently};

async fn open(desk: &Desk, method: &str, path: &str) -> Answer {
    Call::new(desk.admin_address(), method, path).send().await
}

#[tokio::test]
async fn health_is_told_without_a_token() {
    let desk = Desk::open().await;
    assert_snapshot!("healthz", seen(&open(&desk, "GET", "/healthz").await));
    let ready = open(&desk, "GET", "/readyz").await;
    assert_eq!((ready.status, &ready.json()["status"]), (200, &json!("ready")));
    assert_eq!(ready.json()["registry_revision"], desk.app().registry.snapshot().revision());
}

#[tokio::test]
async fn metrics_are_prometheus_text() {
    let desk = Desk::open().await;
    desk.chat(&crate::support::ask()).await;

    let answer = open(&desk, "GET", "/metrics").await;

    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    for metric in ["weir_requests_total{", "weir_build_info{", "weir_registry_revision "] {
        assert!(answer.text().contains(metric), "{metric} is missing in {}", answer.text());
    }
    assert!(!answer.text().contains(desk.api_key()));
}

#[tokio::test]
async fn the_front_page_says_where_things_are() {
    let desk = Desk::open().await;
    let page = open(&desk, "GET", "/").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.text().contains("/api/v1/openapi.json"));
}

#[tokio::test]
async fn other_routes_and_methods_are_refused_in_the_same_shape() {
    let desk = Desk::open().await;
    assert_snapshot!("not_built_yet", seen(&desk.get("/people").await));
    assert_snapshot!("unencoded_slash", seen(&desk.get("/prompts/support/reply").await));
    assert_snapshot!("nowhere", seen(&open(&desk, "GET", "/v1/chat/completions").await));
    assert_snapshot!("another_method", seen(&desk.by(Role::Admin, "PUT", "/prompts").send().await));
    assert_snapshot!("another_method_outside", seen(&open(&desk, "POST", "/healthz").await));
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let desk = Desk::open().await;
    desk.post("/prompts", &json!({"name": "a"})).await;
    for path in ["/prompts", "/prompts/a"] {
        let (get, head) = (desk.get(path).await, desk.by(Role::Viewer, "HEAD", path).send().await);
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        assert_eq!(head.headers.get("content-length"), get.headers.get("content-length"), "{path}");
        assert_eq!(head.headers.get("etag"), get.headers.get("etag"), "{path}");
    }
}

#[tokio::test]
async fn every_answer_has_an_id_of_its_own_and_stays_out_of_caches() {
    let desk = Desk::open().await;
    let (one, two) = (desk.get("/prompts").await, desk.get("/nowhere").await);
    assert_ne!(one.header("x-request-id"), two.header("x-request-id"));
    assert_eq!((one.header("cache-control"), two.header("cache-control")), ("no-store", "no-store"));
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_announced_or_not() {
    let desk = Desk::open().await;
    let large = json!({"name": "a", "description": "x".repeat(4 << 20)});

    assert_snapshot!("too_large", seen(&desk.post("/prompts", &large).await));
    let keyed =
        desk.by(Role::Admin, "POST", "/prompts").header("idempotency-key", "k").json(&large).send().await;
    assert_eq!(keyed.status, 413);
    assert_eq!(desk.get("/prompts").await.json()["data"], json!([]));
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let desk = Desk::with(|config| config.limits.body_timeout = millis(50)).await;
    let head = format!(
        "POST /api/v1/prompts HTTP/1.1\r\nhost: weir\r\nauthorization: Bearer {}\r\ncontent-length: 10\r\n\r\n",
        desk.admin_token()
    );
    let mut line = TcpStream::connect(desk.admin_address()).await.unwrap();
    line.write_all(head.as_bytes()).await.unwrap();

    let mut answer = String::new();
    patiently("the answer", line.read_to_string(&mut answer)).await.unwrap();

    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("request_timeout"), "{answer}");
}
