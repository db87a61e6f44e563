//! One catalogue file in memory: providers, the models they sell, and the rules by which both are recognised.

use std::collections::HashMap;
use std::iter;
use std::sync::Arc;

use vocab::Time;

use super::pattern;
use super::price::Price;

/// All prices of one model, in the order of the file: the last that holds counts.
#[derive(Clone, Debug)]
pub(super) struct Prices(pub(super) Arc<[Arc<Price>]>);

impl Prices {
    /// The price at `at`; for the standard service the first one when none holds yet. A tier without a price of its own
    /// has none: another tier's would be wrong.
    pub(super) fn at(&self, at: Time, service: Option<&str>) -> Option<Arc<Price>> {
        let of_tier = |price: &&Arc<Price>| !price.retired && price.service.as_deref() == service;
        let mut prices = self.0.iter().filter(of_tier);
        let first = prices.clone().next().filter(|_| service.is_none());
        let holds = prices.rfind(|price| price.validity.covers(at));
        holds.or(first).filter(|price| price.is_known()).map(Arc::clone)
    }

    /// Whether a model of this name is sold at all.
    pub(super) fn is_sold(&self) -> bool {
        self.0.iter().any(|price| !price.retired)
    }
}

/// The rows of one file.
#[derive(Debug, Default)]
pub(super) struct Layer {
    /// In the order of the file.
    pub(super) providers: Vec<Provider>,
    /// Where each provider stands in the list.
    pub(super) by_id: HashMap<Box<str>, usize>,
}

/// One provider and its models.
#[derive(Debug, Default)]
pub(super) struct Provider {
    pub(super) id: Box<str>,
    /// Patterns of other names for it.
    pub(super) names: Vec<Box<str>>,
    /// Patterns of the models that are its own.
    pub(super) own: Vec<Box<str>>,
    /// Providers whose models it sells too, at their prices.
    pub(super) also: Vec<Box<str>>,
    /// In the order of the file.
    pub(super) models: Vec<Model>,
    /// The models by each name that is spelt out.
    pub(super) exact: HashMap<Box<str>, usize>,
}

/// One model and the names it goes by.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) name: Box<str>,
    /// Patterns with wildcards.
    pub(super) patterns: Vec<Box<str>>,
    /// Patterns of names that are others' in spite of a pattern.
    pub(super) except: Vec<Box<str>>,
    pub(super) prices: Prices,
}

impl Layer {
    /// The prices of a model whose provider and name are spelt as in the file.
    pub(super) fn exact(&self, provider: &str, model: &str) -> Option<Prices> {
        self.providers.get(*self.by_id.get(provider)?)?.exact(model)
    }

    /// The prices of a model, by any rule: in lower case, with a dashed date, at a provider it also sells for.
    pub(super) fn find(&self, provider: &str, model: &str) -> Option<Prices> {
        let provider = self.provider(&provider.to_lowercase())?;
        let model = model.to_lowercase();
        let also = provider.also.iter().filter_map(|id| self.provider(id));
        let sellers: Vec<&Provider> = iter::once(provider).chain(also).collect();
        let spellings = iter::once(model.clone()).chain(pattern::dashed_date(&model));
        spellings.into_iter().find_map(|model| sellers.iter().find_map(|seller| seller.find(&model)))
    }

    /// The providers that sell `model` themselves, and whether it is their own.
    pub(super) fn sellers(&self, model: &str) -> impl Iterator<Item = (&str, bool)> {
        let model = model.to_lowercase();
        self.providers.iter().filter_map(move |provider| {
            provider.find(&model)?;
            Some((&*provider.id, any_matches(&provider.own, &model)))
        })
    }

    /// The models a provider has rows for.
    pub(super) fn models_of(&self, provider: &str) -> impl Iterator<Item = &str> {
        let provider = self.provider(&provider.to_lowercase());
        provider.into_iter().flat_map(|provider| {
            provider.models.iter().filter(|model| model.prices.is_sold()).map(|model| &*model.name)
        })
    }

    fn provider(&self, name: &str) -> Option<&Provider> {
        if let Some(position) = self.by_id.get(name) {
            return self.providers.get(*position);
        }
        self.providers.iter().find(|provider| any_matches(&provider.names, name))
    }
}

impl Provider {
    fn exact(&self, model: &str) -> Option<Prices> {
        self.exact
            .get(model)
            .and_then(|position| self.models.get(*position))
            .map(|model| model.prices.clone())
            .filter(Prices::is_sold)
    }

    fn find(&self, model: &str) -> Option<Prices> {
        let by_rule = || self.models.iter().find(|other| other.is_called(model) && other.prices.is_sold());
        self.exact(model).or_else(|| by_rule().map(|found| found.prices.clone()))
    }
}

impl Model {
    fn is_called(&self, name: &str) -> bool {
        any_matches(&self.patterns, name) && !any_matches(&self.except, name)
    }
}

fn any_matches(patterns: &[Box<str>], name: &str) -> bool {
    patterns.iter().any(|rule| pattern::matches(rule, name))
}
