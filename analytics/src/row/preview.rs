//! Short texts for lists: one line, cut between characters.

/// The longest preview, in characters, the ellipsis not counted.
const PREVIEW_CHARS: usize = 240;

/// Returns the beginning of `text` on one line.
pub(super) fn start(text: &str) -> Option<String> {
    match text.get(..PREVIEW_CHARS) {
        Some(head) if is_plain(head) && text.len() > PREVIEW_CHARS => Some(format!("{}…", head.trim())),
        _ => collapse(text),
    }
}

/// Returns the end of `text` on one line: of a conversation, what was said last.
pub(super) fn end(text: &str) -> Option<String> {
    let cut = text.len().saturating_sub(PREVIEW_CHARS);
    match text.get(cut..) {
        Some(tail) if is_plain(tail) && cut > 0 => Some(format!("…{}", tail.trim())),
        _ => collapse_end(text),
    }
}

/// Whether a text is one line of ASCII with single blanks, so that bytes are characters and nothing collapses.
fn is_plain(text: &str) -> bool {
    // Without an early end, which lets the compiler look at many bytes at a time.
    let printable = text.bytes().fold(true, |all, byte| all & (b' '..=b'~').contains(&byte));
    printable && memchr::memmem::find(text.as_bytes(), b"  ").is_none()
}

fn collapse(text: &str) -> Option<String> {
    let mut line = Vec::with_capacity(text.len().min(2 * PREVIEW_CHARS));
    let mut chars = 0;
    let mut blank = false;
    for byte in text.bytes() {
        if byte.is_ascii_whitespace() {
            blank = !line.is_empty();
            continue;
        }
        chars += usize::from(begins_char(byte)) + usize::from(blank);
        if chars > PREVIEW_CHARS {
            line.extend_from_slice("…".as_bytes());
            break;
        }
        if std::mem::take(&mut blank) {
            line.push(b' ');
        }
        line.push(byte);
    }
    String::from_utf8(line).ok().filter(|line| !line.is_empty())
}

fn collapse_end(text: &str) -> Option<String> {
    let mut begin = None;
    let mut chars = 0;
    let mut blank = false;
    for (at, byte) in text.bytes().enumerate().rev() {
        if byte.is_ascii_whitespace() {
            blank = begin.is_some();
            continue;
        }
        if begins_char(byte) {
            chars += 1 + usize::from(std::mem::take(&mut blank));
            if chars > PREVIEW_CHARS {
                return collapse(text.get(begin?..)?).map(|line| format!("…{line}"));
            }
            begin = Some(at);
        }
    }
    collapse(text)
}

/// Whether a byte of UTF-8 is the first of its character.
const fn begins_char(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_text_is_shown_whole_on_one_line() {
        assert_eq!(start(" Hello,\n\n wörld ").as_deref(), Some("Hello, wörld"));
        assert_eq!(end(" Hello,\n\n wörld ").as_deref(), Some("Hello, wörld"));
        assert_eq!((start(" \n"), end("")), (None, None));
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        let text = "größe 漢字 😀 ".repeat(100);
        let (head, tail) = (start(&text).unwrap(), end(&text).unwrap());
        assert!(head.starts_with("größe") && head.ends_with('…'), "{head}");
        assert!(tail.starts_with('…') && tail.ends_with('😀'), "{tail}");
        for line in [head, tail] {
            assert!((PREVIEW_CHARS..=PREVIEW_CHARS + 1).contains(&line.chars().count()), "{line}");
        }
    }

    #[test]
    fn plain_text_is_cut_where_any_other_is() {
        let plain = "one two three four five ".repeat(50);
        let broken = plain.replacen("one two", "one  \n two", 1).replace("four five \n", "four five");
        assert_eq!(start(&plain), start(&broken));
        let text = "x".repeat(PREVIEW_CHARS);
        assert_eq!((start(&text), end(&text)), (Some(text.clone()), Some(text)));
        let plain = plain.trim_end();
        assert!(end(plain).unwrap().ends_with("four five"));
        assert_eq!(end(plain), end(&format!("{plain}\n")));
    }

    #[test]
    fn one_endless_word_is_cut_too() {
        let word = "界".repeat(10_000);
        assert_eq!(start(&word).unwrap().chars().count(), PREVIEW_CHARS + 1);
        assert_eq!(end(&word).unwrap().chars().count(), PREVIEW_CHARS + 1);
    }
}
