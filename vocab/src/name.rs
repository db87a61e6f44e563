//! Checked names: prompts, labels, and references of the form `name[@selector]`.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};

use crate::SemVer;

/// The longest prompt name, in bytes.
pub const PROMPT_NAME_BYTES: usize = 255;
/// The longest label, in characters.
pub const LABEL_CHARS: usize = 36;
/// The label that serves when a reference names none.
pub const PRODUCTION: &str = "production";
/// The computed selector for the highest version.
pub const LATEST: &str = "latest";
/// The fewest hex digits of a digest that select a version.
pub const DIGEST_PREFIX_DIGITS: usize = 6;

/// Why a name was refused: the rule it breaks, for the person who wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameError(String);

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NameError {}

fn refuse<T>(message: impl Into<String>) -> Result<T, NameError> {
    Err(NameError(message.into()))
}

/// A prompt's name: segments of letters, digits, space, `.`, `_`, `-` joined by `/`, at most 255 bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct PromptName(Arc<str>);

impl PromptName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as shared text.
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }

    /// Everything before the last `/`; empty for a name without folders.
    pub fn folder(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(folder, _)| folder)
    }
}

impl FromStr for PromptName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.is_empty() || text.len() > PROMPT_NAME_BYTES {
            return refuse(format!(
                "a prompt name has 1 to {PROMPT_NAME_BYTES} bytes, this one has {}",
                text.len()
            ));
        }
        for segment in text.split('/') {
            if segment.trim().is_empty() {
                return refuse(format!(
                    "prompt name `{}` has an empty segment: write names as `folder/name`, with no leading, \
                     trailing or double slash",
                    text.escape_debug()
                ));
            }
            let allowed = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '.' | '_' | '-');
            if let Some(odd) = segment.chars().find(|c| !allowed(*c)) {
                return refuse(format!(
                    "prompt name `{}` holds {odd:?}: use letters, digits, space, `.`, `_`, `-` and `/` between folders",
                    text.escape_debug()
                ));
            }
        }
        Ok(Self(text.into()))
    }
}

/// A label: `[a-z0-9_.-]{1,36}`, but never all digits, a semantic version, `sha256:…` or `latest`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct LabelName(Arc<str>);

impl LabelName {
    /// The label `production`.
    pub fn production() -> Self {
        Self(PRODUCTION.into())
    }

    /// The label as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The label as shared text.
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

impl FromStr for LabelName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '.' | '-');
        if text.is_empty() || text.len() > LABEL_CHARS || !text.chars().all(allowed) {
            return refuse(format!(
                "label `{}` must be 1 to {LABEL_CHARS} of a-z, 0-9, `_`, `.`, `-`",
                text.escape_debug()
            ));
        }
        if text == LATEST {
            return refuse("`latest` is computed and cannot be a label: it always names the highest version");
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) || text.parse::<SemVer>().is_ok() {
            return refuse(format!("label `{text}` would read as a version: add a letter"));
        }
        Ok(Self(text.into()))
    }
}

macro_rules! text_name {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
text_name!(PromptName);
text_name!(LabelName);

/// Which version of a prompt is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Selector {
    /// Whatever the label points at.
    Label(LabelName),
    /// The highest version.
    Latest,
    /// The version with this number.
    Number(u32),
    /// The version with this semantic version.
    SemVer(SemVer),
    /// The version whose SHA-256 digest starts with these lower-case hex digits.
    Digest(String),
}

impl Selector {
    /// What serves when a reference names no selector.
    pub fn production() -> Self {
        Self::Label(LabelName::production())
    }

    /// Whether this names one fixed version, whatever labels do.
    pub const fn is_pinned(&self) -> bool {
        match self {
            Self::Number(_) | Self::SemVer(_) | Self::Digest(_) => true,
            Self::Label(_) | Self::Latest => false,
        }
    }
}

impl FromStr for Selector {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text == LATEST {
            return Ok(Self::Latest);
        }
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return match text.parse() {
                Ok(number) if number > 0 => Ok(Self::Number(number)),
                _ => refuse(format!("`{text}` is not a version number: versions count from 1")),
            };
        }
        if let Ok(version) = text.parse() {
            return Ok(Self::SemVer(version));
        }
        if let Some(digits) = text.strip_prefix("sha256:") {
            let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            if (DIGEST_PREFIX_DIGITS..=64).contains(&digits.len()) && digits.bytes().all(hex) {
                return Ok(Self::Digest(digits.to_owned()));
            }
            return refuse(format!(
                "`{text}` needs {DIGEST_PREFIX_DIGITS} to 64 lower-case hex digits after sha256:"
            ));
        }
        text.parse().map(Self::Label)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(label) => fmt::Display::fmt(label, f),
            Self::Latest => f.write_str(LATEST),
            Self::Number(number) => fmt::Display::fmt(number, f),
            Self::SemVer(version) => fmt::Display::fmt(version, f),
            Self::Digest(digits) => write!(f, "sha256:{digits}"),
        }
    }
}

/// A reference to a prompt version: `name[@selector]`. The name may be an alias such as `pmpt_…`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PromptRef {
    /// The prompt's name or alias.
    pub name: PromptName,
    /// Which version; `None` means the alias's default, else the label `production`.
    pub selector: Option<Selector>,
}

impl FromStr for PromptRef {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.split_once('@') {
            None => Ok(Self { name: text.parse()?, selector: None }),
            Some((name, selector)) => Ok(Self { name: name.parse()?, selector: Some(selector.parse()?) }),
        }
    }
}

impl fmt::Display for PromptRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.selector {
            None => fmt::Display::fmt(&self.name, f),
            Some(selector) => write!(f, "{}@{selector}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompt_names_follow_the_rule() {
        for good in ["a", "support/reply", "Größe 2/x.y_z-1", "pmpt_68ab"] {
            assert!(good.parse::<PromptName>().is_ok(), "{good}");
        }
        for bad in ["", "/a", "a/", "a//b", "a@b", "a|b", "a#b", "a/ /b", "a\nb", &"x".repeat(256)] {
            assert!(bad.parse::<PromptName>().is_err(), "{bad:?}");
        }
        assert_eq!("a/b/c".parse::<PromptName>().unwrap().folder(), "a/b");
    }

    #[test]
    fn labels_never_read_as_versions() {
        assert!("prod-eu.1".parse::<LabelName>().is_ok());
        for bad in ["", "7", "1.2.3", "latest", "sha256:ab", "Prod", &"x".repeat(37)] {
            assert!(bad.parse::<LabelName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn references_name_one_kind_of_selector() {
        let selector = |text: &str| text.parse::<PromptRef>().unwrap().selector;
        assert_eq!(selector("a/b"), None);
        assert_eq!(selector("a/b@7"), Some(Selector::Number(7)));
        assert_eq!(selector("a/b@1.2.0").unwrap().to_string(), "1.2.0");
        assert_eq!(selector("a@sha256:0a1b2c"), Some(Selector::Digest("0a1b2c".into())));
        assert_eq!(selector("a@latest"), Some(Selector::Latest));
        assert_eq!(selector("a@production"), Some(Selector::production()));
        for bad in ["a@", "a@0", "a@sha256:xyz", "a@b@c", "@b", "a@99999999999"] {
            assert!(bad.parse::<PromptRef>().is_err(), "{bad}");
        }
    }
}
