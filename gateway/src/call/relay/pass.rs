//! Relays a body Weir does not read: passed through as it comes, counted, kept for the record while it is small.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use analytics::record::{Capture, Outcome};
use bytes::{Bytes, BytesMut};
use dialects::Endpoint;
use http_body::{Body as _, SizeHint};
use tokio::time::{Sleep, sleep};

use super::super::admission::Permit;
use super::super::commit::{Commit, Held};
use super::super::entry::Entry;
use super::stream::poll_chunk;
use crate::upstream::Arriving;

/// One body on its way to one caller.
pub struct PassRelay {
    arriving: Option<Arriving>,
    captured: BytesMut,
    sent_bytes: u64,
    capture_bytes: usize,
    timer: Option<Pin<Box<Sleep>>>,
    idle: Duration,
    outcome: Option<Outcome>,
    /// The end of the body, once it is at hand.
    end: Option<Held>,
    entry: Entry,
    _permit: Permit,
}

impl PassRelay {
    /// A relay of what is arriving.
    pub fn new(arriving: Arriving, entry: Entry, permit: Permit) -> Self {
        let limits = &entry.app().config.limits;
        let (capture_bytes, idle) = (limits.capture_bytes, limits.idle_timeout);
        let mut relay = Self {
            arriving: Some(arriving),
            captured: BytesMut::new(),
            sent_bytes: 0,
            capture_bytes,
            timer: None,
            idle,
            outcome: None,
            end: None,
            entry,
            _permit: permit,
        };
        relay.notice_end();
        relay
    }

    /// How much is still to come, where the provider said.
    pub fn size_hint(&self) -> SizeHint {
        match &self.arriving {
            Some(Arriving::Network { body, .. }) => body.size_hint(),
            Some(Arriving::Made(_)) => SizeHint::default(),
            None => SizeHint::with_exact(0),
        }
    }

    /// Whether everything has been handed over.
    pub fn is_over(&self) -> bool {
        self.arriving.is_none() && self.end.as_ref().is_some_and(Held::is_over)
    }

    /// The next bytes for the caller; `None` at the end. An error breaks the caller's connection off too, so that
    /// half an answer does not look whole.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if let Some(end) = &mut self.end {
            return end.poll(cx);
        }
        let Some(arriving) = self.arriving.as_mut() else { return self.hold(None, cx) };
        match poll_chunk(arriving, cx) {
            Poll::Ready(Some(Ok(chunk))) => {
                self.timer = None;
                self.entry.first_content();
                self.sent_bytes += chunk.len() as u64;
                if self.sent_bytes <= self.capture_bytes as u64 {
                    self.captured.extend_from_slice(&chunk);
                }
                self.notice_end();
                if self.arriving.is_none() {
                    return self.hold(Some(chunk), cx);
                }
                Poll::Ready(Some(Ok(chunk)))
            }
            Poll::Ready(None) => {
                self.end();
                self.hold(None, cx)
            }
            Poll::Ready(Some(Err(error))) => {
                self.break_off("upstream_error", &format!("the provider broke off its answer: {error}"))
            }
            Poll::Pending => {
                let idle = self.idle.min(self.entry.time_left());
                let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(idle)));
                std::task::ready!(timer.as_mut().poll(cx));
                self.break_off("upstream_timeout", "the provider stopped sending")
            }
        }
    }

    /// Everything is there: its end goes out once the record allows.
    fn hold(&mut self, last: Option<Bytes>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let commit = self.finish();
        self.end.insert(Held::new(commit, last)).poll(cx)
    }

    /// hyper lets go of a body whose length it knows as soon as that much has come, and never asks for its end.
    fn notice_end(&mut self) {
        if let Some(Arriving::Network { body, .. }) = &self.arriving
            && body.is_end_stream()
        {
            self.end();
        }
    }

    fn end(&mut self) {
        if let Some(Arriving::Network { lease, .. }) = self.arriving.take() {
            lease.give_back();
        }
        self.outcome = Some(Outcome::Ok);
    }

    fn break_off(&mut self, code: &str, message: &str) -> Poll<Option<io::Result<Bytes>>> {
        self.arriving = None;
        self.entry.error(code, message);
        self.outcome = Some(Outcome::Truncated);
        Poll::Ready(Some(Err(io::Error::other("the provider broke off its answer"))))
    }
}

impl PassRelay {
    /// Writes what is known of the body into the record, and in strict durability files it.
    fn finish(&mut self) -> Option<Commit> {
        let captured = std::mem::take(&mut self.captured).freeze();
        let facts = dialects::watch::read_whole(Endpoint::Passthrough, &captured).unwrap_or_default();
        if facts.usage.is_some() {
            self.entry.facts(facts);
        }
        let whole = self.sent_bytes <= self.capture_bytes as u64;
        let status = self.entry.record().status;
        let body =
            if whole { Capture::Whole(captured) } else { Capture::TooLarge { bytes: self.sent_bytes } };
        self.entry.response(status, body);
        let outcome = self.outcome.unwrap_or(Outcome::Cancelled);
        self.entry.ended(outcome);
        self.entry.commit(outcome)
    }
}

impl Drop for PassRelay {
    fn drop(&mut self) {
        if self.end.is_none() {
            drop(self.finish());
        }
    }
}
