//! The engine `plain`: `{{ name }}` and nothing else.
//!
//! A name is a letter or `_` and then letters, digits, `_`, `.` and `-` (ASCII); blanks around it are trimmed and dots
//! belong to it. Whatever does not match exactly (`{{}}`, `{{#if}}`, a lone brace) is text.

use super::pieces::Token;

/// Cuts a text into literals and variables. Every text is a good one.
pub(super) fn read(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut literal, mut rest, mut offset) = (0, text, 0);
    while let Some(found) = rest.find("{{") {
        let start = offset + found;
        let (_, after) = rest.split_at(found);
        // A match may begin at the second brace of three: `{{{x}}}` is `{`, the value, `}`.
        let taken = match read_name(after) {
            Some((name, length)) => {
                tokens.push(Token::Literal(text.get(literal..start).unwrap_or_default()));
                tokens.push(Token::Variable { name, offset: start });
                literal = start + length;
                length
            }
            None => 1,
        };
        offset = start + taken;
        rest = text.get(offset..).unwrap_or_default();
    }
    tokens.push(Token::Literal(text.get(literal..).unwrap_or_default()));
    tokens
}

/// Whether a name can be inserted by this engine.
pub(super) fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(continues_name)
}

fn continues_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')
}

/// The name in a text that starts with `{{`, and how long the whole is.
fn read_name(text: &str) -> Option<(&str, usize)> {
    let inner = text.strip_prefix("{{")?.trim_start();
    let (name, after) = inner.split_at(inner.find(|c| !continues_name(c))?);
    let after = after.trim_start().strip_prefix("}}")?;
    is_name(name).then_some((name, text.len() - after.len()))
}
