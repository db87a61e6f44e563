//! `weir release`: proposals to move a label, from the proposal to the last step of the ramp.

use clap::{Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use super::client::{Client, segment};
use super::{complain, say, table};

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
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
    /// Prints a release as JSON.
    Show {
        /// The release's id.
        id: String,
    },
    /// Approves, rejects, withdraws or carries out a release, or steers its ramp.
    Do {
        /// What to do.
        verb: Verb,
        /// The release's id.
        id: String,
        /// Why, for the history.
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
        /// Why it may break the label's callers, where its policy has them asked.
        #[arg(long = "override", value_name = "TEXT")]
        waiver: Option<String>,
    },
}

/// What is done with a release.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Verb {
    /// Agrees, as somebody who neither wrote nor proposed it.
    Approve,
    /// Refuses it.
    Reject,
    /// Takes it back.
    Withdraw,
    /// Moves the label, or begins the ramp.
    Release,
    /// Keeps the ramp where it is.
    Pause,
    /// Lets the ramp go on.
    Resume,
    /// Takes the ramp's next step now.
    Advance,
    /// Ends the ramp.
    Abort,
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
        Command::List { state, prompt, json } => {
            let named = [("state", state), ("prompt", prompt)];
            let query: Vec<_> =
                named.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
            let releases = client.all("/releases", &query)?;
            say(&if *json { Value::from(releases).to_string() } else { listed(&releases) });
        }
        Command::Show { id } => {
            say(&format!("{:#}", client.get(&format!("/releases/{}", segment(id)), &[])?));
        }
        Command::Do { verb, id, note, waiver } => {
            let mut body = Map::new();
            for (field, said) in [("note", note), ("override", waiver)] {
                body.extend(said.as_deref().map(|said| (field.to_owned(), json!(said))));
            }
            let path = format!("/releases/{}/{}", segment(id), verb.word());
            complain(&waiting(&client.post(&path, &Value::Object(body))?));
        }
    }
    Ok(())
}

impl Verb {
    const fn word(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Withdraw => "withdraw",
            Self::Release => "release",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Advance => "advance",
            Self::Abort => "abort",
        }
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
        assert_eq!(waiting(&releases[0]), "support/reply@4 for `production` is ramping at 10 %");
    }
}
