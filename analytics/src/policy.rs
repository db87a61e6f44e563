//! What of a project's calls is kept, and for how long.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::row::BodyPolicy;

/// What is kept of a call.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// How much of what callers and providers say.
    pub bodies: BodyPolicy,
    /// How long; `None` is for ever.
    pub retention: Option<Duration>,
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
        let keeps = |policy: &Policy| policy.bodies == BodyPolicy::Full;
        keeps(&self.default) || self.projects.values().any(|policy| keeps(policy))
    }

    /// The policy of this project.
    pub fn of_project(&self, project: &str) -> &Arc<Policy> {
        self.projects.get(project).unwrap_or(&self.default)
    }
}
