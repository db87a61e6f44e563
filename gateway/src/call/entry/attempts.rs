//! The tries of a call, as its record keeps them: sent, answered, failed.

use std::sync::Arc;
use std::time::Duration;

use analytics::record::Attempt;
use dialects::fault::FailureClass;
use http::HeaderMap;

use super::super::reply;
use super::{Entry, micros};
use crate::routing::Route;
use crate::upstream::{Answer, Failure, Outgoing};

/// Which of the record's attempts is meant.
#[derive(Clone, Copy, Debug)]
pub struct AttemptIndex(usize);

impl Entry {
    /// Notes that a try is being sent.
    pub fn attempt(&mut self, route: &Arc<Route>, outgoing: &Outgoing, reason: &'static str) -> AttemptIndex {
        self.sent = Some(self.app.clock.monotonic());
        let started = self.app.clock.now();
        self.route = Some(Arc::clone(route));
        let waited_us = micros(std::mem::take(&mut self.rested));
        let sent = outgoing.body.as_ref().map(|body| self.kept(body));
        let sent_bytes = outgoing.body.as_ref().map(|body| body.len() as u64);
        let record = self.record_mut();
        record.request_bytes = sent_bytes.unwrap_or(record.request_bytes);
        record.upstream_request_body = sent.filter(|body| *body != record.request_body);
        record.provider = Some(Arc::clone(route.provider.name()));
        record.model = Some(Arc::clone(&route.model));
        record.attempts.push(Attempt {
            provider: Arc::clone(route.provider.name()),
            model: Arc::clone(&route.model),
            started,
            duration_us: 0,
            ttft_us: None,
            waited_us,
            status: None,
            upstream_request_id: None,
            failure_class: None,
            error: None,
            cost: None,
            won: false,
            reason,
        });
        AttemptIndex(record.attempts.len() - 1)
    }

    /// Notes the head of an answer, or all of a whole one.
    pub fn answered(&mut self, at: AttemptIndex, answer: &Answer) {
        let took = self.stop_waiting();
        let (status, headers) = match answer {
            Answer::Whole { status, headers, .. } | Answer::Stream { status, headers, .. } => {
                (status, headers)
            }
        };
        let request_id = request_id(headers);
        if let Some(route) = &self.route {
            route.metrics.attempt_ok();
        }
        let attempt = &mut self.record_mut().attempts[at.0];
        attempt.duration_us = micros(took);
        attempt.status = Some(status.as_u16());
        attempt.upstream_request_id = request_id;
        attempt.won = true;
    }

    /// Notes a failed try, and says how long it took.
    pub fn failed(&mut self, at: AttemptIndex, failure: &Failure) -> Duration {
        let took = self.stop_waiting();
        let class = failure.fault.class.as_str();
        // A provider that says itself that it was too slow is not at work any more.
        self.timed_out =
            failure.fault.class == FailureClass::Timeout && failure.status.is_none() && !failure.unsent;
        if let Some(route) = &self.route {
            self.app.metrics.attempt(route.provider.name(), class);
        }
        let attempt = &mut self.record_mut().attempts[at.0];
        attempt.duration_us = micros(took);
        attempt.status = failure.status.map(|status| status.as_u16());
        attempt.upstream_request_id = request_id(&failure.headers);
        attempt.failure_class = Some(class);
        attempt.error = Some(failure.fault.message.as_str().into());
        took
    }

    pub(super) fn stop_waiting(&mut self) -> Duration {
        let now = self.app.clock.monotonic();
        let took = now.saturating_sub(self.sent.take().unwrap_or(now));
        self.waited += took;
        took
    }
}

fn request_id(headers: &HeaderMap) -> Option<Box<str>> {
    reply::upstream_request_id(headers).and_then(|id| id.to_str().ok()).map(Into::into)
}
