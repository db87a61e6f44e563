//! Whether there is room for a call: one slot, and memory for its body, in one value given back on drop.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{HeaderMap, header};

use crate::metrics::Metrics;
use crate::refusal::{Kind, Refusal};

/// What an overloaded caller is told to wait.
const OVERLOAD_WAIT: Duration = Duration::from_secs(1);
/// What a body of unknown length is counted as until it is read.
const UNKNOWN_BODY_BYTES: usize = 64 * 1024;

/// The process-wide limits on calls in flight and bytes held for them.
pub struct Admission {
    calls: Arc<AtomicUsize>,
    calls_max: usize,
    bytes: Arc<AtomicUsize>,
    bytes_max: usize,
    body_bytes: usize,
    metrics: Arc<Metrics>,
}

/// Room for one call. Nothing is read from a caller or sent upstream without one.
#[derive(Debug)]
pub struct Permit {
    calls: Arc<AtomicUsize>,
    bytes: Arc<AtomicUsize>,
    held: usize,
}

impl Admission {
    /// Limits as configured.
    pub fn new(limits: &config::Limits, metrics: Arc<Metrics>) -> Self {
        Self {
            calls: Arc::default(),
            calls_max: limits.inflight,
            bytes: Arc::default(),
            bytes_max: limits.buffered_bytes,
            body_bytes: limits.body_bytes,
            metrics,
        }
    }

    /// Takes a slot and room for a body whose length `announced` says, if it says.
    pub fn admit(&self, headers: &HeaderMap, announced: Announced) -> Result<Permit, Refusal> {
        if headers.contains_key(header::CONTENT_ENCODING) {
            return Err(Refusal::new(
                Kind::InvalidRequest,
                "send the body without content-encoding: Weir reads it plain",
            ));
        }
        let held = match announced {
            Announced::Bytes(bytes) if bytes > self.body_bytes as u64 => {
                return Err(too_large(self.body_bytes, Some(bytes)));
            }
            Announced::Bytes(bytes) => bytes as usize,
            Announced::Unknown => UNKNOWN_BODY_BYTES,
        };
        if !take(&self.calls, 1, self.calls_max) {
            return Err(self.overloaded("inflight", "too many calls are in flight: try again shortly"));
        }
        if !take(&self.bytes, held, self.bytes_max) {
            self.calls.fetch_sub(1, Ordering::Relaxed);
            return Err(self.overloaded("buffered_bytes", "too much data is in flight: try again shortly"));
        }
        Ok(Permit { calls: Arc::clone(&self.calls), bytes: Arc::clone(&self.bytes), held })
    }

    /// Calls in flight now.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Bytes of bodies held now.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    fn overloaded(&self, limit: &str, message: &'static str) -> Refusal {
        self.metrics.overloaded.with_label_values(&[limit]).inc();
        Refusal::new(Kind::Overloaded, message).retry_after(OVERLOAD_WAIT)
    }
}

impl Permit {
    /// Counts `bytes` more as held by this call. A call that is under way is not refused for it: new ones are.
    pub fn hold(&mut self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.held += bytes;
    }

    /// Counts a body that did not say its length, now that it is read.
    pub fn cover(&mut self, bytes: usize) {
        self.hold(bytes.saturating_sub(self.held));
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.calls.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(self.held, Ordering::Relaxed);
    }
}

/// How long a body says it is.
#[derive(Clone, Copy, Debug)]
pub enum Announced {
    /// Exactly this long.
    Bytes(u64),
    /// It does not say.
    Unknown,
}

/// Bodies that say how long they are.
pub trait Announces {
    /// How long the body says it is.
    fn announced(&self) -> Announced;
}

impl<B: http_body::Body> Announces for B {
    fn announced(&self) -> Announced {
        self.size_hint().exact().map_or(Announced::Unknown, Announced::Bytes)
    }
}

/// The refusal of a body over `limit` bytes.
pub fn too_large(limit: usize, size: Option<u64>) -> Refusal {
    let message = match size {
        Some(size) => {
            format!("the body has {size} bytes, the limit is {limit}: send less, or raise limits.body_bytes")
        }
        None => format!("the body is over the limit of {limit} bytes: send less, or raise limits.body_bytes"),
    };
    Refusal::new(Kind::BodyTooLarge, message)
}

fn take(counter: &AtomicUsize, amount: usize, max: usize) -> bool {
    let taken = counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
        used.checked_add(amount).filter(|used| *used <= max)
    });
    taken.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(inflight: usize, buffered_bytes: usize) -> Admission {
        let limits =
            config::Limits { inflight, buffered_bytes, body_bytes: 100, ..config::Limits::default() };
        Admission::new(&limits, Arc::new(Metrics::new(false).unwrap()))
    }

    #[test]
    fn a_slot_comes_back_when_its_call_ends() {
        let admission = admission(1, 1_000);
        let permit = admission.admit(&HeaderMap::new(), Announced::Bytes(10)).unwrap();
        let refused = admission.admit(&HeaderMap::new(), Announced::Bytes(10)).unwrap_err();
        assert_eq!(refused.kind(), Kind::Overloaded);
        drop(permit);
        assert!(admission.admit(&HeaderMap::new(), Announced::Bytes(10)).is_ok());
    }

    #[test]
    fn memory_is_bounded_for_all_calls_together() {
        let admission = admission(10, 150);
        let _first = admission.admit(&HeaderMap::new(), Announced::Bytes(100)).unwrap();
        let refused = admission.admit(&HeaderMap::new(), Announced::Bytes(60)).unwrap_err();
        assert_eq!(refused.kind(), Kind::Overloaded);
        assert_eq!((admission.calls(), admission.bytes()), (1, 100));
    }

    #[test]
    fn a_body_that_announces_too_much_is_refused_with_limit_and_size() {
        let refused = admission(10, 1_000).admit(&HeaderMap::new(), Announced::Bytes(101)).unwrap_err();
        assert_eq!(refused.kind(), Kind::BodyTooLarge);
        assert!(refused.message().contains("101") && refused.message().contains("100"));
    }
}
