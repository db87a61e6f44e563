//! One call's tries: which target comes next, when, and why not another.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use super::Route;
use crate::upstream::Failure;

/// A failure that took longer is not tried again: the caller has waited enough, and the provider worked on it.
const FAST_FAILURE: Duration = Duration::from_secs(10);
/// The longest a caller is kept waiting between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// The wait before the first retry; doubled for each further one.
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// Retries a route may have saved up, in tenths.
const RETRY_CREDIT_MAX: i32 = 100;

/// The targets of one call, in order, and the tries left on the present one.
pub struct Plan {
    targets: std::vec::IntoIter<Arc<Route>>,
    present: Option<Arc<Route>>,
    tries_left: u32,
    tries_made: u32,
    reason: &'static str,
}

/// What follows a failed try.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Try [`Plan::target`] after this wait.
    Try {
        /// How long to wait first.
        wait: Duration,
    },
    /// Give up: the failure is the caller's answer.
    Stop,
}

impl Plan {
    /// A plan over `targets`; the first is tried first.
    pub fn new(targets: Vec<Arc<Route>>) -> Self {
        let mut targets = targets.into_iter();
        let present = targets.next();
        let tries_left = present.as_ref().map_or(0, |route| route.provider.settings().tries);
        Self { targets, present, tries_left, tries_made: 0, reason: "first target" }
    }

    /// The target to try now, and why this one.
    pub fn target(&mut self) -> Option<(Arc<Route>, &'static str)> {
        let route = self.present.clone()?;
        if self.tries_made == 0 {
            route.retries.earn();
        }
        self.tries_made += 1;
        self.tries_left = self.tries_left.saturating_sub(1);
        Some((route, self.reason))
    }

    /// Tries made so far.
    pub const fn tries_made(&self) -> u32 {
        self.tries_made
    }

    /// Judges a failure that took `took`, with `left` of the call's time remaining.
    pub fn failed(&mut self, failure: &Failure, took: Duration, left: Duration) -> Next {
        let class = failure.fault.class;
        let wait = self.wait(failure);
        let worthwhile = class.retryable() && took < FAST_FAILURE && wait <= LONGEST_WAIT && wait < left;
        if worthwhile
            && self.tries_left > 0
            && self.present.as_ref().is_some_and(|route| route.retries.spend())
        {
            self.reason = "retry after a failure";
            return Next::Try { wait };
        }
        if !class.may_work_elsewhere() {
            return Next::Stop;
        }
        self.present = self.targets.next();
        match &self.present {
            Some(route) if !left.is_zero() => {
                self.tries_left = route.provider.settings().tries;
                self.reason = "fallback after a failure";
                Next::Try { wait: Duration::ZERO }
            }
            Some(_) | None => Next::Stop,
        }
    }

    fn wait(&self, failure: &Failure) -> Duration {
        if let Some(asked) = failure.fault.retry_after {
            return asked;
        }
        if failure.unsent && self.tries_made == 1 {
            return Duration::ZERO;
        }
        FIRST_WAIT * 2_u32.saturating_pow(self.tries_made.saturating_sub(1).min(6))
    }
}

/// Keeps retries below a tenth of a route's calls, so that a struggling provider is not buried under them.
/// A route starts with ten saved up.
pub struct RetryBudget(AtomicI32);

impl Default for RetryBudget {
    fn default() -> Self {
        Self(AtomicI32::new(RETRY_CREDIT_MAX))
    }
}

impl RetryBudget {
    /// Each call adds a tenth of a retry.
    fn earn(&self) {
        if self.0.load(Ordering::Relaxed) < RETRY_CREDIT_MAX {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn spend(&self) -> bool {
        let spent = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |tenths| {
            (tenths >= 10).then_some(tenths - 10)
        });
        spent.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_earns_one_retry_in_ten_calls() {
        let budget = RetryBudget::default();
        let at_once = (0..100).filter(|_| budget.spend()).count();
        assert_eq!(at_once, 10);
        for _ in 0..9 {
            budget.earn();
        }
        assert!(!budget.spend());
        budget.earn();
        assert!(budget.spend());
    }
}
