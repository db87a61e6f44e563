//! What callers really send, from the records of their calls: who the registry's contract checks ask.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use analytics::filter::{Field, Filter, Pattern, Term, Test};
use analytics::report::{Group, Measured, Report};
use analytics::{BodyPolicy, Policies, Store};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use registry::contract::{Asked, Callers, Lacking};
use tokio::time::timeout;
use vocab::{Clock, Time};

/// How long one question may take.
const REPORT_TIME: Duration = Duration::from_secs(20);
/// The most keys named for one variable.
const KEYS: u32 = 100;

/// Callers, as their records show them.
pub struct RecordedCallers {
    /// Where records are read.
    pub store: Arc<dyn Store>,
    /// What is kept of them.
    pub policies: Policies,
    /// The source of time.
    pub clock: Clock,
}

impl Callers for RecordedCallers {
    fn lacking<'a>(&'a self, asked: &'a Asked) -> BoxFuture<'a, Result<Vec<Lacking>, String>> {
        self.find(asked).boxed()
    }
}

impl fmt::Debug for RecordedCallers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordedCallers").finish_non_exhaustive()
    }
}

impl RecordedCallers {
    async fn find(&self, asked: &Asked) -> Result<Vec<Lacking>, String> {
        if self.policies.of_project(&asked.project).bodies == BodyPolicy::Off {
            return Err("records of this project keep no variables (`bodies = \"off\"`)".to_owned());
        }
        let mut found = Vec::new();
        for variable in &asked.variables {
            let report = self.report(asked, variable);
            let answered = timeout(REPORT_TIME, self.store.report(report)).await;
            let table = answered.map_err(|_| "reading the records took too long".to_owned())?;
            let table = table.map_err(|error| error.to_string())?;
            if !table.complete {
                return Err("reading the records took too long".to_owned());
            }
            found.extend(table.rows.into_iter().filter_map(|row| {
                let calls = row.values.first().copied().flatten().unwrap_or_default().round() as u64;
                let key = row.group.first().and_then(|key| key.as_deref()?.parse().ok());
                (calls > 0).then(|| Lacking { key, variable: variable.clone(), calls })
            }));
        }
        Ok(found)
    }

    /// How many calls that went well lacked a variable, by key.
    fn report(&self, asked: &Asked, variable: &str) -> Report {
        let is = |field, word: &str| Test::Is(field, vec![Pattern::Exactly(word.to_owned())]);
        let holds = |test| Term { negated: false, test };
        let sent = Test::Is(Field::Variable(variable.to_owned()), vec![Pattern::StartsWith(String::new())]);
        Report {
            project: Some(Arc::clone(&asked.project)),
            filter: Filter {
                terms: vec![
                    holds(is(Field::Prompt, &asked.prompt.to_string())),
                    holds(is(Field::Label, asked.label.as_str())),
                    holds(is(Field::Outcome, "ok")),
                    Term { negated: true, test: sent },
                ],
            },
            from: asked.since,
            // A report's end is exclusive.
            to: Time(self.clock.now().micros() + 1),
            ended_within: None,
            measures: vec![Measured::Calls],
            group_by: vec![Group::Field(Field::Key)],
            interval: None,
            limit: KEYS,
        }
    }
}
