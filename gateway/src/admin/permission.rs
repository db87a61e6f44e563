//! Who may do what: a token's role, checked by the type a route takes.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::request::Parts;
use registry::{AdminToken, KeyRefusal, Permission, Who};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Admin, given};
use crate::call::authenticate;
use crate::refusal::{Kind, Refusal};

/// A permission as a type.
pub(super) trait Demand: Send {
    /// The permission.
    const PERMISSION: Permission;
}

macro_rules! demands {
    ($($name:ident => $says:literal),+ $(,)?) => {$(
        #[doc = $says]
        pub(super) enum $name {}
        impl Demand for $name {
            const PERMISSION: Permission = Permission::$name;
        }
    )+};
}
demands! {
    Read => "Any role.",
    WritePrompts => "Editors and above.",
    Annotate => "Editors and above.",
    Release => "Releasers and above.",
    Operate => "Admins.",
    WritePolicies => "Admins.",
    WriteAlerts => "Editors and above.",
    WriteWebhooks => "Admins.",
    Administer => "Admins.",
}

/// Somebody whose token has the permission `P` in a project, and what they ask for in the query.
///
/// It cannot be made otherwise, so a route that takes one cannot forget to check, and every route refuses query
/// parameters it does not know.
pub(super) struct Allowed<P, Q = Nothing> {
    /// Who they are, for the registry.
    pub(super) who: Who,
    /// Their token.
    pub(super) token: Arc<AdminToken>,
    /// The project they act on.
    pub(super) project: Arc<str>,
    /// What the query asks for.
    pub(super) asked: Q,
    permission: PhantomData<P>,
}

impl<P, Q> Allowed<P, Q> {
    /// Refuses a token that is held to a project, where what is asked for concerns all of them.
    pub(super) fn everywhere(&self) -> Result<(), Refusal> {
        let Some(own) = self.token.project.as_deref() else { return Ok(()) };
        let message = format!(
            "this token is held to the project `{own}`, and this concerns all projects: use one that is not held"
        );
        Err(Refusal::new(Kind::PermissionDenied, message))
    }
}

/// A query without parameters.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

impl<P: Demand, Q: DeserializeOwned + Send> FromRequestParts<Admin> for Allowed<P, Q> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, admin: &Admin) -> Result<Self, Refusal> {
        let token = token(admin, &parts.headers)?;
        let who = token.who();
        who.require(P::PERMISSION)?;
        let (project, asked) = given::query(&parts.uri)?;
        let project = self::project(admin, &token, project.as_deref())?;
        Ok(Self { who, token, project, asked, permission: PhantomData })
    }
}

/// The admin token a request shows.
pub(super) fn token(admin: &Admin, headers: &HeaderMap) -> Result<Arc<AdminToken>, Refusal> {
    let refused = |message| Err(Refusal::new(Kind::InvalidApiKey, message));
    let Some(secret) = authenticate::secret(headers) else {
        return refused("no admin token: send one as `Authorization: Bearer wt-…`");
    };
    let (snapshot, now) = (admin.app.registry.snapshot(), admin.app.clock.now());
    match snapshot.token(secret, now) {
        Ok(token) => Ok(Arc::clone(token)),
        Err(KeyRefusal::Unknown) if snapshot.authenticate(secret, now).is_ok() => {
            refused("this is a virtual key, which calls models: the admin API takes an admin token (`wt-…`)")
        }
        Err(KeyRefusal::Unknown) => {
            refused("wrong admin token: check that it is complete and meant for this gateway")
        }
        Err(KeyRefusal::Expired) => refused("this admin token has expired: ask an admin for a new one"),
        Err(KeyRefusal::Revoked) => refused("this admin token was revoked: ask an admin for a new one"),
    }
}

/// The project that is asked for, or the one the token is held to, or `default`.
pub(super) fn project(admin: &Admin, token: &AdminToken, asked: Option<&str>) -> Result<Arc<str>, Refusal> {
    let Some(asked) = asked else {
        return Ok(token.project.clone().unwrap_or_else(|| Arc::clone(&admin.app.default_project)));
    };
    if !token.reaches(asked) {
        let own = token.project.as_deref().unwrap_or_default();
        let message =
            format!("this token is held to the project `{own}`: leave `project` out, or use another token");
        return Err(Refusal::new(Kind::PermissionDenied, message).param("project"));
    }
    if !admin.app.registry.snapshot().has_project(asked) {
        let message = format!(
            "there is no project `{}`: GET /api/v1/projects lists those there are",
            asked.escape_debug()
        );
        return Err(Refusal::new(Kind::NotFound, message).param("project"));
    }
    Ok(asked.into())
}
