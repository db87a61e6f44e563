//! What only the start does: the first keys, the demo prompt, settings handed from the configuration to the stores.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use analytics::{BodyPolicy, Listener, OutboxSettings, Policies, Policy, Redaction, Rule, Sample};
use anyhow::Context as _;
use config::{Bodies, Config, Known, OnFull, ProjectRecords, Records, Redact, Sync};
use registry::content::Content;
use registry::{DEFAULT_PROJECT, NewVersion, Registry, Role, Who};
use serde::Deserialize;
use serde_json::json;
use vocab::{Clock, LabelName, PromptName, Secret};

use crate::exporter::Exporter;

/// The file that holds the secrets of the first start.
const FIRST_START_FILE: &str = "first-start.json";
/// The prompt `--demo` seeds.
pub const DEMO_PROMPT: &str = "demo/support-reply";

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
        let known = read_first_start(&config.data_dir);
        return Ok(Access {
            admin_token: config.admin_token.clone().or(known.admin_token),
            api_key: config.api_key.clone().or(known.api_key),
            file: None,
        });
    }
    let shown = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.expose().to_owned());
    let secrets = json!({"admin_token": shown(&first.admin_token), "api_key": shown(&first.api_key)});
    write_private(&path, &format!("{secrets:#}\n"))
        .with_context(|| format!("cannot write the first secrets to {}", path.display()))?;
    Ok(Access {
        admin_token: first.admin_token.or_else(|| config.admin_token.clone()),
        api_key: first.api_key.or_else(|| config.api_key.clone()),
        file: Some(path),
    })
}

/// The secrets the first start wrote, as far as they are still there.
#[derive(Default, Deserialize)]
pub struct FirstStart {
    /// The admin API's token.
    pub admin_token: Option<Secret>,
    /// The virtual key.
    pub api_key: Option<Secret>,
}

/// Reads what the first start wrote into this data folder.
pub fn read_first_start(data_dir: &Path) -> FirstStart {
    let text = std::fs::read_to_string(data_dir.join(FIRST_START_FILE)).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// Writes a file only its owner can read.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// What the record store is opened with.
pub fn analytics_settings(
    config: &Config,
    clock: &Clock,
    exporter: Option<Arc<Exporter>>,
) -> analytics::Settings {
    analytics::Settings {
        url: config.analytics_url.expose().to_owned(),
        queue_bytes: config.records.queue_bytes,
        policies: policies(&config.records),
        listener: exporter.map(|exporter| exporter as Arc<dyn Listener>),
        node: config.node.as_str().into(),
        clock: clock.clone(),
        cluster: config.analytics_cluster.as_deref().map(Arc::from),
        outbox: OutboxSettings {
            path: outbox_path(config),
            bytes: config.records.outbox_bytes,
            reserve_bytes: config.records.reserve_bytes,
            sync_full: config.records.sync == Sync::Full,
            refuse_when_full: config.records.on_full == OnFull::Refuse,
        },
    }
}

/// The file in which rows wait for ClickHouse.
pub fn outbox_path(config: &Config) -> PathBuf {
    config.data_dir.join("outbox.sqlite")
}

/// What is kept of each project's calls.
pub fn policies(records: &Records) -> Policies {
    let default = Policy {
        bodies: body_policy(records.bodies),
        retention: records.retention,
        redaction: redaction(&records.redact),
    };
    let project = |(name, project): (&String, &ProjectRecords)| {
        let policy = Policy {
            bodies: body_policy(project.bodies),
            retention: project.retention,
            redaction: redaction(&project.redact),
        };
        (Arc::from(name.as_str()), Arc::new(policy))
    };
    Policies { projects: records.projects.iter().map(project).collect(), ..Policies::of(default) }
}

fn redaction(redact: &[Redact]) -> Redaction {
    let rule = |redact: &Redact| match redact {
        Redact::Known(known) => Rule::Known(known_rule(*known)),
        Redact::Own { pattern, with } => Rule::Own { pattern: pattern.clone(), with: with.as_str().into() },
    };
    Redaction::new(redact.iter().map(rule).collect())
}

const fn known_rule(known: Known) -> analytics::Known {
    match known {
        Known::Email => analytics::Known::Email,
        Known::Card => analytics::Known::Card,
        Known::Phone => analytics::Known::Phone,
        Known::Iban => analytics::Known::Iban,
        Known::Ssn => analytics::Known::Ssn,
        Known::Ip => analytics::Known::Ip,
        Known::ApiKey => analytics::Known::ApiKey,
        Known::Bearer => analytics::Known::Bearer,
    }
}

fn body_policy(bodies: Bodies) -> BodyPolicy {
    match bodies {
        Bodies::Off => BodyPolicy::Off,
        Bodies::Metadata => BodyPolicy::Metadata,
        Bodies::Sampled(part) => BodyPolicy::Sampled(Sample::of(part)),
        Bodies::Full => BodyPolicy::Full,
    }
}

/// Publishes the demo prompt unless it is there already.
pub async fn seed_demo(registry: &Registry) -> anyhow::Result<()> {
    let name: PromptName = DEMO_PROMPT.parse()?;
    if registry.find_prompt(DEFAULT_PROJECT, &name).await?.is_some() {
        return Ok(());
    }
    let content: Content = serde_json::from_value(json!({
        "messages": [
            {"role": "system", "content": "You answer support questions for Northwind. Be brief, friendly and concrete."},
            {"placeholder": "history"},
            {"role": "user", "content": "{{customer}} asks: {{question}}"},
        ],
        "variables": {
            "customer": {"type": "string", "default": "A customer", "description": "Who asks.", "example": "Ada"},
            "question": {"type": "string", "description": "What they ask.", "example": "Where is my order?"},
        },
        "model": "demo/demo-small",
        "parameters": {"temperature": 0.2},
    }))?;
    let version = NewVersion {
        commit_message: Some("The prompt to try Weir with".to_owned()),
        labels: vec![LabelName::production()],
        ..NewVersion::of(content)
    };
    registry.publish(DEFAULT_PROJECT, &name, version, &Who::new(Role::Admin, "weir")).await?;
    Ok(())
}
