//! Walks over a search text character by character and knows where it is.

use super::{Problem, Word, problem};
use crate::filter::Comparison;

/// Signs between a field and its value, longer ones first.
const SIGNS: [(&str, Comparison); 9] = [
    (":>=", Comparison::AtLeast),
    (":<=", Comparison::AtMost),
    (":>", Comparison::More),
    (":<", Comparison::Less),
    (">=", Comparison::AtLeast),
    ("<=", Comparison::AtMost),
    (">", Comparison::More),
    ("<", Comparison::Less),
    (":", Comparison::Equal),
];

#[derive(Clone)]
pub(super) struct Scanner<'a> {
    rest: &'a str,
    position: usize,
}

impl<'a> Scanner<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { rest: text, position: 0 }
    }

    /// Characters behind the scanner.
    pub(super) const fn position(&self) -> usize {
        self.position
    }

    pub(super) const fn at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = self.rest.strip_prefix(c)?;
        self.position += 1;
        Some(c)
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        self.position += taken.chars().count();
        taken
    }

    pub(super) fn takes(&mut self, text: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(text) else { return false };
        self.rest = rest;
        self.position += text.chars().count();
        true
    }

    pub(super) fn skip_blanks(&mut self) {
        self.take_while(char::is_whitespace);
    }

    pub(super) fn until_blank(&mut self) -> &'a str {
        self.take_while(|c| !c.is_whitespace())
    }

    /// Takes a minus that negates: one with something before the next blank that is no sign itself.
    pub(super) fn takes_minus(&mut self) -> bool {
        let may_follow = |c: char| !c.is_whitespace() && !matches!(c, '-' | '<' | '>' | '=' | ':');
        self.rest.strip_prefix('-').is_some_and(|rest| rest.starts_with(may_follow)) && self.takes("-")
    }

    /// Takes what may be a field's name, which begins with a letter.
    pub(super) fn name(&mut self) -> &'a str {
        if !self.peek().is_some_and(|c| c.is_ascii_alphabetic()) {
            return "";
        }
        self.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
    }

    /// Takes the key after `metadata.`.
    pub(super) fn key(&mut self) -> Result<String, Problem> {
        if self.peek() == Some('"') {
            return self.quoted();
        }
        Ok(self.take_while(|c| !c.is_whitespace() && !matches!(c, ':' | '<' | '>' | '=' | '"')).to_owned())
    }

    pub(super) fn at_sign(&self) -> bool {
        matches!(self.peek(), Some(':' | '<' | '>' | '='))
    }

    /// Takes the sign after a field's name; `=` means what `:` does.
    pub(super) fn sign(&mut self) -> Option<Comparison> {
        if self.takes("=") {
            return Some(Comparison::Equal);
        }
        SIGNS.iter().find(|(sign, _)| self.takes(sign)).map(|(_, comparison)| *comparison)
    }

    /// Takes one value of a list.
    pub(super) fn value(&mut self) -> Result<Word, Problem> {
        let at = self.position;
        if self.peek() == Some('"') {
            let text = self.quoted()?;
            return Ok(Word { text, quoted: true, starred: self.takes("*") });
        }
        let text = self.take_while(|c| !c.is_whitespace() && !matches!(c, ',' | '"'));
        let (text, starred) = match text.strip_suffix('*') {
            Some(stem) => (stem, true),
            None => (text, false),
        };
        if text.is_empty() && !starred {
            return problem(at, "a value is missing here: write one, or `*` for any value");
        }
        if text.contains('*') {
            return problem(
                at,
                "`*` stands at the end of a value only: put the value in quotes to mean the character",
            );
        }
        Ok(Word { text: text.to_owned(), quoted: false, starred })
    }

    /// Takes a text in double quotes; a backslash takes the next character as it is.
    pub(super) fn quoted(&mut self) -> Result<String, Problem> {
        let at = self.position;
        self.next();
        let mut text = String::new();
        while let Some(c) = self.next() {
            match c {
                '"' => return Ok(text),
                '\\' => text.extend(self.next()),
                _ => text.push(c),
            }
        }
        problem(at, "the quote that opens here is not closed")
    }
}
