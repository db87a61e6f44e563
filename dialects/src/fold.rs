//! A stream put together as the whole answer it stands for, and the human text in requests and answers.
//!
//! For storage and previews, off the call's path. A stream that broke off is put together as far as it came.

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::Endpoint;
use crate::cursor::Cursor;
use crate::sse::EventReader;

mod choices;
mod delta;
mod items;
mod text;

#[cfg(test)]
mod tests;

pub use text::{TEXT_BYTES_MAX, request_text, response_text, tool_names};

/// Puts a stream together as the whole answer it stands for; `None` when it holds nothing of an answer.
pub fn fold(endpoint: Endpoint, pieces: &[Bytes]) -> Option<Vec<u8>> {
    let events = read_events(pieces);
    let answer = match endpoint {
        Endpoint::ChatCompletions => choices::fold(events, "chat.completion"),
        Endpoint::Completions => choices::fold(events, "text_completion"),
        Endpoint::Responses => items::fold(events),
        Endpoint::Embeddings | Endpoint::Passthrough => return None,
    };
    answer.map(|answer| Value::Object(answer).to_string().into_bytes())
}

/// The events that are JSON objects, in order; an `event: error` is marked by its type.
fn read_events(pieces: &[Bytes]) -> impl Iterator<Item = Map<String, Value>> {
    let mut reader = EventReader::new();
    for piece in pieces {
        reader.push(piece.clone());
    }
    let blocks = std::iter::from_fn(move || reader.next_event().or_else(|| reader.finish()));
    blocks.map_while(Result::ok).filter_map(|event| {
        let mut object = parse(event.data.as_deref()?)?;
        if !object.contains_key("type")
            && let Some(name) = event.name
        {
            object.insert("type".to_owned(), String::from_utf8_lossy(&name).into());
        }
        Some(object)
    })
}

fn parse(data: &[u8]) -> Option<Map<String, Value>> {
    match Cursor::new(data).and_then(|mut json| json.value()) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    }
}
