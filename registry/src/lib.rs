//! What people define: projects, and in them prompts and their versions, labels, virtual keys, admin tokens, saved views, alerts and
//! webhooks; and who changed what of it, when.
//!
//! [`Registry`] opens the database and has every verb. The path of a call reads [`Snapshot`] and
//! [`Registry::resolve`], which answer from memory; everything that writes makes the next snapshot before it
//! returns, so that a label moved here serves on the next call.

pub mod alerts;
pub mod audit;
mod bootstrap;
mod cache;
pub mod canonical;
pub mod content;
mod credentials;
mod db;
pub mod error;
pub mod files;
pub mod keys;
pub mod lease;
pub mod paging;
pub mod projects;
pub mod prompts;
pub mod roles;
pub mod signing;
pub mod snapshot;
pub mod template;
pub mod tokens;
pub mod views;
pub mod watch;
pub mod webhooks;

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use tokio::sync::Mutex;
use tracing::error;
use vocab::Clock;

pub use alerts::{Alert, AlertChange, NewAlert};
pub use audit::{AuditEntry, AuditFilter, AuditHead, Deed};
pub use bootstrap::{Bootstrap, DEFAULT_PROJECT};
pub use credentials::{KEY_PREFIX, TOKEN_PREFIX};
pub use error::{OpenError, Place, StoreError};
pub use keys::{Issued, KeyChange, KeyRefusal, KeyScope, NewKey, VirtualKey};
pub use paging::Paging;
pub use projects::{NewProject, Project, ProjectChange, ProjectFilter};
pub use prompts::impact::Reason;
pub use prompts::labels::{Label, LabelAction, LabelChange, LabelMove, LabelPlacement};
pub use prompts::resolve::{ResolveError, Resolved};
pub use prompts::versions::{NewVersion, Published, StoredVersion, Version};
pub use prompts::{NewPrompt, Prompt, PromptChange, PromptFilter, PromptKind};
pub use roles::{Permission, Role, Who};
pub use signing::SigningSecret;
pub use snapshot::Snapshot;
pub use tokens::{AdminToken, BOOTSTRAP_OWNER, NewToken, TokenScope};
pub use views::{NewView, SavedView, ViewChange, ViewContent, ViewKind};
pub use watch::Away;
pub use webhooks::{NewWebhook, Webhook, WebhookChange};

use cache::VersionCache;
use db::{Address, Chore, Db, Work};

/// Everything people define, kept in a database and held in memory. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Registry(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    db: Db,
    clock: Clock,
    snapshot: ArcSwap<Snapshot>,
    /// One refresh at a time: an older snapshot must not replace a newer one.
    refreshing: Mutex<()>,
    versions: VersionCache,
    away: ArcSwapOption<Away>,
    /// The last revision that could not be taken in.
    unreadable: AtomicI64,
}

impl Registry {
    /// Opens the registry a URL names, `sqlite:PATH` or `postgres://…/database`, creating its tables if they are not
    /// there. One that is damaged, of a newer build or not a registry is left exactly as it is.
    pub async fn open(url: &str, clock: Clock) -> Result<Self, OpenError> {
        let address = Address::read(url)?;
        let db = address.open(clock.now()).await?;
        let registry = Self(Arc::new(Parts {
            db,
            clock,
            snapshot: ArcSwap::default(),
            refreshing: Mutex::new(()),
            versions: VersionCache::default(),
            away: ArcSwapOption::empty(),
            unreadable: AtomicI64::new(-1),
        }));
        match registry.refresh().await {
            Ok(()) => Ok(registry),
            Err(error) => {
                registry.close().await;
                Err(address.judge(error))
            }
        }
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
        let _one_at_a_time = self.0.refreshing.lock().await;
        let before = self.0.snapshot.load_full();
        self.take_in(&before).await
    }

    /// Reads everything anew, building on nothing that is known.
    async fn reload(&self) -> Result<(), StoreError> {
        let _one_at_a_time = self.0.refreshing.lock().await;
        self.take_in(&Snapshot::default()).await
    }

    async fn take_in(&self, before: &Snapshot) -> Result<(), StoreError> {
        if let Some(next) = snapshot::refresh(&self.0.db, before).await? {
            self.0.snapshot.store(Arc::new(next));
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

    fn versions(&self) -> &VersionCache {
        &self.0.versions
    }

    /// Runs a write that makes no revision, in a task of its own.
    async fn chore<I, T>(&self, input: I, work: Chore<I, T>) -> Result<T, StoreError>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
    {
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
