//! Writes what price ids stand for to where records are kept, for who reads the store itself.

use std::sync::Arc;
use std::time::Duration;

use analytics::PriceRow;
use serde_json::json;

use crate::app::App;
use crate::listen::Stopping;

/// When a store that is away is asked again.
const AGAIN: Duration = Duration::from_mins(1);

/// Writes the catalogue down once, as soon as the store is there.
pub async fn run(app: Arc<App>, mut stopping: Stopping) {
    while let Err(error) = app.store.keep_prices(rows(&app)).await {
        tracing::warn!(error = %error, "cannot write down what prices stand for; tried again in a minute");
        tokio::select! {
            () = tokio::time::sleep(AGAIN) => {}
            () = stopping.begins() => return,
        }
    }
}

fn rows(app: &App) -> Vec<PriceRow> {
    let row = |row: dialects::prices::Listed<'_>| PriceRow {
        id: row.id.to_owned(),
        provider: row.provider.to_owned(),
        model: row.model.to_owned(),
        price: json!({"service": row.service, "from": row.from, "rates": row.rates(), "tiers": row.tiers()})
            .to_string(),
    };
    app.router.catalogue().rows().map(row).collect()
}
