//! The one door: whether somebody may make a version answer a label, in whatever way it would come to do so.

use vocab::{LabelName, Time};

use super::{AfterLabel, LabelPolicy};
use crate::StoreError;
use crate::contract::Contract;
use crate::db::{Result, Writing, args};
use crate::prompts::Prompt;
use crate::releases;
use crate::roles::{Permission, Who};

/// How many of a label's newest moves tell how long a version served it.
const MOVES: i64 = 10_000;
/// An hour in microseconds.
const HOUR_US: i64 = 3_600_000_000;

/// What is asked at the door.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask<'a> {
    /// The prompt whose label it is.
    pub(crate) prompt: &'a Prompt,
    pub(crate) label: &'a LabelName,
    /// The version that is to answer the label; `None` takes the label away.
    pub(crate) version: Option<u32>,
    pub(crate) who: &'a Who,
    pub(crate) way: Way,
    /// What became of the contract check, which comes before the write.
    pub(crate) contract: Contract,
    pub(crate) now: Time,
}

/// In which way a version comes to answer a label, or stops doing so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// The label is put on it.
    Put,
    /// It is published with the label.
    Publish,
    /// A release moves the label to it, or begins or goes on with a ramp.
    Release {
        /// How many others than author and proposer approved.
        approvals: u32,
    },
    /// It becomes an arm of an experiment on the label.
    Arm,
    /// The label is put back to where it was.
    Rollback,
    /// The label is taken away.
    Remove,
}

/// Refuses whoever may not touch the label at all, also where nothing would change.
pub(crate) async fn may_reach(writing: &mut Writing, ask: &Ask<'_>) -> Result<LabelPolicy> {
    ask.who.require(ask.permission())?;
    ask.who.may_change(ask.prompt.name.as_str())?;
    ask.who.may_label(ask.label.as_str())?;
    let policy = super::of(&mut writing.tx, &ask.prompt.project, ask.label).await?;
    check_protection(ask, &policy)?;
    Ok(policy)
}

/// Refuses unless the label's policy, as it is now, lets them.
pub(crate) async fn may_serve(writing: &mut Writing, ask: &Ask<'_>) -> Result<()> {
    let policy = may_reach(writing, ask).await?;
    if ask.way == Way::Rollback {
        return Ok(());
    }
    check_freeze(ask, &policy)?;
    let Some(version) = ask.version else { return Ok(()) };
    if ask.way == Way::Arm && ask.prompt.labels.get(ask.label) == Some(&version) {
        // It is what serves already: the experiment only takes calls from it.
        return Ok(());
    }
    check_approvals(writing, ask, &policy, version).await?;
    check_contract(ask, &policy)?;
    match &policy.rules.after_label {
        Some(after) => check_stage(writing, ask, after, version).await,
        None => Ok(()),
    }
}

/// Refuses to include a prompt by a label that is protected from whoever publishes that.
pub(crate) async fn may_include(writing: &mut Writing, ask: &Ask<'_>) -> Result<()> {
    let policy = super::of(&mut writing.tx, &ask.prompt.project, ask.label).await?;
    check_protection(ask, &policy)
}

/// Refuses a change of what a label serves that comes by a prompt its version includes: in the same way, that prompt's
/// label comes to point elsewhere.
pub(crate) async fn may_follow(writing: &mut Writing, ask: &Ask<'_>) -> Result<()> {
    ask.who.may_label(ask.label.as_str())?;
    let policy = super::of(&mut writing.tx, &ask.prompt.project, ask.label).await?;
    check_protection(ask, &policy)?;
    if ask.way == Way::Rollback {
        return Ok(());
    }
    check_freeze(ask, &policy)?;
    check_contract(ask, &policy)?;
    let (needed, label) = (policy.rules.approvals, ask.label);
    match ask.way {
        Way::Release { approvals } if approvals >= needed => Ok(()),
        _ if needed == 0 => Ok(()),
        _ => Err(StoreError::Forbidden(format!(
            "label `{label}` takes {}: make a release of this and have it approved as often",
            counted(needed)
        ))),
    }
}

impl Ask<'_> {
    /// The least that the way takes, whatever the label.
    const fn permission(&self) -> Permission {
        match self.way {
            Way::Put | Way::Publish | Way::Remove => Permission::WritePrompts,
            Way::Release { .. } | Way::Arm | Way::Rollback => Permission::Release,
        }
    }
}

fn check_protection(ask: &Ask<'_>, policy: &LabelPolicy) -> Result<()> {
    if !policy.rules.protected || ask.who.role.may(Permission::Release) {
        return Ok(());
    }
    let deed = match ask.version {
        Some(version) => format!("to version {version}"),
        None => "away".to_owned(),
    };
    let (label, role) = (ask.label, ask.who.role);
    Err(StoreError::Forbidden(format!(
        "label `{label}` is protected and a token with role {role} may not move it {deed}: use one with role \
         releaser or admin"
    )))
}

fn check_freeze(ask: &Ask<'_>, policy: &LabelPolicy) -> Result<()> {
    let Some(freeze) = policy.rules.frozen(ask.now) else { return Ok(()) };
    let until = freeze.to.map_or_else(|| "until an admin lifts it".to_owned(), |to| format!("until {to}"));
    let why = freeze.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    Err(StoreError::Conflict(format!(
        "label `{}` is frozen {until}{why}: wait, or roll back, which is always allowed",
        ask.label
    )))
}

async fn check_approvals(
    writing: &mut Writing,
    ask: &Ask<'_>,
    policy: &LabelPolicy,
    version: u32,
) -> Result<()> {
    let needed = policy.rules.approvals;
    if needed == 0 {
        return Ok(());
    }
    let (label, name) = (ask.label, &ask.prompt.name);
    match ask.way {
        Way::Release { approvals } if approvals >= needed => Ok(()),
        Way::Release { approvals } => Err(StoreError::Conflict(format!(
            "label `{label}` takes {} by others than author and proposer, this release has {approvals}: ask for more",
            counted(needed)
        ))),
        Way::Arm if releases::is_approved(writing, ask, needed).await? => Ok(()),
        Way::Put | Way::Publish | Way::Arm => Err(StoreError::Forbidden(format!(
            "label `{label}` takes {}: propose version {version} with POST /prompts/{name}/releases and have it approved",
            counted(needed)
        ))),
        Way::Rollback | Way::Remove => Ok(()),
    }
}

/// A label whose policy wants callers to be asked takes no version of which they were not.
fn check_contract(ask: &Ask<'_>, policy: &LabelPolicy) -> Result<()> {
    if !policy.rules.contract_check || ask.contract == Contract::Settled {
        return Ok(());
    }
    let message = format!("the policy of label `{}` was changed meanwhile: try again", ask.label);
    Err(StoreError::Conflict(message))
}

fn counted(approvals: u32) -> String {
    format!("{approvals} approval{}", if approvals == 1 { "" } else { "s" })
}

/// Whether the version serves the earlier label, or did so for long enough.
async fn check_stage(writing: &mut Writing, ask: &Ask<'_>, after: &AfterLabel, version: u32) -> Result<()> {
    if ask.prompt.labels.get(&after.label) == Some(&version) {
        return Ok(());
    }
    let sql = "SELECT to_version, moved_us FROM label_move WHERE prompt_id = $1 AND label = $2
               ORDER BY revision DESC LIMIT $3";
    let values = args![ask.prompt.id.to_string(), after.label.as_str(), MOVES];
    let (mut served_us, mut until) = (None, ask.now.micros());
    for row in writing.tx.all(sql, values).await? {
        let moved_us = row.int("moved_us")?;
        if row.maybe_number("to_version")? == Some(version) {
            served_us = Some(served_us.unwrap_or(0) + (until - moved_us).max(0));
        }
        until = moved_us;
    }
    if served_us.is_some_and(|served| served >= i64::from(after.hours) * HOUR_US) {
        return Ok(());
    }
    let for_long = if after.hours == 0 { String::new() } else { format!(" for {} hours", after.hours) };
    let (label, earlier) = (ask.label, &after.label);
    Err(StoreError::Conflict(format!(
        "version {version} must serve label `{earlier}` before `{label}`, or have served it{for_long}: put it there \
         first"
    )))
}
