//! A provider for tests: a real HTTP server that answers as its test scripts it, and keeps what it was sent.
//!
//! Scripted replies are given in order, one to a request; without any, it answers as OpenAI would.

pub mod canned;
pub mod reply;
mod serving;
mod tls;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Method, Version};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::wait::patiently;
use reply::Reply;
use tls::Identity;

/// The provider. Dropping it closes its listener and every connection.
pub struct FakeProvider {
    address: SocketAddr,
    identity: Option<Identity>,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

/// One request as it came in.
#[derive(Clone, Debug)]
pub struct Received {
    /// The HTTP method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body's bytes.
    pub body: Bytes,
    /// The HTTP version spoken.
    pub version: Version,
    /// Which connection it came on, counted from 1.
    pub connection: usize,
}

struct State {
    script: Mutex<VecDeque<Reply>>,
    received: watch::Sender<Vec<Received>>,
    connections: AtomicUsize,
    open: watch::Sender<usize>,
}

impl FakeProvider {
    /// A provider over plain HTTP/1.1.
    pub async fn start() -> Self {
        Self::listen(None).await
    }

    /// A provider over TLS that speaks HTTP/2, with a certificate of its own making.
    pub async fn start_tls() -> Self {
        Self::listen(Some(Identity::new(&[b"h2", b"http/1.1"]))).await
    }

    /// A provider over TLS that knows HTTP/1.1 only.
    pub async fn start_tls_http1() -> Self {
        Self::listen(Some(Identity::new(&[b"http/1.1"]))).await
    }

    async fn listen(identity: Option<Identity>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            script: Mutex::default(),
            received: watch::Sender::new(Vec::new()),
            connections: AtomicUsize::new(0),
            open: watch::Sender::new(0),
        });
        let acceptor = identity.as_ref().map(Identity::acceptor);
        let accepting = tokio::spawn(serving::accept(listener, acceptor, Arc::clone(&state)));
        Self { address, identity, state, accepting }
    }

    /// The URL to configure, `/v1` included.
    pub fn base_url(&self) -> String {
        match &self.identity {
            Some(_) => format!("https://localhost:{}/v1", self.address.port()),
            None => format!("http://{}/v1", self.address),
        }
    }

    /// The file with the certificate to trust.
    pub fn ca_file(&self) -> Option<&Path> {
        self.identity.as_ref().map(Identity::ca_file)
    }

    /// Answers the next request that has no reply yet with `reply`.
    pub fn will(&self, reply: Reply) -> &Self {
        self.state.script.lock().unwrap().push_back(reply);
        self
    }

    /// Every request so far.
    pub fn received(&self) -> Vec<Received> {
        self.state.received.borrow().clone()
    }

    /// How many requests there were so far.
    pub fn calls(&self) -> usize {
        self.state.received.borrow().len()
    }

    /// The one request there was.
    pub fn only(&self) -> Received {
        let received = self.received();
        assert_eq!(received.len(), 1, "one request was expected upstream: {received:?}");
        received.into_iter().next().unwrap()
    }

    /// Waits until `count` requests have come in.
    pub async fn arrived(&self, count: usize) {
        let mut received = self.state.received.subscribe();
        let coming = received.wait_for(|received| received.len() >= count);
        patiently(&format!("{count} requests upstream"), coming).await.unwrap();
    }

    /// Waits until every connection has been closed.
    pub async fn deserted(&self) {
        let mut open = self.state.open.subscribe();
        patiently("the provider's connections to close", open.wait_for(|open| *open == 0)).await.unwrap();
    }
}

impl Drop for FakeProvider {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Received {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// A header's value, if it came.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}
