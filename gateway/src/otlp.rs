//! The OTLP-over-HTTP door: applications' spans in, acknowledged when they are on record.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use analytics::otlp::{self, Encoding, Malformed, Rejected, Taken};
use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use tokio::sync::Semaphore;
use tokio::task::JoinError;
use tokio::time::timeout;

use crate::app::App;
use crate::call::admission::{Announces as _, Permit, too_large};
use crate::call::authenticate::{self, Caller};
use crate::call::intake;
use crate::call::relay::Body;
use crate::refusal::{Kind, Refusal};
use crate::surface;

/// Requests that are unpacked and read at one time: each may grow to `limits.body_bytes`. Others wait.
const READERS: usize = 4;
/// How long a request waits for its spans to be committed: less than exporters wait for their answer.
const COMMIT_TIME: Duration = Duration::from_secs(8);
/// When an exporter that was sent away should come again.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// Codes of gRPC, which errors in protobuf carry.
const INVALID_ARGUMENT: i32 = 3;
const UNAVAILABLE: i32 = 14;
const UNKNOWN: i32 = 2;

/// What requests for the door share.
pub struct Door {
    readers: Arc<Semaphore>,
}

impl Default for Door {
    fn default() -> Self {
        Self { readers: Arc::new(Semaphore::new(READERS)) }
    }
}

impl Door {
    /// Does `work` in its turn, on a thread that may take its time. Turn and room are given back when the work is
    /// done, not when whoever asked for it hangs up.
    async fn read<T: Send + 'static>(
        &self,
        mut room: Permit,
        work: impl FnOnce(&mut Permit) -> T + Send + 'static,
    ) -> Result<(T, Permit), JoinError> {
        let turn = Arc::clone(&self.readers).acquire_owned().await;
        let reading = tokio::task::spawn_blocking(move || {
            let read = work(&mut room);
            drop(turn);
            (read, room)
        });
        reading.await
    }
}

/// How a body is written: its encoding, and whether it is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Written {
    encoding: Encoding,
    gzip: bool,
}

/// Takes one trace export.
pub async fn serve(app: &Arc<App>, request: Request<Incoming>) -> Response<Body> {
    let encoding = encoding(request.headers());
    match take(app, request).await {
        Ok((encoding, rejected)) => respond(encoding, otlp::answer(encoding, &rejected)),
        Err(refusal) if encoding == Some(Encoding::Protobuf) => {
            let code = match refusal.kind() {
                Kind::Overloaded | Kind::Unavailable => UNAVAILABLE,
                Kind::InvalidRequest => INVALID_ARGUMENT,
                _ => UNKNOWN,
            };
            let mut response = respond(Encoding::Protobuf, otlp::status(code, refusal.message()));
            let content_type = HeaderValue::from_static(Encoding::Protobuf.content_type());
            *response.headers_mut() = refusal.headers();
            response.headers_mut().insert(header::CONTENT_TYPE, content_type);
            *response.status_mut() = refusal.status();
            response
        }
        Err(refusal) => surface::error(&refusal),
    }
}

fn respond(encoding: Encoding, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::plain(body));
    let content_type = HeaderValue::from_static(encoding.content_type());
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

async fn take(app: &Arc<App>, request: Request<Incoming>) -> Result<(Encoding, Rejected), Refusal> {
    let (mut head, body) = request.into_parts();
    let caller = authenticate::caller_or_basic(app, &head.headers)?;
    let written = written(&head.headers)?;
    // Calls may not be packed; exports may.
    head.headers.remove(header::CONTENT_ENCODING);
    let room = app.admission.admit(&head.headers, body.announced())?;
    let bytes = intake::read(body, &app.config.limits).await?;
    // The spans hold their room until they are committed.
    let (Taken { spans, rejected, .. }, _room) = read(app, caller, written, bytes, room).await?;
    let kept = spans.len() as u64;
    if kept > 0 {
        let committed = timeout(COMMIT_TIME, app.recorder.keep(spans)).await;
        committed.is_ok_and(|committed| committed.is_ok()).then_some(()).ok_or_else(|| {
            Refusal::new(Kind::Overloaded, "spans cannot be recorded at present: send them again later")
                .retry_after(RETRY_AFTER)
        })?;
    }
    app.metrics.spans_received(kept, rejected.spans());
    Ok((written.encoding, rejected))
}

async fn read(
    app: &Arc<App>,
    caller: Caller,
    written: Written,
    bytes: Bytes,
    room: Permit,
) -> Result<(Taken, Permit), Refusal> {
    let app_of_reader = Arc::clone(app);
    let reading = app.otlp.read(room, move |room| {
        let app = app_of_reader;
        let body = if written.gzip { unpack(&bytes, app.config.limits.body_bytes)? } else { bytes };
        room.cover(body.len());
        let policy = app.policies.of_project(&caller.key.project);
        let taken = otlp::ingest(written.encoding, &body, &caller.key.project, policy, app.clock.now())
            .map_err(|error| malformed(&error))?;
        room.cover(taken.bytes);
        Ok::<_, Refusal>(taken)
    });
    let (taken, room) = reading.await.map_err(|error| {
        Refusal::new(Kind::Internal, "something broke while reading the spans: tell the gateway's operators")
            .because(error)
    })?;
    Ok((taken?, room))
}

fn malformed(malformed: &Malformed) -> Refusal {
    Refusal::new(Kind::InvalidRequest, malformed.to_string())
}

fn encoding(headers: &HeaderMap) -> Option<Encoding> {
    Encoding::of_content_type(headers.get(header::CONTENT_TYPE)?.to_str().ok()?)
}

fn written(headers: &HeaderMap) -> Result<Written, Refusal> {
    let Some(encoding) = encoding(headers) else {
        return Err(Refusal::new(
            Kind::UnsupportedMediaType,
            "send OTLP as content-type application/x-protobuf or application/json",
        ));
    };
    let packed = headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes).unwrap_or_default();
    let gzip = match packed.to_ascii_lowercase().as_slice() {
        b"" | b"identity" => false,
        b"gzip" | b"x-gzip" => true,
        _ => {
            return Err(Refusal::new(
                Kind::UnsupportedMediaType,
                "send the body plain or with content-encoding gzip",
            ));
        }
    };
    Ok(Written { encoding, gzip })
}

/// Unpacks a body, within the limit that holds for one that is not packed.
fn unpack(packed: &[u8], limit: usize) -> Result<Bytes, Refusal> {
    let mut body = Vec::new();
    let read = MultiGzDecoder::new(packed).take(limit as u64 + 1).read_to_end(&mut body);
    if body.len() > limit {
        return Err(too_large(limit, None));
    }
    match read {
        Ok(_) => Ok(body.into()),
        Err(error) => Err(Refusal::new(Kind::InvalidRequest, format!("the body is not whole gzip: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;
    use crate::call::admission::{Admission, Announced};
    use crate::metrics::Metrics;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[tokio::test]
    async fn who_hangs_up_leaves_turn_and_room_taken_until_the_reading_is_done() {
        let admission = Admission::new(&config::Limits::default(), Arc::new(Metrics::new(false).unwrap()));
        let (door, (go, may_end)) = (Arc::new(Door::default()), std::sync::mpsc::channel::<()>());
        let room = admission.admit(&HeaderMap::new(), Announced::Bytes(10)).unwrap();
        let (begun, begins) = tokio::sync::oneshot::channel();
        let asked = tokio::spawn({
            let door = Arc::clone(&door);
            async move {
                let work = move |_: &mut Permit| begun.send(may_end.recv()).is_ok();
                door.read(room, work).await.map(|(read, _)| read)
            }
        });
        while door.readers.available_permits() == READERS {
            tokio::task::yield_now().await;
        }
        asked.abort();
        assert!(asked.await.unwrap_err().is_cancelled());
        assert_eq!((door.readers.available_permits(), admission.calls()), (READERS - 1, 1));
        go.send(()).unwrap();
        begins.await.unwrap().unwrap();
        while admission.calls() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(door.readers.available_permits(), READERS);
    }

    #[test]
    fn a_body_unpacks_to_its_limit_and_no_further() {
        let bomb = packed(&vec![0; 10_000_000]);
        assert!(bomb.len() < 20_000);
        assert_eq!(unpack(&bomb, 9_999_999).unwrap_err().kind(), Kind::BodyTooLarge);
        assert_eq!(unpack(&bomb, 10_000_000).unwrap().len(), 10_000_000);
        let pieces = [packed(b"ab"), packed(b"cd")].concat();
        assert_eq!(unpack(&pieces, 4).unwrap(), "abcd");
    }

    #[test]
    fn what_is_not_whole_gzip_is_refused_for_good() {
        let whole = packed(b"hello");
        for broken in [&b""[..], b"hello", &whole[..whole.len() - 1], &whole[..10]] {
            assert_eq!(unpack(broken, 100).unwrap_err().kind(), Kind::InvalidRequest, "{broken:?}");
        }
    }

    #[test]
    fn only_forms_that_are_read_are_taken() {
        let of = |kind: &'static str, packing: &'static str| {
            let pairs = [(header::CONTENT_TYPE, kind), (header::CONTENT_ENCODING, packing)];
            let headers = pairs.map(|(name, value)| (name, HeaderValue::from_static(value)));
            written(&HeaderMap::from_iter(headers)).map_err(|refusal| refusal.status().as_u16())
        };
        let protobuf = Written { encoding: Encoding::Protobuf, gzip: true };
        assert_eq!(of("application/x-protobuf", "gzip").unwrap(), protobuf);
        assert_eq!(of("application/json; charset=utf-8", "identity").unwrap().encoding, Encoding::Json);
        assert_eq!((of("text/plain", ""), of("application/json", "br")), (Err(415), Err(415)));
    }
}
