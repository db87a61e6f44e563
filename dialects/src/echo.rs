//! The `prompt` that an answer of the responses endpoint echoes: put into the whole object, or into each event
//! that holds one. All bytes outside that one member stay as they came.

use std::ops::Range;

use memchr::memmem;

use crate::cursor::{Cursor, NotJson};
use crate::sse::{Event, write_event};

#[cfg(test)]
mod tests;

const MEMBER: &str = "prompt";

/// Puts `prompt`, a JSON object, into a whole answer; `None` when the body is no JSON object.
pub fn whole(body: &[u8], prompt: &str) -> Option<Vec<u8>> {
    let place = find_place(body).ok()??;
    Some(place.fill(body, prompt))
}

/// Puts `prompt`, a JSON object, into an event that holds a `response`; `None` when it holds none.
pub fn event(event: &Event, prompt: &str) -> Option<Vec<u8>> {
    let data = event.data.as_deref()?;
    memmem::find(data, b"\"response\"")?;
    let place = find_place_in_response(data).ok()??;
    let filled = place.fill(data, prompt);
    // Data of one line lies in the block as it is; the block's other lines then stay.
    if let Some(start) = memmem::find(&event.raw, data) {
        let after = event.raw.get(start + data.len()..).unwrap_or_default();
        return Some([event.raw.get(..start).unwrap_or_default(), &filled, after].concat());
    }
    let name = event.name.as_deref().and_then(|name| std::str::from_utf8(name).ok());
    let mut out = Vec::with_capacity(filled.len() + 64);
    write_event(name, std::str::from_utf8(&filled).ok()?, &mut out);
    Some(out)
}

/// Where in a text the member goes.
#[derive(Debug)]
enum Place {
    /// In the place of this value.
    Value(Range<usize>),
    /// Before the brace at this offset, which closes an object with or without members.
    End { brace: usize, is_first: bool },
}

impl Place {
    fn fill(&self, text: &[u8], prompt: &str) -> Vec<u8> {
        let (range, before) = match self {
            Self::Value(range) => (range.clone(), String::new()),
            Self::End { brace, is_first } => {
                let comma = if *is_first { "" } else { "," };
                (*brace..*brace, format!("{comma}\"{MEMBER}\":"))
            }
        };
        let head = text.get(..range.start).unwrap_or_default();
        let tail = text.get(range.end..).unwrap_or_default();
        [head, before.as_bytes(), prompt.as_bytes(), tail].concat()
    }
}

fn find_place(text: &[u8]) -> Result<Option<Place>, NotJson> {
    let mut json = Cursor::new(text)?;
    let place = take_place(&mut json)?;
    json.end()?;
    Ok(place)
}

fn find_place_in_response(text: &[u8]) -> Result<Option<Place>, NotJson> {
    let mut json = Cursor::new(text)?;
    let mut place = None;
    json.object(|json, key| {
        if key != "response" {
            return json.skip();
        }
        place = take_place(json)?;
        Ok(())
    })?;
    json.end()?;
    Ok(place)
}

/// Walks the object at the cursor; `None` when it is none. Of a repeated member the last one counts, as for
/// every reader of JSON.
fn take_place(json: &mut Cursor<'_>) -> Result<Option<Place>, NotJson> {
    let (mut value, mut is_first) = (None, true);
    let is_object = json.object(|json, key| {
        is_first = false;
        json.peek();
        let start = json.offset();
        json.skip()?;
        if key == MEMBER {
            value = Some(start..json.offset());
        }
        Ok(())
    })?;
    if !is_object {
        return Ok(None);
    }
    Ok(Some(value.map_or(Place::End { brace: json.offset() - 1, is_first }, Place::Value)))
}
