//! What sends events, without a gateway around it: a registry, a record store, and jobs that are done by hand, so that
//! a clock that stands decides what is due.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use analytics::Analytics;
use config::{CommandLine, Config};
use gateway::jobs::Jobs;
use gateway::metrics::Metrics;
use gateway::start;
use registry::webhooks::{Delivery, Event, Format};
use registry::{Issued, NewWebhook, Paging, Registry, Role, Webhook, Who};
use serde_json::json;
use tempfile::TempDir;
use vocab::{Clock, Id, Secret, Time};

/// When the clock stands at first.
pub(crate) const START: Time = Time(1_795_996_800_000_000);

/// The parts, nothing of them running by itself.
pub(crate) struct Office {
    pub(crate) clock: Clock,
    pub(crate) registry: Registry,
    pub(crate) jobs: Jobs,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) config: Config,
    pub(crate) analytics: Analytics,
    _folder: TempDir,
}

impl Office {
    /// One that may send to this machine.
    pub(crate) async fn open() -> Self {
        Self::with(|config| config.webhooks.allow_private_addresses = true).await
    }

    /// One with a configuration the test changes.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = TempDir::new().unwrap();
        let cli = CommandLine { data_dir: Some(folder.path().into()), ..CommandLine::default() };
        let mut config = config::load(None, &BTreeMap::new(), &cli).unwrap();
        change(&mut config);
        let clock = Clock::manual(START);
        let registry = Registry::open(config.registry_url.expose(), clock.clone()).await.unwrap();
        let analytics = Analytics::open(start::analytics_settings(&config, &clock, None)).unwrap();
        let metrics = Arc::new(Metrics::new(false).unwrap());
        let jobs = Jobs::new(&config, &clock, &registry, &analytics.store, &metrics).unwrap();
        Self { clock, registry, jobs, metrics, config, analytics, _folder: folder }
    }

    /// Another node on the same registry.
    pub(crate) async fn another(&self) -> Jobs {
        let registry = Registry::open(self.config.registry_url.expose(), self.clock.clone()).await.unwrap();
        Jobs::new(&self.config, &self.clock, &registry, &self.analytics.store, &self.metrics).unwrap()
    }

    /// A webhook that is told of all alerts.
    pub(crate) async fn hook(&self, url: &str, format: Format) -> Issued<Webhook> {
        let new = NewWebhook {
            name: "pager".to_owned(),
            project: "default".to_owned(),
            url: Secret::new(url),
            format: Some(format),
            events: vec!["alert.*".to_owned()],
            enabled: true,
        };
        self.registry.create_webhook(new, &admin()).await.unwrap()
    }

    /// Raises an alert's event.
    pub(crate) async fn raise(&self) -> Event {
        let id = Id::new(&self.clock);
        let summary = "[critical] <!channel> fires for model a&b";
        let body =
            json!({"id": id, "type": "alert.firing", "created_at": self.clock.now(), "summary": summary});
        let body = body.to_string().into();
        let event = Event { id, project: "default".into(), kind: "alert.firing".into(), body };
        self.registry.announce(event.clone()).await.unwrap();
        event
    }

    /// Lets time pass and delivers what is due then.
    pub(crate) async fn after(&self, time: Duration) -> usize {
        self.clock.advance(time);
        self.jobs.courier.deliver_due().await
    }

    /// A webhook's deliveries, newest first.
    pub(crate) async fn deliveries(&self, webhook: &Webhook) -> Vec<Delivery> {
        self.registry.list_deliveries(webhook.id, &Paging::default()).await.unwrap().data
    }
}

/// Somebody who may do everything.
pub(crate) fn admin() -> Who {
    Who::new(Role::Admin, "ann")
}
