//! What people call measures and groups in reports: read, printed, and listed when a word is none of them.

use std::fmt;
use std::str::FromStr;

use super::{Group, Measured, TokenClass};
use crate::filter::{FIELDS, Field};

/// Measures whose word stands for itself.
const PLAIN: [(&str, Measured); 13] = [
    ("calls", Measured::Calls),
    ("errors", Measured::Errors),
    ("error_rate", Measured::ErrorRate),
    ("cost", Measured::Cost),
    ("unpriced", Measured::Unpriced),
    ("tokens", Measured::Tokens(TokenClass::All)),
    ("input_tokens", Measured::Tokens(TokenClass::Input)),
    ("cached_input_tokens", Measured::Tokens(TokenClass::CachedInput)),
    ("cache_write_tokens", Measured::Tokens(TokenClass::CacheWrite)),
    ("output_tokens", Measured::Tokens(TokenClass::Output)),
    ("reasoning_tokens", Measured::Tokens(TokenClass::Reasoning)),
    ("audio_tokens", Measured::Tokens(TokenClass::Audio)),
    ("cache_hit_rate", Measured::CacheHitRate),
];
/// Groups that are no fields of words.
const NUMBERED: [(&str, Group); 3] =
    [("status", Group::Status), ("version", Group::Version), ("node", Group::Node)];
/// What stands before the percentile of a duration.
const LATENCY: &str = "latency_p";
/// What stands before the percentile of a time to the first token.
const TTFT: &str = "ttft_p";
/// What stands before a score's name.
const SCORE: &str = "score.";
/// The most bytes of a score's name or of a key in a group.
const KEY_BYTES: usize = 256;

/// A word that names no measure or no group, and those there are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnknownWord(String);

impl FromStr for Measured {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        if let Some((_, measure)) = PLAIN.iter().find(|(name, _)| *name == word) {
            return Ok(measure.clone());
        }
        let read = if let Some(percent) = word.strip_prefix(LATENCY) {
            quantile(percent).map(Self::Latency)
        } else if let Some(percent) = word.strip_prefix(TTFT) {
            quantile(percent).map(Self::Ttft)
        } else {
            word.strip_prefix(SCORE).and_then(key).map(Self::Score)
        };
        read.ok_or_else(|| unknown_measure(word))
    }
}

/// `95` and `99.9` as a part of one; nothing beyond three decimals, nor 0 or 100.
fn quantile(percent: &str) -> Option<f64> {
    let (whole, decimals) = percent.split_once('.').unwrap_or((percent, "0"));
    let digits =
        |text: &str, most| (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole, 2) || !digits(decimals, 3) {
        return None;
    }
    // Through the decimal text: 99.9 / 100 is not the number that `0.999` is.
    let quantile: f64 = format!("0.{whole:0>2}{decimals}").parse().ok()?;
    (quantile > 0.0).then_some(quantile)
}

fn key(text: &str) -> Option<String> {
    (!text.trim().is_empty() && text.len() <= KEY_BYTES).then(|| text.to_owned())
}

fn unknown_measure(word: &str) -> UnknownWord {
    let names: Vec<_> = PLAIN.iter().map(|(name, _)| *name).collect();
    UnknownWord(format!(
        "there is no measure `{}`: use {}, latency_p50 (or any percentile, such as latency_p99.9), ttft_p95, \
         score.<name>",
        word.escape_debug(),
        names.join(", ")
    ))
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (prefix, quantile) = match self {
            Self::Latency(quantile) => (LATENCY, quantile),
            Self::Ttft(quantile) => (TTFT, quantile),
            Self::Score(name) => return write!(f, "{SCORE}{name}"),
            plain => {
                let name = PLAIN.iter().find(|(_, measure)| measure == plain).map_or("", |(name, _)| name);
                return f.write_str(name);
            }
        };
        let percent = format!("{:.3}", quantile * 100.0);
        write!(f, "{prefix}{}", percent.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl FromStr for Group {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        if let Some((_, group)) = NUMBERED.iter().find(|(name, _)| *name == word) {
            return Ok(group.clone());
        }
        if let Some(("metadata", name)) = word.split_once('.')
            && let Some(name) = key(name)
        {
            return Ok(Self::Field(Field::Metadata(name)));
        }
        if let Some(("variable", name)) = word.split_once('.')
            && let Some(name) = key(name)
        {
            return Ok(Self::Field(Field::Variable(name)));
        }
        let field = FIELDS.iter().find(|(name, field)| *name == word && *field != Field::Id);
        field.map(|(_, field)| Self::Field(field.clone())).ok_or_else(|| unknown_group(word))
    }
}

fn unknown_group(word: &str) -> UnknownWord {
    let fields = FIELDS.iter().filter(|(_, field)| *field != Field::Id).map(|(name, _)| *name);
    let names: Vec<_> = fields.chain(NUMBERED.iter().map(|(name, _)| *name)).collect();
    UnknownWord(format!(
        "calls cannot be grouped by `{}`: use {}, metadata.<key>, variable.<key>",
        word.escape_debug(),
        names.join(", ")
    ))
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(Field::Metadata(key)) => write!(f, "metadata.{key}"),
            Self::Field(Field::Variable(key)) => write!(f, "variable.{key}"),
            Self::Field(field) => write!(f, "{field}"),
            numbered => {
                let name = NUMBERED.iter().find(|(_, group)| group == numbered).map_or("", |(name, _)| name);
                f.write_str(name)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_measure_survives_its_word() {
        let words = PLAIN.iter().map(|(word, _)| *word);
        for word in words.chain(["latency_p50", "latency_p99.9", "latency_p5", "ttft_p95", "score.helpful"]) {
            assert_eq!(word.parse::<Measured>().unwrap().to_string(), word);
        }
        assert_eq!("latency_p99.9".parse(), Ok(Measured::Latency(0.999)));
        assert_eq!("ttft_p5".parse(), Ok(Measured::Ttft(0.05)));
        assert_eq!("score.a.b".parse(), Ok(Measured::Score("a.b".to_owned())));
    }

    #[test]
    fn every_group_survives_its_word() {
        let fields = FIELDS.iter().map(|(word, _)| *word).filter(|word| *word != "id");
        let numbered = NUMBERED.iter().map(|(word, _)| *word);
        for word in fields.chain(numbered).chain(["metadata.tier", "variable.a b", "metadata.a.b"]) {
            assert_eq!(word.parse::<Group>().unwrap().to_string(), word);
        }
    }

    #[test]
    fn a_word_that_is_none_names_those_there_are() {
        for word in
            ["", "latency", "latency_p", "latency_p0", "latency_p100", "latency_p-1", "latency_p9.9999"]
                .into_iter()
                .chain(["ttft_p0.0", "latency_p1e1", "score.", "Calls", "p95"])
        {
            let error = word.parse::<Measured>().unwrap_err().to_string();
            assert!(error.contains("error_rate") && error.contains("latency_p50"), "{word}: {error}");
        }
        for word in ["", "id", "colour", "metadata", "metadata.", "variable. ", "latency"] {
            let error = word.parse::<Group>().unwrap_err().to_string();
            assert!(error.contains("provider") && error.contains("metadata.<key>"), "{word}: {error}");
        }
    }
}
