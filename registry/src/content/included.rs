//! Snippets: versions of other prompts that a content includes. Those it pins are held beside it, so that they render the
//! same for good; of those that float it is known which label to look at.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use vocab::{Id, LabelName};

use super::Content;
use crate::prompts::versions::StoredVersion;

/// The deepest that snippets include snippets.
pub const DEPTH: usize = 8;

/// The most labels that float in one content, however deep.
const FLOATS: usize = 1_000;

/// What a content includes, by the reference its items and texts have: `snippets/tone@3`.
pub type Included = BTreeMap<String, Snippet>;

/// What floats in a content, by the reference its items and texts have: `snippets/tone@staging`.
pub type Floating = BTreeMap<String, Float>;

/// A label of another prompt, whose version is included as it is at the moment of a call.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Float {
    /// The prompt.
    pub prompt: Id<vocab::id::Prompt>,
    /// Its label.
    pub label: LabelName,
}

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
    /// What floats in it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub floating: Floating,
}

impl Snippet {
    /// A version of a prompt, as others include it.
    pub(crate) fn of(prompt: Id<vocab::id::Prompt>, stored: StoredVersion) -> Self {
        let StoredVersion { number: version, content, included, floating, .. } = stored;
        Self { prompt, version, content, included, floating }
    }

    /// How many snippets deep it goes, itself counted.
    pub fn depth(&self) -> usize {
        1 + self.included.values().map(Self::depth).max().unwrap_or(0)
    }

    /// Whether it is of this prompt, or includes something of it.
    pub fn holds(&self, prompt: Id<vocab::id::Prompt>) -> bool {
        self.prompt == prompt || self.included.values().any(|snippet| snippet.holds(prompt))
    }

    /// Whether nothing floats in it, however deep.
    fn is_settled(&self) -> bool {
        self.floating.is_empty() && self.included.values().all(Self::is_settled)
    }
}

/// What the labels that float in something point at, at one moment.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    known: HashMap<Float, Arc<Snippet>>,
    /// Those that are yet to be looked up.
    wanted: Vec<Float>,
    seen: HashSet<Float>,
}

impl Standing {
    /// The versions by the labels that point at them.
    pub(crate) fn versions(&self) -> impl Iterator<Item = (&Float, u32)> {
        self.known.iter().map(|(float, snippet)| (float, snippet.version))
    }

    /// The version a label points at.
    pub(crate) fn version(&self, float: &Float) -> Option<u32> {
        self.known.get(float).map(|snippet| snippet.version)
    }

    /// Notes the labels that float in what is included, however deep. Those beyond the limit are not looked up, and
    /// are missed when it is settled.
    pub(crate) fn want(&mut self, (included, floating): (&Included, &Floating)) {
        for float in floating.values() {
            if self.seen.len() < FLOATS && self.seen.insert(float.clone()) {
                self.wanted.push(float.clone());
            }
        }
        for snippet in included.values() {
            self.want((&snippet.included, &snippet.floating));
        }
    }

    /// Whether anything floats at all.
    pub(crate) fn is_asked(&self) -> bool {
        !self.seen.is_empty()
    }

    /// The next label to look up.
    pub(crate) fn wanted(&mut self) -> Option<Float> {
        self.wanted.pop()
    }

    /// Notes what a label points at; what floats in that is wanted too.
    pub(crate) fn add(&mut self, float: Float, snippet: Snippet) {
        self.want((&snippet.included, &snippet.floating));
        self.known.insert(float, Arc::new(snippet));
    }

    /// What a content includes, with the versions that serve now in place of what floats, or why that cannot be: what
    /// labels point at may come to include itself, or grow too deep or too large.
    pub(crate) fn settle<'a>(
        &self,
        (included, floating): (&'a Included, &Floating),
        limit_bytes: usize,
    ) -> Result<Cow<'a, Included>, String> {
        if floating.is_empty() && included.values().all(Snippet::is_settled) {
            return Ok(Cow::Borrowed(included));
        }
        let mut settling = Settling { standing: self, path: Vec::new(), room: limit_bytes };
        settling.all(included, floating).map(Cow::Owned)
    }
}

struct Settling<'a> {
    standing: &'a Standing,
    /// The prompts from the outermost to the one being settled.
    path: Vec<Id<vocab::id::Prompt>>,
    room: usize,
}

impl Settling<'_> {
    fn all(&mut self, included: &Included, floating: &Floating) -> Result<Included, String> {
        let mut settled = Included::new();
        for (reference, snippet) in included {
            settled.insert(reference.clone(), self.one(reference, snippet)?);
        }
        for (reference, float) in floating {
            let standing = self.standing.known.get(float).map(Arc::clone);
            let snippet = standing.ok_or_else(|| {
                format!("`{reference}` is included, and label `{}` points at nothing any more", float.label)
            })?;
            settled.insert(reference.clone(), self.one(reference, &snippet)?);
        }
        Ok(settled)
    }

    fn one(&mut self, reference: &str, snippet: &Snippet) -> Result<Snippet, String> {
        if self.path.contains(&snippet.prompt) {
            return Err(format!("`{reference}` comes to include itself by what labels point at now"));
        }
        if self.path.len() == DEPTH {
            return Err(format!(
                "`{reference}` lies more than {DEPTH} snippets deep by what labels point at now"
            ));
        }
        let bytes = serde_json::to_string(&snippet.content).map_or(usize::MAX, |json| json.len());
        let left = self.room.checked_sub(bytes);
        self.room = left.ok_or("what is included has grown too large by what labels point at now")?;
        self.path.push(snippet.prompt);
        let included = self.all(&snippet.included, &snippet.floating)?;
        self.path.pop();
        let (prompt, version, content) = (snippet.prompt, snippet.version, snippet.content.clone());
        Ok(Snippet { prompt, version, content, included, floating: Floating::new() })
    }
}
