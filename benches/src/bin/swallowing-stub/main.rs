//! A ClickHouse that costs nothing to insert into: it swallows inserts and passes everything else on to a real one.
//!
//! ```text
//! swallowing-stub --addr 127.0.0.1:9123 --to 127.0.0.1:8123
//! ```
//!
//! What is left of the cost of recording is the gateway's own. `GET /_stub/stats` says how many inserts and bytes were
//! swallowed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use benches::Arguments;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::net::TcpListener;

/// What is behind the stub, and what it swallowed.
struct Stub {
    to: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
    inserts: AtomicU64,
    bytes: AtomicU64,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::of_process(&["addr", "to"])?;
    let address = arguments.text("addr", "127.0.0.1:9123").to_owned();
    let to = arguments.text("to", "127.0.0.1:8123").parse().context("--to wants an address")?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve(&address, to))
}

async fn serve(address: &str, to: SocketAddr) -> anyhow::Result<()> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let stub = Arc::new(Stub { to, client, inserts: AtomicU64::new(0), bytes: AtomicU64::new(0) });
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let stub = Arc::clone(&stub);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&stub), request));
            // A client that hangs up is no concern of a stub.
            drop(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await,
            );
        });
    }
}

async fn answer(stub: Arc<Stub>, request: Request<Incoming>) -> anyhow::Result<Response<Full<Bytes>>> {
    let (head, mut body) = request.into_parts();
    if head.uri.path() == "/_stub/stats" {
        let (inserts, bytes) = (stub.inserts.load(Ordering::Relaxed), stub.bytes.load(Ordering::Relaxed));
        return Ok(Response::new(json!({"inserts": inserts, "bytes": bytes}).to_string().into()));
    }
    if head.uri.query().is_some_and(|query| query.contains("INSERT")) {
        while let Some(frame) = body.frame().await {
            let bytes = frame?.into_data().map_or(0, |data| data.len());
            stub.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        }
        stub.inserts.fetch_add(1, Ordering::Relaxed);
        return Ok(Response::new(Full::default()));
    }
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut onward = Request::builder().method(head.method).uri(format!("http://{}{path}", stub.to));
    for (name, value) in head.headers.iter().filter(|(name, _)| *name != hyper::header::HOST) {
        onward = onward.header(name, value);
    }
    let onward = onward.body(Full::new(body.collect().await?.to_bytes()))?;
    let (head, body) = stub.client.request(onward).await?.into_parts();
    Ok(Response::from_parts(head, Full::new(body.collect().await?.to_bytes())))
}
