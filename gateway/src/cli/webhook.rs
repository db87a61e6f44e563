//! `weir webhook`: where events are sent, and how that went.

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::client::{Client, segment};
use super::page::Page;
use super::{changes, complain, say, table, tell};

/// What can be done with webhooks.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes a webhook and prints the secret its deliveries are signed with, this once.
    Create(Create),
    /// Lists webhooks, newest first.
    List {
        /// Which of them, and how.
        #[command(flatten)]
        page: Page,
    },
    /// Shows a webhook, without its secret and most of its URL.
    Show {
        /// The webhook's id, or its name.
        webhook: String,
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
    /// Changes a webhook; its secret stays.
    Edit(Edit),
    /// Removes a webhook and its deliveries, those that wait included.
    Remove {
        /// The webhook's id, or its name.
        webhook: String,
    },
    /// Sends an event to a webhook now, and says how that went; exit code 1 if it did not arrive.
    Test {
        /// The webhook's id, or its name.
        webhook: String,
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
    /// Lists what was sent to a webhook, newest first.
    Deliveries {
        /// The webhook's id, or its name.
        webhook: String,
        /// Which of them, and how.
        #[command(flatten)]
        page: Page,
    },
    /// Sends a delivery's event again, whether or not it arrived.
    Replay {
        /// The delivery's id.
        delivery: String,
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
}

/// A webhook to make.
#[derive(Debug, clap::Args)]
pub struct Create {
    /// What people call it, once in a project.
    name: String,
    /// Where events are sent.
    url: String,
    #[command(flatten)]
    sent: Sent,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// What is sent.
#[derive(Debug, clap::Args)]
pub struct Sent {
    /// The events it is told: `prompt.version_created`, `label.*`, `*`.
    #[arg(long, value_delimiter = ',', value_name = "EVENTS")]
    events: Option<Vec<String>>,
    /// What bodies look like: weir or slack; as the URL wants when absent.
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Whether anything is sent.
    #[arg(long, value_name = "BOOL")]
    enabled: Option<bool>,
}

/// A webhook to change.
#[derive(Debug, clap::Args)]
pub struct Edit {
    /// The webhook's id, or its name.
    webhook: String,
    #[command(flatten)]
    changes: Changes,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// What to change of a webhook.
#[derive(Debug, clap::Args)]
pub struct Changes {
    /// What people are to call it.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Where events are sent, the whole URL.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    #[command(flatten)]
    sent: Sent,
}

/// Runs one of the commands; whether what was tried went well.
pub fn run(client: &Client, command: &Command) -> anyhow::Result<bool> {
    match command {
        Command::Create(create) => create.run(client)?,
        Command::List { page } => page.print(client, "/webhooks", &[], listed)?,
        Command::Show { webhook, json } => {
            let webhook = client.get(&client.path_of("webhook", webhook)?, &[])?;
            say(&if *json { webhook.to_string() } else { shown(&webhook) });
        }
        Command::Edit(edit) => {
            let changed =
                client.patch(&client.path_of("webhook", &edit.webhook)?, &changes(edit.changes.body())?)?;
            tell(&changed, edit.json, &format!("webhook {} changed", edit.webhook));
        }
        Command::Remove { webhook } => {
            client.delete(&client.path_of("webhook", webhook)?)?;
            complain(&format!("webhook {webhook} is gone"));
        }
        Command::Test { webhook, json } => {
            let tried = client.post(&format!("{}/test", client.path_of("webhook", webhook)?), &json!({}))?;
            say(&if *json { tried.to_string() } else { deliveries(std::slice::from_ref(&tried)) });
            return Ok(tried["state"] == "delivered");
        }
        Command::Deliveries { webhook, page } => {
            page.print(
                client,
                &format!("{}/deliveries", client.path_of("webhook", webhook)?),
                &[],
                deliveries,
            )?;
        }
        Command::Replay { delivery, json } => {
            let again =
                client.post(&format!("/webhooks/deliveries/{}/replay", segment(delivery)), &json!({}))?;
            say(&if *json { again.to_string() } else { table::cell(&again["id"]) });
            complain("it is on its way again");
        }
    }
    Ok(true)
}

impl Create {
    fn run(&self, client: &Client) -> anyhow::Result<()> {
        let mut body = self.sent.body();
        body.insert("name".into(), json!(self.name));
        body.insert("url".into(), json!(self.url));
        let made = client.post("/webhooks", &Value::Object(body))?;
        if self.json {
            say(&made.to_string());
            return Ok(());
        }
        let id = table::cell(&made["id"]);
        complain(&format!("webhook {id} made; deliveries are signed with this secret, shown this once:"));
        say(&table::cell(&made["secret"]));
        Ok(())
    }
}

impl Sent {
    fn body(&self) -> Map<String, Value> {
        let events = |events: &Vec<String>| json!(events);
        let fields = [
            ("events", self.events.as_ref().map(events)),
            ("format", self.format.as_ref().map(|format| json!(format))),
            ("enabled", self.enabled.map(Value::from)),
        ];
        fields.into_iter().filter_map(|(field, value)| Some((field.to_owned(), value?))).collect()
    }
}

impl Changes {
    fn body(&self) -> Map<String, Value> {
        let mut body = self.sent.body();
        body.extend(self.name.as_ref().map(|name| ("name".to_owned(), json!(name))));
        body.extend(self.url.as_ref().map(|url| ("url".to_owned(), json!(url))));
        body
    }
}

fn listed(webhooks: &[Value]) -> String {
    let columns = [
        ("ID", "id"),
        ("NAME", "name"),
        ("URL", "url"),
        ("FORMAT", "format"),
        ("EVENTS", "events"),
        ("ENABLED", "enabled"),
    ];
    table::of_fields(columns, webhooks)
}

fn shown(webhook: &Value) -> String {
    let fields = [
        ("id", "id"),
        ("name", "name"),
        ("project", "project"),
        ("url", "url"),
        ("format", "format"),
        ("events", "events"),
        ("enabled", "enabled"),
        ("made by", "created_by"),
        ("made", "created_at"),
        ("changed", "updated_at"),
    ];
    table::facts(fields, webhook)
}

fn deliveries(deliveries: &[Value]) -> String {
    let columns = [
        ("ID", "id"),
        ("EVENT", "event"),
        ("STATE", "state"),
        ("TRIES", "attempts"),
        ("STATUS", "status"),
        ("SINCE", "created_at"),
        ("NEXT TRY", "next_try_at"),
        ("ERROR", "error"),
    ];
    table::of_fields(columns, deliveries)
}
