//! The engine `fstring`: `{name}`, with `{{` and `}}` for braces.
//!
//! A name is a letter or `_` and then letters, digits and `_` (ASCII). What Python allows beyond that (conversions,
//! formats, attributes, indexes, positions) is a problem, found before publishing.

use super::pieces::Token;

/// Cuts a text into literals, variables and flaws.
pub(super) fn read(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut offset = 0;
    while let Some(rest) = text.get(offset..).filter(|rest| !rest.is_empty()) {
        let (token, length) = read_token(rest, offset);
        tokens.push(token);
        offset += length;
    }
    tokens
}

/// Whether a name can be inserted by this engine.
pub(super) fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn read_token(rest: &str, offset: usize) -> (Token<'_>, usize) {
    let Some(brace) = rest.find(['{', '}']) else { return (Token::Literal(rest), rest.len()) };
    if brace > 0 {
        let (literal, _) = rest.split_at(brace);
        return (Token::Literal(literal), brace);
    }
    if rest.starts_with("{{") {
        return (Token::Literal("{"), 2);
    }
    if rest.starts_with("}}") {
        return (Token::Literal("}"), 2);
    }
    if rest.starts_with('}') {
        let message = "a single `}`: write `}}` for a brace in the text".to_owned();
        return (Token::Flaw { offset, message }, 1);
    }
    read_field(rest, offset)
}

/// A text that starts with one `{`.
fn read_field(rest: &str, offset: usize) -> (Token<'_>, usize) {
    let inner = rest.strip_prefix('{').unwrap_or_default();
    let Some(end) = inner.find(['{', '}']).filter(|end| inner.as_bytes().get(*end) == Some(&b'}')) else {
        let message = "a `{` that is not closed: write `{{` for a brace in the text".to_owned();
        return (Token::Flaw { offset, message }, 1);
    };
    let (field, _) = inner.split_at(end);
    let token = if is_name(field) {
        Token::Variable { name: field, offset }
    } else {
        Token::Flaw { offset, message: describe(field) }
    };
    (token, end + 2)
}

/// Why a field is not a name, and what to write.
fn describe(field: &str) -> String {
    let cut = |at: usize| field.split_at(at).0.trim();
    if field.trim().is_empty() {
        return "`{}` names no variable: write `{name}`, or `{{}}` for braces in the text".into();
    }
    if is_name(field.trim()) {
        return format!("`{{{field}}}` has blanks around the name: write `{{{}}}`", field.trim());
    }
    match field.find(['!', ':', '.', '[']) {
        Some(at) if is_name(cut(at)) => {
            let what = match field.as_bytes().get(at) {
                Some(b'!') => "a conversion",
                Some(b':') => "a format",
                Some(b'.') => "an attribute",
                _ => "an index",
            };
            format!(
                "`{{{field}}}` has {what}, which is not supported: write `{{{}}}` and send the text wanted",
                cut(at)
            )
        }
        _ => format!(
            "`{{{}}}` is not a name: use letters, digits and `_`, or `{{{{` and `}}}}` for braces in the text",
            field.escape_debug()
        ),
    }
}
