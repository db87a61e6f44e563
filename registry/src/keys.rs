//! Virtual keys: what applications call with, and what each may call.

mod scope;

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};
use vocab::id::Key;
use vocab::{Id, Page, Secret, Time};

pub use scope::KeyScope;
pub(crate) use scope::{allows, check_patterns};

use crate::audit::{self, Entry};
use crate::credentials::{KEY_PREFIX, SecretHash, generate, hash, hint};
use crate::db::{Result, Row, Writing, args, to_json};
use crate::paging::Paging;
use crate::projects::check_open;
use crate::prompts::names::check_line;
use crate::roles::{Permission, Who};
use crate::{Registry, StoreError};

/// The longest name of a key or token, in bytes.
pub(crate) const NAME_BYTES: usize = 200;

/// A virtual key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VirtualKey {
    /// Stays; what records carry.
    pub id: Id<Key>,
    /// What people call it.
    pub name: Arc<str>,
    /// The project whose prompts it sees.
    pub project: Arc<str>,
    /// What it may do.
    pub scope: KeyScope,
    /// The end of its secret, to tell it apart.
    pub hint: Arc<str>,
    /// Who made it.
    pub created_by: Arc<str>,
    /// When.
    pub created_at: Time,
    /// When it stops working by itself.
    pub expires_at: Option<Time>,
    /// When it was revoked.
    pub revoked_at: Option<Time>,
    /// Grows with every change.
    pub revision: i64,
}

/// A virtual key to issue.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// What people call it.
    pub name: String,
    /// The project whose prompts it sees.
    pub project: String,
    /// What it may do.
    pub scope: KeyScope,
    /// When it stops working by itself.
    pub expires_at: Option<Time>,
}

/// What to change of a key; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct KeyChange {
    /// What people call it.
    pub name: Option<String>,
    /// All of what it may do.
    pub scope: Option<KeyScope>,
    /// When it stops working by itself; `Some(None)` for never.
    pub expires_at: Option<Option<Time>>,
    /// Refuse unless the key still has this revision.
    pub expected_revision: Option<i64>,
}

/// Something with a secret, made just now: the only time that the secret is shown.
#[derive(Clone, Debug)]
pub struct Issued<T> {
    /// What was made.
    pub issued: T,
    /// Its secret.
    pub secret: Secret,
}

/// Why a secret opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefusal {
    /// Nobody has this secret.
    #[error("this key is not known here: check that it is complete and meant for this gateway")]
    Unknown,
    /// It ran out.
    #[error("this key has expired: ask for a new one")]
    Expired,
    /// It was taken back.
    #[error("this key was revoked: ask for a new one")]
    Revoked,
}

/// Refuses what ran out or was taken back.
pub(crate) fn check_current(
    revoked_at: Option<Time>,
    expires_at: Option<Time>,
    now: Time,
) -> std::result::Result<(), KeyRefusal> {
    if revoked_at.is_some() {
        return Err(KeyRefusal::Revoked);
    }
    if expires_at.is_some_and(|end| end <= now) {
        return Err(KeyRefusal::Expired);
    }
    Ok(())
}

/// The columns [`read`] reads.
macro_rules! columns {
    () => {
        "id, project, name, hint, models, prompts, labels, read_prompts, passthrough, \
         registered_prompts_only, created_by, created_us, expires_us, revoked_us, revision"
    };
}

const BY_ID: &str = concat!("SELECT ", columns!(), " FROM virtual_key WHERE id = $1 LIMIT 1");
const PAGE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM virtual_key WHERE ($1 IS NULL OR project = $1) AND id < $2 ORDER BY id DESC LIMIT $3"
);
/// Keys that changed after a revision, with their hashes.
pub(crate) const CHANGED: &str = concat!(
    "SELECT ",
    columns!(),
    ", secret_hash FROM virtual_key WHERE (revision, id) > ($1, $2) ORDER BY revision, id LIMIT $3"
);

/// A key with all that is stored of it.
pub(crate) struct Insertion {
    key: VirtualKey,
    secret_hash: SecretHash,
    maker: Who,
}

struct Update {
    id: Id<Key>,
    change: KeyChange,
    who: Who,
}

impl Registry {
    /// Makes a key. The answer is the only place that ever shows its secret.
    pub async fn issue_key(&self, new: NewKey, who: &Who) -> Result<Issued<VirtualKey>> {
        who.require(Permission::Administer)?;
        let secret = generate(KEY_PREFIX)?;
        let insertion = Insertion::of(new, &secret, who, self.clock().now())?;
        let issued = self.write(insertion, |writing, it| Box::pin(insert(writing, it, "issued"))).await?;
        Ok(Issued { issued, secret })
    }

    /// One key by its id, revoked or not.
    pub async fn get_key(&self, id: Id<Key>) -> Result<VirtualKey> {
        let row = self.db().maybe(BY_ID, args![id.to_string()]).await?;
        row.as_ref().map(read).transpose()?.ok_or_else(|| no_key(id))
    }

    /// A page of keys, newest first, of one project or of all, revoked ones too.
    pub async fn list_keys(&self, project: Option<&str>, paging: &Paging) -> Result<Page<VirtualKey>> {
        // `g` follows every hex digit: a bound above every id.
        let before = paging.after()?.unwrap_or_else(|| "g".to_owned());
        let rows = self.db().all(PAGE, args![project, before, paging.rows()]).await?;
        let keys = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
        Ok(paging.page(keys, |key| key.id.to_string()))
    }

    /// Changes what a key may do, or until when. Its secret stays.
    pub async fn update_key(&self, id: Id<Key>, change: KeyChange, who: &Who) -> Result<VirtualKey> {
        who.require(Permission::Administer)?;
        if let Some(name) = &change.name {
            check_name(name)?;
        }
        if let Some(scope) = &change.scope {
            scope.check()?;
        }
        let update = Update { id, change, who: who.clone() };
        self.write(update, |writing, update| Box::pin(apply(writing, update))).await
    }

    /// Takes a key back for good. Doing it again changes nothing.
    pub async fn revoke_key(&self, id: Id<Key>, who: &Who) -> Result<VirtualKey> {
        who.require(Permission::Administer)?;
        let revocation = (id, who.clone());
        self.write(revocation, |writing, (id, who)| Box::pin(revoke(writing, *id, who))).await
    }
}

impl Insertion {
    pub(crate) fn of(new: NewKey, secret: &Secret, maker: &Who, now: Time) -> Result<Self> {
        check_name(&new.name)?;
        new.scope.check()?;
        check_expiry(new.expires_at, now)?;
        let key = VirtualKey {
            id: Id::at(now),
            name: new.name.into(),
            project: new.project.into(),
            scope: new.scope,
            hint: hint(secret.expose()).into(),
            created_by: Arc::clone(&maker.owner),
            created_at: now,
            expires_at: new.expires_at,
            revoked_at: None,
            revision: 0,
        };
        Ok(Self { key, secret_hash: hash(secret.expose()), maker: maker.clone() })
    }
}

pub(crate) async fn insert(writing: &mut Writing, it: &Insertion, origin: &str) -> Result<VirtualKey> {
    check_open(&mut writing.tx, &it.key.project).await?;
    let sql =
        "INSERT INTO virtual_key (id, project, name, secret_hash, hint, origin, models, prompts, labels,
                                        read_prompts, passthrough, registered_prompts_only, created_by,
                                        created_us, expires_us, revoked_us, revision)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";
    let key = VirtualKey { revision: writing.revision, ..it.key.clone() };
    let (scope, id) = (&key.scope, key.id.to_string());
    let (models, prompts) = (patterns(scope.models.as_ref())?, patterns(scope.prompts.as_ref())?);
    let values = args![
        id,
        &*key.project,
        &*key.name,
        it.secret_hash.as_slice(),
        &*key.hint,
        origin,
        models,
        prompts,
        patterns(scope.labels.as_ref())?,
        scope.read_prompts,
        scope.passthrough,
        scope.registered_prompts_only,
        &*key.created_by,
        key.created_at.micros(),
        key.expires_at.map(Time::micros),
        None::<i64>,
        key.revision
    ];
    writing.tx.run(sql, values).await?;
    let mut detail = described(&key);
    detail["origin"] = json!(origin);
    note(writing, &it.maker, &key, ("key.issued", detail)).await?;
    Ok(key)
}

async fn apply(writing: &mut Writing, update: &Update) -> Result<VirtualKey> {
    let mut key = get(writing, update.id).await?;
    let before = described(&key);
    let change = &update.change;
    if change.expected_revision.is_some_and(|expected| expected != key.revision) {
        let message = format!("key `{}` was changed meanwhile: read it again", key.name);
        return Err(StoreError::Stale { message, current: None });
    }
    if key.revoked_at.is_some() {
        return Err(StoreError::Conflict(format!("key `{}` is revoked for good: issue a new one", key.name)));
    }
    if let Some(name) = &change.name {
        key.name = name.as_str().into();
    }
    if let Some(scope) = &change.scope {
        key.scope = scope.clone();
    }
    key.expires_at = change.expires_at.unwrap_or(key.expires_at);
    key.revision = writing.revision;
    let sql = "UPDATE virtual_key SET name = $2, models = $3, prompts = $4, labels = $5, read_prompts = $6,
                   passthrough = $7, registered_prompts_only = $8, expires_us = $9, revision = $10
               WHERE id = $1";
    let scope = &key.scope;
    let (models, prompts) = (patterns(scope.models.as_ref())?, patterns(scope.prompts.as_ref())?);
    let values = args![
        key.id.to_string(),
        &*key.name,
        models,
        prompts,
        patterns(scope.labels.as_ref())?,
        scope.read_prompts,
        scope.passthrough,
        scope.registered_prompts_only,
        key.expires_at.map(Time::micros),
        key.revision
    ];
    writing.tx.run(sql, values).await?;
    let changes = audit::changes(&before, &described(&key));
    note(writing, &update.who, &key, ("key.changed", json!({"name": key.name, "changes": changes}))).await?;
    Ok(key)
}

async fn revoke(writing: &mut Writing, id: Id<Key>, who: &Who) -> Result<VirtualKey> {
    let now = writing.now;
    let mut key = get(writing, id).await?;
    if key.revoked_at.is_some() {
        return Ok(key);
    }
    key.revoked_at = Some(now);
    key.revision = writing.revision;
    let sql = "UPDATE virtual_key SET revoked_us = $2, revision = $3 WHERE id = $1";
    writing.tx.run(sql, args![id.to_string(), now.micros(), key.revision]).await?;
    note(writing, who, &key, ("key.revoked", json!({"name": key.name}))).await?;
    Ok(key)
}

/// What the audit keeps of a key.
fn described(key: &VirtualKey) -> Value {
    let scope = &key.scope;
    json!({
        "name": key.name,
        "models": scope.models,
        "prompts": scope.prompts,
        "labels": scope.labels,
        "read_prompts": scope.read_prompts,
        "passthrough": scope.passthrough,
        "registered_prompts_only": scope.registered_prompts_only,
        "expires_at": key.expires_at,
    })
}

async fn note(
    writing: &mut Writing,
    who: &Who,
    key: &VirtualKey,
    (action, detail): (&'static str, Value),
) -> Result<()> {
    audit::note(writing, who, &key.project, Entry { action, target: &key.id.to_string(), detail }).await
}

async fn get(writing: &mut Writing, id: Id<Key>) -> Result<VirtualKey> {
    let row = writing.tx.maybe(BY_ID, args![id.to_string()]).await?;
    row.as_ref().map(read).transpose()?.ok_or_else(|| no_key(id))
}

/// Reads the columns of a key.
pub(crate) fn read(row: &Row) -> Result<VirtualKey> {
    Ok(VirtualKey {
        id: row.parsed("id")?,
        name: row.text("name")?.into(),
        project: row.text("project")?.into(),
        scope: KeyScope {
            models: row.maybe_json("models")?,
            prompts: row.maybe_json("prompts")?,
            labels: row.maybe_json("labels")?,
            read_prompts: row.bool("read_prompts")?,
            passthrough: row.bool("passthrough")?,
            registered_prompts_only: row.bool("registered_prompts_only")?,
        },
        hint: row.text("hint")?.into(),
        created_by: row.text("created_by")?.into(),
        created_at: row.time("created_us")?,
        expires_at: row.maybe_time("expires_us")?,
        revoked_at: row.maybe_time("revoked_us")?,
        revision: row.int("revision")?,
    })
}

pub(crate) fn check_name(name: &str) -> Result<()> {
    check_line("name", name, NAME_BYTES)?;
    if name.trim().is_empty() {
        return Err(StoreError::invalid("name", "`name` is empty: say who or what will use it"));
    }
    Ok(())
}

pub(crate) fn check_expiry(expires_at: Option<Time>, now: Time) -> Result<()> {
    let Some(end) = expires_at.filter(|end| *end <= now) else { return Ok(()) };
    Err(StoreError::invalid("expires_at", format!("`expires_at` {end} has passed: write a time to come")))
}

fn patterns(list: Option<&Vec<String>>) -> Result<Option<String>> {
    list.map(to_json).transpose()
}

fn no_key(id: Id<Key>) -> StoreError {
    StoreError::Missing(format!("there is no key `{id}`"))
}
