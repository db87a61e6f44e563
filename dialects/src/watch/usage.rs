//! Usage in OpenAI's arithmetic, from every spelling providers have for it.

use serde_json::Value;
use vocab::{NanoUsd, Usage};

use super::decimal::parse_usd;
use crate::cursor::{Cursor, NotJson};

/// Where the counts stand, best first; a slash leads into an object.
const INPUT: [&str; 2] = ["prompt_tokens", "input_tokens"];
const OUTPUT: [&str; 2] = ["completion_tokens", "output_tokens"];
/// DeepSeek counts cache hits beside the details, Moonshot at the top.
const CACHED: [&str; 4] = [
    "prompt_tokens_details/cached_tokens",
    "input_tokens_details/cached_tokens",
    "prompt_cache_hit_tokens",
    "cached_tokens",
];
const WRITTEN: [&str; 2] =
    ["prompt_tokens_details/cache_write_tokens", "input_tokens_details/cache_write_tokens"];
const AUDIO_IN: [&str; 2] = ["prompt_tokens_details/audio_tokens", "input_tokens_details/audio_tokens"];
const REASONING: [&str; 3] = [
    "completion_tokens_details/reasoning_tokens",
    "output_tokens_details/reasoning_tokens",
    "reasoning_tokens",
];
const AUDIO_OUT: [&str; 2] = ["completion_tokens_details/audio_tokens", "output_tokens_details/audio_tokens"];

/// Reads a usage object; `None` when it counts neither input nor output.
pub(super) fn read(raw: &str) -> Option<Usage> {
    let usage: Value = serde_json::from_str(raw).ok()?;
    let find = |paths: &[&str]| paths.iter().find_map(|path| count(&usage, path));
    let (input, output, total) = (find(&INPUT), find(&OUTPUT), count(&usage, "total_tokens"));
    let input = input.or(if output.is_none() { total } else { None });
    if input.is_none() && output.is_none() {
        return None;
    }
    let (input, reasoning) = (input.unwrap_or(0), find(&REASONING).unwrap_or(0));
    let output = with_reasoning(input, output.unwrap_or(0), reasoning, total);
    let cached_input = find(&CACHED).unwrap_or(0).min(input);
    Some(Usage {
        input,
        cached_input,
        cache_write: find(&WRITTEN).unwrap_or(0).min(input - cached_input),
        audio_input: find(&AUDIO_IN).unwrap_or(0).min(input),
        output,
        reasoning: reasoning.min(output),
        audio_output: find(&AUDIO_OUT).unwrap_or(0).min(output),
    })
}

/// Output with reasoning inside it. A few providers (xAI) count reasoning beside the output; their total tells.
fn with_reasoning(input: u64, output: u64, reasoning: u64, total: Option<u64>) -> u64 {
    let beside = output.saturating_add(reasoning);
    let is_beside = reasoning > 0 && total == Some(input.saturating_add(beside));
    if is_beside || reasoning > output { beside } else { output }
}

fn count(usage: &Value, path: &str) -> Option<u64> {
    let value = path.split('/').try_fold(usage, |value, key| value.get(key))?;
    value.as_u64().or_else(|| value.as_f64().filter(|number| *number >= 0.0).map(|number| number as u64))
}

/// What the provider says the call cost, exactly as its decimals say. OpenRouter states `cost` in dollars, and
/// for a caller's own key (`is_byok`) the provider's bill beside it; Perplexity states an object with a total.
pub(super) fn stated_cost(raw: &str) -> Option<NanoUsd> {
    let mut stated = Stated::default();
    let mut json = Cursor::new(raw.as_bytes()).ok()?;
    json.object(|json, key| stated.member(json, key)).ok()?;
    let upstream = if stated.is_byok { stated.upstream } else { None };
    match (stated.cost, upstream) {
        (Some(cost), Some(upstream)) => Some(cost + upstream),
        (cost, _) => cost,
    }
}

#[derive(Default)]
struct Stated {
    cost: Option<NanoUsd>,
    upstream: Option<NanoUsd>,
    is_byok: bool,
}

impl Stated {
    fn member(&mut self, json: &mut Cursor<'_>, key: &str) -> Result<(), NotJson> {
        match key {
            "cost" if json.peek() == Some(b'{') => {
                self.cost = find_amount(json, "total_cost")?;
            }
            "cost" => self.cost = json.raw()?.and_then(parse_usd),
            "cost_details" => self.upstream = find_amount(json, "upstream_inference_cost")?,
            "is_byok" => self.is_byok = json.raw()? == Some("true"),
            _ => json.skip()?,
        }
        Ok(())
    }
}

fn find_amount(json: &mut Cursor<'_>, name: &str) -> Result<Option<NanoUsd>, NotJson> {
    let mut amount = None;
    json.object(|json, key| {
        if key != name {
            return json.skip();
        }
        amount = json.raw()?.and_then(parse_usd);
        Ok(())
    })?;
    Ok(amount)
}
