//! Values of a search: words as patterns, numbers in their units.

use super::{Problem, Word, problem};
use crate::filter::{Bound, Comparison, Field, Measure, Pattern};

const OUTCOMES: &[&str] =
    &["ok", "caller_error", "refused", "upstream_error", "timeout", "cancelled", "truncated", "internal"];
const ENDPOINTS: &[&str] = &["chat_completions", "responses", "completions", "embeddings", "passthrough"];

/// Reads a word as a pattern for `field`; a value the field can never have is a problem.
pub(super) fn pattern(field: &Field, at: usize, word: Word) -> Result<Pattern, Problem> {
    if word.starred {
        return Ok(Pattern::StartsWith(word.text));
    }
    if word.text.is_empty() {
        return problem(at, "there is nothing between the quotes");
    }
    let known = match field {
        Field::Outcome => OUTCOMES,
        Field::Endpoint => ENDPOINTS,
        Field::Cache => &["hit", "miss", "off"],
        Field::Stream => &["true", "false"],
        Field::Prompt => return prompt(at, word.text),
        Field::Id
        | Field::Model
        | Field::Provider
        | Field::Label
        | Field::Experiment
        | Field::Arm
        | Field::ArmUnit
        | Field::Error
        | Field::Key
        | Field::User
        | Field::Session
        | Field::Tag
        | Field::Trace
        | Field::Metadata(_)
        | Field::Variable(_) => &[],
    };
    if !known.is_empty() && !known.iter().any(|known| known.eq_ignore_ascii_case(&word.text)) {
        return problem(at, format!("`{field}` is never `{}`: it is one of {}", word.text, known.join(", ")));
    }
    Ok(Pattern::Exactly(word.text))
}

/// `name@selector`: records know the version's number, its digest and the label, not its semantic version.
fn prompt(at: usize, text: String) -> Result<Pattern, Problem> {
    let Some((name, selector)) = text.rsplit_once('@') else { return Ok(Pattern::Exactly(text)) };
    if name.is_empty() || selector.is_empty() {
        return problem(at, "write `prompt:name@version` or `prompt:name@label`");
    }
    if selector == vocab::name::LATEST || selector.parse::<vocab::SemVer>().is_ok() {
        return problem(
            at,
            format!("calls cannot be found by `@{selector}`: write the version's number or a label"),
        );
    }
    Ok(Pattern::Exactly(text))
}

/// Reads a word as a bound for `measure`.
pub(super) fn bound(
    measure: Measure,
    comparison: Comparison,
    at: usize,
    word: &Word,
) -> Result<Bound, Problem> {
    if !word.quoted
        && comparison == Comparison::Equal
        && let Some(digits) = leading_digits(measure, word)
    {
        return Ok(Bound::StartsWith(digits));
    }
    if word.starred || word.quoted {
        return problem(at, format!("`{measure}` is a number: write {}", example(measure)));
    }
    let number = match measure {
        Measure::Cost => nano_dollars(&word.text),
        Measure::Latency | Measure::Ttft => micros(&word.text),
        Measure::Status => word.text.parse().ok().filter(|status| (0..=999).contains(status)),
        Measure::Version => word.text.parse().ok().filter(|number| *number >= 0),
        Measure::Tokens | Measure::InputTokens | Measure::OutputTokens => count(&word.text),
    };
    match number {
        Some(number) => Ok(Bound::Compares(comparison, number)),
        None => problem(at, format!("`{}` does not fit `{measure}`: write {}", word.text, example(measure))),
    }
}

/// Reads a word as a bound for a score: a decimal number with up to nine places, below zero too.
pub(super) fn score(at: usize, comparison: Comparison, word: &Word) -> Result<Bound, Problem> {
    const EXAMPLE: &str = "write a number such as 0.5 or -1, or `*` for any score";
    if word.starred && word.text.is_empty() && comparison == Comparison::Equal {
        return Ok(Bound::StartsWith(String::new()));
    }
    if word.starred || word.quoted {
        return problem(at, format!("a score is a number: {EXAMPLE}"));
    }
    let number = match word.text.strip_prefix('-') {
        Some(positive) => decimal(positive, 9).map(|number| -number),
        None => decimal(&word.text, 9),
    };
    match number {
        Some(number) => Ok(Bound::Compares(comparison, number)),
        None => problem(at, format!("`{}` is no score: {EXAMPLE}", word.text)),
    }
}

/// `5*` and `5xx` for a status; `*` for whatever measure means that there is one.
fn leading_digits(measure: Measure, word: &Word) -> Option<String> {
    let digits = if word.starred { word.text.as_str() } else { word.text.strip_suffix("xx")? };
    let fits = digits.is_empty() && word.starred
        || measure == Measure::Status
            && (1..=3).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| digits.to_owned())
}

const fn example(measure: Measure) -> &'static str {
    match measure {
        Measure::Status => "a status such as 429 or 5*",
        Measure::Version => "a version's number such as 7",
        Measure::Cost => "dollars such as 0.01",
        Measure::Latency | Measure::Ttft => "a time with its unit, such as 2s or 500ms",
        Measure::Tokens | Measure::InputTokens | Measure::OutputTokens => "a count such as 4000 or 4k",
    }
}

/// `0.01` or `$0.01`, exact to a billionth.
fn nano_dollars(text: &str) -> Option<i64> {
    decimal(text.strip_prefix('$').unwrap_or(text), 9)
}

/// `2s`, `1.5s`, `500ms`, `250us`, `1m`, `1h`; zero needs no unit.
fn micros(text: &str) -> Option<i64> {
    let at = text.find(|c: char| c.is_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(at)?;
    let seconds = |each: i64| decimal(number, 6)?.checked_mul(each);
    match unit {
        "us" | "µs" | "μs" => decimal(number, 0),
        "ms" => decimal(number, 3),
        "s" => seconds(1),
        "m" => seconds(60),
        "h" => seconds(3_600),
        "" if number == "0" => Some(0),
        _ => None,
    }
}

/// `4000`, `4k`, `1.5m`.
fn count(text: &str) -> Option<i64> {
    match text.strip_suffix(['k', 'K']) {
        Some(thousands) => decimal(thousands, 3),
        None => match text.strip_suffix(['m', 'M']) {
            Some(millions) => decimal(millions, 6),
            None => decimal(text, 0),
        },
    }
}

/// A decimal number times ten to the `places`; `None` when that is no whole number.
fn decimal(text: &str, places: usize) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction = fraction.trim_end_matches('0');
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > places {
        return None;
    }
    format!("{whole}{fraction:0<places$}").parse().ok()
}
