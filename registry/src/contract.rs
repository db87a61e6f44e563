//! Contract checks: whether a version would break those who call its label now, because it requires a variable that
//! they do not send.
//!
//! What callers really send is on record, and records are not the registry's: whoever has them answers as [`Callers`].
//! They are asked before the write begins; the door only sees that they were.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use vocab::{Id, LabelName, PromptName, Time};

use crate::content::Float;
use crate::db::{Result, Tx, args};
use crate::policies;
use crate::prompts::Prompt;
use crate::prompts::floats::{self, Reached};
use crate::prompts::versions::{self, BY_NUMBER};
use crate::template::Template;
use crate::{Registry, StoreError};

/// The most variables one check asks about.
const VARIABLES: usize = 100;
/// How many callers a refusal names.
const NAMED: usize = 5;
/// A day.
const DAY: Duration = Duration::from_hours(24);

/// Who knows which calls were made.
pub trait Callers: Send + Sync + fmt::Debug {
    /// The keys of which calls lacked some of these variables; an error says why that cannot be told now.
    fn lacking<'a>(&'a self, asked: &'a Asked) -> BoxFuture<'a, std::result::Result<Vec<Lacking>, String>>;
}

/// Which calls are meant, and what they may lack.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The project.
    pub project: Arc<str>,
    /// The prompt they called.
    pub prompt: Id<vocab::id::Prompt>,
    /// The label they called it by.
    pub label: LabelName,
    /// The earliest of them.
    pub since: Time,
    /// The variables.
    pub variables: Vec<String>,
}

/// A key that called without a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lacking {
    /// The key.
    pub key: Option<Id<vocab::id::Key>>,
    /// The variable.
    pub variable: String,
    /// In how many calls.
    pub calls: u64,
}

/// What became of the contract check before a write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Contract {
    /// Nobody asked: the label's policy does not want it.
    #[default]
    Unchecked,
    /// No caller breaks, or somebody gave a reason why that is fine.
    Settled,
}

/// The version that is to answer a label.
pub(crate) enum Candidate<'a> {
    /// One that is stored.
    Stored(u32),
    /// One that is stored, and answers beside what the label points at: includes do not follow it.
    Arm(u32),
    /// One that is about to be.
    New(&'a Template),
}

impl Registry {
    /// Has contract checks ask these. Once; later ones are not heard.
    pub fn ask_callers(&self, callers: Arc<dyn Callers>) {
        self.callers().get_or_init(|| callers);
    }

    /// Refuses when the candidate would break who calls the label now, if its policy asks for that; and who calls a label
    /// that serves what includes the prompt by this one.
    pub(crate) async fn check_contract(
        &self,
        (project, name, label): (&str, &PromptName, &LabelName),
        candidate: Candidate<'_>,
        waiver: Option<&str>,
    ) -> Result<Contract> {
        let policy = policies::find(self.db(), project, label).await?;
        // A prompt that is about to be made has no callers yet.
        let found = self.find_prompt(project, name).await?;
        let mut breaks = Vec::new();
        if let (Some(prompt), Candidate::Stored(_) | Candidate::New(_)) = (&found, &candidate) {
            breaks = self.through_includes(prompt, label, &candidate).await?;
        }
        if !policy.rules.contract_check && breaks.is_empty() {
            return Ok(Contract::Unchecked);
        }
        let is_fine = waiver.is_some_and(|reason| !reason.trim().is_empty());
        let Some(prompt) = found.filter(|_| !is_fine) else { return Ok(Contract::Settled) };
        if policy.rules.contract_check {
            let variables = self.newly_required(&prompt, label, candidate).await?;
            let (prompt, name, label) = (prompt.id, prompt.name.clone(), label.clone());
            breaks.push(Break { prompt, name, label, days: policy.rules.contract_days, variables });
        }
        for it in breaks {
            self.ask(project, it).await?;
        }
        Ok(Contract::Settled)
    }

    /// What callers would need to send of each label whose policy has them asked, and whose version includes the prompt by
    /// the label that is to point at the candidate.
    async fn through_includes(
        &self,
        prompt: &Prompt,
        label: &LabelName,
        candidate: &Candidate<'_>,
    ) -> Result<Vec<Break>> {
        let float = Float { prompt: prompt.id, label: label.clone() };
        let mut tx = self.db().reading().await?;
        let found = breaks_through(&mut tx, &prompt.project, &float, candidate).await;
        tx.end(found).await
    }

    /// Asks who calls a label, and refuses when somebody lacks what they would need.
    async fn ask(&self, project: &str, it: Break) -> Result<()> {
        let Break { prompt, name, label, days, variables } = it;
        if variables.is_empty() {
            return Ok(());
        }
        if variables.len() > VARIABLES {
            let message =
                format!("the version newly requires more than {VARIABLES} variables: say why in `override`");
            return Err(StoreError::Conflict(message));
        }
        let (since, variables) = (self.clock().now().minus(DAY * days), variables.into_iter().collect());
        let asked = Asked { project: project.into(), prompt, label, since, variables };
        let lacking = self.lacking(&asked).await?;
        if lacking.is_empty() {
            return Ok(());
        }
        let (named, label) = (self.name(&lacking).await?, asked.label);
        Err(StoreError::Conflict(format!(
            "callers of label `{label}` of prompt `{name}` would break: {named} in the last {days} days; have them send it \
             first, give it a default, or say why not in `override`"
        )))
    }

    /// The variables the candidate requires and what the label points at does not: who lacks the others breaks already.
    async fn newly_required(
        &self,
        prompt: &Prompt,
        label: &LabelName,
        candidate: Candidate<'_>,
    ) -> Result<BTreeSet<String>> {
        let mut required = match candidate {
            Candidate::New(template) => required(template),
            Candidate::Stored(number) | Candidate::Arm(number) => self.required_by(prompt, number).await?,
        };
        if let Some(now) = prompt.labels.get(label) {
            let now = self.required_by(prompt, *now).await?;
            required.retain(|variable| !now.contains(variable));
        }
        Ok(required)
    }

    /// What a version requires, with what it includes as that is now.
    async fn required_by(&self, prompt: &Prompt, number: u32) -> Result<BTreeSet<String>> {
        let mut tx = self.db().reading().await?;
        let required = required_with(&mut tx, prompt.id, number, None).await;
        tx.end(required).await
    }

    async fn lacking(&self, asked: &Asked) -> Result<Vec<Lacking>> {
        let cannot = |why: &str| {
            StoreError::Conflict(format!(
                "what callers of label `{}` send cannot be checked: {why}; try again, or say in `override` why it need \
                 not be",
                asked.label
            ))
        };
        let Some(callers) = self.callers().get() else { return Err(cannot("there are no records here")) };
        callers.lacking(asked).await.map_err(|why| cannot(&why))
    }

    /// Which keys lack what, in words.
    async fn name(&self, lacking: &[Lacking]) -> Result<String> {
        let mut named = Vec::with_capacity(NAMED);
        for lack in lacking.iter().take(NAMED) {
            let who = match lack.key {
                Some(id) => format!("key `{}` ({id})", self.get_key(id).await?.name),
                None => "somebody without a key".to_owned(),
            };
            named.push(format!("{who} sent no `{}` in {} calls", lack.variable, lack.calls));
        }
        let more = lacking.len().saturating_sub(NAMED);
        if more > 0 {
            named.push(format!("{more} more"));
        }
        Ok(named.join(", "))
    }
}

/// A reason and a waiver in one text, for histories.
pub(crate) fn reason_with(reason: Option<String>, waiver: Option<&str>) -> Option<String> {
    let Some(waiver) = waiver.filter(|waiver| !waiver.trim().is_empty()) else { return reason };
    let said = format!("callers may break: {waiver}");
    Some(reason.map_or_else(|| said.clone(), |reason| format!("{reason}; {said}")))
}

/// Callers who may lack what they would need.
struct Break {
    prompt: Id<vocab::id::Prompt>,
    name: PromptName,
    label: LabelName,
    days: u32,
    /// What is newly required.
    variables: BTreeSet<String>,
}

async fn breaks_through(
    tx: &mut Tx,
    project: &str,
    float: &Float,
    candidate: &Candidate<'_>,
) -> Result<Vec<Break>> {
    let mut breaks = Vec::new();
    for Reached { prompt, name, label, version } in floats::reached(tx, float).await? {
        let rules = policies::of(tx, project, &label).await?.rules;
        if !rules.contract_check {
            continue;
        }
        let Candidate::Stored(number) = candidate else {
            return Err(StoreError::Conflict(format!(
                "`{name}@{label}` includes this by the label, and its callers are asked before that changes: publish \
                 without labels, then move the label"
            )));
        };
        let before = required_with(tx, prompt, version, None).await?;
        let mut variables = required_with(tx, prompt, version, Some((float, *number))).await?;
        variables.retain(|variable| !before.contains(variable));
        breaks.push(Break { prompt, name, label, days: rules.contract_days, variables });
    }
    Ok(breaks)
}

/// What a version requires, as if a label pointed elsewhere; nothing of one that is not there or does not hold, which
/// others refuse.
async fn required_with(
    tx: &mut Tx,
    prompt: Id<vocab::id::Prompt>,
    number: u32,
    moved: Option<(&Float, u32)>,
) -> Result<BTreeSet<String>> {
    let row = tx.maybe(BY_NUMBER, args![prompt.to_string(), number]).await?;
    let Some(row) = row else { return Ok(BTreeSet::new()) };
    let template = versions::read(&row)?.compile_with(tx, moved).await?;
    Ok(template.map(|template| required(&template)).unwrap_or_default())
}

fn required(template: &Template) -> BTreeSet<String> {
    let required = template.variables().iter().filter(|variable| variable.required);
    required.map(|variable| variable.name.clone()).collect()
}
