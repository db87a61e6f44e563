//! What can be done with a release, each thing from certain states only and by certain people only.

use std::sync::Arc;

use vocab::{Id, Time};

use super::{NOTE_BYTES, Release, ReleaseAction, ReleaseState, note, ramp, stored};
use crate::contract::{Candidate, Contract, reason_with};
use crate::db::{Result, Writing};
use crate::policies::{self, Ask, Way};
use crate::prompts::labels::{Note, place, stale, standing};
use crate::prompts::names::check_text;
use crate::prompts::{Prompt, catalogue};
use crate::roles::{Permission, Who};
use crate::{Registry, StoreError};

/// What can be done with a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseVerb {
    /// Agrees to it, as somebody who neither wrote nor proposed it.
    Approve,
    /// Refuses it.
    Reject,
    /// Takes it back.
    Withdraw,
    /// Carries it out: moves the label, or begins the ramp.
    Release,
    /// Keeps the ramp where it is.
    Pause,
    /// Lets the ramp go on.
    Resume,
    /// Takes the ramp's next step now.
    Advance,
    /// Ends the ramp: all calls get what the label points at.
    Abort,
}

/// What somebody does with a release.
#[derive(Clone, Debug)]
pub struct ReleaseDeed {
    /// What.
    pub verb: ReleaseVerb,
    /// Why, for the history.
    pub note: Option<String>,
    /// Why it may break its label's callers, where the label's policy has them asked.
    pub waiver: Option<String>,
}

impl ReleaseDeed {
    /// This and nothing more.
    pub const fn of(verb: ReleaseVerb) -> Self {
        Self { verb, note: None, waiver: None }
    }
}

/// Somebody about to do something with a release.
pub(super) struct Task {
    project: Arc<str>,
    id: Id<vocab::id::Release>,
    verb: ReleaseVerb,
    pub(super) note: Option<String>,
    contract: Contract,
    pub(super) who: Who,
    pub(super) now: Time,
}

impl Registry {
    /// Does something with a release, and says what it is after that.
    pub async fn change_release(
        &self,
        project: &str,
        id: Id<vocab::id::Release>,
        deed: ReleaseDeed,
        who: &Who,
    ) -> Result<Release> {
        let ReleaseDeed { verb, note, waiver } = deed;
        who.require(verb.permission())?;
        for (field, text) in [("note", &note), ("override", &waiver)] {
            check_text(field, text.as_deref().unwrap_or_default(), NOTE_BYTES)?;
        }
        let contract = match verb {
            ReleaseVerb::Release => self.check_release(project, id, waiver.as_deref()).await?,
            // Whoever carried it out had callers asked; the ramp is under way among them.
            ReleaseVerb::Advance => Contract::Settled,
            _ => Contract::Unchecked,
        };
        let note = reason_with(note, waiver.as_deref());
        let (who, now) = (who.clone(), self.clock().now());
        let task = Task { project: project.into(), id, verb, note, contract, who, now };
        self.write(task, |writing, task| Box::pin(act(writing, task))).await
    }
}

impl Registry {
    /// Has callers asked about a release, as its label's policy wants.
    async fn check_release(
        &self,
        project: &str,
        id: Id<vocab::id::Release>,
        waiver: Option<&str>,
    ) -> Result<Contract> {
        let release = self.get_release(project, id).await?;
        let place = (project, &release.prompt, &release.label);
        self.check_contract(place, Candidate::Stored(release.version), waiver).await
    }
}

impl ReleaseVerb {
    const fn permission(self) -> Permission {
        match self {
            // Whether it is their own is seen when it is read.
            Self::Withdraw => Permission::WritePrompts,
            Self::Approve
            | Self::Reject
            | Self::Release
            | Self::Pause
            | Self::Resume
            | Self::Advance
            | Self::Abort => Permission::Release,
        }
    }

    /// The states it can be done in.
    const fn from(self) -> &'static [ReleaseState] {
        use ReleaseState::{Approved, Paused, Proposed, Ramping};
        match self {
            Self::Approve | Self::Reject | Self::Withdraw | Self::Release => &[Proposed, Approved],
            Self::Pause => &[Ramping],
            Self::Resume => &[Paused],
            Self::Advance | Self::Abort => &[Ramping, Paused],
        }
    }

    const fn done(self) -> &'static str {
        match self {
            Self::Approve => "approved",
            Self::Reject => "rejected",
            Self::Withdraw => "withdrawn",
            Self::Release => "released",
            Self::Pause => "paused",
            Self::Resume => "resumed",
            Self::Advance => "advanced",
            Self::Abort => "aborted",
        }
    }
}

async fn act(writing: &mut Writing, task: &Task) -> Result<Release> {
    let mut release = stored::get(writing, &task.project, task.id).await?;
    task.who.may_change(release.prompt.as_str())?;
    task.who.may_label(release.label.as_str())?;
    let before = release.history.len();
    check_state(&release, task.verb)?;
    match task.verb {
        ReleaseVerb::Approve => approve(writing, task, &mut release).await?,
        ReleaseVerb::Reject => {
            release.state = ReleaseState::Rejected;
            task.tell(&mut release, ReleaseAction::Rejected);
        }
        ReleaseVerb::Withdraw => withdraw(task, &mut release)?,
        ReleaseVerb::Release => carry_out(writing, task, &mut release).await?,
        ReleaseVerb::Pause => {
            (release.state, release.next_at) = (ReleaseState::Paused, None);
            task.tell(&mut release, ReleaseAction::Paused);
        }
        ReleaseVerb::Resume => {
            release.state = ReleaseState::Ramping;
            release.next_at = release.due_after(task.now);
            task.tell(&mut release, ReleaseAction::Resumed);
        }
        ReleaseVerb::Advance => ramp::advance(writing, task, &mut release).await?,
        ReleaseVerb::Abort => ramp::abort(writing, task, &mut release).await?,
    }
    stored::update(writing, &mut release).await?;
    // Approving twice is no second approval.
    if release.history.len() > before {
        note(writing, &task.who, &release).await?;
    }
    Ok(release)
}

impl Task {
    /// Somebody who lets a ramp take its step by time.
    pub(super) fn by_time(release: &Release, who: Who, now: Time) -> Self {
        let (project, verb) = (Arc::clone(&release.project), ReleaseVerb::Advance);
        let note = Some("by time".to_owned());
        Self { project, id: release.id, verb, note, contract: Contract::Settled, who, now }
    }

    pub(super) fn tell(&self, release: &mut Release, action: ReleaseAction) {
        release.tell(action, &self.who.owner, self.now, self.note.as_deref());
    }

    /// What is asked at the door before the release serves more than it did.
    pub(super) fn ask<'a>(&'a self, prompt: &'a Prompt, release: &'a Release) -> Ask<'a> {
        Ask {
            prompt,
            label: &release.label,
            version: Some(release.version),
            who: &self.who,
            way: way(release),
            contract: self.contract,
            now: self.now,
        }
    }
}

fn check_state(release: &Release, verb: ReleaseVerb) -> Result<()> {
    let from = verb.from();
    if from.contains(&release.state) {
        return Ok(());
    }
    let states = from.iter().map(|state| state.as_str()).collect::<Vec<_>>().join(" or ");
    let (id, state, done) = (release.id, release.state, verb.done());
    Err(StoreError::Conflict(format!("release {id} is {state}: it can be {done} only while it is {states}")))
}

async fn approve(writing: &mut Writing, task: &Task, release: &mut Release) -> Result<()> {
    let owner = &*task.who.owner;
    let own = if owner == release.proposed_by {
        Some("proposed this release")
    } else if owner == release.author {
        Some("wrote this version")
    } else {
        None
    };
    if let Some(own) = own {
        let message = format!("`{owner}` {own} and cannot approve it: it takes somebody else");
        return Err(StoreError::Forbidden(message));
    }
    if release.approvals().all(|approval| approval.by != owner) {
        task.tell(release, ReleaseAction::Approved);
    }
    let policy = policies::of(&mut writing.tx, &release.project, &release.label).await?;
    if release.approval_count() >= policy.rules.approvals {
        release.state = ReleaseState::Approved;
    }
    Ok(())
}

fn withdraw(task: &Task, release: &mut Release) -> Result<()> {
    if *task.who.owner != *release.proposed_by && !task.who.role.may(Permission::Release) {
        let (owner, proposer) = (&task.who.owner, &release.proposed_by);
        let message = format!(
            "`{proposer}` proposed this release: `{owner}` may not withdraw it without a token of role releaser or \
             higher"
        );
        return Err(StoreError::Forbidden(message));
    }
    release.state = ReleaseState::Withdrawn;
    task.tell(release, ReleaseAction::Withdrawn);
    Ok(())
}

async fn carry_out(writing: &mut Writing, task: &Task, release: &mut Release) -> Result<()> {
    let prompt = catalogue::get(&mut writing.tx, &release.project, &release.prompt).await?;
    prompt.writable()?;
    let now = standing(writing, &prompt, &release.label).await?;
    stale(&prompt, &release.label, now.as_ref(), release.from_version.unwrap_or(0))?;
    match release.first_step() {
        Some(percent) => ramp::begin(writing, task, (&prompt, percent), release).await,
        None => finish(writing, task, &prompt, release).await,
    }
}

/// Moves the label. What split it must be gone from `prompt`.
pub(super) async fn finish(
    writing: &mut Writing,
    task: &Task,
    prompt: &Prompt,
    release: &mut Release,
) -> Result<()> {
    let note = Note {
        who: &task.who,
        way: way(release),
        contract: task.contract,
        reason: task.note.as_deref().or(release.note.as_deref()),
        now: task.now,
    };
    place(writing, prompt, (&release.label, release.version), &note).await?;
    (release.state, release.percent, release.next_at) = (ReleaseState::Released, 100, None);
    task.tell(release, ReleaseAction::Released);
    Ok(())
}

fn way(release: &Release) -> Way {
    Way::Release { approvals: release.approval_count() }
}
