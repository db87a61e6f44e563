//! The catalogue beside `LiteLLM`'s price map, model by model and field by field: what two sources disagree about is worth
//! a look.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};
use vocab::Time;

use super::price::{Price, Rates};
use super::{Catalogue, CatalogueError};

/// What their providers are called here, where they differ.
const PROVIDERS: [(&str, &str); 10] = [
    ("gemini", "google"),
    ("vertex_ai-language-models", "google"),
    ("xai", "x-ai"),
    ("together_ai", "together"),
    ("fireworks_ai", "fireworks"),
    ("bedrock", "aws"),
    ("bedrock_converse", "aws"),
    ("text-completion-openai", "openai"),
    ("azure_ai", "azure"),
    ("cohere_chat", "cohere"),
];
/// Dollars per token times this are nano-dollars per million tokens.
const SCALE: f64 = 1e15;
/// Smaller differences are roundings of theirs.
const TOLERANCE: f64 = 1e-6;

/// One field of one model that two sources see differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Disagreement {
    /// The provider, by our name.
    pub provider: String,
    /// The model, by theirs.
    pub model: String,
    /// Our name of the field.
    pub field: &'static str,
    /// The id of our row.
    pub price_id: String,
    /// What we say, nano-dollars per million.
    pub ours: u64,
    /// What they say, nano-dollars per million.
    pub theirs: u64,
}

/// What came of comparing.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Comparison {
    /// Models both know.
    pub models: u64,
    /// Fields both state.
    pub fields: u64,
    /// Models only they have a price for, at providers both know.
    pub missing: Vec<String>,
    /// Where they differ.
    pub disagreements: Vec<Disagreement>,
}

/// Compares the catalogue as it holds at `at` with `LiteLLM`'s `model_prices_and_context_window.json`.
pub fn compare(catalogue: &Catalogue, litellm: &str, at: Time) -> Result<Comparison, CatalogueError> {
    let map: BTreeMap<String, Value> =
        serde_json::from_str(litellm).map_err(|error| CatalogueError::Form(error.to_string()))?;
    let mut comparison = Comparison::default();
    for (name, entry) in &map {
        if let Value::Object(entry) = entry {
            comparison.add(catalogue, name, entry, at);
        }
    }
    Ok(comparison)
}

impl Comparison {
    fn add(&mut self, catalogue: &Catalogue, name: &str, entry: &Map<String, Value>, at: Time) {
        let Some(theirs) = entry.get("litellm_provider").and_then(Value::as_str) else { return };
        let provider = PROVIDERS.iter().find(|(from, _)| *from == theirs).map_or(theirs, |(_, to)| *to);
        let model = name.strip_prefix(&format!("{theirs}/")).unwrap_or(name);
        let known = !catalogue.models_of(provider).is_empty();
        if !known || name == "sample_spec" || theirs_of(entry, "input_cost_per_token").is_none() {
            return;
        }
        let Some(price) = catalogue.find(provider, model, at) else {
            self.missing.push(format!("{provider}/{model}"));
            return;
        };
        self.models += 1;
        self.fields_of(&price, entry, (provider, model), "");
        for (service, suffix) in [("flex", "_flex"), ("priority", "_priority"), ("batch", "_batches")] {
            if let Some(price) = catalogue.find_for(provider, model, at, Some(service)) {
                self.fields_of(&price, entry, (provider, model), suffix);
            }
        }
    }

    fn fields_of(&mut self, price: &Price, entry: &Map<String, Value>, whose: (&str, &str), suffix: &str) {
        for (field, name, ours) in fields(&price.rates) {
            let theirs = theirs_of(entry, &format!("{name}{suffix}"));
            let (Some(ours), Some(theirs)) = (ours, theirs) else { continue };
            self.fields += 1;
            let gap = (ours as f64 - theirs).abs();
            if gap > TOLERANCE * theirs.max(ours as f64) {
                self.disagreements.push(Disagreement {
                    provider: whose.0.to_owned(),
                    model: whose.1.to_owned(),
                    field,
                    price_id: price.id.as_ref().to_owned(),
                    ours,
                    theirs: theirs.round() as u64,
                });
            }
        }
    }
}

/// Our fields, their names, our rates.
fn fields(rates: &Rates) -> [(&'static str, &'static str, Option<u64>); 7] {
    [
        ("input", "input_cost_per_token", rates.input),
        ("cached_input", "cache_read_input_token_cost", rates.cached_input),
        ("cache_write", "cache_creation_input_token_cost", rates.cache_write),
        ("cache_write_1h", "cache_creation_input_token_cost_above_1hr", rates.cache_write_1h),
        ("audio_input", "input_cost_per_audio_token", rates.audio_input),
        ("output", "output_cost_per_token", rates.output),
        ("reasoning", "output_cost_per_reasoning_token", rates.reasoning),
    ]
}

/// Their price in nano-dollars per million; they write zero where they do not know.
fn theirs_of(entry: &Map<String, Value>, name: &str) -> Option<f64> {
    entry.get(name).and_then(Value::as_f64).map(|dollars| dollars * SCALE).filter(|price| *price > 0.0)
}
