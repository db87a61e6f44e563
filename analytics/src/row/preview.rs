//! Short texts for lists: one line, cut between characters.

/// The longest preview, in characters, the ellipsis not counted.
const PREVIEW_CHARS: usize = 240;

/// Returns the beginning of `text` on one line.
pub(super) fn start(text: &str) -> Option<String> {
    let mut line = String::with_capacity(2 * PREVIEW_CHARS);
    let mut chars = 0;
    let mut blank = false;
    for c in text.chars() {
        if c.is_whitespace() {
            blank = !line.is_empty();
            continue;
        }
        chars += 1 + usize::from(blank);
        if chars > PREVIEW_CHARS {
            line.push('…');
            break;
        }
        if std::mem::take(&mut blank) {
            line.push(' ');
        }
        line.push(c);
    }
    Some(line).filter(|line| !line.is_empty())
}

/// Returns the end of `text` on one line: of a conversation, what was said last.
pub(super) fn end(text: &str) -> Option<String> {
    let mut chars = 0;
    let mut blank = false;
    let mut begin = None;
    for (at, c) in text.char_indices().rev() {
        if c.is_whitespace() {
            blank = begin.is_some();
            continue;
        }
        chars += 1 + usize::from(std::mem::take(&mut blank));
        if chars > PREVIEW_CHARS {
            return start(text.get(begin?..)?).map(|line| format!("…{line}"));
        }
        begin = Some(at);
    }
    start(text)
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
    fn one_endless_word_is_cut_too() {
        let word = "界".repeat(10_000);
        assert_eq!(start(&word).unwrap().chars().count(), PREVIEW_CHARS + 1);
        assert_eq!(end(&word).unwrap().chars().count(), PREVIEW_CHARS + 1);
    }
}
