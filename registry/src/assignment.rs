//! Which version answers a call where a label is split, by a ramp or by an experiment: sticky by hashing, nothing
//! stored, the same on every node and after every restart.
//!
//! A unit's place is the first eight bytes of SHA-256(salt ‖ unit), read as a big-endian number. Parts of a split
//! are ranges of places, so that a ramp that grows keeps whom it had, and weights that are all multiplied by the
//! same number change nothing.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use vocab::id::{Call, Release};
use vocab::{Id, LabelName};

use crate::{StoreError, canonical};

/// The longest metadata key that units are told apart by, in bytes.
const KEY_BYTES: usize = 200;
/// What stands before a metadata key in a unit's word.
const METADATA: &str = "metadata.";
/// What an exposure says when the call did not name its unit and was assigned by itself.
const NO_UNIT: &str = "none";

/// What answers a label besides the version it points at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// A release on its way from a part of the calls to all of them.
    Ramp(RampShare),
    /// An experiment.
    Experiment(Trial),
}

/// The part of a label's calls that a release serves so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RampShare {
    /// The release; its id is the salt.
    pub release: Id<Release>,
    /// The version it brings.
    pub version: u32,
    /// How much of the hash space it has.
    pub percent: u32,
}

/// A running experiment, as far as assigning takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// `prompt/label` when it was started.
    pub name: Arc<str>,
    /// The name and how often it was started.
    pub salt: Arc<str>,
    /// Whose calls belong together.
    pub unit: Unit,
    /// Its arms, in order: each has the next range of the hash space.
    pub arms: Vec<Arm>,
    /// Who does not take part.
    pub exclude: Exclusion,
}

/// One of the versions an experiment compares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    /// What records call it.
    pub name: Arc<str>,
    /// The version it serves.
    pub version: u32,
    /// Its part of all weights.
    pub weight: u32,
}

/// Who does not take part in an experiment: they get what the label points at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Exclusion {
    /// Users by name.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub users: BTreeSet<String>,
    /// Values of metadata by key, any of which excludes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, BTreeSet<String>>,
}

/// Whose calls belong together in an experiment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A user's.
    User,
    /// A session's.
    Session,
    /// A trace's.
    Trace,
    /// Each call by itself.
    Request,
    /// Those that say the same under a key of their metadata.
    Metadata(Arc<str>),
}

/// What a call can be told apart by.
#[derive(Clone, Copy, Debug)]
pub struct Units<'a> {
    /// The call itself; `None` for somebody who reads a prompt without calling.
    pub call: Option<Id<Call>>,
    /// The end user.
    pub user: Option<&'a str>,
    /// The session.
    pub session: Option<&'a str>,
    /// The caller's trace, when it named one.
    pub trace: Option<[u8; 16]>,
    /// The caller's metadata.
    pub metadata: &'a Map<String, Value>,
}

/// That a call took part in an experiment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// The experiment's name.
    pub experiment: Arc<str>,
    /// The arm that served.
    pub arm: Arc<str>,
    /// What the call was assigned by: the experiment's unit, or `none` when the call did not say its own.
    pub unit: Cow<'static, str>,
}

/// What a split comes to for one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assigned {
    /// The version; `None` is what the label points at.
    pub(crate) version: Option<u32>,
    pub(crate) exposure: Option<Exposure>,
}

/// What splits a prompt's labels.
pub type Splits = BTreeMap<LabelName, Split>;

impl Split {
    /// The versions it serves.
    pub fn versions(&self) -> BTreeSet<u32> {
        match self {
            Self::Ramp(share) => BTreeSet::from([share.version]),
            Self::Experiment(trial) => trial.arms.iter().map(|arm| arm.version).collect(),
        }
    }

    /// Which version answers a call. Whoever takes no part gets what the label points at, and where it points at
    /// nothing, the first arm.
    pub(crate) fn assign(&self, units: Option<&Units<'_>>, points: bool) -> Assigned {
        let part = units.and_then(|units| match self {
            Self::Ramp(share) => {
                share.covers(units).then_some(Assigned { version: Some(share.version), exposure: None })
            }
            Self::Experiment(trial) => trial.assign(units),
        });
        part.unwrap_or_else(|| Assigned { version: self.fallback(points), exposure: None })
    }

    fn fallback(&self, points: bool) -> Option<u32> {
        match self {
            Self::Experiment(trial) if !points => trial.arms.first().map(|arm| arm.version),
            Self::Experiment(_) | Self::Ramp(_) => None,
        }
    }
}

impl RampShare {
    fn covers(&self, units: &Units<'_>) -> bool {
        let salt = self.release.to_string();
        let said = units.user.or(units.session).map(str::as_bytes);
        placed(&salt, said, units).is_some_and(|place| lies_below(place, self.percent.into(), 100))
    }
}

impl Trial {
    /// The arm of a call; none for whoever is excluded, or reads without calling and without saying their unit.
    fn assign(&self, units: &Units<'_>) -> Option<Assigned> {
        if self.exclude.covers(units) {
            return None;
        }
        let said = self.unit.of(units);
        let arm = self.arm_at(placed(&self.salt, said.as_deref().map(str::as_bytes), units)?)?;
        let named = said.is_some() || self.unit == Unit::Request;
        let unit = if named { self.unit.word() } else { Cow::Borrowed(NO_UNIT) };
        let exposure = Exposure { experiment: Arc::clone(&self.name), arm: Arc::clone(&arm.name), unit };
        Some(Assigned { version: Some(arm.version), exposure: Some(exposure) })
    }

    /// The arm whose range a place lies in.
    fn arm_at(&self, place: u64) -> Option<&Arm> {
        let all: u64 = self.arms.iter().map(|arm| u64::from(arm.weight)).sum();
        let mut below = 0;
        self.arms.iter().find(|arm| {
            below += u64::from(arm.weight);
            lies_below(place, below, all)
        })
    }
}

impl Exclusion {
    /// Whether nobody is excluded.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.metadata.is_empty()
    }

    fn covers(&self, units: &Units<'_>) -> bool {
        if units.user.is_some_and(|user| self.users.contains(user)) {
            return true;
        }
        self.metadata
            .iter()
            .any(|(key, values)| units.metadata.get(key).is_some_and(|value| values.contains(&*text(value))))
    }
}

impl Unit {
    /// What a call says of its unit; nothing for one that did not say, and for each call by itself.
    fn of<'u>(&self, units: &Units<'u>) -> Option<Cow<'u, str>> {
        match self {
            Self::User => units.user.map(Cow::Borrowed),
            Self::Session => units.session.map(Cow::Borrowed),
            Self::Trace => units.trace.map(|trace| Cow::Owned(canonical::hex(&trace))),
            Self::Request => None,
            Self::Metadata(key) => units.metadata.get(&**key).filter(|value| !value.is_null()).map(text),
        }
    }

    /// The word for it.
    pub fn word(&self) -> Cow<'static, str> {
        match self {
            Self::User => Cow::Borrowed("user"),
            Self::Session => Cow::Borrowed("session"),
            Self::Trace => Cow::Borrowed("trace"),
            Self::Request => Cow::Borrowed("request"),
            Self::Metadata(key) => Cow::Owned(format!("{METADATA}{key}")),
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.word())
    }
}

impl FromStr for Unit {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        Ok(match text {
            "user" => Self::User,
            "session" => Self::Session,
            "trace" => Self::Trace,
            "request" => Self::Request,
            _ => match text.strip_prefix(METADATA) {
                Some(key) if (1..=KEY_BYTES).contains(&key.len()) && !key.contains('\0') => {
                    Self::Metadata(key.into())
                }
                Some(_) | None => {
                    let message = "`unit` must be user, session, trace, request or metadata.KEY";
                    return Err(StoreError::invalid("unit", message));
                }
            },
        })
    }
}

impl Serialize for Unit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Unit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Where the unit that was said lies in the hash space, else the call itself.
fn placed(salt: &str, said: Option<&[u8]>, units: &Units<'_>) -> Option<u64> {
    match (said, units.call) {
        (Some(unit), _) => Some(place(salt, unit)),
        (None, Some(call)) => Some(place(salt, &call.bytes())),
        (None, None) => None,
    }
}

/// Where a unit lies in the hash space.
fn place(salt: &str, unit: &[u8]) -> u64 {
    let digest = Sha256::new().chain_update(salt).chain_update(unit).finalize();
    digest.iter().take(8).fold(0, |place, byte| (place << 8) | u64::from(*byte))
}

/// Whether a place lies in the first `part` of `whole` of the hash space.
fn lies_below(place: u64, part: u64, whole: u64) -> bool {
    u128::from(place) * u128::from(whole) < u128::from(part) << 64
}

/// A value of metadata as text.
fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

#[cfg(test)]
mod tests;
