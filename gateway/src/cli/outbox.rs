//! `weir outbox`: what waits to be shipped to the record store; asked of the gateway, or of its file when none runs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use analytics::{Analytics, OpenError, OutboxCondition, outbox};
use anyhow::Context as _;
use clap::Subcommand;
use serde_json::{Value, json};
use vocab::Clock;

use super::client::{Client, Connection};
use super::{ServeArguments, complain, say, table};
use crate::start;

/// How often a gateway is asked whether its outbox is empty.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long closing may take once everything was shipped.
const CLOSE_TIME: Duration = Duration::from_secs(10);
/// How many poisoned rows are shown.
const ROWS_SHOWN: u32 = 1_000;

/// What can be done with the outbox.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Prints what waits, and how shipping goes.
    Status {
        /// Reads the outbox file instead of asking the gateway.
        #[arg(long)]
        offline: bool,
        /// The gateway's configuration file, which may say where the data folder is.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
    /// Ships everything that waits, and returns when it has arrived; works without a gateway, too.
    Drain {
        /// The gateway's configuration file.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// How long to wait at most, in seconds.
        #[arg(long, default_value_t = 600, value_name = "SECONDS")]
        wait: u64,
        /// Prints JSON: what still waits.
        #[arg(long)]
        json: bool,
    },
    /// Lists, retries and drops rows the store refused for what is in them.
    Poisoned {
        /// What to do with them; lists them when absent.
        #[command(subcommand)]
        command: Option<Poisoned>,
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
}

/// What can be done with poisoned rows.
#[derive(Debug, Subcommand)]
pub enum Poisoned {
    /// Sends them once more.
    Retry {
        /// The row's number; all when absent.
        id: Option<i64>,
    },
    /// Deletes them.
    Drop {
        /// The row's number, or `all`.
        id: String,
    },
}

/// Runs one of the commands.
pub fn run(connection: &Connection, command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Status { offline: false, json, .. } => {
            show(&connection.open()?.get("/outbox", &[])?, *json);
            Ok(())
        }
        Command::Status { offline: true, config, json } => {
            show(&waiting(connection, config.as_ref())?, *json);
            Ok(())
        }
        Command::Drain { config, wait, json } => {
            drain(connection, config.as_ref(), Duration::from_secs(*wait), *json)
        }
        Command::Poisoned { command, json } => poisoned(&connection.open()?, command.as_ref(), *json),
    }
}

/// What the outbox file says by itself.
fn waiting(connection: &Connection, config: Option<&PathBuf>) -> anyhow::Result<Value> {
    Ok(described("outbox", &in_file(&settings(connection, config)?.outbox.path)?))
}

/// What waits in the outbox file at `path`; an error where nobody can tell.
fn in_file(path: &Path) -> anyhow::Result<OutboxCondition> {
    if path.exists() {
        return Ok(outbox::status(path, 0)?.0);
    }
    let folder = path.parent().unwrap_or(path);
    anyhow::ensure!(
        folder.exists(),
        "there is no data folder {}: name it with --data-dir, or the gateway's configuration with --config",
        folder.display()
    );
    Ok(OutboxCondition::default())
}

fn described(kind: &str, condition: &OutboxCondition) -> Value {
    let mut value = json!(condition);
    value["kind"] = kind.into();
    value
}

fn settings(connection: &Connection, config: Option<&PathBuf>) -> anyhow::Result<analytics::Settings> {
    let arguments = ServeArguments {
        config: config.cloned(),
        data_dir: connection.chosen_data_dir(),
        listen: None,
        admin_listen: None,
        demo: false,
    };
    let config = arguments.load().map_err(|problems| anyhow::anyhow!("{problems}"))?;
    Ok(start::analytics_settings(&config, &Clock::system(), None))
}

fn show(condition: &Value, json: bool) {
    if json {
        say(&condition.to_string());
        return;
    }
    if condition["kind"] == "direct" && condition["trouble"].is_null() {
        say("records go straight into the embedded store: nothing waits");
        return show_shed(&condition["shed"]);
    }
    say(&format!("waiting   {} rows, {} bytes", condition["rows"], condition["bytes"]));
    say(&format!("oldest    {}", condition["oldest"].as_str().unwrap_or("-")));
    say(&format!("shipped   {} rows since the start", condition["shipped"]));
    say(&format!("poisoned  {} rows", condition["poisoned"]));
    show_shed(&condition["shed"]);
    // The file alone does not know whether shipping works.
    if condition["shed"].is_null() && condition["trouble"].is_null() {
        return;
    }
    say(&format!("trouble   {}", condition["trouble"].as_str().unwrap_or("none")));
}

/// What was given up for want of room; only a gateway's process knows.
fn show_shed(shed: &Value) {
    if !shed.is_null() {
        say(&format!(
            "shed      {} bodies, {} previews, {} successes, {} rows",
            shed["bodies"], shed["previews"], shed["successes"], shed["rows"]
        ));
    }
}

/// Ships what waits: by oneself when no gateway has the outbox, else by waiting for the gateway to do it.
fn drain(
    connection: &Connection,
    config: Option<&PathBuf>,
    wait: Duration,
    json: bool,
) -> anyhow::Result<()> {
    let settings = settings(connection, config)?;
    let left = if settings.url.starts_with("sqlite:") || !settings.outbox.path.exists() {
        drain_elsewhere(connection, &settings.outbox.path, wait)?
    } else {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        match runtime.block_on(ship(settings, wait)) {
            Err(Undrained::InUse) => watch(&connection.open()?, wait)?,
            Err(Undrained::Failed(error)) => return Err(error),
            Ok(condition) => described("outbox", &condition),
        }
    };
    show(&left, json);
    let rows = left["rows"].as_u64().unwrap_or_default();
    let trouble = left["trouble"].as_str().unwrap_or("it takes longer than was waited");
    anyhow::ensure!(rows == 0, "{rows} rows still wait: {trouble}");
    Ok(())
}

/// What still waits where this configuration has nothing to ship: a running gateway may, and an outbox file that
/// another configuration left may hold rows all the same.
fn drain_elsewhere(connection: &Connection, path: &Path, wait: Duration) -> anyhow::Result<Value> {
    let asked = connection.open().and_then(|client| Ok((client.get("/outbox", &[])?, client)));
    if let Ok((condition, client)) = &asked
        && condition["kind"] == "outbox"
    {
        return watch(client, wait);
    }
    // The gateway that answered knows of its own data folder, which need not be on this machine.
    let rows = if asked.is_ok() && !path.exists() { 0 } else { in_file(path)?.rows };
    anyhow::ensure!(
        rows == 0,
        "{rows} rows wait in {} and no ClickHouse is configured here: name the configuration with --config",
        path.display()
    );
    Ok(asked.map_or_else(|_| json!({"kind": "direct", "rows": 0}), |(condition, _)| condition))
}

enum Undrained {
    /// A gateway has the outbox.
    InUse,
    Failed(anyhow::Error),
}

async fn ship(settings: analytics::Settings, wait: Duration) -> Result<OutboxCondition, Undrained> {
    let analytics = Analytics::open(settings).map_err(|error| match error {
        OpenError::InUse { .. } => Undrained::InUse,
        other => Undrained::Failed(other.into()),
    })?;
    // Whether it settled or the time is up: the condition says.
    drop(tokio::time::timeout(wait, analytics.store.settle()).await);
    let condition = analytics.store.condition().outbox.unwrap_or_default();
    analytics.close(CLOSE_TIME).await;
    Ok(condition)
}

fn watch(client: &Client, wait: Duration) -> anyhow::Result<Value> {
    complain("a gateway has the outbox and ships it: waiting until it is empty");
    let mut looks = wait.as_millis() / LOOK_EVERY.as_millis();
    loop {
        let condition = client.get("/outbox", &[])?;
        if condition["rows"] == 0 || looks == 0 {
            return Ok(condition);
        }
        looks -= 1;
        std::thread::sleep(LOOK_EVERY);
    }
}

fn poisoned(client: &Client, command: Option<&Poisoned>, json: bool) -> anyhow::Result<()> {
    let answer = match command {
        None => {
            let rows = client.get("/outbox/poisoned", &[("limit", &ROWS_SHOWN.to_string())])?;
            if !json {
                say(&listed(rows["data"].as_array().map_or(&[], Vec::as_slice)));
                return Ok(());
            }
            rows
        }
        Some(Poisoned::Retry { id: None }) => client.post("/outbox/poisoned/retry", &json!({}))?,
        Some(Poisoned::Retry { id: Some(id) }) => {
            client.post("/outbox/poisoned/retry", &json!({ "id": id }))?
        }
        Some(Poisoned::Drop { id }) if id == "all" => client.delete("/outbox/poisoned")?,
        Some(Poisoned::Drop { id }) => {
            let id: i64 = id.parse().context("name a row by its number, or write `all`")?;
            client.delete(&format!("/outbox/poisoned/{id}"))?
        }
    };
    if json {
        say(&answer.to_string());
    } else {
        let (retried, dropped) = (&answer["retried"], &answer["dropped"]);
        let (rows, deed) = if dropped.is_null() { (retried, "sent once more") } else { (dropped, "dropped") };
        complain(&format!("{rows} rows {deed}"));
    }
    Ok(())
}

fn listed(rows: &[Value]) -> String {
    let text = |value: &Value| match value {
        Value::Null => "-".to_owned(),
        value => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
    };
    let line = |row: &Value| {
        let columns = &row["columns"];
        let of = if columns["id"].is_null() { &columns["trace_id"] } else { &columns["id"] };
        let cells = [&row["id"], &row["table"], &row["refused_at"], &columns["project"], of, &row["reason"]];
        cells.map(text)
    };
    let rows: Vec<[String; 6]> = rows.iter().map(line).collect();
    table::lay_out(["ID", "TABLE", "REFUSED", "PROJECT", "OF", "REASON"], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn poisoned_rows_say_whose_they_are() {
        let row = |id: u32, columns: Value| json!({"id": id, "table": "calls", "refused_at": "now", "reason": "bad", "columns": columns});
        let (call, span) =
            (json!({"project": "shop", "id": "019a"}), json!({"project": "shop", "trace_id": "07"}));
        assert_eq!(
            listed(&[row(12, call), row(3, span), row(4, Value::Null)]),
            "ID  TABLE  REFUSED  PROJECT  OF    REASON\n\
             12  calls  now      shop     019a  bad\n\
             3   calls  now      shop     07    bad\n\
             4   calls  now      -        -     bad"
        );
    }
}
