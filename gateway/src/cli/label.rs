//! `weir label`: where a prompt's labels point, moving them and back, and what has to be so before they move.

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::client::{Client, segment};
use super::{complain, say, table};

/// What can be done with labels.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Lists a prompt's labels.
    List {
        /// The prompt.
        prompt: String,
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
    /// Points a label at a version.
    Move(Move),
    /// Puts a label back to what it served before.
    Rollback(Place),
    /// Takes a label away; its history stays.
    Remove {
        /// Which.
        #[command(flatten)]
        place: Place,
        /// Ends a ramp or an experiment on the label.
        #[arg(long)]
        end: bool,
    },
    /// Lists a label's moves, newest first.
    History {
        /// The prompt.
        prompt: String,
        /// The label.
        label: String,
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
    /// Prints a label's policy as JSON, or sets it.
    Policy(Policy),
}

/// A label, and on what condition it is changed.
#[derive(Debug, clap::Args)]
pub struct Place {
    /// The prompt.
    prompt: String,
    /// The label.
    label: String,
    /// Refuses unless it points at this version now.
    #[arg(long, value_name = "VERSION")]
    expect: Option<u32>,
    /// Why, for the history.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// A label to move.
#[derive(Debug, clap::Args)]
pub struct Move {
    /// The prompt.
    prompt: String,
    /// The label.
    label: String,
    /// The version it is to point at.
    #[arg(value_name = "VERSION")]
    to: u32,
    /// Refuses unless it points at this version now; 0: unless it is not there.
    #[arg(long, value_name = "VERSION")]
    expect: Option<u32>,
    /// Why, for the history.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Ends a ramp or an experiment on the label.
    #[arg(long)]
    end: bool,
    /// Why it may break the label's callers, where its policy has them asked.
    #[arg(long = "override", value_name = "TEXT")]
    waiver: Option<String>,
}

/// A policy to look at, or to set: what is not named is as the label starts with it.
#[derive(Debug, clap::Args)]
pub struct Policy {
    /// The label, in all prompts of the project.
    label: String,
    /// Whether only releasers reach it.
    #[arg(long, value_name = "BOOL")]
    protected: Option<bool>,
    /// How many others than author and proposer must approve a release.
    #[arg(long, value_name = "COUNT")]
    approvals: Option<u32>,
    /// The label a version has to serve or to have served before.
    #[arg(long, value_name = "LABEL")]
    after: Option<String>,
    /// For how many hours, where it no longer serves it.
    #[arg(long, requires = "after", value_name = "HOURS")]
    after_hours: Option<u32>,
    /// When nothing new may be served, such as `2026-12-23T00:00:00Z..2027-01-02T00:00:00Z=holidays`; without an end until
    /// it is lifted. Once or more.
    #[arg(long, value_name = "FROM[..TO][=REASON]")]
    freeze: Vec<String>,
    /// Whether a version that would break live callers is refused.
    #[arg(long, value_name = "BOOL")]
    contract_check: Option<bool>,
    /// How many days of calls that looks at.
    #[arg(long, value_name = "DAYS")]
    contract_days: Option<u32>,
    /// Gives it back the policy it starts with.
    #[arg(long, conflicts_with_all = ["protected", "approvals", "after", "freeze", "contract_check", "contract_days"])]
    reset: bool,
}

/// Runs one of the commands.
pub fn run(client: &Client, command: &Command) -> anyhow::Result<()> {
    match command {
        Command::List { prompt, json } => {
            let labels = client.all(&path(prompt, ""), &[])?;
            say(&if *json { Value::from(labels).to_string() } else { listed(&labels) });
        }
        Command::Move(put) => {
            let moved = client.put(&path(&put.prompt, &put.label), &put.body())?;
            complain(&stands(&put.prompt, &moved));
        }
        Command::Rollback(Place { prompt, label, expect, reason }) => {
            let body = condition(*expect, reason.as_deref());
            let moved = client.post(&format!("{}/rollback", path(prompt, label)), &Value::Object(body))?;
            complain(&stands(prompt, &moved));
        }
        Command::Remove { place: Place { prompt, label, expect, reason }, end } => {
            let mut body = condition(*expect, reason.as_deref());
            body.insert("end".into(), json!(end));
            client.delete_if(&path(prompt, label), &Value::Object(body))?;
            complain(&format!("`{label}` of {prompt} is gone"));
        }
        Command::History { prompt, label, json } => {
            let moves = client.all(&format!("{}/history", path(prompt, label)), &[])?;
            say(&if *json { Value::from(moves).to_string() } else { told(&moves) });
        }
        Command::Policy(policy) => policy.run(client)?,
    }
    Ok(())
}

fn path(prompt: &str, label: &str) -> String {
    let labels = format!("/prompts/{}/labels", segment(prompt));
    if label.is_empty() { labels } else { format!("{labels}/{}", segment(label)) }
}

fn condition(expect: Option<u32>, reason: Option<&str>) -> Map<String, Value> {
    let mut body = Map::new();
    if let Some(version) = expect {
        body.insert("expected_version".into(), json!(version));
    }
    if let Some(reason) = reason {
        body.insert("reason".into(), json!(reason));
    }
    body
}

impl Move {
    fn body(&self) -> Value {
        let mut body = condition(self.expect, self.reason.as_deref());
        body.insert("version".into(), json!(self.to));
        if self.end {
            body.insert("end".into(), json!(true));
        }
        if let Some(waiver) = &self.waiver {
            body.insert("override".into(), json!(waiver));
        }
        Value::Object(body)
    }
}

impl Policy {
    fn run(&self, client: &Client) -> anyhow::Result<()> {
        let path = format!("/labels/{}/policy", segment(&self.label));
        if self.reset {
            client.delete(&path)?;
        }
        let body = self.body();
        let policy =
            if body.is_empty() { client.get(&path, &[])? } else { client.put(&path, &body.into())? };
        say(&format!("{policy:#}"));
        Ok(())
    }

    fn body(&self) -> Map<String, Value> {
        let mut body = Map::new();
        if let Some(protected) = self.protected {
            body.insert("protected".into(), json!(protected));
        }
        if let Some(approvals) = self.approvals {
            body.insert("approvals".into(), json!(approvals));
        }
        if let Some(label) = &self.after {
            let after = json!({"label": label, "hours": self.after_hours.unwrap_or_default()});
            body.insert("after_label".into(), after);
        }
        if !self.freeze.is_empty() {
            body.insert("freeze".into(), self.freeze.iter().map(|freeze| read_freeze(freeze)).collect());
        }
        if let Some(check) = self.contract_check {
            body.insert("contract_check".into(), json!(check));
        }
        if let Some(days) = self.contract_days {
            body.insert("contract_days".into(), json!(days));
        }
        body
    }
}

/// A freeze as it is written in a word; whether its times are times is for the gateway to say.
fn read_freeze(word: &str) -> Value {
    let (times, reason) = word.split_once('=').map_or((word, None), |(times, reason)| (times, Some(reason)));
    let (from, to) = times.split_once("..").map_or((times, None), |(from, to)| (from, Some(to)));
    json!({"from": from, "to": to.filter(|to| !to.is_empty()), "reason": reason})
}

fn stands(prompt: &str, label: &Value) -> String {
    format!("`{}` of {prompt} points at version {}", text(&label["label"]), label["version"])
}

fn listed(labels: &[Value]) -> String {
    let row = |label: &Value| {
        let version = label["version"].to_string();
        [text(&label["label"]), version, text(&label["moved_by"]), text(&label["moved_at"])]
    };
    let rows: Vec<_> = labels.iter().map(row).collect();
    table::lay_out(["LABEL", "VERSION", "MOVED BY", "MOVED AT"], &rows)
}

fn told(moves: &[Value]) -> String {
    let number = |value: &Value| value.as_u64().map_or_else(|| "-".to_owned(), |number| number.to_string());
    let row = |moved: &Value| {
        let words = ["moved_at", "action", "moved_by", "reason"].map(|field| text(&moved[field]));
        let [at, action, by, reason] = words;
        [at, action, number(&moved["from"]), number(&moved["to"]), by, reason]
    };
    let rows: Vec<_> = moves.iter().map(row).collect();
    table::lay_out(["AT", "ACTION", "FROM", "TO", "BY", "REASON"], &rows)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or("-").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freeze_is_written_in_a_word() {
        let [from, to] = ["2026-12-23T00:00:00Z", "2027-01-02T00:00:00Z"];
        let whole = json!({"from": from, "to": to, "reason": "a=b"});
        assert_eq!(read_freeze(&format!("{from}..{to}=a=b")), whole);
        let open = json!({"from": from, "to": null, "reason": null});
        assert_eq!((read_freeze(from), read_freeze(&format!("{from}.."))), (open.clone(), open));
    }

    #[test]
    fn a_history_shows_where_a_label_came_from() {
        let moves = [
            json!({"moved_at": "t2", "action": "rollback", "from": 2, "to": 1, "moved_by": "bob", "reason": "wrong"}),
            json!({"moved_at": "t1", "action": "move", "from": null, "to": 2, "moved_by": "ann", "reason": null}),
        ];
        let expected = "AT  ACTION    FROM  TO  BY   REASON\n\
                        t2  rollback  2     1   bob  wrong\n\
                        t1  move      -     2   ann  -";
        assert_eq!(told(&moves), expected);
    }
}
