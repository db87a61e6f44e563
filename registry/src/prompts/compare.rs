//! Two versions of a prompt, or a draft and a version, side by side.

use serde_json::{Map, Value};
use vocab::{PromptName, Selector};

use super::Prompt;
use super::drafts::Draft;
use super::impact::Interface;
use super::versions::{self, StoredVersion};
use crate::Registry;
use crate::content::Content;
use crate::db::Result;
use crate::diff::{Diff, Side};
use crate::roles::Who;

/// What to compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Point {
    /// A version.
    Version(Selector),
    /// The draft of whoever asks.
    Draft,
}

/// What was compared.
#[derive(Clone, Debug, PartialEq)]
pub enum Stand {
    /// A version.
    Version(Box<StoredVersion>),
    /// A draft.
    Draft(Box<Draft>),
}

/// How a prompt's versions differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The prompt.
    pub prompt: Prompt,
    /// What came before; none when `to` is the first.
    pub from: Option<Stand>,
    /// What came of it.
    pub to: Stand,
    /// The differences.
    pub diff: Diff,
}

impl Stand {
    /// What it holds.
    pub const fn content(&self) -> &Content {
        match self {
            Self::Version(version) => &version.content,
            Self::Draft(draft) => &draft.content,
        }
    }

    /// What stands beside the content.
    fn beside(&self) -> Map<String, Value> {
        match self {
            Self::Version(version) => beside(&version.examples, &version.metadata),
            Self::Draft(draft) => beside(&draft.examples, &draft.metadata),
        }
    }

    /// The version it was published onto, or begun from.
    fn parent(&self) -> Option<u32> {
        match self {
            Self::Version(version) => version.parent,
            Self::Draft(draft) => Some(draft.parent).filter(|parent| *parent > 0),
        }
    }
}

/// What stands beside a content, by name, unless it is empty.
pub(super) fn beside(examples: &[Value], metadata: &Map<String, Value>) -> Map<String, Value> {
    let mut beside = Map::new();
    if !examples.is_empty() {
        beside.insert("examples".to_owned(), Value::from(examples));
    }
    if !metadata.is_empty() {
        beside.insert("metadata".to_owned(), Value::Object(metadata.clone()));
    }
    beside
}

impl Registry {
    /// Compares two versions of a prompt, or somebody's own draft and a version. Without `from`: with what `to` was
    /// published onto or begun from.
    pub async fn compare(
        &self,
        (project, name): (&str, &PromptName),
        from: Option<&Point>,
        to: &Point,
        who: &Who,
    ) -> Result<Comparison> {
        let prompt = self.get_prompt(project, name).await?;
        let to = self.stand(&prompt, to, who).await?;
        let parent = to.parent().map(|parent| Point::Version(Selector::Number(parent)));
        let from = match from.or(parent.as_ref()) {
            None => None,
            Some(from) => Some(self.stand(&prompt, from, who).await?),
        };
        let before = match &from {
            Some(from) => Some((from.content(), from.beside(), self.interface(project, from).await?)),
            None => None,
        };
        let before = before.as_ref().map(|(content, beside, interface)| Side {
            content,
            beside,
            interface: interface.as_ref(),
        });
        let (beside, interface) = (to.beside(), self.interface(project, &to).await?);
        let after = Side { content: to.content(), beside: &beside, interface: interface.as_ref() };
        let diff = Diff::between(before, after);
        Ok(Comparison { prompt, from, to, diff })
    }

    /// What callers can put into it; none when its templates do not hold.
    async fn interface(&self, project: &str, stand: &Stand) -> Result<Option<Interface>> {
        let template = match stand {
            Stand::Version(version) => {
                let mut tx = self.db().reading().await?;
                let compiled = version.compile_now(&mut tx).await;
                tx.end(compiled).await?.ok()
            }
            Stand::Draft(draft) => self.check(project, &draft.content).await?.template,
        };
        Ok(template.map(|template| Interface::of(stand.content(), template.variables())))
    }

    async fn stand(&self, prompt: &Prompt, point: &Point, who: &Who) -> Result<Stand> {
        match point {
            Point::Version(selector) => {
                let version = versions::find(self.db(), prompt, selector).await?;
                let version = version.ok_or_else(|| versions::no_version(prompt, selector))?;
                Ok(Stand::Version(Box::new(version)))
            }
            Point::Draft => {
                let mut draft = self.get_draft(&prompt.project, &prompt.name, who).await?;
                // As it would be published: a snippet without a version is what it would be pinned to.
                if let Ok(gathered) = self.gather(&prompt.project, &draft.content).await {
                    draft.content = gathered.content;
                }
                Ok(Stand::Draft(Box::new(draft)))
            }
        }
    }
}
