//! Reading a catalogue file: rows as written become models with prices.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, Visitor};
use serde_json::Value;
use vocab::Time;

use super::CatalogueError;
use super::layer::{Layer, Model, Prices, Provider};
use super::pattern;
use super::price::{Price, Rates, Tier, Validity};

/// The form of file this reads.
const FORMAT: u32 = 1;
/// Where prices come from when the file does not say.
const OWN_SOURCE: &str = "the operator's own prices";
/// Decimals of a dollar that a nano-dollar has.
const DECIMALS: usize = 9;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    source: Option<String>,
    /// Told to readers of the file; there is one unit.
    #[serde(default, rename = "unit")]
    _unit: IgnoredAny,
    #[serde(default)]
    providers: Vec<ProviderRow>,
    prices: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProviderRow {
    id: String,
    #[serde(default)]
    names: Vec<Box<str>>,
    #[serde(default)]
    models: Vec<Box<str>>,
    #[serde(default)]
    also: Vec<Box<str>>,
}

#[derive(Deserialize)]
struct Row {
    id: Option<String>,
    provider: String,
    model: String,
    #[serde(rename = "match")]
    patterns: Option<Vec<String>>,
    #[serde(default)]
    except: Vec<String>,
    source: Option<String>,
    from: Option<String>,
    service: Option<String>,
    #[serde(default)]
    retired: bool,
    #[serde(default)]
    hours: Vec<(String, String)>,
    #[serde(default)]
    tiers: Vec<TierRow>,
    #[serde(flatten)]
    rates: RatesRow,
    #[serde(flatten)]
    unknown: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct TierRow {
    above: u64,
    #[serde(flatten)]
    rates: RatesRow,
    #[serde(flatten)]
    unknown: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct RatesRow {
    input: Option<Amount>,
    cached_input: Option<Amount>,
    cache_write: Option<Amount>,
    cache_write_1h: Option<Amount>,
    audio_input: Option<Amount>,
    image_input: Option<Amount>,
    output: Option<Amount>,
    reasoning: Option<Amount>,
    audio_output: Option<Amount>,
    image_output: Option<Amount>,
    search: Option<Amount>,
    request: Option<Amount>,
}

impl RatesRow {
    fn rates(&self) -> Rates {
        let nanos = |amount: &Option<Amount>| amount.as_ref().map(|amount| amount.0);
        Rates {
            input: nanos(&self.input),
            cached_input: nanos(&self.cached_input),
            cache_write: nanos(&self.cache_write),
            cache_write_1h: nanos(&self.cache_write_1h),
            audio_input: nanos(&self.audio_input),
            image_input: nanos(&self.image_input),
            output: nanos(&self.output),
            reasoning: nanos(&self.reasoning),
            audio_output: nanos(&self.audio_output),
            image_output: nanos(&self.image_output),
            search: nanos(&self.search),
            request: nanos(&self.request),
        }
    }
}

/// Nano-dollars per million tokens: written as such, or as dollars per million tokens in a text (`"2.50"`).
struct Amount(u64);

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AmountVisitor)
    }
}

struct AmountVisitor;

impl Visitor<'_> for AmountVisitor {
    type Value = Amount;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "nano-dollars per million tokens as a whole number, or dollars in a text such as \"2.50\"",
        )
    }

    fn visit_u64<E>(self, nanos: u64) -> Result<Amount, E> {
        Ok(Amount(nanos))
    }

    fn visit_str<E: serde::de::Error>(self, dollars: &str) -> Result<Amount, E> {
        nanos(dollars).map(Amount).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(dollars), &self))
    }
}

/// Dollars with up to nine decimals as nano-dollars.
fn nanos(dollars: &str) -> Option<u64> {
    let (whole, decimals) = dollars.split_once('.').unwrap_or((dollars, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || decimals.len() > DECIMALS || !is_digits(whole) || !is_digits(decimals) {
        return None;
    }
    format!("{whole}{decimals:0<DECIMALS$}").parse().ok()
}

/// Reads a file.
pub(super) fn layer(json: &str) -> Result<Layer, CatalogueError> {
    let file: File = serde_json::from_str(json).map_err(|error| CatalogueError::Form(error.to_string()))?;
    if file.format != FORMAT {
        let message = format!("`format` is {}, this build reads {FORMAT}", file.format);
        return Err(CatalogueError::Form(message));
    }
    let mut shelf = Shelf::new(file.source.as_deref().unwrap_or(OWN_SOURCE));
    for row in file.providers {
        let provider = shelf.provider(&row.id);
        (provider.names, provider.own, provider.also) = (row.names, row.models, row.also);
    }
    for row in file.prices {
        let (provider, model) = (row.provider.clone(), row.model.clone());
        shelf.add(row).map_err(|wrong| CatalogueError::Row { provider, model, wrong })?;
    }
    Ok(shelf.finish())
}

/// A layer being filled.
struct Shelf {
    source: Arc<str>,
    layer: Layer,
    ids: HashSet<Arc<str>>,
    /// Prices by provider and model, both by position.
    prices: HashMap<(usize, usize), Vec<Arc<Price>>>,
}

impl Shelf {
    fn new(source: &str) -> Self {
        Self { source: source.into(), layer: Layer::default(), ids: HashSet::new(), prices: HashMap::new() }
    }

    fn position(&mut self, id: &str) -> usize {
        let id = id.to_lowercase().into_boxed_str();
        if let Some(position) = self.layer.by_id.get(&id) {
            return *position;
        }
        let position = self.layer.providers.len();
        self.layer.providers.push(Provider { id: id.clone(), ..Provider::default() });
        self.layer.by_id.insert(id, position);
        position
    }

    fn provider(&mut self, id: &str) -> &mut Provider {
        let position = self.position(id);
        &mut self.layer.providers[position]
    }

    /// Adds one row, or says what is wrong with it.
    fn add(&mut self, row: Row) -> Result<(), String> {
        let price = Arc::new(self.price(&row)?);
        if !self.ids.insert(Arc::clone(&price.id)) {
            return Err(format!("the id `{}` stands twice: give each row its own, or none", price.id));
        }
        let provider = self.position(&row.provider);
        let model = model(&mut self.layer.providers[provider], row);
        self.prices.entry((provider, model)).or_default().push(price);
        Ok(())
    }

    fn price(&self, row: &Row) -> Result<Price, String> {
        let unknown = row.unknown.keys().chain(row.tiers.iter().flat_map(|tier| tier.unknown.keys())).next();
        if let Some(unknown) = unknown {
            return Err(format!("there is no field `{unknown}`"));
        }
        if row.provider.is_empty() || row.model.is_empty() {
            return Err("`provider` and `model` must not be empty".into());
        }
        let mut tiers: Vec<Tier> =
            row.tiers.iter().map(|tier| Tier { above: tier.above, rates: tier.rates.rates() }).collect();
        tiers.sort_by_key(|tier| tier.above);
        let rates = row.rates.rates();
        let validity = validity(row)?;
        let source = row.source.as_deref().map_or_else(|| Arc::clone(&self.source), Arc::from);
        let service = row.service.as_deref().map(Box::from);
        let id = match &row.id {
            Some(id) => id.as_str().into(),
            None => own_id(row, &(&rates, &tiers, &validity, &service)),
        };
        Ok(Price { id, source, rates, tiers: tiers.into(), validity, service, retired: row.retired })
    }

    fn finish(mut self) -> Layer {
        for ((provider, model), prices) in self.prices {
            self.layer.providers[provider].models[model].prices = Prices(prices.into());
        }
        self.layer
    }
}

/// The position of a row's model at its provider, which it is added to if it is new.
fn model(provider: &mut Provider, row: Row) -> usize {
    let name = row.model.to_lowercase().into_boxed_str();
    let known = provider.models.iter().rposition(|model| model.name == name);
    let position = known.unwrap_or(provider.models.len());
    if known.is_none() {
        let prices = Prices(Arc::new([]));
        provider.models.push(Model { name, patterns: Vec::new(), except: Vec::new(), prices });
    }
    let model = &mut provider.models[position];
    for pattern in row.patterns.unwrap_or_else(|| vec![row.model]) {
        let pattern = pattern.to_lowercase().into_boxed_str();
        if pattern::is_exact(&pattern) {
            provider.exact.entry(pattern).or_insert(position);
        } else if !model.patterns.contains(&pattern) {
            model.patterns.push(pattern);
        }
    }
    model.except = row.except.iter().map(|pattern| pattern.to_lowercase().into()).collect();
    position
}

fn validity(row: &Row) -> Result<Validity, String> {
    let from = row.from.as_deref().map(|from| {
        let date = format!("{from}T00:00:00Z").parse::<Time>().or_else(|_| from.parse());
        date.map_err(|_| format!("`from` is `{from}`: write a date, as in 2026-11-30"))
    });
    let hours = row.hours.iter().map(|(start, end)| Ok((second_of_day(start)?, second_of_day(end)?)));
    Ok(Validity { from: from.transpose()?, hours: hours.collect::<Result<_, String>>()? })
}

/// `16:30` as seconds since midnight.
fn second_of_day(text: &str) -> Result<u32, String> {
    let parts = text.split_once(':').and_then(|(hour, minute)| {
        Some((
            hour.parse::<u32>().ok().filter(|hour| *hour <= 24)?,
            minute.parse::<u32>().ok().filter(|minute| *minute < 60)?,
        ))
    });
    let (hour, minute) =
        parts.ok_or_else(|| format!("`hours` holds `{text}`: write hours in UTC, as in 16:30"))?;
    Ok(hour * 3_600 + minute * 60)
}

/// An id for a row that has none: it changes when anything about the price does.
fn own_id(row: &Row, told: &impl fmt::Debug) -> Arc<str> {
    // FNV-1a: the id has to be the same in every build, which the standard library's hashes do not promise.
    let digest = format!("{told:?}").bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("own:{}/{}#{:08x}", row.provider, row.model, digest >> 32).into()
}
