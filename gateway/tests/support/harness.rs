//! A whole gateway in this process, on ports and files of its own, in front of one fake provider.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use config::{CommandLine, Config, Provider, ProviderKind};
use gateway::app::App;
use gateway::lifecycle::{self, Running};
use serde_json::Value;
use tempfile::TempDir;
use vocab::{Clock, Secret};

use super::client::{Answer, Call, Streaming};
use super::provider::FakeProvider;
use super::raw::RawConnection;

/// The key the gateway is given for the fake provider.
pub const PROVIDER_KEY: &str = "sk-the-providers-own-key";

/// A running gateway and its provider.
pub struct Harness {
    /// What stands behind the gateway.
    pub provider: FakeProvider,
    running: Running,
    admin_token: Secret,
    api_key: Secret,
    folder: TempDir,
}

/// What is left when a gateway has stopped.
pub struct Stopped {
    /// The provider, still running.
    pub provider: FakeProvider,
    /// Records written by the gateway that stopped.
    pub written: u64,
    /// Records it lost.
    pub dropped: u64,
    folder: TempDir,
}

impl Harness {
    /// A gateway as it comes, in front of a provider named `openai`.
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A gateway whose configuration the test changes.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::before(FakeProvider::start().await, change).await
    }

    /// A gateway in front of this provider.
    pub async fn before(provider: FakeProvider, change: impl FnOnce(&mut Config)) -> Self {
        Self::at(Clock::system(), provider, change).await
    }

    /// A gateway that takes its time from `clock`.
    pub async fn at(clock: Clock, provider: FakeProvider, change: impl FnOnce(&mut Config)) -> Self {
        let folder = TempDir::new().unwrap();
        Self::launch(clock, provider, folder, change).await
    }

    async fn launch(
        clock: Clock,
        provider: FakeProvider,
        folder: TempDir,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let mut config = configuration(&folder);
        config.providers = vec![behind(&provider, "openai")];
        change(&mut config);
        let running = lifecycle::start(config, clock).await.unwrap();
        let admin_token = running.access.admin_token.clone().unwrap();
        let api_key = running.access.api_key.clone().unwrap();
        Self { provider, running, admin_token, api_key, folder }
    }

    /// Stops the gateway as SIGTERM does.
    pub async fn stop(self) -> Stopped {
        let closed = self.running.stop().await;
        Stopped {
            provider: self.provider,
            written: closed.written,
            dropped: closed.dropped,
            folder: self.folder,
        }
    }

    /// A call to the data plane with the first start's virtual key.
    pub fn call(&self, method: &str, path: &str) -> Call {
        Call::new(self.running.data, method, path).key(self.api_key.expose())
    }

    /// Posts JSON to the data plane.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call("POST", path).json(body).send().await
    }

    /// Posts a chat completion.
    pub async fn chat(&self, body: &Value) -> Answer {
        self.post("/v1/chat/completions", body).await
    }

    /// Posts a chat completion, and waits for no more than the answer's head.
    pub async fn stream(&self, body: &Value) -> Streaming {
        self.call("POST", "/v1/chat/completions").json(body).stream().await
    }

    /// Gets from the data plane.
    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path).send().await
    }

    /// A connection to the data plane on which anything can be sent.
    pub async fn raw(&self) -> RawConnection {
        RawConnection::open(self.running.data).await
    }

    /// The parts of the program.
    pub fn app(&self) -> &Arc<App> {
        &self.running.app
    }

    /// Where the data plane listens.
    pub fn data_address(&self) -> SocketAddr {
        self.running.data
    }

    /// Where the admin API listens.
    pub fn admin_address(&self) -> SocketAddr {
        self.running.admin
    }

    /// The first start's admin token.
    pub fn admin_token(&self) -> &str {
        self.admin_token.expose()
    }

    /// The first start's virtual key.
    pub fn api_key(&self) -> &str {
        self.api_key.expose()
    }
}

impl Stopped {
    /// The folder with the files of the gateway that stopped.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Why a gateway does not start on these files; fails the test when it does.
    pub async fn refuses_to_start(&self) -> String {
        match lifecycle::start(configuration(&self.folder), Clock::system()).await {
            Ok(_) => panic!("it started"),
            Err(error) => format!("{error:#}"),
        }
    }

    /// Starts a gateway on the files of the one that stopped.
    pub async fn start_again(self) -> Harness {
        self.start_again_with(|_| {}).await
    }

    /// The same with a configuration the test changes.
    pub async fn start_again_with(self, change: impl FnOnce(&mut Config)) -> Harness {
        Harness::launch(Clock::system(), self.provider, self.folder, change).await
    }
}

/// A provider entry for the fake.
pub fn behind(provider: &FakeProvider, name: &str) -> Provider {
    let mut entry = Provider::new(name, ProviderKind::OpenAi, provider.base_url());
    entry.api_key = Some(Secret::new(PROVIDER_KEY));
    entry.ca_file = provider.ca_file().map(Into::into);
    entry
}

fn configuration(folder: &TempDir) -> Config {
    let vars = BTreeMap::new();
    let anywhere = || Some("127.0.0.1:0".to_owned());
    let cli = CommandLine {
        data_dir: Some(folder.path().into()),
        listen: anywhere(),
        admin_listen: anywhere(),
        demo: false,
    };
    let mut config = config::load(None, &vars, &cli).unwrap();
    // Every test has a data folder of its own.
    config.records.reserve_bytes = 64 << 10;
    config
}
