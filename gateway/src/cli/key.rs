//! `weir key`: virtual keys, made, listed, changed and revoked.

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::client::Client;
use super::page::Page;
use super::{changes, complain, say, table, tell};

/// What can be done with keys.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes a key and prints its secret, this once.
    Create(Create),
    /// Lists keys, newest first, without their secrets.
    List {
        /// Which of them, and how.
        #[command(flatten)]
        page: Page,
    },
    /// Shows a key, without its secret.
    Show {
        /// The key's id, or its name.
        key: String,
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
    /// Changes what a key may do, or until when; its secret stays.
    Edit(Edit),
    /// Revokes a key at once, for good.
    Revoke {
        /// The key's id, or its name.
        key: String,
    },
}

/// A key to make; a scope that is not named is open.
#[derive(Debug, clap::Args)]
pub struct Create {
    /// What people call it.
    name: String,
    #[command(flatten)]
    scope: Scope,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// What a key may do, and until when.
#[derive(Debug, clap::Args)]
pub struct Scope {
    /// Models it may call, `prefix*` allowed.
    #[arg(long, value_delimiter = ',', value_name = "MODELS")]
    models: Option<Vec<String>>,
    /// Prompts it may use, `prefix*` allowed.
    #[arg(long, value_delimiter = ',', value_name = "PROMPTS")]
    prompts: Option<Vec<String>>,
    /// Labels it may use; pinned versions are then refused.
    #[arg(long, value_delimiter = ',', value_name = "LABELS")]
    labels: Option<Vec<String>>,
    /// Whether it may read prompts without calling a model.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    read_prompts: Option<bool>,
    /// Opens routes that are passed through unread.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    passthrough: Option<bool>,
    /// Refuses instructions and tools that come from the call itself.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    registered_prompts_only: Option<bool>,
    /// When it stops working, RFC 3339.
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
}

/// A key to change.
#[derive(Debug, clap::Args)]
pub struct Edit {
    /// The key's id, or its name.
    key: String,
    #[command(flatten)]
    changes: Changes,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// What to change of a key.
#[derive(Debug, clap::Args)]
pub struct Changes {
    /// What people are to call it.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    scope: Scope,
    /// Opens all models to it.
    #[arg(long, conflicts_with = "models")]
    all_models: bool,
    /// Opens all prompts to it.
    #[arg(long, conflicts_with = "prompts")]
    all_prompts: bool,
    /// Opens all labels to it, and pinned versions.
    #[arg(long, conflicts_with = "labels")]
    all_labels: bool,
    /// Lets it work without end.
    #[arg(long, conflicts_with = "expires_at")]
    never_expires: bool,
}

/// Runs one of the commands.
pub fn run(client: &Client, command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Create(create) => {
            let mut body = create.scope.body();
            body.insert("name".into(), json!(create.name));
            let made = client.post("/keys", &Value::Object(body))?;
            if create.json {
                say(&made.to_string());
                return Ok(());
            }
            let id = table::cell(&made["id"]);
            complain(&format!("key {id} made; this is its secret, shown this once:"));
            say(&table::cell(&made["secret"]));
        }
        Command::List { page } => page.print(client, "/keys", &[], listed)?,
        Command::Show { key, json } => {
            let key = client.get(&client.path_of("key", key)?, &[])?;
            say(&if *json { key.to_string() } else { shown(&key) });
        }
        Command::Edit(edit) => {
            let changed = client.patch(&client.path_of("key", &edit.key)?, &changes(edit.changes.body())?)?;
            tell(&changed, edit.json, &format!("key {} changed", edit.key));
        }
        Command::Revoke { key } => {
            client.delete(&client.path_of("key", key)?)?;
            complain(&format!("key {key} is revoked"));
        }
    }
    Ok(())
}

impl Scope {
    fn body(&self) -> Map<String, Value> {
        let fields = [
            ("models", self.models.as_ref().map(|list| json!(list))),
            ("prompts", self.prompts.as_ref().map(|list| json!(list))),
            ("labels", self.labels.as_ref().map(|list| json!(list))),
            ("read_prompts", self.read_prompts.map(Value::from)),
            ("passthrough", self.passthrough.map(Value::from)),
            ("registered_prompts_only", self.registered_prompts_only.map(Value::from)),
            ("expires_at", self.expires_at.as_ref().map(|time| json!(time))),
        ];
        fields.into_iter().filter_map(|(field, value)| Some((field.to_owned(), value?))).collect()
    }
}

impl Changes {
    fn body(&self) -> Map<String, Value> {
        let mut body = self.scope.body();
        body.extend(self.name.as_ref().map(|name| ("name".to_owned(), json!(name))));
        let opened = [
            ("models", self.all_models),
            ("prompts", self.all_prompts),
            ("labels", self.all_labels),
            ("expires_at", self.never_expires),
        ];
        let opened = opened.into_iter().filter(|(_, open)| *open);
        body.extend(opened.map(|(field, _)| (field.to_owned(), Value::Null)));
        body
    }
}

fn state(key: &Value) -> String {
    if key["revoked_at"].is_null() { "active" } else { "revoked" }.to_owned()
}

fn listed(keys: &[Value]) -> String {
    let row = |key: &Value| {
        let [id, name, expires, created] =
            ["id", "name", "expires_at", "created_at"].map(|field| table::field_cell(key, field));
        let [models, prompts, labels] =
            ["models", "prompts", "labels"].map(|field| table::scope(&key[field]));
        [id, name, state(key), models, prompts, labels, expires, created]
    };
    let rows: Vec<_> = keys.iter().map(row).collect();
    table::lay_out(["ID", "NAME", "STATE", "MODELS", "PROMPTS", "LABELS", "EXPIRES", "CREATED"], &rows)
}

fn shown(key: &Value) -> String {
    let mut shown = key.clone();
    for list in ["models", "prompts", "labels"] {
        shown[list] = table::scope(&key[list]).into();
    }
    let fields = [
        ("id", "id"),
        ("name", "name"),
        ("project", "project"),
        ("models", "models"),
        ("prompts", "prompts"),
        ("labels", "labels"),
        ("reads prompts", "read_prompts"),
        ("passthrough", "passthrough"),
        ("registered prompts only", "registered_prompts_only"),
        ("secret ends in", "hint"),
        ("made by", "created_by"),
        ("made", "created_at"),
        ("expires", "expires_at"),
        ("revoked", "revoked_at"),
    ];
    table::facts(fields, &shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_opened_again_is_null() {
        let scope = Scope {
            models: None,
            prompts: Some(vec!["support/*".to_owned()]),
            labels: None,
            read_prompts: Some(false),
            passthrough: None,
            registered_prompts_only: None,
            expires_at: None,
        };
        let changes = Changes {
            name: None,
            scope,
            all_models: true,
            all_prompts: false,
            all_labels: false,
            never_expires: true,
        };
        let body =
            json!({"models": null, "prompts": ["support/*"], "read_prompts": false, "expires_at": null});
        assert_eq!(Value::Object(changes.body()), body);
    }
}
