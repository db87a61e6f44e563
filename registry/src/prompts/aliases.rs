//! Other names of a prompt: names it had, and ids of other systems whose versions have meanings of their own.
//!
//! What such an id means decides what its callers get, as a label does. So changing that goes through the door of the
//! label they would be served by otherwise, unless the id is an imported one that nobody called here before.

use std::collections::{BTreeMap, BTreeSet};

use vocab::{LabelName, PromptName, Time};

use super::Prompt;
use crate::StoreError;
use crate::content::Alias;
use crate::contract::Contract;
use crate::db::{Result, Writing};
use crate::policies::{Ask, Way, may_serve};
use crate::roles::Who;

/// What the ids of OpenAI's own prompts start with.
const IMPORTED: &str = "pmpt_";

/// Whether an alias stands for a prompt of another system, whose versions have meanings of their own.
pub(crate) fn is_foreign(alias: &Alias) -> bool {
    !alias.versions.is_empty() || alias.default.is_some()
}

/// Refuses to take names outside the folders of whoever asks. Ids of imported prompts are in no folder.
pub(super) fn check_claims(who: &Who, before: &[Alias], after: &[Alias]) -> Result<()> {
    let new = after.iter().filter(|alias| !before.iter().any(|known| known.id == alias.id));
    let mut names = new.filter(|alias| !alias.id.starts_with(IMPORTED));
    names.try_for_each(|alias| who.may_change(&alias.id))
}

/// Refuses to decide by an alias what its callers get, for whoever may not decide that by moving `production`.
pub(super) async fn check_meanings(
    writing: &mut Writing,
    prompt: &Prompt,
    before: &[Alias],
    (who, now): (&Who, Time),
) -> Result<()> {
    let label: LabelName =
        vocab::name::PRODUCTION.parse().map_err(|_| StoreError::unreadable("production"))?;
    for alias in prompt.aliases.iter().filter(|alias| !before.contains(alias)) {
        check_versions(prompt, alias)?;
    }
    for alias in prompt.aliases.iter().filter(|alias| is_newly_meant(alias, before)) {
        for version in targets(alias).filter(|version| prompt.labels.get(&label) != Some(version)) {
            // Whoever calls by an id of another system calls by no label: there is no contract to check.
            let (way, contract) = (Way::Put, Contract::Settled);
            let ask = Ask { prompt, label: &label, version: Some(version), who, way, contract, now };
            may_serve(writing, &ask).await.map_err(|refusal| through(refusal, alias))?;
        }
    }
    Ok(())
}

/// Refuses versions that are not there. Before the first one is published, any may come to be.
fn check_versions(prompt: &Prompt, alias: &Alias) -> Result<()> {
    let Some(latest) = prompt.latest else { return Ok(()) };
    let Some(missing) = targets(alias).find(|version| *version == 0 || *version > latest) else {
        return Ok(());
    };
    let (id, name) = (&alias.id, &prompt.name);
    let message =
        format!("alias `{id}` names version {missing}, and prompt `{name}` has versions 1 to {latest}");
    Err(StoreError::invalid("aliases", message))
}

/// Whether callers of an alias may come to get something else than they did.
fn is_newly_meant(alias: &Alias, before: &[Alias]) -> bool {
    match before.iter().find(|known| known.id == alias.id) {
        Some(known) => is_foreign(alias) && known != alias,
        None => is_foreign(alias) && !alias.id.starts_with(IMPORTED),
    }
}

fn targets(alias: &Alias) -> impl Iterator<Item = u32> {
    alias.versions.values().copied().chain(alias.default).collect::<BTreeSet<_>>().into_iter()
}

fn through(refusal: StoreError, alias: &Alias) -> StoreError {
    let told = |why: String| {
        format!("alias `{}` would decide what its callers get, as `production` does: {why}", alias.id)
    };
    match refusal {
        StoreError::Forbidden(why) => StoreError::Forbidden(told(why)),
        StoreError::Conflict(why) => StoreError::Conflict(told(why)),
        other => other,
    }
}

/// Keeps the old name of a renamed prompt as an alias, and frees its new name from being one.
pub(super) fn leave_alias(prompt: &mut Prompt, old: &PromptName) -> Result<()> {
    let name = prompt.name.as_str();
    if let Some(alias) = prompt.aliases.iter().find(|alias| alias.id == name && is_foreign(alias)) {
        let message =
            format!("alias `{}` maps foreign versions: remove it before using it as the name", alias.id);
        return Err(StoreError::invalid("name", message));
    }
    prompt.aliases.retain(|alias| alias.id != name);
    if !prompt.aliases.iter().any(|alias| alias.id == old.as_str()) {
        prompt.aliases.push(Alias { id: old.to_string(), versions: BTreeMap::new(), default: None });
    }
    Ok(())
}
