//! Deletes records past their project's retention.
//!
//! ClickHouse also does so by itself when it merges; what is asked for here is gone at the latest within the hour.

use std::sync::Arc;
use std::time::Duration;

use analytics::Doomed;
use config::Records;
use vocab::Time;

use crate::app::App;
use crate::listen::Stopping;

/// How often records past their retention are looked for.
const EVERY: Duration = Duration::from_hours(1);

/// Deletes what is past its retention, now and every hour, until the stop begins.
pub async fn run(app: Arc<App>, mut stopping: Stopping) {
    if doomed(&app.config.records, app.clock.now()).is_empty() {
        return;
    }
    loop {
        for doomed in doomed(&app.config.records, app.clock.now()) {
            delete(&app, doomed).await;
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stopping.begins() => return,
        }
    }
}

async fn delete(app: &App, doomed: Doomed) {
    let project = doomed.project.clone();
    match app.store.purge(doomed).await {
        Ok(0) => {}
        Ok(calls) => tracing::info!(calls, ?project, "deleted records past their retention"),
        Err(error) => {
            tracing::warn!(error = %error, ?project, "cannot delete records past their retention; tried again in an hour");
        }
    }
}

/// What is past its retention: of each project that is named, and of all others.
fn doomed(records: &Records, now: Time) -> Vec<Doomed> {
    let named = records.projects.iter().filter_map(|(name, project)| {
        let before = now.minus(project.retention?);
        Some(Doomed { project: Some(name.as_str().into()), before: Some(before), ..Doomed::default() })
    });
    let others = records.retention.map(|retention| Doomed {
        except: records.projects.keys().map(|name| name.as_str().into()).collect(),
        before: Some(now.minus(retention)),
        ..Doomed::default()
    });
    named.chain(others).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn records(text: &str) -> Records {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let nothing: BTreeMap<String, String> = BTreeMap::new();
        config::load(Some(file.path()), &nothing, &config::CommandLine::default()).unwrap().records
    }

    const DAY: Duration = Duration::from_hours(24);

    #[test]
    fn each_project_is_held_to_its_own_retention_and_all_others_to_the_usual_one() {
        let now = Time(1_800_000_000_000_000);
        let records = records(
            "[records]\nretention = \"90d\"\n[records.projects.a]\nretention = \"7d\"\n[records.projects.b]\nretention = \"forever\"\n",
        );
        let doomed = doomed(&records, now);
        let told: Vec<_> = doomed
            .iter()
            .map(|d| (d.project.as_deref(), d.except.len(), d.before, d.user.is_none()))
            .collect();
        assert_eq!(
            told,
            [(Some("a"), 0, Some(now.minus(7 * DAY)), true), (None, 2, Some(now.minus(90 * DAY)), true),]
        );
    }

    #[test]
    fn what_is_kept_for_ever_is_never_doomed() {
        assert!(doomed(&records(""), Time(1)).is_empty());
    }
}
