//! What a call through the gateway costs.
//!
//! Three programs measure the whole of it against each other (`overhead/` runs them): `mock-provider` answers like
//! OpenAI, `load-generator` calls and times, `bare-proxy` is the floor a gateway in Rust stands on. The criterion
//! benchmarks in `benches/` measure single steps. `README.md` says how, and what was found.

pub mod sample;

use std::collections::BTreeMap;

use anyhow::{Context, bail};

/// The `--name value` arguments of one of the programs.
#[derive(Debug, Default)]
pub struct Arguments(BTreeMap<String, Vec<String>>);

impl Arguments {
    /// Reads the process's own arguments; each must be one of `known`.
    pub fn of_process(known: &[&str]) -> anyhow::Result<Self> {
        Self::parse(std::env::args().skip(1), known)
    }

    fn parse(words: impl IntoIterator<Item = String>, known: &[&str]) -> anyhow::Result<Self> {
        let mut arguments = Self::default();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let name = word.trim_start_matches('-').to_owned();
            if !known.contains(&name.as_str()) {
                bail!("there is no argument {word}; known are: --{}", known.join(", --"));
            }
            let value = words.next().with_context(|| format!("{word} needs a value"))?;
            arguments.0.entry(name).or_default().push(value);
        }
        Ok(arguments)
    }

    /// Every value given for `name`.
    pub fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// The last value given for `name`.
    pub fn text<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        self.all(name).last().map_or(default, String::as_str)
    }

    /// The last value given for `name`, as a number.
    pub fn number<T: std::str::FromStr>(&self, name: &str, default: T) -> anyhow::Result<T> {
        let Some(text) = self.all(name).last() else { return Ok(default) };
        text.parse().ok().with_context(|| format!("--{name} wants a number, not {text}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_pairs_and_only_known_ones_are_taken() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let known = ["secs", "H"];
        let arguments = Arguments::parse(words("--secs 3 -H a -H b"), &known).unwrap();
        assert_eq!(arguments.number("secs", 1).unwrap(), 3);
        assert_eq!(arguments.all("H"), ["a", "b"]);
        assert!(Arguments::parse(words("--sces 3"), &known).is_err());
        assert!(Arguments::parse(words("--secs"), &known).is_err());
        assert!(Arguments::parse(words("--secs soon"), &known).unwrap().number("secs", 1).is_err());
    }
}
