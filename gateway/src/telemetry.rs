//! The log: structured lines on standard error. Never bodies, keys or personal data.

use std::io::IsTerminal as _;

use config::{Log, LogFormat};
use tracing_subscriber::EnvFilter;

/// Starts the log; a second start in one process is ignored, as tests do.
pub fn start(log: &Log) -> anyhow::Result<()> {
    let filter = EnvFilter::builder().parse(&log.level)?;
    let colours = std::io::stderr().is_terminal();
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    let started = match log.format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    drop(started);
    Ok(())
}
