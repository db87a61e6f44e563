//! What is kept of each call, for how long, and how safely.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::problem::Wrong;
use crate::reader::Section;
use crate::redact::{self, Redact};
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
    /// What is replaced before anything is stored.
    pub redact: Vec<Redact>,
    /// What differs for a project, by its name.
    pub projects: BTreeMap<String, ProjectRecords>,
    /// What a crash may lose.
    pub durability: Durability,
    /// What a power cut may lose.
    pub sync: Sync,
    /// What happens to calls while their records find no room.
    pub on_full: OnFull,
    /// The most the outbox may hold.
    pub outbox_bytes: u64,
    /// What is set aside on the disk, so that narrow rows can be written when it is full.
    pub reserve_bytes: u64,
}

/// What is kept of one project's calls.
#[derive(Clone, Debug)]
pub struct ProjectRecords {
    /// Whether request and answer bodies are kept.
    pub bodies: Bodies,
    /// How long records are kept; `None` is for ever.
    pub retention: Option<Duration>,
    /// What is replaced before anything is stored.
    pub redact: Vec<Redact>,
}

/// What is kept of a call's bodies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bodies {
    /// No bodies, no previews, no variables.
    Off,
    /// No bodies; everything else.
    Metadata,
    /// Bodies of this part of the calls, above 0 and at most 1; of the others as `Metadata`.
    Sampled(f64),
    /// Bodies too.
    Full,
}

/// What a crash may lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Records are committed in small batches: SIGTERM loses nothing, SIGKILL at most the last batch.
    Batched,
    /// The last byte of an answer waits until its record is committed: SIGKILL loses nothing that was answered.
    Strict,
}

/// How far a commit reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// Into the system's memory: a crash of the process loses nothing that was committed.
    Normal,
    /// Onto the disk: neither does a power cut.
    Full,
}

/// What happens to calls while their records find no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFull {
    /// They are served; bodies, previews, then successes are left out of the records, and counted.
    Shed,
    /// They are refused.
    Refuse,
}

/// The part of calls whose bodies are kept when none is written.
const SAMPLE: f64 = 0.1;

impl Records {
    pub(crate) fn read(top: &mut Section<'_, '_>) -> Self {
        let mut section = top.section("records");
        let queue_bytes = section.read("queue_bytes", Size(64 << 20)).0;
        let usual = ProjectRecords { bodies: Bodies::Full, retention: None, redact: Vec::new() };
        let usual = usual.read(&mut section, ["full", "0.1", "forever"]);
        let projects = projects(&mut section, &usual);
        let (durability, sync, on_full) = safety(&mut section);
        let records = Self {
            queue_bytes,
            bodies: usual.bodies,
            retention: usual.retention,
            redact: usual.redact,
            projects,
            durability,
            sync,
            on_full,
            outbox_bytes: section.read("outbox_bytes", Size(10 << 30)).0 as u64,
            reserve_bytes: section.read("reserve_bytes", Size(64 << 20)).0 as u64,
        };
        if records.reserve_bytes >= records.outbox_bytes {
            let fix = "write less than records.outbox_bytes";
            section.refuse("reserve_bytes", "it is not below records.outbox_bytes", fix);
        }
        section.finish();
        records
    }
}

impl ProjectRecords {
    /// Reads what differs from `self`; `shown` are the defaults of bodies, sample and retention.
    fn read(&self, section: &mut Section<'_, '_>, shown: [&str; 3]) -> Self {
        Self {
            bodies: self.read_bodies(section, shown),
            retention: section.parse("retention", shown[2], retention).unwrap_or(self.retention),
            redact: redact::read(section, "redact").unwrap_or_else(|| self.redact.clone()),
        }
    }

    fn read_bodies(&self, section: &mut Section<'_, '_>, shown: [&str; 3]) -> Bodies {
        let inherited = if let Bodies::Sampled(sample) = self.bodies { sample } else { SAMPLE };
        let sampled = Bodies::Sampled(inherited);
        let words = [
            ("off", Bodies::Off),
            ("metadata", Bodies::Metadata),
            ("sampled", sampled),
            ("full", Bodies::Full),
        ];
        let written = section.parse("bodies", shown[0], |text| choice(text, &words));
        let bodies = written.unwrap_or(self.bodies);
        match (section.parse("sample", shown[1], part), bodies) {
            (None, _) => bodies,
            (Some(sample), Bodies::Sampled(_)) => Bodies::Sampled(sample),
            (Some(_), Bodies::Off | Bodies::Metadata | Bodies::Full) => {
                let fix = "write bodies = \"sampled\" beside it, or remove it";
                section.refuse("sample", "it means nothing unless bodies are sampled", fix);
                bodies
            }
        }
    }
}

fn projects(section: &mut Section<'_, '_>, usual: &ProjectRecords) -> BTreeMap<String, ProjectRecords> {
    let mut list = section.section("projects");
    let mut projects = BTreeMap::new();
    for name in list.written_keys() {
        let mut project = list.section(&name);
        let read = usual.read(&mut project, [""; 3]);
        project.finish();
        projects.insert(name, read);
    }
    list.finish();
    projects
}

fn safety(section: &mut Section<'_, '_>) -> (Durability, Sync, OnFull) {
    let durability = [("batched", Durability::Batched), ("strict", Durability::Strict)];
    let sync = [("normal", Sync::Normal), ("full", Sync::Full)];
    let on_full = [("shed", OnFull::Shed), ("refuse", OnFull::Refuse)];
    (
        section
            .parse("durability", "batched", |text| choice(text, &durability))
            .unwrap_or(Durability::Batched),
        section.parse("sync", "normal", |text| choice(text, &sync)).unwrap_or(Sync::Normal),
        section.parse("on_full", "shed", |text| choice(text, &on_full)).unwrap_or(OnFull::Shed),
    )
}

fn part(text: &str) -> Result<f64, Wrong> {
    text.parse().ok().filter(|part| *part > 0.0 && *part <= 1.0).ok_or_else(|| {
        Wrong::new(
            format!("`{text}` is not a part of the calls"),
            "write a number above 0 and at most 1, such as 0.1; for none, bodies = \"metadata\"",
        )
    })
}

fn retention(text: &str) -> Result<Option<Duration>, Wrong> {
    if text == "forever" {
        return Ok(None);
    }
    let wrong = |Wrong { wrong, .. }| Wrong::new(wrong, "write \"30d\", or \"forever\"");
    Duration::parse(text).map(Some).map_err(wrong)
}
