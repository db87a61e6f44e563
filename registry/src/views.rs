//! Saved views: searches, reports and lists of traces under a name, shared by everyone in a project.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vocab::id::View;
use vocab::{Id, Page, Time};

use crate::audit::{self, Entry};
use crate::db::{Result, Row, Writing, args, to_json};
use crate::keys::check_name;
use crate::paging::Paging;
use crate::projects::check_open;
use crate::prompts::names::check_text;
use crate::roles::{Permission, Who};
use crate::{Registry, StoreError};

/// The longest search text, in bytes; the parser of search texts takes no more either.
const Q_BYTES: usize = 8 * 1024;
/// The most columns of a list.
const COLUMNS: usize = 100;
/// The longest name of a column, and the longest time, in bytes.
const WORD_BYTES: usize = 256;
/// The largest report, as JSON, in bytes.
const REPORT_BYTES: usize = 16 * 1024;
/// The most views of a project.
const VIEWS: i64 = 10_000;

/// A saved view.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedView {
    /// Stays.
    pub id: Id<View>,
    /// The project it belongs to.
    pub project: Arc<str>,
    /// What people call it, once in a project.
    pub name: String,
    /// What it shows.
    pub kind: ViewKind,
    /// How it shows it.
    pub content: ViewContent,
    /// Who saved it.
    pub created_by: String,
    /// When.
    pub created_at: Time,
    /// Who changed it last.
    pub updated_by: String,
    /// When.
    pub updated_at: Time,
    /// Changes with every change.
    pub revision: i64,
}

/// What a view shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ViewKind {
    /// A list of calls.
    Calls,
    /// A report.
    Report,
    /// A list of traces.
    Traces,
}

impl ViewKind {
    /// The word used in JSON and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Report => "report",
            Self::Traces => "traces",
        }
    }

    fn read(word: &str) -> Result<Self> {
        let all = [Self::Calls, Self::Report, Self::Traces];
        all.into_iter().find(|kind| kind.as_str() == word).ok_or_else(|| StoreError::unreadable("kind"))
    }
}

/// How a view shows what it shows. Whether a search or a report makes sense is judged where it is run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ViewContent {
    /// The search text.
    pub q: String,
    /// The columns of a list, in order; all when absent.
    pub columns: Option<Vec<String>>,
    /// The earliest time, as people write it: `-7d` stays seven days ago.
    pub from: Option<String>,
    /// The latest time.
    pub to: Option<String>,
    /// The report: measures, groups, interval.
    pub report: Option<Value>,
}

/// A view to save.
#[derive(Clone, Debug, PartialEq)]
pub struct NewView {
    /// What people will call it.
    pub name: String,
    /// What it shows.
    pub kind: ViewKind,
    /// How.
    pub content: ViewContent,
}

/// What to change of a view; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ViewChange {
    /// A new name.
    pub name: Option<String>,
    /// All of what it shows.
    pub content: Option<ViewContent>,
    /// Refuse unless it still has this revision.
    pub expected_revision: Option<i64>,
}

/// The columns [`read`] reads.
macro_rules! columns {
    () => {
        "id, project, name, kind, content, created_by, created_us, updated_by, updated_us, revision"
    };
}

const BY_ID: &str = concat!("SELECT ", columns!(), " FROM saved_view WHERE id = $1 AND project = $2 LIMIT 1");
const PAGE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM saved_view WHERE project = $1 AND name > $2 AND ($3 IS NULL OR kind = $3) ORDER BY name LIMIT $4"
);

struct Creation {
    project: Arc<str>,
    new: NewView,
    who: Who,
    now: Time,
}

struct Update {
    project: Arc<str>,
    id: Id<View>,
    change: ViewChange,
    who: Who,
    now: Time,
}

struct Deletion {
    project: Arc<str>,
    id: Id<View>,
    expected_revision: Option<i64>,
    who: Who,
}

impl Registry {
    /// Saves a view.
    pub async fn create_view(&self, project: &str, new: NewView, who: &Who) -> Result<SavedView> {
        who.require(Permission::Annotate)?;
        check_name(&new.name)?;
        new.content.check()?;
        let now = self.clock().now();
        let creation = Creation { project: project.into(), new, who: who.clone(), now };
        self.write(creation, |writing, it| Box::pin(create(writing, it))).await
    }

    /// One view of a project.
    pub async fn get_view(&self, project: &str, id: Id<View>) -> Result<SavedView> {
        let row = self.db().maybe(BY_ID, args![id.to_string(), project]).await?;
        row.as_ref().map(read).transpose()?.ok_or_else(|| no_view(id))
    }

    /// A page of a project's views by name, of one kind or of all.
    pub async fn list_views(
        &self,
        project: &str,
        kind: Option<ViewKind>,
        paging: &Paging,
    ) -> Result<Page<SavedView>> {
        let after = paging.after()?.unwrap_or_default();
        let kind = kind.map(ViewKind::as_str);
        let rows = self.db().all(PAGE, args![project, after, kind, paging.rows()]).await?;
        let views = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
        Ok(paging.page(views, |view| view.name.clone()))
    }

    /// Changes a view.
    pub async fn update_view(
        &self,
        project: &str,
        id: Id<View>,
        change: ViewChange,
        who: &Who,
    ) -> Result<SavedView> {
        who.require(Permission::Annotate)?;
        change.name.as_deref().map_or(Ok(()), check_name)?;
        change.content.as_ref().map_or(Ok(()), ViewContent::check)?;
        let now = self.clock().now();
        let update = Update { project: project.into(), id, change, who: who.clone(), now };
        self.write(update, |writing, update| Box::pin(apply(writing, update))).await
    }

    /// Deletes a view.
    pub async fn delete_view(
        &self,
        project: &str,
        id: Id<View>,
        expected_revision: Option<i64>,
        who: &Who,
    ) -> Result<()> {
        who.require(Permission::Annotate)?;
        let deletion = Deletion { project: project.into(), id, expected_revision, who: who.clone() };
        self.write(deletion, |writing, it| Box::pin(delete(writing, it))).await
    }
}

impl ViewContent {
    fn check(&self) -> Result<()> {
        check_text("q", &self.q, Q_BYTES)?;
        for (field, text) in [("from", &self.from), ("to", &self.to)] {
            check_text(field, text.as_deref().unwrap_or_default(), WORD_BYTES)?;
        }
        let columns = self.columns.as_deref().unwrap_or_default();
        if columns.len() > COLUMNS {
            return Err(StoreError::invalid("columns", format!("a view has at most {COLUMNS} columns")));
        }
        for column in columns {
            check_text("columns", column, WORD_BYTES)?;
        }
        if let Some(report) = &self.report {
            check_text("report", &to_json(report)?, REPORT_BYTES)?;
        }
        Ok(())
    }
}

async fn create(writing: &mut Writing, it: &Creation) -> Result<SavedView> {
    check_open(&mut writing.tx, &it.project).await?;
    let count = "SELECT COUNT(*) AS views FROM saved_view WHERE project = $1 LIMIT 1";
    let row = writing.tx.maybe(count, args![&*it.project]).await?;
    if row.map(|row| row.int("views")).transpose()?.unwrap_or_default() >= VIEWS {
        return Err(StoreError::Conflict(format!("a project has at most {VIEWS} views: delete one first")));
    }
    let view = SavedView {
        id: Id::at(it.now),
        project: Arc::clone(&it.project),
        name: it.new.name.clone(),
        kind: it.new.kind,
        content: it.new.content.clone(),
        created_by: it.who.owner.to_string(),
        created_at: it.now,
        updated_by: it.who.owner.to_string(),
        updated_at: it.now,
        revision: writing.revision,
    };
    let sql = "INSERT INTO saved_view (id, project, name, kind, content, created_by, created_us, updated_by,
                                       updated_us, revision)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $6, $7, $8) ON CONFLICT (project, name) DO NOTHING";
    let values = args![
        view.id.to_string(),
        &*view.project,
        &*view.name,
        view.kind.as_str(),
        to_json(&view.content)?,
        &*view.created_by,
        it.now.micros(),
        view.revision
    ];
    if writing.tx.run(sql, values).await? == 0 {
        return Err(taken(&view.name));
    }
    note(writing, &it.who, &view, ("view.created", described(&view))).await?;
    Ok(view)
}

async fn apply(writing: &mut Writing, update: &Update) -> Result<SavedView> {
    let mut view = get(writing, &update.project, update.id).await?;
    judge(&view, update.change.expected_revision)?;
    let before = described(&view);
    if let Some(name) = &update.change.name {
        view.name.clone_from(name);
    }
    if let Some(content) = &update.change.content {
        view.content = content.clone();
    }
    view.updated_by = update.who.owner.to_string();
    view.updated_at = update.now;
    view.revision = writing.revision;
    let other = "SELECT id FROM saved_view WHERE project = $1 AND name = $2 AND id <> $3 LIMIT 1";
    let id = view.id.to_string();
    if writing.tx.maybe(other, args![&*view.project, &*view.name, &*id]).await?.is_some() {
        return Err(taken(&view.name));
    }
    let sql = "UPDATE saved_view SET name = $2, content = $3, updated_by = $4, updated_us = $5, revision = $6
               WHERE id = $1";
    let content = to_json(&view.content)?;
    let values = args![id, &*view.name, content, &*view.updated_by, update.now.micros(), view.revision];
    writing.tx.run(sql, values).await?;
    let changes = audit::changes(&before, &described(&view));
    note(writing, &update.who, &view, ("view.changed", json!({"name": view.name, "changes": changes})))
        .await?;
    Ok(view)
}

async fn delete(writing: &mut Writing, it: &Deletion) -> Result<()> {
    let view = get(writing, &it.project, it.id).await?;
    judge(&view, it.expected_revision)?;
    writing.tx.run("DELETE FROM saved_view WHERE id = $1", args![it.id.to_string()]).await?;
    note(writing, &it.who, &view, ("view.deleted", json!({"name": view.name}))).await
}

/// What the audit keeps of a view.
fn described(view: &SavedView) -> Value {
    json!({"name": view.name, "kind": view.kind, "content": view.content})
}

async fn note(
    writing: &mut Writing,
    who: &Who,
    view: &SavedView,
    (action, detail): (&'static str, Value),
) -> Result<()> {
    audit::note(writing, who, &view.project, Entry { action, target: &view.id.to_string(), detail }).await
}

async fn get(writing: &mut Writing, project: &str, id: Id<View>) -> Result<SavedView> {
    let row = writing.tx.maybe(BY_ID, args![id.to_string(), project]).await?;
    row.as_ref().map(read).transpose()?.ok_or_else(|| no_view(id))
}

fn judge(view: &SavedView, expected_revision: Option<i64>) -> Result<()> {
    if expected_revision.is_none_or(|expected| expected == view.revision) {
        return Ok(());
    }
    let message = format!("view `{}` was changed meanwhile by {}: read it again", view.name, view.updated_by);
    Err(StoreError::Stale { message, current: None })
}

fn read(row: &Row) -> Result<SavedView> {
    Ok(SavedView {
        id: row.parsed("id")?,
        project: row.text("project")?.into(),
        name: row.text("name")?,
        kind: ViewKind::read(&row.text("kind")?)?,
        content: row.json("content")?,
        created_by: row.text("created_by")?,
        created_at: row.time("created_us")?,
        updated_by: row.text("updated_by")?,
        updated_at: row.time("updated_us")?,
        revision: row.int("revision")?,
    })
}

fn no_view(id: Id<View>) -> StoreError {
    StoreError::Missing(format!("there is no view `{id}`"))
}

fn taken(name: &str) -> StoreError {
    StoreError::Taken(format!(
        "a view named `{name}` is there already: change that one, or take another name"
    ))
}
