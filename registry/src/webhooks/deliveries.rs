//! Deliveries: each event on its way to each receiver, as durable jobs that nodes claim, try, and try again.
//!
//! A claim counts a try and puts the delivery off to the end of the time that try may take, in one statement: no two
//! nodes claim it, and when the node dies in between, another finds it due again. So a receiver may get an event more
//! than once, always with the same event id, and never misses one because a node went away.

mod queue;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use vocab::{Id, Page, Secret, Time, id};

use super::Format;
use crate::audit::{self, Entry};
use crate::db::{Result, Row, Writing, args};
use crate::paging::Paging;
use crate::roles::{Permission, Who};
use crate::{Registry, StoreError};
pub(crate) use queue::{Addressed, enqueue};
use queue::{Claim, Finish, hand_out, replay, store, take};

/// How long finished deliveries are kept.
const KEPT_FOR: Duration = Duration::from_hours(7 * 24);
/// The longest a try is put off. One that is due later than that was put off by a clock that was wrong, and is due.
const AHEAD: Duration = Duration::from_hours(4);

/// Something that happened, as it is told.
#[derive(Clone, Debug)]
pub struct Event {
    /// The same wherever and however often it is told.
    pub id: Id<id::Event>,
    /// The project it happened in.
    pub project: Arc<str>,
    /// What happened: `alert.firing`.
    pub kind: Arc<str>,
    /// The body, JSON.
    pub body: Arc<str>,
}

/// One event to one receiver, and how it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Stays.
    pub id: Id<id::Delivery>,
    /// The project of the event.
    pub project: Arc<str>,
    /// Where it goes; `None` for e-mail.
    pub webhook: Option<Id<id::Webhook>>,
    /// The event's id.
    pub event_id: Id<id::Event>,
    /// What happened.
    pub event: Arc<str>,
    /// The event's body, JSON.
    pub body: Arc<str>,
    /// How far it is.
    pub state: DeliveryState,
    /// Tries begun.
    pub attempts: u32,
    /// While waiting: when the next try may begin.
    pub due_at: Time,
    /// The status of the last answer.
    pub status: Option<u32>,
    /// What went wrong last.
    pub error: Option<String>,
    /// When it was put into the queue.
    pub created_at: Time,
    /// When the last try ended.
    pub tried_at: Option<Time>,
    /// When it was delivered or given up.
    pub finished_at: Option<Time>,
}

/// How far a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It will be tried, maybe again, or is being tried.
    Waiting,
    /// The receiver took it.
    Delivered,
    /// It is tried no more.
    GivenUp,
}

impl DeliveryState {
    /// The word used in JSON and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::GivenUp => "given_up",
        }
    }
}

impl fmt::Display for DeliveryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DeliveryState {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self> {
        let mut all = [Self::Waiting, Self::Delivered, Self::GivenUp].into_iter();
        all.find(|state| state.as_str() == text).ok_or_else(|| StoreError::unreadable("state"))
    }
}

/// A delivery that was claimed, with what sending it takes.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// What is delivered.
    pub delivery: Delivery,
    /// To whom; `None` when the webhook is gone or disabled since.
    pub receiver: Option<Receiver>,
}

/// Who gets a delivery.
#[derive(Clone, Debug)]
pub enum Receiver {
    /// An endpoint.
    Webhook {
        /// The whole address.
        url: Secret,
        /// What the body is signed with.
        secret: Secret,
        /// What the body looks like there.
        format: Format,
    },
    /// An e-mail address.
    Mail(String),
}

/// How one try went.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The receiver took it.
    Delivered {
        /// The answer's status; `None` for e-mail.
        status: Option<u32>,
    },
    /// It did not, and is asked again.
    Retry {
        /// The answer's status, if there was one.
        status: Option<u32>,
        /// What went wrong, without secrets.
        error: String,
        /// When to try again.
        at: Time,
    },
    /// It did not, and is not asked again.
    GiveUp {
        /// The answer's status, if there was one.
        status: Option<u32>,
        /// What went wrong, without secrets.
        error: String,
    },
}

/// The columns [`read`] reads.
macro_rules! columns {
    () => {
        "id, project, webhook_id, recipient, event_id, event, body, state, attempts, due_us, status, error, \
         created_us, tried_us, finished_us"
    };
}

use columns;

const BY_ID: &str = concat!("SELECT ", columns!(), " FROM delivery WHERE id = $1 LIMIT 1");
const PAGE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM delivery WHERE webhook_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3"
);
impl Registry {
    /// Puts an event into the queue of every webhook that subscribes to it.
    pub async fn announce(&self, event: Event) -> Result<u64> {
        let input = (event, self.clock().now());
        self.chore(input, |tx, (event, now)| Box::pin(enqueue(tx, event, Addressed::default(), *now))).await
    }

    /// Makes a delivery of an event to one webhook, whatever it subscribes to, and claims it for the caller.
    pub async fn announce_to(
        &self,
        webhook: Id<id::Webhook>,
        event: Event,
        time: Duration,
        who: &Who,
    ) -> Result<Parcel> {
        who.require(Permission::WriteWebhooks)?;
        let now = self.clock().now();
        let trial = Trial {
            webhook,
            event,
            claim: Claim { now, until: now.plus(time), mail: false },
            who: who.clone(),
        };
        self.write(trial, |writing, trial| Box::pin(try_out(writing, trial))).await
    }

    /// Whether a try is due, without locking anything.
    pub async fn has_due_delivery(&self) -> Result<bool> {
        let sql = "SELECT id FROM delivery WHERE state = 'waiting' AND (due_us <= $1 OR due_us > $2) LIMIT 1";
        let now = self.clock().now();
        Ok(self.db().maybe(sql, args![now.micros(), now.plus(AHEAD).micros()]).await?.is_some())
    }

    /// Takes the delivery that has been due the longest. Unless it is finished within `time`, it is due again.
    pub async fn claim_delivery(&self, time: Duration) -> Result<Option<Parcel>> {
        self.claim(time, true).await
    }

    /// The same, of those to webhooks: mail is left where it is.
    pub async fn claim_webhook_delivery(&self, time: Duration) -> Result<Option<Parcel>> {
        self.claim(time, false).await
    }

    async fn claim(&self, time: Duration, mail: bool) -> Result<Option<Parcel>> {
        let now = self.clock().now();
        let claim = Claim { now, until: now.plus(time), mail };
        self.chore(claim, |tx, claim| Box::pin(take(tx, claim))).await
    }

    /// Says how the try went that `claimed` began. False when its time had run out and somebody began another.
    pub async fn finish_delivery(&self, claimed: &Delivery, outcome: Outcome) -> Result<bool> {
        let finish = Finish { id: claimed.id, attempt: claimed.attempts, outcome, now: self.clock().now() };
        self.chore(finish, |tx, finish| Box::pin(store(tx, finish))).await
    }

    /// One delivery by its id.
    pub async fn get_delivery(&self, id: Id<id::Delivery>) -> Result<Delivery> {
        let row = self.db().maybe(BY_ID, args![id.to_string()]).await?;
        row.as_ref().map(read).transpose()?.ok_or_else(|| no_delivery(id))
    }

    /// A page of a webhook's deliveries, newest first.
    pub async fn list_deliveries(&self, webhook: Id<id::Webhook>, paging: &Paging) -> Result<Page<Delivery>> {
        let before = paging.after()?.unwrap_or_else(|| "g".to_owned());
        let rows = self.db().all(PAGE, args![webhook.to_string(), before, paging.rows()]).await?;
        let deliveries = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
        Ok(paging.page(deliveries, |delivery| delivery.id.to_string()))
    }

    /// Puts the same event into the queue of the same webhook once more, as a delivery of its own.
    pub async fn replay_delivery(&self, id: Id<id::Delivery>, who: &Who) -> Result<Delivery> {
        who.require(Permission::WriteWebhooks)?;
        self.write((id, who.clone()), |writing, (id, who)| Box::pin(replay_noted(writing, *id, who))).await
    }

    /// Forgets deliveries that were finished long ago, and says how many.
    pub async fn prune_deliveries(&self) -> Result<u64> {
        let before = self.clock().now().minus(KEPT_FOR);
        self.chore(before, |tx, before| {
            Box::pin(async move {
                let sql = "DELETE FROM delivery WHERE state <> 'waiting' AND finished_us < $1";
                tx.run(sql, args![before.micros()]).await
            })
        })
        .await
    }
}

/// An event for one webhook, to be sent at once.
struct Trial {
    webhook: Id<id::Webhook>,
    event: Event,
    claim: Claim,
    who: Who,
}

async fn try_out(writing: &mut Writing, trial: &Trial) -> Result<Parcel> {
    let parcel = hand_out(&mut writing.tx, trial.webhook, &trial.event, &trial.claim).await?;
    let (action, target) = ("webhook.tested", trial.webhook.to_string());
    let entry = Entry { action, target: &target, detail: json!({"event": trial.event.kind}) };
    audit::note(writing, &trial.who, &trial.event.project, entry).await?;
    Ok(parcel)
}

async fn replay_noted(writing: &mut Writing, id: Id<id::Delivery>, who: &Who) -> Result<Delivery> {
    let again = replay(&mut writing.tx, id, writing.now).await?;
    let (action, target) = ("delivery.replayed", id.to_string());
    let detail = json!({"event": again.event, "webhook": again.webhook, "delivery": again.id});
    audit::note(writing, who, &again.project, Entry { action, target: &target, detail }).await?;
    Ok(again)
}

impl Delivery {
    fn new(event: &Event, webhook: Option<Id<id::Webhook>>, now: Time) -> Self {
        Self {
            id: Id::at(now),
            project: Arc::clone(&event.project),
            webhook,
            event_id: event.id,
            event: Arc::clone(&event.kind),
            body: Arc::clone(&event.body),
            state: DeliveryState::Waiting,
            attempts: 0,
            due_at: now,
            status: None,
            error: None,
            created_at: now,
            tried_at: None,
            finished_at: None,
        }
    }
}

fn read(row: &Row) -> Result<Delivery> {
    Ok(Delivery {
        id: row.parsed("id")?,
        project: row.text("project")?.into(),
        webhook: row.maybe_parsed("webhook_id")?,
        event_id: row.parsed("event_id")?,
        event: row.text("event")?.into(),
        body: row.text("body")?.into(),
        state: row.parsed("state")?,
        attempts: row.number("attempts")?,
        due_at: row.time("due_us")?,
        status: row.maybe_number("status")?,
        error: row.maybe_text("error")?,
        created_at: row.time("created_us")?,
        tried_at: row.maybe_time("tried_us")?,
        finished_at: row.maybe_time("finished_us")?,
    })
}

fn no_delivery(id: Id<id::Delivery>) -> StoreError {
    StoreError::Missing(format!("there is no delivery `{id}`: finished ones are kept for seven days"))
}
