//! Short texts for lists: one line, cut between characters.

/// The longest preview, in characters, the ellipsis not counted.
const PREVIEW_CHARS: usize = 240;

/// Returns the beginning of `text` on one line.
pub(super) fn start(text: &str) -> Option<String> {
    let mut words = text.split_whitespace();
    let mut line = String::new();
    let mut chars = 0;
    for word in words.by_ref() {
        chars += usize::from(!line.is_empty()) + word.chars().count();
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if chars > PREVIEW_CHARS {
            let cut = line.char_indices().nth(PREVIEW_CHARS).map_or(line.len(), |(at, _)| at);
            line.truncate(cut);
            line.push('…');
            break;
        }
    }
    Some(line).filter(|line| !line.is_empty())
}

/// Returns the end of `text` on one line: of a conversation, what was said last.
pub(super) fn end(text: &str) -> Option<String> {
    let mut kept = Vec::new();
    let mut chars = 0;
    for word in text.split_whitespace().rev() {
        chars += usize::from(!kept.is_empty()) + word.chars().count();
        kept.push(word);
        if chars > PREVIEW_CHARS {
            break;
        }
    }
    kept.reverse();
    let line = kept.join(" ");
    if chars <= PREVIEW_CHARS {
        return Some(line).filter(|line| !line.is_empty());
    }
    let cut = line.char_indices().nth(chars - PREVIEW_CHARS).map_or(0, |(at, _)| at);
    line.get(cut..).map(|rest| format!("…{rest}"))
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
        assert!(
            head.starts_with("größe") && head.ends_with('…') && head.chars().count() == PREVIEW_CHARS + 1
        );
        assert!(tail.starts_with('…') && tail.ends_with('😀') && tail.chars().count() == PREVIEW_CHARS + 1);
    }

    #[test]
    fn one_endless_word_is_cut_too() {
        let word = "界".repeat(10_000);
        assert_eq!(start(&word).unwrap().chars().count(), PREVIEW_CHARS + 1);
        assert_eq!(end(&word).unwrap().chars().count(), PREVIEW_CHARS + 1);
    }
}
