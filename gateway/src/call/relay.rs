//! From an answer to the caller's bytes: whole, streamed, or an error; the record rides along to the last byte.

pub mod pass;
pub mod stream;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use analytics::record::{Capture, Outcome};
use bytes::Bytes;
use dialects::Endpoint;
use dialects::fault::FailureClass;
use dialects::watch::Facts;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::{Frame, SizeHint};

use super::admission::Permit;
use super::entry::Entry;
use super::prompt::Shape;
use super::reply::{Fresh, Reply, Shown, copy_headers, describe, name, show};
use crate::refusal::Refusal;
use crate::upstream::{Answer, Failure};
use pass::PassRelay;
use stream::StreamRelay;

/// What the data plane answers with.
pub enum Body {
    /// Bytes that belong to no call: health, models.
    Plain(Option<Bytes>),
    /// A whole answer, filed when its bytes are handed over.
    Whole {
        /// The bytes; `None` once handed over.
        bytes: Option<Bytes>,
        /// The record, filed with them.
        entry: Option<Box<Entry>>,
        /// How the call ended once they are handed over.
        outcome: Outcome,
        /// The call's room.
        permit: Option<Permit>,
    },
    /// An event stream, watched.
    Stream(Box<StreamRelay>),
    /// Bytes passed through.
    Pass(Box<PassRelay>),
}

impl Body {
    /// Bytes that belong to no call.
    pub fn plain(bytes: impl Into<Bytes>) -> Self {
        Self::Plain(Some(bytes.into()))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut *self {
            Self::Plain(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Whole { bytes, entry, outcome, permit } => {
                if let Some(mut entry) = entry.take()
                    && entry.is_kept()
                {
                    entry.ended(*outcome);
                }
                permit.take();
                Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes))))
            }
            Self::Stream(relay) => relay.poll(cx).map(|bytes| bytes.map(|bytes| bytes.map(Frame::data))),
            Self::Pass(relay) => relay.poll(cx).map(|bytes| bytes.map(|bytes| bytes.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Plain(bytes) => bytes.is_none(),
            Self::Whole { bytes, entry, .. } => bytes.is_none() && entry.is_none(),
            Self::Stream(_) => false,
            Self::Pass(relay) => relay.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Plain(bytes) | Self::Whole { bytes, .. } => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Stream(_) => SizeHint::default(),
            Self::Pass(relay) => relay.size_hint(),
        }
    }
}

/// Sends the reply on while watching it.
pub fn start(reply: Reply, entry: Entry) -> Response<Body> {
    match reply {
        Reply::Failed { failure, permit } => fail(&failure, entry, permit),
        Reply::Fresh(fresh) => {
            let Fresh { answer, shape, permit } = *fresh;
            match answer {
                Answer::Whole { headers, status, bytes, facts } => {
                    let passing = Passing { headers, status, shape };
                    whole(&passing, bytes, facts, entry, permit)
                }
                Answer::Stream { headers, status, arriving } => {
                    let passing = Passing { headers, status, shape };
                    if entry.endpoint() == Endpoint::Passthrough {
                        return passing.head(entry, |entry| {
                            Body::Pass(Box::new(PassRelay::new(arriving, entry, permit)))
                        });
                    }
                    passing.stream(entry, |entry, shape| {
                        Body::Stream(Box::new(StreamRelay::new(arriving, shape, entry, permit)))
                    })
                }
            }
        }
    }
}

/// A provider's answer and what is known of it.
struct Passing {
    headers: HeaderMap,
    status: StatusCode,
    shape: Shape,
}

impl Passing {
    fn head(self, mut entry: Entry, body: impl FnOnce(Entry) -> Body) -> Response<Body> {
        entry.note_overhead();
        let mut headers = HeaderMap::with_capacity(20);
        copy_headers(&self.headers, &mut headers);
        if let Some(length) = self.headers.get(header::CONTENT_LENGTH) {
            headers.insert(header::CONTENT_LENGTH, length.clone());
        }
        for name in [header::CONTENT_DISPOSITION, header::CONTENT_ENCODING, header::ETAG] {
            if let Some(value) = self.headers.get(&name) {
                headers.insert(name, value.clone());
            }
        }
        describe(&entry, &mut headers);
        entry.response(self.status.as_u16(), Capture::Nothing);
        respond(self.status, headers, body(entry))
    }

    fn stream(self, mut entry: Entry, body: impl FnOnce(Entry, Shape) -> Body) -> Response<Body> {
        entry.note_overhead();
        let mut headers = HeaderMap::with_capacity(20);
        copy_headers(&self.headers, &mut headers);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        // Proxies in front of Weir hold events back unless told not to.
        headers.insert(name::X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
        describe(&entry, &mut headers);
        entry.response(self.status.as_u16(), Capture::Nothing);
        respond(self.status, headers, body(entry, self.shape))
    }
}

fn whole(passing: &Passing, bytes: Bytes, facts: Facts, mut entry: Entry, permit: Permit) -> Response<Body> {
    entry.first_content();
    entry.facts(facts);
    let bytes = match &passing.shape.echo {
        Some(echo) => dialects::echo::whole(&bytes, echo).map_or(bytes, Bytes::from),
        None => bytes,
    };
    entry.note_overhead();
    let mut headers = HeaderMap::with_capacity(20);
    copy_headers(&passing.headers, &mut headers);
    describe(&entry, &mut headers);
    if let Some(cost) = entry.record().cost {
        let cost = HeaderValue::from_str(&cost.to_string()).unwrap_or(HeaderValue::from_static("?"));
        headers.insert(name::WEIR_COST_USD, cost);
    }
    entry.response(passing.status.as_u16(), Capture::Whole(bytes.clone()));
    respond(passing.status, headers, handed_over(bytes, entry, Outcome::Ok, Some(permit)))
}

/// Turns the last failure of a call into the caller's error.
fn fail(failure: &Failure, mut entry: Entry, permit: Permit) -> Response<Body> {
    let mut headers = HeaderMap::with_capacity(20);
    report(failure, &entry);
    let (status, bytes) = match show(failure) {
        Shown::Refused(refusal) => {
            drop(permit);
            if let Some(wait) = failure.fault.retry_after {
                return refuse(&refusal.retry_after(wait), entry);
            }
            return refuse(&refusal, entry);
        }
        Shown::Relayed { status, body } => (status, body),
    };
    copy_headers(&failure.headers, &mut headers);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if status == StatusCode::TOO_MANY_REQUESTS {
        if entry.tries_are_spent() || failure.fault.class == FailureClass::Quota {
            // A client's own tries on top of Weir's would multiply them, and no try helps a spent quota.
            headers.insert(name::X_SHOULD_RETRY, HeaderValue::from_static("false"));
        }
        if let (Some(wait), false) = (failure.fault.retry_after, headers.contains_key(header::RETRY_AFTER)) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
    }
    describe(&entry, &mut headers);
    let code = failure.fault.code.as_deref().unwrap_or(failure.fault.class.as_str());
    entry.error(code, &failure.fault.message);
    entry.response(status.as_u16(), Capture::Whole(bytes.clone()));
    let caller_at_fault = status != StatusCode::TOO_MANY_REQUESTS;
    let outcome = if caller_at_fault { Outcome::CallerError } else { Outcome::UpstreamError };
    respond(status, headers, handed_over(bytes, entry, outcome, Some(permit)))
}

/// Tells the log of a failing provider, once a second at most: every failure is in the records and the metrics.
fn report(failure: &Failure, entry: &Entry) {
    let record = entry.record();
    if failure.fault.class == FailureClass::CallerFault || !entry.app().may_log_failure(record.started) {
        return;
    }
    tracing::warn!(
        call.id = %record.id,
        provider = record.provider.as_deref().unwrap_or_default(),
        model = record.model.as_deref().unwrap_or_default(),
        failure.class = failure.fault.class.as_str(),
        status = failure.status.map_or(0, |status| status.as_u16()),
        "a provider failed"
    );
}

/// Answers with an error of Weir's own.
pub fn refuse(refusal: &Refusal, mut entry: Entry) -> Response<Body> {
    refusal.log(&entry.record().id);
    let mut headers = refusal.headers();
    describe(&entry, &mut headers);
    let bytes = refusal.body();
    entry.response(refusal.status().as_u16(), Capture::Whole(bytes.clone()));
    entry.refused(refusal);
    respond(refusal.status(), headers, handed_over(bytes, entry, refusal.outcome(), None))
}

fn handed_over(bytes: Bytes, entry: Entry, outcome: Outcome, permit: Option<Permit>) -> Body {
    Body::Whole { bytes: Some(bytes), entry: Some(Box::new(entry)), outcome, permit }
}

fn respond(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
