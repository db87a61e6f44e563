//! Measuring a rule now, for whoever writes it: nothing is stored and nobody is told.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{AlertPath, find};
use crate::admin::Admin;
use crate::admin::description::NotFound;
use crate::admin::given::Named;
use crate::admin::permission::{Allowed, Read};
use crate::jobs::alert::Verdict;
use crate::refusal::Refusal;

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::default().routes(routes!(test_alert))
}

/// What a rule would see now.
#[derive(Serialize, ToSchema)]
#[schema(as = AlertTrial, example = json!({
    "groups": [
        {"group": ["anthropic"], "value": 0.01, "reference": 0.05, "verdict": "fine"},
        {"group": ["openai"], "value": 0.12, "reference": 0.05, "verdict": "holds"},
    ],
    "trouble": null,
}))]
struct Trial {
    /// Each group there is.
    groups: Vec<Seen>,
    /// What is wrong, if anything; with it there may be no groups.
    trouble: Option<String>,
}

/// What was measured of a group.
#[derive(Serialize, ToSchema)]
#[schema(as = AlertTrialGroup)]
struct Seen {
    /// The values of the fields in `group_by`.
    group: Vec<Option<String>>,
    /// What was measured; null when there was nothing to measure.
    value: Option<f64>,
    /// What it was compared with.
    reference: Option<f64>,
    /// Whether the condition `holds`, is `fine`, or there is `nothing` to judge.
    verdict: &'static str,
}

/// Evaluate an alert now
///
/// Without telling anybody and without changing its state.
#[utoipa::path(
    post, path = "/alerts/{id}/test", tag = "alerts", params(AlertPath),
    responses((status = 200, description = "What it sees", body = Trial), NotFound),
)]
async fn test_alert(
    allowed: Allowed<Read>,
    State(admin): State<Admin>,
    Named(AlertPath { id }): Named<AlertPath>,
) -> Result<Json<Trial>, Refusal> {
    let alert = find(&admin, &allowed.project, &id).await?;
    let before = admin.app.registry.alert_states(alert.id).await?;
    let trial = match admin.app.jobs.watch.look(&alert, &before).await {
        Ok(sight) => {
            let groups = sight.groups.into_iter().map(|(group, seen)| Seen {
                group,
                value: seen.value,
                reference: seen.reference,
                verdict: word(seen.verdict),
            });
            Trial { groups: groups.collect(), trouble: sight.trouble }
        }
        Err(trouble) => Trial { groups: Vec::new(), trouble: Some(trouble) },
    };
    Ok(Json(trial))
}

const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "holds",
        Verdict::Fine => "fine",
        Verdict::Nothing => "nothing",
    }
}
