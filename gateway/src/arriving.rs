//! Waiting for what was recorded to arrive where it can be found.

use std::time::Duration;

use crate::app::App;
use crate::refusal::{Kind, Refusal};

/// How long what was filed may take to be found before a request that needs all of it is refused.
const WAIT: Duration = Duration::from_secs(10);

/// Waits until everything recorded before can be found, so that an export or a deletion misses nothing.
pub async fn settled(app: &App) -> Result<(), Refusal> {
    let Ok(settled) = tokio::time::timeout(WAIT, all_found(app)).await else {
        let message = "records are still on their way to the store, which takes none at present: try again later, \
                       and see `GET /api/v1/outbox`";
        return Err(Refusal::new(Kind::Unavailable, message).retry_after(WAIT));
    };
    settled
}

async fn all_found(app: &App) -> Result<(), Refusal> {
    app.recorder.flush().await;
    Ok(app.store.settle().await?)
}
