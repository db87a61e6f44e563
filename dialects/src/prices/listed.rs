//! Rows of a catalogue as they are shown: for looking up what a recorded price id meant.

use serde::Serialize;
use serde_json::{Value, json};
use vocab::Time;

use super::layer::{Layer, Model, Provider};
use super::price::{Price, Rates, Tier};

/// One row.
#[derive(Clone, Debug, Serialize)]
pub struct Listed<'a> {
    /// What records keep as `price_id`.
    pub id: &'a str,
    /// The provider that sells it.
    pub provider: &'a str,
    /// The model's name in the catalogue.
    pub model: &'a str,
    /// The service tier it holds for; `None` is the standard one.
    pub service: Option<&'a str>,
    /// When it began to hold.
    pub from: Option<Time>,
    /// Where it comes from.
    pub source: &'a str,
    /// Whether calls are priced by it no longer.
    pub retired: bool,
    /// Nano-dollars per million of each class; a class that is absent costs what its parent does.
    rates: Rates,
    /// Other rates above a number of input tokens.
    tiers: &'a [Tier],
}

impl Layer {
    /// Every row in the order of the file.
    pub(super) fn rows(&self) -> impl Iterator<Item = Listed<'_>> {
        self.providers.iter().flat_map(|provider| {
            let rows = move |model| prices_of(model).map(move |price| Listed::of(provider, model, price));
            provider.models.iter().flat_map(rows)
        })
    }
}

fn prices_of(model: &Model) -> impl Iterator<Item = &Price> {
    model.prices.0.iter().map(AsRef::as_ref)
}

impl<'a> Listed<'a> {
    /// Nano-dollars per million of each class, null where it costs what its parent does.
    pub fn rates(&self) -> Value {
        json!(self.rates)
    }

    /// Other rates above a number of input tokens.
    pub fn tiers(&self) -> Value {
        json!(self.tiers)
    }

    fn of(provider: &'a Provider, model: &'a Model, price: &'a Price) -> Self {
        Self {
            id: &price.id,
            provider: &provider.id,
            model: &model.name,
            service: price.service.as_deref(),
            from: price.validity.from,
            source: &price.source,
            retired: price.retired,
            rates: price.rates,
            tiers: &price.tiers,
        }
    }
}
