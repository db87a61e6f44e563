//! Delivers queued events: claims what is due, tries it, and puts off what failed, for a day at most.

use std::sync::Arc;
use std::time::Duration;

use registry::webhooks::{Delivery, Outcome, Parcel, Receiver};
use registry::{Registry, StoreError};
use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use vocab::{Clock, Time};

use crate::listen::Stopping;
use crate::metrics::Metrics;
use crate::outgoing::{Outgoing, Tried};

/// Deliveries one node tries at the same time.
const AT_ONCE: usize = 8;
/// How often the queue is looked at when nobody says that something is in it.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a claim holds: longer than a try may take, so that no node takes over what is still being tried.
pub const CLAIM_TIME: Duration = Duration::from_mins(1);
/// The wait after the first failed try; it doubles from there.
const FIRST_WAIT: Duration = Duration::from_secs(10);
/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_hours(3);
/// How long a delivery is tried.
const TRIED_FOR: Duration = Duration::from_hours(24);
/// How often old deliveries are looked for.
const PRUNE_EVERY: Duration = Duration::from_hours(1);

/// Takes events from the queue to their receivers.
pub struct Courier {
    pub(super) registry: Registry,
    pub(super) outgoing: Outgoing,
    pub(super) clock: Clock,
    pub(super) metrics: Arc<Metrics>,
    pub(super) queued: Arc<Notify>,
}

impl Courier {
    /// Says that something was put into the queue.
    pub fn nudge(&self) {
        self.queued.notify_one();
    }

    /// Whether e-mail can be sent at all.
    pub const fn has_mail(&self) -> bool {
        self.outgoing.has_mail()
    }

    /// Delivers until the program stops; tries under way are finished first.
    pub async fn run(self: Arc<Self>, mut stopping: Stopping) {
        let mut sending = JoinSet::new();
        let mut pruned: Option<Duration> = None;
        while !stopping.has_begun() {
            let now = self.clock.monotonic();
            if pruned.is_none_or(|at| now.saturating_sub(at) >= PRUNE_EVERY) {
                pruned = Some(now);
                self.prune().await;
            }
            while sending.len() < AT_ONCE
                && let Some(parcel) = self.claim().await
            {
                let courier = Arc::clone(&self);
                sending.spawn(async move { courier.deliver(parcel).await });
            }
            tokio::select! {
                () = self.queued.notified(), if sending.len() < AT_ONCE => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
                Some(_) = sending.join_next() => {}
                () = stopping.begins() => {}
            }
        }
        while sending.join_next().await.is_some() {}
    }

    /// Delivers all that is due now, one after the other, and says how many tries that took.
    pub async fn deliver_due(&self) -> usize {
        let mut tries = 0;
        while let Some(parcel) = self.claim().await {
            self.deliver(parcel).await;
            tries += 1;
        }
        tries
    }

    /// Tries once to deliver what was claimed, and puts down how it went.
    pub async fn deliver(&self, parcel: Parcel) -> Tried {
        let tried = self.outgoing.send(&parcel).await;
        let delivery = &parcel.delivery;
        let outcome = judge(delivery, &tried, self.clock.now());
        self.metrics.webhook_deliveries.with_label_values(&[result(&outcome)]).inc();
        if let Outcome::GiveUp { status, error } = &outcome {
            tracing::warn!(
                event = %delivery.event, event.id = %delivery.event_id, webhook.id = ?delivery.webhook, status, error,
                attempts = delivery.attempts, "an event was not delivered and is given up"
            );
        }
        match self.registry.finish_delivery(delivery, outcome).await {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!(delivery.id = %delivery.id, "a delivery took too long and is tried again");
            }
            Err(error) => log(&error, "how a delivery went cannot be stored: it is tried again"),
        }
        tried
    }

    async fn claim(&self) -> Option<Parcel> {
        let claimed = self.claim_due().await.unwrap_or_else(|error| {
            log(&error, "the queue of events cannot be read");
            None
        });
        if let Some(Parcel { receiver: Some(Receiver::Mail(_)), .. }) = &claimed {
            self.outgoing.count_mail();
        }
        claimed
    }

    async fn claim_due(&self) -> Result<Option<Parcel>, StoreError> {
        // Looking costs nobody a lock; claiming does.
        if !self.registry.has_due_delivery().await? {
            Ok(None)
        } else if self.outgoing.has_room_for_mail() {
            self.registry.claim_delivery(CLAIM_TIME).await
        } else {
            // Mail stays where it is until the next minute: a try that cannot be made is none.
            self.registry.claim_webhook_delivery(CLAIM_TIME).await
        }
    }

    async fn prune(&self) {
        if let Err(error) = self.registry.prune_deliveries().await {
            log(&error, "old deliveries cannot be deleted");
        }
    }
}

/// What a try comes to: done, given up, or put off.
fn judge(delivery: &Delivery, tried: &Tried, now: Time) -> Outcome {
    match tried.clone() {
        Tried::Delivered { status } => Outcome::Delivered { status },
        Tried::Hopeless { status, error } => Outcome::GiveUp { status, error },
        Tried::Failed { status, error, after } => {
            let at = now.plus(wait(delivery).max(after.unwrap_or_default()));
            if at > delivery.created_at.plus(TRIED_FOR) {
                return Outcome::GiveUp { status, error };
            }
            Outcome::Retry { status, error, at }
        }
    }
}

/// The wait after this many tries, a fifth more or less: a receiver that comes back must not be asked for everything
/// in the same second. Which it is depends on the delivery alone, so nothing random is needed.
fn wait(delivery: &Delivery) -> Duration {
    let doublings = delivery.attempts.saturating_sub(1).min(20);
    let wait = (FIRST_WAIT * (1 << doublings)).min(LONGEST_WAIT);
    let digest = Sha256::digest(format!("{} {}", delivery.id, delivery.attempts));
    let spread = f64::from(digest[0]) / f64::from(u8::MAX);
    wait.mul_f64(0.8 + 0.4 * spread)
}

const fn result(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Delivered { .. } => "delivered",
        Outcome::Retry { .. } => "retried",
        Outcome::GiveUp { .. } => "given_up",
    }
}

fn log(error: &StoreError, what: &str) {
    let source = std::error::Error::source(error).map(ToString::to_string);
    tracing::warn!(error = %error, source, "{what}");
}

#[cfg(test)]
mod tests {
    use registry::webhooks::DeliveryState;
    use vocab::Id;

    use super::*;

    fn delivery(attempts: u32) -> Delivery {
        Delivery {
            id: Id::at(Time(1_800_000_000_000_000)),
            project: "default".into(),
            webhook: None,
            event_id: Id::at(Time(1_800_000_000_000_000)),
            event: "alert.firing".into(),
            body: "{}".into(),
            state: DeliveryState::Waiting,
            attempts,
            due_at: Time(0),
            status: None,
            error: None,
            created_at: Time(1_800_000_000_000_000),
            tried_at: None,
            finished_at: None,
        }
    }

    fn failed(after: Option<Duration>) -> Tried {
        Tried::Failed { status: Some(503), error: "down".into(), after }
    }

    #[test]
    fn waits_double_up_to_hours_and_differ_between_deliveries() {
        for (attempts, seconds) in
            [(1, 10.0), (2, 20.0), (5, 160.0), (11, 10_240.0), (12, 10_800.0), (90, 10_800.0)]
        {
            let wait = wait(&delivery(attempts)).as_secs_f64();
            assert!((seconds * 0.8..=seconds * 1.2).contains(&wait), "{attempts}: {wait}");
        }
        let waits: std::collections::BTreeSet<_> = (0..50).map(|_| wait(&delivery(3))).collect();
        assert!(waits.len() > 10, "{waits:?}");
    }

    #[test]
    fn a_receiver_that_stays_away_is_given_up_after_a_day() {
        let mut delivery = delivery(0);
        let mut now = delivery.created_at;
        loop {
            delivery.attempts += 1;
            match judge(&delivery, &failed(None), now) {
                Outcome::Retry { at, .. } => now = at,
                Outcome::GiveUp { status, .. } => {
                    assert_eq!(status, Some(503));
                    break;
                }
                Outcome::Delivered { .. } => panic!("it was not"),
            }
        }
        let tried_for = Duration::from_micros((now.micros() - delivery.created_at.micros()).unsigned_abs());
        assert!(tried_for > Duration::from_hours(19) && tried_for <= TRIED_FOR, "{tried_for:?}");
        assert!((14..=22).contains(&delivery.attempts), "{}", delivery.attempts);
    }

    #[test]
    fn a_receiver_that_asks_for_time_gets_it() {
        let delivery = delivery(1);
        let Outcome::Retry { at, .. } =
            judge(&delivery, &failed(Some(Duration::from_hours(1))), delivery.created_at)
        else {
            panic!("not tried again")
        };
        assert_eq!(at, delivery.created_at.plus(Duration::from_hours(1)));
    }
}
