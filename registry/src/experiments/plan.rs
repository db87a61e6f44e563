//! What an experiment is to be: arms, weights, unit, who is left out, and whether it runs.

use std::collections::BTreeSet;

use super::ExperimentState;
use crate::StoreError;
use crate::assignment::{Arm, Exclusion, Unit};
use crate::db::Result;

/// How many arms an experiment has.
const ARMS: std::ops::RangeInclusive<usize> = 2..=20;
/// The longest name of an arm, in bytes.
const ARM_BYTES: usize = 64;
/// The largest weight.
const WEIGHT: u32 = 1_000_000;
/// The most users that are left out, the most keys of metadata and the most values of each.
const EXCLUDED_USERS: usize = 10_000;
const EXCLUDED_KEYS: usize = 20;
const EXCLUDED_VALUES: usize = 1_000;
/// The longest excluded user or value, in bytes.
const EXCLUDED_BYTES: usize = 256;

/// An experiment as it is to be.
#[derive(Clone, Debug)]
pub struct ExperimentPlan {
    /// The versions, in order: the order decides which range of units each gets.
    pub arms: Vec<Arm>,
    /// Whose calls belong together.
    pub unit: Unit,
    /// Who does not take part.
    pub exclude: Exclusion,
    /// Whether it runs.
    pub state: ExperimentState,
    /// Why its arms may break the label's callers, where the label's policy has them asked.
    pub waiver: Option<String>,
}

impl ExperimentPlan {
    pub(super) fn check(&self) -> Result<()> {
        if !ARMS.contains(&self.arms.len()) {
            let message = format!("`arms` has {} to {} arms", ARMS.start(), ARMS.end());
            return Err(StoreError::invalid("arms", message));
        }
        let mut names = BTreeSet::new();
        for (at, arm) in self.arms.iter().enumerate() {
            check_arm(at, arm)?;
            if !names.insert(&arm.name) {
                let message = format!("`arms[{at}].name`: there is an arm `{}` already", arm.name);
                return Err(StoreError::invalid(format!("arms[{at}].name"), message));
            }
        }
        check_exclusion(&self.exclude)
    }
}

fn check_arm(at: usize, arm: &Arm) -> Result<()> {
    let odd = |byte: u8| !byte.is_ascii_alphanumeric() && !matches!(byte, b'_' | b'.' | b'-');
    if !(1..=ARM_BYTES).contains(&arm.name.len()) || arm.name.bytes().any(odd) {
        let message = format!("`arms[{at}].name` must be 1 to {ARM_BYTES} of letters, digits, `_`, `.`, `-`");
        return Err(StoreError::invalid(format!("arms[{at}].name"), message));
    }
    if !(1..=WEIGHT).contains(&arm.weight) {
        let message = format!("`arms[{at}].weight` must be a whole number from 1 to {WEIGHT}");
        return Err(StoreError::invalid(format!("arms[{at}].weight"), message));
    }
    Ok(())
}

fn check_exclusion(exclude: &Exclusion) -> Result<()> {
    let wrong = |message: String| Err(StoreError::invalid("exclude", message));
    if exclude.users.len() > EXCLUDED_USERS {
        return wrong(format!("`exclude.users` has at most {EXCLUDED_USERS} users"));
    }
    let values = exclude.metadata.values();
    if exclude.metadata.len() > EXCLUDED_KEYS || values.clone().any(|values| values.len() > EXCLUDED_VALUES) {
        return wrong(format!(
            "`exclude.metadata` has at most {EXCLUDED_KEYS} keys with {EXCLUDED_VALUES} values each"
        ));
    }
    let words = exclude.users.iter().chain(exclude.metadata.keys()).chain(values.flatten());
    for word in words {
        if word.is_empty() || word.len() > EXCLUDED_BYTES || word.contains('\0') {
            return wrong(format!("users and metadata in `exclude` have 1 to {EXCLUDED_BYTES} bytes each"));
        }
    }
    Ok(())
}
