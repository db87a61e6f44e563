//! What a call leaves in its block's filter, so that searches can pass over blocks without reading them.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;

use super::columns::{Column, Fields};
use super::grams::Mark;
use crate::filter::{Field, Measure};

/// Metadata or variables longer than this leave one mark that says "anything".
const GIVEN_BYTES: usize = 2 * 1024;

/// One call as it is stored.
pub(super) struct Stored<'a> {
    pub(super) id: [u8; 16],
    pub(super) fields: Fields<'a>,
    pub(super) metadata: Option<&'a str>,
    pub(super) variables: Option<&'a str>,
}

/// The columns a field of words looks in, when looking is all it takes.
pub(super) const fn columns_of(field: &Field) -> &'static [Column] {
    match field {
        Field::Model => &[Column::RequestedModel, Column::Model, Column::ResponseModel],
        Field::Provider => &[Column::Provider],
        Field::Prompt => &[Column::Prompt, Column::PromptId],
        Field::Label => &[Column::PromptLabel],
        Field::Experiment => &[Column::Experiment],
        Field::Arm => &[Column::Arm],
        Field::Outcome => &[Column::Outcome],
        Field::Error => &[Column::ErrorCode, Column::ErrorMessage],
        Field::Key => &[Column::KeyId],
        Field::User => &[Column::User],
        Field::Session => &[Column::Session],
        Field::Tag => &[Column::Tags],
        Field::Endpoint => &[Column::Endpoint],
        Field::Cache => &[Column::Cache],
        Field::Stream => &[Column::Streaming],
        Field::Trace => &[Column::TraceId],
        Field::Id | Field::Metadata(_) | Field::Variable(_) => &[],
    }
}

/// Fields whose exact words are marked as they stand in their columns.
const MARKED: [(&str, Field); 9] = [
    ("model", Field::Model),
    ("provider", Field::Provider),
    ("prompt", Field::Prompt),
    ("label", Field::Label),
    ("outcome", Field::Outcome),
    ("key", Field::Key),
    ("user", Field::User),
    ("session", Field::Session),
    ("trace", Field::Trace),
];

/// Gives every mark of a call to `mark`.
pub(super) fn leave(call: &Stored<'_>, mut mark: impl FnMut(Mark)) {
    mark(Mark::id(call.id));
    for (name, field) in &MARKED {
        for column in columns_of(field) {
            if let Some(word) = call.fields.text(*column) {
                mark(Mark::word(name, "", &word));
            }
        }
    }
    for tag in call.fields.list(Column::Tags) {
        mark(Mark::word("tag", "", &tag));
    }
    let status = call.fields.int(Column::Status).unwrap_or_default();
    mark(status_mark(status));
    mark(status_class_mark(status / 100));
    leave_given("metadata", call.metadata, &mut mark);
    leave_given("variable", call.variables, &mut mark);
}

fn leave_given(name: &str, json: Option<&str>, mark: &mut impl FnMut(Mark)) {
    let Some(json) = json else { return };
    match object(json).filter(|_| json.len() <= GIVEN_BYTES) {
        Some(members) => members.iter().for_each(|(key, value)| mark(Mark::word(name, key, &plain(value)))),
        None => mark(anything(name)),
    }
}

/// The marks of which a block must hold at least one for `field` to be `word` in it; none when only reading tells.
pub(super) fn sought(field: &Field, word: &str) -> Vec<Mark> {
    match field {
        Field::Id => {
            word.parse().ok().map(|id: vocab::Id<vocab::id::Call>| Mark::id(id.bytes())).into_iter().collect()
        }
        Field::Prompt => vec![Mark::word("prompt", "", prompt_name(word))],
        Field::Tag => vec![Mark::word("tag", "", word)],
        Field::Metadata(key) => vec![Mark::word("metadata", key, word), anything("metadata")],
        Field::Variable(key) => vec![Mark::word("variable", key, word), anything("variable")],
        field => MARKED
            .iter()
            .find(|(_, marked)| marked == field)
            .map(|(name, _)| Mark::word(name, "", word))
            .into_iter()
            .collect(),
    }
}

/// The mark a block must hold for a measure to equal `number` in it.
pub(super) fn sought_number(measure: Measure, number: i64) -> Option<Mark> {
    (measure == Measure::Status).then(|| status_mark(number))
}

/// The mark a block must hold for a measure's digits to begin so in it.
pub(super) fn sought_digits(measure: Measure, digits: &str) -> Option<Mark> {
    let class = digits.get(..1).filter(|_| measure == Measure::Status)?;
    class.parse().ok().map(status_class_mark)
}

fn status_mark(status: i64) -> Mark {
    Mark::word("status", "", &status.to_string())
}

fn status_class_mark(class: i64) -> Mark {
    Mark::word("status", "class", &class.to_string())
}

fn anything(name: &str) -> Mark {
    Mark::word(name, "\u{0}", "anything")
}

/// The name in `name@selector`.
pub(super) fn prompt_name(text: &str) -> &str {
    text.rsplit_once('@').map_or(text, |(name, _)| name)
}

/// The members of metadata or variables, their values as they are written.
pub(super) fn object(json: &str) -> Option<HashMap<Cow<'_, str>, &RawValue>> {
    serde_json::from_str(json).ok()
}

/// A value as people write it in a search: text without quotes, everything else as JSON.
pub(super) fn plain(value: &RawValue) -> Cow<'_, str> {
    let raw = value.get();
    match raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')) {
        Some(text) if !text.contains('\\') => Cow::Borrowed(text),
        Some(_) => serde_json::from_str(raw).map_or(Cow::Borrowed(raw), Cow::Owned),
        None => Cow::Borrowed(raw),
    }
}
