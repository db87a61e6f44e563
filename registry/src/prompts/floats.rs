//! What floats: versions included by a label, looked up in the transaction that publishes or moves the label.
//!
//! Moving such a label changes what every version that includes it says, wherever that serves. So it goes through the door
//! of each label that serves one, and is refused when one of them would not hold any more, or come to include itself.

use std::collections::BTreeSet;

use vocab::{Id, LabelName, PromptName};

use super::Prompt;
use super::labels::Note;
use super::resolve::ResolveError;
use super::versions::{self, BY_NUMBER, StoredVersion, limits};
use crate::content::{Content, Float, Floating, Included, Snippet, Standing};
use crate::db::{Result, Row, Tx, Writing, args};
use crate::policies::{Ask, may_follow};
use crate::template::{Problem, Template};
use crate::{Registry, StoreError};

/// How many versions that a moved label reaches are tried; those beyond are judged when they are called.
const TRIED: i64 = 200;

/// What the labels that float in something point at, in this transaction.
pub(crate) async fn standing(
    tx: &mut Tx,
    parts: (&Included, &Floating),
    moved: Option<(&Float, u32)>,
) -> Result<Standing> {
    const LABELLED: &str = concat!(
        "SELECT ",
        versions::columns!(),
        " FROM label l JOIN version v ON v.prompt_id = l.prompt_id AND v.number = l.version \
          WHERE l.prompt_id = $1 AND l.label = $2 LIMIT 1"
    );
    let mut standing = Standing::default();
    standing.want(parts);
    while let Some(float) = standing.wanted() {
        let id = float.prompt.to_string();
        let row = match moved {
            Some((label, version)) if *label == float => tx.maybe(BY_NUMBER, args![id, version]).await?,
            _ => tx.maybe(LABELLED, args![id, float.label.as_str()]).await?,
        };
        if let Some(row) = row {
            let snippet = Snippet::of(float.prompt, versions::read(&row)?);
            standing.add(float, snippet);
        }
    }
    Ok(standing)
}

/// The templates of a content with what it includes as that stands, or why they do not hold.
pub(crate) fn compile(
    content: &Content,
    parts: (&Included, &Floating),
    standing: &Standing,
) -> std::result::Result<Template, Vec<Problem>> {
    let settled = standing.settle(parts, limits::INCLUDED_BYTES);
    let settled = settled.map_err(|why| vec![Problem::general(None, why)])?;
    Template::including(content, &settled)
}

impl StoredVersion {
    /// Its templates with what it includes as that stands in this transaction, or why they do not hold.
    pub(crate) async fn compile_now(
        &self,
        tx: &mut Tx,
    ) -> Result<std::result::Result<Template, Vec<Problem>>> {
        self.compile_with(tx, None).await
    }

    /// The same, as if a label pointed at another version.
    pub(crate) async fn compile_with(
        &self,
        tx: &mut Tx,
        moved: Option<(&Float, u32)>,
    ) -> Result<std::result::Result<Template, Vec<Problem>>> {
        let parts = (&self.included, &self.floating);
        let standing = standing(tx, parts, moved).await?;
        Ok(compile(&self.content, parts, &standing))
    }
}

impl Registry {
    /// What a version includes, with the versions that labels point at now in place of what floats; or why that does not
    /// hold. Answers from memory.
    pub fn settle(&self, stored: &StoredVersion) -> std::result::Result<Included, ResolveError> {
        let unsettled =
            |why| ResolveError::Unsettled(format!("version {} does not hold now: {why}", stored.number));
        let standing = self.snapshot().standing_for(stored);
        let standing = standing.map_err(|error| ResolveError::Broken(crate::reason(&error)))?;
        let parts = (&stored.included, &stored.floating);
        standing.settle(parts, limits::INCLUDED_BYTES).map(std::borrow::Cow::into_owned).map_err(unsettled)
    }
}

/// A version that serves by a label, and includes what moves, itself or through others.
pub(crate) struct Reached {
    pub(crate) prompt: Id<vocab::id::Prompt>,
    pub(crate) name: PromptName,
    pub(crate) label: LabelName,
    pub(crate) version: u32,
}

/// Who serves what a label points at, however deep it is included; also where a ramp or an experiment serves it.
pub(crate) async fn reached(tx: &mut Tx, float: &Float) -> Result<Vec<Reached>> {
    // CROSS JOIN keeps SQLite to this order: it would look through all labels and prompts for the few that are reached.
    const REACHED: &str = "WITH RECURSIVE reached (prompt_id, version) AS (
            SELECT i.prompt_id, i.version FROM version_include i WHERE i.snippet_id = $1 AND i.label = $2
            UNION
            SELECT i.prompt_id, i.version FROM reached r JOIN version_include i ON i.snippet_id = r.prompt_id
            WHERE i.snippet_version = r.version OR EXISTS
                  (SELECT 1 FROM label f WHERE f.prompt_id = r.prompt_id AND f.label = i.label AND f.version = r.version)
         )
         SELECT p.id, p.name, s.label, s.version
         FROM (SELECT l.prompt_id, l.label, l.version
               FROM reached r CROSS JOIN label l WHERE l.prompt_id = r.prompt_id AND l.version = r.version
               UNION SELECT t.prompt_id, t.label, t.version
               FROM reached r CROSS JOIN label_split_version t
               WHERE t.prompt_id = r.prompt_id AND t.version = r.version) s
         CROSS JOIN prompt p WHERE p.id = s.prompt_id
         ORDER BY p.name, s.label LIMIT $3";
    let rows = tx.all(REACHED, args![float.prompt.to_string(), float.label.as_str(), TRIED]).await?;
    let read = |row: &Row| {
        Ok(Reached {
            prompt: row.parsed("id")?,
            name: row.parsed("name")?,
            label: row.parsed("label")?,
            version: row.number("version")?,
        })
    };
    rows.iter().map(read).collect()
}

/// Refuses to point a label at a version when that, or a version that includes it by this label and serves, would not
/// hold; or when whoever moves it may not change what those labels serve.
pub(super) async fn check_move(
    writing: &mut Writing,
    prompt: &Prompt,
    (label, version): (&LabelName, u32),
    note: &Note<'_>,
) -> Result<()> {
    let float = Float { prompt: prompt.id, label: label.clone() };
    let moved = (&float, version);
    hold(&mut writing.tx, (prompt.id, &prompt.name, version), moved).await?;
    let (mut asked, mut tried) = (BTreeSet::new(), BTreeSet::new());
    for it in reached(&mut writing.tx, &float).await? {
        if it.label != *label && asked.insert(it.label.clone()) {
            let Note { who, way, contract, now, .. } = *note;
            let ask = Ask { prompt, label: &it.label, version: Some(it.version), who, way, contract, now };
            let refused = may_follow(writing, &ask).await;
            refused.map_err(|refusal| through(refusal, &it, prompt, label))?;
        }
        if tried.insert((it.prompt, it.version)) {
            hold(&mut writing.tx, (it.prompt, &it.name, it.version), moved).await?;
        }
    }
    Ok(())
}

fn through(refusal: StoreError, it: &Reached, prompt: &Prompt, label: &LabelName) -> StoreError {
    let told = |why: String| {
        format!(
            "label `{label}` of prompt `{}` is included by `{}@{}`, which changes with it: {why}",
            prompt.name, it.name, it.label
        )
    };
    match refusal {
        StoreError::Forbidden(why) => StoreError::Forbidden(told(why)),
        StoreError::Conflict(why) => StoreError::Conflict(told(why)),
        other => other,
    }
}

/// Refuses when a version would not hold with a label moved.
async fn hold(
    tx: &mut Tx,
    (id, name, version): (Id<vocab::id::Prompt>, &PromptName, u32),
    moved: (&Float, u32),
) -> Result<()> {
    let Some(row) = tx.maybe(BY_NUMBER, args![id.to_string(), version]).await? else { return Ok(()) };
    let StoredVersion { content, included, floating, .. } = versions::read(&row)?;
    let standing = standing(tx, (&included, &floating), Some(moved)).await?;
    if !standing.is_asked() {
        return Ok(());
    }
    let (float, to) = moved;
    let told = match standing.settle((&included, &floating), limits::INCLUDED_BYTES) {
        Err(why) => Some(why),
        Ok(settled) if settled.values().any(|snippet| snippet.holds(id)) => {
            Some("it would include itself".to_owned())
        }
        Ok(settled) => Template::including(&content, &settled)
            .err()
            .map(|problems| problems.first().map(ToString::to_string).unwrap_or_default()),
    };
    let Some(why) = told else { return Ok(()) };
    Err(StoreError::Conflict(format!(
        "version {version} of prompt `{name}` would not hold with label `{}` at version {to}: {why}",
        float.label
    )))
}

/// Refuses when a version that is to serve would not hold with what it includes by label as that stands.
pub(crate) async fn check_holds(tx: &mut Tx, prompt: &Prompt, version: u32) -> Result<()> {
    let row = tx.maybe(BY_NUMBER, args![prompt.id.to_string(), version]).await?;
    let Some(row) = row else { return Err(versions::no_version(prompt, &version)) };
    let Err(problems) = versions::read(&row)?.compile_now(tx).await? else { return Ok(()) };
    let problem = problems.first().map(ToString::to_string).unwrap_or_default();
    let name = &prompt.name;
    Err(StoreError::Conflict(format!(
        "version {version} of prompt `{name}` would not hold as what it includes by label stands now: {problem}"
    )))
}

/// Refuses to take a label away while a version that includes it serves.
pub(super) async fn check_removal(writing: &mut Writing, prompt: &Prompt, label: &LabelName) -> Result<()> {
    let float = Float { prompt: prompt.id, label: label.clone() };
    let reached = reached(&mut writing.tx, &float).await?;
    let Some(it) = reached.first() else { return Ok(()) };
    Err(StoreError::Conflict(format!(
        "label `{label}` of prompt `{}` is included by version {} of prompt `{}`, which serves `{}`: move that label \
         to a version that does not include it first",
        prompt.name, it.version, it.name, it.label
    )))
}
