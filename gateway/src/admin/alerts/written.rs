//! Rules as people write them: durations as `5m`, what is left out as what most mean.

use registry::alerts::{Comparison, Condition, Missing, Period, Rule, Severity, Target, Unit};
use registry::{Alert, AlertChange};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::admin::given::present;
use crate::admin::span::Span;

/// When a rule fires. Measures are those of reports (`calls`, `errors`, `error_rate`, `cost`, `unpriced`, `tokens`,
/// `latency_p95`, `ttft_p95`, `cache_hit_rate`, `score.<name>`…), in dollars, seconds, and parts of 1.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
#[schema(as = AlertCondition)]
pub(super) enum ConditionBody {
    /// A measure over the last while, against a number.
    Threshold {
        /// What is measured.
        measure: String,
        /// Which side of `value` fires.
        #[schema(value_type = ComparisonBody)]
        comparison: Comparison,
        /// The limit.
        value: f64,
        /// The last while: 1m to 31d.
        #[schema(value_type = String, example = "5m")]
        window: Span,
    },
    /// A measure over the last while, against the while before. There is nothing to judge where it was 0 before.
    Change {
        /// What is measured.
        measure: String,
        /// Which side of `value` fires.
        #[schema(value_type = ComparisonBody)]
        comparison: Comparison,
        /// The limit, in `unit`.
        value: f64,
        /// `percent`: 50 is half as much again, -50 half; `factor`: 2 is twice as much. `percent` when absent.
        #[serde(default = "percent")]
        #[schema(value_type = Option<UnitBody>)]
        unit: Unit,
        /// The last while, and the while before: 1m to 31d.
        #[schema(value_type = String, example = "1h")]
        window: Span,
    },
    /// What was spent since the present hour, day or month began (UTC). Calls of unknown cost add nothing.
    Cost {
        /// The amount, US dollars.
        amount_usd: f64,
        /// Since when.
        #[schema(value_type = PeriodBody)]
        per: Period,
        /// At how much of the amount it fires; 100 when absent.
        #[serde(default = "all")]
        #[schema(value_type = Option<f64>)]
        at_percent: f64,
    },
}

const fn percent() -> Unit {
    Unit::Percent
}

const fn all() -> f64 {
    100.0
}

/// Declares an enum that only documents one of the registry's.
macro_rules! documents {
    ($($(#[$about:meta])* $body:ident as $name:ident { $($variant:ident),+ })+) => {$(
        $(#[$about])*
        #[derive(ToSchema)]
        #[schema(as = $name, rename_all = "snake_case")]
        #[expect(dead_code, reason = "documents an enum of the registry, which knows nothing of HTTP")]
        pub(super) enum $body { $($variant),+ }
    )+};
}
documents! {
    /// Which side of a number.
    ComparisonBody as AlertComparison { Above, AtLeast, Below, AtMost }
    /// What the limit of a change counts.
    UnitBody as AlertUnit { Percent, Factor }
    /// A stretch of the calendar, UTC.
    PeriodBody as AlertPeriod { Hour, Day, Month }
    /// What it means when there is nothing to judge: all is well, whatever was the case still is, or the condition holds.
    MissingBody as AlertMissing { Ok, Keep, Fire }
    /// How bad it is.
    SeverityBody as AlertSeverity { Info, Warning, Critical }
    /// How an alert stands.
    StateBody as AlertState { Ok, Pending, Firing, NoData, Error }
}

/// Somebody who is told.
#[derive(ToSchema)]
#[schema(as = AlertTarget, rename_all = "snake_case")]
#[expect(dead_code, reason = "documents `Target`")]
pub(super) enum TargetBody {
    /// The id of a webhook, one of Slack's included.
    Webhook(String),
    /// An e-mail address.
    Email(String),
}

/// What a rule watches and who is told.
#[derive(Serialize, ToSchema)]
pub(super) struct RuleBody {
    /// When it fires.
    condition: ConditionBody,
    /// Which calls, as search text; all when empty.
    q: String,
    /// Fields that split the calls, at most 3: each combination of values stands for itself.
    group_by: Vec<String>,
    /// With fewer calls there is nothing to judge.
    min_calls: u64,
    /// How long the condition must hold before it fires.
    #[serde(rename = "for")]
    #[schema(value_type = String)]
    hold: Span,
    /// How long it must no longer hold before it is over.
    #[schema(value_type = String)]
    recover: Span,
    /// What it means when there is nothing to judge.
    #[schema(value_type = MissingBody)]
    missing: Missing,
    /// How bad it is.
    #[schema(value_type = SeverityBody)]
    severity: Severity,
    /// Who is told, besides webhooks that subscribe to `alert.*`.
    #[schema(value_type = Vec<TargetBody>)]
    notify: Vec<Target>,
    /// How often they are told again while it fires; null for never.
    #[schema(value_type = Option<String>)]
    renotify: Option<Span>,
}

impl From<&Rule> for RuleBody {
    fn from(rule: &Rule) -> Self {
        Self {
            condition: ConditionBody::from(&rule.condition),
            q: rule.q.clone(),
            group_by: rule.group_by.clone(),
            min_calls: rule.min_calls,
            hold: Span(rule.for_seconds),
            recover: Span(rule.recover_seconds),
            missing: rule.missing,
            severity: rule.severity,
            notify: rule.notify.clone(),
            renotify: rule.renotify_seconds.map(Span),
        }
    }
}

impl From<&Condition> for ConditionBody {
    fn from(condition: &Condition) -> Self {
        match condition.clone() {
            Condition::Threshold { measure, comparison, value, window_seconds } => {
                Self::Threshold { measure, comparison, value, window: Span(window_seconds) }
            }
            Condition::Change { measure, comparison, value, unit, window_seconds } => {
                Self::Change { measure, comparison, value, unit, window: Span(window_seconds) }
            }
            Condition::Cost { amount_usd, per, at_percent } => Self::Cost { amount_usd, per, at_percent },
        }
    }
}

impl From<ConditionBody> for Condition {
    fn from(body: ConditionBody) -> Self {
        match body {
            ConditionBody::Threshold { measure, comparison, value, window } => {
                Self::Threshold { measure, comparison, value, window_seconds: window.0 }
            }
            ConditionBody::Change { measure, comparison, value, unit, window } => {
                Self::Change { measure, comparison, value, unit, window_seconds: window.0 }
            }
            ConditionBody::Cost { amount_usd, per, at_percent } => Self::Cost { amount_usd, per, at_percent },
        }
    }
}

/// An alert to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "checkout errors",
    "condition": {"kind": "threshold", "measure": "error_rate", "comparison": "above", "value": 0.05, "window": "5m"},
    "q": "tag:checkout",
    "group_by": ["provider"],
    "min_calls": 20,
    "for": "2m",
    "severity": "critical",
    "notify": [{"webhook": "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d"}],
    "renotify": "4h",
}))]
pub(super) struct NewAlert {
    /// What people call it; unique in its project.
    name: String,
    /// Whether it is evaluated; true when absent.
    pub(super) enabled: Option<bool>,
    /// When it fires.
    condition: ConditionBody,
    /// Which calls, as search text; all when absent.
    #[serde(default)]
    q: String,
    /// Fields that split the calls, at most 3.
    #[serde(default)]
    group_by: Vec<String>,
    /// With fewer calls there is nothing to judge.
    #[serde(default)]
    min_calls: u64,
    /// How long the condition must hold before it fires; at once when absent.
    #[serde(rename = "for")]
    #[schema(value_type = Option<String>, example = "2m")]
    hold: Option<Span>,
    /// How long it must no longer hold before it is over; at once when absent.
    #[schema(value_type = Option<String>, example = "5m")]
    recover: Option<Span>,
    /// What it means when there is nothing to judge; `ok` when absent.
    #[schema(value_type = Option<MissingBody>)]
    missing: Option<Missing>,
    /// How bad it is; `warning` when absent.
    #[schema(value_type = Option<SeverityBody>)]
    severity: Option<Severity>,
    /// Who is told, besides webhooks that subscribe to `alert.*`.
    #[serde(default)]
    #[schema(value_type = Vec<TargetBody>)]
    notify: Vec<Target>,
    /// How often they are told again while it fires, 5m to 30d; never when absent.
    #[schema(value_type = Option<String>, example = "4h")]
    renotify: Option<Span>,
}

impl NewAlert {
    /// Its name and what it says.
    pub(super) fn into_rule(self) -> (String, Rule) {
        let rule = Rule {
            condition: self.condition.into(),
            q: self.q,
            group_by: self.group_by,
            min_calls: self.min_calls,
            for_seconds: self.hold.map_or(0, |span| span.0),
            recover_seconds: self.recover.map_or(0, |span| span.0),
            missing: self.missing.unwrap_or(Missing::Ok),
            severity: self.severity.unwrap_or(Severity::Warning),
            notify: self.notify,
            renotify_seconds: self.renotify.map(|span| span.0),
        };
        (self.name, rule)
    }
}

/// What to change of an alert; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"severity": "warning", "for": "5m", "renotify": null}))]
#[expect(clippy::option_option, reason = "absent leaves a field alone, null sets it to none")]
pub(super) struct AlertPatch {
    /// What people call it.
    name: Option<String>,
    /// Whether it is evaluated.
    enabled: Option<bool>,
    /// When it fires; all of it.
    condition: Option<ConditionBody>,
    /// Which calls, as search text.
    q: Option<String>,
    /// Fields that split the calls.
    group_by: Option<Vec<String>>,
    /// With fewer calls there is nothing to judge.
    min_calls: Option<u64>,
    /// How long the condition must hold before it fires.
    #[serde(rename = "for")]
    #[schema(value_type = Option<String>)]
    hold: Option<Span>,
    /// How long it must no longer hold before it is over.
    #[schema(value_type = Option<String>)]
    recover: Option<Span>,
    /// What it means when there is nothing to judge.
    #[schema(value_type = Option<MissingBody>)]
    missing: Option<Missing>,
    /// How bad it is.
    #[schema(value_type = Option<SeverityBody>)]
    severity: Option<Severity>,
    /// All who are told.
    #[schema(value_type = Option<Vec<TargetBody>>)]
    notify: Option<Vec<Target>>,
    /// How often they are told again while it fires; null for never.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    renotify: Option<Option<Span>>,
}

impl AlertPatch {
    /// The change it makes of an alert as it is now; only of that, since it is put together with what is there.
    pub(super) fn change(&self, now: &Alert) -> AlertChange {
        let was = &now.rule;
        let rule = Rule {
            condition: self.condition.clone().map_or_else(|| was.condition.clone(), Condition::from),
            q: self.q.clone().unwrap_or_else(|| was.q.clone()),
            group_by: self.group_by.clone().unwrap_or_else(|| was.group_by.clone()),
            min_calls: self.min_calls.unwrap_or(was.min_calls),
            for_seconds: self.hold.map_or(was.for_seconds, |span| span.0),
            recover_seconds: self.recover.map_or(was.recover_seconds, |span| span.0),
            missing: self.missing.unwrap_or(was.missing),
            severity: self.severity.unwrap_or(was.severity),
            notify: self.notify.clone().unwrap_or_else(|| was.notify.clone()),
            renotify_seconds: self.renotify.map_or(was.renotify_seconds, |span| span.map(|span| span.0)),
        };
        AlertChange {
            name: self.name.clone(),
            enabled: self.enabled,
            rule: (rule != *was).then_some(rule),
            muted_until: None,
            expected_revision: Some(now.revision),
        }
    }
}
