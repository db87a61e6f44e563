//! What floats in a version, looked up in a snapshot: the path of a call asks no database for it.

use super::{Served, Snapshot};
use crate::content::{Float, Snippet, Standing};
use crate::db::Result;
use crate::prompts::versions::{StoredVersion, Version};

impl Snapshot {
    /// Whether the labels that float in a version still point where they did when it was compiled.
    pub(crate) fn bears_out(&self, version: &Version) -> bool {
        let holds = |(float, number): &(Float, u32)| {
            self.standing(float).is_some_and(|served| served.number == *number)
        };
        version.floats().iter().all(holds)
    }

    /// What the labels that float in a stored version point at, and in what those point at. A label that points at
    /// nothing is left out.
    pub(crate) fn standing_for(&self, stored: &StoredVersion) -> Result<Standing> {
        let mut standing = Standing::default();
        standing.want((&stored.included, &stored.floating));
        while let Some(float) = standing.wanted() {
            if let Some(served) = self.standing(&float) {
                let snippet = Snippet::of(float.prompt, served.read()?);
                standing.add(float, snippet);
            }
        }
        Ok(standing)
    }

    fn standing(&self, float: &Float) -> Option<&Served> {
        let entry = self.prompts.get(&float.prompt)?;
        let number = *entry.prompt.labels.get(&float.label)?;
        entry.served(number).map(AsRef::as_ref)
    }
}
