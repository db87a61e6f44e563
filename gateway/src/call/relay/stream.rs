//! Relays an event stream event by event, with back-pressure, while a watch reads along.
//!
//! Nothing is held back: an event goes out when its last byte has come. Only three things are changed: the usage
//! chunk the caller did not ask for is withheld, `/v1/responses` objects get their `prompt`, and a stream that
//! does not end as it should ends with an error event and no terminator, so that it never looks whole.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use analytics::record::{Capture, Outcome};
use bytes::{Bytes, BytesMut};
use dialects::Endpoint;
use dialects::fault::{Fault, write_error_event};
use dialects::sse::{DONE, Event, EventReader};
use dialects::watch::{StreamWatch, Verdict};
use http_body::Body as _;
use tokio::time::{Instant, Sleep, sleep};

use super::super::admission::Permit;
use super::super::commit::{Commit, Held};
use super::super::entry::Entry;
use super::super::prompt::Shape;
use crate::upstream::Arriving;

/// One stream on its way to one caller.
pub struct StreamRelay {
    arriving: Option<Arriving>,
    reader: EventReader,
    watch: StreamWatch,
    shape: Shape,
    endpoint: Endpoint,
    /// Finished events waiting to be taken.
    ready: VecDeque<Bytes>,
    captured: BytesMut,
    sent_bytes: u64,
    capture_bytes: usize,
    /// Fires when nothing came for `idle`, or the call's time is up.
    timer: Option<Pin<Box<Sleep>>>,
    /// Whether something came since the timer was set: cheaper than setting it anew for each event.
    active: bool,
    idle: Duration,
    outcome: Option<Outcome>,
    /// The end of the stream, once it is at hand.
    end: Option<Held>,
    entry: Entry,
    _permit: Permit,
}

impl StreamRelay {
    /// A relay of what is arriving.
    pub fn new(arriving: Arriving, shape: Shape, entry: Entry, permit: Permit) -> Self {
        let endpoint = entry.endpoint();
        let limits = &entry.app().config.limits;
        Self {
            arriving: Some(arriving),
            reader: EventReader::new(),
            watch: StreamWatch::new(endpoint),
            shape,
            endpoint,
            ready: VecDeque::new(),
            captured: BytesMut::new(),
            sent_bytes: 0,
            capture_bytes: limits.capture_bytes,
            timer: None,
            active: false,
            idle: limits.idle_timeout,
            outcome: None,
            end: None,
            entry,
            _permit: permit,
        }
    }

    /// The next bytes for the caller; `None` at the end. An error breaks the caller's connection off, so that an
    /// answer that is not on record does not look whole where that matters.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            if let Some(end) = &mut self.end {
                return end.poll(cx);
            }
            let next = self.ready.pop_front();
            if let Some(bytes) = &next {
                self.capture(bytes);
            }
            if self.arriving.is_none() && self.ready.is_empty() {
                self.end = Some(Held::new(self.finish(), next));
                continue;
            }
            if let Some(bytes) = next {
                return Poll::Ready(Some(Ok(bytes)));
            }
            let Some(arriving) = self.arriving.as_mut() else { continue };
            match poll_chunk(arriving, cx) {
                Poll::Ready(Some(Ok(chunk))) => {
                    self.active = true;
                    self.take(chunk);
                }
                Poll::Ready(Some(Err(error))) => {
                    let reason = format!("the provider broke off the stream: {error}");
                    self.break_off("upstream_error", &reason, Outcome::UpstreamError);
                }
                Poll::Ready(None) => self.close(),
                Poll::Pending => {
                    if self.waited_too_long(cx) {
                        self.break_off("upstream_timeout", "the provider stopped sending", Outcome::Timeout);
                        continue;
                    }
                    return Poll::Pending;
                }
            }
        }
    }

    /// Reads the events in a chunk; those that go on unchanged and lie side by side go on as one piece.
    fn take(&mut self, chunk: Bytes) {
        let mut run = Run::new(chunk.clone());
        self.reader.push(chunk);
        while self.arriving.is_some() {
            match self.reader.next_event() {
                None => break,
                Some(Ok(event)) => self.event(event, &mut run),
                Some(Err(error)) => {
                    run.flush(&mut self.ready);
                    self.break_off("upstream_error", &error.to_string(), Outcome::UpstreamError);
                }
            }
        }
        run.flush(&mut self.ready);
    }

    fn event(&mut self, event: Event, run: &mut Run) {
        match self.watch.event(&event) {
            Verdict::UsageOnly if self.shape.withhold_usage => {}
            Verdict::Content | Verdict::Finish => {
                self.entry.first_content();
                self.pass(event, run);
            }
            Verdict::Startup | Verdict::Other | Verdict::Comment | Verdict::UsageOnly => {
                self.pass(event, run);
            }
            Verdict::Terminator => {
                self.pass(event, run);
                run.flush(&mut self.ready);
                self.settle(Outcome::Ok);
            }
            Verdict::Failed(fault) => {
                self.pass(event, run);
                run.flush(&mut self.ready);
                self.provider_failed(&fault);
            }
            Verdict::Broken => {
                run.flush(&mut self.ready);
                self.break_off(
                    "upstream_error",
                    "the provider sent an event that is not JSON",
                    Outcome::UpstreamError,
                );
            }
        }
    }

    fn pass(&mut self, event: Event, run: &mut Run) {
        let echoed = self.shape.echo.as_deref().and_then(|echo| dialects::echo::event(&event, echo));
        match echoed {
            None => run.add(event.raw, &mut self.ready),
            Some(changed) => {
                run.flush(&mut self.ready);
                self.ready.push_back(changed.into());
            }
        }
    }

    /// The provider ended its stream without a terminator.
    fn close(&mut self) {
        let mut run = Run::new(Bytes::new());
        if let Some(Ok(event)) = self.reader.finish() {
            self.event(event, &mut run);
        }
        run.flush(&mut self.ready);
        if self.arriving.is_none() {
            return;
        }
        if !self.watch.finished() {
            let reason = "the provider ended the stream before the answer was whole";
            return self.break_off("upstream_error", reason, Outcome::UpstreamError);
        }
        if matches!(self.endpoint, Endpoint::ChatCompletions | Endpoint::Completions) {
            self.ready.push_back(Bytes::from_static(DONE));
        }
        self.settle(Outcome::Ok);
    }

    /// The provider said so itself, inside the stream: its words are passed on, and nothing after them.
    fn provider_failed(&mut self, fault: &Fault) {
        let code = fault.code.clone().unwrap_or_else(|| fault.class.as_str().to_owned());
        self.entry.error(&code, &fault.message);
        let outcome = self.cut_short(Outcome::UpstreamError);
        self.arriving = None;
        self.outcome = Some(outcome);
    }

    /// Ends the caller's stream with an error event. `before` is the outcome if no content had come.
    fn break_off(&mut self, code: &str, reason: &str, before: Outcome) {
        let message = format!("{reason}; the answer is not whole, try again");
        let sequence_number = self.watch.next_sequence_number();
        let event = write_error_event(self.endpoint, &message, "server_error", Some(code), sequence_number);
        self.ready.push_back(event.into());
        self.entry.error(code, &message);
        let outcome = self.cut_short(before);
        // Dropping what arrives closes the connection: nothing more of it is wanted.
        self.arriving = None;
        self.outcome = Some(outcome);
    }

    fn cut_short(&self, before: Outcome) -> Outcome {
        if self.entry.record().ttft_us.is_some() { Outcome::Truncated } else { before }
    }

    /// The answer is whole. The connection goes back to the pool, which closes it if more than the end is left.
    fn settle(&mut self, outcome: Outcome) {
        if let Some(Arriving::Network { body, lease }) = self.arriving.take() {
            drop(body);
            lease.give_back();
        }
        self.outcome = Some(outcome);
    }

    fn waited_too_long(&mut self, cx: &mut Context<'_>) -> bool {
        let idle = self.idle.min(self.entry.time_left());
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(idle)));
        while timer.as_mut().poll(cx).is_ready() {
            if !self.active || self.entry.time_left().is_zero() {
                return true;
            }
            self.active = false;
            timer.as_mut().reset(Instant::now() + idle);
        }
        false
    }

    fn capture(&mut self, bytes: &Bytes) {
        self.sent_bytes += bytes.len() as u64;
        if self.sent_bytes <= self.capture_bytes as u64 {
            self.captured.extend_from_slice(bytes);
        }
    }
}

impl StreamRelay {
    /// Writes what is known of the stream into the record, and in strict durability files it.
    fn finish(&mut self) -> Option<Commit> {
        let watch = std::mem::replace(&mut self.watch, StreamWatch::new(self.endpoint));
        self.entry.facts(watch.into_facts());
        let captured = if self.sent_bytes > self.capture_bytes as u64 {
            Capture::TooLarge { bytes: self.sent_bytes }
        } else {
            Capture::Stream(vec![std::mem::take(&mut self.captured).freeze()])
        };
        let status = self.entry.record().status;
        self.entry.response(status, captured);
        // A caller may hang up on the last event; before that it has left.
        let outcome = self.outcome.filter(|_| self.ready.is_empty()).unwrap_or(Outcome::Cancelled);
        self.entry.ended(outcome);
        self.entry.commit(outcome)
    }
}

impl Drop for StreamRelay {
    fn drop(&mut self) {
        if self.end.is_none() {
            drop(self.finish());
        }
    }
}

/// Events side by side in one chunk, to be passed on in one piece.
struct Run {
    chunk: Bytes,
    start: usize,
    end: usize,
}

impl Run {
    const fn new(chunk: Bytes) -> Self {
        Self { chunk, start: 0, end: 0 }
    }

    fn add(&mut self, raw: Bytes, ready: &mut VecDeque<Bytes>) {
        let Some(start) = self.offset(&raw) else {
            self.flush(ready);
            ready.push_back(raw);
            return;
        };
        if start != self.end {
            self.flush(ready);
            self.start = start;
        }
        self.end = start + raw.len();
    }

    /// Where in the chunk `raw` lies; `None` when it was put together from several chunks.
    fn offset(&self, raw: &Bytes) -> Option<usize> {
        let start = raw.as_ptr().addr().checked_sub(self.chunk.as_ptr().addr())?;
        (start + raw.len() <= self.chunk.len()).then_some(start)
    }

    fn flush(&mut self, ready: &mut VecDeque<Bytes>) {
        if self.end > self.start {
            ready.push_back(self.chunk.slice(self.start..self.end));
        }
        self.start = self.end;
    }
}

pub(super) fn poll_chunk(
    arriving: &mut Arriving,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Bytes, hyper::Error>>> {
    match arriving {
        Arriving::Made(events) => Poll::Ready(events.next().map(Ok)),
        Arriving::Network { body, .. } => loop {
            match std::task::ready!(Pin::new(&mut *body).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        },
    }
}
