//! The body of a request to a provider: whole bytes, or the caller's own body streamed through.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

/// What is sent upstream.
pub enum SendBody {
    /// Bytes that are already here; `None` once sent.
    Whole(Option<Bytes>),
    /// The caller's body, as it arrives.
    Streamed {
        /// What arrives.
        body: Incoming,
        /// Bytes it may still bring.
        left: usize,
        /// Told when it brings more.
        overflow: Overflow,
    },
}

/// Whether a streamed body went over its limit; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Overflow(Arc<AtomicBool>);

impl Overflow {
    /// Whether it did.
    pub fn happened(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl SendBody {
    /// The caller's body, cut off with an error after `limit` bytes.
    pub fn streamed(body: Incoming, limit: usize) -> (Self, Overflow) {
        let overflow = Overflow::default();
        (Self::Streamed { body, left: limit, overflow: overflow.clone() }, overflow)
    }
}

impl Body for SendBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Streamed { body, left, overflow } => {
                let Some(frame) = ready!(Pin::new(body).poll_frame(cx)) else { return Poll::Ready(None) };
                let frame = frame.map_err(io::Error::other)?;
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                let Some(after) = left.checked_sub(bytes) else {
                    overflow.0.store(true, Ordering::Relaxed);
                    let message = "the body is over the limit, limits.body_bytes";
                    return Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::FileTooLarge, message))));
                };
                *left = after;
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Self::Streamed { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Streamed { body, .. } => body.size_hint(),
        }
    }
}
