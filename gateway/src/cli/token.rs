//! `weir token`: admin tokens, made, listed and revoked.

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::client::Client;
use super::page::Page;
use super::{complain, say, table};

/// What can be done with admin tokens.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes a token and prints its secret, this once.
    Create(Create),
    /// Lists tokens, newest first, without their secrets.
    List {
        /// Which of them, and how.
        #[command(flatten)]
        page: Page,
    },
    /// Shows a token, without its secret.
    Show {
        /// The token's id, or its name.
        token: String,
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
    /// Revokes a token at once, for good.
    Revoke {
        /// The token's id, or its name.
        token: String,
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
            let id = table::cell(&made["id"]);
            complain(&format!("token {id} made; this is its secret, shown this once:"));
            say(&table::cell(&made["secret"]));
        }
        Command::List { page } => page.print(client, "/tokens", &[], listed)?,
        Command::Show { token, json } => {
            let token = client.get(&client.path_of("token", token)?, &[])?;
            say(&if *json { token.to_string() } else { shown(&token) });
        }
        Command::Revoke { token } => {
            client.delete(&client.path_of("token", token)?)?;
            complain(&format!("token {token} is revoked"));
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
    let row = |token: &Value| {
        let [id, name, role, owner] = ["id", "name", "role", "owner"].map(|field| table::cell(&token[field]));
        let [project, folders, labels] = open_scopes(token);
        let state = if token["revoked_at"].is_null() { "active" } else { "revoked" };
        [id, name, role, owner, project, folders, labels, state.to_owned()]
    };
    let rows: Vec<_> = tokens.iter().map(row).collect();
    table::lay_out(["ID", "NAME", "ROLE", "OWNER", "PROJECT", "FOLDERS", "LABELS", "STATE"], &rows)
}

/// The project, folders and labels it is held to.
fn open_scopes(token: &Value) -> [String; 3] {
    let project = token["project"].as_str().unwrap_or("all").to_owned();
    [project, table::scope(&token["folders"]), table::scope(&token["labels"])]
}

fn shown(token: &Value) -> String {
    let mut shown = token.clone();
    for (field, scope) in ["project", "folders", "labels"].into_iter().zip(open_scopes(token)) {
        shown[field] = scope.into();
    }
    let fields = [
        ("id", "id"),
        ("name", "name"),
        ("role", "role"),
        ("owner", "owner"),
        ("project", "project"),
        ("folders", "folders"),
        ("labels", "labels"),
        ("secret ends in", "hint"),
        ("made by", "created_by"),
        ("made", "created_at"),
        ("expires", "expires_at"),
        ("revoked", "revoked_at"),
    ];
    table::facts(fields, &shown)
}
