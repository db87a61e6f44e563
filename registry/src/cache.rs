//! Compiled versions that are called, whether labelled or pinned, bounded by their size.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vocab::{Id, Selector};

use crate::prompts::Prompt;
use crate::prompts::versions::Version;

/// The most that is kept.
const LIMIT_BYTES: usize = 16 << 20;
/// What a compiled version takes in memory, measured: its content and what it includes, as JSON, so many times over, and
/// this.
const CONTENT_COPIES: usize = 3;
const VERSION_BYTES: usize = 2_048;

/// A version by how it was named.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Pin {
    prompt: Id<vocab::id::Prompt>,
    selector: Selector,
    /// A digest prefix may come to name another version when one is published; numbers never do.
    revision: i64,
}

/// Kept in a circle: when there is no room, the oldest goes, unless it was called since it was last looked at.
#[derive(Debug, Default)]
pub(crate) struct VersionCache(Mutex<Circle>);

#[derive(Debug, Default)]
struct Circle {
    kept: HashMap<Pin, Kept>,
    /// From the one to look at next to the one that was looked at or came last.
    order: VecDeque<Pin>,
    bytes: usize,
}

#[derive(Clone, Debug)]
struct Kept {
    version: Arc<Version>,
    bytes: usize,
}

impl VersionCache {
    pub(crate) fn get(&self, prompt: &Prompt, selector: &Selector) -> Option<Arc<Version>> {
        let pin = Pin::of(prompt, selector.clone());
        let version = Arc::clone(&self.lock().kept.get(&pin)?.version);
        version.note_use();
        Some(version)
    }

    pub(crate) fn put(&self, prompt: &Prompt, selector: Selector, version: &Arc<Version>) {
        let bytes = version.bytes.saturating_mul(CONTENT_COPIES).saturating_add(VERSION_BYTES);
        self.lock().add(Pin::of(prompt, selector), Kept { version: Arc::clone(version), bytes });
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        *self.lock() = Circle::default();
    }

    fn lock(&self) -> MutexGuard<'_, Circle> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Circle {
    fn add(&mut self, pin: Pin, kept: Kept) {
        self.bytes += kept.bytes;
        match self.kept.insert(pin.clone(), kept) {
            Some(before) => self.bytes -= before.bytes,
            None => self.order.push_back(pin),
        }
        // Each is passed over once at most: then its use is forgotten, and it goes.
        for _ in 0..2 * self.order.len() {
            if self.bytes <= LIMIT_BYTES {
                return;
            }
            self.look_at_next();
        }
    }

    fn look_at_next(&mut self) {
        let Some(pin) = self.order.pop_front() else { return };
        if self.kept.get(&pin).is_some_and(|kept| kept.version.take_use()) {
            self.order.push_back(pin);
        } else if let Some(gone) = self.kept.remove(&pin) {
            self.bytes -= gone.bytes;
        }
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
