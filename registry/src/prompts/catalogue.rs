//! Reading prompts: one by name or alias, or a page of a project's.

use std::sync::Arc;

use vocab::{Page, PromptName};

use super::labels::Labels;
use super::names::check_text;
use super::{Prompt, PromptFilter, PromptKind};
use crate::assignment::Splits;
use crate::db::{Result, Row, Tx, args};
use crate::paging::Paging;
use crate::projects::no_project;
use crate::snapshot::search::Search;
use crate::{Registry, StoreError};

/// The longest text that is searched for, in bytes.
const SEARCH_BYTES: usize = 1_000;

/// The columns [`read`] reads, from `prompt p`.
macro_rules! columns {
    () => {
        "p.id, p.project, p.name, p.kind, p.description, p.tags, p.aliases, p.latest, p.created_us, \
         p.updated_us, p.archived_us, p.revision, (SELECT string_agg(l.label || '=' || CAST(l.version AS \
         TEXT), ',') FROM label l WHERE l.prompt_id = p.id) AS labels, (SELECT string_agg(s.label || '=' || \
         s.split, '\n') FROM label_split s WHERE s.prompt_id = p.id) AS splits"
    };
}
pub(crate) use columns;

const FIND: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM prompt_name n JOIN prompt p ON p.id = n.prompt_id WHERE n.project = $1 AND n.name = $2 LIMIT 1"
);

impl Registry {
    /// The prompt that answers to this name or alias, archived or not.
    pub async fn find_prompt(&self, project: &str, name: &PromptName) -> Result<Option<Prompt>> {
        self.db().maybe(FIND, args![project, name.as_str()]).await?.as_ref().map(read).transpose()
    }

    /// The same, with an error that says what is missing.
    pub async fn get_prompt(&self, project: &str, name: &PromptName) -> Result<Prompt> {
        match self.find_prompt(project, name).await? {
            Some(prompt) => Ok(prompt),
            None => Err(self.missing(project, name).await?),
        }
    }

    /// A page of a project's prompts by name.
    pub async fn list_prompts(
        &self,
        project: &str,
        filter: &PromptFilter,
        paging: &Paging,
    ) -> Result<Page<Prompt>> {
        const LIST: &str = concat!(
            "SELECT ",
            columns!(),
            " FROM prompt p WHERE p.project = $1 AND p.name > $2 AND p.name >= $3 \
              AND ($4 IS NULL OR p.name < $4) \
              AND ($5 IS NULL OR EXISTS (SELECT 1 FROM prompt_tag t WHERE t.prompt_id = p.id AND t.tag = $5)) \
              AND (p.archived_us IS NOT NULL) = $6 ORDER BY p.name LIMIT $7"
        );
        if filter.text.as_deref().is_some_and(|text| !text.is_empty()) {
            return self.search_prompts(project, filter, paging).await;
        }
        let after = paging.after()?.unwrap_or_default();
        let (from, to) = folder_range(filter.folder.as_deref());
        let tag = filter.tag.as_deref();
        let values = args![project, after, from, to, tag, filter.archived, paging.rows()];
        let rows = self.db().all(LIST, values).await?;
        let prompts = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
        Ok(paging.page(prompts, |prompt| prompt.name.to_string()))
    }

    /// The same for a filter with a text, from memory.
    async fn search_prompts(
        &self,
        project: &str,
        filter: &PromptFilter,
        paging: &Paging,
    ) -> Result<Page<Prompt>> {
        check_text("q", filter.text.as_deref().unwrap_or_default(), SEARCH_BYTES)?;
        let (project, filter) = (project.to_owned(), filter.clone());
        let after = paging.after()?.unwrap_or_default();
        let search = Search { project, filter, after, limit: paging.rows() as usize };
        let snapshot = Arc::clone(&self.snapshot());
        // Not here: calls would wait for a look at a hundred thousand texts.
        let found = tokio::task::spawn_blocking(move || snapshot.search(&search)).await;
        let found = found.map_err(|died| StoreError::Unavailable(Box::new(died)))?;
        let page = paging.page(found, |prompt| prompt.name.to_string());
        Ok(Page {
            data: page.data.iter().map(|prompt| (**prompt).clone()).collect(),
            next_cursor: page.next_cursor,
        })
    }

    async fn missing(&self, project: &str, name: &PromptName) -> Result<StoreError> {
        let sql = "SELECT name FROM project WHERE name = $1 LIMIT 1";
        Ok(match self.db().maybe(sql, args![project]).await? {
            Some(_) => no_prompt(name),
            None => no_project(project),
        })
    }
}

/// Reads the columns of a prompt.
pub(crate) fn read(row: &Row) -> Result<Prompt> {
    let latest = row.number("latest")?;
    let kind = row.maybe_text("kind")?;
    Ok(Prompt {
        id: row.parsed("id")?,
        project: Arc::from(row.text("project")?),
        name: row.parsed("name")?,
        kind: kind.map(|kind| PromptKind::read(&kind)).transpose()?,
        description: row.text("description")?,
        tags: row.json("tags")?,
        aliases: row.json("aliases")?,
        labels: read_labels(row.maybe_text("labels")?.as_deref())?,
        splits: read_splits(row.maybe_text("splits")?.as_deref())?,
        latest: (latest > 0).then_some(latest),
        created_at: row.time("created_us")?,
        updated_at: row.time("updated_us")?,
        archived_at: row.maybe_time("archived_us")?,
        revision: row.int("revision")?,
    })
}

/// The prompt of that name inside a transaction.
pub(crate) async fn find(tx: &mut Tx, project: &str, name: &PromptName) -> Result<Option<Prompt>> {
    tx.maybe(FIND, args![project, name.as_str()]).await?.as_ref().map(read).transpose()
}

/// The same, or an error.
pub(crate) async fn get(tx: &mut Tx, project: &str, name: &PromptName) -> Result<Prompt> {
    find(tx, project, name).await?.ok_or_else(|| no_prompt(name))
}

pub(super) fn no_prompt(name: &PromptName) -> StoreError {
    StoreError::Missing(format!("there is no prompt `{name}`"))
}

fn read_labels(joined: Option<&str>) -> Result<Labels> {
    let pairs = joined.unwrap_or_default().split(',').filter(|pair| !pair.is_empty());
    let read = |pair: &str| {
        let (label, version) = pair.split_once('=')?;
        Some((label.parse().ok()?, version.parse().ok()?))
    };
    pairs.map(|pair| read(pair).ok_or_else(|| StoreError::unreadable("labels"))).collect()
}

/// Splits are lines of JSON, in which a line end is always escaped.
fn read_splits(joined: Option<&str>) -> Result<Splits> {
    let read = |line: &str| {
        let (label, split) = line.split_once('=')?;
        Some((label.parse().ok()?, serde_json::from_str(split).ok()?))
    };
    let lines = joined.unwrap_or_default().lines();
    lines.map(|line| read(line).ok_or_else(|| StoreError::unreadable("splits"))).collect()
}

/// The names in a folder, as the first possible one and the first beyond: `0` follows `/`.
fn folder_range(folder: Option<&str>) -> (String, Option<String>) {
    match folder.map(|folder| folder.trim_end_matches('/')) {
        None | Some("") => (String::new(), None),
        Some(folder) => (format!("{folder}/"), Some(format!("{folder}0"))),
    }
}
