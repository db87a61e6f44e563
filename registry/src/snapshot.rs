//! All that the path of a call needs, in memory: keys, tokens, prompts, and every version that a label serves.
//! Versions are kept as they are stored; compiled, those that are called ([`crate::cache`]).
//!
//! A snapshot never changes. A write makes the next one, which shares all that stayed with the one before.

pub(crate) mod copy;
mod floats;
mod load;
pub(crate) mod search;
mod served;
mod shards;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use vocab::id::{Key, Token};
use vocab::{Id, SemVer, Time};

use crate::credentials::{SecretHash, hash};
use crate::keys::{KeyRefusal, VirtualKey, check_current};
use crate::prompts::Prompt;
use crate::prompts::versions::Version;
use crate::tokens::AdminToken;
use served::Served;
use shards::Shards;

pub(crate) use load::{Basis, newest, refresh};

/// The registry as it was after one write.
#[derive(Clone)]
pub struct Snapshot {
    revision: i64,
    /// Prompts by name and alias, for each project, archived ones too.
    projects: HashMap<Arc<str>, Names>,
    /// Projects that are archived.
    archived: Arc<HashSet<Arc<str>>>,
    prompts: Shards<Id<vocab::id::Prompt>, Arc<Entry>>,
    keys: Credentials<Key, VirtualKey>,
    tokens: Credentials<Token, AdminToken>,
}

/// The prompts of a project by every name they answer to.
type Names = Shards<Arc<str>, Arc<Entry>>;

/// A prompt and those of its versions that are in memory.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) prompt: Arc<Prompt>,
    /// What labels point at, by number.
    served: Box<[Arc<Served>]>,
    /// What a search for text looks at.
    search: Box<str>,
}

impl Entry {
    /// A version, if it is in memory and compiled.
    pub(crate) fn version(&self, number: u32) -> Option<Arc<Version>> {
        self.served(number)?.compiled()
    }

    /// A version as it is stored, if it is in memory.
    pub(crate) fn served(&self, number: u32) -> Option<&Arc<Served>> {
        let place = self.served.binary_search_by_key(&number, |version| version.number).ok()?;
        self.served.get(place)
    }

    /// The number of the version in memory with this semantic version.
    pub(crate) fn number_of(&self, semver: SemVer) -> Option<u32> {
        let served = self.served.iter().find(|version| version.semver == semver)?;
        Some(served.number)
    }
}

impl Snapshot {
    fn empty() -> Self {
        Self {
            revision: -1,
            projects: HashMap::new(),
            archived: Arc::default(),
            prompts: Shards::new(),
            keys: Credentials::new(),
            tokens: Credentials::new(),
        }
    }

    /// The virtual key with this secret.
    pub fn authenticate(&self, secret: &str, now: Time) -> Result<&Arc<VirtualKey>, KeyRefusal> {
        let key = self.keys.find(secret).ok_or(KeyRefusal::Unknown)?;
        check_current(key.revoked_at, key.expires_at, now)?;
        Ok(key)
    }

    /// The admin token with this secret.
    pub fn token(&self, secret: &str, now: Time) -> Result<&Arc<AdminToken>, KeyRefusal> {
        let token = self.tokens.find(secret).ok_or(KeyRefusal::Unknown)?;
        check_current(token.revoked_at, token.expires_at, now)?;
        Ok(token)
    }

    /// The number of the last write it holds.
    pub const fn revision(&self) -> i64 {
        self.revision
    }

    /// Whether there is such a project, and it is not archived.
    pub fn has_project(&self, project: &str) -> bool {
        self.projects.contains_key(project) && !self.archived.contains(project)
    }

    /// The prompts of a project that are not archived, in no order.
    pub fn prompt_names(&self, project: &str) -> impl Iterator<Item = &Arc<Prompt>> {
        let names = self.projects.get(project).into_iter().flat_map(Shards::iter);
        let own = names.filter(|(name, entry)| ***name == *entry.prompt.name.as_str());
        own.map(|(_, entry)| &entry.prompt).filter(|prompt| !prompt.is_archived())
    }

    /// The prompt that answers to a name or alias.
    pub(crate) fn entry(&self, project: &str, name: &str) -> Option<&Arc<Entry>> {
        self.projects.get(project)?.get(name)
    }
}

/// Keys or tokens by the hash of their secret.
struct Credentials<Of, T> {
    by_secret: Shards<SecretHash, Arc<T>>,
    /// To find the old secret of one that got another.
    secrets: Shards<Id<Of>, SecretHash>,
}

impl<Of, T> Clone for Credentials<Of, T> {
    fn clone(&self) -> Self {
        Self { by_secret: self.by_secret.clone(), secrets: self.secrets.clone() }
    }
}

impl<Of, T> Credentials<Of, T> {
    fn new() -> Self {
        Self { by_secret: Shards::new(), secrets: Shards::new() }
    }

    fn find(&self, secret: &str) -> Option<&Arc<T>> {
        self.by_secret.get(&hash(secret))
    }

    fn put(&mut self, id: Id<Of>, secret_hash: SecretHash, credential: T) {
        if let Some(old) = self.secrets.insert(id, secret_hash) {
            self.by_secret.remove(&old);
        }
        self.by_secret.insert(secret_hash, Arc::new(credential));
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("revision", &self.revision).finish_non_exhaustive()
    }
}

impl Default for Snapshot {
    fn default() -> Self {
        Self::empty()
    }
}
