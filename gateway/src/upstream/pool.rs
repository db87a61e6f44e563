//! Connections to one provider: taken for one call, given back when its answer has been read to its end.
//!
//! HTTP/1 connections carry one call at a time. HTTP/2 connections carry many, but providers cap their open
//! streams near 100 and calls beyond that would queue unseen, so a second one is opened before the cap.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use vocab::Clock;

use super::Unsent;
use super::connect::{Connector, Negotiated};
use crate::upstream::body::SendBody;

/// Idle HTTP/1 connections kept per provider.
const IDLE_CONNECTIONS: usize = 512;
/// How long an idle connection is worth keeping: below the 60 s after which load balancers commonly cut.
const IDLE_TIME: Duration = Duration::from_secs(50);
/// Calls put on one HTTP/2 connection before another is opened.
const STREAMS_PER_CONNECTION: usize = 90;

type Sender1 = http1::SendRequest<SendBody>;
type Sender2 = http2::SendRequest<SendBody>;

/// The pool of one provider.
pub struct Pool {
    connector: Connector,
    clock: Clock,
    idle: Mutex<Vec<Idle>>,
    shared: Mutex<Vec<Shared>>,
}

struct Idle {
    sender: Sender1,
    since: Duration,
}

#[derive(Clone)]
struct Shared {
    sender: Sender2,
    open: Arc<AtomicUsize>,
}

/// A connection in use by one call. Dropping it without [`Lease::give_back`] closes an HTTP/1 connection,
/// which is how a call is cancelled upstream.
pub struct Lease {
    line: Line,
    /// Whether it has carried a call before, so that it may have gone stale unnoticed.
    reused: bool,
    pool: Arc<Pool>,
}

enum Line {
    One(Option<Sender1>),
    Many(Shared),
}

impl Pool {
    /// An empty pool over `connector`.
    pub fn new(connector: Connector, clock: Clock) -> Arc<Self> {
        Arc::new(Self { connector, clock, idle: Mutex::default(), shared: Mutex::default() })
    }

    /// A connection ready to send on: an idle one, a shared one with room, else a new one.
    pub async fn take(self: &Arc<Self>) -> Result<Lease, Unsent> {
        match self.take_open() {
            Some(lease) => Ok(lease),
            None => self.connect().await,
        }
    }

    /// A new connection, whatever the pool holds: for trying again after a stale one.
    pub async fn connect(self: &Arc<Self>) -> Result<Lease, Unsent> {
        let line = match self.connector.connect().await? {
            Negotiated::Http1(sender) => Line::One(Some(sender)),
            Negotiated::Http2(sender) => {
                let shared = Shared { sender, open: Arc::new(AtomicUsize::new(1)) };
                lock(&self.shared).push(shared.clone());
                Line::Many(shared)
            }
        };
        Ok(Lease { line, reused: false, pool: Arc::clone(self) })
    }

    fn take_open(self: &Arc<Self>) -> Option<Lease> {
        let line = self.take_idle().map(|sender| Line::One(Some(sender))).or_else(|| self.join_shared())?;
        Some(Lease { line, reused: true, pool: Arc::clone(self) })
    }

    fn take_idle(&self) -> Option<Sender1> {
        let mut idle = lock(&self.idle);
        let oldest = self.clock.monotonic().saturating_sub(IDLE_TIME);
        while let Some(Idle { sender, since }) = idle.pop() {
            if since < oldest {
                // The rest has waited longer still.
                idle.clear();
                return None;
            }
            if !sender.is_closed() {
                return Some(sender);
            }
        }
        None
    }

    fn join_shared(&self) -> Option<Line> {
        let mut shared = lock(&self.shared);
        shared.retain(|connection| !connection.sender.is_closed());
        let roomy = shared
            .iter()
            .find(|connection| connection.open.load(Ordering::Relaxed) < STREAMS_PER_CONNECTION)?;
        roomy.open.fetch_add(1, Ordering::Relaxed);
        Some(Line::Many(roomy.clone()))
    }

    fn keep(&self, sender: Sender1) {
        let since = self.clock.monotonic();
        let mut idle = lock(&self.idle);
        if idle.len() < IDLE_CONNECTIONS {
            idle.push(Idle { sender, since });
        }
    }
}

impl Lease {
    /// Whether this connection has carried a call before.
    pub const fn reused(&self) -> bool {
        self.reused
    }

    /// Sends the request and waits for the head of the answer.
    pub async fn send(&mut self, request: Request<SendBody>) -> Result<Response<Incoming>, Unsent> {
        let sent = match &mut self.line {
            Line::One(Some(sender)) => {
                // Given back the moment its last answer ended, hyper's own task may still be a step behind.
                if let Err(error) = sender.ready().await {
                    return Err(Unsent::broken(error, true));
                }
                sender.try_send_request(request).await
            }
            Line::One(None) => return Err(Unsent::closed()),
            Line::Many(shared) => shared.sender.try_send_request(request).await,
        };
        sent.map_err(|mut error| {
            let came_back = error.take_message().is_some();
            Unsent::broken(error.into_error(), came_back)
        })
    }

    /// Gives the connection back for the next call; only after the answer has been read to its end.
    pub fn give_back(mut self) {
        if let Line::One(sender) = &mut self.line
            && let Some(sender) = sender.take()
        {
            self.pool.keep(sender);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Line::Many(shared) = &self.line {
            shared.open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // The guarded lists stay whole whatever panicked beside them.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
