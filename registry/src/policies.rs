//! Policies of labels: what has to be so before a version answers one. Held to for everybody, by one door.

mod door;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use vocab::{LabelName, Time};

use crate::audit;
use crate::db::{Db, Result, Row, Tx, Writing, args, to_json};
use crate::projects::no_project;
use crate::prompts::names::check_text;
use crate::roles::{Permission, Who};
use crate::{Registry, StoreError};

pub(crate) use door::{Ask, Way, may_follow, may_include, may_reach, may_serve};

/// The most approvals a policy asks for.
const APPROVALS: u32 = 10;
/// The longest time on an earlier label: a year, in hours.
const HOURS: u32 = 24 * 366;
/// The most freezes of a label.
const FREEZES: usize = 50;
/// The longest reason of a freeze, in bytes.
const REASON_BYTES: usize = 500;
/// How many days of calls a contract check looks at when nobody says, and the most.
const CONTRACT_DAYS: u32 = 7;
const CONTRACT_DAYS_MOST: u32 = 90;
/// The most labels of a project with a policy of their own.
const POLICIES: i64 = 1_000;

/// What has to be so before a version answers a label, in every prompt of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelPolicy {
    /// The project.
    pub project: Arc<str>,
    /// The label.
    pub label: LabelName,
    /// What has to be so.
    pub rules: PolicyRules,
    /// Who set it; nobody where the label has the policy it starts with.
    pub updated_by: Option<String>,
    /// When.
    pub updated_at: Option<Time>,
    /// Changes with every change; 0 where it was never set.
    pub revision: i64,
}

/// The rules of a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PolicyRules {
    /// Whether only releasers reach it.
    pub protected: bool,
    /// How many others than author and proposer must approve a release.
    pub approvals: u32,
    /// The label a version has to serve, or to have served, before this one.
    pub after_label: Option<AfterLabel>,
    /// Whether a version that would break live callers is refused.
    pub contract_check: bool,
    /// How many days of calls that looks at.
    pub contract_days: u32,
    /// When nothing new may be served.
    pub freeze: Vec<Freeze>,
}

/// An earlier stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AfterLabel {
    /// The label.
    pub label: LabelName,
    /// How long a version that no longer serves it must have done so.
    #[serde(default)]
    pub hours: u32,
}

/// A time in which nothing new may be served. Rolling back is always allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    /// Its beginning.
    pub from: Time,
    /// Its end; until somebody lifts it when absent.
    #[serde(default)]
    pub to: Option<Time>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}

struct Setting {
    project: Arc<str>,
    label: LabelName,
    /// `None` goes back to what the label starts with.
    rules: Option<PolicyRules>,
    expected_revision: Option<i64>,
    who: Who,
    now: Time,
}

/// The columns [`read`] reads.
macro_rules! columns {
    () => {
        "project, label, protected, approvals, after_label, after_hours, contract_check, contract_days, freezes, \
         updated_by, updated_us, revision"
    };
}

const FIND: &str =
    concat!("SELECT ", columns!(), " FROM label_policy WHERE project = $1 AND label = $2 LIMIT 1");
const ALL: &str =
    concat!("SELECT ", columns!(), " FROM label_policy WHERE project = $1 ORDER BY label LIMIT $2");

impl PolicyRules {
    /// What a label starts with: `production` takes a releaser, the others nothing.
    pub fn initial(label: &LabelName) -> Self {
        Self {
            protected: label.as_str() == vocab::name::PRODUCTION,
            contract_days: CONTRACT_DAYS,
            ..Self::default()
        }
    }

    fn check(&self, label: &LabelName) -> Result<()> {
        if self.approvals > APPROVALS {
            let message = format!("`approvals` is at most {APPROVALS}");
            return Err(StoreError::invalid("approvals", message));
        }
        if let Some(after) = &self.after_label {
            check_after(label, after)?;
        }
        if !(1..=CONTRACT_DAYS_MOST).contains(&self.contract_days) {
            let message = format!("`contract_days` must be 1 to {CONTRACT_DAYS_MOST}");
            return Err(StoreError::invalid("contract_days", message));
        }
        if self.freeze.len() > FREEZES {
            return Err(StoreError::invalid("freeze", format!("`freeze` has at most {FREEZES} entries")));
        }
        self.freeze.iter().try_for_each(check_freeze)
    }

    /// The freeze a moment lies in.
    pub(crate) fn frozen(&self, now: Time) -> Option<&Freeze> {
        self.freeze.iter().find(|freeze| freeze.from <= now && freeze.to.is_none_or(|to| now < to))
    }
}

fn check_after(label: &LabelName, after: &AfterLabel) -> Result<()> {
    if after.label == *label {
        let message = "`after_label` must name another label than its own";
        return Err(StoreError::invalid("after_label", message));
    }
    if after.hours > HOURS {
        let message = format!("`after_label.hours` is at most {HOURS}");
        return Err(StoreError::invalid("after_label.hours", message));
    }
    Ok(())
}

fn check_freeze(freeze: &Freeze) -> Result<()> {
    if freeze.to.is_some_and(|to| to <= freeze.from) {
        let message = format!("a freeze ends after it begins, and this one begins at {}", freeze.from);
        return Err(StoreError::invalid("freeze", message));
    }
    check_text("freeze", freeze.reason.as_deref().unwrap_or_default(), REASON_BYTES)
}

impl Registry {
    /// The policy of a label: its own, or what it starts with.
    pub async fn get_label_policy(&self, project: &str, label: &LabelName) -> Result<LabelPolicy> {
        self.check_project(project).await?;
        find(self.db(), project, label).await
    }

    /// The policies that were set, and production's, by label.
    pub async fn list_label_policies(&self, project: &str) -> Result<Vec<LabelPolicy>> {
        self.check_project(project).await?;
        let rows = self.db().all(ALL, args![project, POLICIES]).await?;
        let mut policies = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
        let production = LabelName::production();
        if !policies.iter().any(|policy| policy.label == production) {
            policies.push(initial(project, &production));
            policies.sort_by(|one, other| one.label.cmp(&other.label));
        }
        Ok(policies)
    }

    /// Sets a label's policy. Releases that were proposed before are held to the new one.
    pub async fn set_label_policy(
        &self,
        (project, label): (&str, &LabelName),
        rules: PolicyRules,
        expected_revision: Option<i64>,
        who: &Who,
    ) -> Result<LabelPolicy> {
        rules.check(label)?;
        let setting = self.setting((project, label), Some(rules), expected_revision, who)?;
        self.write(setting, |writing, setting| Box::pin(set(writing, setting))).await
    }

    /// Gives a label back the policy it starts with.
    pub async fn reset_label_policy(
        &self,
        (project, label): (&str, &LabelName),
        expected_revision: Option<i64>,
        who: &Who,
    ) -> Result<LabelPolicy> {
        let setting = self.setting((project, label), None, expected_revision, who)?;
        self.write(setting, |writing, setting| Box::pin(set(writing, setting))).await
    }

    fn setting(
        &self,
        (project, label): (&str, &LabelName),
        rules: Option<PolicyRules>,
        expected_revision: Option<i64>,
        who: &Who,
    ) -> Result<Setting> {
        // Policies hold in all prompts of a project; only admins set them, whom no folders or labels hold.
        who.require(Permission::WritePolicies)?;
        let now = self.clock().now();
        let (label, who) = (label.clone(), who.clone());
        Ok(Setting { project: project.into(), label, rules, expected_revision, who, now })
    }

    async fn check_project(&self, project: &str) -> Result<()> {
        let sql = "SELECT name FROM project WHERE name = $1 LIMIT 1";
        self.db().maybe(sql, args![project]).await?.map(|_| ()).ok_or_else(|| no_project(project))
    }
}

/// The policy of a label.
pub(crate) async fn find(db: &Db, project: &str, label: &LabelName) -> Result<LabelPolicy> {
    let row = db.maybe(FIND, args![project, label.as_str()]).await?;
    Ok(row.as_ref().map(read).transpose()?.unwrap_or_else(|| initial(project, label)))
}

/// The policy of a label inside a transaction.
pub(crate) async fn of(tx: &mut Tx, project: &str, label: &LabelName) -> Result<LabelPolicy> {
    let row = tx.maybe(FIND, args![project, label.as_str()]).await?;
    Ok(row.as_ref().map(read).transpose()?.unwrap_or_else(|| initial(project, label)))
}

async fn set(writing: &mut Writing, it: &Setting) -> Result<LabelPolicy> {
    let sql = "SELECT name FROM project WHERE name = $1 LIMIT 1";
    if writing.tx.maybe(sql, args![&*it.project]).await?.is_none() {
        return Err(no_project(&it.project));
    }
    let before = of(&mut writing.tx, &it.project, &it.label).await?;
    if it.expected_revision.is_some_and(|expected| expected != before.revision) {
        let winner = before.updated_by.map(|who| format!(" by {who}")).unwrap_or_default();
        let message =
            format!("the policy of label `{}` was changed meanwhile{winner}: read it again", it.label);
        return Err(StoreError::Stale { message, current: None });
    }
    let Some(rules) = &it.rules else {
        let sql = "DELETE FROM label_policy WHERE project = $1 AND label = $2";
        writing.tx.run(sql, args![&*it.project, it.label.as_str()]).await?;
        let after = initial(&it.project, &it.label);
        note(writing, it, (&before, &after)).await?;
        return Ok(after);
    };
    let sql = "SELECT COUNT(*) AS policies FROM label_policy WHERE project = $1 LIMIT 1";
    let row = writing.tx.maybe(sql, args![&*it.project]).await?;
    let policies = row.map(|row| row.int("policies")).transpose()?.unwrap_or_default();
    if before.revision == 0 && policies >= POLICIES {
        let message = format!("a project has at most {POLICIES} label policies: delete one first");
        return Err(StoreError::Conflict(message));
    }
    store(writing, it, rules).await?;
    let after = of(&mut writing.tx, &it.project, &it.label).await?;
    note(writing, it, (&before, &after)).await?;
    Ok(after)
}

async fn note(
    writing: &mut Writing,
    it: &Setting,
    (before, after): (&LabelPolicy, &LabelPolicy),
) -> Result<()> {
    let changes = audit::changes(&json!(before.rules), &json!(after.rules));
    let detail = json!({"label": it.label, "changes": changes});
    let entry = audit::Entry { action: "label.policy_changed", target: it.label.as_str(), detail };
    audit::note(writing, &it.who, &it.project, entry).await
}

async fn store(writing: &mut Writing, it: &Setting, rules: &PolicyRules) -> Result<()> {
    let sql = "INSERT INTO label_policy (project, label, protected, approvals, after_label, after_hours,
                                         contract_check, contract_days, freezes, updated_by, updated_us,
                                         revision)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
               ON CONFLICT (project, label) DO UPDATE SET protected = excluded.protected,
                   approvals = excluded.approvals, after_label = excluded.after_label,
                   after_hours = excluded.after_hours, contract_check = excluded.contract_check,
                   contract_days = excluded.contract_days, freezes = excluded.freezes,
                   updated_by = excluded.updated_by, updated_us = excluded.updated_us,
                   revision = excluded.revision";
    let after = rules.after_label.as_ref();
    let values = args![
        &*it.project,
        it.label.as_str(),
        rules.protected,
        rules.approvals,
        after.map(|after| after.label.as_str()),
        after.map(|after| after.hours),
        rules.contract_check,
        rules.contract_days,
        to_json(&rules.freeze)?,
        &*it.who.owner,
        it.now.micros(),
        writing.revision
    ];
    writing.tx.run(sql, values).await?;
    Ok(())
}

fn initial(project: &str, label: &LabelName) -> LabelPolicy {
    LabelPolicy {
        project: project.into(),
        label: label.clone(),
        rules: PolicyRules::initial(label),
        updated_by: None,
        updated_at: None,
        revision: 0,
    }
}

fn read(row: &Row) -> Result<LabelPolicy> {
    let after = row.maybe_parsed("after_label")?;
    let hours = row.maybe_number("after_hours")?.unwrap_or_default();
    Ok(LabelPolicy {
        project: row.text("project")?.into(),
        label: row.parsed("label")?,
        rules: PolicyRules {
            protected: row.bool("protected")?,
            approvals: row.number("approvals")?,
            after_label: after.map(|label| AfterLabel { label, hours }),
            contract_check: row.bool("contract_check")?,
            contract_days: row.number("contract_days")?,
            freeze: row.json("freezes")?,
        },
        updated_by: Some(row.text("updated_by")?),
        updated_at: Some(row.time("updated_us")?),
        revision: row.int("revision")?,
    })
}
