//! A provider as the data plane uses it: where its endpoints are, how a request to it is signed, its connections.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context as _;
use dialects::Endpoint;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, header};
use vocab::Clock;

use super::body::SendBody;
use super::connect::{Connector, tls_config};
use super::pool::Pool;
use super::{Outgoing, Unsent};

/// Counts the Weirs a call has passed through, so that a loop ends.
pub const HOPS_HEADER: HeaderName = HeaderName::from_static("weir-hops");

/// One configured provider.
pub struct Provider {
    settings: config::Provider,
    /// `None` for the demo provider, which has no network.
    line: Option<Line>,
    name_header: HeaderValue,
    clock: Clock,
}

struct Line {
    base_path: String,
    known_paths: [PathAndQuery; 4],
    /// What every request carries: host, credentials, user agent, configured extras.
    headers: HeaderMap,
    pool: Arc<Pool>,
}

const KNOWN: [(Endpoint, &str); 4] = [
    (Endpoint::ChatCompletions, "/chat/completions"),
    (Endpoint::Responses, "/responses"),
    (Endpoint::Completions, "/completions"),
    (Endpoint::Embeddings, "/embeddings"),
];

/// The name the price catalogue may know a provider by. One of the plain `openai` kind at some other address serves who
/// knows what under OpenAI's names, so it is priced only under its own.
pub fn price_name(provider: &config::Provider) -> &str {
    match provider.kind {
        config::ProviderKind::OpenAi if !provider.base_url.contains("api.openai.com") => &provider.name,
        kind => kind.as_str(),
    }
}

impl Provider {
    /// Prepares the provider; opens no connection yet.
    pub fn new(settings: config::Provider, limits: &config::Limits, clock: &Clock) -> anyhow::Result<Self> {
        let name_header =
            HeaderValue::from_str(&settings.name).context("the provider's name is no header value")?;
        let line = match settings.kind {
            config::ProviderKind::Demo => None,
            _ => Some(Line::new(&settings, limits, clock)?),
        };
        Ok(Self { settings, line, name_header, clock: clock.clone() })
    }

    /// The provider's name.
    pub fn name(&self) -> &Arc<str> {
        &self.settings.name
    }

    /// The name as the `weir-provider` header.
    pub fn name_header(&self) -> HeaderValue {
        self.name_header.clone()
    }

    /// The configuration it was made from.
    pub const fn settings(&self) -> &config::Provider {
        &self.settings
    }

    /// The name the price catalogue may know it by.
    pub fn price_name(&self) -> &str {
        price_name(&self.settings)
    }

    /// Whether it is asked for models nobody listed.
    pub fn takes_any_model(&self) -> bool {
        self.settings.models.is_empty() && self.settings.kind != config::ProviderKind::Demo
    }

    pub(super) const fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(super) fn pool(&self) -> Option<&Arc<Pool>> {
        self.line.as_ref().map(|line| &line.pool)
    }

    /// The request for `outgoing`: only headers Weir means to send, the provider's own credentials.
    pub(super) fn address(&self, outgoing: &Outgoing, body: SendBody) -> Result<Request<SendBody>, Unsent> {
        let Some(line) = &self.line else { return Err(Unsent::closed()) };
        let known = KNOWN
            .iter()
            .position(|(endpoint, path)| *endpoint == outgoing.endpoint && **path == *outgoing.path);
        let path = match known {
            Some(at) => line.known_paths[at].clone(),
            None => PathAndQuery::try_from(format!("{}{}", line.base_path, outgoing.path))
                .map_err(|error| Unsent::unaddressed(error.into()))?,
        };
        let mut request = Request::new(body);
        *request.method_mut() = outgoing.method.clone();
        *request.uri_mut() = Uri::from(path);
        let headers = request.headers_mut();
        headers.clone_from(&line.headers);
        match &outgoing.content_type {
            Some(content_type) => {
                headers.insert(header::CONTENT_TYPE, content_type.clone());
            }
            None if outgoing.body.is_some() => {
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            }
            None => {}
        }
        headers.insert(HOPS_HEADER, HeaderValue::from(u16::from(outgoing.hops)));
        Ok(request)
    }
}

impl Line {
    fn new(settings: &config::Provider, limits: &config::Limits, clock: &Clock) -> anyhow::Result<Self> {
        let base: Uri =
            settings.base_url.parse().with_context(|| format!("{} is not a URL", settings.base_url))?;
        let authority = base.authority().context("the provider's URL names no host")?;
        let tls = tls_config(settings.ca_file.as_deref())?;
        let connector = Connector::new(&base, tls, limits.connect_timeout)?;
        let base_path = base.path().trim_end_matches('/').to_owned();
        let path = |suffix: &str| PathAndQuery::try_from(format!("{base_path}{suffix}"));
        let known_paths = [path(KNOWN[0].1)?, path(KNOWN[1].1)?, path(KNOWN[2].1)?, path(KNOWN[3].1)?];
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(header::HOST, HeaderValue::from_str(authority.as_str())?);
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(
            header::USER_AGENT,
            HeaderValue::from_static(concat!("weir/", env!("CARGO_PKG_VERSION"))),
        );
        if let Some(key) = &settings.api_key {
            let (name, text) = match &settings.auth {
                config::Auth::Bearer => (header::AUTHORIZATION, format!("Bearer {}", key.expose())),
                config::Auth::Header(name) => (HeaderName::try_from(name.as_str())?, key.expose().to_owned()),
            };
            let mut value =
                HeaderValue::from_str(&text).context("the API key holds characters no header may")?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        for (name, value) in &settings.headers {
            headers.insert(HeaderName::try_from(name.as_str())?, HeaderValue::from_str(value.expose())?);
        }
        Ok(Self { base_path, known_paths, headers, pool: Pool::new(connector, clock.clone()) })
    }
}

/// Every configured provider, in the order they are configured.
pub struct Providers {
    in_order: Vec<Arc<Provider>>,
    by_name: HashMap<Arc<str>, Arc<Provider>>,
}

impl Providers {
    /// Prepares all providers of the configuration.
    pub fn new(config: &config::Config, clock: &Clock) -> anyhow::Result<Self> {
        let mut in_order = Vec::with_capacity(config.providers.len());
        for settings in &config.providers {
            let provider = Provider::new(settings.clone(), &config.limits, clock)
                .with_context(|| format!("provider `{}`", settings.name))?;
            in_order.push(Arc::new(provider));
        }
        let by_name =
            in_order.iter().map(|provider| (Arc::clone(provider.name()), Arc::clone(provider))).collect();
        Ok(Self { in_order, by_name })
    }

    /// The provider of this name.
    pub fn find(&self, name: &str) -> Option<&Arc<Provider>> {
        self.by_name.get(name)
    }

    /// All of them, in configured order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Provider>> {
        self.in_order.iter()
    }
}
