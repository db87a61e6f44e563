//! Server-sent events: an incremental reader that hands on the exact bytes it was given, and a writer.
//!
//! The reader cuts a stream into blocks (everything up to and including a blank line). The raw bytes of all
//! blocks put together are the bytes that went in, so relaying `raw` relays the stream untouched. A block that
//! lies within one chunk is a slice of that chunk; only a block that spans chunks is copied.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use memchr::{memchr, memchr2};

#[cfg(test)]
mod tests;

/// How large one event may grow unless [`EventReader::with_limit`] says otherwise.
pub const EVENT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The event that ends a stream of chat completions or completions.
pub const DONE: &[u8] = b"data: [DONE]\n\n";

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// One block of a stream: an event, or only comments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The block as it came, its blank line included.
    pub raw: Bytes,
    /// What the last `event:` line says; `None` when there is none or it is empty.
    pub name: Option<Bytes>,
    /// The `data:` lines, joined by line feeds; `None` when there is none, as in a block of comments.
    pub data: Option<Bytes>,
}

impl Event {
    /// Whether the event is named `name`.
    pub fn is_named(&self, name: &str) -> bool {
        self.name.as_deref() == Some(name.as_bytes())
    }
}

/// Why a stream cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SseError {
    /// One event is larger than the reader's limit.
    #[error("an event of the stream is larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
}

/// Reads events from chunks of any size. After an error it is at its end.
#[derive(Debug)]
pub struct EventReader {
    /// Chunks not looked at yet, and what is left of the one being read.
    chunks: VecDeque<Bytes>,
    /// The beginning of a block whose end has not come yet.
    pending: BytesMut,
    place: Place,
    limit: usize,
    started: bool,
    failed: bool,
}

/// Where in a block the reader stands. A blank line's CR waits for the byte after it, because LF would belong
/// to it; only in a stream whose lines end in bare CR does the CR end the block at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// At the start of a line: a line end here ends the block.
    LineStart,
    /// Within a line.
    Line,
    /// After a line's CR, which may be half of a CRLF.
    LineCr,
    /// After a blank line's CR, which may be half of a CRLF.
    BlankCr,
    /// At the start of a block, after one that ended in bare CRs: an LF here means nothing.
    AfterBareCr,
}

impl Default for EventReader {
    fn default() -> Self {
        Self::with_limit(EVENT_BYTES_MAX)
    }
}

impl EventReader {
    /// A reader that takes events of up to [`EVENT_BYTES_MAX`].
    pub fn new() -> Self {
        Self::default()
    }

    /// A reader that takes events of up to `limit` bytes.
    pub fn with_limit(limit: usize) -> Self {
        Self {
            chunks: VecDeque::new(),
            pending: BytesMut::new(),
            place: Place::LineStart,
            limit,
            started: false,
            failed: false,
        }
    }

    /// Takes the stream's next bytes.
    pub fn push(&mut self, chunk: Bytes) {
        if !self.failed && !chunk.is_empty() {
            self.chunks.push_back(chunk);
        }
    }

    /// The next whole event, or `None` until more bytes are pushed.
    pub fn next_event(&mut self) -> Option<Result<Event, SseError>> {
        while let Some(mut chunk) = self.chunks.pop_front() {
            let Some(end) = self.find_end(&chunk) else {
                if self.pending.len() + chunk.len() > self.limit {
                    return Some(self.fail());
                }
                self.pending.extend_from_slice(&chunk);
                continue;
            };
            if end == chunk.len() {
                return Some(self.complete(chunk));
            }
            let head = chunk.split_to(end);
            self.chunks.push_front(chunk);
            return Some(self.complete(head));
        }
        None
    }

    /// What the stream's end leaves: a last event that no blank line followed.
    pub fn finish(&mut self) -> Option<Result<Event, SseError>> {
        if let Some(event) = self.next_event() {
            return Some(event);
        }
        if self.pending.is_empty() {
            return None;
        }
        Some(self.complete(Bytes::new()))
    }

    fn complete(&mut self, head: Bytes) -> Result<Event, SseError> {
        if self.pending.len() + head.len() > self.limit {
            return self.fail();
        }
        let raw = if self.pending.is_empty() {
            head
        } else {
            self.pending.extend_from_slice(&head);
            self.pending.split().freeze()
        };
        let first = !std::mem::replace(&mut self.started, true);
        Ok(read_block(raw, first))
    }

    fn fail(&mut self) -> Result<Event, SseError> {
        self.failed = true;
        self.chunks.clear();
        self.pending.clear();
        Err(SseError::TooLarge { limit: self.limit })
    }

    /// Where in `chunk` the current block ends, if it does; remembers the place for the next chunk.
    fn find_end(&mut self, chunk: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(&byte) = chunk.get(at) {
            match (self.place, byte) {
                (Place::LineStart | Place::BlankCr, b'\n') => {
                    return Some(self.end_block(Place::LineStart, at + 1));
                }
                (Place::BlankCr, _) => return Some(self.end_block(Place::LineStart, at)),
                (Place::LineCr, b'\r') => return Some(self.end_block(Place::AfterBareCr, at + 1)),
                (Place::LineCr | Place::AfterBareCr, b'\n') => self.place = Place::LineStart,
                (Place::LineStart | Place::AfterBareCr, b'\r') => self.place = Place::BlankCr,
                (Place::LineStart | Place::LineCr | Place::AfterBareCr, _) => self.place = Place::Line,
                (Place::Line, _) => {
                    at += memchr2(b'\n', b'\r', chunk.get(at..)?)?;
                    let is_cr = chunk.get(at) == Some(&b'\r');
                    self.place = if is_cr { Place::LineCr } else { Place::LineStart };
                }
            }
            at += 1;
        }
        None
    }

    const fn end_block(&mut self, next: Place, end: usize) -> usize {
        self.place = next;
        end
    }
}

fn read_block(raw: Bytes, first_of_stream: bool) -> Event {
    let mut name = None;
    let mut data = Data::default();
    let mut at = if first_of_stream && raw.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    while let Some(rest) = raw.get(at..).filter(|rest| !rest.is_empty()) {
        let length = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let (field, value) = read_line(rest.get(..length).unwrap_or_default());
        match field {
            b"data" => data.push(raw.slice(at + value..at + length)),
            b"event" => name = Some(raw.slice(at + value..at + length)).filter(|name| !name.is_empty()),
            _ => {}
        }
        at += length + 1;
    }
    Event { name, data: data.into_bytes(), raw }
}

/// The `data:` lines of a block: the only one as it lies there, several copied together once.
#[derive(Default)]
struct Data {
    first: Option<Bytes>,
    joined: Vec<u8>,
}

impl Data {
    fn push(&mut self, line: Bytes) {
        let Some(first) = &self.first else {
            self.first = Some(line);
            return;
        };
        if self.joined.is_empty() {
            self.joined.extend_from_slice(first);
        }
        self.joined.push(b'\n');
        self.joined.extend_from_slice(&line);
    }

    fn into_bytes(self) -> Option<Bytes> {
        if self.joined.is_empty() { self.first } else { Some(Bytes::from(self.joined)) }
    }
}

/// Splits a line into its field's name and the offset of its value: one space after the colon is not part of it.
fn read_line(line: &[u8]) -> (&[u8], usize) {
    let Some(colon) = memchr(b':', line) else {
        return (line, line.len());
    };
    let space = usize::from(line.get(colon + 1) == Some(&b' '));
    (line.get(..colon).unwrap_or_default(), colon + 1 + space)
}

/// Appends an event to `out`; each line of `data` becomes a `data:` line of its own.
pub fn write_event(name: Option<&str>, data: &str, out: &mut Vec<u8>) {
    if let Some(name) = name {
        push_line(out, b"event: ", name);
    }
    for line in data.split(['\n', '\r']) {
        push_line(out, b"data: ", line);
    }
    out.push(b'\n');
}

fn push_line(out: &mut Vec<u8>, field: &[u8], value: &str) {
    out.extend_from_slice(field);
    out.extend_from_slice(value.as_bytes());
    out.push(b'\n');
}
