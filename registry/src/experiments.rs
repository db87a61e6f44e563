//! Experiments: on one label, several versions side by side, each for its part of the units.
//!
//! Who gets which is decided in [`crate::assignment`]. Each start deals anew: the salt is the experiment's name and
//! how often it was started. Whatever is edited while it runs leaves the salt alone.

mod plan;
mod stored;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vocab::{LabelName, PromptName, Time};

use crate::assignment::{Arm, Exclusion, Split, Trial, Unit};
use crate::audit;
use crate::contract::{Candidate, Contract};
use crate::db::{Result, Writing, args};
use crate::policies::{Ask, Way, may_serve};
use crate::prompts::floats::check_holds;
use crate::prompts::versions::no_version;
use crate::prompts::{Prompt, catalogue};
use crate::roles::{Permission, Who};
use crate::splits::{self, Ending};
use crate::{Registry, StoreError};

pub use plan::ExperimentPlan;
use stored::{EXPERIMENTS, FIND, LIST, Mark, check_room, mark, read, store};

/// Several versions compared on one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Experiment {
    /// The prompt, under the name it has now.
    pub prompt: PromptName,
    /// The label.
    pub label: LabelName,
    /// `prompt/label` when it was last started: what records and headers say.
    pub name: String,
    /// Whose calls belong together.
    pub unit: Unit,
    /// The versions, in order.
    pub arms: Vec<Arm>,
    /// Who does not take part.
    pub exclude: Exclusion,
    /// How it stands.
    pub state: ExperimentState,
    /// How often it was started.
    pub starts: u32,
    /// When it was started last.
    pub started_at: Option<Time>,
    /// When it was stopped; not while it runs.
    pub stopped_at: Option<Time>,
    /// Who set it up.
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

/// How an experiment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExperimentState {
    /// Calls are assigned to its arms.
    Running,
    /// All calls get what the label points at.
    Stopped,
}

struct Setup {
    project: String,
    name: PromptName,
    label: LabelName,
    /// `None` removes it.
    plan: Option<ExperimentPlan>,
    contract: Contract,
    expected_revision: Option<i64>,
    who: Who,
    now: Time,
}

impl Experiment {
    fn trial(&self) -> Trial {
        Trial {
            name: self.name.as_str().into(),
            salt: format!("{}{}", self.name, self.starts).into(),
            unit: self.unit.clone(),
            arms: self.arms.clone(),
            exclude: self.exclude.clone(),
        }
    }
}

impl ExperimentState {
    /// The word used in JSON and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
        }
    }
}

impl Registry {
    /// Sets the experiment on a label of a prompt up, changes it, starts or stops it. Every arm passes the label's
    /// door.
    pub async fn set_experiment(
        &self,
        at: (&str, &PromptName, &LabelName),
        plan: ExperimentPlan,
        expected_revision: Option<i64>,
        who: &Who,
    ) -> Result<Experiment> {
        who.require(Permission::Release)?;
        plan.check()?;
        let mut contract = Contract::Unchecked;
        for arm in plan.arms.iter().filter(|_| plan.state == ExperimentState::Running) {
            let checked = self.check_contract(at, Candidate::Arm(arm.version), plan.waiver.as_deref());
            contract = contract.max(checked.await?);
        }
        let setup = Setup { contract, ..self.setup(at, Some(plan), expected_revision, who) };
        let set = self.write(setup, |writing, it| Box::pin(set(writing, it))).await?;
        set.ok_or_else(|| StoreError::unreadable("experiment"))
    }

    /// Stops an experiment and forgets its plan.
    pub async fn remove_experiment(
        &self,
        at: (&str, &PromptName, &LabelName),
        expected_revision: Option<i64>,
        who: &Who,
    ) -> Result<()> {
        who.require(Permission::Release)?;
        let setup = self.setup(at, None, expected_revision, who);
        self.write(setup, |writing, it| Box::pin(set(writing, it))).await.map(|_| ())
    }

    /// The experiment on a label of a prompt.
    pub async fn get_experiment(
        &self,
        project: &str,
        name: &PromptName,
        label: &LabelName,
    ) -> Result<Experiment> {
        let prompt = self.get_prompt(project, name).await?;
        let row = self.db().maybe(FIND, args![prompt.id.to_string(), label.as_str()]).await?;
        let found = row.as_ref().map(read).transpose()?.flatten();
        found.ok_or_else(|| no_experiment(&prompt, label))
    }

    /// All experiments of a prompt, by label.
    pub async fn list_experiments(&self, project: &str, name: &PromptName) -> Result<Vec<Experiment>> {
        let prompt = self.get_prompt(project, name).await?;
        let rows = self.db().all(LIST, args![prompt.id.to_string(), EXPERIMENTS]).await?;
        let found = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
        Ok(found.into_iter().flatten().collect())
    }

    fn setup(
        &self,
        (project, name, label): (&str, &PromptName, &LabelName),
        plan: Option<ExperimentPlan>,
        expected_revision: Option<i64>,
        who: &Who,
    ) -> Setup {
        let (project, name, label) = (project.to_owned(), name.clone(), label.clone());
        let (contract, who, now) = (Contract::Unchecked, who.clone(), self.clock().now());
        Setup { project, name, label, plan, contract, expected_revision, who, now }
    }
}

/// Carries a setup out; `None` when the experiment is gone.
async fn set(writing: &mut Writing, it: &Setup) -> Result<Option<Experiment>> {
    let prompt = catalogue::get(&mut writing.tx, &it.project, &it.name).await?;
    let values = args![prompt.id.to_string(), it.label.as_str()];
    let row = writing.tx.maybe(FIND, values).await?;
    let starts = row.as_ref().map(|row| row.number("starts")).transpose()?.unwrap_or_default();
    let before = row.as_ref().map(read).transpose()?.flatten();
    expect(it, before.as_ref())?;
    let Some(plan) = &it.plan else {
        if before.is_none() {
            return Err(no_experiment(&prompt, &it.label));
        }
        remove(writing, &prompt, it).await?;
        note(writing, &it.who, (&prompt, &it.label), ("experiment.removed", json!({}))).await?;
        return Ok(None);
    };
    prompt.writable()?;
    check_versions(writing, &prompt, plan).await?;
    if row.is_none() {
        check_room(writing, &prompt).await?;
    }
    let after = planned(&prompt, (it, plan), before.as_ref(), starts)?;
    let after = Experiment { revision: writing.revision, ..after };
    serve(writing, &prompt, it, (before.as_ref(), &after)).await?;
    store(writing, &prompt, &after).await?;
    let detail = json!({
        "unit": after.unit,
        "arms": after.arms,
        "starts": after.starts,
        "reason": plan.waiver.as_ref().map(|waiver| format!("callers may break: {waiver}")),
    });
    note(writing, &it.who, (&prompt, &it.label), (deed(before.as_ref(), &after), detail)).await?;
    Ok(Some(after))
}

fn deed(before: Option<&Experiment>, after: &Experiment) -> &'static str {
    let was_running = before.is_some_and(|before| before.state == ExperimentState::Running);
    match (was_running, after.state) {
        (false, ExperimentState::Running) => "experiment.started",
        (true, ExperimentState::Stopped) => "experiment.stopped",
        (true, ExperimentState::Running) | (false, ExperimentState::Stopped) => "experiment.changed",
    }
}

async fn note(
    writing: &mut Writing,
    who: &Who,
    (prompt, label): (&Prompt, &LabelName),
    (action, mut detail): (&'static str, Value),
) -> Result<()> {
    if let Value::Object(detail) = &mut detail {
        detail.insert("prompt".to_owned(), json!(prompt.name));
        detail.insert("label".to_owned(), json!(label));
    }
    let target = format!("{}@{label}", prompt.name);
    audit::note(writing, who, &prompt.project, audit::Entry { action, target: &target, detail }).await
}

fn expect(it: &Setup, before: Option<&Experiment>) -> Result<()> {
    let current = before.map_or(0, |before| before.revision);
    if it.expected_revision.is_none_or(|expected| expected == current) {
        return Ok(());
    }
    let winner = before.map(|before| format!(" by {} at {}", before.updated_by, before.updated_at));
    let winner = winner.unwrap_or_default();
    let message =
        format!("the experiment on label `{}` was changed meanwhile{winner}: read it again", it.label);
    Err(StoreError::Stale { message, current: None })
}

/// What the experiment is after a plan.
fn planned(
    prompt: &Prompt,
    (it, plan): (&Setup, &ExperimentPlan),
    before: Option<&Experiment>,
    starts: u32,
) -> Result<Experiment> {
    let was_running = before.is_some_and(|before| before.state == ExperimentState::Running);
    let runs = plan.state == ExperimentState::Running;
    if was_running && runs && before.is_some_and(|before| before.unit != plan.unit) {
        let message =
            "`unit` cannot change while the experiment runs, everybody would be dealt anew: stop it first";
        return Err(StoreError::Conflict(message.to_owned()));
    }
    let begins = runs && !was_running;
    let name = format!("{}/{}", prompt.name, it.label);
    let by = it.who.owner.to_string();
    Ok(Experiment {
        prompt: prompt.name.clone(),
        label: it.label.clone(),
        name: before.filter(|_| !begins).map_or(name, |before| before.name.clone()),
        unit: plan.unit.clone(),
        arms: plan.arms.clone(),
        exclude: plan.exclude.clone(),
        state: plan.state,
        starts: if begins { starts + 1 } else { starts },
        started_at: if begins { Some(it.now) } else { before.and_then(|before| before.started_at) },
        stopped_at: match (runs, was_running) {
            (true, _) => None,
            (false, true) => Some(it.now),
            (false, false) => before.and_then(|before| before.stopped_at),
        },
        created_by: before.map_or_else(|| by.clone(), |before| before.created_by.clone()),
        created_at: before.map_or(it.now, |before| before.created_at),
        updated_by: by,
        updated_at: it.now,
        revision: 0,
    })
}

/// Has the arms serve from now on, or no longer.
async fn serve(
    writing: &mut Writing,
    prompt: &Prompt,
    it: &Setup,
    (before, after): (Option<&Experiment>, &Experiment),
) -> Result<()> {
    if after.state == ExperimentState::Stopped {
        if before.is_some_and(|before| before.state == ExperimentState::Running) {
            splits::remove(writing, prompt, &it.label, it.now).await?;
        }
        return Ok(());
    }
    if let Some(Split::Ramp(_)) = prompt.splits.get(&it.label) {
        return splits::check_free(prompt, &it.label);
    }
    for arm in &after.arms {
        let (label, version, who, now) = (&it.label, Some(arm.version), &it.who, it.now);
        let (way, contract) = (Way::Arm, it.contract);
        may_serve(writing, &Ask { prompt, label, version, who, way, contract, now }).await?;
        check_holds(&mut writing.tx, prompt, arm.version).await?;
    }
    splits::put(writing, prompt, &it.label, &Split::Experiment(after.trial()), it.now).await
}

async fn remove(writing: &mut Writing, prompt: &Prompt, it: &Setup) -> Result<()> {
    if let Some(Split::Experiment(_)) = prompt.splits.get(&it.label) {
        splits::remove(writing, prompt, &it.label, it.now).await?;
    }
    mark(writing, prompt, &it.label, &Mark { state: "removed", by: &it.who.owner, now: it.now }).await
}

/// Puts down that an experiment was stopped by something else than its own verbs.
pub(crate) async fn end(
    writing: &mut Writing,
    prompt: &Prompt,
    label: &LabelName,
    ending: &Ending<'_>,
) -> Result<()> {
    mark(writing, prompt, label, &Mark { state: "stopped", by: &ending.who.owner, now: ending.now }).await?;
    let detail = json!({"reason": ending.why});
    note(writing, ending.who, (prompt, label), ("experiment.stopped", detail)).await
}

async fn check_versions(writing: &mut Writing, prompt: &Prompt, plan: &ExperimentPlan) -> Result<()> {
    for arm in &plan.arms {
        let sql = "SELECT number FROM version WHERE prompt_id = $1 AND number = $2 LIMIT 1";
        if writing.tx.maybe(sql, args![prompt.id.to_string(), arm.version]).await?.is_none() {
            return Err(no_version(prompt, &arm.version));
        }
    }
    Ok(())
}

fn no_experiment(prompt: &Prompt, label: &LabelName) -> StoreError {
    StoreError::Missing(format!("prompt `{}` has no experiment on label `{label}`", prompt.name))
}
