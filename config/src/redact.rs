//! What is replaced in records before they are stored: `redact = ["email", {pattern = "…", with = "…"}]`.

use regex::{Regex, RegexBuilder};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::nearest::nearest;
use crate::problem::Wrong;
use crate::reader::{Item, Section, scalar};

/// The longest pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 1_000;
/// The most memory a compiled pattern may take. Matching is linear in the text whatever the pattern.
const COMPILED_BYTES_MAX: usize = 1 << 20;
/// The most patterns of one project.
const PATTERNS_MAX: usize = 50;
/// What stands in the place of what a pattern of the operator's own matched.
const WITH: &str = "[redacted]";
/// How an item is written.
const FORM: &str = "write a name such as \"email\", or {pattern = \"…\", with = \"…\"}";

/// One thing to replace.
#[derive(Clone, Debug)]
pub enum Redact {
    /// Something every gateway knows.
    Known(Known),
    /// What a pattern of the operator's own matches.
    Own {
        /// The pattern; it does not match the empty text.
        pattern: Regex,
        /// What stands in its place; `$1` is the pattern's first group, `$$` a dollar.
        with: String,
    },
}

/// What every gateway knows to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Known {
    /// E-mail addresses.
    Email,
    /// Payment card numbers whose check digit is right.
    Card,
    /// Phone numbers.
    Phone,
    /// Bank account numbers (IBAN) whose check digits are right.
    Iban,
    /// Social security numbers of the United States.
    Ssn,
    /// Internet addresses, both versions.
    Ip,
    /// Keys of services, by how they begin: `sk-…`, `AKIA…`, `ghp_…`.
    ApiKey,
    /// What follows `Bearer`, and JSON web tokens.
    Bearer,
}

impl Known {
    /// Each with its name.
    pub const ALL: [(&str, Self); 8] = [
        ("email", Self::Email),
        ("card", Self::Card),
        ("phone", Self::Phone),
        ("iban", Self::Iban),
        ("ssn", Self::Ssn),
        ("ip", Self::Ip),
        ("api_key", Self::ApiKey),
        ("bearer", Self::Bearer),
    ];

    fn parse(text: &str) -> Result<Self, Wrong> {
        if let Some((_, known)) = Self::ALL.iter().find(|(name, _)| *name == text) {
            return Ok(*known);
        }
        let names = Self::ALL.iter().map(|(name, _)| *name);
        let fix = match nearest(text, names.clone()) {
            Some(near) => format!("did you mean \"{near}\"? a pattern of your own is {{pattern = \"…\"}}"),
            None => format!("{FORM}; the names are {}", names.collect::<Vec<_>>().join(", ")),
        };
        Err(Wrong::new(format!("`{text}` is not the name of a pattern"), fix))
    }
}

/// Reads the list under `key`; `None` when it is written nowhere.
pub(crate) fn read(section: &mut Section<'_, '_>, key: &str) -> Option<Vec<Redact>> {
    let items = section.items(key)?;
    if items.len() > PATTERNS_MAX {
        let wrong = format!("{} patterns are too many", items.len());
        section.refuse(key, &wrong, &format!("write {PATTERNS_MAX} or less: one pattern can hold `a|b`"));
        return None;
    }
    let mut redact = Vec::new();
    for (place, item) in items {
        match parse(&item) {
            Ok(one) => redact.push(one),
            Err(wrong) => section.refuse_item(key, place, wrong),
        }
    }
    Some(redact)
}

fn parse(item: &Item<'_>) -> Result<Redact, Wrong> {
    match item {
        Item::Text(name) => Known::parse(name).map(Redact::Known),
        Item::Table(table) => own(table),
        Item::Other => Err(Wrong::new("an item of the list is neither a name nor a pattern", FORM)),
    }
}

fn own(table: &DeTable<'_>) -> Result<Redact, Wrong> {
    if let Some(key) = table.keys().find(|key| !["pattern", "with"].contains(&key.get_ref().as_ref())) {
        let wrong = format!("a pattern has no `{}`", key.get_ref());
        return Err(Wrong::new(wrong, "write {pattern = \"…\", with = \"…\"}"));
    }
    let text = |key: &str| match table.get(key).map(Spanned::get_ref) {
        None => Ok(None),
        Some(value @ DeValue::String(_)) => Ok(scalar(value)),
        Some(_) => Err(Wrong::new(format!("`{key}` is not a text"), FORM)),
    };
    let Some(written) = text("pattern")? else {
        return Err(Wrong::new("the pattern is missing", FORM));
    };
    let with = text("with")?.unwrap_or_else(|| WITH.to_owned());
    Ok(Redact::Own { pattern: pattern(&written)?, with })
}

fn pattern(text: &str) -> Result<Regex, Wrong> {
    let fix = "write a regular expression of Rust's regex crate (no look-around, no back-references)";
    if text.len() > PATTERN_BYTES_MAX {
        let fix = format!("write at most {PATTERN_BYTES_MAX} bytes, or several patterns");
        return Err(Wrong::new(format!("the pattern has {} bytes", text.len()), fix));
    }
    let built = RegexBuilder::new(text).size_limit(COMPILED_BYTES_MAX).build();
    let regex = built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => Wrong::new(
            "the pattern is too large once it is compiled",
            "write smaller repetitions than {1000}",
        ),
        // The last line of the message says what is wrong, those before it draw the place.
        other => {
            let said = other.to_string();
            let last = said.lines().last().unwrap_or_default().trim();
            Wrong::new(format!("the pattern is wrong: {}", last.trim_start_matches("error: ")), fix)
        }
    })?;
    if regex.is_match("") {
        return Err(Wrong::new("the pattern matches the empty text", "write one that needs a character"));
    }
    Ok(regex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_that_cannot_work_is_refused_with_what_to_write() {
        for (text, said) in [
            ("(a", "the pattern is wrong: unclosed group"),
            ("(?=a)", "the pattern is wrong: look-around"),
            ("a*", "the pattern matches the empty text"),
            ("\\w{1000}{50}", "the pattern is too large once it is compiled"),
            (&"a".repeat(1_001), "the pattern has 1001 bytes"),
        ] {
            let Wrong { wrong, fix } = pattern(text).unwrap_err();
            assert!(wrong.starts_with(said), "{text}: {wrong}");
            assert!(fix.starts_with("write"), "{fix}");
        }
        assert!(pattern(r"KD-\d{6}").unwrap().is_match("of KD-123456"));
    }

    #[test]
    fn every_name_is_known_and_a_near_one_is_offered() {
        for (name, known) in Known::ALL {
            assert_eq!(Known::parse(name), Ok(known));
        }
        assert!(Known::parse("emaill").unwrap_err().fix.contains("did you mean \"email\"?"));
    }
}
