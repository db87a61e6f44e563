//! A plain HTTP client: one connection to a call, no retries, no opinion.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::wait::patiently;

/// A call that has not been sent yet.
#[must_use = "a call does nothing until it is sent"]
pub struct Call {
    address: SocketAddr,
    request: Request<Full<Bytes>>,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body's bytes.
    pub body: Bytes,
}

/// An answer still arriving. Dropping it closes the connection.
pub struct Streaming {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    body: Incoming,
    buffer: BytesMut,
    line: Line,
}

/// The connection of one call; closed when dropped.
struct Line(JoinHandle<()>);

impl Drop for Line {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Call {
    /// A call to `path` at `address`.
    pub fn new(address: SocketAddr, method: &str, path: &str) -> Self {
        let mut request = Request::new(Full::default());
        *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
        *request.uri_mut() = path.parse().unwrap();
        let host = HeaderValue::from_str(&address.to_string()).unwrap();
        request.headers_mut().insert(header::HOST, host);
        Self { address, request }
    }

    /// Sets a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        self.request.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
        self
    }

    /// Sends `secret` as the bearer token.
    pub fn key(self, secret: &str) -> Self {
        self.header("authorization", &format!("Bearer {secret}"))
    }

    /// Sends no key.
    pub fn without_key(mut self) -> Self {
        self.request.headers_mut().remove(header::AUTHORIZATION);
        self
    }

    /// Sets the body to this JSON.
    pub fn json(self, value: &Value) -> Self {
        self.body(value.to_string())
    }

    /// Sets the body to these bytes, as JSON.
    pub fn body(mut self, bytes: impl Into<Bytes>) -> Self {
        *self.request.body_mut() = Full::new(bytes.into());
        if self.request.headers().contains_key(header::CONTENT_TYPE) {
            return self;
        }
        self.header("content-type", "application/json")
    }

    /// Sends the call and reads the whole answer.
    pub async fn send(self) -> Answer {
        let Streaming { status, headers, body, line, .. } = self.stream().await;
        let read = patiently("the answer's body", body.collect()).await;
        drop(line);
        let body = read.unwrap_or_else(|error| panic!("the answer broke off: {error}")).to_bytes();
        Answer { status, headers, body }
    }

    /// Sends the call, and says the status of an answer that came whole; `None` when it did not.
    pub async fn try_send(self) -> Option<u16> {
        let socket = TcpStream::connect(self.address).await.ok()?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await.ok()?;
        let line = Line(tokio::spawn(async move { drop(connection.await) }));
        let response = patiently("the answer's head", sender.send_request(self.request)).await.ok()?;
        let status = response.status().as_u16();
        patiently("the answer's body", response.into_body().collect()).await.ok()?;
        drop(line);
        Some(status)
    }

    /// Sends the call and waits for the answer's head.
    pub async fn stream(self) -> Streaming {
        let socket = TcpStream::connect(self.address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await.unwrap();
        let line = Line(tokio::spawn(async move { drop(connection.await) }));
        let answered = patiently("the answer's head", sender.send_request(self.request)).await;
        let (head, body) = answered.unwrap_or_else(|error| panic!("no answer: {error}")).into_parts();
        Streaming { status: head.status.as_u16(), headers: head.headers, body, buffer: BytesMut::new(), line }
    }
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// A header's value; fails the test when it is missing.
    pub fn header(&self, name: &str) -> &str {
        text_of(&self.headers, name)
    }

    /// What an error answer says, after checking that it has OpenAI's shape.
    pub fn error(&self) -> Value {
        let body = self.json();
        let error = body["error"].as_object().unwrap_or_else(|| panic!("no error in {body}"));
        let all = ["message", "type", "param", "code"].iter().all(|key| error.contains_key(*key));
        assert!(all, "{body}");
        assert!(error["code"].is_string() || error["code"].is_null(), "{body}");
        body["error"].clone()
    }

    /// Status, code and type of an error answer.
    pub fn refusal(&self) -> (u16, String, String) {
        let error = self.error();
        let word = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
        (self.status, word("code"), word("type"))
    }

    /// What an error answer tells its reader.
    pub fn message(&self) -> String {
        self.error()["message"].as_str().unwrap().to_owned()
    }
}

impl Streaming {
    /// A header's value; fails the test when it is missing.
    pub fn header(&self, name: &str) -> &str {
        text_of(&self.headers, name)
    }

    /// The next event, blank line included; `None` at the end.
    pub async fn event(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
                let event = self.buffer.split_to(end + 2);
                return Some(String::from_utf8(event.to_vec()).unwrap());
            }
            let frame = patiently("the next event", self.body.frame()).await?;
            let frame = frame.unwrap_or_else(|error| panic!("the stream broke off: {error}"));
            self.buffer.extend_from_slice(&frame.into_data().unwrap());
        }
    }

    /// Everything that is still to come.
    pub async fn rest(mut self) -> Vec<String> {
        let mut events = Vec::new();
        while let Some(event) = self.event().await {
            events.push(event);
        }
        assert!(self.buffer.is_empty(), "half an event at the end: {:?}", self.buffer);
        events
    }

    /// Whether the connection broke before the answer's end; what came before that is dropped.
    pub async fn breaks_off(mut self) -> bool {
        loop {
            match patiently("the end of the answer", self.body.frame()).await {
                Some(Ok(_)) => {}
                Some(Err(_)) => return true,
                None => return false,
            }
        }
    }

    /// Closes the connection in the middle of the answer.
    pub fn hang_up(self) {
        drop(self);
    }
}

fn text_of<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    let value = headers.get(name).unwrap_or_else(|| panic!("no header {name} in {headers:?}"));
    value.to_str().unwrap()
}
