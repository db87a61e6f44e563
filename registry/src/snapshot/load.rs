//! Bringing a snapshot up to date: what changed since its revision is read in one transaction.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use vocab::Id;

use super::copy::{Copy, Kind, Scribe};
use super::{Credentials, Entry, Served, Shards, Snapshot};
use crate::StoreError;
use crate::assignment::Split;
use crate::credentials::SecretHash;
use crate::db::{Columns, Db, Packed, Result, Row, Tx, args};
use crate::projects::PROJECTS;
use crate::prompts::Prompt;
use crate::prompts::catalogue;
use crate::prompts::names::search_text;
use crate::prompts::versions;
use crate::{keys, tokens};

/// Rows read at once. PostgreSQL may look through all labels for a page: tens of pages, not hundreds.
const PAGE: i64 = 2_000;
/// The most versions that the prompts of one page can have in memory.
const PAGE_VERSIONS: i64 = 1_000_000;
/// How many versions are held to their digests before the snapshot serves: all of a small registry. The others are when
/// they are first called.
const CHECKED: usize = 2_000;

type PromptId = Id<vocab::id::Prompt>;

const REVISION: &str = "SELECT number FROM revision WHERE id = 1 LIMIT 1";
const PROMPTS: &str = concat!(
    "SELECT ",
    catalogue::columns!(),
    " FROM prompt p WHERE (p.revision, p.id) > ($1, $2) ORDER BY p.revision, p.id LIMIT $3"
);
/// The versions that a table of labels points at, of the prompts of one page; once for each label. The page comes first
/// and by itself, so that PostgreSQL knows how short it is.
macro_rules! served_by {
    ($labels:literal) => {
        concat!(
            "SELECT v.prompt_id, ",
            versions::columns!(),
            " FROM (SELECT id FROM prompt WHERE (revision, id) > ($1, $2) ORDER BY revision, id LIMIT $3) p JOIN ",
            $labels,
            " l ON l.prompt_id = p.id JOIN version v ON v.prompt_id = l.prompt_id AND v.number = l.version LIMIT $4"
        )
    };
}
/// Everything that the prompts of one page serve.
const SERVED: [&str; 2] = [served_by!("label"), served_by!("label_split_version")];
/// One of them.
const ONE_SERVED: &str = concat!(
    "SELECT v.prompt_id, ",
    versions::columns!(),
    " FROM version v WHERE v.prompt_id = $1 AND v.number = $2 LIMIT 1"
);

/// The number of the last write.
pub(crate) async fn newest(db: &Db) -> Result<i64> {
    read_revision(db.maybe(REVISION, args![]).await?.as_ref())
}

/// What a snapshot is made from.
#[derive(Clone, Copy)]
pub(crate) struct Basis<'a> {
    /// The one before.
    pub(crate) before: &'a Snapshot,
    /// Whether everything is read, and of the one before only what proves to be the same is used.
    pub(crate) anew: bool,
}

/// The snapshot after all writes so far, or `None` when it is the one before. What was read is added to the copy.
pub(crate) async fn refresh(db: &Db, basis: Basis<'_>, copy: Option<&mut Copy>) -> Result<Option<Snapshot>> {
    let mut tx = db.reading().await?;
    let next = load(&mut tx, basis, copy).await;
    tx.end(next).await
}

async fn load(tx: &mut Tx, basis: Basis<'_>, copy: Option<&mut Copy>) -> Result<Option<Snapshot>> {
    let revision = read_revision(tx.maybe(REVISION, args![]).await?.as_ref())?;
    let Basis { before, anew } = basis;
    if revision == before.revision && !anew {
        return Ok(None);
    }
    // Numbers go back when a backup was restored: nothing that is known can be built on.
    let anew = anew || revision < before.revision || copy.as_ref().is_some_and(|copy| copy.is_long());
    let base = if anew { Snapshot::empty() } else { before.clone() };
    let mut copy = copy;
    let mut scribe = copy.as_mut().and_then(|copy| copy.begin(anew));
    let from = base.revision;
    let mut loading = Loading { known: before, from, next: base, scribe: scribe.as_mut(), checked: 0 };
    loading.load(tx).await?;
    let next = Snapshot { revision, ..loading.next };
    if let (Some(copy), Some(scribe)) = (copy, scribe) {
        copy.end(scribe, revision);
    }
    Ok(Some(next))
}

fn read_revision(row: Option<&Row>) -> Result<i64> {
    row.ok_or_else(|| StoreError::unreadable("the revision row is gone"))?.int("number")
}

/// A snapshot being made.
struct Loading<'a> {
    /// Where what did not change is found.
    known: &'a Snapshot,
    /// Rows after this revision are read.
    from: i64,
    next: Snapshot,
    scribe: Option<&'a mut Scribe>,
    checked: usize,
}

impl Loading<'_> {
    async fn load(&mut self, tx: &mut Tx) -> Result<()> {
        self.load_projects(tx).await?;
        self.load_prompts(tx).await?;
        for (kind, sql) in [(Kind::Key, keys::CHANGED), (Kind::Token, tokens::CHANGED)] {
            self.load_credentials(tx, kind, sql).await?;
        }
        Ok(())
    }

    async fn load_projects(&mut self, tx: &mut Tx) -> Result<()> {
        let sql = "SELECT name, archived_us FROM project ORDER BY name LIMIT $1";
        let rows = tx.all(sql, args![PROJECTS]).await?;
        self.note(Kind::Project, &rows)?;
        rows.iter().try_for_each(|row| put_project(&mut self.next, row))
    }

    async fn load_prompts(&mut self, tx: &mut Tx) -> Result<()> {
        let mut after = Place::after(self.from);
        loop {
            let prompts = self.read_prompts(tx, &after).await?;
            let Some(last) = prompts.last().map(Place::of) else { return Ok(()) };
            let mut versions = Versions::default();
            if self.from < 0 {
                self.read_page(tx, &after, &mut versions).await?;
            } else {
                self.read_missing(tx, &prompts, &mut versions).await?;
            }
            after = last;
            let is_last = is_last(&prompts);
            for prompt in prompts {
                put_prompt(&mut self.next, prompt, &versions);
            }
            if is_last {
                return Ok(());
            }
        }
    }

    async fn read_prompts(&mut self, tx: &mut Tx, after: &Place) -> Result<Vec<Prompt>> {
        let (mut prompts, mut columns) = (Vec::new(), None);
        let page = args![after.revision, &*after.id, PAGE];
        let take = |row: Row| {
            if let Some(scribe) = &mut self.scribe {
                scribe.note(Kind::Prompt, columns.get_or_insert_with(|| row.columns()), &row.pack()?);
            }
            prompts.push(catalogue::read(&row)?);
            Ok(())
        };
        tx.each(PROMPTS, page, take).await?;
        Ok(prompts)
    }

    /// All versions in memory of the prompts of one page, for the first load.
    async fn read_page(&mut self, tx: &mut Tx, after: &Place, versions: &mut Versions) -> Result<()> {
        for sql in SERVED {
            let page = args![after.revision, &*after.id, PAGE, PAGE_VERSIONS];
            tx.each(sql, page, |row| self.add_version(&row, versions)).await?;
        }
        Ok(())
    }

    /// Those versions of a few changed prompts that were not in memory yet.
    async fn read_missing(&mut self, tx: &mut Tx, prompts: &[Prompt], versions: &mut Versions) -> Result<()> {
        for prompt in prompts {
            for number in served_numbers(prompt) {
                if self.next.prompts.get(&prompt.id).is_some_and(|entry| entry.served(number).is_some()) {
                    continue;
                }
                if let Some(row) = tx.maybe(ONE_SERVED, args![prompt.id.to_string(), number]).await? {
                    self.add_version(&row, versions)?;
                }
            }
        }
        Ok(())
    }

    fn add_version(&mut self, row: &Row, versions: &mut Versions) -> Result<()> {
        let (prompt, number) = (row.parsed("prompt_id")?, row.number("number")?);
        if versions.by_number.contains_key(&(prompt, number)) {
            return Ok(());
        }
        // Later on, one damaged version must not keep the others from being taken in.
        if self.known.revision < 0 && self.checked < CHECKED {
            self.checked += 1;
            versions::read(row)?;
        }
        let served = Served::keep(row, versions.columns(row), row.pack()?)?;
        if let Some(scribe) = &mut self.scribe {
            scribe.note(Kind::Version, served.columns(), served.row());
        }
        versions.add(self.known, prompt, served);
        Ok(())
    }

    async fn load_credentials(&mut self, tx: &mut Tx, kind: Kind, sql: &'static str) -> Result<()> {
        let mut after = Place::after(self.from);
        loop {
            let rows = tx.all(sql, args![after.revision, &*after.id, PAGE]).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = Place::of_row(last)?;
            self.note(kind, &rows)?;
            rows.iter().try_for_each(|row| put_credential(&mut self.next, kind, row))?;
            if is_last(&rows) {
                return Ok(());
            }
        }
    }

    fn note(&mut self, kind: Kind, rows: &[Row]) -> Result<()> {
        let (Some(scribe), Some(first)) = (&mut self.scribe, rows.first()) else { return Ok(()) };
        let columns = first.columns();
        rows.iter().try_for_each(|row| {
            scribe.note(kind, &columns, &row.pack()?);
            Ok(())
        })
    }
}

/// Rows read back from a copy, to be put into a snapshot together.
#[derive(Default)]
pub(crate) struct Rows {
    rows: Vec<(Kind, Row)>,
    prompts: Vec<Prompt>,
    versions: Versions,
}

impl Rows {
    pub(crate) fn add(&mut self, kind: Kind, columns: &Columns, row: Packed) -> Result<()> {
        let opened = row.open(columns)?;
        match kind {
            Kind::Prompt => self.prompts.push(catalogue::read(&opened)?),
            Kind::Version => {
                let prompt = opened.parsed("prompt_id")?;
                self.versions.add(&Snapshot::empty(), prompt, Served::keep(&opened, columns, row)?);
            }
            Kind::Project | Kind::Key | Kind::Token => self.rows.push((kind, opened)),
        }
        Ok(())
    }

    /// The snapshot with these rows in it.
    pub(crate) fn put(self, before: Snapshot, revision: i64) -> Result<Snapshot> {
        let mut next = Snapshot { revision, ..before };
        for (kind, row) in &self.rows {
            match kind {
                Kind::Project => put_project(&mut next, row)?,
                kind => put_credential(&mut next, *kind, row)?,
            }
        }
        for prompt in self.prompts {
            put_prompt(&mut next, prompt, &self.versions);
        }
        Ok(next)
    }
}

/// Versions that were read, by prompt and number.
#[derive(Default)]
struct Versions {
    by_number: HashMap<(PromptId, u32), Arc<Served>>,
    columns: Option<Columns>,
}

impl Versions {
    /// The columns of all these rows: they come from one query.
    fn columns(&mut self, row: &Row) -> &Columns {
        self.columns.get_or_insert_with(|| row.columns())
    }

    /// Adds a version, or the one that is known when it is the same.
    fn add(&mut self, known: &Snapshot, prompt: PromptId, served: Served) {
        let number = served.number;
        let same = known.prompts.get(&prompt).and_then(|entry| entry.served(number));
        let same = same.filter(|same| same.is_same(&served)).map(Arc::clone);
        self.by_number.insert((prompt, number), same.unwrap_or_else(|| Arc::new(served)));
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

fn served_numbers(prompt: &Prompt) -> BTreeSet<u32> {
    let split = prompt.splits.values().flat_map(Split::versions);
    prompt.labels.values().copied().chain(split).collect()
}

fn put_project(next: &mut Snapshot, row: &Row) -> Result<()> {
    let name: Arc<str> = row.text("name")?.into();
    let archived = Arc::make_mut(&mut next.archived);
    if row.maybe_int("archived_us")?.is_some() {
        archived.insert(Arc::clone(&name));
    } else {
        archived.remove(&name);
    }
    next.projects.entry(name).or_insert_with(Shards::new);
    Ok(())
}

fn put_prompt(next: &mut Snapshot, prompt: Prompt, versions: &Versions) {
    let had = next.prompts.get(&prompt.id);
    let find = |number| {
        let read = versions.by_number.get(&(prompt.id, number));
        read.or_else(|| had?.served(number)).cloned()
    };
    let served = served_numbers(&prompt).into_iter().filter_map(find).collect();
    let project = next.projects.get_key_value(&prompt.project).map(|(name, _)| Arc::clone(name));
    let project = project.unwrap_or_else(|| Arc::clone(&prompt.project));
    // One text for the project's name in all of its prompts.
    let prompt = Arc::new(Prompt { project, ..prompt });
    let search = search_text(&prompt).into();
    let entry = Arc::new(Entry { prompt, served, search });
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
    names.insert(prompt.name.shared(), Arc::clone(&entry));
    for alias in &prompt.aliases {
        names.insert(alias.id.as_str().into(), Arc::clone(&entry));
    }
}

fn answers_to(prompt: &Prompt) -> impl Iterator<Item = &str> {
    std::iter::once(prompt.name.as_str()).chain(prompt.aliases.iter().map(|alias| &*alias.id))
}

/// Whether no page follows: one less question in the common case of few changes.
const fn is_last<T>(rows: &[T]) -> bool {
    rows.len() < PAGE as usize
}

fn put_credential(next: &mut Snapshot, kind: Kind, row: &Row) -> Result<()> {
    if kind == Kind::Key {
        let key = keys::read(row)?;
        return put_secret(&mut next.keys, key.id, row, key);
    }
    let token = tokens::read(row)?;
    put_secret(&mut next.tokens, token.id, row, token)
}

fn put_secret<Of, T>(to: &mut Credentials<Of, T>, id: Id<Of>, row: &Row, credential: T) -> Result<()> {
    let secret_hash =
        SecretHash::try_from(row.bytes("secret_hash")?).map_err(|_| StoreError::unreadable("secret_hash"))?;
    to.put(id, secret_hash, credential);
    Ok(())
}
