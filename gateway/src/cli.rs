//! The command line: one tree of commands; `serve`, `check`, `migrate` and `openapi` work here, the others ask the
//! admin API.

pub mod alert;
pub mod audit;
pub mod calls;
pub mod check;
pub mod client;
pub mod experiment;
pub mod export;
pub mod import;
pub mod key;
pub mod label;
pub mod migrate;
pub mod outbox;
pub mod page;
pub mod prices;
pub mod project;
pub mod prompt;
pub mod records;
pub mod release;
pub mod report;
pub mod reprice;
pub mod score;
pub mod serve;
pub mod session;
mod table;
pub mod token;
pub mod trace;
pub mod view;
pub mod webhook;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde_json::{Map, Value};

use crate::admin;
use client::Connection;

/// A gateway for model calls with a prompt registry and records.
#[derive(Debug, Parser)]
#[command(name = "weir", version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the gateway.
    Serve(ServeArguments),
    /// Checks the configuration, and prompt files, and prints every problem.
    Check(check::CheckArguments),
    /// Makes, lists, changes and revokes virtual keys.
    Key {
        #[command(flatten)]
        connection: Connection,
        #[command(subcommand)]
        command: key::Command,
    },
    /// Makes, lists and revokes admin tokens.
    Token {
        #[command(flatten)]
        connection: Connection,
        #[command(subcommand)]
        command: token::Command,
    },
    /// Makes, lists and archives projects.
    Project {
        #[command(flatten)]
        connection: Connection,
        #[command(subcommand)]
        command: project::Command,
    },
    /// Manages prompts and their versions, and keeps prompts as files.
    Prompt {
        #[command(flatten)]
        connection: Connection,
        #[command(subcommand)]
        command: prompt::Command,
    },
    /// Registers prompts from elsewhere, and reports what was carried.
    Import {
        #[command(flatten)]
        connection: Connection,
        #[command(flatten)]
        how: import::How,
        #[command(subcommand)]
        source: import::Source,
    },
    /// Moves labels and back, takes them away, and sets their policies.
    Label {
        #[command(flatten)]
        connection: Connection,
        #[command(subcommand)]
        command: label::Command,
    },
    /// Proposes, approves and carries out releases.
    Release {
        #[command(flatten)]
        connection: Connection,
        #[command(subcommand)]
        command: release::Command,
    },
    /// Compares versions side by side on one label.
    Experiment {
        #[command(flatten)]
        connection: Connection,
        #[command(subcommand)]
        command: experiment::Command,
    },
    /// Says where events are sent, and how that went.
    Webhook {
        #[command(flatten)]
        connection: Connection,
        #[command(subcommand)]
        command: webhook::Command,
    },
    /// Saves searches, reports and lists of traces for everyone in a project.
    View {
        #[command(flatten)]
        connection: Connection,
        #[command(subcommand)]
        command: view::Command,
    },
    /// Finds recorded calls.
    Calls {
        #[command(flatten)]
        connection: Connection,
        #[command(subcommand)]
        command: calls::Command,
    },
    /// Writes all calls that match into a file, and checks that it is whole.
    Export(export::Export),
    /// Prints a trace as a tree, or lists traces.
    Trace(trace::Trace),
    /// Lists sessions, and shows what belongs to one.
    Session {
        #[command(flatten)]
        connection: Connection,
        #[command(subcommand)]
        command: session::Command,
    },
    /// Lists and gives judgements of calls, traces and sessions.
    Score {
        #[command(flatten)]
        connection: Connection,
        #[command(subcommand)]
        command: score::Command,
    },
    /// Prints numbers over calls: measures, by group and time.
    Report(report::Report),
    /// Holds the price catalogue against another one.
    Prices {
        #[command(subcommand)]
        command: prices::Command,
    },
    /// Prints what recorded calls would cost by today's prices.
    Reprice {
        #[command(flatten)]
        connection: Connection,
        #[command(flatten)]
        reprice: reprice::Reprice,
    },
    /// Deletes records, and gives room back to the disk.
    Records {
        #[command(flatten)]
        connection: Connection,
        #[command(subcommand)]
        command: records::Command,
    },
    /// Shows and mends what waits to be shipped to the record store.
    Outbox {
        #[command(flatten)]
        connection: Connection,
        #[command(subcommand)]
        command: outbox::Command,
    },
    /// Shows how alerts stand, and tries one out.
    Alert {
        #[command(flatten)]
        connection: Connection,
        #[command(subcommand)]
        command: alert::Command,
    },
    /// Shows who changed what, and verifies that nobody tampered with it.
    Audit {
        #[command(flatten)]
        connection: Connection,
        #[command(subcommand)]
        command: audit::Command,
    },
    /// Brings the databases of the configuration up to date, as the start does.
    Migrate(migrate::Migrate),
    /// Prints the admin API's OpenAPI document.
    Openapi,
}

/// What `serve` and `check` take.
#[derive(Debug, clap::Args)]
pub struct ServeArguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The folder of everything this node keeps [default: ./data].
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The data plane's address [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// The admin listener's address [default: 127.0.0.1:8081].
    #[arg(long, value_name = "ADDRESS")]
    pub admin_listen: Option<String>,
    /// Turns the provider `demo` and the prompt `demo/support-reply` on.
    #[arg(long)]
    pub demo: bool,
}

impl ServeArguments {
    /// The configuration these arguments, the environment and the file make.
    pub fn load(&self) -> Result<config::Config, config::Problems> {
        let cli = config::CommandLine {
            data_dir: self.data_dir.clone(),
            listen: self.listen.clone(),
            admin_listen: self.admin_listen.clone(),
            demo: self.demo,
        };
        config::load(self.config.as_deref(), &config::Environment, &cli)
    }
}

/// Runs the command these arguments name: exit code 0 when done, 1 when it failed, 2 when it was not understood.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Where the terminal is gone, nobody reads the help either.
            drop(error.print());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match execute(&arguments.command) {
        Ok(code) => code,
        Err(error) => {
            complain(&format!("weir: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn execute(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(arguments) => serve::run(arguments)?,
        Command::Check(arguments) => return check::run(arguments),
        Command::Key { connection, command } => key::run(&connection.open()?, command)?,
        Command::Token { connection, command } => token::run(&connection.open()?, command)?,
        Command::Project { connection, command } => project::run(&connection.open()?, command)?,
        Command::Import { connection, how, source } => return import::run(&connection.open()?, how, source),
        Command::Prompt { connection, command } => return prompt::run(connection, command),
        Command::Label { connection, command } => label::run(&connection.open()?, command)?,
        Command::Release { connection, command } => release::run(&connection.open()?, command)?,
        Command::Experiment { connection, command } => experiment::run(&connection.open()?, command)?,
        Command::Webhook { connection, command } => {
            return Ok(judged(webhook::run(&connection.open()?, command)?));
        }
        Command::View { connection, command } => view::run(&connection.open()?, command)?,
        Command::Calls { connection, command } => calls::run(&connection.open()?, command)?,
        Command::Export(export) => export.run()?,
        Command::Trace(trace) => trace.run()?,
        Command::Session { connection, command } => session::run(&connection.open()?, command)?,
        Command::Score { connection, command } => score::run(&connection.open()?, command)?,
        Command::Report(report) => report.run()?,
        Command::Prices { command } => prices::run(command)?,
        Command::Reprice { connection, reprice } => reprice.run(&connection.open()?)?,
        Command::Records { connection, command } => records::run(&connection.open()?, command)?,
        Command::Alert { connection, command } => alert::run(&connection.open()?, command)?,
        Command::Audit { connection, command } => return audit::run(connection, command),
        Command::Outbox { connection, command } => outbox::run(connection, command)?,
        Command::Migrate(migrate) => migrate.run()?,
        Command::Openapi => say(&admin::openapi()),
    }
    Ok(ExitCode::SUCCESS)
}

/// The exit code of what went well or did not.
fn judged(well: bool) -> ExitCode {
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The tree of commands, with all that each takes.
pub fn tree() -> clap::Command {
    <Arguments as clap::CommandFactory>::command()
}

/// The changes that were named, which are some.
fn changes(named: Map<String, Value>) -> anyhow::Result<Value> {
    anyhow::ensure!(!named.is_empty(), "there is nothing to change: --help lists what can be changed");
    Ok(Value::Object(named))
}

/// Tells of something done: in words, or as the JSON that came back.
fn tell(answer: &Value, json: bool, words: &str) {
    if json {
        say(&answer.to_string());
    } else {
        complain(words);
    }
}

/// Writes a line for people to standard error.
#[expect(clippy::print_stderr, reason = "the command line talks to people")]
pub fn complain(line: &str) {
    eprintln!("{line}");
}

/// Writes a line of output. A reader that has gone away, such as `head`, ends the output quietly.
pub fn say(line: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    drop(writeln!(out, "{line}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_options_of_a_command_clash() {
        tree().debug_assert();
    }
}
