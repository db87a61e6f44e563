//! What a call leaves in its block's filter, so that searches can pass over blocks without reading them.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;

use super::columns::{Column, Fields};
use super::grams::Mark;
use crate::filter::{Bound, Comparison, Field, Measure, Pattern, Test};

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
        Field::ArmUnit => &[Column::ArmUnit],
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
    leave_numbers(&call.fields, &mut mark);
    leave_trouble(&call.fields, &mut mark);
    leave_given("metadata", call.metadata, &mut mark);
    leave_given("variable", call.variables, &mut mark);
}

/// How large each measure is, roughly; and the status exactly.
fn leave_numbers(fields: &Fields<'_>, mark: &mut impl FnMut(Mark)) {
    for measure in SIZED {
        if let Some(number) = measured(measure, fields) {
            mark(size_mark(measure, size(measure, number)));
        }
    }
    mark(status_mark(fields.int(Column::Status).unwrap_or_default()));
}

/// What sets the few calls apart that did not go well.
fn leave_trouble(fields: &Fields<'_>, mark: &mut impl FnMut(Mark)) {
    if fields.int(Column::Status) != Some(200) {
        mark(Mark::word("status", "not", "200"));
    }
    if fields.text(Column::Outcome).as_deref() != Some("ok") {
        mark(Mark::word("outcome", "not", "ok"));
    }
    if columns_of(&Field::Error).iter().any(|column| fields.text(*column).is_some()) {
        mark(Mark::word("error", "", "any"));
    }
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
        Field::Error => vec![Mark::word("error", "", "any")],
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

/// The marks of which a block must hold at least one for a measure to lie within a bound in it.
pub(super) fn sought_number(measure: Measure, bound: &Bound) -> Vec<Mark> {
    let (comparison, number) = match bound {
        Bound::Compares(Comparison::Equal, number) if measure == Measure::Status => {
            return vec![status_mark(*number)];
        }
        Bound::Compares(comparison, number) => (*comparison, *number),
        // `5*`: the class of a status.
        Bound::StartsWith(digits) => {
            let class =
                digits.get(..1).filter(|_| measure == Measure::Status).and_then(|digit| digit.parse().ok());
            return class.map(|class| size_mark(measure, class)).into_iter().collect();
        }
    };
    let at = size(measure, number);
    let sizes = match comparison {
        Comparison::Equal => at..=at,
        Comparison::Less | Comparison::AtMost => 0..=at,
        Comparison::More | Comparison::AtLeast => at..=i64::BITS,
    };
    if SIZED.contains(&measure) { sizes.map(|size| size_mark(measure, size)).collect() } else { Vec::new() }
}

/// The marks of which a block must hold at least one for the opposite of a test to hold in it.
pub(super) fn sought_not(test: &Test) -> Vec<Mark> {
    let ok = |pattern: &Pattern| *pattern == Pattern::Exactly("ok".to_owned());
    match test {
        Test::Counts(Measure::Status, bounds) if *bounds == [Bound::Compares(Comparison::Equal, 200)] => {
            vec![Mark::word("status", "not", "200")]
        }
        Test::Is(Field::Outcome, patterns) if patterns.iter().all(ok) => {
            vec![Mark::word("outcome", "not", "ok")]
        }
        Test::Counts(..) | Test::Is(..) | Test::Says(_) | Test::Scored(..) => Vec::new(),
    }
}

/// The columns a measure is the sum of.
pub(super) const fn columns_measured(measure: Measure) -> &'static [Column] {
    match measure {
        Measure::Status => &[Column::Status],
        Measure::Version => &[Column::PromptVersion],
        Measure::Cost => &[Column::CostNanousd],
        Measure::Latency => &[Column::DurationUs],
        Measure::Ttft => &[Column::TtftUs],
        Measure::Tokens => &[Column::InputTokens, Column::OutputTokens],
        Measure::InputTokens => &[Column::InputTokens],
        Measure::OutputTokens => &[Column::OutputTokens],
    }
}

/// A call's measure: the sum of what is known of it, `None` when nothing is.
pub(super) fn measured(measure: Measure, fields: &Fields<'_>) -> Option<i64> {
    columns_measured(measure)
        .iter()
        .filter_map(|column| fields.int(*column))
        .fold(None, |sum, number| Some(sum.unwrap_or(0) + number))
}

/// Measures whose size is marked.
const SIZED: [Measure; 7] = [
    Measure::Status,
    Measure::Cost,
    Measure::Latency,
    Measure::Ttft,
    Measure::Tokens,
    Measure::InputTokens,
    Measure::OutputTokens,
];

/// A number's size: the class of a status, else how many binary digits it has.
fn size(measure: Measure, number: i64) -> u32 {
    if measure == Measure::Status {
        (number.max(0) / 100) as u32
    } else {
        i64::BITS - number.max(0).leading_zeros()
    }
}

fn size_mark(measure: Measure, size: u32) -> Mark {
    Mark::number(measure as u64 + 1, size.into())
}

fn status_mark(status: i64) -> Mark {
    Mark::number(0, status as u64)
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
