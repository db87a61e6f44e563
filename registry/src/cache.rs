//! Compiled versions that nothing labels but somebody pinned, bounded by their size.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vocab::{Id, Selector};

use crate::db::to_json;
use crate::prompts::Prompt;
use crate::prompts::versions::Version;

/// The most that is kept, in bytes of content as JSON.
const LIMIT_BYTES: usize = 32 << 20;
/// What an entry weighs beside its content.
const ENTRY_BYTES: usize = 1_024;

/// A pinned version by how it was named.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Pin {
    prompt: Id<vocab::id::Prompt>,
    selector: Selector,
    /// A digest prefix may come to name another version when one is published; numbers never do.
    revision: i64,
}

/// Two generations: what is found in the older moves to the younger, and when the younger is full the older goes.
#[derive(Debug, Default)]
pub(crate) struct VersionCache(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Pin, Kept>,
    old: HashMap<Pin, Kept>,
    young_bytes: usize,
}

#[derive(Clone, Debug)]
struct Kept {
    version: Arc<Version>,
    bytes: usize,
}

impl VersionCache {
    pub(crate) fn get(&self, prompt: &Prompt, selector: &Selector) -> Option<Arc<Version>> {
        let pin = Pin::of(prompt, selector.clone());
        let mut generations = self.lock();
        if let Some(kept) = generations.young.get(&pin) {
            return Some(Arc::clone(&kept.version));
        }
        let kept = generations.old.remove(&pin)?;
        let version = Arc::clone(&kept.version);
        generations.add(pin, kept);
        Some(version)
    }

    pub(crate) fn put(&self, prompt: &Prompt, selector: Selector, version: &Arc<Version>) {
        let content = to_json(&version.stored.content).map_or(LIMIT_BYTES, |json| json.len());
        let kept = Kept { version: Arc::clone(version), bytes: content + ENTRY_BYTES };
        self.lock().add(Pin::of(prompt, selector), kept);
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn add(&mut self, pin: Pin, kept: Kept) {
        if self.young_bytes + kept.bytes > LIMIT_BYTES / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += kept.bytes;
        self.young.insert(pin, kept);
    }
}

impl Pin {
    fn of(prompt: &Prompt, selector: Selector) -> Self {
        let revision = match selector {
            Selector::Digest(_) => prompt.revision,
            Selector::Number(_) | Selector::SemVer(_) | Selector::Label(_) | Selector::Latest => 0,
        };
        Self { prompt: prompt.id, selector, revision }
    }
}

#[cfg(test)]
mod tests;
