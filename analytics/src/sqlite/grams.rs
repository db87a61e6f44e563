//! A filter over the texts of a block of calls: says which blocks cannot hold a text, in 16 KB each.
//!
//! Every four bytes in a row of folded text (a gram) set one of 131,072 bits. A text sought is in a block only
//! if all its grams are; any part of a word is found, in any script. Exact words of fields (`user:ann`) set four
//! bits each of the same filter. A block is closed when it has 128 calls or half its bits are set, whichever
//! comes first, so that blocks of long texts stay selective.

use crate::folding;

/// Bytes of one block's filter.
pub(super) const FILTER_BYTES: usize = 16 * 1024;
const BITS: u32 = (FILTER_BYTES * 8).ilog2();
/// Set bits at which a block is closed.
const FULL: u32 = 1 << (BITS - 1);
/// Spreads four bytes or a hash over 64 bits.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// The filter of one block.
pub(super) struct Grams {
    words: Box<[u64; FILTER_BYTES / 8]>,
    set: u32,
}

/// Something a filter may or may not hold: a gram or a word of a field, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    Gram(u32),
    Word(u64),
}

impl Mark {
    /// A word of a field, case folded. All three are hashed together: `user:ann` and `session:ann` are two
    /// marks, and so are two keys of metadata.
    pub(super) fn word(field: &str, key: &str, word: &str) -> Self {
        let mut hash = Fnv::new();
        field.bytes().for_each(|byte| hash.add(byte));
        hash.end();
        key.bytes().for_each(|byte| hash.add(byte));
        hash.end();
        if word.bytes().all(|byte| byte.is_ascii_graphic()) {
            word.bytes().for_each(|byte| hash.add(byte.to_ascii_lowercase()));
        } else {
            folding::fold(word).bytes().for_each(|byte| hash.add(byte));
        }
        Self::Word(hash.0.wrapping_mul(SPREAD))
    }

    /// A number of some kind.
    pub(super) const fn number(kind: u64, number: u64) -> Self {
        Self::Word((kind << 32 | number).wrapping_add(1).wrapping_mul(SPREAD))
    }

    /// A call's id.
    pub(super) fn id(id: [u8; 16]) -> Self {
        Self::Word((u128::from_be_bytes(id) as u64).wrapping_mul(SPREAD))
    }

    /// Whether a stored filter may hold this. A filter of the wrong size may hold anything.
    pub(super) fn may_be_in(self, filter: &[u8]) -> bool {
        let set = |bit: u32| filter[(bit / 8) as usize] & (1 << (bit % 8)) != 0;
        filter.len() != FILTER_BYTES
            || match self {
                Self::Gram(bytes) => set(gram_bit(bytes)),
                Self::Word(hash) => word_bits(hash).all(set),
            }
    }
}

const fn gram_bit(bytes: u32) -> u32 {
    ((bytes as u64).wrapping_mul(SPREAD) >> (64 - BITS)) as u32
}

/// Four bits from the top of the hash and its three rotations.
fn word_bits(hash: u64) -> impl Iterator<Item = u32> {
    (0..4).map(move |turn| (hash.rotate_left(turn * 16) >> (64 - BITS)) as u32)
}

/// The grams of a folded text, each once; none when it has fewer than four bytes.
pub(super) fn grams(folded: &str) -> Vec<Mark> {
    let mut grams: Vec<_> = folded
        .as_bytes()
        .windows(4)
        .map(|four| Mark::Gram(u32::from_be_bytes([four[0], four[1], four[2], four[3]])))
        .collect();
    grams.sort_unstable();
    grams.dedup();
    grams
}

impl Grams {
    pub(super) fn new() -> Self {
        Self { words: Box::new([0; FILTER_BYTES / 8]), set: 0 }
    }

    /// Whether another call's text would make the filter hold too much to tell anything.
    pub(super) const fn is_full(&self) -> bool {
        self.set >= FULL
    }

    /// Adds a word of a field.
    pub(super) fn add_word(&mut self, mark: Mark) {
        if let Mark::Word(hash) = mark {
            self.set += word_bits(hash).map(|bit| set_bit(&mut self.words, bit)).sum::<u32>();
        }
    }

    /// Adds every gram of a text that is folded already.
    pub(super) fn add_text(&mut self, folded: &[u8]) {
        let words = &mut *self.words;
        let mut set = 0;
        for four in folded.windows(4) {
            set += set_bit(words, gram_bit(u32::from_be_bytes([four[0], four[1], four[2], four[3]])));
        }
        self.set += set;
    }

    /// The filter as it is stored.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }
}

/// Sets a bit; returns 1 when it was not set before.
fn set_bit(words: &mut [u64; FILTER_BYTES / 8], bit: u32) -> u32 {
    let word = &mut words[(bit / 64) as usize];
    let wanted = 1 << (bit % 64);
    let new = u32::from(*word & wanted == 0);
    *word |= wanted;
    new
}

/// FNV-1a: the same from build to build, as what is stored must be.
struct Fnv(u64);

impl Fnv {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    const fn add(&mut self, byte: u8) {
        self.0 = (self.0 ^ byte as u64).wrapping_mul(0x0100_0000_01b3);
    }

    /// Adds a byte that no text holds, so that `ab` and `c` differ from `a` and `bc`.
    const fn end(&mut self) {
        self.add(0xff);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_holds_every_part_of_what_was_added() {
        let mut filter = Grams::new();
        filter.add_text(folding::fold("The  Refund\nPolicy for GRÖßE 漢字").as_bytes());
        let stored = filter.to_bytes();
        for part in ["refund", "fund pol", "röss", "字", "漢字"] {
            assert!(grams(part).iter().all(|mark| mark.may_be_in(&stored)), "{part}");
        }
        for other in ["invoice", "refunds", "größer"] {
            assert!(!grams(other).iter().all(|mark| mark.may_be_in(&stored)), "{other}");
        }
    }

    #[test]
    fn words_belong_to_their_field() {
        let mut filter = Grams::new();
        filter.add_word(Mark::word("user", "", "ANN"));
        let stored = filter.to_bytes();
        assert!(Mark::word("user", "", "ann").may_be_in(&stored));
        assert!(!Mark::word("session", "", "ann").may_be_in(&stored));
        assert!(!Mark::word("user", "", "bob").may_be_in(&stored));
    }

    #[test]
    fn a_filter_is_full_when_half_its_bits_are_set() {
        let mut filter = Grams::new();
        let mut letter = 0_u32;
        let mut text = String::new();
        while !filter.is_full() {
            text.clear();
            for _ in 0..1_000 {
                letter = letter.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                text.push(char::from(b'a' + (letter >> 24) as u8 % 26));
            }
            filter.add_text(text.as_bytes());
        }
        let set: u32 = filter.to_bytes().iter().map(|byte| byte.count_ones()).sum();
        assert_eq!(set, filter.set);
        assert!((FULL..FULL + 1_000).contains(&set));
    }
}
