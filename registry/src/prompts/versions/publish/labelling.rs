//! Labels of a version that is published: their callers asked before, and then put through their doors.

use super::Checked;
use crate::contract::{Candidate, Contract};
use crate::db::{Result, Writing};
use crate::policies::{Ask, Way, may_reach};
use crate::prompts::Prompt;
use crate::prompts::labels::{LABELS, Note, place};
use crate::{Registry, StoreError, canonical};

impl Registry {
    /// Asks the callers of each label the version is to answer.
    pub(super) async fn check_contracts(&self, checked: &mut Checked) -> Result<()> {
        if checked.new.labels.is_empty() {
            return Ok(());
        }
        let gathered = self.gather(&checked.project, &checked.new.content).await?;
        let template = gathered.compile().map_err(StoreError::Template)?;
        for label in &checked.new.labels {
            let place = (&*checked.project, &checked.name, label);
            let contract = self.check_contract(place, Candidate::New(&template), None).await?;
            checked.contract = checked.contract.max(contract);
        }
        if checked.contract == Contract::Settled {
            let content = serde_json::to_value(&gathered.content).map_err(StoreError::unreadable)?;
            checked.asked_about = Some(canonical::digest(&content));
        }
        Ok(())
    }
}

impl Checked {
    /// Refuses when callers were asked about another content: a snippet's label moved since.
    pub(super) fn expect_asked(&self, digest: &str) -> Result<()> {
        if self.asked_about.as_deref().is_none_or(|asked| asked == digest) {
            return Ok(());
        }
        let message = "a prompt this version includes was moved meanwhile: try again";
        Err(StoreError::Conflict(message.to_owned()))
    }
}

/// Puts the labels on the version.
pub(super) async fn put(
    writing: &mut Writing,
    checked: &Checked,
    prompt: &Prompt,
    version: u32,
) -> Result<()> {
    if prompt.labels.len() + checked.new.labels.len() > LABELS {
        let message = format!("prompt `{}` would have more than {LABELS} labels", prompt.name);
        return Err(StoreError::invalid("labels", message));
    }
    let mut seen = Vec::with_capacity(checked.new.labels.len());
    for label in &checked.new.labels {
        if seen.contains(&label) {
            continue;
        }
        seen.push(label);
        let Checked { who, contract, now, .. } = checked;
        let (way, contract, now) = (Way::Publish, *contract, *now);
        // Where it already stands there is nothing to move and nothing to write down.
        if prompt.labels.get(label) == Some(&version) {
            may_reach(writing, &Ask { prompt, label, version: Some(version), who, way, contract, now })
                .await?;
            continue;
        }
        let note = Note { who, way, contract, reason: None, now };
        place(writing, prompt, (label, version), &note).await?;
    }
    Ok(())
}
