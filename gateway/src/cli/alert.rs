//! `weir alert`: how alerts stand, and what one would see now.

use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, segment};
use super::page::Page;
use super::{complain, say, table};

/// What can be done with alerts.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Lists alerts and how they stand.
    List {
        /// Which of them, and how.
        #[command(flatten)]
        page: Page,
    },
    /// Evaluates an alert now; nobody is told and its state stays.
    Test {
        /// The alert's id.
        id: String,
        /// Prints JSON: `{groups, trouble}`.
        #[arg(long)]
        json: bool,
    },
}

/// Runs one of the commands.
pub fn run(client: &Client, command: &Command) -> anyhow::Result<()> {
    match command {
        Command::List { page } => page.print(client, "/alerts", &[], listed)?,
        Command::Test { id, json } => {
            let trial = client.post(&format!("/alerts/{}/test", segment(id)), &json!({}))?;
            if *json {
                say(&trial.to_string());
                return Ok(());
            }
            say(&tried(&trial));
            if let Some(trouble) = trial["trouble"].as_str() {
                complain(trouble);
            }
        }
    }
    Ok(())
}

fn listed(alerts: &[Value]) -> String {
    let rows: Vec<[String; 6]> = alerts
        .iter()
        .map(|alert| {
            let state = if alert["enabled"] == Value::Bool(false) { "off" } else { word(&alert["state"]) };
            let firing = alert["states"]
                .as_array()
                .map_or(0, |states| states.iter().filter(|state| state["state"] == "firing").count());
            let fields = ["id", "name", "severity"].map(|field| word(&alert[field]).to_owned());
            let [id, name, severity] = fields;
            [id, name, severity, state.to_owned(), firing.to_string(), word(&alert["muted_until"]).to_owned()]
        })
        .collect();
    table::lay_out(["ID", "NAME", "SEVERITY", "STATE", "FIRING", "MUTED UNTIL"], &rows)
}

fn tried(trial: &Value) -> String {
    let groups = trial["groups"].as_array().map(Vec::as_slice).unwrap_or_default();
    let rows: Vec<[String; 4]> = groups
        .iter()
        .map(|seen| {
            let group: Vec<_> = seen["group"].as_array().into_iter().flatten().map(word).collect();
            let group = if group.is_empty() { "all calls".to_owned() } else { group.join(", ") };
            [group, number(&seen["value"]), number(&seen["reference"]), word(&seen["verdict"]).to_owned()]
        })
        .collect();
    table::lay_out(["GROUP", "VALUE", "COMPARED WITH", "CONDITION"], &rows)
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

fn number(value: &Value) -> String {
    if value.is_null() { "-".to_owned() } else { value.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_are_listed_with_how_they_stand() {
        let alerts = [
            json!({"id": "1", "name": "errors", "severity": "critical", "enabled": true, "state": "firing",
                   "states": [{"state": "firing"}, {"state": "ok"}], "muted_until": null}),
            json!({"id": "2", "name": "cost", "severity": "info", "enabled": false, "state": null, "states": []}),
        ];
        let expected = "ID  NAME    SEVERITY  STATE   FIRING  MUTED UNTIL\n\
                        1   errors  critical  firing  1       -\n\
                        2   cost    info      off     0       -";
        assert_eq!(listed(&alerts), expected);
    }

    #[test]
    fn a_trial_shows_each_group() {
        let trial = json!({"groups": [
            {"group": ["openai", null], "value": 0.75, "reference": 0.5, "verdict": "holds"},
            {"group": [], "value": null, "reference": 0.5, "verdict": "nothing"},
        ]});
        let expected = "GROUP      VALUE  COMPARED WITH  CONDITION\n\
                        openai, -  0.75   0.5            holds\n\
                        all calls  -      0.5            nothing";
        assert_eq!(tried(&trial), expected);
    }
}
