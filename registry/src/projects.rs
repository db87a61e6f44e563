//! Projects: walls between what is defined and recorded. Everything belongs to one and nothing crosses it.
//!
//! A project keeps its name for life, since records carry it, and is archived rather than deleted, once nothing in it
//! works any more.

use std::sync::Arc;

use serde_json::{Value, json};
use vocab::{Page, Time};

use crate::audit::{self, Entry};
use crate::db::{Result, Row, Tx, Writing, args};
use crate::paging::Paging;
use crate::prompts::names::check_text;
use crate::roles::{Permission, Who};
use crate::{DEFAULT_PROJECT, Registry, StoreError};

/// The longest name, in bytes.
const NAME_BYTES: usize = 63;
/// The longest description, in bytes.
const DESCRIPTION_BYTES: usize = 2_000;
/// The most projects, archived ones included.
pub(crate) const PROJECTS: i64 = 10_000;

/// A project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// What it is called, for life.
    pub name: Arc<str>,
    /// What it is for.
    pub description: String,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Time,
    /// When it was changed last.
    pub updated_at: Time,
    /// When it was archived.
    pub archived_at: Option<Time>,
    /// Grows with every change.
    pub revision: i64,
}

/// A project to make.
#[derive(Clone, Debug)]
pub struct NewProject {
    /// What it is called, for life.
    pub name: String,
    /// What it is for.
    pub description: String,
}

/// What to change of a project; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct ProjectChange {
    /// What it is for.
    pub description: Option<String>,
    /// Whether it is archived.
    pub archived: Option<bool>,
    /// Refuse unless it still has this revision.
    pub expected_revision: Option<i64>,
}

/// Which projects to list.
#[derive(Clone, Debug, Default)]
pub struct ProjectFilter {
    /// Only the one of this name.
    pub name: Option<Arc<str>>,
    /// Archived ones instead of the others.
    pub archived: bool,
}

/// The columns [`read`] reads.
macro_rules! columns {
    () => {
        "name, description, created_by, created_us, updated_us, archived_us, revision"
    };
}

const BY_NAME: &str = concat!("SELECT ", columns!(), " FROM project WHERE name = $1 LIMIT 1");
const PAGE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM project WHERE name > $1 AND ($2 IS NULL OR name = $2) AND (archived_us IS NOT NULL) = $3 \
     ORDER BY name LIMIT $4"
);

struct Creation {
    new: NewProject,
    who: Who,
}

struct Update {
    name: String,
    change: ProjectChange,
    who: Who,
}

impl Registry {
    /// Makes a project.
    pub async fn create_project(&self, new: NewProject, who: &Who) -> Result<Project> {
        who.require(Permission::Administer)?;
        check_name(&new.name)?;
        check_text("description", &new.description, DESCRIPTION_BYTES)?;
        let creation = Creation { new, who: who.clone() };
        self.write(creation, |writing, it| Box::pin(create(writing, it))).await
    }

    /// One project by its name, archived or not.
    pub async fn get_project(&self, name: &str) -> Result<Project> {
        let row = self.db().maybe(BY_NAME, args![name]).await?;
        row.as_ref().map(read).transpose()?.ok_or_else(|| no_project(name))
    }

    /// A page of projects by name.
    pub async fn list_projects(&self, filter: &ProjectFilter, paging: &Paging) -> Result<Page<Project>> {
        let after = paging.after()?.unwrap_or_default();
        let values = args![after, filter.name.as_deref(), filter.archived, paging.rows()];
        let rows = self.db().all(PAGE, values).await?;
        let projects = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
        Ok(paging.page(projects, |project| project.name.to_string()))
    }

    /// Describes, archives or restores a project. Only one in which nothing works any more is archived.
    pub async fn update_project(&self, name: &str, change: ProjectChange, who: &Who) -> Result<Project> {
        who.require(Permission::Administer)?;
        check_text("description", change.description.as_deref().unwrap_or_default(), DESCRIPTION_BYTES)?;
        let update = Update { name: name.to_owned(), change, who: who.clone() };
        self.write(update, |writing, update| Box::pin(apply(writing, update))).await
    }
}

async fn create(writing: &mut Writing, it: &Creation) -> Result<Project> {
    let row = writing.tx.maybe("SELECT COUNT(*) AS projects FROM project LIMIT 1", args![]).await?;
    if row.map_or(Ok(0), |row| row.int("projects"))? >= PROJECTS {
        return Err(StoreError::Conflict(format!(
            "there are {PROJECTS} projects already, and no more are made"
        )));
    }
    let project = Project {
        name: it.new.name.as_str().into(),
        description: it.new.description.clone(),
        created_by: it.who.owner.to_string(),
        created_at: writing.now,
        updated_at: writing.now,
        archived_at: None,
        revision: writing.revision,
    };
    let sql =
        "INSERT INTO project (name, description, created_by, created_us, updated_us, archived_us, revision)
               VALUES ($1, $2, $3, $4, $4, NULL, $5) ON CONFLICT (name) DO NOTHING";
    let values = args![
        &*project.name,
        &*project.description,
        &*project.created_by,
        writing.now.micros(),
        writing.revision
    ];
    if writing.tx.run(sql, values).await? == 0 {
        let message = format!("there is a project `{}` already, maybe an archived one", project.name);
        return Err(StoreError::Taken(message));
    }
    note(writing, &it.who, &project, ("project.created", described(&project))).await?;
    Ok(project)
}

async fn apply(writing: &mut Writing, update: &Update) -> Result<Project> {
    let Update { name, change, who } = update;
    let row = writing.tx.maybe(BY_NAME, args![&**name]).await?;
    let before = row.as_ref().map(read).transpose()?.ok_or_else(|| no_project(name))?;
    if change.expected_revision.is_some_and(|expected| expected != before.revision) {
        let message = format!("project `{name}` was changed meanwhile: read it again");
        return Err(StoreError::Stale { message, current: None });
    }
    let mut after = before.clone();
    if let Some(description) = &change.description {
        after.description.clone_from(description);
    }
    after.archived_at = match change.archived {
        None => before.archived_at,
        Some(false) => None,
        Some(true) if before.archived_at.is_some() => before.archived_at,
        Some(true) => {
            check_idle(writing, name).await?;
            Some(writing.now)
        }
    };
    (after.updated_at, after.revision) = (writing.now, writing.revision);
    let sql = "UPDATE project SET description = $2, archived_us = $3, updated_us = $4, revision = $5 WHERE name = $1";
    let archived_us = after.archived_at.map(Time::micros);
    let now = writing.now.micros();
    writing.tx.run(sql, args![&**name, &*after.description, archived_us, now, writing.revision]).await?;
    let action = match (before.archived_at, after.archived_at) {
        (None, Some(_)) => "project.archived",
        (Some(_), None) => "project.restored",
        _ => "project.changed",
    };
    let changes = audit::changes(&described(&before), &described(&after));
    note(writing, who, &after, (action, json!({ "changes": changes }))).await?;
    Ok(after)
}

/// Refuses to archive a project in which something still works.
async fn check_idle(writing: &mut Writing, name: &str) -> Result<()> {
    if name == DEFAULT_PROJECT {
        let message = format!("`{DEFAULT_PROJECT}` is where requests go that name no project: it stays");
        return Err(StoreError::Conflict(message));
    }
    let sql = "SELECT
        (SELECT COUNT(*) FROM prompt WHERE project = $1 AND archived_us IS NULL) AS prompts,
        (SELECT COUNT(*) FROM virtual_key WHERE project = $1 AND revoked_us IS NULL
             AND (expires_us IS NULL OR expires_us > $2)) AS keys,
        (SELECT COUNT(*) FROM admin_token WHERE project = $1 AND revoked_us IS NULL
             AND (expires_us IS NULL OR expires_us > $2)) AS tokens,
        (SELECT COUNT(*) FROM alert WHERE project = $1) AS alerts,
        (SELECT COUNT(*) FROM webhook WHERE project = $1) AS webhooks LIMIT 1";
    let row = writing.tx.maybe(sql, args![name, writing.now.micros()]).await?;
    let row = row.ok_or_else(|| no_project(name))?;
    let mut there = Vec::new();
    for kind in ["prompts", "keys", "tokens", "alerts", "webhooks"] {
        let count = row.int(kind)?;
        if count > 0 {
            there.push(format!("{count} {kind}"));
        }
    }
    if there.is_empty() {
        return Ok(());
    }
    let there = there.join(", ");
    Err(StoreError::Conflict(format!(
        "project `{name}` still has {there}: archive, revoke or delete them first"
    )))
}

/// Refuses to put anything into a project that is not there, or archived.
pub(crate) async fn check_open(tx: &mut Tx, name: &str) -> Result<()> {
    let sql = "SELECT name FROM project WHERE name = $1 AND archived_us IS NULL LIMIT 1";
    match tx.maybe(sql, args![name]).await? {
        Some(_) => Ok(()),
        None => Err(no_project(name)),
    }
}

/// A name goes into queries, file names of exports and records: few characters, none of which needs encoding.
fn check_name(name: &str) -> Result<()> {
    let fits =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.');
    let starts = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if starts && name.len() <= NAME_BYTES && name.bytes().all(fits) {
        return Ok(());
    }
    let message = format!(
        "a project's name is 1 to {NAME_BYTES} of a-z, 0-9, `-`, `_` and `.`, and begins with a letter or a digit: \
         `{}` is not one",
        name.escape_debug()
    );
    Err(StoreError::invalid("name", message))
}

/// What the audit keeps of a project.
fn described(project: &Project) -> Value {
    json!({"description": project.description, "archived": project.archived_at.is_some()})
}

async fn note(
    writing: &mut Writing,
    who: &Who,
    project: &Project,
    (action, detail): (&'static str, Value),
) -> Result<()> {
    audit::note(writing, who, &project.name, Entry { action, target: &project.name, detail }).await
}

fn read(row: &Row) -> Result<Project> {
    Ok(Project {
        name: row.text("name")?.into(),
        description: row.text("description")?,
        created_by: row.text("created_by")?,
        created_at: row.time("created_us")?,
        updated_at: row.time("updated_us")?,
        archived_at: row.maybe_time("archived_us")?,
        revision: row.int("revision")?,
    })
}

pub(crate) fn no_project(name: &str) -> StoreError {
    StoreError::Missing(format!("there is no project `{}`", name.escape_debug()))
}
