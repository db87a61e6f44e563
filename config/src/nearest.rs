//! "Did you mean": the known word nearest to a mistyped one.

/// How many edits a mistyped word may be away from the word that is offered.
const MAX_EDITS: usize = 3;

/// The candidate nearest to `word`, if one is near enough to be worth offering.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).clamp(1, MAX_EDITS);
    candidates
        .into_iter()
        .map(|candidate| (edits(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many characters must be added, dropped or replaced to make `to` out of `from`, ignoring case.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().flat_map(char::to_lowercase).collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, a) in from.chars().flat_map(char::to_lowercase).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], line + 1);
        for (column, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_fingers_is_recognised_and_a_stranger_is_not() {
        let known = ["body_bytes", "buffered_bytes", "connections"];
        assert_eq!(nearest("body_byte", known), Some("body_bytes"));
        assert_eq!(nearest("BODY_BYTES", known), Some("body_bytes"));
        assert_eq!(nearest("connetcions", known), Some("connections"));
        assert_eq!(nearest("colour", known), None);
    }
}
