//! Judges alert rules: asks the record store what a rule measures, decides by [`judge`], and stores what came of it.
//!
//! One node at a time does so, by a lease; what it finds is stored only if nobody else's finding was stored since it
//! began, in the transaction that queues what is told. So there is one notification, however many nodes there are.

mod judge;
mod notice;
mod reading;

use std::sync::Arc;
use std::time::Duration;

use analytics::{Policies, Store};
use registry::alerts::{Evaluation, GroupState, Rule};
use registry::{Alert, Registry, StoreError};
use tokio::sync::Notify;
use vocab::Clock;

use crate::listen::Stopping;
use crate::metrics::Metrics;
use crate::refusal::Refusal;

pub use judge::{Seen, Verdict};
pub use reading::{Reading, Sight, Watched};

/// What the lease of whoever judges is called.
const LEASE: &str = "alerts";
/// The shortest time a lease is taken for.
const LEASE_LEAST: Duration = Duration::from_secs(30);

/// Watches what the rules say.
pub struct Watch {
    pub(super) registry: Registry,
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Clock,
    pub(super) metrics: Arc<Metrics>,
    pub(super) queued: Arc<Notify>,
    pub(super) policies: Policies,
    pub(super) interval: Duration,
    /// How long a call may last until it is recorded.
    pub(super) longest_call: Duration,
    pub(super) holder: String,
}

impl Watch {
    /// Judges all rules once in every interval, until the program stops.
    pub async fn run(&self, mut stopping: Stopping) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(self.interval) => {}
                () = stopping.begins() => break,
            }
            self.turn(&stopping).await;
        }
        if let Err(error) = self.registry.release_lease(LEASE, &self.holder).await {
            log(&error, "the lease of alerts cannot be given back: another node takes over when it ends");
        }
    }

    async fn turn(&self, stopping: &Stopping) {
        match self.is_mine().await {
            Ok(true) => {}
            Ok(false) => return self.metrics.alerts_firing.reset(),
            Err(error) => return log(&error, "the lease of alerts cannot be taken"),
        }
        // A little less than an interval: the clock that woke us is not the one that stamps evaluations.
        let before = self.clock.now().minus(self.interval / 2);
        let due = match self.registry.due_alerts(before).await {
            Ok(due) => due,
            Err(error) => return log(&error, "alerts cannot be read"),
        };
        for alert in due {
            if stopping.has_begun() {
                return;
            }
            // Many rules take their time: whoever lost the lease meanwhile stops.
            match self.is_mine().await {
                Ok(true) => drop(self.evaluate(alert).await),
                Ok(false) => return,
                Err(error) => return log(&error, "the lease of alerts cannot be renewed"),
            }
        }
        self.count_firing().await;
    }

    /// Judges all enabled rules now, whoever has the lease, and says how many findings were stored.
    pub async fn evaluate_all(&self) -> Result<usize, StoreError> {
        let mut stored = 0;
        for alert in self.registry.due_alerts(self.clock.now()).await? {
            stored += usize::from(self.evaluate(alert).await);
        }
        self.count_firing().await;
        Ok(stored)
    }

    /// Measures what a rule watches, for the groups there are and those in `before`, and changes nothing.
    pub async fn look(&self, alert: &Alert, before: &[GroupState]) -> Result<Sight, String> {
        let reading = Reading::of(&alert.rule).map_err(|refusal| refusal.message().to_owned())?;
        let redaction = &self.policies.of_project(&alert.project).redaction;
        let watched = Watched { project: &alert.project, redaction, longest: self.longest_call };
        let asked = reading.take(&*self.store, watched, self.clock.now(), before).await;
        asked.map_err(|error| error.to_string())
    }

    /// Refuses a rule whose words cannot be measured.
    pub fn check(rule: &Rule) -> Result<(), Refusal> {
        Reading::of(rule).map(|_| ())
    }

    async fn is_mine(&self) -> Result<bool, StoreError> {
        let time = (self.interval * 2).max(LEASE_LEAST);
        self.registry.take_lease(LEASE, &self.holder, time).await
    }

    /// Judges one rule and stores what came of it; says whether it was stored.
    async fn evaluate(&self, alert: Alert) -> bool {
        let found = self.find(alert).await;
        let evaluation = match found {
            Ok(evaluation) => evaluation,
            Err(error) => {
                log(&error, "an alert's state cannot be read");
                return false;
            }
        };
        let tells = !evaluation.events.is_empty();
        match self.registry.record_evaluation(evaluation).await {
            Ok(stored) => {
                if stored && tells {
                    self.queued.notify_one();
                }
                stored
            }
            Err(error) => {
                log(&error, "what was found about an alert cannot be stored");
                false
            }
        }
    }

    async fn find(&self, alert: Alert) -> Result<Evaluation, StoreError> {
        let before = self.registry.alert_states(alert.id).await?;
        let sight = self.look(&alert, &before).await;
        let at = self.clock.now();
        let (judged, trouble) = match sight {
            Ok(sight) => {
                (judge::judge(&alert.rule, alert.is_muted(at), &before, &sight.groups, at), sight.trouble)
            }
            Err(trouble) => {
                tracing::warn!(alert.name = %alert.name, trouble, "an alert cannot be judged");
                (judge::give_up(&alert.rule, &before, at), Some(trouble))
            }
        };
        let events = judged.notices.iter().map(|notice| notice::event(&alert, notice, at)).collect();
        Ok(Evaluation { at, states: judged.states, turns: judged.turns, events, trouble, alert })
    }

    async fn count_firing(&self) {
        match self.registry.firing().await {
            Ok(counts) => {
                for (severity, count) in counts {
                    let gauge = self.metrics.alerts_firing.with_label_values(&[severity.as_str()]);
                    gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
                }
            }
            Err(error) => log(&error, "firing alerts cannot be counted"),
        }
    }
}

fn log(error: &StoreError, what: &str) {
    let source = std::error::Error::source(error).map(ToString::to_string);
    tracing::warn!(error = %error, source, "{what}");
}
