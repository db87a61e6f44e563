//! Takes the steps of ramps that are due by time. Every node looks; each step is taken once, in the registry.

use std::time::Duration;

use registry::releases::Advanced;
use registry::{Registry, StoreError};

use crate::listen::Stopping;

/// How often steps are looked for. Looking costs one indexed read.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Takes ramps up their steps.
#[derive(Debug)]
pub struct Climber {
    pub(super) registry: Registry,
}

impl Climber {
    /// Takes what is due, time and again, until the program stops.
    pub async fn run(&self, mut stopping: Stopping) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = stopping.begins() => return,
            }
            if let Err(error) = self.climb().await {
                let source = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(error = %error, source, "the steps of ramps cannot be taken: they are tried again");
            }
        }
    }

    /// Takes every step that is due now, and says how many were taken.
    pub async fn climb(&self) -> Result<usize, StoreError> {
        let mut taken = 0;
        for advanced in self.registry.advance_ramps().await? {
            match advanced {
                Advanced::Already => {}
                Advanced::Taken(release) => {
                    taken += 1;
                    tracing::info!(
                        release.id = %release.id, prompt.name = %release.prompt, label = %release.label,
                        version = release.version, percent = release.percent, "a ramp took a step"
                    );
                }
                Advanced::Held { release, why } => {
                    tracing::info!(release.id = %release.id, why, "a ramp is held where it is");
                }
            }
        }
        Ok(taken)
    }
}
