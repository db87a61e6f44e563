//! A body that passes through and is copied, parsed and handed on at its end.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use serde_json::Value;
use tokio::sync::mpsc;
use vocab::Clock;

/// What is known of a call before its answer.
pub(crate) struct Seen {
    pub(crate) model: String,
    pub(crate) request: Bytes,
    pub(crate) streamed: bool,
    pub(crate) started: Duration,
}

/// What is known after it.
pub(crate) struct Record {
    pub(crate) seen: Seen,
    pub(crate) answer: Bytes,
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
    pub(crate) first_us: u64,
    pub(crate) total_us: u64,
}

/// The passing body.
pub(crate) struct Tee {
    inner: Incoming,
    copy: BytesMut,
    seen: Option<Seen>,
    first_us: u64,
    records: mpsc::Sender<Record>,
    clock: Clock,
}

impl Tee {
    pub(crate) fn new(inner: Incoming, seen: Seen, records: mpsc::Sender<Record>, clock: Clock) -> Self {
        Self { inner, copy: BytesMut::new(), seen: Some(seen), first_us: 0, records, clock }
    }

    fn passed(&mut self, frame: &Frame<Bytes>) {
        if let (true, Some(seen)) = (self.copy.is_empty(), &self.seen) {
            self.first_us = micros(self.clock.monotonic().saturating_sub(seen.started));
        }
        if let Some(data) = frame.data_ref() {
            self.copy.extend_from_slice(data);
        }
        if self.inner.is_end_stream() {
            self.finish();
        }
    }

    fn finish(&mut self) {
        let Some(seen) = self.seen.take() else { return };
        let answer = self.copy.split().freeze();
        let (input_tokens, output_tokens) = usage(&answer, seen.streamed);
        let total_us = micros(self.clock.monotonic().saturating_sub(seen.started));
        let record = Record { seen, answer, input_tokens, output_tokens, first_us: self.first_us, total_us };
        // A full queue drops the record, as a gateway must rather than wait.
        drop(self.records.try_send(record));
    }
}

fn micros(span: Duration) -> u64 {
    span.as_micros() as u64
}

/// Reads the usage. Every event is parsed, as by a gateway that puts the message together.
fn usage(answer: &[u8], streamed: bool) -> (u64, u64) {
    let mut found = (0, 0);
    let mut look = |data: &[u8]| {
        let value: Value = serde_json::from_slice(data).unwrap_or_default();
        if let Some(usage) = value.get("usage").filter(|usage| usage.is_object()) {
            let count = |key: &str| usage[key].as_u64().unwrap_or_default();
            found = (count("prompt_tokens"), count("completion_tokens"));
        }
    };
    if streamed {
        answer.split(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(b"data: ")).for_each(look);
    } else {
        look(answer);
    }
    found
}

impl Body for Tee {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => self.passed(frame),
            Poll::Ready(_) => self.finish(),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
