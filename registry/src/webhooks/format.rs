//! The forms an event is sent in: as it is, or as a chat takes it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::StoreError;
use crate::db::Result;

/// What bodies look like where they are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// The event as JSON, signed.
    Weir,
    /// A message as Slack's incoming webhooks take it.
    Slack,
}

impl Format {
    /// The word used in JSON and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Weir => "weir",
            Self::Slack => "slack",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Format {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self> {
        let mut all = [Self::Weir, Self::Slack].into_iter();
        all.find(|format| format.as_str() == text)
            .ok_or_else(|| StoreError::invalid("format", "a format is weir or slack"))
    }
}
