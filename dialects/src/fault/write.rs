//! Errors as callers read them: OpenAI's body, and the event that tells of a failure inside a stream.

use serde_json::{Value, json};

use crate::Endpoint;
use crate::sse::write_event;

/// Writes `{"error": {message, type, param, code}}`; all four keys are always there.
pub fn write_error(message: &str, kind: &str, param: Option<&str>, code: Option<&str>) -> Vec<u8> {
    error_body(message, kind, param, code).to_string().into_bytes()
}

fn error_body(message: &str, kind: &str, param: Option<&str>, code: Option<&str>) -> Value {
    json!({"error": {"message": message, "type": kind, "param": param, "code": code}})
}

/// Writes the event that ends a stream that failed: no terminator follows it, so that a truncated answer
/// never looks whole. `sequence_number` matters on the responses endpoint only.
pub fn write_error_event(
    endpoint: Endpoint,
    message: &str,
    kind: &str,
    code: Option<&str>,
    sequence_number: u64,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    if endpoint == Endpoint::Responses {
        let code = code.unwrap_or(kind);
        let error = json!({"type": "error", "code": code, "message": message, "param": null, "sequence_number": sequence_number});
        write_event(Some("error"), &error.to_string(), &mut out);
    } else {
        write_event(None, &error_body(message, kind, None, code).to_string(), &mut out);
    }
    out
}
