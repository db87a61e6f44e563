//! What people define: projects, and in them prompts and their versions, labels, releases, experiments, virtual keys,
//! admin tokens, saved views, alerts and webhooks; and who changed what of it, when.
//!
//! [`Registry`] opens the database and has every verb. The path of a call reads [`Snapshot`] and
//! [`Registry::resolve`], which answer from memory; everything that writes makes the next snapshot before it
//! returns, so that a label moved here serves on the next call.

pub mod alerts;
pub mod assignment;
pub mod audit;
mod bootstrap;
mod cache;
pub mod canonical;
pub mod content;
pub mod contract;
mod credentials;
mod db;
pub mod diff;
pub mod error;
pub mod examples;
pub mod experiments;
pub mod files;
pub mod keys;
pub mod lease;
pub mod paging;
pub mod policies;
pub mod projects;
pub mod prompts;
pub mod releases;
pub mod roles;
pub mod signing;
pub mod snapshot;
mod splits;
pub mod template;
pub mod tokens;
pub mod views;
pub mod watch;
pub mod webhooks;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use tokio::sync::Mutex;
use tracing::{error, warn};
use vocab::Clock;

pub use alerts::{Alert, AlertChange, NewAlert};
pub use assignment::{Arm, Exclusion, Exposure, Split, Unit, Units};
pub use audit::{AuditEntry, AuditFilter, AuditHead, Deed};
pub use bootstrap::{Bootstrap, DEFAULT_PROJECT};
pub use credentials::{KEY_PREFIX, TOKEN_PREFIX};
pub use error::{OpenError, Place, StoreError};
pub use experiments::{Experiment, ExperimentPlan, ExperimentState};
pub use keys::{Issued, KeyChange, KeyRefusal, KeyScope, NewKey, VirtualKey};
pub use paging::Paging;
pub use policies::{AfterLabel, Freeze, LabelPolicy, PolicyRules};
pub use projects::{NewProject, Project, ProjectChange, ProjectFilter};
pub use prompts::compare::{Comparison, Point, Stand};
pub use prompts::drafts::{Draft, NewDraft};
pub use prompts::impact::Reason;
pub use prompts::labels::{Label, LabelAction, LabelChange, LabelMove, LabelPlacement, Labels};
pub use prompts::resolve::{ResolveError, Resolved};
pub use prompts::snippets::{Trial, UsedBy, UsedByFilter};
pub use prompts::versions::{DraftRelease, NewVersion, Published, StoredVersion, Version};
pub use prompts::{NewPrompt, Prompt, PromptChange, PromptFilter, PromptKind};
pub use releases::{NewRelease, Ramp, Release, ReleaseDeed, ReleaseFilter, ReleaseState, ReleaseVerb};
pub use roles::{Permission, Role, Who};
pub use signing::SigningSecret;
pub use snapshot::Snapshot;
pub use tokens::{AdminToken, BOOTSTRAP_OWNER, NewToken, TokenScope};
pub use views::{NewView, SavedView, ViewChange, ViewContent, ViewKind};
pub use watch::Away;
pub use webhooks::{NewWebhook, Webhook, WebhookChange};

use cache::VersionCache;
use contract::Callers;
use db::{Address, Chore, Db, Work};
use snapshot::Basis;
use snapshot::copy::Copy;

/// Everything people define, kept in a database and held in memory. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Registry(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    address: Address,
    db: Db,
    clock: Clock,
    snapshot: ArcSwap<Snapshot>,
    /// One refresh at a time: an older snapshot must not replace a newer one. Each adds to the copy, if one is kept.
    refreshing: Mutex<Option<Copy>>,
    /// Whether the database was found to be this build's; not yet when it was away at the start.
    prepared: AtomicBool,
    versions: VersionCache,
    away: ArcSwapOption<Away>,
    damage: ArcSwapOption<String>,
    /// The last revision that could not be taken in.
    unreadable: AtomicI64,
    /// Who is asked by contract checks.
    callers: OnceLock<Arc<dyn Callers>>,
}

impl Registry {
    /// Opens the registry a URL names, `sqlite:PATH` or `postgres://…/database`, creating its tables if they are not
    /// there. One that is damaged, of a newer build or not a registry is left exactly as it is; of a large file that was
    /// closed cleanly, what calls do not need is read by [`Registry::watch`].
    pub async fn open(url: &str, clock: Clock) -> Result<Self, OpenError> {
        Self::start(Address::read(url)?, None, clock).await
    }

    /// The same, with a copy of what calls need in the file `copy`: when PostgreSQL is away, the registry opens with
    /// that, and [`Registry::watch`] takes in what is newer once it is back. No copy is kept of a file.
    pub async fn open_keeping(url: &str, copy: &Path, clock: Clock) -> Result<Self, OpenError> {
        let address = Address::read(url)?;
        let copy = address.is_remote().then_some(copy);
        Self::start(address, copy, clock).await
    }

    async fn start(address: Address, copy: Option<&Path>, clock: Clock) -> Result<Self, OpenError> {
        let db = address.connect().await?;
        let kept = copy.map(|path| Copy::new(path.to_owned(), address.place().to_string()));
        let registry = Self(Arc::new(Parts {
            address,
            db,
            clock,
            snapshot: ArcSwap::default(),
            refreshing: Mutex::new(kept),
            prepared: AtomicBool::new(false),
            versions: VersionCache::default(),
            away: ArcSwapOption::empty(),
            damage: ArcSwapOption::empty(),
            unreadable: AtomicI64::new(-1),
            callers: OnceLock::new(),
        }));
        let refused = match registry.prepare().await {
            Ok(()) => return Ok(registry),
            Err(refused) => refused,
        };
        if let (OpenError::Unavailable { source, .. }, Some(path)) = (&refused, copy)
            && registry.remember(path, source.to_string())
        {
            return Ok(registry);
        }
        registry.close().await;
        Err(refused)
    }

    /// Brings the database up to date and reads it.
    async fn prepare(&self) -> Result<(), OpenError> {
        self.0.address.prepare(&self.0.db, self.0.clock.now()).await?;
        self.reload().await.map_err(|error| self.0.address.judge(error))?;
        self.0.prepared.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Serves from a copy, while the database is away; false when there is none to serve from.
    fn remember(&self, path: &Path, reason: String) -> bool {
        let kept = snapshot::copy::read(path, &self.0.address.place().to_string());
        let snapshot = match kept {
            Ok(Some(snapshot)) => snapshot,
            Ok(None) => return false,
            Err(unreadable) => {
                let (path, error) = (path.display().to_string(), self::reason(&unreadable));
                error!(error, path, "the registry's copy cannot be read");
                return false;
            }
        };
        let revision = snapshot.revision();
        warn!(
            registry.revision = revision,
            reason, "the registry database is away: calls are served from its copy"
        );
        self.0.snapshot.store(Arc::new(snapshot));
        self.0.away.store(Some(Arc::new(Away { since: self.0.clock.now(), reason })));
        true
    }

    /// The migrations the registry a URL names has yet to get, by name: all of them when it is yet to be made.
    /// Changes nothing.
    pub async fn pending(url: &str) -> Result<Vec<String>, OpenError> {
        Address::read(url)?.pending().await
    }

    /// What the path of a call reads. Never waits.
    pub fn snapshot(&self) -> Guard<Arc<Snapshot>> {
        self.0.snapshot.load()
    }

    /// Takes in what was written, here or by another process.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        self.take_in(false).await
    }

    /// Reads everything anew, building on nothing that is known.
    async fn reload(&self) -> Result<(), StoreError> {
        self.take_in(true).await
    }

    async fn take_in(&self, anew: bool) -> Result<(), StoreError> {
        let mut copy = self.0.refreshing.lock().await;
        let before = self.0.snapshot.load_full();
        let basis = Basis { before: &before, anew };
        let Some(next) = snapshot::refresh(&self.0.db, basis, copy.as_mut()).await? else { return Ok(()) };
        let is_other_history = anew || next.revision() < before.revision();
        self.0.snapshot.store(Arc::new(next));
        if is_other_history {
            // Numbers may stand for other versions now.
            self.0.versions.clear();
        }
        Ok(())
    }

    /// Ends all connections; writes under way finish first.
    pub async fn close(&self) {
        self.0.db.close().await;
    }

    fn db(&self) -> &Db {
        &self.0.db
    }

    fn clock(&self) -> &Clock {
        &self.0.clock
    }

    fn callers(&self) -> &OnceLock<Arc<dyn Callers>> {
        &self.0.callers
    }

    fn versions(&self) -> &VersionCache {
        &self.0.versions
    }

    /// Runs a write that makes no revision, in a task of its own.
    async fn chore<I, T>(&self, input: I, work: Chore<I, T>) -> Result<T, StoreError>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.check_undamaged()?;
        let registry = self.clone();
        let task = tokio::spawn(async move { registry.0.db.chore(&input, work).await });
        task.await.unwrap_or_else(|died| Err(StoreError::Unavailable(Box::new(died))))
    }

    /// Runs a write and takes it into the snapshot, in a task of its own: a caller that goes away meanwhile
    /// leaves neither half a write nor a snapshot that does not know of it.
    async fn write<I, T>(&self, input: I, work: Work<I, T>) -> Result<T, StoreError>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.check_undamaged()?;
        let registry = self.clone();
        let task = tokio::spawn(async move {
            let now = registry.clock().now();
            let answer = registry.0.db.write(now, &input, work).await?;
            // It is committed: saying that it failed would be wrong. The next refresh takes it in.
            if let Err(failure) = registry.refresh().await {
                error!(error = reason(&failure), "the registry's snapshot could not be refreshed");
            }
            Ok(answer)
        });
        task.await.unwrap_or_else(|died| Err(StoreError::Unavailable(Box::new(died))))
    }
}

/// An error with its sources, for the log and for whoever starts the gateway.
fn reason(error: &StoreError) -> String {
    use std::error::Error;
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
