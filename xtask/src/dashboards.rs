//! `cargo xtask dashboards`: makes Grafana's files from `dashboards/grafana/panels/*.toml` and `alerts.toml`, and with
//! `check` runs every panel's query on a real ClickHouse and a real Prometheus.
//!
//! What people edit is a panel's title and its query; what Grafana reads is made from it. A test holds both in step.

mod alerts;
mod board;
pub(crate) mod check;
mod panels;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::prove::faults;
use crate::workspace::Workspace;
use panels::Sheet;

/// Where everything is, below the project's folder.
const FOLDER: &str = "dashboards/grafana";

/// A file Grafana or Prometheus reads, and what must stand in it.
struct Made {
    path: PathBuf,
    text: String,
}

/// Writes the files, or with `check` tries their queries.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> anyhow::Result<()> {
    match words {
        [] => {
            for file in make(&workspace.root)? {
                std::fs::write(&file.path, file.text)?;
                println!("{}", file.path.display());
            }
            Ok(())
        }
        [word] if word == "check" => {
            let programs = workspace.build_debug(&faults::PROGRAMS)?;
            check::run(workspace, &programs).map(|count| println!("{count} queries returned data"))
        }
        _ => bail!("it takes nothing, or `check`"),
    }
}

/// The sheets of panels, by name.
fn sheets(root: &Path) -> anyhow::Result<Vec<Sheet>> {
    let folder = root.join(FOLDER).join("panels");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.sort();
    files.iter().map(|file| Sheet::read(file)).collect()
}

/// Every file that is made.
fn make(root: &Path) -> anyhow::Result<Vec<Made>> {
    let folder = root.join(FOLDER);
    let mut made = Vec::new();
    for sheet in sheets(root)? {
        let path = folder.join("dashboards").join(format!("{}.json", sheet.name));
        made.push(Made { path, text: written(&board::json(&sheet)) });
    }
    let rules = alerts::read(&folder.join("alerts.toml"))?;
    made.push(Made { path: folder.join("prometheus/weir.rules.yml"), text: alerts::prometheus(&rules) });
    made.push(Made {
        path: folder.join("provisioning/alerting/weir.json"),
        text: written(&alerts::grafana(&rules)),
    });
    for file in &made {
        let parent = file.path.parent().context("a file stands in a folder")?;
        std::fs::create_dir_all(parent)?;
    }
    Ok(made)
}

fn written(value: &Value) -> String {
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grafana_reads_is_made_from_what_people_edit() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for file in make(root).unwrap() {
            let committed = std::fs::read_to_string(&file.path).unwrap_or_default();
            assert!(
                committed == file.text,
                "{} is not what is made: run `cargo xtask dashboards`",
                file.path.display()
            );
        }
    }
}
