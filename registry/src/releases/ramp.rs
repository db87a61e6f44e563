//! Ramps: a release that serves a growing part of a label's calls, by hand or by time, before the label moves.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use vocab::{Id, Time};

use super::act::{Task, finish};
use super::{Release, ReleaseAction, ReleaseState, note, stored};
use crate::assignment::{RampShare, Split};
use crate::db::{Result, Writing};
use crate::policies::may_serve;
use crate::prompts::floats::check_holds;
use crate::prompts::{Prompt, catalogue};
use crate::roles::{Role, Who};
use crate::splits::{self, Ending};
use crate::{Registry, StoreError};

/// The most steps of a ramp.
const STEPS: usize = 20;
/// The shortest and the longest time between two steps, in seconds: a minute and 30 days.
const EVERY_SECONDS: [u32; 2] = [60, 30 * 86_400];
/// How long a step that the door refused waits until it is tried again.
const HELD: Duration = Duration::from_mins(1);

/// In which steps a label moves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ramp {
    /// How much of the calls each step serves, in percent, growing, 100 at last.
    pub steps: Vec<u32>,
    /// The time between two steps, in seconds; each takes a hand when absent.
    pub every_seconds: Option<u32>,
}

/// What became of a step that was due.
#[derive(Clone, Debug)]
pub enum Advanced {
    /// Somebody else took it, or it is no longer due.
    Already,
    /// It was taken.
    Taken(Release),
    /// The label's policy does not let it now; it is tried again.
    Held {
        /// The release, as it stays.
        release: Release,
        /// Why.
        why: String,
    },
}

/// A ramp whose step is due.
struct Due {
    project: String,
    id: Id<vocab::id::Release>,
    now: Time,
}

impl Ramp {
    pub(super) fn check(&self) -> Result<()> {
        let wrong = |message: String| Err(StoreError::invalid("ramp", message));
        if !(1..=STEPS).contains(&self.steps.len()) {
            return wrong(format!("`ramp.steps` has 1 to {STEPS} steps"));
        }
        let grows = self.steps.windows(2).all(|pair| pair[0] < pair[1]);
        if !grows || self.steps.first() == Some(&0) || self.steps.last() != Some(&100) {
            return wrong(
                "`ramp.steps` are percents that grow and end with 100, such as [1, 10, 50, 100]".to_owned(),
            );
        }
        let [least, most] = EVERY_SECONDS;
        if self.every_seconds.is_some_and(|every| !(least..=most).contains(&every)) {
            return wrong("`ramp.every` is 1 minute to 30 days".to_owned());
        }
        Ok(())
    }

    /// The step after this many percent.
    fn next(&self, percent: u32) -> u32 {
        self.steps.iter().copied().find(|step| *step > percent).unwrap_or(100)
    }
}

impl Release {
    /// The part it begins with, where it does not move the label at once.
    pub(super) fn first_step(&self) -> Option<u32> {
        self.ramp.as_ref().map(|ramp| ramp.next(0)).filter(|percent| *percent < 100)
    }

    /// When the next step is due, counted from now; never for those taken by hand.
    pub(super) fn due_after(&self, now: Time) -> Option<Time> {
        let every = self.ramp.as_ref().and_then(|ramp| ramp.every_seconds)?;
        Some(now.plus(Duration::from_secs(every.into())))
    }

    fn share(&self) -> Split {
        Split::Ramp(RampShare { release: self.id, version: self.version, percent: self.percent })
    }
}

impl Registry {
    /// Takes the steps of all ramps that are due by time, one each. Any number of nodes may do so at once.
    pub async fn advance_ramps(&self) -> Result<Vec<Advanced>> {
        let now = self.clock().now();
        let mut advanced = Vec::new();
        for (project, id) in stored::due(self.db(), now).await? {
            let due = Due { project: project.clone(), id, now };
            let taken = self.write(due, |writing, due| Box::pin(take_due(writing, due))).await;
            advanced.push(match taken {
                Ok(taken) => taken,
                Err(StoreError::Unavailable(away)) => return Err(StoreError::Unavailable(away)),
                Err(refused) => {
                    let held = (Due { project, id, now }, refused.to_string());
                    self.write(held, |writing, (due, why)| Box::pin(hold(writing, due, why))).await?
                }
            });
        }
        Ok(advanced)
    }
}

/// Begins to serve a part of the calls.
pub(super) async fn begin(
    writing: &mut Writing,
    task: &Task,
    (prompt, percent): (&Prompt, u32),
    release: &mut Release,
) -> Result<()> {
    if !prompt.labels.contains_key(&release.label) {
        let message = format!(
            "label `{}` of prompt `{}` points at nothing, so there is nothing to ramp from: release without a ramp",
            release.label, prompt.name
        );
        return Err(StoreError::Conflict(message));
    }
    splits::check_free(prompt, &release.label)?;
    may_serve(writing, &task.ask(prompt, release)).await?;
    check_holds(&mut writing.tx, prompt, release.version).await?;
    release.percent = percent;
    (release.state, release.next_at) = (ReleaseState::Ramping, release.due_after(task.now));
    task.tell(release, ReleaseAction::Started);
    splits::put(writing, prompt, &release.label, &release.share(), task.now).await
}

/// Takes the next step; the last one moves the label.
pub(super) async fn advance(writing: &mut Writing, task: &Task, release: &mut Release) -> Result<()> {
    let mut prompt = catalogue::get(&mut writing.tx, &release.project, &release.prompt).await?;
    let next = release.ramp.as_ref().map_or(100, |ramp| ramp.next(release.percent));
    if next >= 100 {
        splits::remove(writing, &prompt, &release.label, task.now).await?;
        prompt.splits.remove(&release.label);
        return finish(writing, task, &prompt, release).await;
    }
    may_serve(writing, &task.ask(&prompt, release)).await?;
    check_holds(&mut writing.tx, &prompt, release.version).await?;
    release.percent = next;
    if release.state == ReleaseState::Ramping {
        release.next_at = release.due_after(task.now);
    }
    task.tell(release, ReleaseAction::Advanced);
    splits::put(writing, &prompt, &release.label, &release.share(), task.now).await
}

/// Ends the ramp: all calls get what the label points at.
pub(super) async fn abort(writing: &mut Writing, task: &Task, release: &mut Release) -> Result<()> {
    let prompt = catalogue::get(&mut writing.tx, &release.project, &release.prompt).await?;
    splits::remove(writing, &prompt, &release.label, task.now).await?;
    (release.state, release.percent, release.next_at) = (ReleaseState::Aborted, 0, None);
    task.tell(release, ReleaseAction::Aborted);
    Ok(())
}

/// Puts down that a ramp was ended by something else than its own verbs.
pub(crate) async fn end(
    writing: &mut Writing,
    prompt: &Prompt,
    id: Id<vocab::id::Release>,
    ending: &Ending<'_>,
) -> Result<()> {
    let mut release = stored::get(writing, &prompt.project, id).await?;
    (release.state, release.percent, release.next_at) = (ReleaseState::Aborted, 0, None);
    release.tell(ReleaseAction::Aborted, &ending.who.owner, ending.now, Some(ending.why));
    stored::update(writing, &mut release).await?;
    note(writing, ending.who, &release).await
}

impl Due {
    fn is_due(&self, release: &Release) -> bool {
        release.state == ReleaseState::Ramping && release.next_at.is_some_and(|at| at <= self.now)
    }
}

/// Has a step that was refused wait, so that those of other ramps are not held up.
async fn hold(writing: &mut Writing, due: &Due, why: &str) -> Result<Advanced> {
    let mut release = stored::get(writing, &due.project, due.id).await?;
    if !due.is_due(&release) {
        return Ok(Advanced::Already);
    }
    release.next_at = Some(due.now.plus(HELD));
    stored::update(writing, &mut release).await?;
    Ok(Advanced::Held { release, why: why.to_owned() })
}

async fn take_due(writing: &mut Writing, due: &Due) -> Result<Advanced> {
    let mut release = stored::get(writing, &due.project, due.id).await?;
    if !due.is_due(&release) {
        return Ok(Advanced::Already);
    }
    // The step was decided by whoever began the ramp; the label's policy is asked anew all the same.
    let began = release.history.iter().rfind(|event| event.action == ReleaseAction::Started);
    let who = Who::new(Role::Releaser, began.map_or_else(String::new, |event| event.by.clone()));
    let task = Task::by_time(&release, who, due.now);
    advance(writing, &task, &mut release).await?;
    stored::update(writing, &mut release).await?;
    note(writing, &task.who, &release).await?;
    Ok(Advanced::Taken(release))
}
