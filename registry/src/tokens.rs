//! Admin tokens: what people and programs manage the registry with, each with a role and an owner.

mod scope;

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};
use vocab::id::Token;
use vocab::{Id, Page, Secret, Time};

pub use scope::TokenScope;

use crate::audit::{self, Entry};
use crate::credentials::{SecretHash, TOKEN_PREFIX, generate, hash, hint};
use crate::db::{Result, Row, Writing, args, to_json};
use crate::keys::{Issued, NAME_BYTES, check_expiry, check_name};
use crate::paging::Paging;
use crate::projects::check_open;
use crate::prompts::names::check_line;
use crate::roles::{Permission, Role, Who};
use crate::{Registry, StoreError};

/// An admin token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AdminToken {
    /// Stays.
    pub id: Id<Token>,
    /// What people call it.
    pub name: Arc<str>,
    /// What it may do.
    pub role: Role,
    /// The one project it is held to; all when absent.
    pub project: Option<Arc<str>>,
    /// What it may change.
    pub scope: TokenScope,
    /// Who answers for what it does.
    pub owner: Arc<str>,
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
}

impl AdminToken {
    /// Whoever uses this token.
    pub fn who(&self) -> Who {
        Who {
            role: self.role,
            owner: Arc::clone(&self.owner),
            token: Some(self.id),
            project: self.project.clone(),
            scope: (!self.scope.is_open()).then(|| Arc::new(self.scope.clone())),
        }
    }

    /// Whether it reaches a project.
    pub fn reaches(&self, project: &str) -> bool {
        self.project.as_deref().is_none_or(|own| own == project)
    }
}

/// An admin token to issue.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The one project it is held to.
    pub project: Option<String>,
    /// What it may change.
    pub scope: TokenScope,
    /// Who answers for what it does; the maker when absent, the new name when the bootstrap token makes it.
    pub owner: Option<String>,
    /// When it stops working by itself.
    pub expires_at: Option<Time>,
}

/// The owner of the tokens that come with the first start or from the environment.
pub const BOOTSTRAP_OWNER: &str = "bootstrap";

/// The columns [`read`] reads.
macro_rules! columns {
    () => {
        "id, name, role, project, folders, labels, owner, hint, created_by, created_us, expires_us, revoked_us, revision"
    };
}

const BY_ID: &str = concat!("SELECT ", columns!(), " FROM admin_token WHERE id = $1 LIMIT 1");
const PAGE: &str =
    concat!("SELECT ", columns!(), " FROM admin_token WHERE id < $1 ORDER BY id DESC LIMIT $2");
/// Tokens that changed after a revision, with their hashes.
pub(crate) const CHANGED: &str = concat!(
    "SELECT ",
    columns!(),
    ", secret_hash FROM admin_token WHERE (revision, id) > ($1, $2) ORDER BY revision, id LIMIT $3"
);

/// A token with all that is stored of it.
pub(crate) struct Insertion {
    token: AdminToken,
    secret_hash: SecretHash,
    maker: Who,
}

struct Revocation {
    id: Id<Token>,
    who: Who,
}

impl Registry {
    /// Makes a token. The answer is the only place that ever shows its secret.
    pub async fn issue_token(&self, new: NewToken, who: &Who) -> Result<Issued<AdminToken>> {
        who.require(Permission::Administer)?;
        let secret = generate(TOKEN_PREFIX)?;
        let insertion = Insertion::of(new, &secret, who, self.clock().now())?;
        let issued = self.write(insertion, |writing, it| Box::pin(insert(writing, it, "issued"))).await?;
        Ok(Issued { issued, secret })
    }

    /// One token by its id, revoked or not.
    pub async fn get_token(&self, id: Id<Token>) -> Result<AdminToken> {
        let row = self.db().maybe(BY_ID, args![id.to_string()]).await?;
        row.as_ref().map(read).transpose()?.ok_or_else(|| no_token(id))
    }

    /// A page of tokens, newest first, revoked ones too.
    pub async fn list_tokens(&self, paging: &Paging) -> Result<Page<AdminToken>> {
        // `g` follows every hex digit: a bound above every id.
        let before = paging.after()?.unwrap_or_else(|| "g".to_owned());
        let rows = self.db().all(PAGE, args![before, paging.rows()]).await?;
        let tokens = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
        Ok(paging.page(tokens, |token| token.id.to_string()))
    }

    /// Takes a token back for good. Doing it again changes nothing.
    pub async fn revoke_token(&self, id: Id<Token>, who: &Who) -> Result<AdminToken> {
        who.require(Permission::Administer)?;
        let revocation = Revocation { id, who: who.clone() };
        self.write(revocation, |writing, it| Box::pin(revoke(writing, it))).await
    }
}

impl Insertion {
    pub(crate) fn of(new: NewToken, secret: &Secret, maker: &Who, now: Time) -> Result<Self> {
        check_name(&new.name)?;
        check_expiry(new.expires_at, now)?;
        let scope = new.scope.checked()?;
        check_role(new.role, &scope)?;
        if let Some(owner) = &new.owner {
            check_line("owner", owner, NAME_BYTES)?;
        }
        let name: Arc<str> = new.name.into();
        let owner = match new.owner.filter(|owner| !owner.trim().is_empty()) {
            Some(owner) => owner.into(),
            // The bootstrap token stands for nobody: what it makes answers for itself.
            None if &*maker.owner == BOOTSTRAP_OWNER => Arc::clone(&name),
            None => Arc::clone(&maker.owner),
        };
        let token = AdminToken {
            id: Id::at(now),
            name,
            role: new.role,
            project: new.project.map(Arc::from),
            scope,
            owner,
            hint: hint(secret.expose()).into(),
            created_by: Arc::clone(&maker.owner),
            created_at: now,
            expires_at: new.expires_at,
            revoked_at: None,
        };
        Ok(Self { token, secret_hash: hash(secret.expose()), maker: maker.clone() })
    }
}

pub(crate) async fn insert(writing: &mut Writing, it: &Insertion, origin: &str) -> Result<AdminToken> {
    let token = &it.token;
    if let Some(project) = &token.project {
        check_open(&mut writing.tx, project).await?;
    }
    let sql =
        "INSERT INTO admin_token (id, name, role, project, owner, secret_hash, hint, origin, created_by,
                                        created_us, expires_us, revoked_us, revision, folders, labels)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    let values = args![
        token.id.to_string(),
        &*token.name,
        token.role.as_str(),
        token.project.as_deref(),
        &*token.owner,
        it.secret_hash.as_slice(),
        &*token.hint,
        origin,
        &*token.created_by,
        token.created_at.micros(),
        token.expires_at.map(Time::micros),
        None::<i64>,
        writing.revision,
        token.scope.folders.as_ref().map(to_json).transpose()?,
        token.scope.labels.as_ref().map(to_json).transpose()?
    ];
    writing.tx.run(sql, values).await?;
    let detail = json!({
        "name": token.name, "role": token.role, "folders": token.scope.folders, "labels": token.scope.labels,
        "owner": token.owner, "expires_at": token.expires_at, "origin": origin,
    });
    note(writing, &it.maker, token, ("token.issued", detail)).await?;
    Ok(token.clone())
}

async fn revoke(writing: &mut Writing, Revocation { id, who }: &Revocation) -> Result<AdminToken> {
    let (id, now) = (*id, writing.now);
    let row = writing.tx.maybe(BY_ID, args![id.to_string()]).await?;
    let mut token = row.as_ref().map(read).transpose()?.ok_or_else(|| no_token(id))?;
    if token.revoked_at.is_some() {
        return Ok(token);
    }
    token.revoked_at = Some(now);
    let sql = "UPDATE admin_token SET revoked_us = $2, revision = $3 WHERE id = $1";
    writing.tx.run(sql, args![id.to_string(), now.micros(), writing.revision]).await?;
    note(writing, who, &token, ("token.revoked", json!({"name": token.name}))).await?;
    Ok(token)
}

async fn note(
    writing: &mut Writing,
    who: &Who,
    token: &AdminToken,
    (action, detail): (&'static str, Value),
) -> Result<()> {
    let project = token.project.as_deref().unwrap_or(audit::NO_PROJECT);
    audit::note(writing, who, project, Entry { action, target: &token.id.to_string(), detail }).await
}

/// Reads the columns of a token.
pub(crate) fn read(row: &Row) -> Result<AdminToken> {
    Ok(AdminToken {
        id: row.parsed("id")?,
        name: row.text("name")?.into(),
        role: row.parsed("role")?,
        project: row.maybe_text("project")?.map(Arc::from),
        scope: TokenScope { folders: row.maybe_json("folders")?, labels: row.maybe_json("labels")? },
        owner: row.text("owner")?.into(),
        hint: row.text("hint")?.into(),
        created_by: row.text("created_by")?.into(),
        created_at: row.time("created_us")?,
        expires_at: row.maybe_time("expires_us")?,
        revoked_at: row.maybe_time("revoked_us")?,
    })
}

/// Refuses scopes that would hold nobody: a viewer changes no prompt, and an admin makes tokens without scopes.
fn check_role(role: Role, scope: &TokenScope) -> Result<()> {
    let given = [("folders", scope.folders.is_some()), ("labels", scope.labels.is_some())];
    let Some((field, _)) = given.into_iter().find(|(_, given)| *given) else { return Ok(()) };
    match role {
        Role::Editor | Role::Releaser => Ok(()),
        Role::Viewer | Role::Admin => {
            let message =
                format!("`{field}` hold an editor or a releaser: a token with role {role} has none");
            Err(StoreError::invalid(field, message))
        }
    }
}

fn no_token(id: Id<Token>) -> StoreError {
    StoreError::Missing(format!("there is no token `{id}`"))
}
