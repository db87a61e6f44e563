//! Every part of the running program, built once from the configuration.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use analytics::{Analytics, Policies, Recorder, Store};
use anyhow::Context as _;
use config::Config;
use dialects::prices::Catalogue;
use registry::Registry;
use vocab::{Clock, Time};

use crate::call::admission::Admission;
use crate::callers::RecordedCallers;
use crate::exporter::Exporter;
use crate::feedback::UsedLinks;
use crate::jobs::Jobs;
use crate::leftovers::Leftovers;
use crate::metrics::{Metrics, RouteMetrics};
use crate::otlp::Door;
use crate::refusal::{Kind, Refusal};
use crate::routing::Router;
use crate::start;
use crate::upstream::Providers;

/// The price catalogue shipped with Weir (from the MIT-licensed `genai-prices`).
const SHIPPED_PRICES: &str = include_str!("../../config/prices.json");

/// What callers are told to wait while records have no room.
const NO_ROOM_WAIT: Duration = Duration::from_secs(5);

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
    /// Where calls go as spans, if anywhere.
    pub exporter: Option<Arc<Exporter>>,
    /// What is kept of each project's calls and spans.
    pub policies: Policies,
    /// Where spans come in.
    pub otlp: Door,
    /// Model names to providers.
    pub router: Router,
    /// What is done time and again.
    pub jobs: Jobs,
    /// Room for calls.
    pub admission: Admission,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Metric handles of calls that reached no provider.
    pub unrouted: RouteMetrics,
    /// What calls belong to before their key is known.
    pub default_project: Arc<str>,
    /// Feedback links that were used lately.
    pub used_links: UsedLinks,
    /// What an earlier choice of record store left behind.
    pub leftovers: Leftovers,
    /// Where the data plane listens, once it does.
    pub data_address: OnceLock<SocketAddr>,
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
        exporter: Option<Arc<Exporter>>,
    ) -> anyhow::Result<Arc<Self>> {
        let metrics = Arc::new(Metrics::new(config.metrics.prompt_label)?);
        let catalogue = Arc::new(catalogue(&config)?);
        let providers = Providers::new(&config, &clock)?;
        let router = Router::new(providers, config.aliases.clone(), catalogue, Arc::clone(&metrics));
        let policies = start::policies(&config.records);
        registry.ask_callers(Arc::new(RecordedCallers {
            store: Arc::clone(&analytics.store),
            policies: policies.clone(),
            clock: clock.clone(),
        }));
        let jobs = Jobs::new(&config, &clock, &registry, &analytics.store, &metrics)?;
        Ok(Arc::new(Self {
            jobs,
            admission: Admission::new(&config.limits, Arc::clone(&metrics)),
            unrouted: metrics.unrouted(),
            store: Arc::clone(&analytics.store),
            recorder: analytics.recorder.clone(),
            used_links: UsedLinks::default(),
            leftovers: Leftovers::of(&config),
            data_address: OnceLock::new(),
            exporter,
            policies,
            otlp: Door::default(),
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

    /// Refuses calls while there is no room to record them, if the operator wants it so.
    pub fn room_for_records(&self) -> Result<(), Refusal> {
        if self.recorder.has_room() {
            return Ok(());
        }
        let message =
            "there is no room to record this call: free disk space, or set records.on_full = \"shed\"";
        Err(Refusal::new(Kind::Overloaded, message).retry_after(NO_ROOM_WAIT))
    }

    /// Whether a failing provider may be told of in the log: once a second.
    pub fn may_log_failure(&self, now: Time) -> bool {
        let second = now.micros() / 1_000_000;
        self.last_logged_failure.swap(second, Ordering::Relaxed) != second
    }

    /// Where the data plane is reached from outside: what the operator says, else where it listens.
    pub fn public_url(&self) -> String {
        if let Some(url) = &self.config.public_url {
            return url.trim_end_matches('/').to_owned();
        }
        let mut address = self.data_address.get().copied().unwrap_or(self.config.server.listen);
        if address.ip().is_unspecified() {
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        format!("http://{address}")
    }

    /// What an operator should know although Weir serves.
    pub fn notices(&self) -> Vec<String> {
        let condition = self.store.condition();
        let set_aside =
            condition.set_aside.map(|file| format!("a damaged records file was set aside: {file}"));
        let outbox = condition.outbox.unwrap_or_default();
        let waiting = outbox.trouble.map(|trouble| {
            format!("{} rows wait in the outbox, the record store does not take them: {trouble}", outbox.rows)
        });
        let poisoned = (outbox.poisoned > 0).then(|| {
            format!("the record store refused {} rows, see `weir outbox poisoned`", outbox.poisoned)
        });
        let away = self.registry.away().map(|away| {
            format!(
                "the registry database has been away since {}: calls are served from what is known, nothing can be \
                 changed ({})",
                away.since, away.reason
            )
        });
        let damage = self.registry.damage().map(|damage| {
            format!(
                "the registry is damaged, restore it from a backup: calls are served from what is known, nothing can be \
                 changed ({damage})"
            )
        });
        let store = set_aside.into_iter().chain(waiting).chain(poisoned);
        damage.into_iter().chain(away).chain(store).chain(self.leftovers.notices()).collect()
    }

    /// Brings the gauges that mirror other counters up to date, for `/metrics`.
    pub fn refresh_gauges(&self) {
        let (counts, condition) = (self.recorder.counts(), self.store.condition());
        self.metrics.records.refresh(counts, &condition, self.clock.now());
        if let Some(exporter) = &self.exporter {
            self.metrics.export.refresh(&exporter.counts());
        }
        self.metrics.registry_revision.set(self.registry.snapshot().revision());
        self.metrics.registry_reachable.set(i64::from(self.registry.away().is_none()));
        self.metrics.buffered_bytes.set(gauge(self.admission.bytes() as u64));
    }
}

fn gauge(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The shipped prices, with the operator's own above them.
pub fn catalogue(config: &Config) -> anyhow::Result<Catalogue> {
    let shipped = Catalogue::parse(SHIPPED_PRICES).context("the shipped price catalogue is damaged")?;
    let Some(path) = &config.prices else { return Ok(shipped) };
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the prices in {}", path.display()))?;
    shipped.with_overrides(&text).with_context(|| format!("the prices in {} are wrong", path.display()))
}
