//! A reference comes to one version: the same rules for every way of naming a prompt.
//!
//! Labels answer from the snapshot. A version that none serves, pinned or the latest, may take one indexed read.

use std::fmt::Display;
use std::sync::Arc;

use vocab::{LabelName, PromptRef, Selector};

use super::aliases::is_foreign;
use super::versions::{self, Version};
use super::{Prompt, versions::StoredVersion};
use crate::assignment::{Assigned, Exposure, Units};
use crate::content::{Alias, Standing};
use crate::error::BoxError;
use crate::snapshot::{Entry, Snapshot};
use crate::{Registry, StoreError};

/// The most labels or versions an error lists.
const LISTED: usize = 10;

/// What a reference came to.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The prompt, under the name it has now.
    pub prompt: Arc<Prompt>,
    /// The version that answers.
    pub version: Arc<Version>,
    /// The label it was reached by; `None` for pinned versions and `latest`.
    pub label: Option<LabelName>,
    /// The part it takes in an experiment.
    pub exposure: Option<Exposure>,
}

/// Why a reference comes to nothing. `Display` says what there is instead.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// No prompt has this name or alias.
    #[error("{0}")]
    NoPrompt(String),
    /// The prompt is archived.
    #[error("{0}")]
    Archived(String),
    /// The prompt does not have this label.
    #[error("{0}")]
    NoLabel(String),
    /// The prompt does not have this version.
    #[error("{0}")]
    NoVersion(String),
    /// A digest prefix names several versions.
    #[error("{0}")]
    Ambiguous(String),
    /// The version is there but cannot be compiled by this build.
    #[error("{0}")]
    Broken(String),
    /// The version does not hold with what the labels it includes point at now.
    #[error("{0}")]
    Unsettled(String),
    /// The database did not answer.
    #[error("the registry database cannot be used right now: try again, or call by a label")]
    Unavailable(#[source] BoxError),
}

/// Where the version is that a reference names.
enum Found {
    Served(Resolved),
    Stored(Wanted),
}

/// A version that is not in the snapshot.
struct Wanted {
    entry: Arc<Entry>,
    selector: Selector,
    reached: Reached,
}

/// How a version was reached.
#[derive(Default)]
struct Reached {
    label: Option<LabelName>,
    exposure: Option<Exposure>,
}

impl Registry {
    /// The version a reference names, for somebody who looks at it: of a label that is split, what it points at.
    pub async fn resolve(&self, project: &str, reference: &PromptRef) -> Result<Resolved, ResolveError> {
        self.resolve_for(project, reference, None).await
    }

    /// The version a reference names, for a call: of a label that is split, the call's part.
    pub async fn resolve_for(
        &self,
        project: &str,
        reference: &PromptRef,
        units: Option<&Units<'_>>,
    ) -> Result<Resolved, ResolveError> {
        let found = look_up(&self.snapshot(), project, reference, units)?;
        match found {
            Found::Served(resolved) => Ok(resolved),
            // Boxed: the callers of every call need not make room for this rare branch.
            Found::Stored(wanted) => Box::pin(self.fetch(wanted)).await,
        }
    }

    async fn fetch(&self, wanted: Wanted) -> Result<Resolved, ResolveError> {
        let Wanted { entry, selector, reached } = wanted;
        let Reached { label, exposure } = reached;
        let prompt = Arc::clone(&entry.prompt);
        let known = self.versions().get(&prompt, &selector);
        if let Some(version) = known.as_ref().filter(|version| self.snapshot().bears_out(version)) {
            return Ok(Resolved { prompt, version: Arc::clone(version), label, exposure });
        }
        let served = match &selector {
            Selector::Number(number) => entry.served(*number),
            Selector::SemVer(_) | Selector::Digest(_) | Selector::Label(_) | Selector::Latest => None,
        };
        let stored = match (known, served) {
            (Some(outdated), _) => StoredVersion::clone(&outdated.stored),
            (None, Some(served)) => served.read().map_err(|error| unreadable(&prompt, &error))?,
            (None, None) => self.find_stored(&prompt, &selector).await?,
        };
        let standing = self.snapshot().standing_for(&stored).map_err(|error| unreadable(&prompt, &error))?;
        let version = compile(&prompt, stored, &standing)?;
        self.versions().put(&prompt, selector, &version);
        if let Some(served) = served {
            served.remember(&version);
        }
        Ok(Resolved { prompt, version, label, exposure })
    }

    /// A version that is not in memory.
    async fn find_stored(&self, prompt: &Prompt, selector: &Selector) -> Result<StoredVersion, ResolveError> {
        if let Some(away) = self.away() {
            // Waiting for a database that is known to be away would only fill the gateway with waiting calls.
            return Err(ResolveError::Unavailable(away.reason.clone().into()));
        }
        let stored = versions::find(self.db(), prompt, selector).await.map_err(unavailable)?;
        stored.ok_or_else(|| no_version(prompt, selector))
    }
}

fn look_up(
    snapshot: &Snapshot,
    project: &str,
    reference: &PromptRef,
    units: Option<&Units<'_>>,
) -> Result<Found, ResolveError> {
    let name = reference.name.as_str();
    let Some(entry) = snapshot.entry(project, name) else {
        return Err(ResolveError::NoPrompt(format!(
            "there is no prompt `{name}`: check its name and the key's project"
        )));
    };
    let prompt = &entry.prompt;
    if prompt.is_archived() {
        return Err(ResolveError::Archived(format!(
            "prompt `{}` is archived and no longer serves",
            prompt.name
        )));
    }
    let mapped = map_foreign(prompt, reference)?;
    let pinned = Reached::default;
    let (number, reached) = match mapped.as_ref().or(reference.selector.as_ref()) {
        None => by_label(prompt, vocab::name::PRODUCTION, units)?,
        Some(Selector::Label(label)) => by_label(prompt, label.as_str(), units)?,
        Some(Selector::Latest) => {
            (prompt.latest.ok_or_else(|| no_version(prompt, &Selector::Latest))?, pinned())
        }
        Some(Selector::Number(number)) => (*number, pinned()),
        Some(selector @ Selector::SemVer(semver)) => match entry.number_of(*semver) {
            Some(number) => (number, pinned()),
            None => return Ok(stored(entry, selector.clone(), pinned())),
        },
        // Versions of one content share a digest, and the newest of them need not be one that serves.
        Some(selector @ Selector::Digest(_)) => return Ok(stored(entry, selector.clone(), pinned())),
    };
    let Some(version) = entry.version(number).filter(|version| snapshot.bears_out(version)) else {
        return Ok(stored(entry, Selector::Number(number), reached));
    };
    let Reached { label, exposure } = reached;
    Ok(Found::Served(Resolved { prompt: Arc::clone(prompt), version, label, exposure }))
}

fn stored(entry: &Arc<Entry>, selector: Selector, reached: Reached) -> Found {
    Found::Stored(Wanted { entry: Arc::clone(entry), selector, reached })
}

/// What a label comes to: what it points at, or what splits it says for this call.
fn by_label(prompt: &Prompt, label: &str, units: Option<&Units<'_>>) -> Result<(u32, Reached), ResolveError> {
    let pointed = prompt.labels.get_key_value(label);
    if let Some((label, split)) = prompt.splits.get_key_value(label) {
        let Assigned { version, exposure } = split.assign(units, pointed.is_some());
        if let Some(number) = version {
            return Ok((number, Reached { label: Some(label.clone()), exposure }));
        }
    }
    match pointed {
        Some((label, number)) => Ok((*number, Reached { label: Some(label.clone()), exposure: None })),
        None => Err(no_label(prompt, label)),
    }
}

/// What a reference by a foreign alias means here; `None` when it means what it says.
fn map_foreign(prompt: &Prompt, reference: &PromptRef) -> Result<Option<Selector>, ResolveError> {
    let name = reference.name.as_str();
    if name == prompt.name.as_str() {
        return Ok(None);
    }
    let alias = prompt.aliases.iter().find(|alias| alias.id == name);
    let Some(alias) = alias.filter(|alias| is_foreign(alias)) else { return Ok(None) };
    let Some(selector) = &reference.selector else { return Ok(alias.default.map(Selector::Number)) };
    match (alias.versions.get(&selector.to_string()), selector) {
        (Some(number), _) => Ok(Some(Selector::Number(*number))),
        // Our version of that number is another text than the one that was meant.
        (None, Selector::Number(number)) => Err(unmapped(alias, *number)),
        (None, Selector::Label(_) | Selector::Latest | Selector::SemVer(_) | Selector::Digest(_)) => Ok(None),
    }
}

fn compile(
    prompt: &Prompt,
    stored: StoredVersion,
    standing: &Standing,
) -> Result<Arc<Version>, ResolveError> {
    let number = stored.number;
    match Version::compile(stored, standing) {
        Ok(version) => Ok(Arc::new(version)),
        Err(problems) => {
            let problem = problems.first().map(ToString::to_string).unwrap_or_default();
            let name = &prompt.name;
            if standing.is_asked() {
                return Err(ResolveError::Unsettled(format!(
                    "version {number} of prompt `{name}` does not hold with what it includes by label now ({problem}): \
                     move that label back, or publish a version that pins it"
                )));
            }
            Err(ResolveError::Broken(format!(
                "version {number} of prompt `{name}` does not compile any more ({problem}): publish a corrected one"
            )))
        }
    }
}

/// One version that cannot be read must not keep the others from serving.
fn unreadable(prompt: &Prompt, error: &StoreError) -> ResolveError {
    let (name, why) = (&prompt.name, crate::reason(error));
    tracing::error!(prompt.name = %name, error = why, "a stored version cannot be read");
    ResolveError::Broken(format!(
        "this version of prompt `{name}` is damaged in the registry: restore it from a backup, or publish it again"
    ))
}

fn no_label(prompt: &Prompt, label: &str) -> ResolveError {
    let name = &prompt.name;
    ResolveError::NoLabel(if prompt.labels.is_empty() {
        format!(
            "prompt `{name}` has no label `{label}` and no others: put it on a version, or pin one as `{name}@1`"
        )
    } else {
        let others = listed(prompt.labels.keys());
        format!("prompt `{name}` has no label `{label}`: it has {others}")
    })
}

fn no_version(prompt: &Prompt, selector: &Selector) -> ResolveError {
    ResolveError::NoVersion(match versions::no_version(prompt, selector) {
        StoreError::Missing(message) => message,
        other => other.to_string(),
    })
}

fn unmapped(alias: &Alias, version: u32) -> ResolveError {
    let id = &alias.id;
    let mapped = listed(alias.versions.keys());
    let instead = if mapped.is_empty() { "it maps none".to_owned() } else { format!("it maps {mapped}") };
    ResolveError::NoVersion(format!("alias `{id}` maps no version `{version}`: {instead}"))
}

fn listed<T: Display>(names: impl ExactSizeIterator<Item = T>) -> String {
    let more = if names.len() > LISTED { ", …" } else { "" };
    let shown = names.take(LISTED).map(|name| format!("`{name}`")).collect::<Vec<_>>();
    format!("{}{more}", shown.join(", "))
}

fn unavailable(error: StoreError) -> ResolveError {
    match error {
        StoreError::Invalid { message, .. } => ResolveError::Ambiguous(message),
        StoreError::Unavailable(source) => ResolveError::Unavailable(source),
        other => ResolveError::Unavailable(Box::new(other)),
    }
}
