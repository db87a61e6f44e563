//! The provider `demo`: answers without a network, the same ones each time.

use bytes::Bytes;
use dialects::Endpoint;
use dialects::fault::{FailureClass, Fault};
use dialects::watch;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::{Answer, Arriving, Failure, Outgoing};

/// Demo answers carry this creation time so that they stay the same: 2026-11-30T00:00:00Z.
const CREATED: i64 = 1_795_996_800;

/// Answers `outgoing` at once.
pub(super) fn answer(outgoing: &Outgoing) -> Result<Answer, Box<Failure>> {
    let body = outgoing.body.as_deref().unwrap_or_default();
    if outgoing.endpoint == Endpoint::Passthrough {
        return Err(unknown_route());
    }
    if outgoing.stream {
        let events = dialects::demo::stream(outgoing.endpoint, body, CREATED).map_err(refused)?;
        let headers = content_type("text/event-stream; charset=utf-8");
        let arriving = Arriving::Made(events.into_iter().map(Bytes::from).collect::<Vec<_>>().into_iter());
        return Ok(Answer::Stream { headers, status: StatusCode::OK, arriving });
    }
    let bytes = Bytes::from(dialects::demo::whole(outgoing.endpoint, body, CREATED).map_err(refused)?);
    let facts = watch::read_whole(outgoing.endpoint, &bytes).unwrap_or_default();
    Ok(Answer::Whole { headers: content_type("application/json"), status: StatusCode::OK, bytes, facts })
}

fn content_type(value: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(1);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(value));
    headers
}

fn refused(fault: Fault) -> Box<Failure> {
    let status = match fault.class {
        FailureClass::ModelGone => StatusCode::NOT_FOUND,
        _ => StatusCode::BAD_REQUEST,
    };
    let body =
        dialects::fault::write_error(&fault.message, "invalid_request_error", None, fault.code.as_deref());
    failure(fault, status, body)
}

fn unknown_route() -> Box<Failure> {
    let message = "the demo provider answers chat completions, responses, completions and embeddings only";
    let fault = Fault::new(FailureClass::ModelGone, message);
    let body = dialects::fault::write_error(message, "invalid_request_error", None, Some("not_found"));
    failure(fault, StatusCode::NOT_FOUND, body)
}

fn failure(fault: Fault, status: StatusCode, body: Vec<u8>) -> Box<Failure> {
    let headers = content_type("application/json");
    Box::new(Failure { fault, status: Some(status), headers, body: Some(body.into()), unsent: false })
}
