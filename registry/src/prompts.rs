//! A prompt: what it is called, what it is for, which versions its labels point at.

pub(crate) mod aliases;
pub(crate) mod catalogue;
mod change;
pub mod compare;
pub mod drafts;
pub(crate) mod floats;
pub mod impact;
pub mod labels;
pub(crate) mod names;
pub mod resolve;
pub mod snippets;
pub mod versions;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use vocab::{Id, PromptName, Time};

use crate::StoreError;
use crate::assignment::Splits;
use crate::content::{Alias, Content, PromptBody};
use labels::Labels;

/// What is known of a prompt, apart from its versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Prompt {
    /// Stays through renames.
    pub id: Id<vocab::id::Prompt>,
    /// The project it belongs to.
    pub project: Arc<str>,
    /// Its name; folders are the name's prefixes.
    pub name: PromptName,
    /// Chat or text, fixed by the first version.
    pub kind: Option<PromptKind>,
    /// What it is for.
    pub description: String,
    /// Words to find it by, in order, each once.
    pub tags: Vec<String>,
    /// Other names it answers to.
    pub aliases: Vec<Alias>,
    /// Which version each label points at.
    pub labels: Labels,
    /// What splits the calls of some of them, and of labels that point at nothing.
    pub splits: Splits,
    /// The highest version.
    pub latest: Option<u32>,
    /// When it was made.
    pub created_at: Time,
    /// When it, a label or its list of versions last changed.
    pub updated_at: Time,
    /// When it was archived.
    pub archived_at: Option<Time>,
    /// Grows with every change: tells a caller that what they saw is still so.
    pub revision: i64,
}

impl Prompt {
    /// Whether it no longer serves.
    pub const fn is_archived(&self) -> bool {
        self.archived_at.is_some()
    }

    /// Refuses when it is archived.
    pub(crate) fn writable(&self) -> Result<(), StoreError> {
        if !self.is_archived() {
            return Ok(());
        }
        let name = &self.name;
        Err(StoreError::Conflict(format!("prompt `{name}` is archived: restore it first")))
    }
}

/// Chat or text, for life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptKind {
    /// A list of messages.
    Chat,
    /// One text.
    Text,
}

impl PromptKind {
    /// The kind of prompt that has this content.
    pub const fn of(content: &Content) -> Self {
        match content.body {
            PromptBody::Messages(_) => Self::Chat,
            PromptBody::Text(_) => Self::Text,
        }
    }

    /// The word used in JSON and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Text => "text",
        }
    }

    pub(crate) fn read(text: &str) -> Result<Self, StoreError> {
        match text {
            "chat" => Ok(Self::Chat),
            "text" => Ok(Self::Text),
            _ => Err(StoreError::unreadable("kind")),
        }
    }
}

/// A prompt to create.
#[derive(Clone, Debug)]
pub struct NewPrompt {
    /// Its name.
    pub name: PromptName,
    /// What it is for.
    pub description: String,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Other names it answers to.
    pub aliases: Vec<Alias>,
}

impl NewPrompt {
    /// A prompt of this name and nothing else.
    pub const fn named(name: PromptName) -> Self {
        Self { name, description: String::new(), tags: Vec::new(), aliases: Vec::new() }
    }
}

/// What to change of a prompt; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct PromptChange {
    /// A new name; the old one stays as an alias.
    pub name: Option<PromptName>,
    /// What it is for.
    pub description: Option<String>,
    /// All its tags.
    pub tags: Option<Vec<String>>,
    /// All its aliases.
    pub aliases: Option<Vec<Alias>>,
    /// Whether it is archived.
    pub archived: Option<bool>,
    /// Refuse unless the prompt still has this revision.
    pub expected_revision: Option<i64>,
}

/// Which prompts of a project to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PromptFilter {
    /// Those in this folder or below it.
    pub folder: Option<String>,
    /// Those with this tag.
    pub tag: Option<String>,
    /// Those whose name, description, tags or aliases contain this, in any case.
    pub text: Option<String>,
    /// Archived ones instead of those that serve.
    pub archived: bool,
}
