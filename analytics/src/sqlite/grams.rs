//! A filter over the texts of a block of calls: says which blocks cannot hold a text, in 16 KB each.
//!
//! Every four bytes in a row of folded text (a gram) set two of 131,072 bits. A text sought is in a block only
//! if all its grams are; any part of a word is found, in any script. Exact words of fields (`user:ann`) go into
//! the same filter. A block is closed when it has 128 calls or half its bits are set, whichever comes first, so
//! that blocks of long texts stay selective.

use crate::folding;

/// Bytes of one block's filter.
pub(super) const FILTER_BYTES: usize = 16 * 1024;
const BITS: u32 = (FILTER_BYTES * 8).ilog2();
/// Set bits at which a block is closed.
const FULL: u32 = 1 << (BITS - 1);
/// Spreads four bytes or a hash over 64 bits.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// The filter of one block.
#[derive(Clone)]
pub(super) struct Grams {
    words: Box<[u64]>,
    set: u32,
}

/// Something a filter may or may not hold: a gram or a word of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Mark(u64);

impl Mark {
    /// A word of a field, case folded. All three are hashed together: `user:ann` and `session:ann` are two
    /// marks, and so are two keys of metadata.
    pub(super) fn word(field: &str, key: &str, word: &str) -> Self {
        let mut hash = Fnv::new();
        hash.add(field.bytes());
        hash.add(key.bytes());
        if word.is_ascii() && !word.contains(|c: char| c.is_ascii_whitespace()) {
            hash.add(word.bytes().map(|byte| byte.to_ascii_lowercase()));
        } else {
            hash.add(folding::fold(word).bytes());
        }
        Self(hash.0.wrapping_mul(SPREAD))
    }

    /// A call's id.
    pub(super) fn id(id: [u8; 16]) -> Self {
        Self((u128::from_be_bytes(id) as u64).wrapping_mul(SPREAD))
    }

    const fn gram(bytes: u32) -> Self {
        Self((bytes as u64).wrapping_mul(SPREAD))
    }

    /// The two bits a mark sets.
    const fn bits(self) -> [u32; 2] {
        [(self.0 >> (64 - BITS)) as u32, (self.0 >> (64 - 2 * BITS)) as u32 & ((1 << BITS) - 1)]
    }
}

/// The grams of a folded text; none when it has fewer than four bytes.
pub(super) fn grams(folded: &[u8]) -> impl Iterator<Item = Mark> {
    folded.windows(4).map(|four| Mark::gram(u32::from_le_bytes([four[0], four[1], four[2], four[3]])))
}

impl Grams {
    pub(super) fn new() -> Self {
        Self { words: vec![0; FILTER_BYTES / 8].into(), set: 0 }
    }

    /// Whether another call's text would make the filter hold too much to tell anything.
    pub(super) const fn is_full(&self) -> bool {
        self.set >= FULL
    }

    pub(super) fn add(&mut self, mark: Mark) {
        for bit in mark.bits() {
            let word = &mut self.words[(bit / 64) as usize];
            let wanted = 1 << (bit % 64);
            self.set += u32::from(*word & wanted == 0);
            *word |= wanted;
        }
    }

    /// The filter as it is stored.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }
}

/// Whether a stored filter may hold `mark`. A filter of the wrong size may hold anything.
pub(super) fn may_hold(filter: &[u8], mark: Mark) -> bool {
    filter.len() != FILTER_BYTES
        || mark.bits().into_iter().all(|bit| filter[(bit / 8) as usize] & (1 << (bit % 8)) != 0)
}

/// FNV-1a: the same from build to build, as what is stored must be.
struct Fnv(u64);

impl Fnv {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Adds a text and a byte that no text holds, so that `ab` and `c` differ from `a` and `bc`.
    fn add(&mut self, text: impl Iterator<Item = u8>) {
        for byte in text.chain([0xff]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_holds_every_part_of_what_was_added() {
        let mut filter = Grams::new();
        grams("the refund policy for größe 漢字".as_bytes()).for_each(|mark| filter.add(mark));
        let stored = filter.to_bytes();
        for part in ["refund", "fund pol", "röß", "字", "漢字"] {
            assert!(grams(part.as_bytes()).all(|mark| may_hold(&stored, mark)), "{part}");
        }
        for other in ["invoice", "refunds", "größer"] {
            assert!(!grams(other.as_bytes()).all(|mark| may_hold(&stored, mark)), "{other}");
        }
    }

    #[test]
    fn words_belong_to_their_field() {
        let mut filter = Grams::new();
        filter.add(Mark::word("user", "", "ANN"));
        let stored = filter.to_bytes();
        assert!(may_hold(&stored, Mark::word("user", "", "ann")));
        assert!(!may_hold(&stored, Mark::word("session", "", "ann")));
        assert!(!may_hold(&stored, Mark::word("user", "", "bob")));
    }

    #[test]
    fn a_filter_is_full_when_half_its_bits_are_set() {
        let mut filter = Grams::new();
        let mut added = 0_u32;
        while !filter.is_full() {
            filter.add(Mark::gram(added.wrapping_mul(2_654_435_761)));
            added += 1;
        }
        assert!((40_000..60_000).contains(&added), "{added}");
    }
}
