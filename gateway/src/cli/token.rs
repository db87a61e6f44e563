//! `weir token`: admin tokens, made, listed and revoked.

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::client::{Client, segment};
use super::{complain, say, table};

/// What can be done with admin tokens.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes a token and prints its secret, this once.
    Create(Create),
    /// Lists tokens, without their secrets.
    List {
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
    /// Revokes a token at once.
    Revoke {
        /// The token's id.
        id: String,
    },
}

/// A token to make. With `--project` it is held to that project.
#[derive(Debug, clap::Args)]
pub struct Create {
    /// What people call it.
    name: String,
    /// viewer, editor, releaser or admin.
    #[arg(long, value_name = "ROLE")]
    role: String,
    /// Who answers for what it does; whoever makes it when absent.
    #[arg(long, value_name = "OWNER")]
    owner: Option<String>,
    /// Folders in which, and below which, it may change prompts.
    #[arg(long, value_delimiter = ',', value_name = "FOLDERS")]
    folders: Option<Vec<String>>,
    /// Labels it may move, `prefix*` allowed.
    #[arg(long, value_delimiter = ',', value_name = "LABELS")]
    labels: Option<Vec<String>>,
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
            let made = client.post("/tokens", &create.body(client.project()))?;
            if create.json {
                say(&made.to_string());
                return Ok(());
            }
            complain(&format!("token {} made; this is its secret, shown this once:", text(&made["id"])));
            say(&text(&made["secret"]));
        }
        Command::List { json } => {
            let tokens = client.all("/tokens", &[])?;
            say(&if *json { Value::from(tokens).to_string() } else { listed(&tokens) });
        }
        Command::Revoke { id } => {
            client.delete(&format!("/tokens/{}", segment(id)))?;
            complain(&format!("token {id} is revoked"));
        }
    }
    Ok(())
}

impl Create {
    fn body(&self, project: Option<&str>) -> Value {
        let mut body = Map::new();
        body.insert("name".into(), json!(self.name));
        body.insert("role".into(), json!(self.role));
        let texts = [
            ("project", project),
            ("owner", self.owner.as_deref()),
            ("expires_at", self.expires_at.as_deref()),
        ];
        body.extend(texts.into_iter().filter_map(|(field, text)| Some((field.to_owned(), json!(text?)))));
        let lists = [("folders", &self.folders), ("labels", &self.labels)];
        body.extend(
            lists.into_iter().filter_map(|(field, list)| Some((field.to_owned(), json!(list.as_ref()?)))),
        );
        Value::Object(body)
    }
}

fn listed(tokens: &[Value]) -> String {
    let held = |list: &Value| match list.as_array() {
        None => "all".to_owned(),
        Some(list) => list.iter().map(text).collect::<Vec<_>>().join(", "),
    };
    let rows: Vec<[String; 8]> = tokens
        .iter()
        .map(|token| {
            let state = if token["revoked_at"].is_null() { "active" } else { "revoked" };
            let project = token["project"].as_str().unwrap_or("all").to_owned();
            let [id, name, role, owner] = ["id", "name", "role", "owner"].map(|field| text(&token[field]));
            [
                id,
                name,
                role,
                owner,
                project,
                held(&token["folders"]),
                held(&token["labels"]),
                state.to_owned(),
            ]
        })
        .collect();
    table::lay_out(["ID", "NAME", "ROLE", "OWNER", "PROJECT", "FOLDERS", "LABELS", "STATE"], &rows)
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(String::new, str::to_owned)
}
