//! The links this process has seen used: a second post is refused before the store knows of the first.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::link::Link;

/// The most links remembered; by the time the oldest is forgotten, its score has long been found in the store.
const LINKS: usize = 50_000;

/// Links that were used lately.
#[derive(Default)]
pub struct UsedLinks(Mutex<Used>);

#[derive(Default)]
struct Used {
    links: HashSet<[u8; 16]>,
    order: VecDeque<[u8; 16]>,
}

impl UsedLinks {
    /// Whether this link was used.
    pub(super) fn holds(&self, link: &Link) -> bool {
        self.used().links.contains(&link.id())
    }

    /// Uses a link; false when it was used already.
    pub(super) fn take(&self, link: &Link) -> bool {
        let mut used = self.used();
        if !used.links.insert(link.id()) {
            return false;
        }
        used.order.push_back(link.id());
        if used.order.len() > LINKS
            && let Some(oldest) = used.order.pop_front()
        {
            used.links.remove(&oldest);
        }
        true
    }

    /// Gives a link back whose scores could not be filed.
    pub(super) fn give_back(&self, link: &Link) {
        let mut used = self.used();
        used.links.remove(&link.id());
        used.order.retain(|id| *id != link.id());
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
