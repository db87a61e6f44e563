//! What is kept of each call, for how long, and how safely.

use std::time::Duration;

use crate::problem::Wrong;
use crate::reader::Section;
use crate::setting::{Setting, Size, choice};

/// How calls are recorded.
#[derive(Clone, Debug)]
pub struct Records {
    /// Finished calls that wait for the writer; above this bodies are left out, then calls are dropped and counted.
    pub queue_bytes: usize,
    /// Whether request and answer bodies are kept.
    pub bodies: Bodies,
    /// How long records are kept; `None` is for ever.
    pub retention: Option<Duration>,
    /// What a crash may lose.
    pub durability: Durability,
}

/// What is kept of a call's bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bodies {
    /// No bodies, no previews, no variables.
    Off,
    /// No bodies; everything else.
    Metadata,
    /// Bodies too.
    Full,
}

/// What a crash may lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Records are committed in small batches: SIGTERM loses nothing, SIGKILL at most the last batch.
    Batched,
}

impl Records {
    pub(crate) fn read(top: &mut Section<'_, '_>) -> Self {
        let mut section = top.section("records");
        let bodies = [("off", Bodies::Off), ("metadata", Bodies::Metadata), ("full", Bodies::Full)];
        let records = Self {
            queue_bytes: section.read("queue_bytes", Size(64 << 20)).0,
            bodies: section.parse("bodies", "full", |text| choice(text, &bodies)).unwrap_or(Bodies::Full),
            retention: section.parse("retention", "forever", retention).flatten(),
            durability: section.parse("durability", "batched", durability).unwrap_or(Durability::Batched),
        };
        section.finish();
        records
    }
}

fn retention(text: &str) -> Result<Option<Duration>, Wrong> {
    if text == "forever" {
        return Ok(None);
    }
    let wrong = |Wrong { wrong, .. }| Wrong::new(wrong, "write \"30d\", or \"forever\"");
    Duration::parse(text).map(Some).map_err(wrong)
}

fn durability(text: &str) -> Result<Durability, Wrong> {
    if text == "strict" {
        return Err(Wrong::new("\"strict\" is not supported by this version yet", "write \"batched\""));
    }
    choice(text, &[("batched", Durability::Batched)])
}
