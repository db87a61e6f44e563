//! Posts batches of spans: waits as the endpoint asks, tries again what may go through later, gives up what never will.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use analytics::otlp;
use anyhow::Context as _;
use bytes::Bytes;
use dialects::fault;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use hyper::body::Incoming;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use vocab::id::Call;
use vocab::{Clock, Id};

use super::Exporter;
use crate::bounded;
use crate::upstream::Unsent;
use crate::upstream::body::SendBody;
use crate::upstream::connect::{Connector, tls_config};
use crate::upstream::pool::Pool;

/// How long spans wait for company.
const WINDOW: Duration = Duration::from_secs(1);
/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much of an answer is read.
const ANSWER_BYTES: usize = 64 << 10;
/// How much of a refusal is logged.
const SAID_BYTES: usize = 300;
/// How long is waited after the first failure; doubled each time, and up to a half more by chance.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest such wait, also when the endpoint asks for a longer one.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// A batch that could not be sent for so long is given up.
const GIVE_UP: Duration = Duration::from_mins(10);

pub(super) struct Sender {
    exporter: Arc<Exporter>,
    encoding: otlp::Encoding,
    path: Uri,
    headers: HeaderMap,
    pool: Arc<Pool>,
    clock: Clock,
}

/// What came of one request.
enum Verdict {
    /// Taken, but for so many spans.
    Taken { rejected: u64 },
    /// Never to be taken.
    Refused(String),
    /// Perhaps later.
    Later { asked: Option<Duration>, why: String },
}

impl Sender {
    pub(super) fn new(
        export: &config::Export,
        exporter: Arc<Exporter>,
        limits: &config::Limits,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let url: Uri = export.url.parse().context("export.url is not a URL")?;
        let authority = url.authority().context("export.url names no host")?;
        let encoding = super::encoding(export);
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(header::HOST, HeaderValue::from_str(authority.as_str())?);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(encoding.content_type()));
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        let agent = concat!("weir/", env!("CARGO_PKG_VERSION"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
        for (name, value) in &export.headers {
            let mut value = HeaderValue::from_str(value.expose())
                .with_context(|| format!("export.headers.{name} holds characters no header may"))?;
            value.set_sensitive(true);
            headers.insert(HeaderName::try_from(name.as_str())?, value);
        }
        let connector = Connector::new(&url, tls_config(None)?, limits.connect_timeout)?;
        let path = Uri::from(url.path_and_query().context("export.url has no path")?.clone());
        Ok(Self { exporter, encoding, path, headers, pool: Pool::new(connector, clock.clone()), clock })
    }

    /// Sends until told to finish, and then until nothing is left.
    pub(super) async fn run(self, mut finish: watch::Receiver<bool>) {
        let mut trouble = false;
        loop {
            let finishing = *finish.borrow();
            if !finishing {
                tokio::select! {
                    () = self.exporter.full_batch.notified() => {}
                    () = sleep(WINDOW) => {}
                    gone = finish.changed() => if gone.is_err() { return },
                }
            }
            loop {
                let spans = self.exporter.take();
                if spans.is_empty() {
                    break;
                }
                self.deliver(spans, &mut trouble).await;
            }
            if finishing {
                return;
            }
        }
    }

    /// Sends one batch, however often that takes.
    async fn deliver(&self, spans: Vec<Vec<u8>>, trouble: &mut bool) {
        let _room = Room { exporter: &self.exporter, bytes: spans.iter().map(Vec::len).sum() };
        let count = spans.len() as u64;
        let tally = &self.exporter.tally;
        let add = |to: &AtomicU64, spans: u64| to.fetch_add(spans, Ordering::Relaxed);
        let unsent = Unfinished { to: &tally.dropped, spans: count };
        let body = self.pack(spans).await;
        let verdict = self.insist(&body, trouble).await;
        unsent.done();
        match verdict {
            Verdict::Taken { rejected } => {
                let rejected = rejected.min(count);
                add(&tally.rejected, rejected);
                add(&tally.sent, count - rejected);
                if std::mem::take(trouble) {
                    tracing::info!("calls are being exported again");
                }
            }
            Verdict::Refused(why) | Verdict::Later { why, .. } => {
                add(&tally.failed, count);
                if !std::mem::replace(trouble, true) {
                    tracing::warn!(spans = count, reason = %why, "calls could not be exported");
                }
            }
        }
    }

    /// Tries until there is a verdict that stays, or for too long.
    async fn insist(&self, body: &Bytes, trouble: &mut bool) -> Verdict {
        let began = self.clock.monotonic();
        let mut wait = FIRST_WAIT;
        loop {
            let verdict = self.post(body).await;
            let Verdict::Later { asked, why } = &verdict else { return verdict };
            if self.clock.monotonic().saturating_sub(began) >= GIVE_UP {
                return verdict;
            }
            if !std::mem::replace(trouble, true) {
                tracing::warn!(reason = %why, "calls cannot be exported; they wait and are tried again");
            }
            sleep(asked.unwrap_or_else(|| self.jittered(wait)).min(LONGEST_WAIT)).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    fn jittered(&self, wait: Duration) -> Duration {
        let chance = Id::<Call>::new(&self.clock).bytes()[15];
        wait + wait * u32::from(chance) / 512
    }

    /// The request's body. Compressing megabytes would hold up the calls of this thread.
    async fn pack(&self, spans: Vec<Vec<u8>>) -> Bytes {
        let exporter = Arc::clone(&self.exporter);
        let packed = tokio::task::spawn_blocking(move || gzip(&exporter.envelope.batch(&spans)));
        // Compressing into memory cannot fail; a panic leaves an empty body, which is refused and counted.
        packed.await.unwrap_or_default().into()
    }

    async fn post(&self, body: &Bytes) -> Verdict {
        match timeout(PATIENCE, self.try_post(body)).await {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(error)) => Verdict::Later { asked: None, why: error.to_string() },
            Err(_) => Verdict::Later { asked: None, why: "the endpoint took too long".to_owned() },
        }
    }

    async fn try_post(&self, body: &Bytes) -> Result<Verdict, Unsent> {
        let mut lease = self.pool.take().await?;
        let mut answered = lease.send(self.request(body)).await;
        if answered.is_err() && lease.reused() {
            lease = self.pool.connect().await?;
            answered = lease.send(self.request(body)).await;
        }
        let (head, body) = answered?.into_parts();
        let Ok(said) = bounded::collect::<Incoming>(body, ANSWER_BYTES).await else {
            return Ok(self.verdict(&Response::from_parts(head, Bytes::new())));
        };
        lease.give_back();
        Ok(self.verdict(&Response::from_parts(head, said)))
    }

    fn request(&self, body: &Bytes) -> Request<SendBody> {
        let mut request = Request::new(SendBody::Whole(Some(body.clone())));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.path.clone();
        request.headers_mut().clone_from(&self.headers);
        request
    }

    fn verdict(&self, answer: &Response<Bytes>) -> Verdict {
        let status = answer.status();
        if status.is_success() {
            return Verdict::Taken { rejected: otlp::rejected_spans(self.encoding, answer.body()) };
        }
        let said = String::from_utf8_lossy(answer.body());
        let said = said.get(..said.floor_char_boundary(SAID_BYTES)).unwrap_or_default();
        let why = format!("the endpoint answers {status}: {}", said.escape_debug());
        let later = matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        );
        if !later {
            return Verdict::Refused(why);
        }
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let asked = header("retry-after").and_then(|value| {
            fault::retry_after(
                status.as_u16(),
                |name| Some(value).filter(|_| name == "retry-after"),
                self.clock.now(),
            )
        });
        Verdict::Later { asked, why }
    }
}

/// The queue's room that a batch takes until it is dealt with.
struct Room<'a> {
    exporter: &'a Exporter,
    bytes: usize,
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.exporter.release(self.bytes);
    }
}

/// Spans being sent: counted as dropped when the sender is stopped meanwhile.
struct Unfinished<'a> {
    to: &'a AtomicU64,
    spans: u64,
}

impl Unfinished<'_> {
    fn done(mut self) {
        self.spans = 0;
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        self.to.fetch_add(self.spans, Ordering::Relaxed);
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.unwrap_or_default()
}
