//! Every metric: name, help, labels. Labels stay bounded: never a key, a user or a prompt's text.

mod export;
mod records;

use std::sync::{Arc, OnceLock};

use analytics::record::Outcome;
use dialects::Endpoint;
use prometheus::core::Collector;
use prometheus::{
    CounterVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry, TextEncoder,
};
use vocab::Usage;

pub use export::ExportMetrics;
pub use records::RecordMetrics;

const SECONDS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0];
const OVERHEAD_SECONDS: &[f64] =
    &[0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.025, 0.1, 0.5];
const OUTCOMES: [Outcome; 8] = [
    Outcome::Ok,
    Outcome::CallerError,
    Outcome::Refused,
    Outcome::UpstreamError,
    Outcome::Timeout,
    Outcome::Cancelled,
    Outcome::Truncated,
    Outcome::Internal,
];
const ENDPOINTS: usize = 5;
const UNPRICED_HELP: &str =
    "Calls whose cost is unknown: no price for the model, its tier, or a class of its tokens.";
const PROMPT_HELP: &str = "Calls by prompt version and how they ended.";
const FIRING_HELP: &str = "Firing alerts; only the node that judges them counts any.";
const DELIVERIES_HELP: &str = "Tries to deliver events by result: delivered, retried, given_up.";
const SPANS_HELP: &str = "Spans applications sent, by result: kept, rejected.";
const TOKENS_HELP: &str = "Tokens by class; input and output are totals, the other classes parts of them.";

/// All metrics of one process.
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    duration: HistogramVec,
    overhead: Histogram,
    first_token: HistogramVec,
    tokens: IntCounterVec,
    cost: CounterVec,
    unpriced: IntCounterVec,
    attempts: IntCounterVec,
    prompt_requests: Option<IntCounterVec>,
    /// Calls between their first byte and their last.
    pub inflight: IntGauge,
    /// Calls turned away for want of room, by which limit.
    pub overloaded: IntCounterVec,
    /// Wrong, expired and revoked keys.
    pub unauthenticated: IntCounter,
    /// How records travel.
    pub records: RecordMetrics,
    /// Groups of alert rules that fire, by severity; counted by the one node that judges them.
    pub alerts_firing: IntGaugeVec,
    /// Tries to deliver events, by how they went.
    pub webhook_deliveries: IntCounterVec,
    spans_received: IntCounterVec,
    /// Calls sent on as spans.
    pub export: ExportMetrics,
    /// The registry's revision this node serves.
    pub registry_revision: IntGauge,
    /// Whether the registry's database answers.
    pub registry_reachable: IntGauge,
    /// Bytes of bodies held in memory.
    pub buffered_bytes: IntGauge,
}

impl Metrics {
    /// All metrics, at zero. `by_prompt` adds a counter labelled with prompt names.
    pub fn new(by_prompt: bool) -> Result<Self, prometheus::Error> {
        let made = Maker(Registry::new());
        let build = made.gauges("weir_build_info", "The running build.", &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let route = ["endpoint", "provider", "model"];
        let outcome = ["endpoint", "provider", "model", "outcome"];
        Ok(Self {
            requests: made.counters("weir_requests_total", "Calls by how they ended.", &outcome)?,
            duration: made.histograms(
                ("weir_request_duration_seconds", "From a call's first byte to its last, seconds."),
                &route,
                SECONDS,
            )?,
            overhead: made
                .histograms(
                    ("weir_overhead_seconds", "What Weir itself took of a call, seconds."),
                    &[],
                    OVERHEAD_SECONDS,
                )?
                .with_label_values::<&str>(&[]),
            first_token: made.histograms(
                (
                    "weir_time_to_first_token_seconds",
                    "From a call's first byte to its first content, streams only, seconds.",
                ),
                &route,
                SECONDS,
            )?,
            tokens: made.counters("weir_tokens_total", TOKENS_HELP, &["provider", "model", "class"])?,
            cost: made.cost()?,
            unpriced: made.counters("weir_unpriced_calls_total", UNPRICED_HELP, &["provider", "model"])?,
            attempts: made.counters(
                "weir_upstream_attempts_total",
                "Tries upstream by result: ok, or the class of failure.",
                &["provider", "result"],
            )?,
            prompt_requests: if by_prompt { Some(made.by_prompt()?) } else { None },
            inflight: made.gauge("weir_inflight", "Calls being answered now.")?,
            overloaded: made.counters(
                "weir_overloaded_total",
                "Calls turned away for want of room.",
                &["limit"],
            )?,
            unauthenticated: made.counter(
                "weir_unauthenticated_total",
                "Calls with no key, or a wrong, expired or revoked one.",
            )?,
            records: RecordMetrics::new(&made)?,
            alerts_firing: made.gauges("weir_alerts_firing", FIRING_HELP, &["severity"])?,
            webhook_deliveries: made.counters(
                "weir_webhook_deliveries_total",
                DELIVERIES_HELP,
                &["result"],
            )?,
            spans_received: made.counters("weir_spans_received_total", SPANS_HELP, &["result"])?,
            export: ExportMetrics::new(&made)?,
            registry_revision: made.gauge("weir_registry_revision", "The registry revision served.")?,
            registry_reachable: made.gauge("weir_registry_reachable", "1 while its database answers.")?,
            buffered_bytes: made.gauge("weir_buffered_bytes", "Bytes of bodies held in memory.")?,
            registry: made.0,
        })
    }

    /// All metrics in Prometheus's text format.
    pub fn text(&self) -> String {
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default()
    }

    /// Counts one try upstream.
    pub fn attempt(&self, provider: &str, result: &str) {
        self.attempts.with_label_values(&[provider, result]).inc();
    }

    /// Counts the spans of one request.
    pub fn spans_received(&self, kept: u64, rejected: u64) {
        for (result, count) in [("kept", kept), ("rejected", rejected)] {
            self.spans_received.with_label_values(&[result]).inc_by(count);
        }
    }

    /// Counts one call of a prompt version, where that is enabled.
    pub fn prompt_request(&self, prompt: &str, version: u32, outcome: Outcome) {
        if let Some(counters) = &self.prompt_requests {
            counters.with_label_values(&[prompt, &version.to_string(), outcome.as_str()]).inc();
        }
    }

    /// Handles for calls that reached no provider.
    pub fn unrouted(self: &Arc<Self>) -> RouteMetrics {
        RouteMetrics::new(self, "", "")
    }
}

/// The metrics of one provider and model, looked up once and kept beside the route.
pub struct RouteMetrics {
    metrics: Arc<Metrics>,
    provider: Arc<str>,
    model: Arc<str>,
    endpoints: [OnceLock<EndpointMetrics>; ENDPOINTS],
    tokens: OnceLock<[IntCounter; 6]>,
    attempts_ok: OnceLock<IntCounter>,
}

struct EndpointMetrics {
    outcomes: [IntCounter; OUTCOMES.len()],
    duration: Histogram,
    first_token: Histogram,
}

impl RouteMetrics {
    /// Handles for calls to `model` at `provider`.
    pub fn new(metrics: &Arc<Metrics>, provider: &str, model: &str) -> Self {
        Self {
            metrics: Arc::clone(metrics),
            provider: provider.into(),
            model: model.into(),
            endpoints: Default::default(),
            tokens: OnceLock::new(),
            attempts_ok: OnceLock::new(),
        }
    }

    /// Counts a finished call; times are in seconds.
    pub fn finished(&self, endpoint: Endpoint, outcome: Outcome, duration: f64, overhead: f64) {
        let endpoint = self.endpoint(endpoint);
        endpoint.outcomes[outcome as usize].inc();
        endpoint.duration.observe(duration);
        self.metrics.overhead.observe(overhead);
    }

    /// Notes the first content of a stream, in seconds from the call's first byte.
    pub fn first_token(&self, endpoint: Endpoint, seconds: f64) {
        self.endpoint(endpoint).first_token.observe(seconds);
    }

    /// Counts tokens.
    pub fn tokens(&self, usage: &Usage) {
        let counters = self.tokens.get_or_init(|| {
            ["input", "cached_input", "cache_write", "output", "reasoning", "audio"]
                .map(|class| self.metrics.tokens.with_label_values(&[&*self.provider, &*self.model, class]))
        });
        let counts = [
            usage.input,
            usage.cached_input,
            usage.cache_write,
            usage.output,
            usage.reasoning,
            usage.audio(),
        ];
        for (counter, count) in counters.iter().zip(counts) {
            if count > 0 {
                counter.inc_by(count);
            }
        }
    }

    /// Counts a try that was answered.
    pub fn attempt_ok(&self) {
        self.attempts_ok
            .get_or_init(|| self.metrics.attempts.with_label_values(&[&*self.provider, "ok"]))
            .inc();
    }

    /// Counts known cost.
    pub fn cost(&self, cost: vocab::NanoUsd) {
        #[expect(clippy::cast_precision_loss, reason = "a metric is a float; records keep the exact amount")]
        let dollars = cost.0 as f64 / 1e9;
        self.metrics.cost.with_label_values(&[&*self.provider, &*self.model]).inc_by(dollars.max(0.0));
    }

    /// Counts a call whose cost is unknown.
    pub fn unpriced(&self) {
        self.metrics.unpriced.with_label_values(&[&*self.provider, &*self.model]).inc();
    }

    fn endpoint(&self, endpoint: Endpoint) -> &EndpointMetrics {
        self.endpoints[endpoint as usize].get_or_init(|| {
            let route = [endpoint.as_str(), &*self.provider, &*self.model];
            EndpointMetrics {
                outcomes: OUTCOMES.map(|outcome| {
                    self.metrics.requests.with_label_values(&[route[0], route[1], route[2], outcome.as_str()])
                }),
                duration: self.metrics.duration.with_label_values(&route),
                first_token: self.metrics.first_token.with_label_values(&route),
            }
        })
    }
}

/// Makes metrics and registers them.
struct Maker(Registry);

impl Maker {
    fn keep<C: Collector + Clone + 'static>(&self, collector: C) -> Result<C, prometheus::Error> {
        self.0.register(Box::new(collector.clone()))?;
        Ok(collector)
    }

    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        self.keep(IntCounter::new(name, help)?)
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
        self.keep(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    fn cost(&self) -> Result<CounterVec, prometheus::Error> {
        self.keep(CounterVec::new(
            Opts::new("weir_cost_usd_total", "Known cost, US dollars."),
            &["provider", "model"],
        )?)
    }

    fn by_prompt(&self) -> Result<IntCounterVec, prometheus::Error> {
        self.counters("weir_prompt_requests_total", PROMPT_HELP, &["prompt", "version", "outcome"])
    }

    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        self.keep(IntGauge::new(name, help)?)
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
        self.keep(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }

    fn histograms(
        &self,
        (name, help): (&str, &str),
        labels: &[&str],
        buckets: &[f64],
    ) -> Result<HistogramVec, prometheus::Error> {
        self.keep(HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finished_call_shows_with_its_labels() {
        let metrics = Arc::new(Metrics::new(false).unwrap());
        let route = RouteMetrics::new(&metrics, "openai", "gpt-4o");
        route.finished(Endpoint::ChatCompletions, Outcome::Ok, 0.5, 0.000_1);
        route.tokens(&Usage { input: 12, output: 3, ..Usage::default() });
        let text = metrics.text();
        for line in [
            r#"weir_requests_total{endpoint="chat_completions",model="gpt-4o",outcome="ok",provider="openai"} 1"#,
            r#"weir_tokens_total{class="input",model="gpt-4o",provider="openai"} 12"#,
            "weir_overhead_seconds_count 1",
        ] {
            assert!(text.contains(line), "{line} is missing in {text}");
        }
    }

    #[test]
    fn endpoints_and_outcomes_are_indexed_by_their_order() {
        let all = [
            Endpoint::ChatCompletions,
            Endpoint::Responses,
            Endpoint::Completions,
            Endpoint::Embeddings,
            Endpoint::Passthrough,
        ];
        assert!(
            all.iter().enumerate().all(|(at, endpoint)| *endpoint as usize == at) && all.len() == ENDPOINTS
        );
        assert!(OUTCOMES.iter().enumerate().all(|(at, outcome)| *outcome as usize == at));
    }
}
