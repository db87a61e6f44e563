//! Text as search compares it: case folded, blanks collapsed. Bytes, because that is what search looks at.

/// Stands between the request and the answer of one call, so that no phrase is found across them. Folded text
/// holds it nowhere else: every run of blanks becomes one space.
pub(crate) const BETWEEN: u8 = b'\n';

/// Bytes folded at a time. Room is made for so many, and most of it may not be needed in a text that goes to
/// and fro between scripts.
const STRETCH_BYTES: usize = 256;

/// What becomes of each ASCII byte.
const ASCII: [u8; 128] = ascii();

const fn ascii() -> [u8; 128] {
    let mut table = [0; 128];
    let mut byte = 0;
    while byte < 128 {
        // Blanks as `char::is_whitespace` has them.
        table[byte] = match byte as u8 {
            b'\t'..=b'\r' | b' ' => b' ',
            other => other.to_ascii_lowercase(),
        };
        byte += 1;
    }
    table
}

/// Returns `text` folded.
pub(crate) fn fold(text: &str) -> String {
    let mut folded = Vec::new();
    fold_into(text, &mut folded);
    String::from_utf8_lossy(&folded).into_owned()
}

/// Appends `text` folded, without blanks at either end.
pub(crate) fn fold_into(text: &str, out: &mut Vec<u8>) {
    let begin = out.len();
    out.reserve(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let plain = push_ascii(rest.as_bytes(), begin, out);
        rest = rest.get(plain..).unwrap_or_default().trim_start_matches(|c: char| {
            let folds = !c.is_ascii();
            if folds {
                push_folded(c, begin, out);
            }
            folds
        });
    }
    if out.len() > begin && out.last() == Some(&b' ') {
        out.pop();
    }
}

/// Appends ASCII up to the first byte that is not, a stretch at most, and returns how much that was. Every byte is written; the
/// next one is written over a blank that follows a blank.
fn push_ascii(text: &[u8], begin: usize, out: &mut Vec<u8>) -> usize {
    let mut end = out.len();
    let mut blank = end == begin || out[end - 1] == b' ';
    let text = text.get(..STRETCH_BYTES).unwrap_or(text);
    out.resize(end + text.len(), 0);
    let room = &mut out[end..];
    let mut written = 0;
    let mut read = 0;
    for byte in text {
        let Some(folded) = ASCII.get(usize::from(*byte)).copied() else { break };
        read += 1;
        room[written] = folded;
        written += usize::from(!(blank && folded == b' '));
        blank = folded == b' ';
    }
    end += written;
    out.truncate(end);
    read
}

fn push_folded(c: char, begin: usize, out: &mut Vec<u8>) {
    match c {
        'ς' => push('σ', out),
        'ß' | 'ẞ' => out.extend_from_slice(b"ss"),
        c if c.is_whitespace() => {
            push_ascii(b" ", begin, out);
        }
        c => c.to_lowercase().for_each(|c| push(c, out)),
    }
}

fn push(c: char, out: &mut Vec<u8>) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
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
        assert_eq!(fold("ПРИВЕТ \u{3000} 漢字 😀"), "привет 漢字 😀");
        assert_eq!(fold("\u{a0}é \u{a0} É\u{2003}"), "é é");
        assert_eq!(fold(" \n"), "");
    }

    #[test]
    fn folding_again_changes_nothing() {
        for text in ["  A  B ", "İstanbul", "ẞß", "Ǆ ǅ", "\u{b}x\u{c}", "ﬁ"] {
            assert_eq!(fold(&fold(text)), fold(text), "{text}");
        }
    }

    #[test]
    fn texts_folded_one_after_another_do_not_touch_each_other() {
        let mut out = Vec::new();
        fold_into(" one ", &mut out);
        out.push(BETWEEN);
        fold_into(" \nTWO", &mut out);
        assert_eq!(out, b"one\ntwo");
    }

    #[test]
    fn words_compare_folded() {
        assert!(folds_to("GPT-4o", "gpt-4o") && folds_to("Zoë", "zoë") && folds_to("A  b", "a b"));
        assert!(!folds_to("gpt-4", "gpt-4o"));
    }
}
