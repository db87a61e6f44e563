//! Versions: immutable, numbered, digested; published onto the highest one.

pub(crate) mod limits;
pub(super) mod publish;
mod settings;

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use serde_json::{Map, Value};
use vocab::{Impact, LabelName, Page, PromptName, Selector, SemVer, Time};

use super::Prompt;
use super::impact::Reason;
use crate::content::{Content, Float, Floating, Included, Standing};
use crate::db::{Db, Result, Row, args, to_json};
use crate::paging::Paging;
use crate::template::{Problem, Template};
use crate::{Registry, StoreError, canonical};

pub use publish::DraftRelease;

/// A version as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoredVersion {
    /// Counts from 1 in each prompt.
    pub number: u32,
    /// SHA-256 of the canonical form of the content, in hex.
    pub digest: Arc<str>,
    /// Computed from the impact of each change.
    pub semver: SemVer,
    /// How much it differs from its parent; `None` for the first.
    pub impact: Option<Impact>,
    /// What made the impact what it is.
    pub impact_reasons: Vec<Reason>,
    /// The version it was published onto.
    pub parent: Option<u32>,
    /// Who published it.
    pub author: String,
    /// What they said about it.
    pub commit_message: Option<String>,
    /// When.
    pub created_at: Time,
    /// Everything that shapes a call.
    pub content: Content,
    /// The versions of other prompts it includes, with all that they include.
    #[serde(skip_serializing_if = "Included::is_empty")]
    pub included: Included,
    /// The labels of other prompts that it includes, whatever they point at.
    #[serde(skip_serializing_if = "Floating::is_empty")]
    pub floating: Floating,
    /// Free facts, not part of the digest.
    pub metadata: Map<String, Value>,
    /// Cases to try it with, kept as written.
    pub examples: Vec<Value>,
}

/// A version ready to serve: what is stored, and its texts compiled.
#[derive(Debug)]
pub struct Version {
    /// What is stored; its fields are reached through the version itself.
    pub stored: Box<StoredVersion>,
    /// The texts, compiled.
    pub template: Box<Template>,
    floats: Box<[(Float, u32)]>,
    /// How large it is as JSON, with what it includes.
    pub(crate) bytes: usize,
    used: AtomicBool,
}

impl Version {
    /// Compiles a stored version with what it includes as that stands.
    pub(crate) fn compile(
        stored: StoredVersion,
        standing: &Standing,
    ) -> std::result::Result<Self, Vec<Problem>> {
        let parts = (&stored.included, &stored.floating);
        let settled = standing
            .settle(parts, limits::INCLUDED_BYTES)
            .map_err(|why| vec![Problem::general(None, why)])?;
        let template = Template::including(&stored.content, &settled)?;
        let floats = standing.versions().map(|(float, version)| (float.clone(), version)).collect();
        let bytes = to_json(&(&stored.content, &settled)).map_or(usize::MAX, |json| json.len());
        // Boxed: where a version is known by a weak pointer, its own few bytes stay when it is forgotten.
        let (stored, template) = (Box::new(stored), Box::new(template));
        Ok(Self { stored, template, floats, bytes, used: AtomicBool::new(false) })
    }

    /// The labels that float in it, with the versions they pointed at when it was compiled.
    pub(crate) fn floats(&self) -> &[(Float, u32)] {
        &self.floats
    }

    /// Notes that it was called, so that it stays in memory.
    pub(crate) fn note_use(&self) {
        // Looked at first: a write would take the line from every other core, at every call.
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
    }

    /// Whether it was called since this was asked last.
    pub(crate) fn take_use(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }
}

/// A served version is its stored facts and more, and callers read both alike.
impl Deref for Version {
    type Target = StoredVersion;

    fn deref(&self) -> &StoredVersion {
        &self.stored
    }
}

/// A version to publish.
#[derive(Clone, Debug)]
pub struct NewVersion {
    /// Everything that shapes a call.
    pub content: Content,
    /// What changed and why.
    pub commit_message: Option<String>,
    /// The author's own judgement of the impact: may raise what is computed, not lower it.
    pub impact: Option<Impact>,
    /// Free facts.
    pub metadata: Map<String, Value>,
    /// Whether other metadata than the parent's make a new version, also when the content is the same.
    pub metadata_counts: bool,
    /// Cases to try it with.
    pub examples: Vec<Value>,
    /// Labels to put on it.
    pub labels: Vec<LabelName>,
    /// Refuse unless this is the highest version now; 0 means that there must be none.
    pub expected_parent: Option<u32>,
}

impl NewVersion {
    /// A version of this content and nothing else.
    pub fn of(content: Content) -> Self {
        Self {
            content,
            commit_message: None,
            impact: None,
            metadata: Map::new(),
            metadata_counts: false,
            examples: Vec::new(),
            labels: Vec::new(),
            expected_parent: None,
        }
    }
}

/// What publishing came to.
#[derive(Clone, Debug)]
pub struct Published {
    /// The prompt as it is now.
    pub prompt: Prompt,
    /// The new version, or the parent when it has the same content.
    pub version: StoredVersion,
    /// Whether the version is new.
    pub is_new: bool,
}

/// The columns [`read`] reads, from `version v`.
macro_rules! columns {
    () => {
        "v.number, v.digest, v.major, v.minor, v.patch, v.impact, v.impact_reasons, v.parent, v.author, \
         v.commit_message, v.content, v.included, v.floating, v.metadata, v.examples, v.created_us"
    };
}
pub(crate) use columns;

/// One version by its number.
pub(crate) const BY_NUMBER: &str =
    concat!("SELECT ", columns!(), " FROM version v WHERE v.prompt_id = $1 AND v.number = $2 LIMIT 1");
pub(crate) const BY_SEMVER: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM version v WHERE v.prompt_id = $1 AND v.major = $2 AND v.minor = $3 AND v.patch = $4 LIMIT 1"
);
/// The newest two contents whose digests lie in a range: two mean that the prefix names neither.
const BY_DIGEST: &str = "SELECT MAX(number) AS number, digest FROM version
                         WHERE prompt_id = $1 AND digest >= $2 AND digest < $3
                         GROUP BY digest ORDER BY digest LIMIT 2";
const PAGE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM version v WHERE v.prompt_id = $1 AND v.number < $2 ORDER BY v.number DESC LIMIT $3"
);

impl Registry {
    /// One version of a prompt, archived or not.
    pub async fn get_version(
        &self,
        project: &str,
        name: &PromptName,
        selector: &Selector,
    ) -> Result<StoredVersion> {
        let prompt = self.get_prompt(project, name).await?;
        find(self.db(), &prompt, selector).await?.ok_or_else(|| no_version(&prompt, selector))
    }

    /// A page of a prompt's versions, newest first.
    pub async fn list_versions(
        &self,
        project: &str,
        name: &PromptName,
        paging: &Paging,
    ) -> Result<Page<StoredVersion>> {
        let prompt = self.get_prompt(project, name).await?;
        let before = paging.after_number()?.unwrap_or(i64::MAX);
        let rows = self.db().all(PAGE, args![prompt.id.to_string(), before, paging.rows()]).await?;
        let versions = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
        Ok(paging.page(versions, |version| version.number.to_string()))
    }
}

/// The version a selector names. An error when a digest prefix names several.
pub(crate) async fn find(db: &Db, prompt: &Prompt, selector: &Selector) -> Result<Option<StoredVersion>> {
    let id = prompt.id.to_string();
    let number = match selector {
        Selector::SemVer(semver) => {
            let values = args![id, semver.major, semver.minor, semver.patch];
            return db.maybe(BY_SEMVER, values).await?.as_ref().map(read).transpose();
        }
        Selector::Digest(prefix) => number_of(db, prompt, prefix).await?,
        Selector::Label(label) => prompt.labels.get(label).copied(),
        Selector::Latest => prompt.latest,
        Selector::Number(number) => Some(*number),
    };
    let Some(number) = number else { return Ok(None) };
    db.maybe(BY_NUMBER, args![id, number]).await?.as_ref().map(read).transpose()
}

/// The newest version whose digest starts so. Versions of one digest have one content: any of them will do.
async fn number_of(db: &Db, prompt: &Prompt, prefix: &str) -> Result<Option<u32>> {
    // `g` follows every hex digit.
    let range = args![prompt.id.to_string(), prefix, format!("{prefix}g")];
    let rows = db.all(BY_DIGEST, range).await?;
    match rows.as_slice() {
        [] => Ok(None),
        [row] => row.number("number").map(Some),
        _ => Err(StoreError::invalid(
            "version",
            format!(
                "`sha256:{prefix}` names several versions of prompt `{}`: write more digits",
                prompt.name
            ),
        )),
    }
}

/// Reads the columns of a version, and holds its content to its digest.
pub(crate) fn read(row: &Row) -> Result<StoredVersion> {
    let impact = row.maybe_text("impact")?;
    let impact = impact.map(|word| word.parse().map_err(|_| StoreError::unreadable("impact"))).transpose()?;
    let (major, minor, patch) = (row.number("major")?, row.number("minor")?, row.number("patch")?);
    let number = row.number("number")?;
    let digest: Arc<str> = row.text("digest")?.into();
    let content: Value = row.json("content")?;
    if *canonical::digest(&content) != *digest {
        return Err(StoreError::unreadable(format!("version {number} does not match its digest {digest}")));
    }
    Ok(StoredVersion {
        number,
        digest,
        semver: SemVer { major, minor, patch },
        impact,
        impact_reasons: row.json("impact_reasons")?,
        parent: row.maybe_number("parent")?,
        author: row.text("author")?,
        commit_message: row.maybe_text("commit_message")?,
        created_at: row.time("created_us")?,
        content: serde_json::from_value(content).map_err(StoreError::unreadable)?,
        included: row.json("included")?,
        floating: row.json("floating")?,
        metadata: row.json("metadata")?,
        examples: row.json("examples")?,
    })
}

pub(crate) fn no_version(prompt: &Prompt, wanted: &impl std::fmt::Display) -> StoreError {
    let name = &prompt.name;
    StoreError::Missing(match prompt.latest {
        Some(latest) => format!("prompt `{name}` has no version `{wanted}`: the latest is {latest}"),
        None => format!("prompt `{name}` has no versions yet"),
    })
}
