//! The accept loop: connection permits, socket options, time limits on heads and stalled writes, draining.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::Sleep;

/// Open HTTP/2 streams one connection may have.
const STREAMS_PER_CONNECTION: u32 = 256;
/// How long the accept loop rests after an error such as too many open files.
const ACCEPT_ERROR_PAUSE: Duration = Duration::from_millis(100);
/// How long to wait between two looks at a preface that came in pieces.
const PREFACE_PAUSE: Duration = Duration::from_millis(5);
/// What an HTTP/2 connection starts with; no HTTP/1 request does.
const HTTP2_PREFACE_START: &[u8] = b"PRI ";

/// The limits one listener keeps.
#[derive(Clone, Debug)]
pub struct ConnectionLimits {
    /// Connections open at once; further ones wait in the kernel's backlog.
    pub connections: usize,
    /// How long the first head of a connection may take.
    pub first_head: Duration,
    /// How long a connection may idle, the next head included.
    pub keep_alive: Duration,
    /// How long a write may make no progress.
    pub stalled_write: Duration,
    /// How many bytes a request's head may have.
    pub head_bytes: usize,
}

/// How far the program is on its way to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Calls are welcome.
    Serving,
    /// Calls in flight finish; no new connection is taken.
    Draining,
    /// What is still in flight is cut.
    Cutting,
}

/// Told how far the program is on its way to its end; cheap to clone.
#[derive(Clone, Debug)]
pub struct Stopping(watch::Receiver<Phase>);

impl Stopping {
    /// The signal and the switch that moves it on.
    pub fn channel() -> (watch::Sender<Phase>, Self) {
        let (switch, signal) = watch::channel(Phase::Serving);
        (switch, Self(signal))
    }

    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        *self.0.borrow() >= Phase::Draining
    }

    /// Returns when it begins.
    pub async fn begins(&mut self) {
        self.reaches(Phase::Draining).await;
    }

    /// Returns when `phase` is reached.
    pub async fn reaches(&mut self, phase: Phase) {
        // An error means the switch is gone, which also means the end.
        drop(self.0.wait_for(|reached| *reached >= phase).await);
    }
}

/// Answers the requests of one connection after another.
pub trait Service<B>: Clone + Send + Sync + 'static {
    /// Answers one request.
    fn answer(&self, request: Request<Incoming>) -> impl Future<Output = Response<B>> + Send;
}

/// Accepts until `stopping`, then waits for every open connection to finish its calls.
pub async fn run<S, B>(listener: TcpListener, limits: ConnectionLimits, service: S, mut stopping: Stopping)
where
    S: Service<B>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let slots = Arc::new(Semaphore::new(limits.connections));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let (socket, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(error = %error, "cannot accept connections");
                    tokio::time::sleep(ACCEPT_ERROR_PAUSE).await;
                    continue;
                }
            },
            () = stopping.begins() => break,
        };
        let connection = connection(socket, peer, limits.clone(), service.clone(), stopping.clone());
        tokio::spawn(async move {
            connection.await;
            drop(slot);
        });
    }
    drop(listener);
    // All permits back means that every connection has ended.
    let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    drop(slots.acquire_many(all).await);
}

async fn connection<S, B>(
    socket: TcpStream,
    peer: SocketAddr,
    limits: ConnectionLimits,
    service: S,
    mut stopping: Stopping,
) where
    S: Service<B>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    if socket.set_nodelay(true).is_err() {
        return;
    }
    let spoken = tokio::select! {
        // A request that is here already is answered, however late it came.
        biased;
        spoken = tokio::time::timeout(limits.first_head, speaks_http2(&socket)) => spoken,
        () = stopping.begins() => return,
    };
    let Ok(Ok(http2)) = spoken else { return };
    let head_seen = Arc::new(AtomicBool::new(false));
    let io = TokioIo::new(Timed::new(socket, &limits, Arc::clone(&head_seen)));
    let handler = service_fn(move |request| {
        head_seen.store(true, Ordering::Relaxed);
        let service = service.clone();
        async move { Ok::<_, std::convert::Infallible>(service.answer(request).await) }
    });
    let ended: Result<(), Box<dyn std::error::Error>> = if http2 {
        let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        builder.timer(TokioTimer::new()).max_concurrent_streams(STREAMS_PER_CONNECTION);
        builder.keep_alive_interval(limits.keep_alive).max_header_list_size(limits.head_bytes as u32);
        drive(builder.serve_connection(io, handler), stopping).await.map_err(Into::into)
    } else {
        let mut builder = hyper::server::conn::http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(limits.keep_alive);
        builder.max_header_size(limits.head_bytes);
        drive(builder.serve_connection(io, handler), stopping).await.map_err(Into::into)
    };
    if let Err(error) = ended {
        tracing::debug!(client.address = %peer, error = %error, "connection ended early");
    }
}

/// Serves a connection to its end: its own, the end of its calls once the program stops, or the cut.
async fn drive<C: GracefulConnection>(connection: C, mut stopping: Stopping) -> Result<(), C::Error> {
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = stopping.begins() => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        ended = connection => ended,
        // Dropping the connection drops its calls, and each files its record.
        () = stopping.reaches(Phase::Cutting) => Ok(()),
    }
}

/// Looks at the first bytes without taking them. Clients that know Weir speaks HTTP/2 begin with its preface.
async fn speaks_http2(socket: &TcpStream) -> io::Result<bool> {
    let mut start = [0; HTTP2_PREFACE_START.len()];
    loop {
        let seen = socket.peek(&mut start).await?;
        let matching = start.iter().zip(HTTP2_PREFACE_START).take(seen).take_while(|(a, b)| a == b).count();
        if seen == 0 || matching < seen || seen == start.len() {
            return Ok(seen == start.len() && matching == seen);
        }
        // A part of the preface: the rest is on its way, and `peek` would return at once again.
        tokio::time::sleep(PREFACE_PAUSE).await;
    }
}

/// A socket on which the first head must come in time and writes must make progress.
///
/// hyper stops polling a body while the socket is full, so a client that never reads would hold its call,
/// and the provider's, for ever: only the socket sees it.
struct Timed {
    socket: TcpStream,
    first_head: Option<Pin<Box<Sleep>>>,
    head_seen: Arc<AtomicBool>,
    stalled_write: Duration,
    write_timer: Option<Pin<Box<Sleep>>>,
}

impl Timed {
    fn new(socket: TcpStream, limits: &ConnectionLimits, head_seen: Arc<AtomicBool>) -> Self {
        let first_head = Some(Box::pin(tokio::time::sleep(limits.first_head)));
        Self { socket, first_head, head_seen, stalled_write: limits.stalled_write, write_timer: None }
    }

    fn watch_write<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.write_timer = None;
            return written;
        }
        let stalled_write = self.stalled_write;
        let timer = self.write_timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(stalled_write)));
        timer.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Timed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.socket).poll_read(cx, buf);
        if self.first_head.is_none() {
            return read;
        }
        if self.head_seen.load(Ordering::Relaxed) {
            self.first_head = None;
            return read;
        }
        match (read, &mut self.first_head) {
            (Poll::Pending, Some(timer)) => {
                timer.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
            }
            (read, _) => read,
        }
    }
}

impl AsyncWrite for Timed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, buf);
        self.watch_write(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, bufs);
        self.watch_write(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

impl ConnectionLimits {
    /// The limits as configured.
    pub const fn of(limits: &config::Limits) -> Self {
        Self {
            connections: limits.connections,
            first_head: limits.headers_timeout,
            keep_alive: limits.keep_alive,
            stalled_write: limits.client_write_timeout,
            head_bytes: limits.header_bytes,
        }
    }
}
