//! Text as search compares it: case folded, blanks collapsed.

/// Stands between the request and the answer of one call, so that no phrase is found across them. Folded text
/// holds it nowhere else: every run of blanks becomes one space.
pub(crate) const BETWEEN: char = '\n';

/// Returns `text` folded.
pub(crate) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    fold_into(text, &mut folded);
    folded
}

/// Appends `text` folded, without blanks at either end.
pub(crate) fn fold_into(text: &str, out: &mut String) {
    let mut blank = false;
    let begin = out.len();
    for c in text.chars() {
        if c.is_whitespace() {
            blank = out.len() > begin;
            continue;
        }
        if blank {
            out.push(' ');
            blank = false;
        }
        push_folded(c, out);
    }
}

fn push_folded(c: char, out: &mut String) {
    match c {
        c if c.is_ascii() => out.push(c.to_ascii_lowercase()),
        'ς' => out.push('σ'),
        'ß' | 'ẞ' => out.push_str("ss"),
        c => out.extend(c.to_lowercase()),
    }
}

/// Whether `text` folds to `folded`.
pub(crate) fn folds_to(text: &str, folded: &str) -> bool {
    if text.is_ascii() && !text.contains(|c: char| c.is_ascii_whitespace()) {
        return text.eq_ignore_ascii_case(folded);
    }
    fold(text) == folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_blanks_make_no_difference() {
        assert_eq!(fold("  Refund\n\tPOLICY "), "refund policy");
        assert_eq!(fold("GRÖSSE"), fold("größe"));
        assert_eq!(fold("ΟΔΟΣ"), fold("οδος"));
        assert_eq!(fold("οδός"), fold("ΟΔΌΣ"));
        assert_eq!(fold("ПРИВЕТ 漢字 😀"), "привет 漢字 😀");
        assert_eq!(fold(" \n"), "");
    }

    #[test]
    fn words_compare_folded() {
        assert!(folds_to("GPT-4o", "gpt-4o") && folds_to("Zoë", "zoë") && folds_to("A  b", "a b"));
        assert!(!folds_to("gpt-4", "gpt-4o"));
    }
}
