//! `weir key`: virtual keys, made, listed and revoked.

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::client::{Client, segment};
use super::{complain, say, table};

/// What can be done with keys.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes a key and prints its secret, this once.
    Create(Create),
    /// Lists keys, without their secrets.
    List {
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
    /// Revokes a key at once.
    Revoke {
        /// The key's id.
        id: String,
    },
}

/// A key to make; a scope that is not named is open.
#[derive(Debug, clap::Args)]
pub struct Create {
    /// What people call it.
    name: String,
    /// Models it may call, `prefix*` allowed.
    #[arg(long, value_delimiter = ',', value_name = "MODELS")]
    models: Option<Vec<String>>,
    /// Prompts it may use, `prefix*` allowed.
    #[arg(long, value_delimiter = ',', value_name = "PROMPTS")]
    prompts: Option<Vec<String>>,
    /// Labels it may use; pinned versions are then refused.
    #[arg(long, value_delimiter = ',', value_name = "LABELS")]
    labels: Option<Vec<String>>,
    /// Opens routes that are passed through unread.
    #[arg(long)]
    passthrough: bool,
    /// Refuses instructions and tools that come from the call itself.
    #[arg(long)]
    registered_prompts_only: bool,
    /// When it stops working, RFC 3339.
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// Runs one of the commands.
pub fn run(client: &Client, command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Create(create) => {
            let made = client.post("/keys", &create.body())?;
            if create.json {
                say(&made.to_string());
                return Ok(());
            }
            complain(&format!("key {} made; this is its secret, shown this once:", text(&made["id"])));
            say(&text(&made["secret"]));
        }
        Command::List { json } => {
            let keys = client.all("/keys", &[])?;
            say(&if *json { Value::from(keys).to_string() } else { listed(&keys) });
        }
        Command::Revoke { id } => {
            client.delete(&format!("/keys/{}", segment(id)))?;
            complain(&format!("key {id} is revoked"));
        }
    }
    Ok(())
}

impl Create {
    fn body(&self) -> Value {
        let mut body = Map::new();
        body.insert("name".into(), json!(self.name));
        for (field, list) in [("models", &self.models), ("prompts", &self.prompts), ("labels", &self.labels)]
        {
            if let Some(list) = list {
                body.insert(field.into(), json!(list));
            }
        }
        for (field, set) in
            [("passthrough", self.passthrough), ("registered_prompts_only", self.registered_prompts_only)]
        {
            if set {
                body.insert(field.into(), json!(true));
            }
        }
        if let Some(time) = &self.expires_at {
            body.insert("expires_at".into(), json!(time));
        }
        Value::Object(body)
    }
}

fn listed(keys: &[Value]) -> String {
    let state = |key: &Value| if key["revoked_at"].is_null() { "active" } else { "revoked" }.to_owned();
    let rows: Vec<[String; 4]> = keys
        .iter()
        .map(|key| [text(&key["id"]), text(&key["name"]), state(key), text(&key["created_at"])])
        .collect();
    table::lay_out(["ID", "NAME", "STATE", "CREATED"], &rows)
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(String::new, str::to_owned)
}
