//! `weir view`: saved searches, reports and lists of traces, shared by everyone in a project.

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::client::Client;
use super::page::{Page, given};
use super::{changes, complain, say, table, tell};

/// What can be done with saved views.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Saves a view.
    Create(Create),
    /// Lists views by name.
    List {
        /// Only of this kind: calls, report or traces.
        #[arg(long, value_name = "KIND")]
        kind: Option<String>,
        /// Which of them, and how.
        #[command(flatten)]
        page: Page,
    },
    /// Shows a view.
    Show {
        /// The view's id, or its name.
        view: String,
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
    /// Changes a view; its kind stays.
    Edit(Edit),
    /// Removes a view.
    Remove {
        /// The view's id, or its name.
        view: String,
    },
}

/// A view to save.
#[derive(Debug, clap::Args)]
pub struct Create {
    /// What people call it, once in a project.
    name: String,
    /// What it shows: calls, report or traces.
    #[arg(long, default_value = "calls", value_name = "KIND")]
    kind: String,
    #[command(flatten)]
    content: Content,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// What a view looks for, and shows of it.
#[derive(Debug, clap::Args)]
pub struct Content {
    /// The search text.
    #[arg(short, long, allow_hyphen_values = true, value_name = "TEXT")]
    q: Option<String>,
    /// The earliest start: RFC 3339, or `-7d`, which stays seven days ago.
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    from: Option<String>,
    /// The latest start.
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    to: Option<String>,
    /// The columns of a list, in order.
    #[arg(long, value_delimiter = ',', value_name = "COLUMNS")]
    columns: Option<Vec<String>>,
    /// What a report measures, as for `weir report`.
    #[arg(long, value_delimiter = ',', value_name = "MEASURES")]
    measures: Vec<String>,
    /// What a report splits by.
    #[arg(long, value_delimiter = ',', requires = "measures", value_name = "GROUPS")]
    by: Vec<String>,
    /// The width of a report's time bucket.
    #[arg(long, requires = "measures", value_name = "TIME")]
    interval: Option<String>,
}

/// A view to change.
#[derive(Debug, clap::Args)]
pub struct Edit {
    /// The view's id, or its name.
    view: String,
    #[command(flatten)]
    changes: Changes,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// What to change of a view.
#[derive(Debug, clap::Args)]
pub struct Changes {
    /// What people are to call it.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    content: Content,
}

/// Runs one of the commands.
pub fn run(client: &Client, command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Create(create) => {
            let mut body = create.content.body();
            body.insert("name".into(), json!(create.name));
            body.insert("kind".into(), json!(create.kind));
            let made = client.post("/views", &Value::Object(body))?;
            say(&if create.json { made.to_string() } else { table::cell(&made["id"]) });
            complain(&format!("view {} saved", create.name));
        }
        Command::List { kind, page } => page.print(client, "/views", &given(&[("kind", kind)]), listed)?,
        Command::Show { view, json } => {
            let view = client.get(&client.path_of("view", view)?, &[])?;
            say(&if *json { view.to_string() } else { shown(&view) });
        }
        Command::Edit(edit) => {
            let mut body = edit.changes.content.body();
            body.extend(edit.changes.name.as_ref().map(|name| ("name".to_owned(), json!(name))));
            let changed = client.patch(&client.path_of("view", &edit.view)?, &changes(body)?)?;
            tell(&changed, edit.json, &format!("view {} changed", edit.view));
        }
        Command::Remove { view } => {
            client.delete(&client.path_of("view", view)?)?;
            complain(&format!("view {view} is gone"));
        }
    }
    Ok(())
}

impl Content {
    fn body(&self) -> Map<String, Value> {
        let report = json!({"measures": self.measures, "group_by": self.by, "interval": self.interval});
        let fields = [
            ("q", self.q.as_ref().map(|text| json!(text))),
            ("from", self.from.as_ref().map(|text| json!(text))),
            ("to", self.to.as_ref().map(|text| json!(text))),
            ("columns", self.columns.as_ref().map(|columns| json!(columns))),
            ("report", (!self.measures.is_empty()).then_some(report)),
        ];
        fields.into_iter().filter_map(|(field, value)| Some((field.to_owned(), value?))).collect()
    }
}

fn listed(views: &[Value]) -> String {
    let columns = [
        ("ID", "id"),
        ("NAME", "name"),
        ("KIND", "kind"),
        ("SEARCH", "q"),
        ("FROM", "from"),
        ("TO", "to"),
        ("BY", "updated_by"),
    ];
    table::of_fields(columns, views)
}

fn shown(view: &Value) -> String {
    let fields = [
        ("id", "id"),
        ("name", "name"),
        ("kind", "kind"),
        ("search", "q"),
        ("from", "from"),
        ("to", "to"),
        ("columns", "columns"),
        ("report", "report"),
        ("saved by", "created_by"),
        ("changed by", "updated_by"),
        ("changed", "updated_at"),
    ];
    table::facts(fields, view)
}
