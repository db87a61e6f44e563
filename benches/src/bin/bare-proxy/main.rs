//! The floor for a gateway in Rust on hyper: a proxied hop and nothing else, or that plus the least that a gateway with
//! records must do. Not a gateway; an anchor to compare with.
//!
//! ```text
//! bare-proxy [--addr 127.0.0.1:9210] [--upstream http://127.0.0.1:9100] [--threads 1] [--mode pass|parse]
//! ```
//!
//! `pass` forwards head and body as they come. `parse` reads the whole request, parses it to a JSON value, forwards the
//! bytes, copies the answer as it passes, parses it at its end, and hands both to a background task through a bounded
//! channel; the task only counts them.

mod tee;

use std::sync::Arc;

use anyhow::Context;
use benches::Arguments;
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::service::service_fn;
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use vocab::Clock;

use crate::tee::{Record, Seen, Tee};

/// Records that wait for the counting task; above it they are dropped.
const QUEUE_RECORDS: usize = 8_192;

type ProxyBody = BoxBody<Bytes, hyper::Error>;

struct Proxy {
    client: Client<HttpConnector, ProxyBody>,
    upstream: String,
    parse: bool,
    records: mpsc::Sender<Record>,
    clock: Clock,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::of_process(&["addr", "upstream", "threads", "mode"])?;
    let runtime = match arguments.number("threads", 1)? {
        0 | 1 => tokio::runtime::Builder::new_current_thread().enable_all().build()?,
        threads => {
            tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?
        }
    };
    runtime.block_on(serve(&arguments))
}

async fn serve(arguments: &Arguments) -> anyhow::Result<()> {
    let (records, receiver) = mpsc::channel(QUEUE_RECORDS);
    tokio::spawn(count(receiver));
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let proxy = Arc::new(Proxy {
        client: Client::builder(TokioExecutor::new()).pool_max_idle_per_host(1_024).build(connector),
        upstream: arguments.text("upstream", "http://127.0.0.1:9100").to_owned(),
        parse: arguments.text("mode", "pass") == "parse",
        records,
        clock: Clock::system(),
    });
    let address = arguments.text("addr", "127.0.0.1:9210");
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        if stream.set_nodelay(true).is_err() {
            continue;
        }
        let proxy = Arc::clone(&proxy);
        tokio::spawn(async move {
            let service = service_fn(move |request| forward(Arc::clone(&proxy), request));
            let connection =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // A client that hangs up is no concern of an anchor.
            drop(connection.await);
        });
    }
}

async fn count(mut records: mpsc::Receiver<Record>) {
    let (mut bytes, mut numbers) = (0, 0);
    while let Some(record) = records.recv().await {
        bytes += record.seen.model.len() + record.seen.request.len() + record.answer.len();
        numbers += record.input_tokens + record.output_tokens + record.first_us + record.total_us;
        std::hint::black_box((bytes, numbers));
    }
}

async fn forward(proxy: Arc<Proxy>, request: Request<Incoming>) -> anyhow::Result<Response<ProxyBody>> {
    let started = proxy.clock.monotonic();
    let (mut head, body) = request.into_parts();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    head.uri = format!("{}{path}", proxy.upstream).parse::<Uri>()?;
    head.headers.remove(HOST);
    if !proxy.parse {
        let answer = proxy.client.request(Request::from_parts(head, body.boxed())).await?;
        return Ok(answer.map(BodyExt::boxed));
    }
    let request = body.collect().await?.to_bytes();
    let value: serde_json::Value = serde_json::from_slice(&request).unwrap_or_default();
    let model = value["model"].as_str().unwrap_or_default().to_owned();
    let copy = Full::new(request.clone()).map_err(|never| match never {}).boxed();
    let answer = proxy.client.request(Request::from_parts(head, copy)).await?;
    let kind = answer.headers().get(CONTENT_TYPE);
    let streamed = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    let seen = Seen { model, request, streamed, started };
    let (records, clock) = (proxy.records.clone(), proxy.clock.clone());
    Ok(answer.map(|body| Tee::new(body, seen, records, clock).boxed()))
}
