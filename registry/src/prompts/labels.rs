//! Labels: named pointers to a version, moved by compare-and-set, with the history of every move.

mod moving;
mod pointing;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use vocab::{LabelName, Page, PromptName, Time};

use super::Prompt;
use super::names::check_text;
use crate::contract::{Candidate, Contract, reason_with};
use crate::db::{Result, Row, args};
use crate::paging::Paging;
use crate::roles::{Permission, Who};
use crate::{Registry, StoreError};

pub use pointing::Labels;

pub(crate) use moving::{Note, place, stale, standing};

/// The longest reason, in bytes.
const REASON_BYTES: usize = 2_000;
/// The most labels of a prompt.
pub(super) const LABELS: usize = 100;

/// A label where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Label {
    /// Its name.
    pub label: LabelName,
    /// The version it points at.
    pub version: u32,
    /// Who put it there.
    pub moved_by: String,
    /// When.
    pub moved_at: Time,
}

/// One move in the history of a label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LabelMove {
    /// Grows with every move.
    pub revision: i64,
    /// What was done.
    pub action: LabelAction,
    /// The version it pointed at before.
    pub from: Option<u32>,
    /// The version it points at since; `None` when it was removed.
    pub to: Option<u32>,
    /// Why, in the words of who did it.
    pub reason: Option<String>,
    /// Who.
    pub moved_by: String,
    /// When.
    pub moved_at: Time,
}

/// What was done to a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelAction {
    /// Put on a version.
    Move,
    /// Taken away.
    Remove,
    /// Put back to where it was before.
    Rollback,
}

impl LabelAction {
    /// The word used in JSON and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Move => "move",
            Self::Remove => "remove",
            Self::Rollback => "rollback",
        }
    }

    fn read(text: &str) -> Result<Self> {
        match text {
            "move" => Ok(Self::Move),
            "remove" => Ok(Self::Remove),
            "rollback" => Ok(Self::Rollback),
            _ => Err(StoreError::unreadable("action")),
        }
    }
}

/// Which label to change, and on what condition.
#[derive(Clone, Debug)]
pub struct LabelChange {
    /// The label.
    pub label: LabelName,
    /// Refuse unless it points at this version now; 0 means that it must not be there yet.
    pub expected_version: Option<u32>,
    /// Why, for the history.
    pub reason: Option<String>,
    /// Whether a ramp or an experiment on the label is ended, which is refused otherwise. Rolling back always does.
    pub end: bool,
    /// Why it may break its callers, where its policy has them asked.
    pub waiver: Option<String>,
}

impl LabelChange {
    /// A change of this label on no condition.
    pub const fn of(label: LabelName) -> Self {
        Self { label, expected_version: None, reason: None, end: false, waiver: None }
    }

    /// The same label, put on a version.
    pub const fn onto(self, version: u32) -> LabelPlacement {
        LabelPlacement { change: self, version }
    }
}

/// A label to put on a version.
#[derive(Clone, Debug)]
pub struct LabelPlacement {
    /// The label, on what condition, and why.
    pub change: LabelChange,
    /// The version it is to point at.
    pub version: u32,
}

struct Task {
    project: Arc<str>,
    name: PromptName,
    change: LabelChange,
    version: u32,
    contract: Contract,
    who: Who,
    now: Time,
}

impl Registry {
    /// Points a label at a version. Pointing it where it points already changes nothing.
    pub async fn move_label(
        &self,
        project: &str,
        name: &PromptName,
        placement: LabelPlacement,
        who: &Who,
    ) -> Result<Label> {
        let LabelPlacement { change, version } = placement;
        who.require(Permission::WritePrompts)?;
        let (place, candidate) = ((project, name, &change.label), Candidate::Stored(version));
        let contract = self.check_contract(place, candidate, change.waiver.as_deref()).await?;
        let task = Task { contract, ..self.label_task((project, name), version, change, who)? };
        self.write(task, |writing, task| Box::pin(moving::put(writing, task))).await
    }

    /// Takes a label away; its history stays.
    pub async fn remove_label(
        &self,
        project: &str,
        name: &PromptName,
        change: LabelChange,
        who: &Who,
    ) -> Result<()> {
        who.require(Permission::WritePrompts)?;
        let task = self.label_task((project, name), 0, change, who)?;
        self.write(task, |writing, task| Box::pin(moving::remove(writing, task))).await
    }

    /// Points a label at the version it served before the present one was placed; again walks further back. A ramp is a
    /// placement under way: it is what goes back first. An experiment on the label ends.
    pub async fn roll_back_label(
        &self,
        project: &str,
        name: &PromptName,
        change: LabelChange,
        who: &Who,
    ) -> Result<Label> {
        who.require(Permission::Release)?;
        let task = self.label_task((project, name), 0, change, who)?;
        self.write(task, |writing, task| Box::pin(moving::roll_back(writing, task))).await
    }

    /// The labels of a prompt by name.
    pub async fn list_labels(&self, project: &str, name: &PromptName) -> Result<Vec<Label>> {
        let prompt = self.get_prompt(project, name).await?;
        let sql = "SELECT label, version, moved_by, moved_us FROM label WHERE prompt_id = $1
                   ORDER BY label LIMIT $2";
        let rows = self.db().all(sql, args![prompt.id.to_string(), LABELS as i64]).await?;
        rows.iter().map(read_label).collect()
    }

    /// The moves of one label, newest first.
    pub async fn label_history(
        &self,
        project: &str,
        name: &PromptName,
        label: &LabelName,
        paging: &Paging,
    ) -> Result<Page<LabelMove>> {
        let prompt = self.get_prompt(project, name).await?;
        let before = paging.after_number()?.unwrap_or(i64::MAX);
        let sql = "SELECT revision, action, from_version, to_version, reason, moved_by, moved_us
                   FROM label_move WHERE prompt_id = $1 AND label = $2 AND revision < $3
                   ORDER BY revision DESC LIMIT $4";
        let values = args![prompt.id.to_string(), label.as_str(), before, paging.rows()];
        let rows = self.db().all(sql, values).await?;
        if rows.is_empty() && paging.cursor.is_none() {
            return Err(no_label(&prompt, label));
        }
        let moves = rows.iter().map(read_move).collect::<Result<Vec<_>>>()?;
        Ok(paging.page(moves, |moved| moved.revision.to_string()))
    }

    fn label_task(
        &self,
        (project, name): (&str, &PromptName),
        version: u32,
        change: LabelChange,
        who: &Who,
    ) -> Result<Task> {
        check_text("reason", change.reason.as_deref().unwrap_or_default(), REASON_BYTES)?;
        check_text("override", change.waiver.as_deref().unwrap_or_default(), REASON_BYTES)?;
        who.may_label(change.label.as_str())?;
        let mut change = change;
        change.reason = reason_with(change.reason.take(), change.waiver.as_deref());
        let (who, now, contract) = (who.clone(), self.clock().now(), Contract::Unchecked);
        Ok(Task { project: project.into(), name: name.clone(), change, version, contract, who, now })
    }
}

fn read_label(row: &Row) -> Result<Label> {
    Ok(Label {
        label: row.parsed("label")?,
        version: row.number("version")?,
        moved_by: row.text("moved_by")?,
        moved_at: row.time("moved_us")?,
    })
}

fn read_move(row: &Row) -> Result<LabelMove> {
    Ok(LabelMove {
        revision: row.int("revision")?,
        action: LabelAction::read(&row.text("action")?)?,
        from: row.maybe_number("from_version")?,
        to: row.maybe_number("to_version")?,
        reason: row.maybe_text("reason")?,
        moved_by: row.text("moved_by")?,
        moved_at: row.time("moved_us")?,
    })
}

fn no_label(prompt: &Prompt, label: &LabelName) -> StoreError {
    StoreError::Missing(format!("prompt `{}` has no label `{label}`", prompt.name))
}
