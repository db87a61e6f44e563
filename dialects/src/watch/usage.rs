//! Usage in OpenAI's arithmetic, from every spelling providers have for it, and the cost some state beside it.

use vocab::{NanoUsd, Usage};

use super::decimal::parse_usd;
use crate::cursor::{Cursor, NotJson};

/// What a usage object says; a count that is absent or `null` is not zero.
#[derive(Debug, Default)]
pub(super) struct Report {
    input: Option<u64>,
    output: Option<u64>,
    total: Option<u64>,
    cached: Option<u64>,
    written: Option<u64>,
    audio_input: Option<u64>,
    reasoning: Option<u64>,
    audio_output: Option<u64>,
    written_1h: Option<u64>,
    image_input: Option<u64>,
    image_output: Option<u64>,
    searches: Option<u64>,
    /// Cache reads and writes that Anthropic counts beside its input.
    read_beside: Option<u64>,
    written_beside: Option<u64>,
    /// Whether the input is called as Anthropic and OpenAI's responses call it.
    is_input_named: bool,
    service: Option<Box<str>>,
    cost: Option<NanoUsd>,
    upstream_cost: Option<NanoUsd>,
    is_byok: bool,
}

impl Report {
    /// Reads a usage object; anything else says nothing.
    pub(super) fn read(raw: &str) -> Self {
        let mut report = Self::default();
        let read = Cursor::new(raw.as_bytes())
            .and_then(|mut json| json.object(|json, key| report.member(json, key)));
        read.map_or_else(|NotJson| Self::default(), |_| report)
    }

    /// The tokens; `None` when neither input nor output was counted.
    pub(super) fn usage(&self) -> Option<Usage> {
        let total = if self.output.is_none() { self.total } else { None };
        let input = self.input.or(total);
        if input.is_none() && self.output.is_none() {
            return None;
        }
        let beside =
            [self.read_beside, self.written_beside].map(|tokens| tokens.filter(|_| self.is_input_named));
        let input =
            beside.iter().flatten().fold(input.unwrap_or(0), |sum, tokens| sum.saturating_add(*tokens));
        let output = self.output_with_reasoning(input);
        let cached_input = self.cached.or(self.read_beside).unwrap_or(0).min(input);
        let cache_write = self.written.or(self.written_beside).unwrap_or(0).min(input - cached_input);
        Some(Usage {
            input,
            cached_input,
            cache_write,
            cache_write_1h: self.written_1h.unwrap_or(0).min(cache_write),
            audio_input: self.audio_input.unwrap_or(0).min(input),
            image_input: self.image_input.unwrap_or(0).min(input),
            output,
            reasoning: self.reasoning.unwrap_or(0).min(output),
            audio_output: self.audio_output.unwrap_or(0).min(output),
            image_output: self.image_output.unwrap_or(0).min(output),
            searches: self.searches.unwrap_or(0),
        })
    }

    /// The tier the call was served at, where the usage says it.
    pub(super) fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    /// What the provider says the call cost. For a caller's own key (`is_byok`) OpenRouter states its fee, and
    /// the provider's bill beside it.
    pub(super) fn stated_cost(&self) -> Option<NanoUsd> {
        let upstream = self.upstream_cost.filter(|_| self.is_byok).unwrap_or_default();
        self.cost.map(|cost| cost + upstream)
    }

    /// A few providers (xAI) count reasoning beside the output instead of within it; their total tells.
    fn output_with_reasoning(&self, input: u64) -> u64 {
        let (output, reasoning) = (self.output.unwrap_or(0), self.reasoning.unwrap_or(0));
        let beside = output.saturating_add(reasoning);
        let is_beside = reasoning > 0 && self.total == Some(input.saturating_add(beside));
        if is_beside || reasoning > output { beside } else { output }
    }

    fn member(&mut self, json: &mut Cursor<'_>, key: &str) -> Result<(), NotJson> {
        match key {
            "prompt_tokens" => count(json, &mut self.input),
            "input_tokens" => {
                self.is_input_named = true;
                count(json, &mut self.input)
            }
            "completion_tokens" | "output_tokens" => count(json, &mut self.output),
            "total_tokens" => count(json, &mut self.total),
            // DeepSeek counts cache hits beside the details, Moonshot at the top.
            "prompt_cache_hit_tokens" | "cached_tokens" => count(json, &mut self.cached),
            "reasoning_tokens" => count(json, &mut self.reasoning),
            "prompt_tokens_details" | "input_tokens_details" => each(json, |json, key| match key {
                "cached_tokens" => count(json, &mut self.cached),
                "cache_write_tokens" => count(json, &mut self.written),
                "audio_tokens" => count(json, &mut self.audio_input),
                "image_tokens" => count(json, &mut self.image_input),
                _ => json.skip(),
            }),
            "completion_tokens_details" | "output_tokens_details" => each(json, |json, key| match key {
                "reasoning_tokens" => count(json, &mut self.reasoning),
                "audio_tokens" => count(json, &mut self.audio_output),
                "image_tokens" => count(json, &mut self.image_output),
                _ => json.skip(),
            }),
            _ => self.anthropic_member(json, key),
        }
    }

    /// Anthropic's own members, which services that resell its models pass on.
    fn anthropic_member(&mut self, json: &mut Cursor<'_>, key: &str) -> Result<(), NotJson> {
        match key {
            "cache_read_input_tokens" => count(json, &mut self.read_beside),
            "cache_creation_input_tokens" => count(json, &mut self.written_beside),
            "cache_creation" => each(json, |json, key| match key {
                "ephemeral_1h_input_tokens" => count(json, &mut self.written_1h),
                _ => json.skip(),
            }),
            "server_tool_use" => each(json, |json, key| match key {
                "web_search_requests" => count(json, &mut self.searches),
                _ => json.skip(),
            }),
            "service_tier" | "speed" => {
                let word = json.text()?.map(|word| word.decode().into_owned());
                // A fast answer at the standard tier is a fast answer.
                if let Some(service) = word.as_deref().and_then(service) {
                    self.service = Some(service.into());
                }
                Ok(())
            }
            _ => self.cost_member(json, key),
        }
    }

    fn cost_member(&mut self, json: &mut Cursor<'_>, key: &str) -> Result<(), NotJson> {
        match key {
            // Perplexity's cost is an object with a total.
            "cost" if json.peek() == Some(b'{') => each(json, |json, key| match key {
                "total_cost" => amount(json, &mut self.cost),
                _ => json.skip(),
            }),
            "cost" => amount(json, &mut self.cost),
            "cost_details" => each(json, |json, key| match key {
                "upstream_inference_cost" => amount(json, &mut self.upstream_cost),
                _ => json.skip(),
            }),
            "is_byok" => json.raw().map(|raw| self.is_byok = raw == Some("true")),
            _ => json.skip(),
        }
    }
}

/// The service a tier's name stands for; `None` for the standard one.
pub(super) fn service(tier: &str) -> Option<&str> {
    let standard = ["", "auto", "default", "standard", "standard_only", "on_demand", "not_available"];
    (!standard.contains(&tier)).then_some(tier)
}

fn each<'a>(
    json: &mut Cursor<'a>,
    member: impl FnMut(&mut Cursor<'a>, &'a str) -> Result<(), NotJson>,
) -> Result<(), NotJson> {
    json.object(member).map(|_| ())
}

fn count(json: &mut Cursor<'_>, slot: &mut Option<u64>) -> Result<(), NotJson> {
    let raw = json.raw()?.unwrap_or_default();
    let whole = raw.parse().ok();
    let rounded = || raw.parse::<f64>().ok().filter(|number| *number >= 0.0).map(|number| number as u64);
    *slot = whole.or_else(rounded).or(*slot);
    Ok(())
}

fn amount(json: &mut Cursor<'_>, slot: &mut Option<NanoUsd>) -> Result<(), NotJson> {
    *slot = json.raw()?.and_then(parse_usd).or(*slot);
    Ok(())
}
