//! Bringing a snapshot up to date: what changed since its revision is read in one transaction.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use tracing::error;
use vocab::Id;

use super::{Credentials, Entry, Shards, Snapshot};
use crate::StoreError;
use crate::credentials::SecretHash;
use crate::db::{Db, Result, Row, Tx, args};
use crate::projects::PROJECTS;
use crate::prompts::Prompt;
use crate::prompts::catalogue;
use crate::prompts::versions::{self, Version};
use crate::{keys, tokens};

/// Rows read at once.
const PAGE: i64 = 200;
/// The most versions that the prompts of one page can have in memory.
const PAGE_VERSIONS: i64 = 1_000_000;

type PromptId = Id<vocab::id::Prompt>;
type Versions = HashMap<(PromptId, u32), Arc<Version>>;

const REVISION: &str = "SELECT number FROM revision WHERE id = 1 LIMIT 1";
const PROMPTS: &str = concat!(
    "SELECT ",
    catalogue::columns!(),
    " FROM prompt p WHERE (p.revision, p.id) > ($1, $2) ORDER BY p.revision, p.id LIMIT $3"
);
/// Everything that the prompts of one page serve.
const SERVED: &str = concat!(
    "SELECT p.id AS prompt_id, ",
    versions::columns!(),
    " FROM prompt p JOIN version v ON v.prompt_id = p.id \
      WHERE (p.revision, p.id) >= ($1, $2) AND (p.revision, p.id) <= ($3, $4) \
      AND (v.number = p.latest OR EXISTS \
           (SELECT 1 FROM label l WHERE l.prompt_id = p.id AND l.version = v.number)) LIMIT $5"
);

/// The snapshot after all writes so far, or `None` when it is the one given.
pub(crate) async fn refresh(db: &Db, before: &Snapshot) -> Result<Option<Snapshot>> {
    let mut tx = db.reading().await?;
    let next = load(&mut tx, before).await;
    tx.end(next).await
}

/// The number of the last write.
pub(crate) async fn newest(db: &Db) -> Result<i64> {
    read_revision(db.maybe(REVISION, args![]).await?.as_ref())
}

fn read_revision(row: Option<&Row>) -> Result<i64> {
    row.ok_or_else(|| StoreError::unreadable("the revision row is gone"))?.int("number")
}

async fn load(tx: &mut Tx, before: &Snapshot) -> Result<Option<Snapshot>> {
    let revision = read_revision(tx.maybe(REVISION, args![]).await?.as_ref())?;
    if revision == before.revision {
        return Ok(None);
    }
    // Numbers go back when a backup was restored: nothing that is known can be built on.
    let nothing = Snapshot::empty();
    let before = if revision < before.revision { &nothing } else { before };
    let mut next = Snapshot { revision, ..before.clone() };
    load_projects(tx, &mut next).await?;
    load_prompts(tx, before, &mut next).await?;
    load_keys(tx, before, &mut next).await?;
    load_tokens(tx, before, &mut next).await?;
    Ok(Some(next))
}

async fn load_projects(tx: &mut Tx, next: &mut Snapshot) -> Result<()> {
    let sql = "SELECT name, archived_us FROM project ORDER BY name LIMIT $1";
    let mut archived = HashSet::new();
    for row in tx.all(sql, args![PROJECTS]).await? {
        let name: Arc<str> = row.text("name")?.into();
        if row.maybe_int("archived_us")?.is_some() {
            archived.insert(Arc::clone(&name));
        }
        next.projects.entry(name).or_insert_with(Shards::new);
    }
    next.archived = Arc::new(archived);
    Ok(())
}

async fn load_prompts(tx: &mut Tx, before: &Snapshot, next: &mut Snapshot) -> Result<()> {
    let mut after = Place::after(before.revision);
    loop {
        let rows = tx.all(PROMPTS, args![after.revision, &*after.id, PAGE]).await?;
        let prompts = rows.iter().map(catalogue::read).collect::<Result<Vec<_>>>()?;
        let (Some(first), Some(last)) = (prompts.first(), prompts.last()) else { return Ok(()) };
        let versions = if before.revision < 0 {
            read_page(tx, &Place::of(first), &Place::of(last)).await?
        } else {
            read_missing(tx, before, &prompts).await?
        };
        after = Place::of(last);
        for prompt in prompts {
            put_prompt(next, prompt, &versions);
        }
        if is_last(&rows) {
            return Ok(());
        }
    }
}

/// Where a page ends: rows are read in the order they were last written in.
struct Place {
    revision: i64,
    id: String,
}

impl Place {
    /// Behind all rows of a revision: `g` follows every hex digit, so every id.
    fn after(revision: i64) -> Self {
        Self { revision, id: "g".to_owned() }
    }

    fn of(prompt: &Prompt) -> Self {
        Self { revision: prompt.revision, id: prompt.id.to_string() }
    }

    fn of_row(row: &Row) -> Result<Self> {
        Ok(Self { revision: row.int("revision")?, id: row.text("id")? })
    }
}

/// All versions in memory of the prompts of one page, for the first load.
async fn read_page(tx: &mut Tx, first: &Place, last: &Place) -> Result<Versions> {
    let range = args![first.revision, &*first.id, last.revision, &*last.id, PAGE_VERSIONS];
    let rows = tx.all(SERVED, range).await?;
    let mut versions = Versions::new();
    for row in &rows {
        let prompt: PromptId = row.parsed("prompt_id")?;
        add_compiled(&mut versions, prompt, row)?;
    }
    Ok(versions)
}

/// Those versions of a few changed prompts that were not in memory yet.
async fn read_missing(tx: &mut Tx, before: &Snapshot, prompts: &[Prompt]) -> Result<Versions> {
    let mut versions = Versions::new();
    for prompt in prompts {
        let had = before.prompts.get(&prompt.id);
        for number in served_numbers(prompt) {
            if let Some(version) = had.and_then(|entry| entry.version(number)) {
                versions.insert((prompt.id, number), Arc::clone(version));
                continue;
            }
            let row = tx.maybe(versions::BY_NUMBER, args![prompt.id.to_string(), number]).await?;
            if let Some(row) = row {
                add_compiled(&mut versions, prompt.id, &row)?;
            }
        }
    }
    Ok(versions)
}

fn add_compiled(versions: &mut Versions, prompt: PromptId, row: &Row) -> Result<()> {
    let stored = versions::read(row)?;
    let number = stored.number;
    match Version::compile(stored) {
        Ok(version) => {
            versions.insert((prompt, number), Arc::new(version));
        }
        // It compiled when it was published. The others serve; calls for this one are told why.
        Err(problems) => {
            let problem = problems.first().map(ToString::to_string).unwrap_or_default();
            error!(prompt.id = %prompt, version = number, problem, "a stored version does not compile");
        }
    }
    Ok(())
}

fn served_numbers(prompt: &Prompt) -> BTreeSet<u32> {
    prompt.labels.values().copied().chain(prompt.latest).collect()
}

fn put_prompt(next: &mut Snapshot, prompt: Prompt, versions: &Versions) {
    let served = served_numbers(&prompt).into_iter();
    let served = served.filter_map(|number| versions.get(&(prompt.id, number)).cloned()).collect();
    let entry = Arc::new(Entry { prompt: Arc::new(prompt), served });
    let prompt = &entry.prompt;
    let names = next.projects.entry(Arc::clone(&prompt.project)).or_insert_with(Shards::new);
    if let Some(old) = next.prompts.insert(prompt.id, Arc::clone(&entry)) {
        for name in answers_to(&old.prompt) {
            // A name may have gone to another prompt that was put before this one.
            if names.get(name).is_some_and(|holder| holder.prompt.id == prompt.id) {
                names.remove(name);
            }
        }
    }
    for name in answers_to(prompt) {
        names.insert(name.into(), Arc::clone(&entry));
    }
}

fn answers_to(prompt: &Prompt) -> impl Iterator<Item = &str> {
    std::iter::once(prompt.name.as_str()).chain(prompt.aliases.iter().map(|alias| &*alias.id))
}

/// Whether no page follows: one less question in the common case of few changes.
const fn is_last(rows: &[Row]) -> bool {
    rows.len() < PAGE as usize
}

async fn load_keys(tx: &mut Tx, before: &Snapshot, next: &mut Snapshot) -> Result<()> {
    let mut after = Place::after(before.revision);
    loop {
        let rows = tx.all(keys::CHANGED, args![after.revision, &*after.id, PAGE]).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = Place::of_row(last)?;
        for row in &rows {
            let key = keys::read(row)?;
            put_credential(&mut next.keys, key.id, row, key)?;
        }
        if is_last(&rows) {
            return Ok(());
        }
    }
}

async fn load_tokens(tx: &mut Tx, before: &Snapshot, next: &mut Snapshot) -> Result<()> {
    let mut after = Place::after(before.revision);
    loop {
        let rows = tx.all(tokens::CHANGED, args![after.revision, &*after.id, PAGE]).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = Place::of_row(last)?;
        for row in &rows {
            let token = tokens::read(row)?;
            put_credential(&mut next.tokens, token.id, row, token)?;
        }
        if is_last(&rows) {
            return Ok(());
        }
    }
}

fn put_credential<Of, T>(to: &mut Credentials<Of, T>, id: Id<Of>, row: &Row, credential: T) -> Result<()> {
    let secret_hash =
        SecretHash::try_from(row.bytes("secret_hash")?).map_err(|_| StoreError::unreadable("secret_hash"))?;
    to.put(id, secret_hash, credential);
    Ok(())
}
