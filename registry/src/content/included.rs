//! Snippets: versions of other prompts that a content includes, held beside it so that it renders the same for good.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vocab::Id;

use super::Content;

/// The deepest that snippets include snippets.
pub const DEPTH: usize = 8;

/// What a content includes, by the reference its items and texts have: `snippets/tone@3`.
pub type Included = BTreeMap<String, Snippet>;

/// A version of a prompt as another content includes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snippet {
    /// The prompt.
    pub prompt: Id<vocab::id::Prompt>,
    /// The version; 0 for one that is not published.
    pub version: u32,
    /// What it holds. Its messages or text count, and its variables; everything else is the includer's.
    pub content: Content,
    /// What it includes itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub included: Included,
}

impl Snippet {
    /// How many snippets deep it goes, itself counted.
    pub fn depth(&self) -> usize {
        1 + self.included.values().map(Self::depth).max().unwrap_or(0)
    }

    /// Whether it is of this prompt, or includes something of it.
    pub fn holds(&self, prompt: Id<vocab::id::Prompt>) -> bool {
        self.prompt == prompt || self.included.values().any(|snippet| snippet.holds(prompt))
    }
}
