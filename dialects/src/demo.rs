//! The `demo` provider's answers: deterministic, without a network, in the exact shapes OpenAI's have.
//!
//! An answer quotes what was asked and what instructions came with it, so that it shows whether a prompt
//! arrived as rendered. The same request gives the same answer, down to its ids.

use serde_json::Value;

use crate::Endpoint;
use crate::fault::{FailureClass, Fault};
use crate::sse::{DONE, write_event};

mod ask;
mod chat;
mod completions;
mod embeddings;
mod reply;
mod responses;
mod sample;
mod words;

#[cfg(test)]
mod tests;

use ask::Ask;
use reply::Reply;

/// The models that talk.
pub const CHAT_MODELS: [&str; 2] = ["demo-small", "demo-large"];
/// The model that embeds.
pub const EMBEDDING_MODEL: &str = "demo-embed";
/// Every model of the provider.
pub const MODELS: [&str; 3] = ["demo-small", "demo-large", EMBEDDING_MODEL];

/// Answers a request with a whole body. `created` is the Unix time, in seconds, that the answer carries.
pub fn whole(endpoint: Endpoint, body: &[u8], created: i64) -> Result<Vec<u8>, Fault> {
    let ask = Ask::read(endpoint, body, created)?;
    let answer = match endpoint {
        Endpoint::ChatCompletions => chat::whole(&ask, &Reply::to(&ask)),
        Endpoint::Responses => responses::whole(&ask, &Reply::to(&ask)),
        Endpoint::Completions => completions::whole(&ask)?,
        Endpoint::Embeddings => return embeddings::whole(&ask),
        Endpoint::Passthrough => {
            return Err(refuse("the demo provider does not answer this route", "not_found"));
        }
    };
    Ok(answer.to_string().into_bytes())
}

/// Answers a request with a stream, one item for each event.
pub fn stream(endpoint: Endpoint, body: &[u8], created: i64) -> Result<Vec<Vec<u8>>, Fault> {
    let ask = Ask::read(endpoint, body, created)?;
    let chunks = match endpoint {
        Endpoint::ChatCompletions => chat::stream(&ask, &Reply::to(&ask)),
        Endpoint::Completions => completions::stream(&ask)?,
        Endpoint::Responses => return Ok(responses::stream(&ask, &Reply::to(&ask))),
        Endpoint::Embeddings | Endpoint::Passthrough => {
            return Err(refuse("the demo provider does not stream on this route", "not_supported"));
        }
    };
    let events = chunks.iter().map(|chunk| event(None, chunk));
    Ok(events.chain([DONE.to_vec()]).collect())
}

fn event(name: Option<&str>, data: &Value) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    write_event(name, &data.to_string(), &mut out);
    out
}

/// What the demo provider says to a request it cannot answer.
fn refuse(message: impl Into<String>, code: &str) -> Fault {
    let class = if code == "model_not_found" { FailureClass::ModelGone } else { FailureClass::CallerFault };
    Fault {
        code: Some(code.to_owned()),
        kind: Some("invalid_request_error".to_owned()),
        ..Fault::new(class, message)
    }
}
