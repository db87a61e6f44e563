//! A fast provider that answers like OpenAI, for measuring what a gateway adds.
//!
//! ```text
//! mock-provider [--addr 127.0.0.1:9100] [--threads 1]
//!
//! POST */chat/completions   a fixed completion of about 1 KB, or server-sent events when `"stream": true`
//! GET  */models             a fixed list
//! GET  /_mock/stats         requests seen so far: completions, streams
//! GET  /_mock/set?k=v&...   chunks (32), chunk_us (0), first_us (0), latency_us (0), from the next call on
//! ```
//!
//! Delays run on tokio's timers, a millisecond apart. With `chunk_us` 0 every event is still a write of its own: the
//! body yields to the connection between events so that hyper flushes each.

mod answers;
mod body;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use benches::Arguments;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use memchr::memmem;
use tokio::net::TcpListener;

use crate::answers::Mock;
use crate::body::{MockBody, Stream};

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::of_process(&["addr", "threads"])?;
    let address = arguments.text("addr", "127.0.0.1:9100").to_owned();
    let runtime = match arguments.number("threads", 1)? {
        0 | 1 => tokio::runtime::Builder::new_current_thread().enable_all().build()?,
        threads => {
            tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?
        }
    };
    runtime.block_on(serve(&address))
}

async fn serve(address: &str) -> anyhow::Result<()> {
    let mock = Arc::new(Mock::new());
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        if stream.set_nodelay(true).is_err() {
            continue;
        }
        let mock = Arc::clone(&mock);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&mock), request));
            let mut builder = hyper::server::conn::http1::Builder::new();
            let connection = builder.pipeline_flush(true).serve_connection(TokioIo::new(stream), service);
            // A client that hangs up is no concern of a mock.
            drop(connection.await);
        });
    }
}

async fn answer(mock: Arc<Mock>, request: Request<Incoming>) -> anyhow::Result<Response<MockBody>> {
    let (head, body) = request.into_parts();
    match head.uri.path() {
        path if head.method == Method::POST && path.ends_with("/chat/completions") => {
            let body = body.collect().await?.to_bytes();
            chat(mock, &body).await
        }
        path if path.ends_with("/models") => json(200, mock.models.clone()),
        "/_mock/stats" => json(200, mock.stats()),
        "/_mock/set" => {
            mock.set(head.uri.query().unwrap_or_default());
            json(200, Bytes::from_static(b"{}"))
        }
        _ => json(404, Bytes::from_static(br#"{"error":{"message":"no such path"}}"#)),
    }
}

async fn chat(mock: Arc<Mock>, request: &[u8]) -> anyhow::Result<Response<MockBody>> {
    let latency_us = mock.latency_us.load(Ordering::Relaxed);
    if latency_us > 0 {
        tokio::time::sleep(Duration::from_micros(latency_us)).await;
    }
    if !has_true(request, b"\"stream\"") {
        mock.completions.fetch_add(1, Ordering::Relaxed);
        return json(200, mock.completion.clone());
    }
    mock.streams.fetch_add(1, Ordering::Relaxed);
    let stream = Stream::new(mock, has_true(request, b"\"include_usage\""));
    let answer = Response::builder()
        .header(CONTENT_TYPE, "text/event-stream; charset=utf-8")
        .header(CACHE_CONTROL, "no-cache")
        .header("x-request-id", "req_mock");
    Ok(answer.body(MockBody::Stream(Box::new(stream)))?)
}

fn json(status: u16, body: Bytes) -> anyhow::Result<Response<MockBody>> {
    let answer = Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/json")
        .header("x-request-id", "req_mock");
    Ok(answer.body(MockBody::Whole(Some(body)))?)
}

/// Whether `"key"` stands in the body with `: true` after it, blanks allowed. A parse would cost more than the mock.
fn has_true(body: &[u8], key: &[u8]) -> bool {
    memmem::find_iter(body, key).any(|at| {
        let rest = body[at + key.len()..].trim_ascii_start();
        rest.strip_prefix(b":").is_some_and(|value| value.trim_ascii_start().starts_with(b"true"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_seen_only_when_it_is_set() {
        assert!(has_true(br#"{"stream" : true}"#, b"\"stream\""));
        assert!(has_true(br#"{"stream":false,"x":{"stream":true}}"#, b"\"stream\""));
        assert!(!has_true(br#"{"stream":false}"#, b"\"stream\""));
        assert!(!has_true(br#"{"a":"stream"}"#, b"\"stream\""));
    }
}
