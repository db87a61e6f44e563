//! A filter as a value, and its text form; [`crate::query::parse`] reads what this prints.

use std::fmt;

use vocab::NanoUsd;

/// What calls must match: every term. An empty filter matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The terms, as written.
    pub terms: Vec<Term>,
}

/// One condition, or its opposite. The opposite also holds for calls that lack the field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// Whether calls must *not* match.
    pub negated: bool,
    /// What is tested.
    pub test: Test,
}

/// What a term tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// The request or the answer says this.
    Says(String),
    /// A field is one of these.
    Is(Field, Vec<Pattern>),
    /// A measure lies within one of these.
    Counts(Measure, Vec<Bound>),
    /// A score of this name lies within one of these: any that was given to the call itself, to its trace or to
    /// its session. Numbers are in billionths ([`SCORE_UNIT`]).
    Scored(String, Vec<Bound>),
}

/// What a score of 1 is in a bound. A score lies exactly at a bound when it is the float closest to it, which is
/// what `number as f64 / SCORE_UNIT` gives.
pub const SCORE_UNIT: f64 = 1e9;

/// Fields that hold words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// The call's id.
    Id,
    /// The model as requested or as served.
    Model,
    /// The provider.
    Provider,
    /// The prompt's name or id, perhaps with `@version` or `@label`.
    Prompt,
    /// The label the prompt was reached by.
    Label,
    /// The experiment.
    Experiment,
    /// The experiment's arm.
    Arm,
    /// What the call was assigned to it by.
    ArmUnit,
    /// How the call ended.
    Outcome,
    /// The error's code, or words of its message.
    Error,
    /// The key's id.
    Key,
    /// The end user.
    User,
    /// The session.
    Session,
    /// Any of the tags.
    Tag,
    /// The endpoint.
    Endpoint,
    /// `hit`, `miss` or `off`.
    Cache,
    /// `true` or `false`.
    Stream,
    /// The trace id.
    Trace,
    /// One key of the caller's metadata.
    Metadata(String),
    /// One of the prompt's variables.
    Variable(String),
}

/// Fields that hold numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Measure {
    /// The HTTP status.
    Status,
    /// The prompt version's number.
    Version,
    /// The cost, in nano-dollars.
    Cost,
    /// The duration, in µs.
    Latency,
    /// The time to the first token, in µs.
    Ttft,
    /// Input and output tokens together.
    Tokens,
    /// Input tokens.
    InputTokens,
    /// Output tokens.
    OutputTokens,
}

/// What a word must be, case aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Exactly this.
    Exactly(String),
    /// Beginning with this; with nothing given, any value at all.
    StartsWith(String),
}

/// What a number must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Compared with a number in the measure's smallest unit.
    Compares(Comparison, i64),
    /// Its decimal digits begin so (`5*` of a status); with none given, any value at all.
    StartsWith(String),
}

/// How two numbers compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `:`
    Equal,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

impl Comparison {
    /// Whether `left` compares so with `right`.
    pub const fn holds(self, left: i64, right: i64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::More => left > right,
            Self::AtLeast => left >= right,
        }
    }

    /// Whether a score compares so with a bound's number.
    #[expect(clippy::float_cmp, reason = "a bound is the float closest to what was written, as scores are")]
    pub fn holds_for(self, score: f64, number: i64) -> bool {
        let bound = number as f64 / SCORE_UNIT;
        match self {
            Self::Equal => score == bound,
            Self::Less => score < bound,
            Self::AtMost => score <= bound,
            Self::More => score > bound,
            Self::AtLeast => score >= bound,
        }
    }

    const fn sign(self) -> &'static str {
        match self {
            Self::Equal => ":",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
        }
    }
}

/// Fields of words that take no key, by name.
pub(crate) const FIELDS: &[(&str, Field)] = &[
    ("id", Field::Id),
    ("model", Field::Model),
    ("provider", Field::Provider),
    ("prompt", Field::Prompt),
    ("label", Field::Label),
    ("experiment", Field::Experiment),
    ("arm", Field::Arm),
    ("arm_unit", Field::ArmUnit),
    ("outcome", Field::Outcome),
    ("error", Field::Error),
    ("key", Field::Key),
    ("user", Field::User),
    ("session", Field::Session),
    ("tag", Field::Tag),
    ("endpoint", Field::Endpoint),
    ("cache", Field::Cache),
    ("stream", Field::Stream),
    ("trace", Field::Trace),
];

/// Fields of numbers, by name.
pub(crate) const MEASURES: &[(&str, Measure)] = &[
    ("status", Measure::Status),
    ("version", Measure::Version),
    ("cost", Measure::Cost),
    ("latency", Measure::Latency),
    ("ttft", Measure::Ttft),
    ("tokens", Measure::Tokens),
    ("input_tokens", Measure::InputTokens),
    ("output_tokens", Measure::OutputTokens),
];

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, term) in self.terms.iter().enumerate() {
            if n > 0 {
                f.write_str(" ")?;
            }
            fmt::Display::fmt(term, f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negated {
            f.write_str("-")?;
        }
        match &self.test {
            Test::Says(text) => write_word(f, text),
            Test::Is(field, patterns) => {
                write!(f, "{field}:")?;
                write_list(f, patterns)
            }
            Test::Counts(measure, bounds) => {
                write!(f, "{measure}{}", bounds.first().map_or(":", sign_of))?;
                write_list(f, bounds.iter().map(|bound| Measured(*measure, bound)))
            }
            Test::Scored(name, bounds) => {
                f.write_str("score.")?;
                write_word(f, name)?;
                f.write_str(bounds.first().map_or(":", sign_of))?;
                // A score's billionths print as a dollar's do.
                write_list(f, bounds.iter().map(|bound| Measured(Measure::Cost, bound)))
            }
        }
    }
}

fn sign_of(bound: &Bound) -> &'static str {
    match bound {
        Bound::Compares(comparison, _) => comparison.sign(),
        Bound::StartsWith(_) => ":",
    }
}

fn write_list(f: &mut fmt::Formatter<'_>, items: impl IntoIterator<Item = impl fmt::Display>) -> fmt::Result {
    for (n, item) in items.into_iter().enumerate() {
        if n > 0 {
            f.write_str(",")?;
        }
        write!(f, "{item}")?;
    }
    Ok(())
}

/// Writes a word bare when it reads back as itself, else quoted.
fn write_word(f: &mut fmt::Formatter<'_>, word: &str) -> fmt::Result {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '/' | '@');
    if !word.is_empty() && word.chars().all(plain) {
        return f.write_str(word);
    }
    write_quoted(f, word)
}

fn write_quoted(f: &mut fmt::Formatter<'_>, word: &str) -> fmt::Result {
    f.write_str("\"")?;
    for c in word.chars() {
        if matches!(c, '"' | '\\') {
            f.write_str("\\")?;
        }
        write!(f, "{c}")?;
    }
    f.write_str("\"")
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(word) => write_word(f, word),
            Self::StartsWith(start) if start.is_empty() => f.write_str("*"),
            Self::StartsWith(start) => {
                write_word(f, start)?;
                f.write_str("*")
            }
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keyed = match self {
            Self::Metadata(key) => Some(("metadata.", key)),
            Self::Variable(key) => Some(("variable.", key)),
            _ => None,
        };
        if let Some((prefix, key)) = keyed {
            f.write_str(prefix)?;
            return write_word(f, key);
        }
        f.write_str(FIELDS.iter().find(|(_, field)| field == self).map_or("", |(name, _)| name))
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MEASURES.iter().find(|(_, measure)| measure == self).map_or("", |(name, _)| name))
    }
}

/// A bound without its sign, in the unit its measure is written in.
struct Measured<'a>(Measure, &'a Bound);

impl fmt::Display for Measured<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = match self.1 {
            Bound::StartsWith(digits) => return write!(f, "{digits}*"),
            Bound::Compares(_, number) => *number,
        };
        match self.0 {
            Measure::Cost => write!(f, "{}", NanoUsd(number)),
            Measure::Latency | Measure::Ttft if number % 1_000_000 == 0 => {
                write!(f, "{}s", number / 1_000_000)
            }
            Measure::Latency | Measure::Ttft if number % 1_000 == 0 => write!(f, "{}ms", number / 1_000),
            Measure::Latency | Measure::Ttft => write!(f, "{number}us"),
            Measure::Status
            | Measure::Version
            | Measure::Tokens
            | Measure::InputTokens
            | Measure::OutputTokens => write!(f, "{number}"),
        }
    }
}
