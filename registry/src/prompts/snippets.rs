//! Snippets: what a content includes, found and pinned when it is published; and who includes a prompt.

use std::collections::BTreeMap;

use serde::Serialize;
use vocab::{LabelName, Page, PromptName, PromptRef, Selector};

use super::versions::{self, BY_NUMBER, BY_SEMVER, StoredVersion, limits};
use super::{Prompt, catalogue, floats};
use crate::content::{Content, DEPTH, Float, Floating, Included, Item, Snippet, Standing};
use crate::db::{Result, Row, Tx, Writing, args};
use crate::paging::Paging;
use crate::template::{Problem, Template, references, with_references};
use crate::{Registry, StoreError};

/// The most snippets one content names itself.
const SNIPPETS: usize = 100;

/// A content with what it includes: every reference is pinned to a version, or floats with a label.
#[derive(Debug)]
pub(crate) struct Gathered {
    pub(crate) content: Content,
    pub(crate) included: Included,
    pub(crate) floating: Floating,
    /// What floats, as it stands now.
    pub(crate) standing: Standing,
}

impl Gathered {
    /// A content that includes nothing.
    pub(crate) fn alone(content: Content) -> Self {
        let (included, floating) = (Included::new(), Floating::new());
        Self { content, included, floating, standing: Standing::default() }
    }

    /// The templates, as they hold now.
    pub(crate) fn compile(&self) -> std::result::Result<Template, Vec<Problem>> {
        floats::compile(&self.content, (&self.included, &self.floating), &self.standing)
    }
}

/// What a check of a content found.
#[derive(Debug)]
pub struct Trial {
    /// The templates, when they hold.
    pub template: Option<Template>,
    /// What is wrong, in order.
    pub problems: Vec<Problem>,
}

/// A version that includes a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UsedBy {
    /// The prompt it is of.
    pub prompt: PromptName,
    /// Its number.
    pub version: u32,
    /// How it names what it includes.
    pub reference: String,
    /// The version it includes; of a label, the one that serves now.
    pub includes_version: Option<u32>,
    /// The label it includes, whatever that points at; none when it is pinned.
    pub includes_label: Option<LabelName>,
    /// The labels that point at it now.
    pub labels: Vec<LabelName>,
    /// Whether it is its prompt's highest version.
    pub is_latest: bool,
}

/// Which users of a prompt to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsedByFilter {
    /// Those that include this version.
    pub version: Option<u32>,
    /// Also versions that no label points at and that are not their prompt's latest.
    pub all: bool,
}

impl Registry {
    /// Tries a content as publishing would, with what it includes; nothing is kept.
    pub async fn check(&self, project: &str, content: &Content) -> Result<Trial> {
        let gathered = match self.gather(project, content).await {
            Ok(gathered) => gathered,
            Err(StoreError::Invalid { message, .. } | StoreError::NotSupported { message, .. }) => {
                let problem = Problem { item: None, line: 0, column: 0, message };
                return Ok(Trial { template: None, problems: vec![problem] });
            }
            Err(other) => return Err(other),
        };
        Ok(match gathered.compile() {
            Ok(template) => Trial { template: Some(template), problems: Vec::new() },
            Err(problems) => Trial { template: None, problems },
        })
    }

    /// A content with all that it includes, as it would be pinned now.
    pub(crate) async fn gather(&self, project: &str, content: &Content) -> Result<Gathered> {
        if references(content).is_empty() {
            return Ok(Gathered::alone(content.clone()));
        }
        let mut tx = self.db().reading().await?;
        gather(&mut tx, project, content).await
    }

    /// A page of the versions that include a prompt, by name and number.
    pub async fn used_by(
        &self,
        project: &str,
        name: &PromptName,
        filter: UsedByFilter,
        paging: &Paging,
    ) -> Result<Page<UsedBy>> {
        const PAGE: &str = "SELECT p.name, p.latest, i.version, i.reference, i.label,
                                   COALESCE(i.snippet_version, s.version) AS included_version,
                                   (SELECT string_agg(l.label, ',') FROM label l
                                    WHERE l.prompt_id = i.prompt_id AND l.version = i.version) AS labels
                            FROM version_include i JOIN prompt p ON p.id = i.prompt_id
                            LEFT JOIN label s ON s.prompt_id = i.snippet_id AND s.label = i.label
                            WHERE i.snippet_id = $1 AND p.archived_us IS NULL
                              AND ($2 IS NULL OR COALESCE(i.snippet_version, s.version) = $2)
                              AND ($3 = 1 OR i.version = p.latest OR EXISTS
                                   (SELECT 1 FROM label l WHERE l.prompt_id = i.prompt_id AND l.version = i.version))
                              AND (p.name, i.version, i.reference) > ($4, $5, $6)
                            ORDER BY p.name, i.version, i.reference LIMIT $7";
        let prompt = self.get_prompt(project, name).await?;
        let after = Place::read(paging.after()?)?;
        let (version, all) = (filter.version, i64::from(filter.all));
        let values = args![
            prompt.id.to_string(),
            version,
            all,
            after.name,
            after.version,
            after.reference,
            paging.rows()
        ];
        let rows = self.db().all(PAGE, values).await?;
        let users = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
        Ok(paging.page(users, |it| format!("{}|{}|{}", it.version, it.prompt, it.reference)))
    }
}

/// Where a page begins.
struct Place {
    name: String,
    version: i64,
    reference: String,
}

impl Place {
    fn read(cursor: Option<String>) -> Result<Self> {
        let Some(cursor) = cursor else {
            return Ok(Self { name: String::new(), version: 0, reference: String::new() });
        };
        let mut parts = cursor.splitn(3, '|');
        let (version, name, reference) = (parts.next(), parts.next(), parts.next());
        match (version.and_then(|version| version.parse().ok()), name, reference) {
            (Some(version), Some(name), Some(reference)) => {
                Ok(Self { name: name.to_owned(), version, reference: reference.to_owned() })
            }
            (_, _, _) => Err(StoreError::invalid("cursor", "this cursor is of another list: leave it out")),
        }
    }
}

fn read(row: &Row) -> Result<UsedBy> {
    let version = row.number("version")?;
    let labels = row.maybe_text("labels")?.unwrap_or_default();
    let labels = labels
        .split(',')
        .filter(|label| !label.is_empty())
        .map(|label| label.parse().map_err(|_| StoreError::unreadable("labels")));
    let mut labels = labels.collect::<Result<Vec<LabelName>>>()?;
    labels.sort();
    Ok(UsedBy {
        prompt: row.parsed("name")?,
        version,
        reference: row.text("reference")?,
        includes_version: row.maybe_number("included_version")?,
        includes_label: row.maybe_parsed("label")?,
        labels,
        is_latest: row.number("latest")? == version,
    })
}

/// Finds and pins what a content includes.
pub(crate) async fn gather(tx: &mut Tx, project: &str, content: &Content) -> Result<Gathered> {
    let named = references(content);
    if named.len() > SNIPPETS {
        let message = format!("it includes {} snippets: the limit is {SNIPPETS}", named.len());
        return Err(StoreError::invalid("messages", message));
    }
    let (mut pins, mut included, mut floating) = (BTreeMap::new(), Included::new(), Floating::new());
    for reference in named {
        let refuse = |why: String| {
            StoreError::invalid(
                field(content, &reference),
                format!("`{reference}` cannot be included: {why}"),
            )
        };
        let parsed: PromptRef = reference.parse().map_err(|why: vocab::NameError| refuse(why.to_string()))?;
        let found = catalogue::find(tx, project, &parsed.name).await?;
        let prompt = found.ok_or_else(|| refuse(format!("there is no prompt `{}`", parsed.name)))?;
        if prompt.is_archived() {
            return Err(refuse(format!("prompt `{}` is archived", prompt.name)));
        }
        if let Some(Selector::Label(label)) = &parsed.selector {
            if !prompt.labels.contains_key(label) {
                let name = &prompt.name;
                return Err(refuse(format!("`{name}` has no label `{label}`: put it on a version first")));
            }
            let floated = format!("{}@{label}", prompt.name);
            floating.insert(floated.clone(), Float { prompt: prompt.id, label: label.clone() });
            pins.insert(reference, floated);
            continue;
        }
        let row = find(tx, &prompt, parsed.selector.as_ref()).await?.map_err(refuse)?;
        let snippet = Snippet::of(prompt.id, versions::read(&row)?);
        let version = snippet.version;
        if snippet.depth() > DEPTH {
            return Err(refuse(format!("it goes more than {DEPTH} snippets deep")));
        }
        let pinned = format!("{}@{version}", prompt.name);
        included.insert(pinned.clone(), snippet);
        pins.insert(reference, pinned);
    }
    let standing = floats::standing(tx, (&included, &floating), None).await?;
    Ok(Gathered { content: with_references(content, &pins), included, floating, standing })
}

/// The version a reference pins, or why there is none.
async fn find(
    tx: &mut Tx,
    prompt: &Prompt,
    selector: Option<&Selector>,
) -> Result<std::result::Result<Row, String>> {
    let (id, name) = (prompt.id.to_string(), &prompt.name);
    let number = match selector {
        None => match prompt.labels.get(vocab::name::PRODUCTION) {
            Some(number) => *number,
            None => {
                return Ok(Err(format!("`{name}` has no label `production`: write a version, `{name}@1`")));
            }
        },
        Some(Selector::Number(number)) => *number,
        Some(Selector::Latest) => prompt.latest.unwrap_or(0),
        Some(Selector::SemVer(semver)) => {
            let values = args![id, semver.major, semver.minor, semver.patch];
            let row = tx.maybe(BY_SEMVER, values).await?;
            return Ok(row.ok_or_else(|| format!("`{name}` has no version `{semver}`")));
        }
        Some(Selector::Label(_) | Selector::Digest(_)) => {
            return Ok(Err(format!("pin a version by its number, `{name}@1`")));
        }
    };
    let row = tx.maybe(BY_NUMBER, args![id, number]).await?;
    Ok(row.ok_or_else(|| format!("`{name}` has no version `{number}`")))
}

/// Where a content names a snippet.
fn field(content: &Content, reference: &str) -> String {
    let names = |item: &Item| matches!(item, Item::Include { include, .. } if include == reference);
    match content.items().iter().position(names) {
        Some(index) => format!("messages[{index}].include"),
        None if content.is_text() => "text".to_owned(),
        None => "messages".to_owned(),
    }
}

/// Refuses a prompt that would include itself, whatever the version.
pub(super) fn check_cycle(prompt: &Prompt, gathered: &Gathered) -> Result<()> {
    let parts = (&gathered.included, &gathered.floating);
    // What cannot be settled is told as a problem of the template.
    let Ok(settled) = gathered.standing.settle(parts, limits::INCLUDED_BYTES) else { return Ok(()) };
    let Some((reference, _)) = settled.iter().find(|(_, snippet)| snippet.holds(prompt.id)) else {
        return Ok(());
    };
    let message =
        format!("prompt `{}` would include itself through `{reference}`: a prompt cannot", prompt.name);
    Err(StoreError::invalid("include", message))
}

/// Notes what a version includes itself.
pub(super) async fn note(writing: &mut Writing, prompt: &Prompt, it: &StoredVersion) -> Result<()> {
    let sql =
        "INSERT INTO version_include (prompt_id, version, reference, snippet_id, snippet_version, label)
               VALUES ($1, $2, $3, $4, $5, $6)";
    let id = prompt.id.to_string();
    for (reference, snippet) in &it.included {
        let (of, version) = (snippet.prompt.to_string(), snippet.version);
        let values = args![&*id, it.number, reference.as_str(), of, version, None::<&str>];
        writing.tx.run(sql, values).await?;
    }
    for (reference, float) in &it.floating {
        let (of, label) = (float.prompt.to_string(), float.label.as_str());
        let values = args![&*id, it.number, reference.as_str(), of, None::<i64>, label];
        writing.tx.run(sql, values).await?;
    }
    Ok(())
}
