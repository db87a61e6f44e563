//! What the gateway does by itself, time and again: judging alerts, delivering events, taking ramps up. Every node runs these; what
//! must be done once is decided in the registry.

pub mod alert;
pub mod ramp;
pub mod webhook;

use std::sync::Arc;
use std::time::Duration;

use analytics::Store;
use config::Config;
use registry::Registry;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use vocab::Clock;

use crate::listen::Stopping;
use crate::metrics::Metrics;
use crate::outgoing::Outgoing;
use crate::start;
use alert::Watch;
use ramp::Climber;
use webhook::Courier;

/// What a call may last beyond `limits.call_timeout`, until its end is on record.
const RECORD_TIME: Duration = Duration::from_mins(1);

/// The jobs, to be started or done by hand.
#[derive(Clone)]
pub struct Jobs {
    /// Judges alerts.
    pub watch: Arc<Watch>,
    /// Delivers events.
    pub courier: Arc<Courier>,
    /// Takes the steps of ramps.
    pub climber: Arc<Climber>,
}

impl Jobs {
    /// Prepares the jobs. Starts nothing.
    pub fn new(
        config: &Config,
        clock: &Clock,
        registry: &Registry,
        store: &Arc<dyn Store>,
        metrics: &Arc<Metrics>,
    ) -> anyhow::Result<Self> {
        // Whoever queues an event says so, and the courier need not be looking for it all the time.
        let queued = Arc::new(Notify::new());
        let watch = Watch {
            registry: registry.clone(),
            store: Arc::clone(store),
            clock: clock.clone(),
            metrics: Arc::clone(metrics),
            queued: Arc::clone(&queued),
            policies: start::policies(&config.records),
            interval: config.alerts.interval,
            longest_call: config.limits.call_timeout + RECORD_TIME,
            // Two nodes may have been given one name: a lease is a process's.
            holder: format!("{}/{}", config.node, vocab::Id::<vocab::id::Event>::new(clock)),
        };
        let courier = Courier {
            registry: registry.clone(),
            outgoing: Outgoing::new(config, clock)?,
            clock: clock.clone(),
            metrics: Arc::clone(metrics),
            queued,
        };
        let climber = Climber { registry: registry.clone() };
        Ok(Self { watch: Arc::new(watch), courier: Arc::new(courier), climber: Arc::new(climber) })
    }

    /// Starts them; each ends by itself once the program is stopping.
    pub fn start(&self, stopping: &Stopping) -> Vec<JoinHandle<()>> {
        let (watch, courier) = (Arc::clone(&self.watch), Arc::clone(&self.courier));
        let (for_watch, for_courier) = (stopping.clone(), stopping.clone());
        let (climber, for_climber) = (Arc::clone(&self.climber), stopping.clone());
        vec![
            tokio::spawn(async move { climber.run(for_climber).await }),
            tokio::spawn(async move { watch.run(for_watch).await }),
            tokio::spawn(async move { courier.run(for_courier).await }),
        ]
    }
}
