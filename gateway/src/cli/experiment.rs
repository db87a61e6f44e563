//! `weir experiment`: versions side by side on one label, and how each does.

use std::collections::BTreeMap;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, segment};
use super::page::{items, print_whole};
use super::{complain, say, table};

/// What can be done with experiments.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Sets the experiment on a label up and starts it, or changes the one that runs.
    Start(Start),
    /// Lists a prompt's experiments.
    List {
        /// The prompt.
        prompt: String,
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
    /// Stops the experiment on a label; its plan stays.
    Stop {
        /// The prompt.
        prompt: String,
        /// The label.
        label: String,
    },
    /// Shows the experiment on a label, and how its arms do since it was started.
    Show {
        /// The prompt.
        prompt: String,
        /// The label.
        label: String,
        /// Names of scores whose means are wanted.
        #[arg(long, value_delimiter = ',', value_name = "SCORES")]
        scores: Vec<String>,
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
    /// Stops the experiment on a label and forgets its plan.
    Remove {
        /// The prompt.
        prompt: String,
        /// The label.
        label: String,
    },
}

/// An experiment to start.
#[derive(Debug, clap::Args)]
pub struct Start {
    /// The prompt.
    prompt: String,
    /// The label, which need not point at anything.
    label: String,
    /// An arm: its name, its version and its weight, such as control=3:1. Twice or more.
    #[arg(long = "arm", required = true, value_name = "NAME=VERSION:WEIGHT")]
    arms: Vec<String>,
    /// Whose calls belong together: user, session, trace, request or metadata.KEY.
    #[arg(long, default_value = "user", value_name = "UNIT")]
    unit: String,
    /// Users who do not take part.
    #[arg(long, value_delimiter = ',', value_name = "USERS")]
    exclude_users: Vec<String>,
    /// Calls with this value under this key of their metadata do not take part. Once or more.
    #[arg(long, value_name = "KEY=VALUE")]
    exclude_metadata: Vec<String>,
    /// Sets it up without starting it.
    #[arg(long)]
    prepare: bool,
    /// Why its arms may break the label's callers, where its policy has them asked.
    #[arg(long = "override", value_name = "TEXT")]
    waiver: Option<String>,
}

/// Runs one of the commands.
pub fn run(client: &Client, command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Start(start) => {
            let made = client.put(&path(&start.prompt, &start.label), &start.body()?)?;
            let (name, state) = (text(&made["name"]), text(&made["state"]));
            complain(&format!("`{name}` is {state}, started {} times", made["starts"]));
        }
        Command::List { prompt, json } => {
            print_whole(client, &format!("/prompts/{}/experiments", segment(prompt)), *json, listed)?;
        }
        Command::Stop { prompt, label } => {
            let path = path(prompt, label);
            let now = client.get(&path, &[])?;
            let arms = now["arms"].as_array().into_iter().flatten();
            let arms: Vec<_> = arms
                .map(|arm| json!({"name": arm["name"], "version": arm["version"], "weight": arm["weight"]}))
                .collect();
            let plan =
                json!({"arms": arms, "unit": now["unit"], "exclude": now["exclude"], "state": "stopped"});
            let stopped = client.put(&path, &plan)?;
            complain(&format!("`{}` is stopped", text(&stopped["name"])));
        }
        Command::Show { prompt, label, scores, json } => {
            let scores = scores.join(",");
            let query = [("scores", &*scores)];
            let asked = if scores.is_empty() { &query[..0] } else { &query[..] };
            let found = client.get(&path(prompt, label), asked)?;
            say(&if *json { found.to_string() } else { shown(&found) });
            if let Some(trouble) = found["exposure"]["trouble"].as_str() {
                complain(trouble);
            }
        }
        Command::Remove { prompt, label } => {
            client.delete(&path(prompt, label))?;
            complain(&format!("the experiment on `{label}` of {prompt} is gone"));
        }
    }
    Ok(())
}

fn path(prompt: &str, label: &str) -> String {
    format!("/prompts/{}/experiments/{}", segment(prompt), segment(label))
}

impl Start {
    fn body(&self) -> anyhow::Result<Value> {
        let arms = self.arms.iter().map(|arm| read_arm(arm)).collect::<anyhow::Result<Vec<_>>>()?;
        let mut metadata: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for word in &self.exclude_metadata {
            let (key, value) = word
                .split_once('=')
                .with_context(|| format!("`{word}`: write KEY=VALUE, such as tier=internal"))?;
            metadata.entry(key).or_default().push(value);
        }
        let exclude = json!({"users": self.exclude_users, "metadata": metadata});
        let state = if self.prepare { "stopped" } else { "running" };
        let mut body = json!({"arms": arms, "unit": self.unit, "exclude": exclude, "state": state});
        if let Some(waiver) = &self.waiver {
            body["override"] = json!(waiver);
        }
        Ok(body)
    }
}

fn read_arm(arm: &str) -> anyhow::Result<Value> {
    let parts = || {
        let (name, rest) = arm.split_once('=')?;
        let (version, weight) = rest.split_once(':').unwrap_or((rest, "1"));
        Some(
            json!({"name": name, "version": version.parse::<u32>().ok()?, "weight": weight.parse::<u32>().ok()?}),
        )
    };
    parts().with_context(|| format!("`{arm}`: write NAME=VERSION:WEIGHT, such as control=3:1"))
}

fn listed(experiments: &[Value]) -> String {
    let row = |experiment: &Value| {
        let arms = items(&experiment["arms"]).iter();
        let arms: Vec<_> =
            arms.map(|arm| format!("{}={}:{}", text(&arm["name"]), arm["version"], arm["weight"])).collect();
        let [label, state, unit, started] =
            ["label", "state", "unit", "started_at"].map(|field| table::field_cell(experiment, field));
        [label, state, unit, arms.join(", "), started]
    };
    let rows: Vec<_> = experiments.iter().map(row).collect();
    table::lay_out(["LABEL", "STATE", "UNIT", "ARMS", "STARTED"], &rows)
}

fn shown(experiment: &Value) -> String {
    let arms = items(&experiment["arms"]);
    let row = |arm: &Value| {
        let metrics = &arm["metrics"];
        let millis =
            |field: &str| metrics[field].as_f64().map_or_else(dash, |us| format!("{:.0} ms", us / 1_000.0));
        [
            text(&arm["name"]).to_owned(),
            arm["version"].to_string(),
            percent(&arm["expected_share"]),
            percent(&metrics["share"]),
            metrics["calls"].as_u64().map_or_else(dash, |calls| calls.to_string()),
            percent(&metrics["error_rate"]),
            metrics["cost_usd"].as_f64().map_or_else(dash, |cost| format!("${cost:.6}")),
            millis("latency_p50"),
            millis("latency_p95"),
        ]
    };
    let rows: Vec<_> = arms.iter().map(row).collect();
    let headings = ["ARM", "VERSION", "EXPECTED", "SHARE", "CALLS", "ERRORS", "COST", "P50", "P95"];
    let about = format!(
        "{} is {} by {}, start {}",
        text(&experiment["name"]),
        text(&experiment["state"]),
        text(&experiment["unit"]),
        experiment["starts"]
    );
    format!("{about}\n{}", table::lay_out(headings, &rows))
}

fn percent(value: &Value) -> String {
    value.as_f64().map_or_else(dash, |part| format!("{:.1} %", part * 100.0))
}

fn dash() -> String {
    "-".to_owned()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_experiment_shows_its_arms_side_by_side() {
        let experiment = json!({
            "name": "a/production", "state": "running", "unit": "user", "starts": 1,
            "arms": [
                {"name": "control", "version": 1, "weight": 1, "expected_share": 0.5, "metrics": {
                    "calls": 3, "share": 0.75, "error_rate": 0.0, "cost_usd": 0.01, "latency_p50": 1500.0,
                    "latency_p95": null,
                }},
                {"name": "warm", "version": 2, "weight": 1, "expected_share": 0.5, "metrics": null},
            ],
        });
        let expected = "a/production is running by user, start 1\n\
                        ARM      VERSION  EXPECTED  SHARE   CALLS  ERRORS  COST       P50   P95\n\
                        control  1        50.0 %    75.0 %  3      0.0 %   $0.010000  2 ms  -\n\
                        warm     2        50.0 %    -       -      -       -          -     -";
        assert_eq!(shown(&experiment), expected);
    }

    #[test]
    fn who_does_not_take_part_is_named_by_user_and_by_metadata() {
        let start = Start {
            prompt: "a".into(),
            label: "production".into(),
            arms: vec!["control=1".into(), "warm=2".into()],
            unit: "user".into(),
            exclude_users: vec!["load-test".into()],
            exclude_metadata: vec!["tier=internal".into(), "tier=test".into()],
            prepare: true,
            waiver: None,
        };
        let body = start.body().unwrap();
        let excluded = json!({"users": ["load-test"], "metadata": {"tier": ["internal", "test"]}});
        assert_eq!((&body["exclude"], &body["state"]), (&excluded, &json!("stopped")));
        assert!(Start { exclude_metadata: vec!["tier".into()], ..start }.body().is_err());
    }

    #[test]
    fn an_arm_is_a_name_a_version_and_a_weight() {
        assert_eq!(read_arm("control=3:9").unwrap(), json!({"name": "control", "version": 3, "weight": 9}));
        assert_eq!(read_arm("warm=4").unwrap(), json!({"name": "warm", "version": 4, "weight": 1}));
        for wrong in ["control", "control=x", "control=3:x", "=", "a=3:1:1"] {
            assert!(read_arm(wrong).is_err(), "{wrong}");
        }
    }
}
