//! What the gateway tells about itself: its log and its metrics.

use crate::problem::Wrong;
use crate::reader::Section;
use crate::setting::choice;

/// The log on standard error.
#[derive(Clone, Debug)]
pub struct Log {
    /// A level, or a list of levels by module: `info`, `info,gateway=debug`.
    pub level: String,
    /// How a line looks.
    pub format: LogFormat,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// What `/metrics` holds beyond the fixed set.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Whether calls are also counted by prompt and version. Off by default: one series for each.
    pub prompt_label: bool,
}

impl Log {
    pub(crate) fn read(top: &mut Section<'_, '_>) -> Self {
        let mut section = top.section("log");
        let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
        let log = Self {
            level: section.parse("level", "info", level).unwrap_or_else(|| "info".to_owned()),
            format: section.parse("format", "text", |text| choice(text, &formats)).unwrap_or(LogFormat::Text),
        };
        section.finish();
        log
    }
}

impl Metrics {
    pub(crate) fn read(top: &mut Section<'_, '_>) -> Self {
        let mut section = top.section("metrics");
        let metrics = Self { prompt_label: section.read("prompt_label", false) };
        section.finish();
        metrics
    }
}

/// Checks the levels of a list such as `info,gateway=debug`.
fn level(text: &str) -> Result<String, Wrong> {
    let levels = ["off", "error", "warn", "info", "debug", "trace"].map(|word| (word, ()));
    for directive in text.split(',') {
        let level = directive.rsplit('=').next().unwrap_or(directive);
        choice(level.trim(), &levels)?;
    }
    Ok(text.to_owned())
}
