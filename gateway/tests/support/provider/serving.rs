//! The fake provider's side of the wire.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::reply::{LineBroken, ReplyBody};
use super::{Received, State, canned};

/// Takes connections until it is dropped, and they with it.
pub(super) async fn accept(listener: TcpListener, acceptor: Option<TlsAcceptor>, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((socket, _)) = listener.accept().await else { return };
        let number = state.connections.fetch_add(1, Ordering::SeqCst) + 1;
        state.open.send_modify(|open| *open += 1);
        let (acceptor, state) = (acceptor.clone(), Arc::clone(&state));
        connections.spawn(async move {
            connection(socket, acceptor, Arc::clone(&state), number).await;
            state.open.send_modify(|open| *open -= 1);
        });
    }
}

async fn connection(socket: TcpStream, acceptor: Option<TlsAcceptor>, state: Arc<State>, number: usize) {
    socket.set_nodelay(true).unwrap();
    let Some(acceptor) = acceptor else { return serve1(socket, state, number).await };
    let Ok(stream) = acceptor.accept(socket).await else { return };
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        let service = service_fn(move |request| answer(request, Arc::clone(&state), number));
        let builder = http2::Builder::new(TokioExecutor::new());
        drop(builder.serve_connection(TokioIo::new(stream), service).await);
    } else {
        serve1(stream, state, number).await;
    }
}

async fn serve1<S: AsyncRead + AsyncWrite + Unpin>(stream: S, state: Arc<State>, number: usize) {
    let service = service_fn(move |request| answer(request, Arc::clone(&state), number));
    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<State>,
    connection: usize,
) -> Result<Response<ReplyBody>, LineBroken> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| LineBroken)?.to_bytes();
    let received = Received {
        method: head.method,
        path: head.uri.path_and_query().map_or_else(String::new, ToString::to_string),
        headers: head.headers,
        body,
        version: head.version,
        connection,
    };
    let scripted = state.script.lock().unwrap().pop_front();
    let reply = scripted.unwrap_or_else(|| canned::reply(&received));
    state.received.send_modify(|all| all.push(received));
    reply.respond().await
}
