//! What an export was begun with, kept beside its `.part`, so that only the same export goes on with it.

use std::fmt;
use std::path::{Path, PathBuf};

use analytics::moment;
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use vocab::Clock;

use crate::cli::calls::Sought;

/// A query as it was written, and the times it meant then.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Begun {
    q: String,
    format: String,
    from: Option<String>,
    to: Option<String>,
    /// `from` as a point in time: a while ago is another one when the export goes on.
    from_time: Option<String>,
    to_time: Option<String>,
}

impl Begun {
    /// An export that begins now.
    pub(super) fn now(sought: &Sought, format: &str) -> Self {
        let now = Clock::system().now();
        // What is no time is refused by the gateway, in its own words.
        let resolved = |text: &Option<String>| {
            let text = text.as_deref()?;
            Some(moment::parse(text, now).map_or_else(|_| text.to_owned(), |time| time.to_string()))
        };
        Self {
            q: sought.q.clone(),
            format: format.to_owned(),
            from_time: resolved(&sought.from),
            to_time: resolved(&sought.to),
            from: sought.from.clone(),
            to: sought.to.clone(),
        }
    }

    /// What the export in `part` was begun with.
    pub(super) fn read(part: &Path) -> anyhow::Result<Self> {
        let path = note_of(part);
        let text = std::fs::read_to_string(&path).with_context(|| {
            format!(
                "cannot go on: {} does not say what {} was begun with; begin anew with --force instead of --resume",
                path.display(),
                part.display()
            )
        })?;
        serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))
    }

    /// Keeps it beside `part`.
    pub(super) fn keep(&self, part: &Path) -> anyhow::Result<()> {
        let path = note_of(part);
        std::fs::write(&path, serde_json::to_string(self)?)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Whether both were written in the same words.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let words =
            |begun: &Self| (begun.q.clone(), begun.format.clone(), begun.from.clone(), begun.to.clone());
        words(self) == words(other)
    }

    /// As query parameters.
    pub(super) fn query(&self) -> Vec<(&'static str, &str)> {
        let mut query = vec![("q", self.q.as_str()), ("format", &self.format)];
        query.extend(self.from_time.as_deref().map(|from| ("from", from)));
        query.extend(self.to_time.as_deref().map(|to| ("to", to)));
        query
    }
}

impl fmt::Display for Begun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' --format {}", self.q, self.format)?;
        self.from.iter().try_for_each(|from| write!(f, " --from {from}"))?;
        self.to.iter().try_for_each(|to| write!(f, " --to {to}"))
    }
}

/// The file beside `part`.
pub(super) fn note_of(part: &Path) -> PathBuf {
    let mut name = part.as_os_str().to_owned();
    name.push(".json");
    name.into()
}
