//! Semantic versions of prompt versions, and how big a change was.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How much a version differs from its parent, smallest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Impact {
    /// Wording only: every caller goes on as before.
    Patch,
    /// Something was added or tuned: callers go on, answers may change in kind.
    Minor,
    /// A caller that worked before may fail now.
    Major,
}

impl Impact {
    /// The word used in JSON and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Patch => "patch",
            Self::Minor => "minor",
            Self::Major => "major",
        }
    }
}

impl FromStr for Impact {
    type Err = NotAnImpact;

    fn from_str(text: &str) -> Result<Self, NotAnImpact> {
        match text {
            "patch" => Ok(Self::Patch),
            "minor" => Ok(Self::Minor),
            "major" => Ok(Self::Major),
            _ => Err(NotAnImpact),
        }
    }
}

/// A text that is none of `patch`, `minor`, `major`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnImpact;

/// A semantic version `major.minor.patch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SemVer {
    /// Counts breaking changes.
    pub major: u32,
    /// Counts additions since the last breaking change.
    pub minor: u32,
    /// Counts rewordings since the last addition.
    pub patch: u32,
}

impl SemVer {
    /// What a prompt's first version gets.
    pub const FIRST: Self = Self { major: 1, minor: 0, patch: 0 };

    /// The version after this one, for a change of this impact.
    #[must_use]
    pub const fn next(self, impact: Impact) -> Self {
        match impact {
            Impact::Major => Self { major: self.major + 1, minor: 0, patch: 0 },
            Impact::Minor => Self { minor: self.minor + 1, patch: 0, ..self },
            Impact::Patch => Self { patch: self.patch + 1, ..self },
        }
    }
}

impl fmt::Display for SemVer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl FromStr for SemVer {
    type Err = NotASemVer;

    fn from_str(text: &str) -> Result<Self, NotASemVer> {
        let mut numbers = text.split('.').map(|part| {
            let plain = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            if plain { part.parse::<u32>().map_err(|_| NotASemVer) } else { Err(NotASemVer) }
        });
        let mut next = || numbers.next().unwrap_or(Err(NotASemVer));
        let version = Self { major: next()?, minor: next()?, patch: next()? };
        if numbers.next().is_some() { Err(NotASemVer) } else { Ok(version) }
    }
}

/// A text that is not `major.minor.patch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotASemVer;

impl fmt::Display for NotASemVer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a semantic version such as 1.2.0")
    }
}

impl std::error::Error for NotASemVer {}

impl Serialize for SemVer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SemVer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_parse_strictly() {
        assert_eq!("1.20.3".parse(), Ok(SemVer { major: 1, minor: 20, patch: 3 }));
        for wrong in ["1.2", "1.2.3.4", "v1.2.3", "1.+2.3", "1..3", ""] {
            assert_eq!(wrong.parse::<SemVer>(), Err(NotASemVer), "{wrong}");
        }
    }

    #[test]
    fn a_bigger_impact_resets_the_smaller_numbers() {
        let version = SemVer { major: 1, minor: 2, patch: 3 };
        assert_eq!(version.next(Impact::Patch).to_string(), "1.2.4");
        assert_eq!(version.next(Impact::Minor).to_string(), "1.3.0");
        assert_eq!(version.next(Impact::Major).to_string(), "2.0.0");
    }
}
