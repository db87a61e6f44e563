//! The mock's answer bodies: one whole, or events with pauses between them.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

use crate::answers::Mock;

/// An answer's body.
pub(crate) enum MockBody {
    Whole(Option<Bytes>),
    Stream(Box<Stream>),
}

/// A stream of `chunks` content events, a usage event if it was asked for, and the terminator.
pub(crate) struct Stream {
    mock: Arc<Mock>,
    sent: u64,
    chunks: u64,
    usage: bool,
    done: bool,
    gap: Duration,
    /// Whether the connection has had its turn since the last event.
    yielded: bool,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Stream {
    pub(crate) fn new(mock: Arc<Mock>, usage: bool) -> Self {
        let first_us = mock.first_us.load(Ordering::Relaxed);
        let pause = (first_us > 0).then(|| Box::pin(tokio::time::sleep(Duration::from_micros(first_us))));
        Self {
            sent: 0,
            chunks: mock.chunks.load(Ordering::Relaxed).max(2),
            usage,
            done: false,
            gap: Duration::from_micros(mock.chunk_us.load(Ordering::Relaxed)),
            yielded: false,
            pause,
            mock,
        }
    }

    fn next(&mut self) -> Option<Bytes> {
        let events = &self.mock.events;
        let event = if self.sent < self.chunks {
            self.sent += 1;
            match self.sent {
                1 => &events.first,
                last if last == self.chunks => &events.last,
                _ => &events.middle,
            }
        } else if self.usage {
            self.usage = false;
            &events.usage
        } else if self.done {
            return None;
        } else {
            self.done = true;
            &events.done
        };
        Some(event.clone())
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(pause) = &mut self.pause {
            if pause.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.pause = None;
            self.yielded = true;
        }
        let between = self.sent > 0 && self.sent < self.chunks;
        if between && !self.yielded {
            if self.gap.is_zero() {
                self.yielded = true;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let mut pause = Box::pin(tokio::time::sleep(self.gap));
            if pause.as_mut().poll(cx).is_pending() {
                self.pause = Some(pause);
                return Poll::Pending;
            }
        }
        self.yielded = false;
        Poll::Ready(self.next())
    }
}

impl Body for MockBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take()),
            Self::Stream(stream) => stream.poll(cx),
        };
        next.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}
