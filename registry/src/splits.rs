//! What splits a label's calls, as it is stored: put when a ramp or an experiment begins, taken away when it ends.

use vocab::{LabelName, Time};

use crate::StoreError;
use crate::assignment::Split;
use crate::db::{Result, Writing, args, to_json};
use crate::prompts::Prompt;
use crate::roles::Who;
use crate::{experiments, releases};

/// Who ends something, when, and why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending<'a> {
    pub(crate) who: &'a Who,
    pub(crate) now: Time,
    pub(crate) why: &'a str,
}

/// Refuses while a ramp or an experiment splits the label.
pub(crate) fn check_free(prompt: &Prompt, label: &LabelName) -> Result<()> {
    let what = match prompt.splits.get(label) {
        None => return Ok(()),
        Some(Split::Ramp(share)) => {
            format!("release {} ramps version {} up, at {} %", share.release, share.version, share.percent)
        }
        Some(Split::Experiment(trial)) => format!("experiment `{}` runs", trial.name),
    };
    Err(StoreError::Conflict(format!(
        "on label `{label}` of prompt `{}` {what}: end that first, or say `end: true` where the label is moved",
        prompt.name
    )))
}

/// Makes `split` what splits the label from the next snapshot on.
pub(crate) async fn put(
    writing: &mut Writing,
    prompt: &Prompt,
    label: &LabelName,
    split: &Split,
    now: Time,
) -> Result<()> {
    forget(writing, prompt, label).await?;
    let id = prompt.id.to_string();
    let sql = "INSERT INTO label_split (prompt_id, label, split) VALUES ($1, $2, $3)";
    writing.tx.run(sql, args![&*id, label.as_str(), to_json(split)?]).await?;
    for version in split.versions() {
        let sql = "INSERT INTO label_split_version (prompt_id, label, version) VALUES ($1, $2, $3)";
        writing.tx.run(sql, args![&*id, label.as_str(), version]).await?;
    }
    touch(writing, prompt, now).await
}

/// Takes away what splits the label.
pub(crate) async fn remove(
    writing: &mut Writing,
    prompt: &Prompt,
    label: &LabelName,
    now: Time,
) -> Result<()> {
    forget(writing, prompt, label).await?;
    touch(writing, prompt, now).await
}

/// Ends the ramp or the experiment of a label, and says which it was.
pub(crate) async fn end<'p>(
    writing: &mut Writing,
    prompt: &'p Prompt,
    label: &LabelName,
    ending: &Ending<'_>,
) -> Result<Option<&'p Split>> {
    let Some(split) = prompt.splits.get(label) else { return Ok(None) };
    match split {
        Split::Ramp(share) => releases::end_ramp(writing, prompt, share.release, ending).await?,
        Split::Experiment(_) => experiments::end(writing, prompt, label, ending).await?,
    }
    remove(writing, prompt, label, ending.now).await?;
    Ok(Some(split))
}

async fn forget(writing: &mut Writing, prompt: &Prompt, label: &LabelName) -> Result<()> {
    let id = prompt.id.to_string();
    let sql = "DELETE FROM label_split_version WHERE prompt_id = $1 AND label = $2";
    writing.tx.run(sql, args![&*id, label.as_str()]).await?;
    let sql = "DELETE FROM label_split WHERE prompt_id = $1 AND label = $2";
    writing.tx.run(sql, args![&*id, label.as_str()]).await?;
    Ok(())
}

/// Has the next snapshot read the prompt again.
async fn touch(writing: &mut Writing, prompt: &Prompt, now: Time) -> Result<()> {
    let sql = "UPDATE prompt SET revision = $2, updated_us = $3 WHERE id = $1";
    writing.tx.run(sql, args![prompt.id.to_string(), writing.revision, now.micros()]).await?;
    Ok(())
}
