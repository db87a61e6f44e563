//! One price, and the arithmetic from tokens to money: exact integers, rounded once.

use std::sync::Arc;

use serde::Serialize;
use vocab::{NanoUsd, Time, Usage};

/// Prices are per this many tokens.
const TOKENS: i128 = 1_000_000;
const MICROS_A_SECOND: i64 = 1_000_000;
const SECONDS_A_DAY: i64 = 86_400;

/// What the tokens of one model cost at one provider. Never changes: another price has another id.
#[derive(Clone, Debug, PartialEq)]
pub struct Price {
    pub(super) id: Arc<str>,
    pub(super) source: Arc<str>,
    pub(super) rates: Rates,
    pub(super) tiers: Box<[Tier]>,
    pub(super) validity: Validity,
    /// The service tier it holds for; `None` is the standard one.
    pub(super) service: Option<Box<str>>,
    /// Whether it stands only for what was recorded under its id.
    pub(super) retired: bool,
}

/// Nano-dollars per million tokens, by class; a class without a price of its own costs what its parent does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Rates {
    pub(super) input: Option<u64>,
    pub(super) cached_input: Option<u64>,
    pub(super) cache_write: Option<u64>,
    pub(super) cache_write_1h: Option<u64>,
    pub(super) audio_input: Option<u64>,
    pub(super) image_input: Option<u64>,
    pub(super) output: Option<u64>,
    pub(super) reasoning: Option<u64>,
    pub(super) audio_output: Option<u64>,
    pub(super) image_output: Option<u64>,
    /// Per million searches.
    pub(super) search: Option<u64>,
    /// Per million calls.
    pub(super) request: Option<u64>,
}

/// How many of a class a call used, and what a million of them costs.
type Bucket = (u64, Option<u64>);

/// Other rates for all tokens of a call whose total input is above a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Tier {
    pub(super) above: u64,
    #[serde(flatten)]
    pub(super) rates: Rates,
}

/// When a price holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from: Option<Time>,
    /// Spans of the day in UTC, in seconds, end excluded; an end before its start is on the next day.
    pub(super) hours: Box<[(u32, u32)]>,
}

impl Validity {
    pub(super) fn covers(&self, at: Time) -> bool {
        self.from.is_none_or(|from| from <= at) && (self.hours.is_empty() || self.covers_hour(at))
    }

    fn covers_hour(&self, at: Time) -> bool {
        let second = at.micros().div_euclid(MICROS_A_SECOND).rem_euclid(SECONDS_A_DAY) as u32;
        self.hours.iter().any(|&(start, end)| {
            if start <= end { (start..end).contains(&second) } else { second >= start || second < end }
        })
    }
}

impl Price {
    /// The id that records keep.
    pub const fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// The service tier it holds for; `None` is the standard one.
    pub fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    /// Where the price comes from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What `usage` costs, rounded to nano-dollars once, half to even; `None` when it holds tokens without a price.
    pub fn cost(&self, usage: &Usage) -> Option<NanoUsd> {
        let millionths = self.rates_for(usage.input).total(usage)?;
        i64::try_from(half_to_even(millionths, TOKENS)).ok().map(NanoUsd)
    }

    /// Whether anything is known of it: a row without prices says that there is none to be had.
    pub(super) const fn is_known(&self) -> bool {
        self.rates.input.is_some() || self.rates.output.is_some() || self.rates.request.is_some()
    }

    /// The tier is a cliff: strictly above its threshold it holds for every token of the call.
    fn rates_for(&self, input_tokens: u64) -> &Rates {
        let reached = self.tiers.iter().rev().find(|tier| input_tokens > tier.above);
        reached.map_or(&self.rates, |tier| &tier.rates)
    }
}

impl Rates {
    /// Tokens times rates, in millionths of a nano-dollar.
    fn total(&self, usage: &Usage) -> Option<i128> {
        let fees = [(usage.searches, self.search), (1, Some(self.request.unwrap_or(0)))];
        let used = self.tokens(usage).into_iter().chain(fees);
        used.filter(|(count, _)| *count > 0).try_fold(0, |sum, (count, rate)| {
            let amount: i128 = i128::from(count) * i128::from(rate?);
            Some(sum + amount)
        })
    }

    /// The call's tokens in classes that do not overlap: together they are its input and its output.
    pub(super) fn tokens(&self, usage: &Usage) -> [Bucket; 10] {
        // Classes overlap in what providers report; what does not fit is taken from the later class.
        let mut input = usage.input;
        let cached = take(&mut input, usage.cached_input);
        let mut written = take(&mut input, usage.cache_write);
        let hour = take(&mut written, usage.cache_write_1h);
        let audio_input = take(&mut input, usage.audio_input);
        let image_input = take(&mut input, usage.image_input);
        let mut output = usage.output;
        let audio_output = take(&mut output, usage.audio_output);
        let image_output = take(&mut output, usage.image_output);
        // Reasoning without a price of its own is output like any other.
        let reasoning = take(&mut output, usage.reasoning);
        let cache_write = self.cache_write.or(self.input);
        [
            (input, self.input),
            (cached, self.cached_input.or(self.input)),
            (written, cache_write),
            (hour, self.cache_write_1h.or(cache_write)),
            (audio_input, self.audio_input.or(self.input)),
            (image_input, self.image_input.or(self.input)),
            (output, self.output),
            (reasoning, self.reasoning.or(self.output)),
            (audio_output, self.audio_output.or(self.output)),
            (image_output, self.image_output.or(self.output)),
        ]
    }
}

/// Takes up to `wanted` out of what is left.
fn take(left: &mut u64, wanted: u64) -> u64 {
    let taken = wanted.min(*left);
    *left -= taken;
    taken
}

/// The quotient of two numbers that are not negative, to the nearest whole one; from the middle to the even one.
fn half_to_even(amount: i128, divisor: i128) -> i128 {
    let (whole, rest) = (amount / divisor, amount % divisor);
    let is_up = rest * 2 > divisor || (rest * 2 == divisor && whole % 2 == 1);
    whole + i128::from(is_up)
}
