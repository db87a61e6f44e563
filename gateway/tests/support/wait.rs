//! Waiting for what a test caused, with an end to it.

use std::future::Future;
use std::time::Duration;

/// Longer than anything a test waits for takes, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a condition nobody announces is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Waits for `what`, and fails the test when it does not come.
pub async fn patiently<T>(what: &str, coming: impl Future<Output = T>) -> T {
    let came = tokio::time::timeout(PATIENCE, coming).await;
    came.unwrap_or_else(|_| panic!("waited {PATIENCE:?} for {what}"))
}

/// Looks again and again until `look` sees something.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        loop {
            ticks.tick().await;
            if let Some(seen) = look().await {
                return seen;
            }
        }
    };
    patiently(what, looking).await
}
