//! `weir prices`: the price catalogue held against another one.

use std::io::Read as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;
use dialects::prices::{Comparison, compare};
use serde_json::json;
use vocab::Clock;

use super::{ServeArguments, say, table};
use crate::app;

/// The largest price map that is read.
const MAP_BYTES: u64 = 64 << 20;
/// Nano-dollars in a dollar.
const NANOS: f64 = 1e9;

/// What can be done with prices.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Lists where `LiteLLM`'s price map and this catalogue disagree.
    Check(Check),
}

/// A comparison.
#[derive(Debug, clap::Args)]
pub struct Check {
    /// `LiteLLM`'s `model_prices_and_context_window.json`; `-` reads standard input.
    file: PathBuf,
    /// The configuration file, for `prices.overrides`.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Prints JSON: `{models, fields, missing, disagreements}`.
    #[arg(long)]
    json: bool,
}

/// Runs one of the commands.
pub fn run(command: &Command) -> anyhow::Result<()> {
    let Command::Check(check) = command;
    let serve = ServeArguments {
        config: check.config.clone(),
        data_dir: None,
        listen: None,
        admin_listen: None,
        demo: false,
    };
    let catalogue = app::catalogue(&serve.load()?)?;
    let compared = compare(&catalogue, &check.text()?, Clock::system().now())
        .context("this is not LiteLLM's price map")?;
    say(&if check.json { json!(compared).to_string() } else { told(&compared) });
    Ok(())
}

impl Check {
    fn text(&self) -> anyhow::Result<String> {
        let mut text = String::new();
        if self.file.as_os_str() == "-" {
            std::io::stdin().lock().take(MAP_BYTES).read_to_string(&mut text)?;
            return Ok(text);
        }
        let shown = self.file.display();
        let file = std::fs::File::open(&self.file).with_context(|| format!("cannot read {shown}"))?;
        file.take(MAP_BYTES).read_to_string(&mut text).with_context(|| format!("cannot read {shown}"))?;
        Ok(text)
    }
}

fn told(compared: &Comparison) -> String {
    let dollars = |nanos: u64| format!("{:.4}", nanos as f64 / NANOS);
    let rows: Vec<[String; 6]> = compared
        .disagreements
        .iter()
        .map(|found| {
            [
                found.provider.clone(),
                found.model.clone(),
                found.field.to_owned(),
                dollars(found.ours),
                dollars(found.theirs),
                found.price_id.clone(),
            ]
        })
        .collect();
    let headings = ["provider", "model", "field", "ours, $/M", "theirs, $/M", "price id"];
    format!(
        "{}\n{} disagreements in {} fields of {} models; {} models have a price only there",
        table::lay_out(headings, &rows),
        compared.disagreements.len(),
        compared.fields,
        compared.models,
        compared.missing.len()
    )
}
