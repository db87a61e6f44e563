//! `weir reprice --dry-run`: what recorded calls would cost by today's catalogue. History itself never changes.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;

use anyhow::Context as _;
use dialects::Endpoint;
use dialects::prices::Catalogue;
use dialects::watch::{self, Facts};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use vocab::{NanoUsd, Time, Usage};

use super::calls::Sought;
use super::client::Client;
use super::{ServeArguments, complain, say, table};
use crate::app;
use crate::call::entry::STATED_PRICE;
use crate::upstream::price_name;

/// Nano-dollars in a dollar.
const NANOS: f64 = 1e9;

/// What to reckon again.
#[derive(Debug, clap::Args)]
// Its variant's group has the same name already, and clap takes one.
#[group(skip)]
pub struct Reprice {
    #[command(flatten)]
    sought: Sought,
    /// Only prints what would differ. There is no other way: records keep what was known when the call was made.
    #[arg(long)]
    dry_run: bool,
    /// The configuration file, for `prices.overrides` and the kinds of providers.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Prints JSON: `{calls, differ, data}`.
    #[arg(long)]
    json: bool,
}

/// A recorded call, as far as its price goes.
#[derive(Deserialize)]
struct Call<'a> {
    started_at: Time,
    provider: Option<String>,
    model: Option<String>,
    response_model: Option<String>,
    endpoint: String,
    #[serde(borrow)]
    usage_raw: Option<&'a RawValue>,
    #[serde(borrow)]
    response_body: Option<&'a RawValue>,
    usage_source: String,
    input_tokens: Option<u64>,
    cached_input_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
    output_tokens: Option<u64>,
    reasoning_tokens: Option<u64>,
    cost_nanousd: Option<i64>,
    price_id: Option<String>,
}

/// Calls that would change in the same way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    provider: String,
    model: String,
    recorded: Option<String>,
    now: Option<String>,
}

/// What became of a group's costs.
#[derive(Default)]
struct Sum {
    calls: u64,
    recorded: i64,
    now: i64,
    /// Calls whose cost is unknown by today's catalogue.
    unknown: u64,
}

/// The service tier a call was served at, as far as its record tells.
enum Service {
    /// This one; `None` is the standard one.
    Told(Option<String>),
    /// Nothing tells.
    Untold,
}

/// The catalogue, and by what name it knows each provider.
struct Till {
    catalogue: Catalogue,
    names: BTreeMap<String, String>,
}

impl Reprice {
    /// Reads every call that matches and reckons it again.
    pub fn run(&self, client: &Client) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.dry_run,
            "recorded costs are never rewritten: run it with --dry-run to see what today's prices would make of them"
        );
        let till = self.till()?;
        let mut query = self.sought.query();
        query.extend([("format", "jsonl"), ("receipt", "true")]);
        let answer = BufReader::new(client.open("/calls/export", &query)?);
        let (mut calls, mut complete, mut groups) = (0_u64, false, BTreeMap::<Group, Sum>::new());
        for line in answer.lines() {
            let line = line?;
            if line.starts_with("{\"weir_export\"") {
                let receipt: Value = serde_json::from_str(&line)?;
                complete = receipt["weir_export"]["complete"] == Value::Bool(true);
                continue;
            }
            let call: Call<'_> = serde_json::from_str(&line).context("the export holds what is no call")?;
            calls += 1;
            till.reckon(&call, &mut groups);
        }
        anyhow::ensure!(complete, "the export of the calls broke off: nothing is said about half of them");
        self.tell(calls, &groups);
        Ok(())
    }

    fn till(&self) -> anyhow::Result<Till> {
        let serve = ServeArguments {
            config: self.config.clone(),
            data_dir: None,
            listen: None,
            admin_listen: None,
            demo: true,
        };
        let config = serve.load()?;
        let named =
            |provider: &config::Provider| (provider.name.to_string(), price_name(provider).to_owned());
        Ok(Till { catalogue: app::catalogue(&config)?, names: config.providers.iter().map(named).collect() })
    }

    fn tell(&self, calls: u64, groups: &BTreeMap<Group, Sum>) {
        let differ: u64 = groups.values().map(|sum| sum.calls).sum();
        if self.json {
            let data: Vec<Value> = groups.iter().map(|(group, sum)| group.json(sum)).collect();
            return say(&json!({"calls": calls, "differ": differ, "data": data}).to_string());
        }
        let rows: Vec<[String; 7]> = groups.iter().map(|(group, sum)| group.row(sum)).collect();
        let headings = ["provider", "model", "recorded by", "now by", "calls", "recorded, $", "now, $"];
        say(&table::lay_out(headings, &rows));
        complain(&format!("{differ} of {calls} calls would cost something else; nothing was changed"));
    }
}

impl Till {
    /// Adds the call to its group if its cost would be another.
    fn reckon(&self, call: &Call<'_>, groups: &mut BTreeMap<Group, Sum>) {
        let (Some(provider), Some(model)) = (&call.provider, &call.model) else { return };
        // A cost that the provider stated is no question of prices.
        if call.price_id.as_deref() == Some(STATED_PRICE) {
            return;
        }
        let Some(usage) = call.usage() else { return };
        let name = self.names.get(provider).unwrap_or(provider);
        let find = |model: &str| match self.service(call, name) {
            Service::Told(service) => {
                self.catalogue.find_for(name, model, call.started_at, service.as_deref())
            }
            Service::Untold => None,
        };
        let price = call.response_model.as_deref().and_then(find).or_else(|| find(model));
        let now = price.as_ref().and_then(|price| price.cost(&usage)).map(|NanoUsd(nanos)| nanos);
        if now == call.cost_nanousd {
            return;
        }
        let group = Group {
            provider: provider.clone(),
            model: model.clone(),
            recorded: call.price_id.clone(),
            now: price.map(|price| price.id().as_ref().to_owned()),
        };
        let sum = groups.entry(group).or_default();
        sum.calls += 1;
        sum.recorded += call.cost_nanousd.unwrap_or_default();
        sum.now += now.unwrap_or_default();
        sum.unknown += u64::from(now.is_none());
    }

    /// The service tier a call was served at. Records keep it in the price that was applied, and in the answer where
    /// that was kept.
    fn service(&self, call: &Call<'_>, provider: &str) -> Service {
        let recorded = self.catalogue.rows().find(|row| Some(row.id) == call.price_id.as_deref());
        if let Some(row) = recorded {
            return Service::Told(row.service.map(str::to_owned));
        }
        let has_tiers = || self.catalogue.rows().any(|row| row.provider == provider && row.service.is_some());
        match call.answer() {
            Some(facts) => Service::Told(facts.service.map(String::from)),
            None if has_tiers() => Service::Untold,
            None => Service::Told(None),
        }
    }
}

impl Call<'_> {
    fn usage(&self) -> Option<Usage> {
        let told = self.usage_raw.filter(|_| self.usage_source == "provider");
        told.and_then(|raw| watch::read_usage(raw.get())).or_else(|| {
            Some(Usage {
                input: self.input_tokens?,
                cached_input: self.cached_input_tokens.unwrap_or_default(),
                cache_write: self.cache_write_tokens.unwrap_or_default(),
                output: self.output_tokens?,
                reasoning: self.reasoning_tokens.unwrap_or_default(),
                // Records add up the audio of both sides.
                ..Usage::default()
            })
        })
    }

    /// What the answer says of itself, where it was kept.
    fn answer(&self) -> Option<Facts> {
        let endpoint = Endpoint::ALL.into_iter().find(|endpoint| endpoint.as_str() == self.endpoint)?;
        watch::read_whole(endpoint, self.response_body?.get().as_bytes()).ok()
    }
}

impl Group {
    fn json(&self, sum: &Sum) -> Value {
        json!({
            "provider": self.provider, "model": self.model, "recorded_price_id": self.recorded,
            "price_id": self.now, "calls": sum.calls, "recorded_nanousd": sum.recorded, "nanousd": sum.now,
            "unknown": sum.unknown,
        })
    }

    fn row(&self, sum: &Sum) -> [String; 7] {
        let dollars = |nanos: i64| format!("{:.6}", nanos as f64 / NANOS);
        let id = |id: &Option<String>| id.clone().unwrap_or_else(|| "unknown".to_owned());
        [
            self.provider.clone(),
            self.model.clone(),
            id(&self.recorded),
            id(&self.now),
            sum.calls.to_string(),
            dollars(sum.recorded),
            dollars(sum.now),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn till() -> Till {
        let prices = json!({"format": 1, "prices": [
            {"provider": "openai", "model": "m", "input": "1.00", "cached_input": "0.10", "output": "2.00"},
            {"provider": "openai", "model": "m", "service": "flex", "input": "0.50", "output": "1.00"},
            {"provider": "local", "model": "m", "input": "3.00", "output": "3.00"},
        ]});
        Till { catalogue: Catalogue::parse(&prices.to_string()).unwrap(), names: BTreeMap::new() }
    }

    /// What a million tokens without a price would cost now, and whether that is unknown.
    fn now(change: &Value) -> (i64, bool) {
        let mut call = json!({"started_at": "2026-11-30T12:00:00Z", "endpoint": "chat_completions", "provider": "openai",
            "model": "m", "usage_source": "provider", "input_tokens": 1_000_000, "output_tokens": 0});
        call.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let line = call.to_string();
        let mut groups = BTreeMap::new();
        till().reckon(&serde_json::from_str(&line).unwrap(), &mut groups);
        groups.values().next().map_or((0, true), |sum| (sum.now, sum.unknown > 0))
    }

    #[test]
    fn a_call_is_reckoned_at_the_tier_its_answer_names() {
        let answered = |tier: &str| json!({"response_body": {"choices": [], "service_tier": tier}});
        assert_eq!(now(&answered("flex")), (500_000_000, false));
        assert_eq!(now(&answered("default")), (1_000_000_000, false));
        assert_eq!(now(&answered("priority")), (0, true), "it has no price of its own");
    }

    #[test]
    fn where_nothing_tells_the_tier_the_cost_is_unknown_unless_the_provider_has_none() {
        assert_eq!(now(&json!({})), (0, true));
        assert_eq!(now(&json!({"price_id": "openai/m#gone", "cost_nanousd": 7})), (0, true));
        assert_eq!(now(&json!({"provider": "local"})), (3_000_000_000, false));
    }

    #[test]
    fn tokens_from_the_cache_cost_what_those_cost() {
        let standard = json!({"response_body": {"choices": []}, "cached_input_tokens": 1_000_000});
        assert_eq!(now(&standard), (100_000_000, false));
    }
}
