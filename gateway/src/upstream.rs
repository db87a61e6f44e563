//! Sends one call to one provider and waits for the status: addressed, signed, on a pooled connection.

pub mod body;
pub mod connect;
pub mod demo;
pub mod pool;
pub mod provider;

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use dialects::Endpoint;
use dialects::body::{Body, Edit};
use dialects::fault::{self, FailureClass, Fault};
use dialects::watch::{self, Facts};
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::timeout;
use vocab::Time;

use crate::bounded::{self, Unread};
use body::SendBody;
use pool::Lease;
pub use provider::{Provider, Providers, price_name};

/// The most of an error answer that is read.
const ERROR_ANSWER_BYTES: usize = 1024 * 1024;
/// How long the body of an error answer may take.
const ERROR_ANSWER_TIME: Duration = Duration::from_secs(10);

/// What goes to a provider.
pub struct Outgoing {
    /// Which endpoint it is for.
    pub endpoint: Endpoint,
    /// The HTTP method.
    pub method: Method,
    /// What follows `/v1` in the caller's URL, query included: `/chat/completions`.
    pub path: Box<str>,
    /// The body, or `None` for a request without one.
    pub body: Option<Bytes>,
    /// The body's media type, when it is not JSON.
    pub content_type: Option<http::HeaderValue>,
    /// Whether an event stream was asked for.
    pub stream: bool,
    /// How many Weirs this call has passed through, this one included.
    pub hops: u8,
}

/// How long one try may take, and how much it may hold.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Until the head of the answer.
    pub head: Duration,
    /// Until the end of a whole answer.
    pub whole: Duration,
    /// Bytes of a whole answer.
    pub answer_bytes: usize,
}

/// An answer with a success status.
pub enum Answer {
    /// All of it.
    Whole {
        /// The provider's headers.
        headers: HeaderMap,
        /// The provider's status.
        status: StatusCode,
        /// The body.
        bytes: Bytes,
        /// What it tells.
        facts: Facts,
    },
    /// A body still arriving.
    Stream {
        /// The provider's headers.
        headers: HeaderMap,
        /// The provider's status.
        status: StatusCode,
        /// What arrives, and the connection it arrives on.
        arriving: Arriving,
    },
}

/// A body still arriving. Dropping it before its end closes the connection, which cancels the call upstream.
pub enum Arriving {
    /// From a provider.
    Network {
        /// The body.
        body: Incoming,
        /// The connection, given back at the body's end.
        lease: Lease,
    },
    /// From the demo provider.
    Made(std::vec::IntoIter<Bytes>),
}

/// A try that failed: what it means, and what of it may be shown to the caller.
#[derive(Debug)]
pub struct Failure {
    /// What it means.
    pub fault: Fault,
    /// The provider's status, if it answered.
    pub status: Option<StatusCode>,
    /// The provider's headers, if it answered.
    pub headers: HeaderMap,
    /// The provider's body, when it is an error in OpenAI's shape.
    pub body: Option<Bytes>,
    /// Whether nothing of the request can have reached the provider's application.
    pub unsent: bool,
}

impl Provider {
    /// Sends `outgoing` and waits for the status; whole answers are read to their end.
    pub async fn send(&self, outgoing: &Outgoing, patience: Patience) -> Result<Answer, Box<Failure>> {
        if self.pool().is_none() {
            return demo::answer(outgoing);
        }
        let (lease, response) = match timeout(patience.head, self.exchange(outgoing)).await {
            Ok(exchanged) => exchanged.map_err(|unsent| Failure::unsent(&unsent))?,
            Err(_) => return Err(Failure::timed_out("the provider sent no answer in time")),
        };
        let (head, body) = response.into_parts();
        if !head.status.is_success() {
            return Err(failed(head, body, lease, self.clock().now()).await);
        }
        if outgoing.endpoint == Endpoint::Passthrough || (outgoing.stream && is_event_stream(&head.headers)) {
            let arriving = Arriving::Network { body, lease };
            return Ok(Answer::Stream { headers: head.headers, status: head.status, arriving });
        }
        match timeout(patience.whole, bounded::collect(body, patience.answer_bytes)).await {
            Ok(Ok(bytes)) => {
                lease.give_back();
                whole(outgoing, head, bytes)
            }
            Ok(Err(Unread::TooLarge)) => Err(Failure::garbled(
                format!("the provider's answer is over {} bytes", patience.answer_bytes),
                head.status,
            )),
            Ok(Err(Unread::Broken(error))) => Err(Failure::broken_off(&error, head.status)),
            Err(_) => Err(Failure::timed_out("the provider did not finish its answer in time")),
        }
    }

    /// Sends a request whose body is the caller's own, streamed; it cannot be sent twice.
    pub async fn send_streamed(
        &self,
        outgoing: &Outgoing,
        body: SendBody,
        patience: Patience,
    ) -> Result<Answer, Box<Failure>> {
        let Some(pool) = self.pool() else { return demo::answer(outgoing) };
        let exchange = async {
            let mut lease = pool.take().await?;
            let response = lease.send(self.address(outgoing, body)?).await?;
            Ok::<_, Unsent>((lease, response))
        };
        let (lease, response) = match timeout(patience.head, exchange).await {
            Ok(exchanged) => exchanged.map_err(|unsent| Failure::unsent(&unsent))?,
            Err(_) => return Err(Failure::timed_out("the provider sent no answer in time")),
        };
        let (head, body) = response.into_parts();
        if !head.status.is_success() {
            return Err(failed(head, body, lease, self.clock().now()).await);
        }
        let arriving = Arriving::Network { body, lease };
        Ok(Answer::Stream { headers: head.headers, status: head.status, arriving })
    }

    /// One request and the head of its answer. A pooled connection may have gone stale unnoticed: that costs
    /// one more try on a new connection, and is no failure of the provider.
    async fn exchange(&self, outgoing: &Outgoing) -> Result<(Lease, Response<Incoming>), Unsent> {
        let Some(pool) = self.pool() else { return Err(Unsent::closed()) };
        let mut lease = pool.take().await?;
        match lease.send(self.request(outgoing)?).await {
            Ok(response) => Ok((lease, response)),
            Err(unsent) if lease.reused() && unsent.looks_stale() => {
                drop(lease);
                let mut lease = pool.connect().await?;
                let response = lease.send(self.request(outgoing)?).await?;
                Ok((lease, response))
            }
            Err(unsent) => Err(unsent),
        }
    }

    fn request(&self, outgoing: &Outgoing) -> Result<Request<SendBody>, Unsent> {
        self.address(outgoing, SendBody::Whole(outgoing.body.clone()))
    }
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.trim_start().get(..17).is_some_and(|start| start.eq_ignore_ascii_case("text/event-stream"))
}

/// Judges a whole answer with a success status: it must be JSON, and an error inside a 200 is an error.
fn whole(outgoing: &Outgoing, head: http::response::Parts, bytes: Bytes) -> Result<Answer, Box<Failure>> {
    match watch::read_whole(outgoing.endpoint, &bytes) {
        Ok(facts) => Ok(Answer::Whole { headers: head.headers, status: head.status, bytes, facts }),
        Err(fault) => {
            let (status, headers) = (Some(head.status), head.headers);
            Err(Box::new(Failure { fault, status, headers, body: None, unsent: false }))
        }
    }
}

/// A provider's error as callers may read it; `None` when it is not in OpenAI's shape. The bytes stay as they are
/// unless a member is missing or is no text, which typed clients stumble over.
fn openai_error(bytes: &Bytes, kind: &str) -> Option<Bytes> {
    let body = Body::scan(bytes).ok()?;
    let error = Body::scan(body.get("error")?.get().as_bytes()).ok()?;
    error.text("message").ok()??;
    let mut edit = Edit::new();
    for (key, missing) in [("type", Some(kind)), ("param", None), ("code", None)] {
        let number = || error.get(key).map(RawValue::get).filter(|raw| raw.parse::<f64>().is_ok());
        if !error.holds(key) || error.text(key).is_err() {
            edit.set(key, Value::from(number().or(missing)).to_string());
        }
    }
    if edit.is_empty() {
        return Some(bytes.clone());
    }
    let error = String::from_utf8(edit.write(&error)).ok()?;
    let mut edit = Edit::new();
    edit.set("error", error);
    Some(edit.write(&body).into())
}

async fn failed(head: http::response::Parts, body: Incoming, lease: Lease, now: Time) -> Box<Failure> {
    let read = timeout(ERROR_ANSWER_TIME, bounded::collect(body, ERROR_ANSWER_BYTES)).await;
    let bytes = match read {
        Ok(Ok(bytes)) => {
            lease.give_back();
            bytes
        }
        Ok(Err(_)) | Err(_) => Bytes::new(),
    };
    let status = head.status.as_u16();
    let wait =
        fault::retry_after(status, |name| head.headers.get(name).and_then(|value| value.to_str().ok()), now);
    let fault = fault::read_fault(status, wait, &bytes);
    let body = openai_error(&bytes, fault.kind.as_deref().unwrap_or("invalid_request_error"));
    Box::new(Failure { fault, status: Some(head.status), headers: head.headers, body, unsent: false })
}

impl Failure {
    fn without_answer(class: FailureClass, message: impl Into<String>) -> Box<Self> {
        let fault = Fault::new(class, message);
        Box::new(Self { fault, status: None, headers: HeaderMap::new(), body: None, unsent: false })
    }

    fn timed_out(message: &str) -> Box<Self> {
        Self::without_answer(FailureClass::Timeout, message)
    }

    fn garbled(message: String, status: StatusCode) -> Box<Self> {
        let mut failure = Self::without_answer(FailureClass::Garbled, message);
        failure.status = Some(status);
        failure
    }

    fn broken_off(error: &hyper::Error, status: StatusCode) -> Box<Self> {
        let message = format!("the provider broke off its answer: {error}");
        let mut failure = Self::without_answer(FailureClass::Transient, message);
        failure.status = Some(status);
        failure
    }

    fn unsent(unsent: &Unsent) -> Box<Self> {
        let class = match &unsent.cause {
            Cause::Unreachable(error) if error.kind() == io::ErrorKind::TimedOut => FailureClass::Timeout,
            Cause::Unreachable(_) | Cause::Closed => FailureClass::Unreachable,
            Cause::Broken(_) => FailureClass::Transient,
            Cause::Unaddressed(_) => FailureClass::CallerFault,
        };
        let mut text = unsent.to_string();
        if let Cause::Broken(error) = &unsent.cause
            && let Some(source) = error.source()
        {
            text.push_str(": ");
            text.push_str(&source.to_string());
        }
        let mut failure = Self::without_answer(class, text);
        failure.unsent = unsent.unsent;
        failure
    }
}

/// Why a request got no answer.
#[derive(Debug)]
pub struct Unsent {
    cause: Cause,
    /// Whether the request never left this machine.
    unsent: bool,
}

#[derive(Debug)]
enum Cause {
    Unreachable(io::Error),
    Broken(hyper::Error),
    Unaddressed(http::Error),
    Closed,
}

impl Unsent {
    fn unreachable(error: io::Error) -> Self {
        Self { cause: Cause::Unreachable(error), unsent: true }
    }

    fn broken(error: hyper::Error, came_back: bool) -> Self {
        Self { cause: Cause::Broken(error), unsent: came_back }
    }

    fn unaddressed(error: http::Error) -> Self {
        Self { cause: Cause::Unaddressed(error), unsent: true }
    }

    const fn closed() -> Self {
        Self { cause: Cause::Closed, unsent: true }
    }

    /// Whether this is what a connection looks like that the provider had closed before the request.
    fn looks_stale(&self) -> bool {
        match &self.cause {
            Cause::Broken(error) => {
                self.unsent || error.is_incomplete_message() || error.is_closed() || is_reset(error)
            }
            Cause::Closed => true,
            Cause::Unreachable(_) | Cause::Unaddressed(_) => false,
        }
    }
}

fn is_reset(error: &hyper::Error) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    source.is_some_and(|error| {
        matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
    })
}

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Unreachable(error) => write!(f, "the provider cannot be reached: {error}"),
            Cause::Broken(error) => write!(f, "the connection to the provider broke: {error}"),
            Cause::Unaddressed(error) => write!(f, "the request cannot be addressed: {error}"),
            Cause::Closed => f.write_str("the connection to the provider is closed"),
        }
    }
}
