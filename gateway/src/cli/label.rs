//! `weir label`: where a prompt's labels point, moving them and back, and what has to be so before they move.

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::client::{Client, segment};
use super::page::{Page, items, print_whole};
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
        /// Which of them, and how.
        #[command(flatten)]
        page: Page,
    },
    /// Shows a label's policy, or sets it; without a label, lists all policies.
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
    /// Why it may break the label's callers, where the label's policy has them asked.
    #[arg(long = "override", value_name = "TEXT")]
    waiver: Option<String>,
}

/// A policy to look at, or to set: what is not named is as the label starts with it.
#[derive(Debug, clap::Args)]
pub struct Policy {
    /// The label, in all prompts of the project.
    label: Option<String>,
    #[command(flatten)]
    rules: Rules,
    /// Gives it back the policy it starts with.
    #[arg(long, requires = "label", conflicts_with = "Rules")]
    reset: bool,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// What has to be so before a version answers a label.
#[derive(Debug, clap::Args)]
#[group(multiple = true, requires = "label")]
pub struct Rules {
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
    /// Whether a version that would break live callers is refused.
    #[arg(long, value_name = "BOOL")]
    contract_check: Option<bool>,
    /// How many days of calls that looks at.
    #[arg(long, value_name = "DAYS")]
    contract_days: Option<u32>,
    /// When nothing new may be served, such as `2026-12-23T00:00:00Z..2027-01-02T00:00:00Z=holidays`; without an end until
    /// it is lifted. Once or more.
    #[arg(long, value_name = "FROM[..TO][=REASON]")]
    freeze: Vec<String>,
}

/// Runs one of the commands.
pub fn run(client: &Client, command: &Command) -> anyhow::Result<()> {
    match command {
        Command::List { prompt, json } => {
            print_whole(client, &path(prompt, ""), *json, listed)?;
        }
        Command::Move(put) => {
            let moved = client.put(&path(&put.prompt, &put.label), &put.body())?;
            complain(&stands(&put.prompt, &moved));
        }
        Command::Remove { place: Place { prompt, label, expect, reason }, end } => {
            let mut body = condition(*expect, reason.as_deref());
            body.insert("end".into(), json!(end));
            client.delete_if(&path(prompt, label), &Value::Object(body))?;
            complain(&format!("`{label}` of {prompt} is gone"));
        }
        Command::Rollback(Place { prompt, label, expect, reason }) => {
            let body = condition(*expect, reason.as_deref());
            let moved = client.post(&format!("{}/rollback", path(prompt, label)), &Value::Object(body))?;
            complain(&stands(prompt, &moved));
        }
        Command::History { prompt, label, page } => {
            page.print(client, &format!("{}/history", path(prompt, label)), &[], told)?;
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
        body.extend(self.waiver.as_ref().map(|why| ("override".to_owned(), json!(why))));
        Value::Object(body)
    }
}

impl Policy {
    fn run(&self, client: &Client) -> anyhow::Result<()> {
        let Some(label) = &self.label else { return print_whole(client, "/labels", self.json, policies) };
        let path = format!("/labels/{}/policy", segment(label));
        if self.reset {
            client.delete(&path)?;
        }
        let body = self.rules.body();
        let policy =
            if body.is_empty() { client.get(&path, &[])? } else { client.put(&path, &body.into())? };
        say(&if self.json { policy.to_string() } else { shown(&policy) });
        Ok(())
    }
}

impl Rules {
    fn body(&self) -> Map<String, Value> {
        let after = |label| json!({"label": label, "hours": self.after_hours.unwrap_or_default()});
        let freezes: Vec<_> = self.freeze.iter().map(|freeze| read_freeze(freeze)).collect();
        let rules = [
            ("protected", self.protected.map(Value::from)),
            ("approvals", self.approvals.map(Value::from)),
            ("after_label", self.after.as_ref().map(after)),
            ("contract_check", self.contract_check.map(Value::from)),
            ("contract_days", self.contract_days.map(Value::from)),
            ("freeze", (!freezes.is_empty()).then(|| freezes.into())),
        ];
        rules.into_iter().filter_map(|(field, rule)| Some((field.to_owned(), rule?))).collect()
    }
}

/// A freeze as it is written in a word; whether its times are times is for the gateway to say.
fn read_freeze(word: &str) -> Value {
    let (times, reason) = word.split_once('=').map_or((word, None), |(times, reason)| (times, Some(reason)));
    let (from, to) = times.split_once("..").map_or((times, None), |(from, to)| (from, Some(to)));
    json!({"from": from, "to": to.filter(|to| !to.is_empty()), "reason": reason})
}

fn shown(policy: &Value) -> String {
    let mut shown = policy.clone();
    shown["after_label"] = after(policy).into();
    shown["freeze"] = items(&policy["freeze"]).iter().map(freeze).collect();
    let fields = [
        ("label", "label"),
        ("protected", "protected"),
        ("approvals", "approvals"),
        ("after", "after_label"),
        ("contract check", "contract_check"),
        ("contract days", "contract_days"),
        ("freeze", "freeze"),
        ("set by", "updated_by"),
        ("set", "updated_at"),
    ];
    table::facts(fields, &shown)
}

fn after(policy: &Value) -> Option<String> {
    let after = &policy["after_label"];
    let label = after["label"].as_str()?;
    Some(if after["hours"] == 0 { label.to_owned() } else { format!("{label} for {} h", after["hours"]) })
}

fn freeze(freeze: &Value) -> String {
    let until = freeze["to"].as_str().unwrap_or("lifted");
    let why = freeze["reason"].as_str().map(|why| format!(": {why}")).unwrap_or_default();
    format!("{} until {until}{why}", table::cell(&freeze["from"]))
}

fn policies(policies: &[Value]) -> String {
    let row = |policy: &Value| {
        let [label, protected, approvals, contract] =
            ["label", "protected", "approvals", "contract_check"].map(|field| table::cell(&policy[field]));
        let freezes = items(&policy["freeze"]).len().to_string();
        [label, protected, approvals, after(policy).unwrap_or_else(|| "-".to_owned()), contract, freezes]
    };
    let rows: Vec<_> = policies.iter().map(row).collect();
    table::lay_out(["LABEL", "PROTECTED", "APPROVALS", "AFTER", "CONTRACT CHECK", "FREEZES"], &rows)
}

fn stands(prompt: &str, label: &Value) -> String {
    format!("`{}` of {prompt} points at version {}", table::cell(&label["label"]), label["version"])
}

fn listed(labels: &[Value]) -> String {
    let columns =
        [("LABEL", "label"), ("VERSION", "version"), ("MOVED BY", "moved_by"), ("MOVED AT", "moved_at")];
    table::of_fields(columns, labels)
}

fn told(moves: &[Value]) -> String {
    let columns = [
        ("AT", "moved_at"),
        ("ACTION", "action"),
        ("FROM", "from"),
        ("TO", "to"),
        ("BY", "moved_by"),
        ("REASON", "reason"),
    ];
    table::of_fields(columns, moves)
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

    #[test]
    fn a_policy_is_read_as_sentences() {
        let policy = json!({
            "label": "production", "protected": true, "approvals": 1, "after_label": {"label": "staging", "hours": 24},
            "contract_check": false, "contract_days": 7, "updated_by": null, "updated_at": null,
            "freeze": [{"from": "2026-12-23T00:00:00Z", "to": null, "reason": "holidays"}],
        });
        let text = shown(&policy);
        assert!(text.contains("after           staging for 24 h\n"), "{text}");
        assert!(text.contains("freeze          2026-12-23T00:00:00Z until lifted: holidays\n"), "{text}");
        assert_eq!(
            policies(&[policy]).lines().nth(1),
            Some("production  yes        1          staging for 24 h  no              1")
        );
    }
}
