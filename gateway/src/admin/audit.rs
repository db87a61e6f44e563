//! `/audit`: who changed what, when; listed, and exported as the chain that `weir audit verify` holds against itself.

mod export;

use axum::Json;
use axum::extract::State;
use registry::{AuditEntry, AuditFilter, AuditHead};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vocab::Time;

use super::Admin;
use super::answer::List;
use super::given::paging;
use super::permission::{Allowed, Read};
use super::searched::times;
use crate::refusal::{Kind, Refusal};

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::default().routes(routes!(list_audit)).routes(routes!(audit_head)).merge(export::routes())
}

/// One change.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry, example = json!({
    "number": 4711,
    "at": "2026-11-30T12:00:00.000000Z",
    "project": "default",
    "who": "ann",
    "role": "releaser",
    "token": "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d",
    "action": "label.moved",
    "target": "support/reply@production",
    "detail": {
        "prompt": "support/reply", "prompt_id": "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4e", "label": "production",
        "action": "move", "from": 3, "to": 4, "reason": "approved in the weekly review",
    },
    "previous": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "hash": "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
}))]
struct Entry {
    /// Counts from 1 without gaps, over all projects.
    number: i64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Time,
    /// The project it belongs to; null for what belongs to none.
    project: Option<String>,
    /// Who answers for it: the owner of the token.
    who: String,
    /// The token's role.
    role: String,
    /// The token's id; null for what the gateway did by itself.
    token: Option<String>,
    /// What was done.
    action: String,
    /// To what: a name, a reference or an id.
    target: String,
    /// From what, to what, why; its fields depend on the action.
    #[schema(value_type = Object)]
    detail: Value,
    /// The hash of the entry before.
    previous: String,
    /// SHA-256 of the canonical JSON (RFC 8785) of all of the above.
    hash: String,
}

impl From<AuditEntry> for Entry {
    fn from(entry: AuditEntry) -> Self {
        let AuditEntry { number, at, project, who, role, token, action, target, detail, previous, hash } =
            entry;
        Self { number, at, project, who, role, token, action, target, detail, previous, hash }
    }
}

/// Where the chain of entries ends.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditHead, example = json!({
    "number": 4711, "hash": "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
}))]
struct Head {
    /// The number of the last entry; 0 before the first.
    number: i64,
    /// Its hash.
    hash: String,
}

/// A query that asks for some of the changes, with what else its route takes.
macro_rules! query_of_changes {
    ($(#[$meta:meta])* struct $name:ident { $($own:tt)* }) => {
        $(#[$meta])*
        #[derive(serde::Deserialize, utoipa::IntoParams)]
        #[serde(deny_unknown_fields)]
        #[into_params(parameter_in = Query)]
        struct $name {
            /// Only what this owner answers for.
            #[param(example = "ann")]
            who: Option<String>,
            /// Only this action, or this family of actions: `label.*`.
            #[param(example = "label.moved")]
            action: Option<String>,
            /// Only what was done to this, or to all that begins so: `support/*`.
            #[param(example = "support/reply@production")]
            target: Option<String>,
            /// The earliest, itself included: RFC 3339, a date, or a while ago such as `-7d`.
            #[param(example = "-7d")]
            from: Option<String>,
            /// The latest, itself excluded.
            to: Option<String>,
            /// True: of all projects, and of none, instead of one; not for tokens held to a project.
            all_projects: Option<bool>,
            $($own)*
        }

        impl $name {
            /// Which changes are asked for.
            fn wanted(&mut self) -> Wanted {
                Wanted {
                    who: self.who.take(),
                    action: self.action.take(),
                    target: self.target.take(),
                    from: self.from.take(),
                    to: self.to.take(),
                    all_projects: self.all_projects.unwrap_or(false),
                }
            }
        }
    };
}
use query_of_changes;

query_of_changes! {
    /// Which changes to list.
    struct AuditQuery {
        /// How many to a page.
        #[param(minimum = 1, maximum = 1000, default = 50)]
        limit: Option<u32>,
        /// The `next_cursor` of the page before.
        cursor: Option<String>,
    }
}

/// Which changes a query asks for.
struct Wanted {
    who: Option<String>,
    action: Option<String>,
    target: Option<String>,
    from: Option<String>,
    to: Option<String>,
    all_projects: bool,
}

impl Wanted {
    fn filter<Q>(self, admin: &Admin, allowed: &Allowed<Read, Q>) -> Result<AuditFilter, Refusal> {
        if let Some(own) = allowed.token.project.as_deref().filter(|_| self.all_projects) {
            let message = format!("this token is held to the project `{own}`: leave `all_projects` out");
            return Err(Refusal::new(Kind::PermissionDenied, message).param("all_projects"));
        }
        let (from, to) = times(self.from.as_deref(), self.to.as_deref(), admin.app.clock.now())?;
        Ok(AuditFilter {
            project: (!self.all_projects).then(|| allowed.project.clone()),
            who: self.who,
            action: self.action,
            target: self.target,
            from,
            to,
        })
    }
}

/// List changes, newest first
///
/// Of everything this API changes: one entry for each, written with the change or not at all.
#[utoipa::path(
    get, path = "/audit", tag = "audit", params(AuditQuery),
    responses((status = 200, description = "A page of changes", body = List<Entry>)),
)]
async fn list_audit(
    mut allowed: Allowed<Read, AuditQuery>,
    State(admin): State<Admin>,
) -> Result<Json<List<Entry>>, Refusal> {
    let asked = &mut allowed.asked;
    let paging = paging(asked.limit, asked.cursor.take())?;
    let filter = asked.wanted().filter(&admin, &allowed)?;
    Ok(Json(admin.app.registry.list_audit(&filter, &paging).await?.into()))
}

/// Get the end of the chain
///
/// Keep it where whoever owns the database cannot write: with it `weir audit verify --anchor` finds that the whole
/// chain was rewritten, which the chain in itself cannot show.
#[utoipa::path(
    get, path = "/audit/head", tag = "audit",
    responses((status = 200, description = "The last entry's number and hash", body = Head)),
)]
async fn audit_head(_allowed: Allowed<Read>, State(admin): State<Admin>) -> Result<Json<Head>, Refusal> {
    let (AuditHead { number, hash }, _) = admin.app.registry.audit_head().await?;
    Ok(Json(Head { number, hash }))
}
