//! The search text people write, read into a [`Filter`]: one parser for the API, the console and the CLI.
//!
//! ```text
//! text   = term*                                terms are ANDed
//! term   = "-"? ( word | quoted | field ":" value ("," value)* | measure ("<"|"<="|">"|">=") number )
//! value  = ( word | quoted ) "*"?               values are ORed; `*` alone: any value at all
//! field  = name | ("metadata" | "variable") "." ( word | quoted )
//! measure = name | "score" "." ( word | quoted )
//! quoted = '"' ( any | "\\" any )* '"'
//! ```

pub mod known;
mod scanner;
mod value;

use std::fmt;

use serde::Serialize;

use self::scanner::Scanner;
use crate::filter::{Bound, Comparison, FIELDS, Field, Filter, MEASURES, Measure, Term, Test};

/// The longest search text, in bytes.
pub const QUERY_BYTES: usize = 8 * 1024;
/// The most terms in one search.
pub const TERMS: usize = 64;
/// The most values after one field.
pub const VALUES: usize = 200;

/// What is wrong with a search text, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Characters before the place, from 0.
    pub position: usize,
    /// What is wrong there and what to write instead.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at character {})", self.message, self.position + 1)
    }
}

impl std::error::Error for Problem {}

fn problem<T>(position: usize, message: impl Into<String>) -> Result<T, Problem> {
    Err(Problem { position, message: message.into() })
}

/// Reads a search text.
pub fn parse(text: &str) -> Result<Filter, Problem> {
    if text.len() > QUERY_BYTES {
        return problem(0, format!("a search has at most {QUERY_BYTES} bytes, this one has {}", text.len()));
    }
    let mut scanner = Scanner::new(text);
    let mut terms = Vec::new();
    loop {
        scanner.skip_blanks();
        if scanner.at_end() {
            return Ok(Filter { terms });
        }
        if terms.len() == TERMS {
            return problem(scanner.position(), format!("a search has at most {TERMS} terms"));
        }
        terms.push(term(&mut scanner)?);
    }
}

fn term(scanner: &mut Scanner<'_>) -> Result<Term, Problem> {
    let negated = scanner.takes_minus();
    let test = match subject(scanner)? {
        Some(Subject::Words(field)) => words(scanner, field)?,
        Some(Subject::Numbers(measure)) => Test::Counts(
            measure,
            numbers(scanner, &measure, |at, sign, word| value::bound(measure, sign, at, word))?,
        ),
        Some(Subject::Scores(name)) => {
            let bounds = numbers(scanner, &format_args!("score.{name}"), value::score)?;
            Test::Scored(name, bounds)
        }
        None => Test::Says(spoken(scanner)?),
    };
    Ok(Term { negated, test })
}

/// What a term is about, when it is about a field.
enum Subject {
    Words(Field),
    Numbers(Measure),
    Scores(String),
}

/// Reads a field's name up to its sign; leaves the scanner alone when there is none.
fn subject(scanner: &mut Scanner<'_>) -> Result<Option<Subject>, Problem> {
    let start = scanner.clone();
    let name = scanner.name().to_ascii_lowercase();
    let key = match name.as_str() {
        "" => return Ok(None),
        "metadata" | "variable" | "score" if scanner.takes(".") => Some(scanner.key()?),
        _ => None,
    };
    if !scanner.at_sign() {
        *scanner = start;
        return Ok(None);
    }
    let subject = match key {
        None => plain_subject(&name),
        Some(key) if key.is_empty() => {
            return problem(start.position(), format!("write a key after `{name}.`"));
        }
        Some(key) if name == "score" => Some(Subject::Scores(key)),
        Some(key) if name == "metadata" => Some(Subject::Words(Field::Metadata(key))),
        Some(key) => Some(Subject::Words(Field::Variable(key))),
    };
    if subject.is_none() {
        // `a=b` is a word people look for; `a:b` is a mistyped field.
        if scanner.peek() == Some('=') {
            *scanner = start;
            return Ok(None);
        }
        return problem(start.position(), unknown_field(&name));
    }
    Ok(subject)
}

fn plain_subject(name: &str) -> Option<Subject> {
    let field = FIELDS.iter().find(|(known, _)| *known == name);
    let measure = MEASURES.iter().find(|(known, _)| *known == name);
    field
        .map(|(_, field)| Subject::Words(field.clone()))
        .or_else(|| measure.map(|(_, measure)| Subject::Numbers(*measure)))
}

fn unknown_field(name: &str) -> String {
    match name {
        "metadata" | "variable" => return format!("`{name}` needs a key: write `{name}.<key>:value`"),
        "score" => return "`score` needs a name: write `score.<name>>0.5`".to_owned(),
        _ => {}
    }
    let names: Vec<_> =
        FIELDS.iter().map(|(name, _)| *name).chain(MEASURES.iter().map(|(name, _)| *name)).collect();
    format!(
        "there is no field `{name}`: put the text in quotes to search for it, or use one of {}, metadata.<key>, \
         variable.<key>, score.<name>",
        names.join(", ")
    )
}

fn words(scanner: &mut Scanner<'_>, field: Field) -> Result<Test, Problem> {
    let at = scanner.position();
    if scanner.sign() != Some(Comparison::Equal) {
        return problem(at, format!("`{field}` holds words: use `{field}:value`"));
    }
    let patterns = list(scanner, |at, word| value::pattern(&field, at, word))?;
    Ok(Test::Is(field, patterns))
}

/// Reads a sign and the number behind it, or after `:` a list of numbers.
fn numbers(
    scanner: &mut Scanner<'_>,
    subject: &dyn fmt::Display,
    read: impl Fn(usize, Comparison, &Word) -> Result<Bound, Problem>,
) -> Result<Vec<Bound>, Problem> {
    let comparison = scanner.sign().unwrap_or(Comparison::Equal);
    let bounds = list(scanner, |at, word| read(at, comparison, &word))?;
    if comparison != Comparison::Equal && bounds.len() > 1 {
        return problem(
            scanner.position(),
            format!("`{subject}` is compared with one number: leave out the list"),
        );
    }
    Ok(bounds)
}

/// A value as written: its text, whether it stood in quotes, and whether a `*` followed.
struct Word {
    text: String,
    quoted: bool,
    starred: bool,
}

fn list<T>(
    scanner: &mut Scanner<'_>,
    read: impl Fn(usize, Word) -> Result<T, Problem>,
) -> Result<Vec<T>, Problem> {
    let mut values = Vec::new();
    loop {
        let at = scanner.position();
        if values.len() == VALUES {
            return problem(at, format!("a list has at most {VALUES} values"));
        }
        values.push(read(at, scanner.value()?)?);
        if !scanner.takes(",") {
            return Ok(values);
        }
    }
}

/// Reads free text: a quoted phrase or a bare word. A `*` at a word's end adds nothing, since any part of a
/// word is found.
fn spoken(scanner: &mut Scanner<'_>) -> Result<String, Problem> {
    let at = scanner.position();
    if scanner.peek() == Some('"') {
        let phrase = scanner.quoted()?;
        if phrase.trim().is_empty() {
            return problem(at, "there is nothing between the quotes");
        }
        return Ok(phrase);
    }
    let word = scanner.until_blank();
    let stem = word.trim_end_matches('*');
    Ok(if stem.is_empty() { word } else { stem }.to_owned())
}

#[cfg(test)]
mod tests;
