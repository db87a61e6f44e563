//! Alerts: rules over reports, each with its state and history. What a rule's words measure and whether its condition
//! holds is judged elsewhere; here rules are kept, and what an evaluation found is stored once.

pub mod rule;
pub mod state;

use std::sync::Arc;

use serde_json::{Value as Json, json};
use vocab::{Id, Page, Time, id};

use crate::audit::{self, Entry};
use crate::db::{Result, Row, Tx, Value, Writing, args, to_json};
use crate::keys::check_name;
use crate::paging::Paging;
use crate::projects::check_open;
use crate::roles::{Permission, Who};
use crate::{Registry, StoreError};

pub use rule::{Comparison, Condition, Missing, Period, Rule, Severity, Target, Unit};
pub use state::{AlertState, Evaluation, GROUP_STATES, GroupState, GroupValues, Turn};

/// The most alerts of a project: each is evaluated every minute or so.
const ALERTS: i64 = 200;

/// A rule, as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// Stays.
    pub id: Id<id::Alert>,
    /// What people call it; unique in its project.
    pub name: Arc<str>,
    /// The project whose calls it watches.
    pub project: Arc<str>,
    /// Whether it is evaluated.
    pub enabled: bool,
    /// What is watched, and who is told.
    pub rule: Rule,
    /// Until when nobody is told.
    pub muted_until: Option<Time>,
    /// Who made it.
    pub created_by: Arc<str>,
    /// When.
    pub created_at: Time,
    /// When it was changed last.
    pub updated_at: Time,
    /// Grows with every change.
    pub revision: i64,
    /// When it was evaluated last.
    pub evaluated_at: Option<Time>,
    /// What was wrong with the last evaluation.
    pub trouble: Option<String>,
    /// How often it was evaluated.
    pub(crate) evaluation: i64,
}

impl Alert {
    /// Whether nobody is told now.
    pub fn is_muted(&self, now: Time) -> bool {
        self.muted_until.is_some_and(|until| until > now)
    }
}

/// A rule to make.
#[derive(Clone, Debug)]
pub struct NewAlert {
    /// What people call it.
    pub name: String,
    /// The project whose calls it watches.
    pub project: String,
    /// Whether it is evaluated.
    pub enabled: bool,
    /// What is watched, and who is told.
    pub rule: Rule,
}

/// What to change of a rule; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct AlertChange {
    /// What people call it.
    pub name: Option<String>,
    /// Whether it is evaluated. Turned off, it forgets its state and tells nobody.
    pub enabled: Option<bool>,
    /// All of what is watched and who is told. With another condition it starts anew.
    pub rule: Option<Rule>,
    /// Until when nobody is told; `Some(None)` ends it.
    pub muted_until: Option<Option<Time>>,
    /// Refuse unless it still has this revision.
    pub expected_revision: Option<i64>,
}

/// The columns [`read`] reads.
macro_rules! columns {
    () => {
        "id, project, name, enabled, rule, muted_until_us, created_by, created_us, updated_us, revision, \
         evaluation, evaluated_us, trouble"
    };
}

const BY_ID: &str = concat!("SELECT ", columns!(), " FROM alert WHERE id = $1 LIMIT 1");
const PAGE: &str =
    concat!("SELECT ", columns!(), " FROM alert WHERE project = $1 AND id < $2 ORDER BY id DESC LIMIT $3");
/// Rules to evaluate, those that have waited the longest first. One that was evaluated later than now had a clock that
/// was wrong: waiting for that time to come would be silence.
const DUE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM alert WHERE enabled = TRUE AND (evaluated_us IS NULL OR evaluated_us <= $1 OR evaluated_us > $2)
     ORDER BY evaluated_us NULLS FIRST, id LIMIT 10000"
);

struct Update {
    id: Id<id::Alert>,
    change: AlertChange,
    who: Who,
    now: Time,
}

impl Registry {
    /// Makes a rule.
    pub async fn create_alert(&self, new: NewAlert, who: &Who) -> Result<Alert> {
        who.require(Permission::WriteAlerts)?;
        check_name(&new.name)?;
        new.rule.check()?;
        check_addresses(&new.rule, None, who)?;
        let now = self.clock().now();
        let alert = Alert {
            id: Id::at(now),
            name: new.name.into(),
            project: new.project.into(),
            enabled: new.enabled,
            rule: new.rule,
            muted_until: None,
            created_by: Arc::clone(&who.owner),
            created_at: now,
            updated_at: now,
            revision: 0,
            evaluated_at: None,
            trouble: None,
            evaluation: 0,
        };
        let creation = (alert, who.clone());
        self.write(creation, |writing, (alert, who)| Box::pin(insert(writing, alert, who))).await
    }

    /// One rule by its id.
    pub async fn get_alert(&self, id: Id<id::Alert>) -> Result<Alert> {
        let row = self.db().maybe(BY_ID, args![id.to_string()]).await?;
        row.as_ref().map(read).transpose()?.ok_or_else(|| no_alert(id))
    }

    /// A page of a project's rules, newest first.
    pub async fn list_alerts(&self, project: &str, paging: &Paging) -> Result<Page<Alert>> {
        // `g` follows every hex digit: a bound above every id.
        let before = paging.after()?.unwrap_or_else(|| "g".to_owned());
        let rows = self.db().all(PAGE, args![project, before, paging.rows()]).await?;
        let alerts = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
        Ok(paging.page(alerts, |alert| alert.id.to_string()))
    }

    /// Rules of all projects that were evaluated at `before` the latest, or never.
    pub async fn due_alerts(&self, before: Time) -> Result<Vec<Alert>> {
        let rows = self.db().all(DUE, args![before.micros(), self.clock().now().micros()]).await?;
        rows.iter().map(read).collect()
    }

    /// Changes a rule.
    pub async fn update_alert(&self, id: Id<id::Alert>, change: AlertChange, who: &Who) -> Result<Alert> {
        who.require(Permission::WriteAlerts)?;
        let update = Update { id, change, who: who.clone(), now: self.clock().now() };
        self.write(update, |writing, update| Box::pin(apply(writing, update))).await
    }

    /// Deletes a rule with its state and history.
    pub async fn delete_alert(&self, id: Id<id::Alert>, who: &Who) -> Result<Alert> {
        who.require(Permission::WriteAlerts)?;
        let deletion = (id, who.clone());
        self.write(deletion, |writing, (id, who)| Box::pin(delete(writing, *id, who))).await
    }
}

async fn insert(writing: &mut Writing, new: &Alert, who: &Who) -> Result<Alert> {
    let alert = Alert { revision: writing.revision, ..new.clone() };
    check_open(&mut writing.tx, &alert.project).await?;
    let sql = "SELECT COUNT(*) AS alerts FROM alert WHERE project = $1 LIMIT 1";
    let there = writing.tx.maybe(sql, args![&*alert.project]).await?;
    if there.map_or(Ok(0), |row| row.int("alerts"))? >= ALERTS {
        let message = format!("a project has at most {ALERTS} alerts: group one by a field, or delete one");
        return Err(StoreError::Conflict(message));
    }
    check_targets(&mut writing.tx, &alert).await?;
    let sql = "INSERT INTO alert (id, project, name, enabled, rule, muted_until_us, created_by, created_us,
                                  updated_us, revision, evaluation, evaluated_us, trouble)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, NULL, NULL)
               ON CONFLICT (project, name) DO NOTHING";
    let values = args![
        alert.id.to_string(),
        &*alert.project,
        &*alert.name,
        alert.enabled,
        to_json(&alert.rule)?,
        alert.muted_until.map(Time::micros),
        &*alert.created_by,
        alert.created_at.micros(),
        alert.updated_at.micros(),
        alert.revision
    ];
    if writing.tx.run(sql, values).await? == 0 {
        return Err(taken(&alert.name));
    }
    note(writing, who, &alert, ("alert.created", described(&alert)?)).await?;
    Ok(alert)
}

async fn apply(writing: &mut Writing, update: &Update) -> Result<Alert> {
    let Update { id, change, who, now } = update;
    let mut alert = get(&mut writing.tx, *id).await?;
    let before = described(&alert)?;
    if change.expected_revision.is_some_and(|expected| expected != alert.revision) {
        let message = format!("alert `{}` was changed meanwhile: read it again", alert.name);
        return Err(StoreError::Stale { message, current: None });
    }
    if let Some(name) = &change.name {
        check_name(name)?;
        check_free(&mut writing.tx, &alert, name).await?;
        alert.name = name.as_str().into();
    }
    let mut starts_anew = change.enabled.is_some_and(|enabled| enabled != alert.enabled);
    alert.enabled = change.enabled.unwrap_or(alert.enabled);
    if let Some(rule) = &change.rule {
        rule.check()?;
        check_addresses(rule, Some(&alert.rule), who)?;
        starts_anew |= rule.condition != alert.rule.condition;
        alert.rule = rule.clone();
        check_targets(&mut writing.tx, &alert).await?;
    }
    alert.muted_until = change.muted_until.unwrap_or(alert.muted_until);
    (alert.updated_at, alert.revision) = (*now, writing.revision);
    if starts_anew {
        writing.tx.run("DELETE FROM alert_state WHERE alert_id = $1", args![id.to_string()]).await?;
        (alert.evaluated_at, alert.trouble) = (None, None);
    }
    save(writing, &alert).await?;
    let changes = audit::changes(&before, &described(&alert)?);
    note(writing, who, &alert, ("alert.changed", json!({"name": alert.name, "changes": changes}))).await?;
    Ok(alert)
}

async fn save(writing: &mut Writing, alert: &Alert) -> Result<()> {
    let sql = "UPDATE alert SET name = $2, enabled = $3, rule = $4, muted_until_us = $5, updated_us = $6,
                   revision = $7, evaluated_us = $8, trouble = $9
               WHERE id = $1";
    let values = args![
        alert.id.to_string(),
        &*alert.name,
        alert.enabled,
        to_json(&alert.rule)?,
        alert.muted_until.map(Time::micros),
        alert.updated_at.micros(),
        alert.revision,
        alert.evaluated_at.map(Time::micros),
        alert.trouble.clone()
    ];
    writing.tx.run(sql, values).await?;
    Ok(())
}

/// Refuses addresses that somebody adds who may not decide where data goes.
fn check_addresses(rule: &Rule, before: Option<&Rule>, who: &Who) -> Result<()> {
    let is_known = |address| before.is_some_and(|before| before.addresses().any(|known| known == address));
    if who.role.may(Permission::WriteWebhooks) || rule.addresses().all(is_known) {
        return Ok(());
    }
    Err(StoreError::Forbidden(format!(
        "a token with role {} may not add e-mail addresses to an alert: use one with role admin, or name a webhook",
        who.role
    )))
}

/// Refuses to tell webhooks that are not there, or another project's.
async fn check_targets(tx: &mut Tx, alert: &Alert) -> Result<()> {
    for webhook in alert.rule.webhooks() {
        let sql = "SELECT id FROM webhook WHERE id = $1 AND project = $2 LIMIT 1";
        if tx.maybe(sql, args![webhook.to_string(), &*alert.project]).await?.is_none() {
            return Err(StoreError::invalid("notify", format!("there is no webhook `{webhook}`")));
        }
    }
    Ok(())
}

async fn check_free(tx: &mut Tx, alert: &Alert, name: &str) -> Result<()> {
    let sql = "SELECT id FROM alert WHERE project = $1 AND name = $2 AND id <> $3 LIMIT 1";
    match tx.maybe(sql, args![&*alert.project, name, alert.id.to_string()]).await? {
        Some(_) => Err(taken(name)),
        None => Ok(()),
    }
}

async fn delete(writing: &mut Writing, id: Id<id::Alert>, who: &Who) -> Result<Alert> {
    let alert = get(&mut writing.tx, id).await?;
    let key: &[Value] = args![id.to_string()];
    writing.tx.run("DELETE FROM alert_state WHERE alert_id = $1", key).await?;
    writing.tx.run("DELETE FROM alert_history WHERE alert_id = $1", key).await?;
    writing.tx.run("DELETE FROM alert WHERE id = $1", key).await?;
    note(writing, who, &alert, ("alert.deleted", json!({"name": alert.name}))).await?;
    Ok(alert)
}

/// What the audit keeps of a rule.
fn described(alert: &Alert) -> Result<Json> {
    let rule = serde_json::to_value(&alert.rule).map_err(|error| StoreError::Unavailable(Box::new(error)))?;
    let (name, enabled, muted_until) = (&alert.name, alert.enabled, alert.muted_until);
    Ok(json!({"name": name, "enabled": enabled, "muted_until": muted_until, "rule": rule}))
}

async fn note(
    writing: &mut Writing,
    who: &Who,
    alert: &Alert,
    (action, detail): (&'static str, Json),
) -> Result<()> {
    audit::note(writing, who, &alert.project, Entry { action, target: &alert.id.to_string(), detail }).await
}

async fn get(tx: &mut Tx, id: Id<id::Alert>) -> Result<Alert> {
    let row = tx.maybe(BY_ID, args![id.to_string()]).await?;
    row.as_ref().map(read).transpose()?.ok_or_else(|| no_alert(id))
}

fn read(row: &Row) -> Result<Alert> {
    Ok(Alert {
        id: row.parsed("id")?,
        name: row.text("name")?.into(),
        project: row.text("project")?.into(),
        enabled: row.bool("enabled")?,
        rule: row.json("rule")?,
        muted_until: row.maybe_time("muted_until_us")?,
        created_by: row.text("created_by")?.into(),
        created_at: row.time("created_us")?,
        updated_at: row.time("updated_us")?,
        revision: row.int("revision")?,
        evaluated_at: row.maybe_time("evaluated_us")?,
        trouble: row.maybe_text("trouble")?,
        evaluation: row.int("evaluation")?,
    })
}

fn taken(name: &str) -> StoreError {
    StoreError::Taken(format!("there is an alert `{}` already: choose another name", name.escape_debug()))
}

fn no_alert(id: Id<id::Alert>) -> StoreError {
    StoreError::Missing(format!("there is no alert `{id}`"))
}
