//! From a model's name to the provider that serves it, and what to do when a try fails.

pub mod plan;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use dialects::prices::{Catalogue, Price};
use http::HeaderValue;
use vocab::Time;

use crate::metrics::{Metrics, RouteMetrics};
use crate::upstream::{Provider, Providers};
use plan::RetryBudget;

/// Routes kept ready. Callers can make names up, so beyond this they are made afresh and share one metric label.
const ROUTES_KEPT: usize = 1_024;
/// The model label of calls to models beyond [`ROUTES_KEPT`].
const OTHER_MODEL: &str = "other";

/// A model at a provider, with all that a call to it needs.
pub struct Route {
    /// Who serves it.
    pub provider: Arc<Provider>,
    /// The name that provider knows it by.
    pub model: Arc<str>,
    /// That name as the `weir-model` header.
    pub model_header: HeaderValue,
    /// Metric handles.
    pub metrics: RouteMetrics,
    /// How many more retries this route may cost.
    pub retries: RetryBudget,
}

/// Finds routes.
pub struct Router {
    providers: Providers,
    aliases: BTreeMap<String, String>,
    catalogue: Arc<Catalogue>,
    metrics: Arc<Metrics>,
    kept: RwLock<HashMap<Box<str>, Arc<Route>>>,
}

impl Router {
    /// A router over the configured providers.
    pub fn new(
        providers: Providers,
        aliases: BTreeMap<String, String>,
        catalogue: Arc<Catalogue>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { providers, aliases, catalogue, metrics, kept: RwLock::default() }
    }

    /// The route of `model`: an alias, `provider/model`, a model a provider lists, the one provider there is,
    /// or the provider the price catalogue names. `None` when nobody here serves it.
    pub fn find(&self, model: &str) -> Option<Arc<Route>> {
        if let Some(route) = self.kept.read().unwrap_or_else(PoisonError::into_inner).get(model) {
            return Some(Arc::clone(route));
        }
        let (provider, name) = self.choose(model)?;
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        let label = if kept.len() < ROUTES_KEPT { name } else { OTHER_MODEL };
        let route = Arc::new(Route {
            metrics: RouteMetrics::new(&self.metrics, provider.name(), label),
            model: name.into(),
            model_header: HeaderValue::from_str(name).unwrap_or(HeaderValue::from_static("?")),
            provider: Arc::clone(provider),
            retries: RetryBudget::default(),
        });
        if kept.len() < ROUTES_KEPT {
            kept.insert(model.into(), Arc::clone(&route));
        }
        Some(route)
    }

    /// The provider of requests that name no model: the first that has a network, else the first.
    pub fn default_route(&self) -> Option<Arc<Route>> {
        let networked = |provider: &&Arc<Provider>| provider.settings().kind != config::ProviderKind::Demo;
        let provider = self.providers.iter().find(networked).or_else(|| self.providers.iter().next())?;
        self.find(&format!("{}/", provider.name()))
    }

    /// The price of what `model` at the route's provider used; of the model that answered, where it is known.
    /// `service` is the tier it was served at.
    pub fn price(
        &self,
        route: &Route,
        response_model: Option<&str>,
        service: Option<&str>,
        at: Time,
    ) -> Option<Arc<Price>> {
        let provider = route.provider.price_name();
        let find = |model: &str| self.catalogue.find_for(provider, model, at, service);
        response_model.and_then(find).or_else(|| find(&route.model))
    }

    /// The prices calls are reckoned with.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// Every model name callers can use here, with who serves it: aliases first, then each provider's own.
    pub fn models(&self) -> Vec<(String, Arc<str>)> {
        let mut models: Vec<(String, Arc<str>)> = Vec::new();
        for alias in self.aliases.keys() {
            if let Some(route) = self.find(alias) {
                models.push((alias.clone(), Arc::clone(route.provider.name())));
            }
        }
        for provider in self.providers.iter() {
            let listed = provider.settings().models.iter().filter(|name| !name.ends_with('*')).cloned();
            let names: Vec<String> = if provider.settings().models.is_empty() {
                self.catalogue.models_of(provider.price_name())
            } else {
                listed.collect()
            };
            models.extend(names.into_iter().map(|name| (name, Arc::clone(provider.name()))));
        }
        models
    }

    /// The names of the configured providers.
    pub fn provider_names(&self) -> Vec<&str> {
        self.providers.iter().map(|provider| &**provider.name()).collect()
    }

    fn choose<'m>(&'m self, model: &'m str) -> Option<(&'m Arc<Provider>, &'m str)> {
        let model = self.aliases.get(model).map_or(model, String::as_str);
        if let Some((provider, name)) = model.split_once('/')
            && let Some(provider) = self.providers.find(provider)
        {
            return Some((provider, name));
        }
        let lists = |provider: &&Arc<Provider>| {
            let settings = provider.settings();
            // The demo provider's names are its own, whoever else takes any name.
            let is_demos =
                settings.kind == config::ProviderKind::Demo && dialects::demo::MODELS.contains(&model);
            is_demos || settings.models.iter().any(|listed| covers(listed, model))
        };
        if let Some(provider) = self.providers.iter().find(lists) {
            return Some((provider, model));
        }
        let mut open = self.providers.iter().filter(|provider| provider.takes_any_model());
        if let (Some(only), None) = (open.next(), open.next()) {
            return Some((only, model));
        }
        let sells = |provider: &&Arc<Provider>| self.catalogue.sells(provider.price_name(), model);
        self.providers.iter().find(sells).map(|provider| (provider, model))
    }
}

/// Whether an entry of a provider's `models` is this model, or a prefix of it written `prefix*`.
fn covers(listed: &str, model: &str) -> bool {
    listed.strip_suffix('*').map_or(listed == model, |prefix| model.starts_with(prefix))
}
