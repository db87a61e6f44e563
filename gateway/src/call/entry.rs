//! The record of a call while it happens; filed exactly once, on drop, however the call ends.

mod attempts;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use analytics::record::{Capture, Outcome, PromptUse, Record};
use bytes::Bytes;
use config::Durability;
use dialects::Endpoint;
use dialects::extras::{self, Extras};
use dialects::watch::Facts;
use http::HeaderValue;
use http::request::Parts;
use registry::Resolved;
use serde_json::{Map, Value};
use vocab::{Id, UsageSource};

use super::authenticate::Caller;
use super::commit::{Commit, within_time};
use super::intake::Request;
use super::parts::exposed;
use crate::app::App;
use crate::refusal::{Kind, Refusal};
use crate::routing::Route;
use crate::trace::TraceParent;
use crate::upstream::Patience;

pub use attempts::AttemptIndex;

/// What a caller who left before an answer began is recorded with (nginx's number).
const CLIENT_CLOSED_REQUEST: u16 = 499;
/// Bodies up to this size are copied for the record, so that they do not pin hyper's whole read buffer.
const COPY_BYTES: usize = 64 * 1024;
/// Bytes of text that make a token, on average, where nobody counted.
const BYTES_PER_TOKEN: u64 = 4;

/// The `price_id` of a cost that the provider stated itself.
pub const STATED_PRICE: &str = "stated";

/// A call's record being written. Dropping it files it: as cancelled, unless [`Entry::ended`] said otherwise.
pub struct Entry {
    app: Arc<App>,
    record: Option<Box<Record>>,
    /// The clock's monotonic reading at the first byte.
    started: Duration,
    /// When the present try was sent; `None` between tries.
    sent: Option<Duration>,
    /// Time spent waiting for providers and between tries.
    waited: Duration,
    /// Time rested since the last try, before the next one.
    rested: Duration,
    deadline: Duration,
    /// Whether the last try was sent, and not answered in time.
    timed_out: bool,
    route: Option<Arc<Route>>,
    capture_bytes: usize,
}

impl Entry {
    /// Opens the record of a call whose head has just arrived.
    pub fn open(app: &Arc<App>, head: &Parts, endpoint: Endpoint) -> Self {
        let started = app.clock.monotonic();
        let now = app.clock.now();
        let id = Id::at(now);
        let mut record = Record::begin(id, Arc::clone(&app.default_project), now, endpoint);
        record.status = CLIENT_CLOSED_REQUEST;
        record.outcome = Outcome::Cancelled;
        if let Some(trace) = TraceParent::of(&head.headers) {
            record.trace_id = trace.trace_id;
            record.parent_span_id = Some(trace.parent_id);
        }
        app.metrics.inflight.inc();
        Self {
            app: Arc::clone(app),
            record: Some(Box::new(record)),
            started,
            sent: None,
            waited: Duration::ZERO,
            rested: Duration::ZERO,
            deadline: started + app.config.limits.call_timeout,
            timed_out: false,
            route: None,
            capture_bytes: app.config.limits.capture_bytes,
        }
    }

    /// The record so far.
    pub fn record(&self) -> &Record {
        self.record.as_deref().expect("the record is taken only when the entry is dropped")
    }

    pub(super) fn record_mut(&mut self) -> &mut Record {
        self.record.as_deref_mut().expect("the record is taken only when the entry is dropped")
    }

    /// The program's parts.
    pub const fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Where the call went last.
    pub fn route(&self) -> Option<&Route> {
        self.route.as_deref()
    }

    /// Whether Weir has tried as often as it may.
    pub fn tries_are_spent(&self) -> bool {
        let tries = self.route().map_or(0, |route| route.provider.settings().tries);
        self.record().attempts.len() >= tries as usize
    }

    /// Which endpoint is called.
    pub fn endpoint(&self) -> Endpoint {
        self.record().endpoint
    }

    /// Notes who calls.
    pub fn caller(&mut self, caller: &Caller) {
        let record = self.record_mut();
        record.key = Some(caller.key.id);
        record.project = Arc::clone(&caller.key.project);
    }

    /// Notes what is asked, before anything can go wrong with it.
    pub fn request(&mut self, request: &Request<'_>) {
        let none = Map::new();
        let variables = request.naming.as_ref().map_or(&none, |naming| &naming.variables);
        self.extras(&request.extras, variables);
        self.requested_model(request.body.text("model").ok().flatten().as_deref());
        self.record_mut().streaming = request.stream;
    }

    /// Notes who asks, with which tags, metadata and variables, and how long the call may take.
    pub fn extras(&mut self, extras: &Extras, variables: &Map<String, Value>) {
        if let Some(timeout) = extras.timeout {
            self.deadline = self.deadline.min(self.started + timeout);
        }
        let record = self.record_mut();
        record.user.clone_from(&extras.user);
        record.session.clone_from(&extras.session);
        record.tags.clone_from(&extras.tags);
        (record.variables, record.metadata) = extras::for_record(variables, &extras.metadata);
    }

    /// Notes the model as the request names it.
    pub fn requested_model(&mut self, model: Option<&str>) {
        self.record_mut().requested_model = model.map(Into::into);
    }

    /// Notes the request's body, within the capture limit.
    pub fn request_body(&mut self, bytes: &Bytes) {
        let kept = self.kept(bytes);
        let record = self.record_mut();
        (record.request_bytes, record.request_body) = (bytes.len() as u64, kept);
    }

    /// Notes which prompt version serves.
    pub fn prompt(&mut self, found: Option<&Resolved>) {
        let Some(resolved) = found else { return };
        self.record_mut().prompt = Some(PromptUse {
            id: resolved.prompt.id,
            name: resolved.prompt.name.shared(),
            version: resolved.version.number,
            digest: Arc::clone(&resolved.version.digest),
            label: resolved.label.as_ref().map(vocab::LabelName::shared),
        });
        self.record_mut().exposure = resolved.exposure.as_ref().map(exposed);
    }

    /// Waits between two tries; the wait is not Weir's own overhead.
    pub async fn rest(&mut self, wait: Duration) {
        self.waited += wait;
        self.rested = wait;
        tokio::time::sleep(wait).await;
    }

    /// What remains of the call's time.
    pub fn time_left(&self) -> Duration {
        self.deadline.saturating_sub(self.app.clock.monotonic())
    }

    /// How long the next try may take.
    pub fn patience(&self) -> Patience {
        let left = self.time_left();
        let limits = &self.app.config.limits;
        Patience { head: left.min(limits.first_byte_timeout), whole: left, answer_bytes: limits.answer_bytes }
    }

    /// Time since the first byte, µs.
    pub fn elapsed_us(&self) -> u64 {
        micros(self.app.clock.monotonic().saturating_sub(self.started))
    }

    /// Weir's own share of the time so far and the providers', µs.
    pub fn split_time(&self) -> (u64, u64) {
        let waited = micros(self.waited);
        (self.elapsed_us().saturating_sub(waited), waited)
    }

    /// The call's id as a header.
    pub fn id_header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.record().id.to_string()).unwrap_or(HeaderValue::from_static("?"))
    }

    /// Notes the first content of the answer.
    pub fn first_content(&mut self) {
        let elapsed = self.elapsed_us();
        if self.record().ttft_us.is_some() {
            return;
        }
        let endpoint = self.endpoint();
        if let Some(route) = &self.route
            && self.record().streaming
        {
            route.metrics.first_token(endpoint, seconds(elapsed));
        }
        let record = self.record_mut();
        record.ttft_us = Some(elapsed);
        if let Some(attempt) = record.attempts.last_mut() {
            attempt.ttft_us = Some(elapsed);
        }
    }

    /// Notes what Weir's share was when the answer's head went out; the rest of the time is relaying.
    pub fn note_overhead(&mut self) {
        self.record_mut().overhead_us = self.split_time().0;
    }

    /// Notes what the answer told: usage, cost, why it stopped.
    pub fn facts(&mut self, facts: Facts) {
        let estimated = facts.usage.is_none().then(|| self.estimate(facts.output_bytes));
        let Some(route) = self.route.clone() else { return };
        let app = Arc::clone(&self.app);
        let record = self.record_mut();
        record.usage_source =
            if facts.usage.is_some() { UsageSource::Provider } else { UsageSource::Estimated };
        record.usage = facts.usage.or(estimated);
        record.usage_raw = facts.usage_raw;
        record.finish_reason = facts.finish_reason;
        record.response_model = facts.response_model;
        let (model, service) = (record.response_model.as_deref(), facts.service.as_deref());
        let price = app.router.price(&route, model, service, record.started);
        record.price_id = match facts.stated_cost {
            Some(_) => Some(STATED_PRICE.into()),
            None => price.as_ref().map(|price| Arc::clone(price.id())),
        };
        let priced = || price.as_ref().zip(record.usage).and_then(|(price, usage)| price.cost(&usage));
        record.cost = facts.stated_cost.or_else(priced);
        if let Some(attempt) = record.attempts.last_mut() {
            attempt.cost = record.cost;
        }
        if let Some(usage) = &record.usage {
            route.metrics.tokens(usage);
        }
        match record.cost {
            Some(cost) => route.metrics.cost(cost),
            // What is passed through unread need not be anything with a price.
            None if record.endpoint == Endpoint::Passthrough && estimated.is_some() => {}
            None => route.metrics.unpriced(),
        }
    }

    fn estimate(&self, output_bytes: u64) -> vocab::Usage {
        vocab::Usage {
            input: self.record().request_bytes.div_ceil(BYTES_PER_TOKEN),
            output: output_bytes.div_ceil(BYTES_PER_TOKEN),
            ..vocab::Usage::default()
        }
    }

    /// Notes what the caller is sent.
    pub fn response(&mut self, status: u16, body: Capture) {
        let kept = match body {
            Capture::Whole(bytes) if bytes.len() > self.capture_bytes => {
                Capture::TooLarge { bytes: bytes.len() as u64 }
            }
            Capture::Whole(bytes) => Capture::Whole(self.kept(&bytes)),
            other => other,
        };
        let record = self.record_mut();
        record.status = status;
        record.response_body = kept;
    }

    /// Notes how the call ended; the entry is filed when it is dropped.
    pub fn ended(&mut self, outcome: Outcome) {
        self.record_mut().outcome = outcome;
    }

    /// Notes an error of Weir's own making. Wrong keys are recorded once a second at most.
    pub fn refused(&mut self, refusal: &Refusal) {
        if refusal.kind() == Kind::InvalidApiKey && !self.first_in_its_second() {
            self.record = None;
            self.app.metrics.inflight.dec();
            return;
        }
        self.error(refusal.code(), refusal.message());
        self.ended(refusal.outcome());
    }

    /// Notes the error the caller reads.
    pub fn error(&mut self, code: &str, message: &str) {
        let record = self.record_mut();
        record.error_code = Some(code.into());
        record.error_message = Some(message.into());
    }

    /// In strict durability: files the record now that the end of the answer is at hand, and returns what the end
    /// waits for. `None` when nothing need be waited for.
    pub fn commit(&mut self, outcome: Outcome) -> Option<Commit> {
        if !self.is_kept() || self.app.config.records.durability != Durability::Strict {
            return None;
        }
        self.ended(outcome);
        let record = self.close()?;
        Some(within_time(self.app.recorder.commit(record)))
    }

    /// Whether a record is being written: not for a wrong key beyond the first in its second.
    pub const fn is_kept(&self) -> bool {
        self.record.is_some()
    }

    /// Whether the caller left, or Weir gave up waiting, while a provider was at work: what it used is estimated.
    fn was_left_unanswered(&self) -> bool {
        let record = self.record();
        let was_left = match record.outcome {
            Outcome::Cancelled => !record.attempts.is_empty(),
            Outcome::Timeout => self.timed_out,
            _ => false,
        };
        was_left && record.usage.is_none() && record.endpoint != Endpoint::Passthrough
    }

    fn first_in_its_second(&self) -> bool {
        let second = self.record().started.micros() / 1_000_000;
        self.app.last_recorded_intrusion.swap(second, Ordering::Relaxed) != second
    }

    fn kept(&self, bytes: &Bytes) -> Bytes {
        if bytes.len() > self.capture_bytes {
            Bytes::new()
        } else if bytes.len() <= COPY_BYTES {
            Bytes::copy_from_slice(bytes)
        } else {
            bytes.clone()
        }
    }

    /// Ends the record and counts the call; `None` when it was ended already or is not kept.
    fn close(&mut self) -> Option<Box<Record>> {
        if self.sent.is_some() {
            let took = self.stop_waiting();
            if let Some(attempt) = self.record.as_mut().and_then(|record| record.attempts.last_mut()) {
                attempt.duration_us = micros(took);
            }
        }
        if self.is_kept() && self.was_left_unanswered() {
            self.facts(Facts::default());
        }
        if std::thread::panicking() && self.is_kept() {
            self.ended(Outcome::Internal);
        }
        let duration_us = self.elapsed_us();
        let overhead = self.split_time().0;
        let mut record = self.record.take()?;
        record.duration_us = duration_us;
        if record.overhead_us == 0 {
            record.overhead_us = overhead;
        }
        let metrics = &self.app.metrics;
        metrics.inflight.dec();
        let route = self.route.as_ref().map_or(&self.app.unrouted, |route| &route.metrics);
        route.finished(record.endpoint, record.outcome, seconds(duration_us), seconds(record.overhead_us));
        if let Some(prompt) = &record.prompt {
            metrics.prompt_request(&prompt.name, prompt.version, record.outcome);
        }
        Some(record)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(record) = self.close() {
            self.app.recorder.file(record);
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floats")]
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}
