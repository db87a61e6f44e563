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

    /// Uses a link; `None` when it was used already.
    pub(super) fn take<'a>(&'a self, link: &Link) -> Option<Use<'a>> {
        let id = link.id();
        self.insert(id).then(|| Use { links: self, id: Some(id) })
    }

    fn insert(&self, id: [u8; 16]) -> bool {
        let mut used = self.used();
        if !used.links.insert(id) {
            return false;
        }
        used.order.push_back(id);
        if used.order.len() > LINKS
            && let Some(oldest) = used.order.pop_front()
        {
            used.links.remove(&oldest);
        }
        true
    }

    fn give_back(&self, id: [u8; 16]) {
        let mut used = self.used();
        used.links.remove(&id);
        used.order.retain(|other| *other != id);
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A link in use. Dropped before its scores are filed, as when the browser goes away meanwhile, it may be used again.
pub(super) struct Use<'a> {
    links: &'a UsedLinks,
    id: Option<[u8; 16]>,
}

impl Use<'_> {
    /// The scores are filed.
    pub(super) fn for_good(mut self) {
        self.id = None;
    }
}

impl Drop for Use<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.links.give_back(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_whose_scores_were_not_filed_may_be_used_again() {
        let links = UsedLinks::default();
        let take = || links.insert([7; 16]).then(|| Use { links: &links, id: Some([7; 16]) });
        let used = take().unwrap();
        assert!(take().is_none(), "it is in use");
        drop(used);
        take().unwrap().for_good();
        assert!(take().is_none() && links.used().order.len() == 1);
    }
}
