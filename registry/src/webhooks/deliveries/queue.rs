//! The queue's statements, each inside a transaction that its caller opened.

use vocab::{Id, Secret, Time, id};

use super::{
    AHEAD, BY_ID, Delivery, DeliveryState, Event, Outcome, Parcel, Receiver, columns, no_delivery, read,
};
use crate::db::{Result, Tx, args};
use crate::webhooks::{ENABLED, read as read_webhook};

/// The most deliveries that wait for one webhook, and the most mails of one project. What comes on top is given up at
/// once, and the log says so: a receiver that is gone for good must not fill the registry.
const WAITING: i64 = 1_000;
/// The most finished deliveries kept of one webhook, and the most mails of one project.
const KEPT: i64 = 1_000;
/// The longest error kept, in bytes.
const ERROR_BYTES: usize = 500;

/// The guard is repeated outside: on PostgreSQL whoever waited for the row looks at it again by that only.
const CLAIM: &str = concat!(
    "UPDATE delivery SET attempts = attempts + 1, due_us = $2
     WHERE id = (SELECT id FROM delivery WHERE state = 'waiting' AND (due_us <= $1 OR due_us > $3)
                     AND (webhook_id IS NOT NULL OR $4 = TRUE)
                 ORDER BY due_us, id LIMIT 1)
       AND state = 'waiting' AND (due_us <= $1 OR due_us > $3)
     RETURNING ",
    columns!()
);
pub(super) struct Finish {
    pub(super) id: Id<id::Delivery>,
    pub(super) attempt: u32,
    pub(super) outcome: Outcome,
    pub(super) now: Time,
}

pub(super) struct Claim {
    pub(super) now: Time,
    pub(super) until: Time,
    /// Whether mail may be taken too.
    pub(super) mail: bool,
}

/// Whom an event is for, besides those that subscribe to it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Addressed<'a> {
    pub(crate) webhooks: &'a [Id<id::Webhook>],
    pub(crate) mail: &'a [String],
}

/// Puts an event into the queues of all it is for, once each; says how many those are.
pub(crate) async fn enqueue(tx: &mut Tx, event: &Event, to: Addressed<'_>, now: Time) -> Result<u64> {
    let rows = tx.all(ENABLED, args![&*event.project]).await?;
    let mut count = 0;
    for row in &rows {
        let webhook = read_webhook(row)?;
        if to.webhooks.contains(&webhook.id) || webhook.subscribes(&event.kind) {
            let delivery = Delivery::new(event, Some(webhook.id), now);
            add(tx, &[delivery], &[None]).await?;
            count += 1;
        }
    }
    let mails: Vec<_> = to.mail.iter().map(|_| Delivery::new(event, None, now)).collect();
    let recipients: Vec<_> = to.mail.iter().map(|address| Some(address.as_str())).collect();
    add(tx, &mails, &recipients).await?;
    Ok(count + mails.len() as u64)
}

/// Puts deliveries to one webhook, or a project's mails, into their queue as far as there is room.
async fn add(tx: &mut Tx, deliveries: &[Delivery], recipients: &[Option<&str>]) -> Result<()> {
    let Some(first) = deliveries.first() else { return Ok(()) };
    let waits = waiting(tx, first).await?;
    for (delivery, (recipient, before)) in deliveries.iter().zip(recipients.iter().zip(waits..)) {
        insert(tx, delivery, *recipient, before >= WAITING).await?;
    }
    if waits >= WAITING { make_room(tx, &first.project, first.webhook).await } else { Ok(()) }
}

async fn insert(tx: &mut Tx, delivery: &Delivery, recipient: Option<&str>, full: bool) -> Result<()> {
    if full {
        tracing::warn!(webhook.id = ?delivery.webhook, event = %delivery.event, "an event is given up: too many wait");
    }
    let state = if full { DeliveryState::GivenUp } else { delivery.state };
    let error = full.then(|| format!("{WAITING} deliveries to there wait already"));
    let sql =
        "INSERT INTO delivery (id, project, webhook_id, recipient, event_id, event, body, state, attempts,
                                     due_us, status, error, created_us, tried_us, finished_us)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, NULL, $11, $12, NULL, $13)";
    let values = args![
        delivery.id.to_string(),
        &*delivery.project,
        delivery.webhook.map(|webhook| webhook.to_string()),
        recipient,
        delivery.event_id.to_string(),
        &*delivery.event,
        &*delivery.body,
        state.as_str(),
        delivery.attempts,
        delivery.due_at.micros(),
        error,
        delivery.created_at.micros(),
        full.then(|| delivery.created_at.micros())
    ];
    tx.run(sql, values).await?;
    Ok(())
}

/// How many wait for the same webhook, or how many mails of the project.
async fn waiting(tx: &mut Tx, delivery: &Delivery) -> Result<i64> {
    let sql = "SELECT COUNT(*) AS waiting FROM delivery
               WHERE state = 'waiting' AND project = $1
                 AND (webhook_id = $2 OR (webhook_id IS NULL AND $3 = TRUE)) LIMIT 1";
    let webhook = delivery.webhook.map(|webhook| webhook.to_string());
    let row = tx.maybe(sql, args![&*delivery.project, webhook, delivery.webhook.is_none()]).await?;
    row.map_or(Ok(0), |row| row.int("waiting"))
}

pub(super) async fn take(tx: &mut Tx, claim: &Claim) -> Result<Option<Parcel>> {
    let (now, latest) = (claim.now.micros(), claim.now.plus(AHEAD).micros());
    let values = args![now, claim.until.micros(), latest, claim.mail];
    let Some(row) = tx.maybe(CLAIM, values).await? else { return Ok(None) };
    let delivery = read(&row)?;
    let receiver = match (delivery.webhook, row.maybe_text("recipient")?) {
        (Some(webhook), _) => endpoint(tx, webhook).await?,
        (None, recipient) => recipient.map(Receiver::Mail),
    };
    Ok(Some(Parcel { delivery, receiver }))
}

/// Makes a delivery whose first try has begun.
pub(super) async fn hand_out(
    tx: &mut Tx,
    webhook: Id<id::Webhook>,
    event: &Event,
    claim: &Claim,
) -> Result<Parcel> {
    let fresh = Delivery::new(event, Some(webhook), claim.now);
    let delivery = Delivery { attempts: 1, due_at: claim.until, ..fresh };
    add(tx, std::slice::from_ref(&delivery), &[None]).await?;
    Ok(Parcel { receiver: endpoint(tx, webhook).await?, delivery })
}

async fn endpoint(tx: &mut Tx, webhook: Id<id::Webhook>) -> Result<Option<Receiver>> {
    let sql = "SELECT url, secret, format FROM webhook WHERE id = $1 AND enabled = TRUE LIMIT 1";
    let Some(row) = tx.maybe(sql, args![webhook.to_string()]).await? else { return Ok(None) };
    Ok(Some(Receiver::Webhook {
        url: Secret::new(row.text("url")?),
        secret: Secret::new(row.text("secret")?),
        format: row.parsed("format")?,
    }))
}

pub(super) async fn store(tx: &mut Tx, finish: &Finish) -> Result<bool> {
    let Finish { id, attempt, outcome, now } = finish;
    let (state, status, error, due) = match outcome {
        Outcome::Delivered { status } => (DeliveryState::Delivered, *status, None, None),
        Outcome::Retry { status, error, at } => (DeliveryState::Waiting, *status, Some(error), Some(*at)),
        Outcome::GiveUp { status, error } => (DeliveryState::GivenUp, *status, Some(error), None),
    };
    let finished = (state != DeliveryState::Waiting).then(|| now.micros());
    let due = due.map_or(*now, |due| due.min(now.plus(AHEAD)));
    let sql = "UPDATE delivery SET state = $3, status = $4, error = $5, due_us = $6, tried_us = $7, finished_us = $8
               WHERE id = $1 AND attempts = $2 AND state = 'waiting'
               RETURNING project, webhook_id";
    let values = args![
        id.to_string(),
        *attempt,
        state.as_str(),
        status,
        error.map(|error| cut(error).to_owned()),
        due.micros(),
        now.micros(),
        finished
    ];
    let Some(row) = tx.maybe(sql, values).await? else { return Ok(false) };
    if finished.is_some() {
        make_room(tx, &row.text("project")?, row.maybe_parsed("webhook_id")?).await?;
    }
    Ok(true)
}

/// Whoever finishes one makes room: the log of a webhook, and of a project's mails, stays as long as it is.
async fn make_room(tx: &mut Tx, project: &str, webhook: Option<Id<id::Webhook>>) -> Result<()> {
    let Some(webhook) = webhook else {
        let sql = "DELETE FROM delivery WHERE webhook_id IS NULL AND project = $1 AND state <> 'waiting' AND id <= (
                       SELECT id FROM delivery WHERE webhook_id IS NULL AND project = $1 AND state <> 'waiting'
                       ORDER BY id DESC LIMIT 1 OFFSET $2)";
        return tx.run(sql, args![project, KEPT]).await.map(|_| ());
    };
    let sql = "DELETE FROM delivery WHERE webhook_id = $1 AND state <> 'waiting' AND id <= (
                   SELECT id FROM delivery WHERE webhook_id = $1 AND state <> 'waiting'
                   ORDER BY id DESC LIMIT 1 OFFSET $2)";
    tx.run(sql, args![webhook.to_string(), KEPT]).await.map(|_| ())
}

pub(super) async fn replay(tx: &mut Tx, id: Id<id::Delivery>, now: Time) -> Result<Delivery> {
    let row = tx.maybe(BY_ID, args![id.to_string()]).await?.ok_or_else(|| no_delivery(id))?;
    let before = read(&row)?;
    let fresh = Delivery {
        id: Id::at(now),
        state: DeliveryState::Waiting,
        attempts: 0,
        due_at: now,
        status: None,
        error: None,
        created_at: now,
        tried_at: None,
        finished_at: None,
        ..before
    };
    let recipient = row.maybe_text("recipient")?;
    add(tx, std::slice::from_ref(&fresh), &[recipient.as_deref()]).await?;
    let row = tx.maybe(BY_ID, args![fresh.id.to_string()]).await?.ok_or_else(|| no_delivery(fresh.id))?;
    read(&row)
}

/// The start of an error, whole characters.
fn cut(error: &str) -> &str {
    error.get(..error.floor_char_boundary(ERROR_BYTES)).unwrap_or_default()
}
