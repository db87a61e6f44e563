//! A filter made ready to be held against stored calls: first against whole blocks, then against each call's
//! columns, last against its texts.

use std::borrow::Cow;
use std::sync::Arc;

use memchr::memmem::Finder;
use rusqlite::Connection;
use vocab::Id;
use vocab::id::Call;

use super::columns::{Column, Fields};
use super::grams::{Mark, grams};
use super::marks::{self, Stored, columns_measured, columns_of, measured};
use super::scores::Scored;
use crate::filter::{Bound, Field, Filter, Pattern, Term, Test};
use crate::folding::{self, folds_to};

/// What a search looks for.
pub(super) struct Plan {
    project: Option<Arc<str>>,
    checks: Vec<Check>,
    texts: Vec<Sought>,
    /// A block can hold a match only if it holds one mark of each group.
    groups: Vec<Vec<Mark>>,
    /// The last column any check needs.
    pub(super) last: Column,
    /// Whether any check needs metadata or variables.
    pub(super) needs_given: bool,
}

/// One term about columns.
struct Check {
    negated: bool,
    looks: Looks,
}

/// What a check looks at.
enum Looks {
    /// The call's own columns; patterns are folded.
    At(Test),
    /// Whether the call, its trace or its session is among those with a fitting score.
    Among(Scored),
}

/// One text to be found in what was said, or not.
struct Sought {
    negated: bool,
    finder: Finder<'static>,
}

impl Plan {
    /// Makes a filter ready; scores it asks for are looked up now.
    pub(super) fn new(db: &Connection, filter: &Filter, project: Option<Arc<str>>) -> rusqlite::Result<Self> {
        let mut plan = Self {
            project,
            checks: Vec::new(),
            texts: Vec::new(),
            groups: Vec::new(),
            last: Column::Project,
            needs_given: false,
        };
        for term in &filter.terms {
            match &term.test {
                Test::Scored(name, bounds) => {
                    let scored = Scored::read(db, plan.project.as_deref(), name, bounds)?;
                    plan.add_scored(term.negated, scored);
                }
                Test::Says(text) => plan.add_text(term.negated, &folding::fold(text)),
                Test::Is(..) | Test::Counts(..) => plan.add(term),
            }
        }
        Ok(plan)
    }

    fn add(&mut self, term: &Term) {
        let test = match &term.test {
            Test::Says(_) | Test::Scored(..) => return,
            Test::Is(field, patterns) => {
                self.need_field(field);
                if *field == Field::Prompt {
                    self.need(&[Column::PromptVersion, Column::PromptLabel, Column::PromptDigest]);
                }
                Test::Is(field.clone(), patterns.iter().map(folded).collect())
            }
            Test::Counts(measure, bounds) => {
                self.need(columns_measured(*measure));
                Test::Counts(*measure, bounds.clone())
            }
        };
        let group = if term.negated { Some(marks::sought_not(&test)) } else { group(&test) };
        self.groups.extend(group.filter(|group| !group.is_empty()));
        self.checks.push(Check { negated: term.negated, looks: Looks::At(test) });
    }

    fn add_scored(&mut self, negated: bool, scored: Scored) {
        self.need(&[Column::Session, Column::TraceId]);
        if !negated {
            self.groups.extend(scored.marks());
        }
        self.checks.push(Check { negated, looks: Looks::Among(scored) });
    }

    fn add_text(&mut self, negated: bool, folded: &str) {
        if !negated {
            self.groups.extend(grams(folded).into_iter().map(|mark| vec![mark]));
        }
        self.texts.push(Sought { negated, finder: Finder::new(folded).into_owned() });
    }

    /// Has these columns read too.
    pub(super) fn need(&mut self, columns: &[Column]) {
        self.last = columns.iter().copied().fold(self.last, Ord::max);
    }

    /// Has a field of words read too.
    pub(super) fn need_field(&mut self, field: &Field) {
        self.needs_given |= matches!(field, Field::Metadata(_) | Field::Variable(_));
        self.need(columns_of(field));
    }

    /// Whether blocks' filters can tell anything about this search.
    pub(super) const fn sees_blocks(&self) -> bool {
        !self.groups.is_empty()
    }

    /// Whether a block may hold a match.
    pub(super) fn may_match_block(&self, filter: &[u8]) -> bool {
        self.groups.iter().all(|group| group.iter().any(|mark| mark.may_be_in(filter)))
    }

    /// Whether a call matches as far as its columns tell.
    pub(super) fn matches_columns(&self, call: &Stored<'_>) -> bool {
        let ours =
            |project: &Arc<str>| call.fields.text(Column::Project).is_some_and(|its| *its == **project);
        self.project.as_ref().is_none_or(ours) && self.checks.iter().all(|check| check.passes(call))
    }

    /// Whether texts must be read to tell.
    pub(super) const fn needs_texts(&self) -> bool {
        !self.texts.is_empty()
    }

    /// Whether what was said, folded, is what is sought.
    pub(super) fn matches_texts(&self, said: &[u8]) -> bool {
        self.texts.iter().all(|sought| sought.finder.find(said).is_some() != sought.negated)
    }
}

fn folded(pattern: &Pattern) -> Pattern {
    match pattern {
        Pattern::Exactly(word) => Pattern::Exactly(folding::fold(word)),
        Pattern::StartsWith(start) => Pattern::StartsWith(folding::fold(start)),
    }
}

/// The marks of which a block must hold one for the test to hold in it; `None` when only reading tells.
fn group(test: &Test) -> Option<Vec<Mark>> {
    let marks: Vec<_> = match test {
        Test::Says(_) | Test::Scored(..) => return None,
        Test::Is(field, patterns) => patterns.iter().map(|pattern| sought(field, pattern)).collect(),
        Test::Counts(measure, bounds) => {
            bounds.iter().map(|bound| marks::sought_number(*measure, bound)).collect()
        }
    };
    // One alternative that leaves no mark, and any block may hold it.
    if marks.iter().any(Vec::is_empty) { None } else { Some(marks.concat()) }
}

fn sought(field: &Field, pattern: &Pattern) -> Vec<Mark> {
    match pattern {
        Pattern::Exactly(word) => marks::sought(field, word),
        Pattern::StartsWith(_) if *field == Field::Error => marks::sought(field, ""),
        Pattern::StartsWith(_) => Vec::new(),
    }
}

impl Check {
    fn passes(&self, call: &Stored<'_>) -> bool {
        let holds = match &self.looks {
            Looks::At(test) => holds(test, call),
            Looks::Among(scored) => scored.has(call),
        };
        holds != self.negated
    }
}

fn holds(test: &Test, call: &Stored<'_>) -> bool {
    match test {
        Test::Is(field, patterns) => is(field, patterns, call),
        Test::Counts(measure, bounds) => {
            let number = measured(*measure, &call.fields);
            number.is_some_and(|number| bounds.iter().any(|bound| within(bound, number)))
        }
        // Checked elsewhere.
        Test::Says(_) | Test::Scored(..) => true,
    }
}

fn within(bound: &Bound, number: i64) -> bool {
    match bound {
        Bound::Compares(comparison, limit) => comparison.holds(number, *limit),
        Bound::StartsWith(digits) => digits.is_empty() || number.to_string().starts_with(digits),
    }
}

fn is(field: &Field, patterns: &[Pattern], call: &Stored<'_>) -> bool {
    let fits = |word: &str| patterns.iter().any(|pattern| fits(pattern, word));
    match field {
        Field::Id => fits(&Id::<Call>::from_bytes(call.id).to_string()),
        Field::Prompt => patterns.iter().any(|pattern| used_prompt(pattern, &call.fields)),
        Field::Error => patterns.iter().any(|pattern| failed_with(pattern, &call.fields)),
        Field::Tag => call.fields.list(Column::Tags).iter().any(|tag| fits(tag)),
        Field::Stream => fits(if call.fields.flag(Column::Streaming) { "true" } else { "false" }),
        Field::Metadata(key) => given(call.metadata, key, fits),
        Field::Variable(key) => given(call.variables, key, fits),
        field => {
            columns_of(field).iter().filter_map(|column| call.fields.text(*column)).any(|word| fits(&word))
        }
    }
}

fn fits(pattern: &Pattern, word: &str) -> bool {
    match pattern {
        Pattern::Exactly(sought) => folds_to(word, sought),
        Pattern::StartsWith(start) => start.is_empty() || folding::fold(word).starts_with(start),
    }
}

fn given(json: Option<&str>, key: &str, fits: impl Fn(&str) -> bool) -> bool {
    json.and_then(marks::object)
        .is_some_and(|members| members.get(key).is_some_and(|value| fits(&marks::plain(value))))
}

/// By name or id; with `@`, also by the version's number, the beginning of its digest, or the label.
fn used_prompt(pattern: &Pattern, fields: &Fields<'_>) -> bool {
    let named = |pattern: &Pattern| {
        columns_of(&Field::Prompt)
            .iter()
            .filter_map(|column| fields.text(*column))
            .any(|name| fits(pattern, &name))
    };
    let Pattern::Exactly(text) = pattern else { return named(pattern) };
    let Some((name, selector)) = text.rsplit_once('@') else { return named(pattern) };
    named(&Pattern::Exactly(name.to_owned())) && selected(selector, fields)
}

fn selected(selector: &str, fields: &Fields<'_>) -> bool {
    if let Some(digits) = selector.strip_prefix("sha256:") {
        let digest = fields.text(Column::PromptDigest).unwrap_or_default();
        return digest.strip_prefix("sha256:").unwrap_or(&digest).starts_with(digits);
    }
    match selector.parse::<i64>() {
        Ok(number) => fields.int(Column::PromptVersion) == Some(number),
        Err(_) => fields.text(Column::PromptLabel).is_some_and(|label| folds_to(&label, selector)),
    }
}

/// By the error's code, or by words of its message.
fn failed_with(pattern: &Pattern, fields: &Fields<'_>) -> bool {
    let code = fields.text(Column::ErrorCode);
    let message = fields.text(Column::ErrorMessage);
    if code.as_ref().is_some_and(|code| fits(pattern, code)) {
        return true;
    }
    let says = |message: Cow<'_, str>| match pattern {
        Pattern::Exactly(words) => folding::fold(&message).contains(words.as_str()),
        Pattern::StartsWith(start) => start.is_empty(),
    };
    message.is_some_and(says)
}

#[cfg(test)]
mod tests;
