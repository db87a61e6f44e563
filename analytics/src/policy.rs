//! What of a project's calls is kept, and for how long.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use vocab::Id;
use vocab::id::Call;

use crate::redact::Redaction;

/// How much of what callers and providers say is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyPolicy {
    /// Neither bodies nor previews nor variables nor metadata.
    Off,
    /// Variables and metadata.
    Metadata,
    /// All of it for a part of the calls, as `Metadata` for the others.
    Sampled(Sample),
    /// All of it.
    #[default]
    Full,
}

/// A part of all calls. Which calls are in it follows from their ids alone: every node agrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Calls whose number is below this are in it.
    below: u64,
}

impl Sample {
    /// The sample that has this part of all calls: none at 0, every one at 1.
    pub fn of(part: f64) -> Self {
        // A float beyond the range becomes the nearest there is.
        Self { below: (part * (u64::MAX as f64)) as u64 }
    }

    /// Whether the call or the trace with this id is in it.
    pub fn takes(self, id: [u8; 16]) -> bool {
        self.below == u64::MAX || number(id) < self.below
    }
}

/// A number that is as likely to be any as any other.
fn number(id: [u8; 16]) -> u64 {
    let bits = u128::from_be_bytes(id);
    // The id's random bits are neither all of it nor in one place: mixed as in SplitMix64.
    let mut mixed = (bits as u64) ^ ((bits >> 64) as u64).rotate_left(32);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl BodyPolicy {
    /// Whether bodies of any call may be kept.
    const fn may_keep(self) -> bool {
        matches!(self, Self::Sampled(_) | Self::Full)
    }

    /// Whether what was said in a span of this trace is kept.
    pub(crate) fn keeps_trace(self, trace_id: [u8; 16]) -> bool {
        match self {
            Self::Sampled(sample) => sample.takes(trace_id),
            Self::Off | Self::Metadata => false,
            Self::Full => true,
        }
    }

    /// What holds for this call: never `Sampled`.
    pub(crate) fn of_call(self, call: Id<Call>) -> Self {
        match self {
            Self::Sampled(sample) if sample.takes(call.bytes()) => Self::Full,
            Self::Sampled(_) => Self::Metadata,
            Self::Off | Self::Metadata | Self::Full => self,
        }
    }
}

/// What is kept of a call.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// How much of what callers and providers say.
    pub bodies: BodyPolicy,
    /// How long; `None` is for ever.
    pub retention: Option<Duration>,
    /// What is replaced before anything is stored.
    pub redaction: Redaction,
}

/// The policy of each project.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    /// Of projects that have none of their own.
    pub default: Arc<Policy>,
    /// By project.
    pub projects: HashMap<Arc<str>, Arc<Policy>>,
}

impl Policies {
    /// One policy for everything.
    pub fn of(policy: Policy) -> Self {
        Self { default: Arc::new(policy), projects: HashMap::new() }
    }

    /// Whether bodies of any project may be kept.
    pub(crate) fn keep_bodies(&self) -> bool {
        self.default.bodies.may_keep() || self.projects.values().any(|policy| policy.bodies.may_keep())
    }

    /// The policy of this project.
    pub fn of_project(&self, project: &str) -> &Arc<Policy> {
        self.projects.get(project).unwrap_or(&self.default)
    }
}

#[cfg(test)]
mod tests {
    use vocab::Time;

    use super::*;

    #[test]
    fn a_sample_takes_its_part_of_the_calls_and_always_the_same_ones() {
        let calls: Vec<Id<Call>> = (0..20_000).map(|i| Id::at(Time(1_700_000_000_000_000 + i))).collect();
        for part in [0.01, 0.1, 0.5, 0.9] {
            let sample = Sample::of(part);
            let taken = calls.iter().filter(|call| sample.takes(call.bytes())).count() as f64 / 20_000.0;
            assert!((taken - part).abs() < 0.02, "{part}: {taken}");
            assert!(
                calls.iter().all(|call| sample.takes(call.bytes()) == Sample::of(part).takes(call.bytes()))
            );
        }
        assert!(calls.iter().all(|call| Sample::of(1.0).takes(call.bytes())));
        assert!(!calls.iter().any(|call| Sample::of(0.0).takes(call.bytes())));
    }

    #[test]
    fn a_call_in_a_small_sample_is_in_every_larger_one() {
        for _ in 0..1_000 {
            let call = Id::<Call>::at(Time(1)).bytes();
            assert!(!Sample::of(0.1).takes(call) || Sample::of(0.2).takes(call));
        }
    }
}
