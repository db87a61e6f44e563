//! Every part of the running program, built once from the configuration.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use analytics::{Analytics, Recorder, Store};
use anyhow::Context as _;
use config::Config;
use dialects::prices::Catalogue;
use prometheus::IntCounter;
use registry::Registry;
use vocab::{Clock, Time};

use crate::call::admission::Admission;
use crate::metrics::{Metrics, RouteMetrics};
use crate::routing::Router;
use crate::upstream::Providers;

/// The price catalogue shipped with Weir (from the MIT-licensed `genai-prices`).
const SHIPPED_PRICES: &str = include_str!("../../config/prices.json");

/// The parts.
pub struct App {
    /// What the operator set.
    pub config: Config,
    /// The source of time.
    pub clock: Clock,
    /// What people define.
    pub registry: Registry,
    /// Where records are read.
    pub store: Arc<dyn Store>,
    /// Where records go.
    pub recorder: Recorder,
    /// Model names to providers.
    pub router: Router,
    /// Room for calls.
    pub admission: Admission,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Metric handles of calls that reached no provider.
    pub unrouted: RouteMetrics,
    /// What calls belong to before their key is known.
    pub default_project: Arc<str>,
    /// The second in which a wrong key was last recorded.
    pub last_recorded_intrusion: AtomicI64,
    last_logged_failure: AtomicI64,
}

impl App {
    /// Puts the parts together. Opens no socket.
    pub fn new(
        config: Config,
        clock: Clock,
        registry: Registry,
        analytics: &Analytics,
    ) -> anyhow::Result<Arc<Self>> {
        let metrics = Arc::new(Metrics::new(config.metrics.prompt_label)?);
        let catalogue = Arc::new(catalogue(&config)?);
        let providers = Providers::new(&config, &clock)?;
        let router = Router::new(providers, config.aliases.clone(), catalogue, Arc::clone(&metrics));
        Ok(Arc::new(Self {
            admission: Admission::new(&config.limits, Arc::clone(&metrics)),
            unrouted: metrics.unrouted(),
            store: Arc::clone(&analytics.store),
            recorder: analytics.recorder.clone(),
            default_project: Arc::from(registry::DEFAULT_PROJECT),
            last_recorded_intrusion: AtomicI64::new(0),
            last_logged_failure: AtomicI64::new(0),
            router,
            metrics,
            registry,
            clock,
            config,
        }))
    }

    /// Whether a failing provider may be told of in the log: once a second.
    pub fn may_log_failure(&self, now: Time) -> bool {
        let second = now.micros() / 1_000_000;
        self.last_logged_failure.swap(second, Ordering::Relaxed) != second
    }

    /// What an operator should know although Weir serves.
    pub fn notices(&self) -> Vec<String> {
        let set_aside = self.store.condition().set_aside;
        set_aside
            .map(|set_aside| format!("a damaged records file was set aside: {set_aside}"))
            .into_iter()
            .collect()
    }

    /// Brings the gauges that mirror other counters up to date, for `/metrics`.
    pub fn refresh_gauges(&self) {
        let (counts, metrics) = (self.recorder.counts(), &self.metrics);
        catch_up(&metrics.records_written, counts.written);
        catch_up(&metrics.records_dropped.with_label_values(&["calls"]), counts.dropped_calls);
        catch_up(&metrics.records_dropped.with_label_values(&["bodies"]), counts.dropped_bodies);
        self.metrics.records_set_aside.set(i64::from(self.store.condition().set_aside.is_some()));
        self.metrics.registry_revision.set(self.registry.snapshot().revision());
        self.metrics.buffered_bytes.set(gauge(self.admission.bytes() as u64));
    }
}

/// Brings a counter to a count kept elsewhere, which only grows.
fn catch_up(counter: &IntCounter, count: u64) {
    counter.inc_by(count.saturating_sub(counter.get()));
}

fn gauge(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn catalogue(config: &Config) -> anyhow::Result<Catalogue> {
    let shipped = Catalogue::parse(SHIPPED_PRICES).context("the shipped price catalogue is damaged")?;
    let Some(path) = &config.prices else { return Ok(shipped) };
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the prices in {}", path.display()))?;
    shipped.with_overrides(&text).with_context(|| format!("the prices in {} are wrong", path.display()))
}
