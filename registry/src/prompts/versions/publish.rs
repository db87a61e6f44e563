//! Publishing: content checked, compared with the highest version, numbered, labelled, in one transaction.

mod labelling;

use std::sync::Arc;

use serde_json::{Value, json};
use vocab::{Impact, LabelName, PromptName, SemVer, Time};

use super::limits::{
    CONTENT_BYTES, EXAMPLES_BYTES, INCLUDED_BYTES, MESSAGE_BYTES, METADATA_BYTES, json_column,
};
use super::{BY_NUMBER, NewVersion, Published, StoredVersion, read, settings};
use crate::audit::{self, Entry};
use crate::content::{Content, Floating, Included};
use crate::contract::Contract;
use crate::db::{Result, Writing, args, to_json};
use crate::policies::{Ask, Way, may_include};
use crate::prompts::change::{self, Creation};
use crate::prompts::impact::{Assessment, Interface};
use crate::prompts::names::check_text;
use crate::prompts::snippets::{self, Gathered};
use crate::prompts::{NewPrompt, Prompt, PromptKind, catalogue, compare, drafts};
use crate::roles::{Permission, Who};
use crate::template::{Template, references};
use crate::{Registry, StoreError, canonical, examples};

/// What is said of a draft when it is published.
#[derive(Clone, Debug, Default)]
pub struct DraftRelease {
    /// What changed and why, instead of what the draft says.
    pub commit_message: Option<String>,
    /// Labels to put on the version.
    pub labels: Vec<LabelName>,
    /// The highest version there must be, instead of the one the draft was begun from.
    pub expected_parent: Option<u32>,
    /// Refuse unless the draft still has this revision.
    pub expected_revision: Option<i64>,
}

/// A version that was checked as far as it can be without the database.
struct Checked {
    project: Arc<str>,
    name: PromptName,
    new: NewVersion,
    /// The content, unless it includes others: those are found in the transaction.
    prepared: Option<Prepared>,
    metadata: String,
    examples: String,
    /// What became of asking the callers of its labels.
    contract: Contract,
    /// The digest of what they were asked about.
    asked_about: Option<String>,
    who: Who,
    now: Time,
    /// The revision of the draft it was, which goes away with it.
    draft: Option<i64>,
}

impl Registry {
    /// Publishes a version onto the highest one and puts its labels on it; makes the prompt if it is new.
    ///
    /// Content equal to the highest version's, with its examples or none, and its metadata where those count, makes no new version: that one is returned,
    /// labelled.
    pub async fn publish(
        &self,
        project: &str,
        name: &PromptName,
        new: NewVersion,
        who: &Who,
    ) -> Result<Published> {
        who.require(Permission::WritePrompts)?;
        let mut checked = Checked::check(project, name, new, who, self.clock().now())?;
        self.check_contracts(&mut checked).await?;
        self.write(checked, |writing, checked| Box::pin(publish(writing, checked))).await
    }

    /// Publishes somebody's own draft, and takes it away with that. One that conflicts with what was published
    /// meanwhile stays.
    pub async fn publish_draft(
        &self,
        project: &str,
        name: &PromptName,
        release: DraftRelease,
        who: &Who,
    ) -> Result<Published> {
        who.require(Permission::WritePrompts)?;
        let draft = self.get_draft(project, name, who).await?;
        if release.expected_revision.is_some_and(|expected| expected != draft.revision) {
            return Err(drafts::changed(name));
        }
        let new = NewVersion {
            content: draft.content,
            commit_message: release.commit_message.or(draft.commit_message),
            impact: draft.impact,
            metadata: draft.metadata,
            metadata_counts: false,
            examples: draft.examples,
            labels: release.labels,
            expected_parent: Some(release.expected_parent.unwrap_or(draft.parent)),
        };
        let mut checked = Checked::check(project, name, new, who, self.clock().now())?;
        checked.draft = Some(draft.revision);
        self.check_contracts(&mut checked).await?;
        self.write(checked, |writing, checked| Box::pin(publish(writing, checked))).await
    }
}

/// A content ready to store.
#[derive(Clone)]
struct Prepared {
    content: Content,
    included: Included,
    floating: Floating,
    interface: Interface,
    digest: String,
    content_json: String,
    included_json: String,
    floating_json: String,
}

impl Prepared {
    fn of(gathered: Gathered) -> Result<Self> {
        let template = gathered.compile();
        let Gathered { content, included, floating, .. } = gathered;
        let content_json = json_column("content", &content, CONTENT_BYTES)?;
        let included_json = json_column("included", &included, INCLUDED_BYTES)?;
        let floating_json = json_column("floating", &floating, INCLUDED_BYTES)?;
        let template = template.map_err(StoreError::Template)?;
        let value: Value = serde_json::from_str(&content_json).map_err(StoreError::unreadable)?;
        let interface = Interface::of(&content, template.variables());
        let digest = canonical::digest(&value);
        Ok(Self {
            content,
            included,
            floating,
            interface,
            digest,
            content_json,
            included_json,
            floating_json,
        })
    }
}

impl Checked {
    fn check(project: &str, name: &PromptName, new: NewVersion, who: &Who, now: Time) -> Result<Self> {
        settings::check(&new.content)?;
        if let Some(message) = &new.commit_message {
            check_text("commit_message", message, MESSAGE_BYTES)?;
        }
        let metadata = json_column("metadata", &new.metadata, METADATA_BYTES)?;
        let examples_json = json_column("examples", &new.examples, EXAMPLES_BYTES)?;
        examples::read(&new.examples).map_err(|why| StoreError::invalid("examples", why))?;
        let alone = Gathered::alone(new.content.clone());
        let prepared = references(&new.content).is_empty().then(|| Prepared::of(alone)).transpose()?;
        Ok(Self {
            project: project.into(),
            name: name.clone(),
            prepared,
            contract: Contract::Unchecked,
            asked_about: None,
            metadata,
            examples: examples_json,
            who: who.clone(),
            now,
            draft: None,
            new,
        })
    }

    /// The content ready to store, with what it includes as that is now.
    async fn prepare(&self, writing: &mut Writing, prompt: &Prompt) -> Result<Prepared> {
        if let Some(prepared) = &self.prepared {
            return Ok(prepared.clone());
        }
        let gathered = snippets::gather(&mut writing.tx, &self.project, &self.new.content).await?;
        snippets::check_cycle(prompt, &gathered)?;
        for float in gathered.floating.values() {
            let (label, version) = (&float.label, gathered.standing.version(float));
            let Self { who, contract, now, .. } = self;
            let (way, contract, now) = (Way::Publish, *contract, *now);
            may_include(writing, &Ask { prompt, label, version, who, way, contract, now }).await?;
        }
        Prepared::of(gathered)
    }

    /// Whether the parent says all that this would.
    fn is_said_by(&self, parent: &StoredVersion, digest: &str) -> bool {
        let metadata_differ = self.new.metadata_counts && parent.metadata != self.new.metadata;
        let examples_differ = !self.new.examples.is_empty() && parent.examples != self.new.examples;
        *parent.digest == *digest && !metadata_differ && !examples_differ
    }
}

async fn publish(writing: &mut Writing, checked: &Checked) -> Result<Published> {
    let prompt = match catalogue::find(&mut writing.tx, &checked.project, &checked.name).await? {
        Some(prompt) => prompt,
        None => create(writing, checked).await?,
    };
    prompt.writable()?;
    check_kind(&prompt, PromptKind::of(&checked.new.content))?;
    let parent = find_parent(writing, &prompt).await?;
    expect_parent(&prompt, checked.new.expected_parent, parent.as_ref())?;
    let prepared = checked.prepare(writing, &prompt).await?;
    checked.expect_asked(&prepared.digest)?;
    let (version, is_new) = match parent {
        Some(parent) if checked.is_said_by(&parent, &prepared.digest) => (parent, false),
        parent => (insert(writing, (checked, &prepared), &prompt, parent.as_ref()).await?, true),
    };
    if let Some(revision) = checked.draft {
        drafts::take(&mut writing.tx, &prompt, &checked.who.owner, revision).await?;
    }
    labelling::put(writing, checked, &prompt, version.number).await?;
    let prompt = catalogue::get(&mut writing.tx, &checked.project, &prompt.name).await?;
    Ok(Published { prompt, version, is_new })
}

async fn create(writing: &mut Writing, checked: &Checked) -> Result<Prompt> {
    let new = NewPrompt::named(checked.name.clone());
    let (project, who) = (Arc::clone(&checked.project), checked.who.clone());
    change::create(writing, &Creation { project, new, who, now: checked.now }).await
}

pub(in crate::prompts) fn check_kind(prompt: &Prompt, kind: PromptKind) -> Result<()> {
    let Some(fixed) = prompt.kind.filter(|fixed| *fixed != kind) else { return Ok(()) };
    let (given, wanted) = match fixed {
        PromptKind::Chat => ("text", "messages"),
        PromptKind::Text => ("messages", "text"),
    };
    let message = format!(
        "prompt `{}` is a {} prompt and stays one: give `{wanted}` instead of `{given}`, or use another name",
        prompt.name,
        fixed.as_str()
    );
    Err(StoreError::invalid(given, message))
}

async fn find_parent(writing: &mut Writing, prompt: &Prompt) -> Result<Option<StoredVersion>> {
    let Some(latest) = prompt.latest else { return Ok(None) };
    let row = writing.tx.maybe(BY_NUMBER, args![prompt.id.to_string(), latest]).await?;
    row.as_ref().map(read).transpose()
}

fn expect_parent(prompt: &Prompt, expected: Option<u32>, parent: Option<&StoredVersion>) -> Result<()> {
    let current = parent.map(|parent| parent.number);
    let Some(expected) = expected.filter(|expected| *expected != current.unwrap_or(0)) else { return Ok(()) };
    let name = &prompt.name;
    let message = match parent {
        Some(parent) => format!(
            "version {} of prompt `{name}` was published by {} at {}, after the version {expected} you started \
             from: look at it, then publish onto it",
            parent.number, parent.author, parent.created_at
        ),
        None => format!("prompt `{name}` has no versions yet: leave `expected_parent` out or make it 0"),
    };
    Err(StoreError::Stale { message, current })
}

async fn insert(
    writing: &mut Writing,
    (checked, prepared): (&Checked, &Prepared),
    prompt: &Prompt,
    parent: Option<&StoredVersion>,
) -> Result<StoredVersion> {
    let assessment = match parent {
        Some(parent) => Some(assess(writing, parent, (checked, prepared)).await?),
        None => None,
    };
    let (impact, impact_reasons) = assessment.map(|it| (it.impact, it.reasons)).unzip();
    let version = StoredVersion {
        number: parent.map_or(1, |parent| parent.number + 1),
        digest: prepared.digest.as_str().into(),
        semver: parent.zip(impact).map_or(SemVer::FIRST, |(parent, impact)| parent.semver.next(impact)),
        impact,
        impact_reasons: impact_reasons.unwrap_or_default(),
        parent: parent.map(|parent| parent.number),
        author: checked.who.owner.to_string(),
        commit_message: checked.new.commit_message.clone(),
        created_at: checked.now,
        content: prepared.content.clone(),
        included: prepared.included.clone(),
        floating: prepared.floating.clone(),
        metadata: checked.new.metadata.clone(),
        examples: checked.new.examples.clone(),
    };
    write(writing, (checked, prepared), prompt, &version).await?;
    snippets::note(writing, prompt, &version).await?;
    let sql = "UPDATE prompt SET latest = $2, kind = $3, updated_us = $4, revision = $5 WHERE id = $1";
    let kind = PromptKind::of(&version.content).as_str();
    let values = args![prompt.id.to_string(), version.number, kind, checked.now.micros(), writing.revision];
    writing.tx.run(sql, values).await?;
    note(writing, checked, prompt, &version).await?;
    Ok(version)
}

async fn note(writing: &mut Writing, checked: &Checked, prompt: &Prompt, it: &StoredVersion) -> Result<()> {
    let detail = json!({
        "prompt": prompt.name,
        "prompt_id": prompt.id,
        "version": it.number,
        "semver": it.semver,
        "digest": it.digest,
        "impact": it.impact,
        "parent": it.parent,
        "commit_message": it.commit_message,
    });
    let target = format!("{}@{}", prompt.name, it.number);
    let entry = Entry { action: "prompt.version_created", target: &target, detail };
    audit::note(writing, &checked.who, &prompt.project, entry).await
}

async fn write(
    writing: &mut Writing,
    (checked, prepared): (&Checked, &Prepared),
    prompt: &Prompt,
    it: &StoredVersion,
) -> Result<()> {
    let sql = "INSERT INTO version (prompt_id, number, digest, major, minor, patch, impact, impact_reasons,
                                    parent, author, commit_message, content, included, floating, metadata,
                                    examples, created_us)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";
    let id = prompt.id.to_string();
    let values = args![
        id,
        it.number,
        &*it.digest,
        it.semver.major,
        it.semver.minor,
        it.semver.patch,
        it.impact.map(Impact::as_str),
        to_json(&it.impact_reasons)?,
        it.parent,
        &*it.author,
        it.commit_message.as_deref(),
        &*prepared.content_json,
        &*prepared.included_json,
        &*prepared.floating_json,
        &*checked.metadata,
        &*checked.examples,
        it.created_at.micros()
    ];
    writing.tx.run(sql, values).await?;
    Ok(())
}

/// What changed since the parent, raised to what the author says.
async fn assess(
    writing: &mut Writing,
    parent: &StoredVersion,
    (checked, prepared): (&Checked, &Prepared),
) -> Result<Assessment> {
    // A parent that a newer build no longer compiles is compared by what it declares.
    let template = parent.compile_now(&mut writing.tx).await?;
    let variables = template.as_ref().map(Template::variables).unwrap_or_default();
    let before = Interface::of(&parent.content, variables);
    let computed = Assessment::between((&parent.content, &before), (&prepared.content, &prepared.interface))
        .beside(
            &compare::beside(&parent.examples, &parent.metadata),
            &compare::beside(&checked.new.examples, &checked.new.metadata),
        );
    match checked.new.impact {
        Some(said) if said < computed.impact => Err(lowered(said, &computed)),
        Some(said) => Ok(computed.raised_to(said)),
        None => Ok(computed),
    }
}

fn lowered(said: Impact, computed: &Assessment) -> StoreError {
    let strongest = computed.reasons.iter().filter(|reason| reason.impact == computed.impact);
    let reasons = strongest.map(|reason| &*reason.reason).collect::<Vec<_>>().join(", ");
    let (said, impact) = (said.as_str(), computed.impact.as_str());
    StoreError::invalid(
        "impact",
        format!(
            "the impact is at least {impact} ({reasons}): `{said}` would lower it; leave `impact` out or raise it"
        ),
    )
}
