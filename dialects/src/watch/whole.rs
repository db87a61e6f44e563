//! Whole answers: the facts of a JSON body, or the failure that a 200 hides.

use super::Facts;
use super::chunk::Chunk;
use super::response::Response;
use crate::Endpoint;
use crate::cursor::{Cursor, NotJson};
use crate::fault::{FailureClass, Fault, read_fault};

/// Reads a whole answer that came with status 200. The error is what the answer is instead of one: HTML or
/// half JSON, an error body under a 200, or a response whose status is `failed`.
pub fn read_whole(endpoint: Endpoint, body: &[u8]) -> Result<Facts, Fault> {
    let read = match endpoint {
        Endpoint::ChatCompletions | Endpoint::Completions | Endpoint::Embeddings => read_choices(body),
        Endpoint::Responses => read_response(body),
        Endpoint::Passthrough => return Ok(read_usage(body).unwrap_or_default()),
    };
    read.unwrap_or_else(|NotJson| Err(Fault { class: FailureClass::Garbled, ..read_fault(200, None, body) }))
}

fn read_choices(body: &[u8]) -> Result<Result<Facts, Fault>, NotJson> {
    let answer = Chunk::read(body)?;
    if let Some(fault) = answer.fault(body) {
        return Ok(Err(fault));
    }
    let mut facts = Facts::default();
    answer.tell(&mut facts);
    Ok(Ok(facts))
}

fn read_response(body: &[u8]) -> Result<Result<Facts, Fault>, NotJson> {
    let response = Response::read(body)?;
    let failed = response.status.is_some_and(|status| status.is("failed"));
    if failed || (response.status.is_none() && response.error.is_some()) {
        return Ok(Err(Fault::inside(body)));
    }
    let mut facts = Facts::default();
    response.tell(&mut facts);
    response.tell_finish(&mut facts);
    response.tell_text(&mut facts);
    Ok(Ok(facts))
}

/// What can be read from an answer of unknown shape: a `model` and a `usage`, if it is JSON and has them.
fn read_usage(body: &[u8]) -> Result<Facts, NotJson> {
    let mut facts = Facts::default();
    let mut json = Cursor::new(body)?;
    json.object(|json, key| {
        match key {
            "usage" => json.raw()?.into_iter().for_each(|raw| facts.take_usage(raw)),
            "model" => json.text()?.into_iter().for_each(|model| facts.take_model(model)),
            "service_tier" => json.text()?.into_iter().for_each(|tier| facts.take_service(tier)),
            _ => json.skip()?,
        }
        Ok(())
    })?;
    json.end()?;
    Ok(facts)
}
