//! `weir migrate`: brings the databases of the configuration up to date before the gateway is started.

use std::path::PathBuf;

use analytics::clickhouse;
use config::Config;
use registry::Registry;
use serde_json::json;
use vocab::Clock;

use super::{ServeArguments, say};
use crate::leftovers::Leftovers;

/// What `migrate` takes.
#[derive(Debug, clap::Args)]
pub struct Migrate {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder of everything this node keeps [default: ./data].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Prints what would be done, and does nothing.
    #[arg(long)]
    dry_run: bool,
    /// Prints JSON: `{registry, records, dry_run, notices}`, the names of migrations each.
    #[arg(long)]
    json: bool,
}

impl Migrate {
    /// Migrates, or says what there is to do.
    pub fn run(&self) -> anyhow::Result<()> {
        let arguments = ServeArguments {
            config: self.config.clone(),
            data_dir: self.data_dir.clone(),
            listen: None,
            admin_listen: None,
            demo: false,
        };
        let config = arguments.load().map_err(|problems| anyhow::anyhow!("{problems}"))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (registry, records) = runtime.block_on(async {
            let registry = self.registry(&config).await?;
            anyhow::Ok((registry, self.records(&config).await?))
        })?;
        let notices = Leftovers::of(&config).notices();
        if self.json {
            let done = json!({
                "registry": registry, "records": records, "dry_run": self.dry_run, "notices": notices,
            });
            say(&done.to_string());
            return Ok(());
        }
        say(&self.told("registry", &registry));
        if config.analytics_url.expose().starts_with("sqlite:") {
            say("records   embedded: brought up to date at the start of the gateway");
        } else {
            say(&self.told("records", &records));
        }
        for notice in &notices {
            say(&format!("note: {notice}"));
        }
        Ok(())
    }

    async fn registry(&self, config: &Config) -> anyhow::Result<Vec<String>> {
        let pending = Registry::pending(config.registry_url.expose()).await?;
        if !self.dry_run && !pending.is_empty() {
            std::fs::create_dir_all(&config.data_dir)?;
            Registry::open(config.registry_url.expose(), Clock::system()).await?.close().await;
        }
        Ok(pending)
    }

    async fn records(&self, config: &Config) -> anyhow::Result<Vec<String>> {
        let (url, cluster) = (config.analytics_url.expose(), config.analytics_cluster.as_deref());
        if url.starts_with("sqlite:") {
            return Ok(Vec::new());
        }
        if self.dry_run {
            return Ok(clickhouse::pending(url, cluster).await?);
        }
        Ok(clickhouse::migrate(url, cluster).await?.applied)
    }

    fn told(&self, what: &str, migrations: &[String]) -> String {
        let deed = if self.dry_run { "would apply" } else { "applied" };
        match migrations {
            [] => format!("{what:8}  up to date"),
            some => format!("{what:8}  {deed} {}", some.join(", ")),
        }
    }
}
