//! `weir release`: proposals to move a label, from the proposal to the last step of the ramp.

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::client::{Client, segment};
use super::page::{Page, given, items};
use super::{complain, say, table, tell};

/// What can be done with releases.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Proposes to move a label.
    Propose(Propose),
    /// Lists releases, newest first.
    List {
        /// Only those that stand so: proposed, approved, ramping, paused, released, rejected, withdrawn, aborted.
        #[arg(long)]
        state: Option<String>,
        /// Only those of this prompt.
        #[arg(long)]
        prompt: Option<String>,
        /// Only those of this label.
        #[arg(long)]
        label: Option<String>,
        /// Which of them, and how.
        #[command(flatten)]
        page: Page,
    },
    /// Shows a release and what it went through.
    Show {
        /// The release's id.
        id: String,
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
    /// Agrees to a release, as somebody who neither wrote the version nor proposed it.
    Approve(Deed),
    /// Refuses a release.
    Reject(Deed),
    /// Takes a proposal back.
    Withdraw(Deed),
    /// Carries a release out: moves the label, or begins the ramp.
    Release {
        /// Which release, and why.
        #[command(flatten)]
        deed: Deed,
        /// Why it may break the label's callers, where the label's policy has them asked.
        #[arg(long = "override", value_name = "TEXT")]
        waiver: Option<String>,
    },
    /// Keeps a ramp where it is.
    Pause(Deed),
    /// Lets a paused ramp go on.
    Resume(Deed),
    /// Takes a ramp's next step now.
    Advance(Deed),
    /// Ends a ramp: all calls get what the label points at.
    Abort(Deed),
}

/// What is done with a release.
#[derive(Debug, clap::Args)]
pub struct Deed {
    /// The release's id.
    id: String,
    /// Why, for the history.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// A release to propose.
#[derive(Debug, clap::Args)]
pub struct Propose {
    /// The prompt.
    prompt: String,
    /// The label that is to move.
    label: String,
    /// The version it is to point at.
    #[arg(value_name = "VERSION")]
    to: u32,
    /// The steps of a ramp in percent, such as 1,10,50,100.
    #[arg(long, value_delimiter = ',', value_name = "PERCENTS")]
    ramp: Vec<u32>,
    /// The time between two steps, such as 1h; by hand without it.
    #[arg(long, requires = "ramp", value_name = "SPAN")]
    every: Option<String>,
    /// What it is about.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// Runs one of the commands.
pub fn run(client: &Client, command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Propose(propose) => {
            let path = format!("/prompts/{}/releases", segment(&propose.prompt));
            let made = client.post(&path, &propose.body())?;
            if propose.json {
                say(&made.to_string());
                return Ok(());
            }
            say(text(&made["id"]));
            complain(&waiting(&made));
        }
        Command::List { state, prompt, label, page } => {
            let query = given(&[("state", state), ("prompt", prompt), ("label", label)]);
            page.print(client, "/releases", &query, listed)?;
        }
        Command::Show { id, json } => {
            let release = client.get(&format!("/releases/{}", segment(id)), &[])?;
            say(&if *json { release.to_string() } else { shown(&release) });
        }
        Command::Approve(deed) => deed.run(client, "approve", None)?,
        Command::Reject(deed) => deed.run(client, "reject", None)?,
        Command::Withdraw(deed) => deed.run(client, "withdraw", None)?,
        Command::Release { deed, waiver } => deed.run(client, "release", waiver.as_deref())?,
        Command::Pause(deed) => deed.run(client, "pause", None)?,
        Command::Resume(deed) => deed.run(client, "resume", None)?,
        Command::Advance(deed) => deed.run(client, "advance", None)?,
        Command::Abort(deed) => deed.run(client, "abort", None)?,
    }
    Ok(())
}

impl Deed {
    fn run(&self, client: &Client, verb: &str, waiver: Option<&str>) -> anyhow::Result<()> {
        let said = [("note", self.note.as_deref()), ("override", waiver)];
        let body: Map<String, Value> =
            said.into_iter().filter_map(|(field, text)| Some((field.to_owned(), json!(text?)))).collect();
        let path = format!("/releases/{}/{verb}", segment(&self.id));
        let release = client.post(&path, &Value::Object(body))?;
        tell(&release, self.json, &waiting(&release));
        Ok(())
    }
}

impl Propose {
    fn body(&self) -> Value {
        let mut body = Map::new();
        body.insert("label".into(), json!(self.label));
        body.insert("version".into(), json!(self.to));
        if !self.ramp.is_empty() {
            body.insert("ramp".into(), json!({"steps": self.ramp, "every": self.every}));
        }
        if let Some(note) = &self.note {
            body.insert("note".into(), json!(note));
        }
        Value::Object(body)
    }
}

/// How a release stands, and its history.
fn shown(release: &Value) -> String {
    let columns =
        [("AT", "at"), ("ACTION", "action"), ("BY", "by"), ("SERVES %", "percent"), ("NOTE", "note")];
    let fields = [
        ("author of the version", "author"),
        ("instead of version", "from_version"),
        ("ramp", "ramp"),
        ("next step", "next_at"),
    ];
    let facts = table::facts(fields, release);
    format!("{}\n{facts}\n\n{}", waiting(release), table::of_fields(columns, items(&release["history"])))
}

/// How a release stands, in a line.
fn waiting(release: &Value) -> String {
    let what = format!(
        "{}@{} for `{}` is {}",
        text(&release["prompt"]),
        release["version"],
        text(&release["label"]),
        text(&release["state"])
    );
    match text(&release["state"]) {
        "proposed" => format!("{what}: it has {} approvals", approvals(release)),
        "ramping" | "paused" => format!("{what} at {} %", release["percent"]),
        _ => what,
    }
}

fn approvals(release: &Value) -> String {
    let given = release["approvals"].as_array().map_or(0, Vec::len);
    format!("{given} of {}", release["approvals_needed"])
}

fn listed(releases: &[Value]) -> String {
    let row = |release: &Value| {
        let words =
            ["id", "prompt", "label", "state", "proposed_by"].map(|field| text(&release[field]).to_owned());
        let [id, prompt, label, state, by] = words;
        let version = release["version"].to_string();
        [id, prompt, label, version, state, format!("{} %", release["percent"]), approvals(release), by]
    };
    let rows: Vec<_> = releases.iter().map(row).collect();
    table::lay_out(["ID", "PROMPT", "LABEL", "VERSION", "STATE", "SERVES", "APPROVALS", "BY"], &rows)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_listed_with_how_far_they_are() {
        let releases = [json!({
            "id": "1", "prompt": "support/reply", "label": "production", "version": 4, "state": "ramping",
            "percent": 10, "approvals": [{"by": "bob"}], "approvals_needed": 1, "proposed_by": "ed",
        })];
        let expected = "ID  PROMPT         LABEL       VERSION  STATE    SERVES  APPROVALS  BY\n\
                        1   support/reply  production  4        ramping  10 %    1 of 1     ed";
        assert_eq!(listed(&releases), expected);
        let shown = shown(&releases[0]);
        assert!(
            shown.starts_with("support/reply@4 for `production` is ramping at 10 %\nauthor of"),
            "{shown}"
        );
        assert_eq!(waiting(&releases[0]), "support/reply@4 for `production` is ramping at 10 %");
    }
}
