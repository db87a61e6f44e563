//! Webhooks: where events are sent, and what they are signed with. Nothing here sends anything.
//!
//! Both the address and the secret are kept as they are, since both are needed to send. The address is shown up to
//! its host only: Slack's hold a secret in the path.

mod check;
pub mod deliveries;
mod format;

use std::sync::Arc;

use serde_json::{Value, json};
use vocab::{Id, Page, Secret, Time, id};

use crate::audit::{self, Entry};
use crate::credentials::{generate, hint};
use crate::db::{Result, Row, Tx, Writing, args, to_json};
use crate::keys::{Issued, check_name};
use crate::paging::Paging;
use crate::projects::check_open;
use crate::roles::{Permission, Who};
use crate::{Registry, StoreError};

pub use deliveries::{Delivery, DeliveryState, Event, Outcome, Parcel, Receiver};
pub use format::Format;

/// What the secrets of webhooks start with.
pub const WEBHOOK_SECRET_PREFIX: &str = "whsec_";
/// The most webhooks of a project.
const WEBHOOKS: i64 = 100;

/// Where events are sent.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Stays.
    pub id: Id<id::Webhook>,
    /// What people call it; unique in its project.
    pub name: Arc<str>,
    /// The project whose events it is told.
    pub project: Arc<str>,
    /// The whole address.
    pub url: Secret,
    /// What bodies look like there.
    pub format: Format,
    /// Events and families of events it is told besides those that are addressed to it.
    pub events: Vec<String>,
    /// Whether anything is sent.
    pub enabled: bool,
    /// Who made it.
    pub created_by: Arc<str>,
    /// When.
    pub created_at: Time,
    /// When it was changed last.
    pub updated_at: Time,
    /// Grows with every change.
    pub revision: i64,
}

impl Webhook {
    /// The address as it may be shown: up to the host, and how it ends.
    pub fn shown_url(&self) -> String {
        let url = self.url.expose();
        match check::path_of(url) {
            "" | "/" => url.to_owned(),
            path => format!("{}/…{}", url.strip_suffix(path).unwrap_or_default(), hint(path)),
        }
    }

    /// Whether it wants to be told of every event of this kind.
    fn subscribes(&self, event: &str) -> bool {
        let wants = |wanted: &String| {
            wanted == "*"
                || wanted == event
                || wanted.strip_suffix('*').is_some_and(|it| event.starts_with(it))
        };
        self.events.iter().any(wants)
    }
}

/// A webhook to make.
#[derive(Clone, Debug)]
pub struct NewWebhook {
    /// What people call it.
    pub name: String,
    /// The project whose events it is told.
    pub project: String,
    /// Where: an http or https URL.
    pub url: Secret,
    /// What bodies look like there; by the URL when absent.
    pub format: Option<Format>,
    /// Events and families of events, such as `alert.*`.
    pub events: Vec<String>,
    /// Whether anything is sent.
    pub enabled: bool,
}

/// What to change of a webhook; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct WebhookChange {
    /// What people call it.
    pub name: Option<String>,
    /// Where; the format follows it unless one is named too.
    pub url: Option<Secret>,
    /// What bodies look like there.
    pub format: Option<Format>,
    /// All the events.
    pub events: Option<Vec<String>>,
    /// Whether anything is sent.
    pub enabled: Option<bool>,
    /// Refuse unless it still has this revision.
    pub expected_revision: Option<i64>,
}

/// The columns [`read`] reads.
macro_rules! columns {
    () => {
        "id, project, name, url, format, events, enabled, created_by, created_us, updated_us, revision"
    };
}

const BY_ID: &str = concat!("SELECT ", columns!(), " FROM webhook WHERE id = $1 LIMIT 1");
const PAGE: &str =
    concat!("SELECT ", columns!(), " FROM webhook WHERE project = $1 AND id < $2 ORDER BY id DESC LIMIT $3");
/// All webhooks of a project that anything may be sent to; there are at most [`WEBHOOKS`].
const ENABLED: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM webhook WHERE project = $1 AND enabled = TRUE ORDER BY id LIMIT 1000"
);

struct Insertion {
    webhook: Webhook,
    secret: Secret,
    who: Who,
}

struct Update {
    id: Id<id::Webhook>,
    change: WebhookChange,
    who: Who,
    now: Time,
}

impl Registry {
    /// Makes a webhook. The answer is the only place that ever shows its secret.
    pub async fn create_webhook(&self, new: NewWebhook, who: &Who) -> Result<Issued<Webhook>> {
        who.require(Permission::WriteWebhooks)?;
        let webhook = fresh(new, who, self.clock().now())?;
        let secret = generate(WEBHOOK_SECRET_PREFIX)?;
        let insertion = Insertion { webhook, secret: secret.clone(), who: who.clone() };
        let issued = self.write(insertion, |writing, it| Box::pin(insert(writing, it))).await?;
        Ok(Issued { issued, secret })
    }

    /// One webhook by its id.
    pub async fn get_webhook(&self, id: Id<id::Webhook>) -> Result<Webhook> {
        let row = self.db().maybe(BY_ID, args![id.to_string()]).await?;
        row.as_ref().map(read).transpose()?.ok_or_else(|| no_webhook(id))
    }

    /// A page of a project's webhooks, newest first.
    pub async fn list_webhooks(&self, project: &str, paging: &Paging) -> Result<Page<Webhook>> {
        // `g` follows every hex digit: a bound above every id.
        let before = paging.after()?.unwrap_or_else(|| "g".to_owned());
        let rows = self.db().all(PAGE, args![project, before, paging.rows()]).await?;
        let webhooks = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
        Ok(paging.page(webhooks, |webhook| webhook.id.to_string()))
    }

    /// Changes a webhook. Its secret stays.
    pub async fn update_webhook(
        &self,
        id: Id<id::Webhook>,
        change: WebhookChange,
        who: &Who,
    ) -> Result<Webhook> {
        who.require(Permission::WriteWebhooks)?;
        let update = Update { id, change, who: who.clone(), now: self.clock().now() };
        self.write(update, |writing, update| Box::pin(apply(writing, update))).await
    }

    /// Deletes a webhook with its deliveries, those still waiting included, unless an alert names it.
    pub async fn delete_webhook(&self, id: Id<id::Webhook>, who: &Who) -> Result<Webhook> {
        who.require(Permission::WriteWebhooks)?;
        let deletion = (id, who.clone());
        self.write(deletion, |writing, (id, who)| Box::pin(delete(writing, *id, who))).await
    }
}

fn fresh(new: NewWebhook, who: &Who, now: Time) -> Result<Webhook> {
    check_name(&new.name)?;
    check::url(new.url.expose())?;
    let format = new.format.unwrap_or_else(|| check::format_of(new.url.expose()));
    Ok(Webhook {
        id: Id::at(now),
        name: new.name.into(),
        project: new.project.into(),
        format,
        url: new.url,
        events: check::events(&new.events)?,
        enabled: new.enabled,
        created_by: Arc::clone(&who.owner),
        created_at: now,
        updated_at: now,
        revision: 0,
    })
}

async fn insert(writing: &mut Writing, it: &Insertion) -> Result<Webhook> {
    let webhook = Webhook { revision: writing.revision, ..it.webhook.clone() };
    check_open(&mut writing.tx, &webhook.project).await?;
    let sql = "SELECT COUNT(*) AS webhooks FROM webhook WHERE project = $1 LIMIT 1";
    let there = writing.tx.maybe(sql, args![&*webhook.project]).await?;
    if there.map_or(Ok(0), |row| row.int("webhooks"))? >= WEBHOOKS {
        let message = format!("a project has at most {WEBHOOKS} webhooks: delete one that is of no use");
        return Err(StoreError::Conflict(message));
    }
    let sql = "INSERT INTO webhook (id, project, name, url, secret, format, events, enabled, created_by,
                                    created_us, updated_us, revision)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
               ON CONFLICT (project, name) DO NOTHING";
    let values = args![
        webhook.id.to_string(),
        &*webhook.project,
        &*webhook.name,
        webhook.url.expose(),
        it.secret.expose(),
        webhook.format.as_str(),
        to_json(&webhook.events)?,
        webhook.enabled,
        &*webhook.created_by,
        webhook.created_at.micros(),
        webhook.updated_at.micros(),
        webhook.revision
    ];
    if writing.tx.run(sql, values).await? == 0 {
        return Err(taken(&webhook.name));
    }
    note(writing, &it.who, &webhook, ("webhook.created", described(&webhook))).await?;
    Ok(webhook)
}

async fn apply(writing: &mut Writing, update: &Update) -> Result<Webhook> {
    let Update { id, change, who, now } = update;
    let mut webhook = get(&mut writing.tx, *id).await?;
    let (before, url_before) = (described(&webhook), webhook.url.clone());
    if change.expected_revision.is_some_and(|expected| expected != webhook.revision) {
        let message = format!("webhook `{}` was changed meanwhile: read it again", webhook.name);
        return Err(StoreError::Stale { message, current: None });
    }
    if let Some(name) = &change.name {
        check_name(name)?;
        check_free(&mut writing.tx, &webhook, name).await?;
        webhook.name = name.as_str().into();
    }
    if let Some(url) = &change.url {
        check::url(url.expose())?;
        webhook.format = check::format_of(url.expose());
        webhook.url = url.clone();
    }
    if let Some(events) = &change.events {
        webhook.events = check::events(events)?;
    }
    webhook.format = change.format.unwrap_or(webhook.format);
    webhook.enabled = change.enabled.unwrap_or(webhook.enabled);
    (webhook.updated_at, webhook.revision) = (*now, writing.revision);
    let sql =
        "UPDATE webhook SET name = $2, url = $3, format = $4, events = $5, enabled = $6, updated_us = $7,
                   revision = $8
               WHERE id = $1";
    let values = args![
        webhook.id.to_string(),
        &*webhook.name,
        webhook.url.expose(),
        webhook.format.as_str(),
        to_json(&webhook.events)?,
        webhook.enabled,
        webhook.updated_at.micros(),
        webhook.revision
    ];
    writing.tx.run(sql, values).await?;
    let changes = audit::changes(&before, &described(&webhook));
    let detail = json!({
        "name": webhook.name, "changes": changes, "url_changed": !webhook.url.is(url_before.expose()),
    });
    note(writing, who, &webhook, ("webhook.changed", detail)).await?;
    Ok(webhook)
}

async fn check_free(tx: &mut Tx, webhook: &Webhook, name: &str) -> Result<()> {
    let sql = "SELECT id FROM webhook WHERE project = $1 AND name = $2 AND id <> $3 LIMIT 1";
    match tx.maybe(sql, args![&*webhook.project, name, webhook.id.to_string()]).await? {
        Some(_) => Err(taken(name)),
        None => Ok(()),
    }
}

async fn delete(writing: &mut Writing, id: Id<id::Webhook>, who: &Who) -> Result<Webhook> {
    let webhook = get(&mut writing.tx, id).await?;
    // Ids stand in a rule's JSON as they are.
    let sql = "SELECT name FROM alert WHERE project = $1 AND rule LIKE $2 ORDER BY name LIMIT 1";
    let naming = writing.tx.maybe(sql, args![&*webhook.project, format!("%{id}%")]).await?;
    if let Some(alert) = naming {
        let (alert, name) = (alert.text("name")?, &webhook.name);
        let message = format!("alert `{alert}` notifies webhook `{name}`: take it out there first");
        return Err(StoreError::Conflict(message));
    }
    writing.tx.run("DELETE FROM delivery WHERE webhook_id = $1", args![id.to_string()]).await?;
    writing.tx.run("DELETE FROM webhook WHERE id = $1", args![id.to_string()]).await?;
    note(writing, who, &webhook, ("webhook.deleted", json!({"name": webhook.name}))).await?;
    Ok(webhook)
}

/// What the audit keeps of a webhook: of its address no more than anybody is shown.
fn described(webhook: &Webhook) -> Value {
    json!({
        "name": webhook.name,
        "url": webhook.shown_url(),
        "format": webhook.format,
        "events": webhook.events,
        "enabled": webhook.enabled,
    })
}

async fn note(
    writing: &mut Writing,
    who: &Who,
    webhook: &Webhook,
    (action, detail): (&'static str, Value),
) -> Result<()> {
    audit::note(writing, who, &webhook.project, Entry { action, target: &webhook.id.to_string(), detail })
        .await
}

pub(crate) async fn get(tx: &mut Tx, id: Id<id::Webhook>) -> Result<Webhook> {
    let row = tx.maybe(BY_ID, args![id.to_string()]).await?;
    row.as_ref().map(read).transpose()?.ok_or_else(|| no_webhook(id))
}

fn read(row: &Row) -> Result<Webhook> {
    Ok(Webhook {
        id: row.parsed("id")?,
        name: row.text("name")?.into(),
        project: row.text("project")?.into(),
        url: Secret::new(row.text("url")?),
        format: row.parsed("format")?,
        events: row.json("events")?,
        enabled: row.bool("enabled")?,
        created_by: row.text("created_by")?.into(),
        created_at: row.time("created_us")?,
        updated_at: row.time("updated_us")?,
        revision: row.int("revision")?,
    })
}

fn taken(name: &str) -> StoreError {
    StoreError::Taken(format!("there is a webhook `{}` already: choose another name", name.escape_debug()))
}

fn no_webhook(id: Id<id::Webhook>) -> StoreError {
    StoreError::Missing(format!("there is no webhook `{id}`"))
}
