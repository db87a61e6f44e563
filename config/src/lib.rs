//! What the operator sets before the gateway starts.
//!
//! [`load`] reads the command line, the environment and a TOML file, in this order of strength, into one checked
//! [`Config`]; or it returns every problem at once, each with its place and what to write instead. Each section of the
//! file has a file of its own here. Nothing is opened, bound or sent.

mod export;
mod file;
mod headers;
mod limits;
mod models;
mod nearest;
mod outgoing;
mod problem;
mod providers;
mod reader;
mod records;
mod redact;
mod server;
mod setting;
mod storage;
mod telemetry;
mod url;
mod vars;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use vocab::Secret;

pub use crate::export::{Encoding, Export, Names};
pub use crate::limits::Limits;
pub use crate::outgoing::{Alerts, Smtp, Webhooks};
pub use crate::problem::{Place, Problem, Problems};
pub use crate::providers::{Auth, Provider, ProviderKind};
pub use crate::reader::Key;
pub use crate::records::{Bodies, Durability, OnFull, ProjectRecords, Records, Sync};
pub use crate::redact::{Known, Redact};
pub use crate::server::Server;
pub use crate::telemetry::{Log, LogFormat, Metrics};
pub use crate::vars::{Environment, Vars};

use crate::file::File;
use crate::nearest::nearest;
use crate::reader::{Arguments, Reader, Section};
use crate::storage::Storage;

/// Everything that is set before the start, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The listeners and the shutdown.
    pub server: Server,
    /// Every bound of the data plane.
    pub limits: Limits,
    /// Where prompts, keys and people are kept: `sqlite:PATH`, or `postgres://user:password@host:5432/database`.
    pub registry_url: Secret,
    /// Where records are kept: `sqlite:PATH`, or `http(s)://user:password@host:8123/database` for ClickHouse.
    pub analytics_url: Secret,
    /// ClickHouse's cluster, when its tables are to be on every node of one.
    pub analytics_cluster: Option<String>,
    /// Where nodes share state: `memory:`.
    pub shared_url: String,
    /// How calls are recorded.
    pub records: Records,
    /// Where calls are sent as spans, if anywhere.
    pub export: Option<Export>,
    /// How alert rules are looked at.
    pub alerts: Alerts,
    /// How webhooks are sent.
    pub webhooks: Webhooks,
    /// Where mail is handed over, if anywhere.
    pub smtp: Option<Smtp>,
    /// The address people and applications reach this gateway at, without a slash at its end.
    pub public_url: Option<String>,
    /// The services that models run at; names are unique.
    pub providers: Vec<Provider>,
    /// The operator's names for models: alias to `provider/model`.
    pub aliases: BTreeMap<String, String>,
    /// The folder of everything this node keeps.
    pub data_dir: PathBuf,
    /// Whether the demo provider and the demo prompt are wanted.
    pub demo: bool,
    /// An admin token that is accepted on every start.
    pub admin_token: Option<Secret>,
    /// A virtual key that is accepted on every start.
    pub api_key: Option<Secret>,
    /// The log.
    pub log: Log,
    /// The metrics.
    pub metrics: Metrics,
    /// A price catalogue whose entries stand above the shipped ones.
    pub prices: Option<PathBuf>,
    /// This node's name in records.
    pub node: String,
    /// What the operator should know although nothing is wrong. Log each line once.
    pub notices: Vec<String>,
}

/// What the command line sets; it stands above the environment and the file.
#[derive(Clone, Debug, Default)]
pub struct CommandLine {
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--listen`, as it was typed.
    pub listen: Option<String>,
    /// `--admin-listen`, as it was typed.
    pub admin_listen: Option<String>,
    /// `--demo`.
    pub demo: bool,
}

/// Sections whose variables are settings or mistakes; other `WEIR_` variables may be somebody else's.
const SECTIONS: [&str; 12] = [
    "alerts",
    "analytics",
    "export",
    "limits",
    "log",
    "metrics",
    "models",
    "providers",
    "records",
    "registry",
    "smtp",
    "webhooks",
];

/// Loads the configuration, from the file at `path` if one is named.
pub fn load(path: Option<&Path>, vars: &dyn Vars, cli: &CommandLine) -> Result<Config, Problems> {
    let written = path.map(|path| Ok((path, file::text(path)?))).transpose().map_err(Problems)?;
    let parsed = written.as_ref().map(|(path, text)| File::parse(path, text));
    let file = parsed.transpose().map_err(Problems)?;
    let mut reader = Reader::new(file.as_ref(), vars, cli.arguments());
    let config = Config::read(&mut reader.top());
    notice_strays(&mut reader);
    let Reader { mut problems, notices, .. } = reader;
    if problems.is_empty() {
        return Ok(Config { notices, ..config });
    }
    problems.sort_by(|a, b| a.place.cmp(&b.place));
    Err(Problems(problems))
}

/// Every key there is, with its variable and its default; a provider named `NAME` stands for all.
pub fn keys() -> Vec<Key> {
    let sample = concat!(
        "[providers.NAME]\nkind = \"openai\"\n[providers.NAME.headers]\nHEADER = \"x\"\n",
        "[models]\nALIAS = \"NAME/x\"\n[records.projects.NAME]\n",
        "[export.headers]\nHEADER = \"x\"\n[export.resource]\nATTRIBUTE = \"x\"\n",
    );
    let Ok(file) = File::parse(Path::new("sample.toml"), sample) else { return Vec::new() };
    let nothing = BTreeMap::new();
    let mut reader = Reader::new(Some(&file), &nothing, Arguments::new());
    Config::read(&mut reader.top());
    reader.keys
}

impl CommandLine {
    fn arguments(&self) -> Arguments {
        let data_dir = self.data_dir.as_ref().map(|path| path.display().to_string());
        let demo = self.demo.then(|| "true".to_owned());
        let typed = [
            ("data_dir", "--data-dir", data_dir),
            ("listen", "--listen", self.listen.clone()),
            ("admin_listen", "--admin-listen", self.admin_listen.clone()),
            ("demo", "--demo", demo),
        ];
        typed.into_iter().filter_map(|(path, argument, text)| Some((path, (argument, text?)))).collect()
    }
}

impl Config {
    fn read(top: &mut Section<'_, '_>) -> Self {
        let server = Server::read(top);
        let data_dir = top.read("data_dir", PathBuf::from("./data"));
        let demo = top.read("demo", false);
        let storage = Storage::read(top, &data_dir);
        let providers = providers::read(top, &server, demo);
        let config = Self {
            limits: Limits::read(top),
            registry_url: storage.registry,
            analytics_url: storage.analytics,
            analytics_cluster: storage.cluster,
            shared_url: storage.shared,
            records: Records::read(top),
            export: Export::read(top),
            alerts: Alerts::read(top),
            webhooks: Webhooks::read(top),
            smtp: Smtp::read(top),
            public_url: outgoing::public_url(top),
            aliases: models::read(top, &providers),
            admin_token: secret(top, "admin_token"),
            api_key: secret(top, "api_key"),
            log: Log::read(top),
            metrics: Metrics::read(top),
            prices: prices(top),
            node: top.find("node").unwrap_or_else(|| host_name(top)),
            notices: Vec::new(),
            server,
            providers,
            data_dir,
            demo,
        };
        top.refuse_unknown();
        config
    }
}

fn secret(top: &mut Section<'_, '_>, key: &str) -> Option<Secret> {
    let vars = top.reader.vars;
    top.parse(key, "", |text| vars::secret(text, vars))
}

fn prices(top: &mut Section<'_, '_>) -> Option<PathBuf> {
    let mut section = top.section("prices");
    let overrides = section.parse("overrides", "", setting::readable);
    section.finish();
    overrides
}

/// This machine's name, as far as it can be found without asking the network.
fn host_name(top: &Section<'_, '_>) -> String {
    let name = top.reader.vars.get("HOSTNAME").or_else(|| std::fs::read_to_string("/etc/hostname").ok());
    name.map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "weir".to_owned())
}

/// Says which variables look like settings and are none.
fn notice_strays(reader: &mut Reader<'_>) {
    let known: Vec<String> = reader.keys.iter().map(|key| key.variable.clone()).collect();
    for name in reader.vars.names() {
        if !name.starts_with("WEIR_") || known.contains(&name) {
            continue;
        }
        if let Some(near) = nearest(&name, known.iter().map(String::as_str)) {
            reader.notices.push(format!("the variable {name} is no setting; did you mean {near}?"));
        } else if SECTIONS.iter().any(|section| name.starts_with(&reader::variable(&format!("{section}.")))) {
            reader.notices.push(format!("the variable {name} is no setting, and nothing reads it"));
        }
    }
}

#[cfg(test)]
mod tests;
