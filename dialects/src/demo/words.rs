//! Words, tokens and ids: all the demo provider knows of language.

/// About how many tokens a text has: four bytes each, no token across words.
pub(super) fn tokens(text: &str) -> u64 {
    text.split_whitespace().map(word_tokens).sum()
}

fn word_tokens(word: &str) -> u64 {
    word.len().div_ceil(4) as u64
}

/// The first words of a text that take at most `limit` tokens, and whether that is all of it.
pub(super) fn take_tokens(text: &str, limit: Option<u64>) -> (&str, bool) {
    let Some(limit) = limit else { return (text, true) };
    let (mut used, mut end) = (0, 0);
    for word in text.split_inclusive(' ') {
        used += word_tokens(word.trim());
        if used > limit {
            return (text.get(..end).unwrap_or_default().trim_end(), false);
        }
        end += word.len();
    }
    (text, true)
}

/// A text cut into the pieces that a stream brings, blanks at the front of each as models have them.
pub(super) fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let after_blanks = rest.len() - rest.trim_start().len();
        let word = rest.get(after_blanks..).unwrap_or_default();
        let end = after_blanks + word.find(char::is_whitespace).unwrap_or(word.len());
        let (piece, next) = rest.split_at(end);
        pieces.push(piece);
        rest = next;
    }
    pieces
}

/// The beginning of a text as one line, for quoting.
pub(super) fn quote(text: &str, chars: usize) -> String {
    let line: Vec<&str> = text.split_whitespace().collect();
    let line = line.join(" ");
    if line.chars().count() <= chars {
        return line;
    }
    line.chars().take(chars).chain(['…']).collect()
}

/// FNV-1a: stable across platforms and releases, which the standard library's hasher does not promise.
pub(super) fn hash(bytes: &[u8], seed: u64) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ seed;
    bytes.iter().fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The next number of a `SplitMix64` sequence.
pub(super) const fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
