//! A sheet of panels as people write it.

use std::path::Path;

use anyhow::{Context, ensure};
use serde::Deserialize;

/// One dashboard.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sheet {
    /// The file's name, without its ending.
    #[serde(skip)]
    pub(super) name: String,
    /// What Grafana shows above it.
    pub(super) title: String,
    /// What it is for.
    pub(super) about: String,
    /// Its panels, in reading order.
    #[serde(rename = "panel")]
    pub(super) panels: Vec<Panel>,
}

/// One panel.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Panel {
    /// What stands above it.
    pub(super) title: String,
    /// What a reader may not know.
    #[serde(default)]
    pub(super) about: String,
    /// How it is drawn.
    pub(super) kind: Kind,
    /// Columns of 24; half the page when nothing is said.
    #[serde(default = "half")]
    pub(super) width: u32,
    /// Grafana's name of the unit.
    #[serde(default)]
    pub(super) unit: String,
    /// Whether series stand on each other.
    #[serde(default)]
    pub(super) stack: bool,
    /// What it asks ClickHouse: SQL with Grafana's macros.
    clickhouse: Option<String>,
    /// What it asks Prometheus: `PromQL` with Grafana's variables.
    prometheus: Option<String>,
    /// The name of a series, with its labels in `{{}}`.
    #[serde(default)]
    legend: String,
    /// More queries in the same panel.
    #[serde(default)]
    and: Vec<More>,
}

/// One more query to Prometheus in the same panel.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct More {
    prometheus: String,
    #[serde(default)]
    legend: String,
}

/// A query to one of the two sources.
#[derive(Clone, Copy, Debug)]
pub(super) enum Query<'a> {
    /// SQL with Grafana's macros.
    ClickHouse(&'a str),
    /// `PromQL` with Grafana's variables.
    Prometheus {
        /// The expression.
        expression: &'a str,
        /// The name of a series.
        legend: &'a str,
    },
}

/// How a panel is drawn, by Grafana's names.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// One number.
    Stat,
    /// Lines over time.
    Timeseries,
    /// Buckets over time.
    Heatmap,
    /// Rows.
    Table,
}

impl Kind {
    /// Grafana's name of it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Stat => "stat",
            Self::Timeseries => "timeseries",
            Self::Heatmap => "heatmap",
            Self::Table => "table",
        }
    }
}

const fn half() -> u32 {
    12
}

impl Sheet {
    /// Reads a sheet; what Grafana would choke on is refused here.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)?;
        let mut sheet: Self = toml::from_str(&text).with_context(|| path.display().to_string())?;
        let name = path.file_stem().and_then(|name| name.to_str());
        name.context("a sheet has a name")?.clone_into(&mut sheet.name);
        for panel in &sheet.panels {
            ensure!(
                panel.clickhouse.is_some() != panel.prometheus.is_some(),
                "{}: the panel `{}` asks either ClickHouse or Prometheus",
                path.display(),
                panel.title
            );
            ensure!((1..=24).contains(&panel.width), "`{}` is 1 to 24 columns wide", panel.title);
        }
        Ok(sheet)
    }
}

impl Panel {
    /// Every query of the panel.
    pub(super) fn queries(&self) -> impl Iterator<Item = Query<'_>> {
        let sql = self.clickhouse.as_deref().map(|sql| Query::ClickHouse(sql.trim()));
        let first = self
            .prometheus
            .as_deref()
            .map(|expression| Query::Prometheus { expression, legend: &self.legend });
        let more = self
            .and
            .iter()
            .map(|more| Query::Prometheus { expression: &more.prometheus, legend: &more.legend });
        sql.into_iter().chain(first).chain(more)
    }

    /// Whether it asks ClickHouse.
    pub(super) const fn asks_clickhouse(&self) -> bool {
        self.clickhouse.is_some()
    }
}
