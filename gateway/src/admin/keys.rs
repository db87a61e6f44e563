//! `/keys`: the virtual keys that applications call with.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use registry::{KeyChange, KeyScope, StoreError, VirtualKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vocab::{Id, Time};

use super::Admin;
use super::answer::{List, location};
use super::condition::{Expected, Known, Revised};
use super::description::{Conflict, NotFound, PreconditionFailed};
use super::given::{Named, Paged, Sent, not_yet, present};
use super::permission::{self, Administer, Allowed, Read};
use crate::refusal::{Kind, Refusal};

/// How often a change is tried anew when another one comes in between, where the caller did not insist on one.
const CHANGE_TRIES: u32 = 5;

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::default()
        .routes(routes!(list_keys, issue_key))
        .routes(routes!(get_key, update_key, revoke_key))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
struct KeyPath {
    /// The key's id, not its secret.
    #[param(example = "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d")]
    id: String,
}

/// A virtual key, without its secret.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "id": "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d",
    "name": "checkout service",
    "project": "default",
    "models": ["openai/*"],
    "prompts": ["checkout/*"],
    "labels": ["production"],
    "read_prompts": true,
    "passthrough": false,
    "registered_prompts_only": false,
    "hint": "x7Qf",
    "created_by": "ann",
    "created_at": "2026-11-30T12:00:00.000000Z",
    "expires_at": null,
    "revoked_at": null,
    "revision": 17,
}))]
struct Key {
    /// Stays; what records carry.
    #[schema(value_type = String, format = "uuid")]
    id: Id<vocab::id::Key>,
    /// What people call it.
    name: String,
    /// The project whose prompts it sees.
    project: String,
    /// Models it may call: names or `prefix*`; null is all, an empty list none.
    models: Option<Vec<String>>,
    /// Prompts it may call or read, likewise.
    prompts: Option<Vec<String>>,
    /// Labels it may call by, likewise; with a list, versions cannot be pinned.
    labels: Option<Vec<String>>,
    /// Whether it may read prompts without calling a model.
    read_prompts: bool,
    /// Whether stateful and unlisted routes are open to it.
    passthrough: bool,
    /// Whether instructions and tools must come from a registered prompt.
    registered_prompts_only: bool,
    /// The end of its secret, to tell it apart.
    hint: String,
    /// Who made it.
    created_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    /// When it stops working by itself; null for never.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Time>,
    /// When it was revoked; null while it works.
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Time>,
    /// Grows with every change; what the `ETag` holds.
    revision: i64,
}

impl From<VirtualKey> for Key {
    fn from(key: VirtualKey) -> Self {
        let scope = key.scope;
        Self {
            id: key.id,
            name: key.name.to_string(),
            project: key.project.to_string(),
            models: scope.models,
            prompts: scope.prompts,
            labels: scope.labels,
            read_prompts: scope.read_prompts,
            passthrough: scope.passthrough,
            registered_prompts_only: scope.registered_prompts_only,
            hint: key.hint.to_string(),
            created_by: key.created_by.to_string(),
            created_at: key.created_at,
            expires_at: key.expires_at,
            revoked_at: key.revoked_at,
            revision: key.revision,
        }
    }
}

fn revised(key: VirtualKey) -> Revised<Key> {
    Revised { revision: key.revision, body: key.into() }
}

/// A virtual key just made, with its secret.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "id": "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d",
    "secret": "sk-weir-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcd",
    "name": "checkout service",
    "project": "default",
    "models": ["openai/*"],
    "prompts": null,
    "labels": null,
    "read_prompts": true,
    "passthrough": false,
    "registered_prompts_only": false,
    "hint": "abcd",
    "created_by": "ann",
    "created_at": "2026-11-30T12:00:00.000000Z",
    "expires_at": null,
    "revoked_at": null,
    "revision": 17,
}))]
struct IssuedKey {
    /// The secret: shown here and never again. Only its hash is kept.
    secret: String,
    #[serde(flatten)]
    key: Key,
}

/// A virtual key to issue.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "checkout service", "models": ["openai/*"], "expires_at": "2027-11-30T12:00:00Z"}))]
struct NewKey {
    /// What people call it.
    name: String,
    /// The project whose prompts it sees; `?project=` or `default` when absent.
    project: Option<String>,
    /// Models it may call: names or `prefix*`; absent is all, an empty list none.
    models: Option<Vec<String>>,
    /// Prompts it may call or read, likewise.
    prompts: Option<Vec<String>>,
    /// Labels it may call by, likewise; with a list, versions cannot be pinned.
    labels: Option<Vec<String>>,
    /// Whether it may read prompts without calling a model; true when absent.
    read_prompts: Option<bool>,
    /// Whether stateful and unlisted routes are open to it; false when absent.
    passthrough: Option<bool>,
    /// Whether instructions and tools must come from a registered prompt; false when absent.
    registered_prompts_only: Option<bool>,
    /// When it stops working by itself; never when absent.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Time>,
    /// Not supported yet.
    #[schema(ignore)]
    rates: Option<Value>,
    /// Not supported yet.
    #[schema(ignore)]
    budget: Option<Value>,
}

/// What to change of a key; what is absent stays. In `models`, `prompts`, `labels` null is all, in `expires_at` never.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"models": null, "expires_at": "2027-11-30T12:00:00Z"}))]
#[expect(clippy::option_option, reason = "absent leaves a field alone, null sets it to none")]
struct KeyPatch {
    /// What people call it.
    name: Option<String>,
    /// Models it may call.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Vec<String>>)]
    models: Option<Option<Vec<String>>>,
    /// Prompts it may call or read.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Vec<String>>)]
    prompts: Option<Option<Vec<String>>>,
    /// Labels it may call by.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Vec<String>>)]
    labels: Option<Option<Vec<String>>>,
    /// Whether it may read prompts without calling a model.
    read_prompts: Option<bool>,
    /// Whether stateful and unlisted routes are open to it.
    passthrough: Option<bool>,
    /// Whether instructions and tools must come from a registered prompt.
    registered_prompts_only: Option<bool>,
    /// When it stops working by itself.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Option<Time>>,
    /// Not supported yet.
    #[schema(ignore)]
    rates: Option<Value>,
    /// Not supported yet.
    #[schema(ignore)]
    budget: Option<Value>,
}

impl KeyPatch {
    /// The change it makes of a key as it is now.
    fn change(&self, now: &VirtualKey) -> KeyChange {
        let mut scope: KeyScope = now.scope.clone();
        let lists = [
            (&self.models, &mut scope.models),
            (&self.prompts, &mut scope.prompts),
            (&self.labels, &mut scope.labels),
        ];
        for (given, kept) in lists {
            if let Some(given) = given {
                kept.clone_from(given);
            }
        }
        scope.read_prompts = self.read_prompts.unwrap_or(scope.read_prompts);
        scope.passthrough = self.passthrough.unwrap_or(scope.passthrough);
        scope.registered_prompts_only = self.registered_prompts_only.unwrap_or(scope.registered_prompts_only);
        KeyChange {
            name: self.name.clone(),
            scope: Some(scope),
            expires_at: self.expires_at,
            expected_revision: Some(now.revision),
        }
    }
}

/// Issue a virtual key
///
/// The answer shows its secret, this once. With an `Idempotency-Key` the same answer comes again for a day.
#[utoipa::path(
    post, path = "/keys", tag = "keys", request_body = NewKey,
    responses(
        (status = 201, description = "It works from now on", body = IssuedKey, headers(("location" = String), ("etag" = String))),
        NotFound,
    ),
)]
async fn issue_key(
    allowed: Allowed<Administer>,
    State(admin): State<Admin>,
    Sent(new): Sent<NewKey>,
) -> Result<impl IntoResponse, Refusal> {
    not_yet("rates", new.rates.as_ref())?;
    not_yet("budget", new.budget.as_ref())?;
    later(&admin, new.expires_at)?;
    let project = match new.project.as_deref() {
        None => allowed.project,
        Some(named) => permission::project(&admin, &allowed.token, Some(named))?,
    };
    let scope = KeyScope {
        models: new.models,
        prompts: new.prompts,
        labels: new.labels,
        read_prompts: new.read_prompts.unwrap_or(true),
        passthrough: new.passthrough.unwrap_or(false),
        registered_prompts_only: new.registered_prompts_only.unwrap_or(false),
    };
    let new =
        registry::NewKey { name: new.name, project: project.to_string(), scope, expires_at: new.expires_at };
    let made = admin.app.registry.issue_key(new, &allowed.who).await?;
    let location = location("/keys", &made.issued.id.to_string());
    let secret = made.secret.expose().to_owned();
    let revision = made.issued.revision;
    let body = IssuedKey { secret, key: made.issued.into() };
    Ok((StatusCode::CREATED, location, Revised { revision, body }))
}

/// List virtual keys, newest first
///
/// Revoked ones too; never their secrets.
#[utoipa::path(
    get, path = "/keys", tag = "keys", params(Paged),
    responses((status = 200, description = "A page of keys", body = List<Key>)),
)]
async fn list_keys(
    allowed: Allowed<Read, Paged>,
    State(admin): State<Admin>,
) -> Result<Json<List<Key>>, Refusal> {
    let paging = allowed.asked.paging()?;
    let page = admin.app.registry.list_keys(Some(&allowed.project), &paging).await?;
    Ok(Json(page.into()))
}

/// Get a virtual key
#[utoipa::path(
    get, path = "/keys/{id}", tag = "keys", params(KeyPath),
    responses((status = 200, description = "The key, without its secret", body = Key, headers(("etag" = String))), NotFound),
)]
async fn get_key(
    allowed: Allowed<Read>,
    State(admin): State<Admin>,
    Named(KeyPath { id }): Named<KeyPath>,
    known: Known,
) -> Result<Response, Refusal> {
    Ok(revised(find(&admin, &allowed.project, &id).await?).unless_known(&known))
}

/// Change what a virtual key may do, or until when
///
/// Its secret stays. It holds from the next call on.
#[utoipa::path(
    patch, path = "/keys/{id}", tag = "keys", params(KeyPath), request_body = KeyPatch,
    responses(
        (status = 200, description = "The key as it is now", body = Key, headers(("etag" = String))),
        NotFound, Conflict, PreconditionFailed,
    ),
)]
async fn update_key(
    allowed: Allowed<Administer>,
    State(admin): State<Admin>,
    Named(KeyPath { id }): Named<KeyPath>,
    expected: Expected,
    Sent(patch): Sent<KeyPatch>,
) -> Result<Revised<Key>, Refusal> {
    not_yet("rates", patch.rates.as_ref())?;
    not_yet("budget", patch.budget.as_ref())?;
    later(&admin, patch.expires_at.flatten())?;
    let mut tries = 0;
    loop {
        let now = find(&admin, &allowed.project, &id).await?;
        expected.check(now.revision)?;
        let changed = admin.app.registry.update_key(now.id, patch.change(&now), &allowed.who).await;
        tries += 1;
        match changed {
            Err(StoreError::Stale { .. }) if !expected.insists() && tries < CHANGE_TRIES => {}
            changed => return expected.judge(changed, Refusal::from).map(revised),
        }
    }
}

/// Revoke a virtual key
///
/// For good: the next call with it is refused. It stays in the list, and revoking it again changes nothing.
#[utoipa::path(
    delete, path = "/keys/{id}", tag = "keys", params(KeyPath),
    responses(
        (status = 200, description = "The revoked key", body = Key, headers(("etag" = String))),
        NotFound, PreconditionFailed,
    ),
)]
async fn revoke_key(
    allowed: Allowed<Administer>,
    State(admin): State<Admin>,
    Named(KeyPath { id }): Named<KeyPath>,
    expected: Expected,
) -> Result<Revised<Key>, Refusal> {
    let now = find(&admin, &allowed.project, &id).await?;
    expected.check(now.revision)?;
    Ok(revised(admin.app.registry.revoke_key(now.id, &allowed.who).await?))
}

async fn find(admin: &Admin, project: &str, id: &str) -> Result<VirtualKey, Refusal> {
    let missing = || Refusal::new(Kind::NotFound, format!("there is no key `{}`", id.escape_debug()));
    let key = admin.app.registry.get_key(id.parse().map_err(|_| missing())?).await?;
    if *key.project == *project { Ok(key) } else { Err(missing()) }
}

/// Refuses an end that lies behind.
pub(super) fn later(admin: &Admin, expires_at: Option<Time>) -> Result<(), Refusal> {
    match expires_at {
        Some(end) if end <= admin.app.clock.now() => {
            let message = format!("`expires_at` is {end}, which has passed: give a time to come, or none");
            Err(Refusal::new(Kind::InvalidRequest, message).param("expires_at"))
        }
        Some(_) | None => Ok(()),
    }
}
