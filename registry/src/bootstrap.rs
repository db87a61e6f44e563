//! The first start: an admin token and a virtual key to begin with; and those handed in by the environment.

use serde_json::json;
use vocab::{Secret, Time};

use crate::audit::{self, Entry};
use crate::credentials::{KEY_PREFIX, TOKEN_PREFIX, generate, hash, hint};
use crate::db::{Result, Row, Writing, args};
use crate::keys::{KeyScope, NewKey};
use crate::roles::{Role, Who};
use crate::tokens::{BOOTSTRAP_OWNER, NewToken, TokenScope};
use crate::{Registry, StoreError, keys, tokens};

/// The one project that is always there.
pub const DEFAULT_PROJECT: &str = "default";

/// What the start of the gateway made.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    /// The admin token, when one was generated just now: the only time that it is shown.
    pub admin_token: Option<Secret>,
    /// The virtual key, when one was generated just now: the only time that it is shown.
    pub api_key: Option<Secret>,
    /// Whether the registry had neither keys nor tokens before.
    pub fresh: bool,
}

struct Start {
    admin_token: Option<(Secret, Origin)>,
    api_key: Option<(Secret, Origin)>,
    now: Time,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// Made here, to be shown once.
    Issued,
    /// Handed in; there is one such row, and it follows what is handed in.
    Environment,
}

impl Registry {
    /// Makes an admin token and a virtual key if there are none at all; those handed in are used instead, and
    /// are accepted from every start on, until others are handed in.
    pub async fn bootstrap(
        &self,
        admin_token: Option<&Secret>,
        api_key: Option<&Secret>,
    ) -> Result<Bootstrap> {
        if self.away().is_some() {
            // A copy is served, so there are keys; others handed in are taken when the database is back at a start.
            return Ok(Bootstrap { admin_token: None, api_key: None, fresh: false });
        }
        let now = self.clock().now();
        let fresh = self.is_fresh().await?;
        let admin_token = self.token_to_begin_with(admin_token, fresh, now)?;
        let api_key = self.key_to_begin_with(api_key, fresh, now)?;
        let generated = |made: &Option<(Secret, Origin)>| {
            made.as_ref().filter(|(_, origin)| *origin == Origin::Issued).map(|(secret, _)| secret.clone())
        };
        let made = Bootstrap { admin_token: generated(&admin_token), api_key: generated(&api_key), fresh };
        if admin_token.is_some() || api_key.is_some() {
            let start = Start { admin_token, api_key, now };
            self.write(start, |writing, start| Box::pin(begin(writing, start))).await?;
        }
        Ok(made)
    }

    async fn is_fresh(&self) -> Result<bool> {
        let key = self.db().maybe("SELECT id FROM virtual_key LIMIT 1", args![]).await?;
        let token = self.db().maybe("SELECT id FROM admin_token LIMIT 1", args![]).await?;
        Ok(key.is_none() && token.is_none())
    }

    /// The token to store, unless it is in place already.
    fn token_to_begin_with(
        &self,
        given: Option<&Secret>,
        fresh: bool,
        now: Time,
    ) -> Result<Option<(Secret, Origin)>> {
        let Some(given) = given else {
            return fresh.then(|| Ok((generate(TOKEN_PREFIX)?, Origin::Issued))).transpose();
        };
        match self.snapshot().token(given.expose(), now) {
            Ok(token) if token.role == Role::Admin && token.project.is_none() => Ok(None),
            Ok(token) => Err(StoreError::Conflict(format!(
                "the admin token handed in is the secret of token `{}`, which is not an admin of all projects: \
                 hand in another",
                token.name
            ))),
            Err(_) => Ok(Some((given.clone(), Origin::Environment))),
        }
    }

    /// The key to store, unless it is in place already.
    fn key_to_begin_with(
        &self,
        given: Option<&Secret>,
        fresh: bool,
        now: Time,
    ) -> Result<Option<(Secret, Origin)>> {
        let Some(given) = given else {
            return fresh.then(|| Ok((generate(KEY_PREFIX)?, Origin::Issued))).transpose();
        };
        let accepted = self.snapshot().authenticate(given.expose(), now).is_ok();
        Ok((!accepted).then(|| (given.clone(), Origin::Environment)))
    }
}

async fn begin(writing: &mut Writing, start: &Start) -> Result<()> {
    let weir = Who::new(Role::Admin, BOOTSTRAP_OWNER);
    if let Some((secret, origin)) = &start.admin_token
        && !(*origin == Origin::Environment && accept_token(writing, secret, &weir).await?)
    {
        let new = NewToken {
            name: origin.name().to_owned(),
            role: Role::Admin,
            project: None,
            scope: TokenScope::default(),
            owner: Some(BOOTSTRAP_OWNER.to_owned()),
            expires_at: None,
        };
        let insertion = tokens::Insertion::of(new, secret, &weir, start.now)?;
        tokens::insert(writing, &insertion, origin.as_str()).await?;
    }
    if let Some((secret, origin)) = &start.api_key
        && !(*origin == Origin::Environment && accept_key(writing, secret, &weir).await?)
    {
        let new = NewKey {
            name: origin.name().to_owned(),
            project: DEFAULT_PROJECT.to_owned(),
            scope: KeyScope::default(),
            expires_at: None,
        };
        let insertion = keys::Insertion::of(new, secret, &weir, start.now)?;
        keys::insert(writing, &insertion, origin.as_str()).await?;
    }
    Ok(())
}

/// Lets the row that has this secret, else the one from the environment, accept it. False when there is neither.
async fn accept_token(writing: &mut Writing, secret: &Secret, who: &Who) -> Result<bool> {
    let secret_hash = hash(secret.expose());
    let sql =
        "UPDATE admin_token SET expires_us = NULL, revoked_us = NULL, revision = $2 WHERE secret_hash = $1
               RETURNING id, name, project";
    let mut row = writing.tx.maybe(sql, args![secret_hash.as_slice(), writing.revision]).await?;
    if row.is_none() {
        let sql = "UPDATE admin_token SET secret_hash = $1, hint = $2, expires_us = NULL, revoked_us = NULL,
                                          revision = $3
                   WHERE origin = 'environment' RETURNING id, name, project";
        let values = args![secret_hash.as_slice(), hint(secret.expose()), writing.revision];
        row = writing.tx.maybe(sql, values).await?;
    }
    accepted(writing, who, "token.accepted", row).await
}

/// The same for keys.
async fn accept_key(writing: &mut Writing, secret: &Secret, who: &Who) -> Result<bool> {
    let secret_hash = hash(secret.expose());
    let sql =
        "UPDATE virtual_key SET expires_us = NULL, revoked_us = NULL, revision = $2 WHERE secret_hash = $1
               RETURNING id, name, project";
    let mut row = writing.tx.maybe(sql, args![secret_hash.as_slice(), writing.revision]).await?;
    if row.is_none() {
        let sql = "UPDATE virtual_key SET secret_hash = $1, hint = $2, expires_us = NULL, revoked_us = NULL,
                                          revision = $3
                   WHERE origin = 'environment' RETURNING id, name, project";
        let values = args![secret_hash.as_slice(), hint(secret.expose()), writing.revision];
        row = writing.tx.maybe(sql, values).await?;
    }
    accepted(writing, who, "key.accepted", row).await
}

async fn accepted(writing: &mut Writing, who: &Who, action: &'static str, row: Option<Row>) -> Result<bool> {
    let Some(row) = row else { return Ok(false) };
    let project = row.maybe_text("project")?.unwrap_or_else(|| audit::NO_PROJECT.to_owned());
    let (target, detail) = (row.text("id")?, json!({"name": row.text("name")?}));
    audit::note(writing, who, &project, Entry { action, target: &target, detail }).await?;
    Ok(true)
}

impl Origin {
    /// The word in the store.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Environment => "environment",
        }
    }

    /// What the row is called.
    const fn name(self) -> &'static str {
        match self {
            Self::Issued => "first start",
            Self::Environment => "environment",
        }
    }
}
