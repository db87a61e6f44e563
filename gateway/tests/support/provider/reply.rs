//! What the fake provider answers with: whole, in pieces, held back, fed by the test, cut off, or not at all.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::vec;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body::Frame;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::support::wait::patiently;

/// One scripted reply.
pub struct Reply {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: ReplyBody,
    hold: Option<oneshot::Receiver<()>>,
}

/// The body of a reply.
pub enum ReplyBody {
    /// Pieces that are here, each a chunk of its own.
    Pieces(vec::IntoIter<Piece>),
    /// Bytes with their length announced.
    Whole(Option<Bytes>),
    /// Pieces as the test feeds them.
    Fed(mpsc::Receiver<Piece>),
    /// The same bytes for ever.
    Endless(Bytes),
    /// No answer at all: the connection is closed.
    HangUp,
}

/// Something that happens on the line.
pub enum Piece {
    /// Bytes are sent.
    Data(Bytes),
    /// The connection breaks, after this many looks: what was sent before has to reach the other side first.
    Cut(u8),
}

/// The server writes out what it has whenever a body has nothing new to give; over HTTP/2 that takes some turns.
const CUT: Piece = Piece::Cut(16);

/// The test's end of a reply that it feeds.
pub struct Feed(mpsc::Sender<Piece>);

/// The test's hold on a reply.
pub struct Hold(oneshot::Sender<()>);

impl Reply {
    fn new(status: u16, content_type: &'static str, body: ReplyBody) -> Self {
        let headers = vec![(header::CONTENT_TYPE, HeaderValue::from_static(content_type))];
        Self { status: StatusCode::from_u16(status).unwrap(), headers, body, hold: None }
    }

    /// 200 with this JSON.
    pub fn json(value: &Value) -> Self {
        Self::status(200, value)
    }

    /// A status with this JSON.
    pub fn status(status: u16, value: &Value) -> Self {
        Self::text(status, "application/json", &value.to_string())
    }

    /// A status with this text.
    pub fn text(status: u16, content_type: &'static str, text: &str) -> Self {
        Self::new(status, content_type, ReplyBody::Whole(Some(Bytes::copy_from_slice(text.as_bytes()))))
    }

    /// An error in OpenAI's shape.
    pub fn error(status: u16, kind: &str, code: &str, message: &str) -> Self {
        let error = json!({"message": message, "type": kind, "param": null, "code": code});
        Self::status(status, &json!({ "error": error }))
    }

    /// An event stream of these texts, each a chunk of its own, that ends cleanly.
    pub fn events<T: AsRef<str>>(events: impl IntoIterator<Item = T>) -> Self {
        let piece = |event: T| Piece::Data(Bytes::copy_from_slice(event.as_ref().as_bytes()));
        let pieces: Vec<_> = events.into_iter().map(piece).collect();
        Self::new(200, "text/event-stream; charset=utf-8", ReplyBody::Pieces(pieces.into_iter()))
    }

    /// An event stream that the test feeds piece by piece.
    pub fn fed() -> (Self, Feed) {
        let (pieces, coming) = mpsc::channel(16);
        (Self::new(200, "text/event-stream", ReplyBody::Fed(coming)), Feed(pieces))
    }

    /// An event stream that repeats one event for ever.
    pub fn endless(event: &str) -> Self {
        Self::new(200, "text/event-stream", ReplyBody::Endless(Bytes::copy_from_slice(event.as_bytes())))
    }

    /// The connection is closed instead of an answer.
    pub fn hang_up() -> Self {
        Self::new(200, "text/plain", ReplyBody::HangUp)
    }

    /// An answer that never comes; the hold tells when it is no longer waited for.
    pub fn never() -> (Self, Hold) {
        Self::hang_up().held()
    }

    /// This reply's body breaks off where it would have ended.
    #[must_use]
    pub fn cut(mut self) -> Self {
        let pieces: Vec<Piece> = match self.body {
            ReplyBody::Whole(bytes) => bytes.into_iter().map(Piece::Data).chain([CUT]).collect(),
            ReplyBody::Pieces(pieces) => pieces.chain([CUT]).collect(),
            other @ (ReplyBody::Fed(_) | ReplyBody::Endless(_) | ReplyBody::HangUp) => {
                self.body = other;
                return self;
            }
        };
        self.body = ReplyBody::Pieces(pieces.into_iter());
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()));
        self
    }

    /// Holds the answer's head back until the test lets it go.
    pub fn held(mut self) -> (Self, Hold) {
        let (release, hold) = oneshot::channel();
        self.hold = Some(hold);
        (self, Hold(release))
    }

    /// The HTTP response; an error closes the connection.
    pub(super) async fn respond(self) -> Result<Response<ReplyBody>, LineBroken> {
        if let Some(hold) = self.hold
            && hold.await.is_err()
        {
            // The test is over.
            return Err(LineBroken);
        }
        if matches!(self.body, ReplyBody::HangUp) {
            return Err(LineBroken);
        }
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        response.headers_mut().extend(self.headers);
        Ok(response)
    }
}

impl Feed {
    /// Sends bytes; fails the test when nobody is there to take them.
    pub async fn send(&self, text: &str) {
        let sent = self.0.send(Piece::Data(Bytes::copy_from_slice(text.as_bytes())));
        assert!(patiently("a piece to be taken", sent).await.is_ok(), "the gateway has hung up");
    }

    /// Waits until the gateway has closed the connection.
    pub async fn abandoned(&self) {
        patiently("the gateway to hang up", self.0.closed()).await;
    }
}

impl Hold {
    /// Lets the answer go.
    pub fn release(self) {
        assert!(self.0.send(()).is_ok(), "the gateway has hung up");
    }

    /// Waits until the gateway has closed the connection.
    pub async fn abandoned(&mut self) {
        patiently("the gateway to hang up", self.0.closed()).await;
    }
}

/// Closes the connection where it stands.
#[derive(Debug)]
pub struct LineBroken;

impl std::fmt::Display for LineBroken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the script breaks the line here")
    }
}

impl std::error::Error for LineBroken {}

impl http_body::Body for ReplyBody {
    type Data = Bytes;
    type Error = LineBroken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, LineBroken>>> {
        let piece = match &mut *self {
            Self::Whole(bytes) => bytes.take().map(Piece::Data),
            Self::Pieces(pieces) => match pieces.as_mut_slice().first_mut() {
                Some(Piece::Cut(looks)) if *looks > 0 => {
                    *looks -= 1;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(_) | None => pieces.next(),
            },
            Self::Fed(fed) => ready!(fed.poll_recv(cx)),
            Self::Endless(bytes) => Some(Piece::Data(bytes.clone())),
            Self::HangUp => None,
        };
        Poll::Ready(piece.map(|piece| match piece {
            Piece::Data(bytes) => Ok(Frame::data(bytes)),
            Piece::Cut(_) => Err(LineBroken),
        }))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match self {
            Self::Whole(bytes) => {
                http_body::SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64)
            }
            Self::Pieces(_) | Self::Fed(_) | Self::Endless(_) | Self::HangUp => {
                http_body::SizeHint::default()
            }
        }
    }
}
