//! A map in many small pieces: its copy shares all pieces, and a change copies only the piece it falls into.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;

/// Pieces of a map: with 100,000 entries a change copies about 400.
const SHARDS: usize = 256;

#[derive(Debug)]
pub(crate) struct Shards<K, V> {
    hasher: RandomState,
    shards: Vec<Arc<HashMap<K, V>>>,
}

impl<K, V> Clone for Shards<K, V> {
    fn clone(&self) -> Self {
        Self { hasher: self.hasher.clone(), shards: self.shards.clone() }
    }
}

impl<K, V> Shards<K, V> {
    pub(crate) fn new() -> Self {
        let empty = Arc::new(HashMap::new());
        Self { hasher: RandomState::new(), shards: vec![empty; SHARDS] }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.shards.iter().flat_map(|shard| shard.iter())
    }
}

impl<K: Hash + Eq, V> Shards<K, V> {
    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.shards.get(self.place(key))?.get(key)
    }

    fn place<Q: Hash + ?Sized>(&self, key: &Q) -> usize {
        self.hasher.hash_one(key) as usize % SHARDS
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Shards<K, V> {
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let place = self.place(&key);
        Arc::make_mut(self.shards.get_mut(place)?).insert(key, value)
    }

    pub(crate) fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let place = self.place(key);
        let shard = self.shards.get_mut(place)?;
        // Looking first: a copy is not worth a key that is not there.
        shard.contains_key(key).then(|| Arc::make_mut(shard).remove(key)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_does_not_see_what_is_changed_after_it() {
        let mut map = Shards::new();
        for number in 0..1_000 {
            map.insert(number, number);
        }
        let copy = map.clone();
        assert_eq!(map.insert(7, 70), Some(7));
        assert_eq!(map.remove(&8), Some(8));
        assert_eq!(map.remove(&8), None);
        assert_eq!((copy.get(&7), copy.get(&8)), (Some(&7), Some(&8)));
        assert_eq!((map.get(&7), map.get(&8)), (Some(&70), None));
        assert_eq!((copy.iter().count(), map.iter().count()), (1_000, 999));
    }
}
