//! Releases, experiments and policies for `verbs.rs`: brought to where a verb can act on them, and acted on.

use registry::{
    Arm, Exclusion, ExperimentPlan, ExperimentState, NewRelease, PolicyRules, Ramp, ReleaseDeed, ReleaseVerb,
    StoreError, Unit, Who,
};
use vocab::id::Release;
use vocab::{Id, LabelName, PromptName};

use crate::bench::{Bench, PROJECT, label};

type Outcome = Result<(), StoreError>;

/// Prepares what the verb needs on the label `dev` of a prompt: an open release, a ramp, an experiment.
pub(crate) async fn prepare(it: &Bench, prompt: &PromptName, leaves: &[&str]) -> Option<Id<Release>> {
    match leaves.last().copied().unwrap_or_default() {
        "release.approved" | "release.rejected" | "release.withdrawn" | "release.released" => {
            Some(proposed(it, prompt, false).await)
        }
        "release.started" => Some(proposed(it, prompt, true).await),
        "release.advanced" | "release.paused" | "release.aborted" => Some(ramping(it, prompt).await),
        "release.resumed" => {
            let id = ramping(it, prompt).await;
            change(it, id, ReleaseVerb::Pause, &it.admin).await.unwrap();
            Some(id)
        }
        "experiment.changed" | "experiment.stopped" | "experiment.removed" => {
            experiment(it, prompt, plan(ExperimentState::Running, 1), &it.admin).await.unwrap();
            None
        }
        _ => None,
    }
}

async fn proposed(it: &Bench, prompt: &PromptName, in_steps: bool) -> Id<Release> {
    let new = new_release(in_steps);
    it.registry.propose_release(PROJECT, prompt, new, &it.admin).await.unwrap().id
}

async fn ramping(it: &Bench, prompt: &PromptName) -> Id<Release> {
    let id = proposed(it, prompt, true).await;
    change(it, id, ReleaseVerb::Release, &it.admin).await.unwrap();
    id
}

/// Of the first version, onto `dev`.
fn new_release(in_steps: bool) -> NewRelease {
    let ramp = in_steps.then(|| Ramp { steps: vec![10, 50, 100], every_seconds: None });
    NewRelease { label: label("dev"), version: 1, ramp, note: None }
}

async fn change(it: &Bench, id: Id<Release>, verb: ReleaseVerb, who: &Who) -> Outcome {
    it.registry.change_release(PROJECT, id, ReleaseDeed::of(verb), who).await.map(drop)
}

/// Both versions, the second with this weight.
fn plan(state: ExperimentState, weight: u32) -> ExperimentPlan {
    let arm = |version: u32, weight| Arm { name: format!("arm-{version}").into(), version, weight };
    let arms = vec![arm(1, 1), arm(2, weight)];
    ExperimentPlan { arms, unit: Unit::User, exclude: Exclusion::default(), state, waiver: None }
}

async fn experiment(it: &Bench, prompt: &PromptName, plan: ExperimentPlan, who: &Who) -> Outcome {
    it.registry.set_experiment((PROJECT, prompt, &label("dev")), plan, None, who).await.map(drop)
}

/// Uses a verb of releases or experiments so that it leaves this action.
pub(crate) async fn act(
    it: &Bench,
    (prompt, release): (&PromptName, Option<Id<Release>>),
    (verb, leaves): (&str, &[&str]),
    who: &Who,
) -> Outcome {
    let deed = match (verb, leaves.last().copied().unwrap_or_default()) {
        ("propose_release", _) => {
            return it.registry.propose_release(PROJECT, prompt, new_release(false), who).await.map(drop);
        }
        ("set_experiment", "experiment.started") => {
            return experiment(it, prompt, plan(ExperimentState::Running, 1), who).await;
        }
        ("set_experiment", "experiment.changed") => {
            return experiment(it, prompt, plan(ExperimentState::Running, 3), who).await;
        }
        ("set_experiment", "experiment.stopped") => {
            return experiment(it, prompt, plan(ExperimentState::Stopped, 1), who).await;
        }
        ("remove_experiment", _) => {
            return it.registry.remove_experiment((PROJECT, prompt, &label("dev")), None, who).await;
        }
        ("change_release", "release.approved") => ReleaseVerb::Approve,
        ("change_release", "release.rejected") => ReleaseVerb::Reject,
        ("change_release", "release.withdrawn") => ReleaseVerb::Withdraw,
        ("change_release", "release.started" | "release.released") => ReleaseVerb::Release,
        ("change_release", "release.advanced") => ReleaseVerb::Advance,
        ("change_release", "release.paused") => ReleaseVerb::Pause,
        ("change_release", "release.resumed") => ReleaseVerb::Resume,
        ("change_release", "release.aborted") => ReleaseVerb::Abort,
        (verb, leaves) => panic!("say in stages.rs how `{verb}` comes to leave `{leaves}`"),
    };
    change(it, release.unwrap(), deed, who).await
}

/// Sets or resets the policy of a label.
pub(crate) async fn on_policies(it: &Bench, of: &LabelName, verb: &str, who: &Who) -> Outcome {
    let at = (PROJECT, of);
    if verb == "reset_label_policy" {
        return it.registry.reset_label_policy(at, None, who).await.map(drop);
    }
    let rules = PolicyRules { approvals: 1, ..PolicyRules::initial(of) };
    it.registry.set_label_policy(at, rules, None, who).await.map(drop)
}
