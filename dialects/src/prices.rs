//! What calls cost: a catalogue of prices by provider and model, and the arithmetic from tokens to money.
//!
//! The catalogue is a JSON file (`config/prices.json`, made by `cargo xtask prices`) of immutable rows: a row's id means
//! its prices for ever. Operators lay a file of their own over it. A model without a row has an unknown price, never zero.

mod compare;
mod layer;
mod listed;
mod pattern;
mod price;
mod read;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use thiserror::Error;
use vocab::Time;

pub use compare::{Comparison, Disagreement, compare};
use layer::{Layer, Prices};
pub use listed::Listed;
pub use price::Price;

/// The most names that answers are kept for; rarer ones are looked for each time.
const NAMES_KEPT: usize = 8_192;
/// The longest name an answer is kept for, in bytes.
const KEPT_BYTES: usize = 256;

/// Prices by provider and model.
#[derive(Debug)]
pub struct Catalogue {
    /// The operator's rows first, the shipped ones last.
    layers: Vec<Layer>,
    /// What rules said about names that no row spells out: by provider, then model.
    kept: RwLock<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    names: usize,
    found: HashMap<Box<str>, Answers>,
}

/// What was found for each model of one provider.
type Answers = HashMap<Box<str>, Option<Prices>>;

impl Catalogue {
    /// Reads a catalogue file.
    pub fn parse(json: &str) -> Result<Self, CatalogueError> {
        Ok(Self { layers: vec![read::layer(json)?], kept: RwLock::default() })
    }

    /// This catalogue with the rows of another file laid over it: whatever they match, they decide.
    pub fn with_overrides(mut self, json: &str) -> Result<Self, CatalogueError> {
        self.layers.insert(0, read::layer(json)?);
        self.kept = RwLock::default();
        Ok(self)
    }

    /// The price of `model` at `provider` when the clock shows `at`; `None` when it is unknown.
    pub fn find(&self, provider: &str, model: &str, at: Time) -> Option<Arc<Price>> {
        self.find_for(provider, model, at, None)
    }

    /// The same for a service tier (`flex`, `priority`, `batch`, `fast`, …); `None` is the standard one.
    pub fn find_for(
        &self,
        provider: &str,
        model: &str,
        at: Time,
        service: Option<&str>,
    ) -> Option<Arc<Price>> {
        self.prices(provider, model)?.at(at, service)
    }

    /// Every row, the operator's first, retired ones included.
    pub fn rows(&self) -> impl Iterator<Item = Listed<'_>> {
        self.layers.iter().flat_map(Layer::rows)
    }

    /// Whether the catalogue has a row for `model` at `provider`.
    pub fn sells(&self, provider: &str, model: &str) -> bool {
        self.prices(provider, model).is_some()
    }

    /// The names of the models that `provider` has rows for, in the catalogue's order.
    pub fn models_of(&self, provider: &str) -> Vec<String> {
        let mut models: Vec<String> = Vec::new();
        for model in self.layers.iter().flat_map(|layer| layer.models_of(provider)) {
            if !models.iter().any(|other| other == model) {
                models.push(model.to_owned());
            }
        }
        models
    }

    /// The providers that have a row for `model`, those whose own it is first.
    pub fn providers_of(&self, model: &str) -> Vec<String> {
        let mut providers: Vec<(bool, String)> = Vec::new();
        for layer in &self.layers {
            for (provider, is_home) in layer.sellers(model) {
                if !providers.iter().any(|(_, other)| other == provider) {
                    providers.push((!is_home, provider.to_owned()));
                }
            }
        }
        providers.sort_by_key(|(is_elsewhere, _)| *is_elsewhere);
        providers.into_iter().map(|(_, provider)| provider).collect()
    }

    fn prices(&self, provider: &str, model: &str) -> Option<Prices> {
        // The usual case takes no lock: one catalogue, and the model spelt as a row spells it.
        if let [only] = self.layers.as_slice()
            && let Some(prices) = only.exact(provider, model)
        {
            return Some(prices);
        }
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = kept.found.get(provider).and_then(|models| models.get(model)) {
            return answer.clone();
        }
        drop(kept);
        let answer = self.layers.iter().find_map(|layer| layer.find(provider, model));
        self.keep(provider, model, answer.clone());
        answer
    }

    fn keep(&self, provider: &str, model: &str, answer: Option<Prices>) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.names < NAMES_KEPT && provider.len() + model.len() <= KEPT_BYTES {
            kept.names += 1;
            kept.found.entry(provider.into()).or_default().insert(model.into(), answer);
        }
    }
}

/// Why a catalogue file cannot be read. Speaks to the operator who wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CatalogueError {
    /// The file is not JSON of the catalogue's form.
    #[error("{0}")]
    Form(String),
    /// A row makes no sense.
    #[error("the price of `{model}` at `{provider}`: {wrong}")]
    Row {
        /// The row's provider.
        provider: String,
        /// The row's model.
        model: String,
        /// What is wrong and what to write.
        wrong: String,
    },
}
