//! Start order and stop order: stores, then listeners; then listeners, calls in flight, records.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use analytics::{Analytics, Closed};
use anyhow::Context as _;
use config::Config;
use registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use vocab::Clock;

use crate::admin;
use crate::app::App;
use crate::exporter::{Exporter, Sending};
use crate::listen::{self, ConnectionLimits, Phase, Stopping};
use crate::price_list;
use crate::retention;
use crate::start::{self, Access};
use crate::surface::DataPlane;

/// The file in the data folder that a node starts from while PostgreSQL is away.
const REGISTRY_COPY: &str = "registry.copy";
/// How long the recorder may take to commit what it holds, after the last call has ended.
const FLUSH_TIME: Duration = Duration::from_secs(20);

/// How long sending spans may then take.
const EXPORT_TIME: Duration = Duration::from_secs(10);
/// How long cut connections may take to file their records.
const CUT_TIME: Duration = Duration::from_secs(5);

/// A running gateway.
pub struct Running {
    /// The data plane's address.
    pub data: SocketAddr,
    /// The admin listener's address.
    pub admin: SocketAddr,
    /// The keys of the first start, or those the operator set.
    pub access: Access,
    /// The program's parts.
    pub app: Arc<App>,
    analytics: Analytics,
    export: Option<Sending>,
    stop: watch::Sender<Phase>,
    listeners: Vec<JoinHandle<()>>,
}

/// Opens the stores, binds both listeners, and serves.
pub async fn start(config: Config, clock: Clock) -> anyhow::Result<Running> {
    std::fs::create_dir_all(&config.data_dir)
        .with_context(|| format!("cannot create the data folder {}", config.data_dir.display()))?;
    let data = bind(config.server.listen).await?;
    let admin = bind(config.server.admin_listen).await?;
    let copy = config.data_dir.join(REGISTRY_COPY);
    let registry = Registry::open_keeping(config.registry_url.expose(), &copy, clock.clone()).await?;
    let exporter = config.export.as_ref().map(Exporter::new);
    let analytics = Analytics::open(start::analytics_settings(&config, &clock, exporter.clone()))?;
    let access = start::access(&config, &registry).await?;
    if config.demo && registry.away().is_none() {
        start::seed_demo(&registry).await?;
    }
    let app = App::new(config, clock, registry, &analytics, exporter)?;
    let export = Sending::start(&app)?;
    for notice in app.config.notices.iter().chain(&app.notices()) {
        tracing::warn!("{notice}");
    }

    if app.router.provider_names().is_empty() {
        tracing::warn!(
            "no provider is configured: set OPENAI_API_KEY or another provider's variable, or start with --demo"
        );
    }
    let (stop, stopping) = Stopping::channel();
    let limits = ConnectionLimits::of(&app.config.limits);
    let (data_address, admin_address) = (data.local_addr()?, admin.local_addr()?);
    app.data_address.get_or_init(|| data_address);
    let plane = DataPlane { app: Arc::clone(&app), stopping: stopping.clone() };
    let console = admin::AdminPlane::new(Arc::clone(&app), stopping.clone());
    let mut listeners = app.jobs.start(&stopping);
    listeners.extend([
        tokio::spawn(listen::run(data, limits.clone(), plane, stopping.clone())),
        tokio::spawn(listen::run(admin, limits, console, stopping.clone())),
        tokio::spawn(price_list::run(Arc::clone(&app), stopping.clone())),
        tokio::spawn(watch_registry(app.registry.clone(), stopping.clone())),
        tokio::spawn(retention::run(Arc::clone(&app), stopping)),
    ]);
    tracing::info!(data.address = %data_address, admin.address = %admin_address, "serving");
    Ok(Running { data: data_address, admin: admin_address, access, app, analytics, export, stop, listeners })
}

/// Takes in what other nodes write, until the stop begins.
async fn watch_registry(registry: Registry, mut stopping: Stopping) {
    tokio::select! {
        () = registry.watch() => {}
        () = stopping.begins() => {}
    }
}

impl Running {
    /// Stops accepting, lets calls in flight finish within the grace time, then commits every record.
    pub async fn stop(self) -> Closed {
        self.stop.send_replace(Phase::Draining);
        let grace = self.app.config.server.shutdown_grace;
        let mut drained = std::pin::pin!(async {
            for listener in self.listeners {
                drop(listener.await);
            }
        });
        if tokio::time::timeout(grace, drained.as_mut()).await.is_err() {
            let inflight = self.app.admission.calls();
            tracing::warn!(inflight, "calls still in flight are cut: the grace time is over");
            self.stop.send_replace(Phase::Cutting);
            if tokio::time::timeout(CUT_TIME, drained).await.is_err() {
                tracing::error!("connections did not end: their calls are not on record");
            }
        }
        let closed = self.analytics.close(FLUSH_TIME).await;
        if let Some(export) = self.export {
            export.finish(EXPORT_TIME).await;
        }
        self.app.registry.close().await;
        tracing::info!(records.written = closed.written, records.dropped = closed.dropped, "stopped");
        closed
    }
}

/// Serves until SIGTERM or an interrupt, then stops in order; a second signal ends the wait at once.
pub async fn serve(running: Running) -> anyhow::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    tracing::info!("stopping: calls in flight finish first; signal again to end at once");
    tokio::select! {
        closed = running.stop() => {
            anyhow::ensure!(closed.dropped == 0, "{} records could not be committed", closed.dropped);
            Ok(())
        }
        _ = terminate.recv() => anyhow::bail!("ended by a second signal: calls in flight were cut"),
        _ = tokio::signal::ctrl_c() => anyhow::bail!("ended by a second signal: calls in flight were cut"),
    }
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}: is another process there?"))
}
