//! Releases: proposals to move a label, approved by others than those they come from, carried out by hand, at once or
//! by a ramp.
//!
//! What a release went through stands in its history, approvals too. `releases/act.rs` has what can be done with one,
//! `releases/ramp.rs` what a ramp does, `releases/stored.rs` how it is kept.

mod act;
mod ramp;
mod stored;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use vocab::{Id, LabelName, Page, PromptName, Time};

use crate::audit;
use crate::db::{Result, Writing, args};
use crate::paging::Paging;
use crate::policies::{self, Ask};
use crate::prompts::catalogue;
use crate::prompts::labels::standing;
use crate::prompts::names::check_text;
use crate::prompts::versions::no_version;
use crate::roles::{Permission, Who};
use crate::{Registry, StoreError};

pub use act::{ReleaseDeed, ReleaseVerb};
pub(crate) use ramp::end as end_ramp;
pub use ramp::{Advanced, Ramp};

/// The longest note, in bytes.
const NOTE_BYTES: usize = 2_000;
/// The most releases of one prompt that are not over.
const OPEN: i64 = 100;

/// A proposal to move a label to a version, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Stays.
    pub id: Id<vocab::id::Release>,
    /// The project.
    pub project: Arc<str>,
    /// The prompt, under the name it has now.
    pub prompt: PromptName,
    /// The label that is to move.
    pub label: LabelName,
    /// The version it is to point at.
    pub version: u32,
    /// Who published that version.
    pub author: String,
    /// Where the label stood when this was proposed: it is carried out from there or not at all.
    pub from_version: Option<u32>,
    /// How it stands.
    pub state: ReleaseState,
    /// What its proposer said.
    pub note: Option<String>,
    /// In which steps the label moves; at once when absent.
    pub ramp: Option<Ramp>,
    /// How much of the label's calls it serves, in percent.
    pub percent: u32,
    /// When the ramp takes its next step by itself.
    pub next_at: Option<Time>,
    /// Who proposed it.
    pub proposed_by: String,
    /// When.
    pub proposed_at: Time,
    /// What it went through, oldest first.
    pub history: Vec<ReleaseEvent>,
    /// Changes with every change.
    pub revision: i64,
}

/// How a release stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseState {
    /// It waits for approvals.
    Proposed,
    /// It has those it needs, and waits to be carried out.
    Approved,
    /// It serves a part of the calls, and goes on by itself if its ramp says so.
    Ramping,
    /// It serves a part of the calls, and stays there.
    Paused,
    /// The label moved.
    Released,
    /// Somebody refused it.
    Rejected,
    /// Its proposer took it back.
    Withdrawn,
    /// Its ramp was ended before the end.
    Aborted,
}

/// One thing a release went through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseEvent {
    /// What was done.
    pub action: ReleaseAction,
    /// Who did it; for steps taken by time, who began the ramp.
    pub by: String,
    /// When.
    pub at: Time,
    /// What they said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// How much of the label's calls it serves since, in percent.
    pub percent: u32,
}

/// What is done with a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseAction {
    /// It was proposed.
    Proposed,
    /// Somebody approved it.
    Approved,
    /// Somebody refused it.
    Rejected,
    /// It was taken back.
    Withdrawn,
    /// Its ramp began.
    Started,
    /// Its ramp took a step.
    Advanced,
    /// Its ramp stopped where it was.
    Paused,
    /// Its ramp went on.
    Resumed,
    /// Its ramp was ended.
    Aborted,
    /// The label moved.
    Released,
}

/// A release to propose.
#[derive(Clone, Debug)]
pub struct NewRelease {
    /// The label that is to move.
    pub label: LabelName,
    /// The version it is to point at.
    pub version: u32,
    /// In which steps.
    pub ramp: Option<Ramp>,
    /// What it is about.
    pub note: Option<String>,
}

/// Which releases to list.
#[derive(Clone, Debug, Default)]
pub struct ReleaseFilter {
    /// Those that stand so.
    pub state: Option<ReleaseState>,
    /// Those of this prompt.
    pub prompt: Option<PromptName>,
    /// Those of this label.
    pub label: Option<LabelName>,
}

struct Proposal {
    project: Arc<str>,
    name: PromptName,
    new: NewRelease,
    who: Who,
    now: Time,
}

impl Release {
    /// Who approved it, each once.
    pub fn approvals(&self) -> impl Iterator<Item = &ReleaseEvent> {
        self.history.iter().filter(|event| event.action == ReleaseAction::Approved)
    }

    fn approval_count(&self) -> u32 {
        u32::try_from(self.approvals().count()).unwrap_or(u32::MAX)
    }
}

impl ReleaseState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Proposed,
        Self::Approved,
        Self::Ramping,
        Self::Paused,
        Self::Released,
        Self::Rejected,
        Self::Withdrawn,
        Self::Aborted,
    ];

    /// The word used in JSON and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Approved => "approved",
            Self::Ramping => "ramping",
            Self::Paused => "paused",
            Self::Released => "released",
            Self::Rejected => "rejected",
            Self::Withdrawn => "withdrawn",
            Self::Aborted => "aborted",
        }
    }
}

impl fmt::Display for ReleaseState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ReleaseState {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| {
            let words = Self::ALL.map(Self::as_str).join(", ");
            StoreError::invalid("state", format!("`state` must be one of {words}"))
        })
    }
}

impl ReleaseAction {
    /// What audit and webhooks call it.
    const fn event(self) -> &'static str {
        match self {
            Self::Proposed => "release.proposed",
            Self::Approved => "release.approved",
            Self::Rejected => "release.rejected",
            Self::Withdrawn => "release.withdrawn",
            Self::Started => "release.started",
            Self::Advanced => "release.advanced",
            Self::Paused => "release.paused",
            Self::Resumed => "release.resumed",
            Self::Aborted => "release.aborted",
            Self::Released => "release.released",
        }
    }
}

impl Registry {
    /// Proposes to move a label. Where its policy asks for no approvals, the release is approved at once; it never
    /// carries itself out.
    pub async fn propose_release(
        &self,
        project: &str,
        name: &PromptName,
        new: NewRelease,
        who: &Who,
    ) -> Result<Release> {
        who.require(Permission::WritePrompts)?;
        check_text("note", new.note.as_deref().unwrap_or_default(), NOTE_BYTES)?;
        if let Some(ramp) = &new.ramp {
            ramp.check()?;
        }
        let now = self.clock().now();
        let proposal = Proposal { project: project.into(), name: name.clone(), new, who: who.clone(), now };
        self.write(proposal, |writing, it| Box::pin(propose(writing, it))).await
    }

    /// One release of a project.
    pub async fn get_release(&self, project: &str, id: Id<vocab::id::Release>) -> Result<Release> {
        stored::find(self.db(), project, id).await?.ok_or_else(|| no_release(id))
    }

    /// A page of a project's releases, newest first.
    pub async fn list_releases(
        &self,
        project: &str,
        filter: &ReleaseFilter,
        paging: &Paging,
    ) -> Result<Page<Release>> {
        let prompt = match &filter.prompt {
            Some(name) => Some(self.get_prompt(project, name).await?.id),
            None => None,
        };
        stored::list(self.db(), project, (prompt, filter), paging).await
    }
}

async fn propose(writing: &mut Writing, it: &Proposal) -> Result<Release> {
    let prompt = catalogue::get(&mut writing.tx, &it.project, &it.name).await?;
    prompt.writable()?;
    let NewRelease { label, version, ramp, note: said } = &it.new;
    let id = prompt.id.to_string();
    let sql = "SELECT author FROM version WHERE prompt_id = $1 AND number = $2 LIMIT 1";
    let Some(row) = writing.tx.maybe(sql, args![&*id, *version]).await? else {
        return Err(no_version(&prompt, version));
    };
    let from_version = standing(writing, &prompt, label).await?.map(|now| now.version);
    if from_version == Some(*version) {
        let message =
            format!("label `{label}` of prompt `{}` points at version {version} already", prompt.name);
        return Err(StoreError::Conflict(message));
    }
    let sql = "SELECT COUNT(*) AS open FROM release
               WHERE prompt_id = $1 AND state IN ('proposed', 'approved', 'ramping', 'paused') LIMIT 1";
    let open = writing.tx.maybe(sql, args![id]).await?.map(|row| row.int("open")).transpose()?;
    if open.unwrap_or_default() >= OPEN {
        let message =
            format!("prompt `{}` has {OPEN} open releases: withdraw or reject some first", prompt.name);
        return Err(StoreError::Conflict(message));
    }
    let policy = policies::of(&mut writing.tx, &it.project, label).await?;
    let approved = policy.rules.approvals == 0;
    let mut release = Release {
        id: Id::at(it.now),
        project: Arc::clone(&it.project),
        prompt: prompt.name.clone(),
        label: label.clone(),
        version: *version,
        author: row.text("author")?,
        from_version,
        state: if approved { ReleaseState::Approved } else { ReleaseState::Proposed },
        note: said.clone(),
        ramp: ramp.clone(),
        percent: 0,
        next_at: None,
        proposed_by: it.who.owner.to_string(),
        proposed_at: it.now,
        history: Vec::new(),
        revision: writing.revision,
    };
    release.tell(ReleaseAction::Proposed, &it.who.owner, it.now, said.as_deref());
    stored::insert(writing, &prompt, &release).await?;
    note(writing, &it.who, &release).await?;
    Ok(release)
}

/// Notes in the audit what was done last.
async fn note(writing: &mut Writing, who: &Who, release: &Release) -> Result<()> {
    let Some(last) = release.history.last() else { return Ok(()) };
    let detail = json!({
        "release": release.id,
        "prompt": release.prompt,
        "label": release.label,
        "version": release.version,
        "from": release.from_version,
        "state": release.state,
        "percent": release.percent,
        "approvals": release.approval_count(),
        "reason": last.note,
    });
    let target = format!("{}@{}", release.prompt, release.label);
    let entry = audit::Entry { action: last.action.event(), target: &target, detail };
    audit::note(writing, who, &release.project, entry).await
}

/// Whether a version has an approved release onto the label that is not over, with as many approvals as it takes now.
pub(crate) async fn is_approved(writing: &mut Writing, ask: &Ask<'_>, needed: u32) -> Result<bool> {
    let Some(version) = ask.version else { return Ok(false) };
    let releases = stored::of_version(writing, ask.prompt, ask.label, version).await?;
    Ok(releases.iter().any(|release| {
        let counts = match release.state {
            ReleaseState::Approved | ReleaseState::Ramping | ReleaseState::Paused => true,
            // What was approved once is not approved for ever: it may have been rolled back since.
            ReleaseState::Proposed
            | ReleaseState::Released
            | ReleaseState::Rejected
            | ReleaseState::Withdrawn
            | ReleaseState::Aborted => false,
        };
        counts && release.approval_count() >= needed
    }))
}

fn no_release(id: Id<vocab::id::Release>) -> StoreError {
    StoreError::Missing(format!("there is no release `{id}`"))
}
