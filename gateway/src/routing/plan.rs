//! One call's tries: when another is worth it, and how long to wait before it.

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

/// The tries of one call at its route.
pub struct Plan {
    route: Arc<Route>,
    tries_left: u32,
    tries_made: u32,
    /// Why the first try goes here.
    reason: &'static str,
}

/// What follows a failed try.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Try again after this wait.
    Try {
        /// How long to wait first.
        wait: Duration,
    },
    /// Give up: the failure is the caller's answer.
    Stop,
}

impl Plan {
    /// A plan over one route, with the tries its provider is configured with.
    pub fn new(route: Arc<Route>) -> Self {
        Self::begin(route, "first target")
    }

    /// The same over the route of another model, when those before it failed.
    pub fn fallback(route: Arc<Route>) -> Self {
        Self::begin(route, "fallback after a failure")
    }

    fn begin(route: Arc<Route>, reason: &'static str) -> Self {
        let tries_left = route.provider.settings().tries;
        Self { route, tries_left, tries_made: 0, reason }
    }

    /// Where to send the next try, and why there.
    pub fn target(&mut self) -> (Arc<Route>, &'static str) {
        let reason = if self.tries_made == 0 {
            self.route.retries.earn();
            self.reason
        } else {
            "retry after a failure"
        };
        self.tries_made += 1;
        self.tries_left = self.tries_left.saturating_sub(1);
        (Arc::clone(&self.route), reason)
    }

    /// Judges a failure that took `took`, with `left` of the call's time remaining.
    pub fn failed(&self, failure: &Failure, took: Duration, left: Duration) -> Next {
        let wait = self.wait(failure);
        let worthwhile =
            failure.fault.class.retryable() && took < FAST_FAILURE && wait <= LONGEST_WAIT && wait < left;
        if worthwhile && self.tries_left > 0 && self.route.retries.spend() {
            return Next::Try { wait };
        }
        Next::Stop
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
