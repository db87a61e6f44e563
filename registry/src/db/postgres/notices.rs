//! Notices between nodes: whoever wrote tells the others, who look at once.

use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::pool::Pool;

/// Said inside the transaction that writes; heard when it commits. Nodes in other schemas of the database hear it too,
/// look, and find nothing.
pub(in crate::db) const TELL: &str = "SELECT pg_notify('weir_registry', '')";
const CHANNEL: &str = "weir_registry";

/// How long to wait before listening again after the connection broke.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);
/// How long it may take to begin.
const LISTEN_TIME: Duration = Duration::from_secs(5);

impl Pool {
    /// Passes every notice on to `told`, for ever.
    pub(in crate::db) async fn listen(&self, told: &Notify) {
        loop {
            if let Ok(Ok(mut listener)) = timeout(LISTEN_TIME, self.listener()).await {
                // What was said before it listened is to be looked for.
                told.notify_one();
                while let Ok(Some(_)) = listener.try_recv().await {
                    told.notify_one();
                }
            }
            sleep(LISTEN_AGAIN).await;
        }
    }

    /// A connection apart from the others: it does nothing but wait.
    async fn listener(&self) -> Result<PgListener, sqlx::Error> {
        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(LISTEN_TIME);
        let mut listener = PgListener::connect_with(&pool.connect_lazy_with(self.options().clone())).await?;
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        Ok(listener)
    }
}
