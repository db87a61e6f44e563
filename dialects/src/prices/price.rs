//! One price, and the arithmetic from tokens to money: exact integers, rounded once.

use std::sync::Arc;

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
}

/// Nano-dollars per million tokens, by class; a class without a price of its own costs what its parent does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rates {
    pub(super) input: Option<u64>,
    pub(super) cached_input: Option<u64>,
    pub(super) cache_write: Option<u64>,
    pub(super) audio_input: Option<u64>,
    pub(super) output: Option<u64>,
    pub(super) reasoning: Option<u64>,
    pub(super) audio_output: Option<u64>,
}

/// Other rates for all tokens of a call whose total input is above a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tier {
    pub(super) above: u64,
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
        self.rates.input.is_some() || self.rates.output.is_some()
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
        // Classes overlap in what providers report; what does not fit is taken from the later class.
        let cached = usage.cached_input.min(usage.input);
        let written = usage.cache_write.min(usage.input - cached);
        let audio_input = usage.audio_input.min(usage.input - cached - written);
        let plain_input = usage.input - cached - written - audio_input;
        let audio_output = usage.audio_output.min(usage.output);
        // Reasoning without a price of its own is output like any other.
        let reasoning = usage.reasoning.min(usage.output - audio_output);
        let plain_output = usage.output - audio_output - reasoning;
        let classes = [
            (plain_input, self.input),
            (cached, self.cached_input.or(self.input)),
            (written, self.cache_write.or(self.input)),
            (audio_input, self.audio_input.or(self.input)),
            (plain_output, self.output),
            (reasoning, self.reasoning.or(self.output)),
            (audio_output, self.audio_output.or(self.output)),
        ];
        classes.into_iter().filter(|(tokens, _)| *tokens > 0).try_fold(0, |sum, (tokens, rate)| {
            let amount: i128 = i128::from(tokens) * i128::from(rate?);
            Some(sum + amount)
        })
    }
}

/// The quotient of two numbers that are not negative, to the nearest whole one; from the middle to the even one.
fn half_to_even(amount: i128, divisor: i128) -> i128 {
    let (whole, rest) = (amount / divisor, amount % divisor);
    let is_up = rest * 2 > divisor || (rest * 2 == divisor && whole % 2 == 1);
    whole + i128::from(is_up)
}
