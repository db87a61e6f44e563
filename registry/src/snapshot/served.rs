//! A version that serves, as it is stored: compiled when it is first called, and again when it was forgotten since.

use std::sync::{Arc, Weak};

use arc_swap::ArcSwapWeak;
use vocab::SemVer;

use crate::db::{Columns, Packed, Result, Row};
use crate::prompts::versions::{self, StoredVersion, Version};

/// A version as it is stored. Compiled, it takes several times the room: who compiled it keeps it, for as long as it is
/// used.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) number: u32,
    pub(crate) semver: SemVer,
    columns: Columns,
    row: Packed,
    compiled: ArcSwapWeak<Version>,
}

impl Served {
    /// Keeps a row of the columns of a version.
    pub(crate) fn keep(row: &Row, columns: &Columns, packed: Packed) -> Result<Self> {
        let semver =
            SemVer { major: row.number("major")?, minor: row.number("minor")?, patch: row.number("patch")? };
        Ok(Self {
            number: row.number("number")?,
            semver,
            columns: Arc::clone(columns),
            row: packed,
            compiled: ArcSwapWeak::new(Weak::new()),
        })
    }

    /// The compiled version, while somebody keeps it.
    pub(crate) fn compiled(&self) -> Option<Arc<Version>> {
        let version = self.compiled.load().upgrade()?;
        version.note_use();
        Some(version)
    }

    /// Finds the compiled version here from now on, for as long as somebody keeps it.
    pub(crate) fn remember(&self, version: &Arc<Version>) {
        self.compiled.store(Arc::downgrade(version));
    }

    /// What is stored, held to its digest.
    pub(crate) fn read(&self) -> Result<StoredVersion> {
        versions::read(&self.row.open(&self.columns)?)
    }

    /// Whether both keep the same bytes.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.row == other.row && self.columns == other.columns
    }

    pub(crate) const fn row(&self) -> &Packed {
        &self.row
    }

    pub(crate) const fn columns(&self) -> &Columns {
        &self.columns
    }
}
