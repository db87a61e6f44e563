//! What evaluations found: each rule's state by group, its history, and the one transaction that stores both and
//! puts what is told into the queue.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use vocab::{Id, Page, Time, id};

use super::rule::words;
use super::{Alert, Severity};
use crate::db::{Result, Row, Tx, args, to_json};
use crate::paging::Paging;
use crate::webhooks::Event;
use crate::webhooks::deliveries::{Addressed, enqueue};
use crate::{Registry, StoreError};

/// The most entries kept of one rule's history; the oldest go first.
const HISTORY: i64 = 1_000;
/// The most groups of one rule that have a state.
pub const GROUP_STATES: usize = 100;

words! {
    /// How a rule stands, for one group.
    AlertState("state") {
        /// The condition does not hold.
        Ok = "ok",
        /// It holds, and not yet for long enough.
        Pending = "pending",
        /// It fires.
        Firing = "firing",
        /// There is nothing to judge.
        NoData = "no_data",
        /// It cannot be judged now.
        Error = "error",
    }
}

/// The values of the fields a rule groups by; empty without any.
pub type GroupValues = Vec<Option<String>>;

/// How a rule stands for one group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupState {
    /// The group.
    pub group: GroupValues,
    /// How it stands.
    pub state: AlertState,
    /// Since when.
    pub since: Time,
    /// What was measured last.
    pub value: Option<f64>,
    /// What it was compared with.
    pub reference: Option<f64>,
    /// Since when the condition no longer holds, while it still counts as firing.
    pub fine_since: Option<Time>,
    /// Whether somebody was told that it fires and not yet that it ended.
    pub announced: bool,
    /// When they were told last.
    pub told_at: Option<Time>,
}

/// A change of state, as the history has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// Stays.
    pub id: Id<id::AlertTurn>,
    /// The group.
    pub group: GroupValues,
    /// The state before; `None` when there was none.
    pub from: Option<AlertState>,
    /// The state after.
    pub to: AlertState,
    /// What was measured.
    pub value: Option<f64>,
    /// What it was compared with.
    pub reference: Option<f64>,
    /// When.
    pub at: Time,
}

/// What one evaluation of a rule found.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The rule as it was evaluated.
    pub alert: Alert,
    /// When.
    pub at: Time,
    /// All its groups' states from now on.
    pub states: Vec<GroupState>,
    /// What changed.
    pub turns: Vec<Turn>,
    /// What is told of it.
    pub events: Vec<Event>,
    /// What was wrong, if anything.
    pub trouble: Option<String>,
}

impl Registry {
    /// A rule's groups and how they stand.
    pub async fn alert_states(&self, id: Id<id::Alert>) -> Result<Vec<GroupState>> {
        let sql =
            "SELECT group_values, state, since_us, measured, reference, fine_since_us, announced, told_us
                   FROM alert_state WHERE alert_id = $1 ORDER BY group_values LIMIT 1000";
        let rows = self.db().all(sql, args![id.to_string()]).await?;
        rows.iter().map(read_state).collect()
    }

    /// A page of a rule's history, newest first.
    pub async fn alert_history(&self, id: Id<id::Alert>, paging: &Paging) -> Result<Page<Turn>> {
        let before = paging.after()?.unwrap_or_else(|| "g".to_owned());
        let sql =
            "SELECT id, group_values, from_state, to_state, measured, reference, at_us FROM alert_history
                   WHERE alert_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
        let rows = self.db().all(sql, args![id.to_string(), before, paging.rows()]).await?;
        let turns = rows.iter().map(read_turn).collect::<Result<Vec<_>>>()?;
        Ok(paging.page(turns, |turn| turn.id.to_string()))
    }

    /// How many groups fire, by how bad that is.
    pub async fn firing(&self) -> Result<Vec<(Severity, u64)>> {
        let sql =
            "SELECT a.rule AS rule, COUNT(*) AS firing FROM alert_state s JOIN alert a ON a.id = s.alert_id
                   WHERE s.state = 'firing' GROUP BY a.id, a.rule LIMIT 10000";
        let mut counts: Vec<_> = Severity::ALL.iter().map(|severity| (*severity, 0)).collect();
        for row in self.db().all(sql, args![]).await? {
            let rule: super::Rule = row.json("rule")?;
            let firing = u64::try_from(row.int("firing")?).unwrap_or_default();
            if let Some((_, count)) = counts.iter_mut().find(|(severity, _)| *severity == rule.severity) {
                *count += firing;
            }
        }
        Ok(counts)
    }

    /// Stores what an evaluation found and queues what is told of it, all or nothing. False when the rule was changed
    /// or somebody else evaluated it meanwhile: then nothing is stored and nobody is told.
    pub async fn record_evaluation(&self, evaluation: Evaluation) -> Result<bool> {
        self.chore(evaluation, |tx, evaluation| Box::pin(record(tx, evaluation))).await
    }
}

async fn record(tx: &mut Tx, it: &Evaluation) -> Result<bool> {
    let id = it.alert.id.to_string();
    let sql = "UPDATE alert SET evaluation = evaluation + 1, evaluated_us = $4, trouble = $5
               WHERE id = $1 AND evaluation = $2 AND revision = $3 AND enabled = TRUE";
    let basis =
        args![id.as_str(), it.alert.evaluation, it.alert.revision, it.at.micros(), it.trouble.clone()];
    if tx.run(sql, basis).await? == 0 {
        return Ok(false);
    }
    tx.run("DELETE FROM alert_state WHERE alert_id = $1", args![id.as_str()]).await?;
    for state in &it.states {
        insert_state(tx, &id, state).await?;
    }
    for turn in &it.turns {
        insert_turn(tx, &id, turn).await?;
    }
    if !it.turns.is_empty() {
        let sql = "DELETE FROM alert_history WHERE alert_id = $1 AND id <= (
                       SELECT id FROM alert_history WHERE alert_id = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)";
        tx.run(sql, args![id.as_str(), HISTORY]).await?;
    }
    let webhooks: Vec<_> = it.alert.rule.webhooks().collect();
    let mail: Vec<_> = it.alert.rule.addresses().map(str::to_owned).collect();
    for event in &it.events {
        enqueue(tx, event, Addressed { webhooks: &webhooks, mail: &mail }, it.at).await?;
    }
    Ok(true)
}

async fn insert_state(tx: &mut Tx, alert: &str, state: &GroupState) -> Result<()> {
    let sql = "INSERT INTO alert_state (alert_id, group_values, state, since_us, measured, reference,
                                        fine_since_us, announced, told_us)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let values = args![
        alert,
        to_json(&state.group)?,
        state.state.as_str(),
        state.since.micros(),
        state.value.map(|value| value.to_string()),
        state.reference.map(|reference| reference.to_string()),
        state.fine_since.map(Time::micros),
        state.announced,
        state.told_at.map(Time::micros)
    ];
    tx.run(sql, values).await?;
    Ok(())
}

async fn insert_turn(tx: &mut Tx, alert: &str, turn: &Turn) -> Result<()> {
    let sql =
        "INSERT INTO alert_history (id, alert_id, group_values, from_state, to_state, measured, reference,
                                          at_us)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let values = args![
        turn.id.to_string(),
        alert,
        to_json(&turn.group)?,
        turn.from.map(AlertState::as_str),
        turn.to.as_str(),
        turn.value.map(|value| value.to_string()),
        turn.reference.map(|reference| reference.to_string()),
        turn.at.micros()
    ];
    tx.run(sql, values).await?;
    Ok(())
}

fn read_state(row: &Row) -> Result<GroupState> {
    Ok(GroupState {
        group: row.json("group_values")?,
        state: row.parsed("state")?,
        since: row.time("since_us")?,
        value: row.maybe_parsed("measured")?,
        reference: row.maybe_parsed("reference")?,
        fine_since: row.maybe_time("fine_since_us")?,
        announced: row.bool("announced")?,
        told_at: row.maybe_time("told_us")?,
    })
}

fn read_turn(row: &Row) -> Result<Turn> {
    Ok(Turn {
        id: row.parsed("id")?,
        group: row.json("group_values")?,
        from: row.maybe_parsed("from_state")?,
        to: row.parsed("to_state")?,
        value: row.maybe_parsed("measured")?,
        reference: row.maybe_parsed("reference")?,
        at: row.time("at_us")?,
    })
}
