//! Notices what other nodes write, whether the database is there at all, and whether it is damaged.
//!
//! A node that writes tells the others at once where the database can (PostgreSQL's notices). A notice may be lost: when a
//! server restarts, or behind a pooler that knows none. So everybody also looks at the revision twice a second.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;
use tracing::{error, info, warn};
use vocab::Time;

use crate::db::{Result, Silence};
use crate::{OpenError, Registry, StoreError, reason, snapshot};

/// How often the revision is looked at without a notice.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long an answer may take before the database counts as away.
const LOOK_TIME: Duration = Duration::from_secs(2);

/// The database could not be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Away {
    /// Since when.
    pub since: Time,
    /// What happened when it was tried.
    pub reason: String,
}

impl Registry {
    /// Takes in what other nodes write, for as long as it is polled; reads what the start left unread first.
    pub async fn watch(&self) {
        let told = Notify::new();
        tokio::join!(self.look_on(&told), self.db().listen(&told), self.look_for_damage());
    }

    /// What was found to be damaged in a file that serves. Calls go on; nothing can be changed.
    pub fn damage(&self) -> Option<Arc<String>> {
        self.0.damage.load_full()
    }

    async fn look_for_damage(&self) {
        match self.0.address.find_damage().await {
            Ok(()) => {}
            Err(OpenError::Corrupt { at, reason }) => {
                error!(reason, "the registry {at} is damaged: nothing can be changed any more, restore it");
                self.0.damage.store(Some(Arc::new(reason)));
            }
            Err(error) => warn!(%error, "the registry could not be looked through for damage"),
        }
    }

    /// Refuses changes of a file that is known to be damaged: they would go from bad to worse.
    pub(crate) fn check_undamaged(&self) -> Result<()> {
        match self.damage() {
            None => Ok(()),
            Some(reason) => Err(StoreError::Unavailable(format!("the registry is damaged: {reason}").into())),
        }
    }

    /// Since when the database has been away and why, or `None` while it is there. What the snapshot holds serves on;
    /// nothing can be changed.
    pub fn away(&self) -> Option<Arc<Away>> {
        self.0.away.load_full()
    }

    async fn look_on(&self, told: &Notify) {
        loop {
            // Nobody told, so it is time to look without being told.
            drop(timeout(LOOK_EVERY, told.notified()).await);
            self.look().await;
        }
    }

    /// Looks once whether the database is there and whether anything is new in it.
    pub async fn look(&self) {
        match self.newest().await {
            Ok(revision) => self.found(revision).await,
            Err(failure) => self.lost(&failure),
        }
    }

    async fn newest(&self) -> Result<i64> {
        let looking = timeout(LOOK_TIME, snapshot::newest(self.db())).await;
        looking.unwrap_or_else(|_| Err(Silence::Answer(LOOK_TIME).into()))
    }

    async fn found(&self, revision: i64) {
        let taken_in = match self.away() {
            Some(_) => self.meet_again().await,
            None if revision == self.snapshot().revision() => return,
            None => self.refresh().await,
        };
        match taken_in {
            Ok(()) => {
                if self.0.away.swap(None).is_some() {
                    info!(registry.revision = revision, "the registry database is back");
                }
            }
            // Said once for each state of the database, not at every look.
            Err(failure) => {
                if self.0.unreadable.swap(revision, Ordering::Relaxed) != revision {
                    let error = reason(&failure);
                    error!(registry.revision = revision, error, "what is new in the registry cannot be read");
                }
            }
        }
    }

    /// Behind the same address there may be another server now, which never saw what the last one lost.
    async fn meet_again(&self) -> Result<()> {
        if self.0.prepared.load(Ordering::Relaxed) {
            return self.reload().await;
        }
        self.prepare().await.map_err(|refused| StoreError::Unavailable(Box::new(refused)))
    }

    fn lost(&self, failure: &StoreError) {
        if self.away().is_none() {
            let (since, reason) = (self.clock().now(), reason(failure));
            warn!(reason, "the registry database is away: calls are served from the snapshot");
            self.0.away.store(Some(Arc::new(Away { since, reason })));
        }
    }
}
