//! Writing through Langfuse's API: a version published, labels moved, a prompt archived. Everything goes through the
//! registry's own verbs, so that roles and protected labels hold here as they do everywhere.

use http::{Response, StatusCode};
use registry::content::Content;
use registry::{LabelChange, NewVersion, Prompt, PromptChange, StoreError, StoredVersion};
use serde::Deserialize;
use serde_json::Value;
use vocab::{LabelName, PromptName, Selector};

use super::access::Writer;
use super::reading::{self, Which};
use super::row::{self, Includes, Type, Wrong};
use crate::app::App;
use crate::call::relay::Body;
use crate::refusal::{Kind, Refusal};
use crate::surface;

/// A version to publish.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewPrompt {
    name: String,
    #[serde(default, rename = "type")]
    kind: Type,
    prompt: Value,
    #[serde(default)]
    config: Value,
    labels: Option<Vec<String>>,
    tags: Option<Vec<String>>,
    commit_message: Option<String>,
    /// What the API before the labels called `production`.
    is_active: Option<bool>,
}

/// Labels to put on a version. Older SDKs send its name and number as well: unknown fields are what Langfuse ignores.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewLabels {
    new_labels: Vec<String>,
}

/// Publishes a version, and brings the prompt back if it was archived.
pub(super) async fn create(app: &App, writer: &Writer, new: NewPrompt) -> Result<Response<Body>, Refusal> {
    let registry = &app.registry;
    let name = name(&new.name)?;
    let labels = labels(&new)?;
    within(writer, &labels)?;
    let version = NewVersion {
        labels,
        commit_message: new.commit_message,
        ..content(new.kind, &new.prompt, new.config)?
    };
    let stands = registry.find_prompt(&writer.project, &name).await?;
    if stands.is_some_and(|prompt| prompt.is_archived()) {
        change(app, writer, &name, PromptChange { archived: Some(false), ..PromptChange::default() }).await?;
    }
    let published = registry.publish(&writer.project, &name, version, &writer.who).await.map_err(refused)?;
    let mut prompt = published.prompt;
    if let Some(tags) = new.tags {
        prompt =
            change(app, writer, &name, PromptChange { tags: Some(tags), ..PromptChange::default() }).await?;
    }
    answer(app, StatusCode::CREATED, (&prompt, &published.version))
}

/// The row of a version as it is now, to somebody who sees all labels.
fn answer(
    app: &App,
    status: StatusCode,
    (prompt, version): (&Prompt, &StoredVersion),
) -> Result<Response<Body>, Refusal> {
    let included = app.registry.settle(version)?;
    let row = row::write(prompt, version, (|_: &LabelName| true, Includes::Written(&included)))?;
    Ok(surface::json(status, &row))
}

fn name(text: &str) -> Result<PromptName, Refusal> {
    text.parse().map_err(|error: vocab::NameError| {
        Refusal::new(Kind::InvalidRequest, error.to_string()).param("name")
    })
}

/// The labels to put on a new version; `latest` needs no putting.
fn labels(new: &NewPrompt) -> Result<Vec<LabelName>, Refusal> {
    let given = new.labels.iter().flatten().map(String::as_str).enumerate();
    let mut labels = given
        .filter(|(_, label)| *label != vocab::name::LATEST)
        .map(|(at, label)| self::label(label, format!("labels[{at}]")))
        .collect::<Result<Vec<_>, _>>()?;
    if new.is_active == Some(true) {
        labels.push(LabelName::production());
    }
    Ok(labels)
}

fn label(text: &str, field: String) -> Result<LabelName, Refusal> {
    let refused =
        |error: vocab::NameError| Refusal::new(Kind::InvalidRequest, error.to_string()).param(field);
    text.parse().map_err(refused)
}

fn content(kind: Type, prompt: &Value, config: Value) -> Result<NewVersion, Refusal> {
    let (fields, metadata) = row::read(kind, prompt, config)
        .map_err(|Wrong { field, message }| Refusal::new(Kind::InvalidRequest, message).param(field))?;
    let content: Content = serde_json::from_value(fields.into())
        .map_err(|error| Refusal::new(Kind::InvalidRequest, error.to_string()).param("prompt"))?;
    // A config may change in what is kept beside the content alone, and must not be lost.
    Ok(NewVersion { metadata, metadata_counts: true, ..NewVersion::of(content) })
}

/// Puts labels on a version; those it has stay.
pub(super) async fn label_version(
    app: &App,
    writer: &Writer,
    (name, version): (&str, &str),
    given: NewLabels,
) -> Result<Response<Body>, Refusal> {
    let version = reading::number(version)?;
    let missing = || {
        let message = format!("Prompt '{name}' version {version} not found in project");
        Refusal::new(Kind::PromptNotFound, message)
    };
    let parsed: PromptName = name.parse().map_err(|_| missing())?;
    let registry = &app.registry;
    let mut labels = Vec::with_capacity(given.new_labels.len());
    for (at, text) in given.new_labels.iter().enumerate() {
        labels.push(label(text, format!("newLabels[{at}]"))?);
    }
    let found = registry.get_version(&writer.project, &parsed, &Selector::Number(version)).await;
    let found = found
        .map_err(|error| if matches!(error, StoreError::Missing(_)) { missing() } else { error.into() })?;
    within(writer, &labels)?;
    // The protected one leads here too.
    labels.sort_by_key(|label| label.as_str() != vocab::name::PRODUCTION);
    for label in labels {
        let placement = LabelChange::of(label).onto(version);
        registry.move_label(&writer.project, &parsed, placement, &writer.who).await.map_err(refused)?;
    }
    let prompt = registry.get_prompt(&writer.project, &parsed).await?;
    answer(app, StatusCode::OK, (&prompt, &found))
}

/// Takes a label away, or archives the whole prompt. One version is never deleted: records and releases point at it.
pub(super) async fn delete(
    app: &App,
    writer: &Writer,
    name: &str,
    which: Which,
) -> Result<Response<Body>, Refusal> {
    which.check()?;
    let missing = || Refusal::new(Kind::PromptNotFound, "Prompt not found");
    let parsed: PromptName = name.parse().map_err(|_| missing())?;
    let prompt = app.registry.find_prompt(&writer.project, &parsed).await?;
    let prompt = prompt.filter(|prompt| !prompt.is_archived()).ok_or_else(missing)?;
    match (which.version()?, which.label()) {
        (Some(_), _) | (None, Some(vocab::name::LATEST)) => {
            let message = "Weir keeps every version for good: take its labels away with `label`, or delete the \
                           whole prompt, which archives it";
            return Err(Refusal::new(Kind::NotSupported, message));
        }
        (None, Some(label)) => {
            let (label, _) = prompt.labels.get_key_value(label).ok_or_else(missing)?;
            unlabel(app, writer, &prompt, label).await?;
        }
        (None, None) => archive(app, writer, &prompt).await?,
    }
    Ok(surface::empty())
}

/// Langfuse deletes a prompt that serves; here its labels go first. Protected ones lead, so that somebody who may not
/// take those away changes nothing.
async fn archive(app: &App, writer: &Writer, prompt: &Prompt) -> Result<(), Refusal> {
    let mut labels: Vec<&LabelName> = prompt.labels.keys().collect();
    labels.sort_by_key(|label| label.as_str() != vocab::name::PRODUCTION);
    within(writer, labels.iter().copied())?;
    for label in labels {
        unlabel(app, writer, prompt, label).await?;
    }
    let archive = PromptChange { archived: Some(true), ..PromptChange::default() };
    change(app, writer, &prompt.name, archive).await.map(drop)
}

/// Refuses labels the token is not held to before the first of several steps, so that none is left half done.
fn within<'l>(writer: &Writer, labels: impl IntoIterator<Item = &'l LabelName>) -> Result<(), Refusal> {
    for label in labels {
        writer.who.may_label(label.as_str())?;
    }
    Ok(())
}

async fn unlabel(app: &App, writer: &Writer, prompt: &Prompt, label: &LabelName) -> Result<(), Refusal> {
    let removal = LabelChange::of(label.clone());
    app.registry.remove_label(&writer.project, &prompt.name, removal, &writer.who).await.map_err(refused)
}

async fn change(
    app: &App,
    writer: &Writer,
    name: &PromptName,
    change: PromptChange,
) -> Result<Prompt, Refusal> {
    app.registry.update_prompt(&writer.project, name, change, &writer.who).await.map_err(refused)
}

/// What is wrong with a template is a bad request to Langfuse's SDKs, which know no 422.
fn refused(error: StoreError) -> Refusal {
    let refusal = Refusal::of_prompt(error);
    if refusal.kind() == Kind::TemplateError {
        refusal.retyped(Kind::InvalidRequest).param("prompt")
    } else {
        refusal
    }
}
