//! The parameters of a request, read without building the rest of it.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::row::Row;

/// How much of a text among the parameters is told.
const WORD_BYTES: usize = 256;
/// How many stop sequences are told.
const STOPS_MAX: usize = 16;

/// What a model call was asked to do, beside its messages. What is not there, or not of its kind, is left out.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked<'a> {
    #[serde(deserialize_with = "lenient")]
    pub(super) temperature: Option<f64>,
    #[serde(deserialize_with = "lenient")]
    pub(super) top_p: Option<f64>,
    #[serde(deserialize_with = "lenient")]
    pub(super) frequency_penalty: Option<f64>,
    #[serde(deserialize_with = "lenient")]
    pub(super) presence_penalty: Option<f64>,
    #[serde(deserialize_with = "lenient")]
    max_tokens: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    max_completion_tokens: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    max_output_tokens: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    pub(super) seed: Option<i64>,
    #[serde(deserialize_with = "lenient")]
    pub(super) n: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    stop: Option<Stop>,
    #[serde(deserialize_with = "lenient")]
    reasoning_effort: Option<String>,
    #[serde(deserialize_with = "lenient")]
    reasoning: Option<Reasoning>,
    #[serde(deserialize_with = "lenient")]
    previous_response_id: Option<String>,
    #[serde(deserialize_with = "lenient")]
    response_format: Option<Format>,
    #[serde(deserialize_with = "lenient")]
    text: Option<TextFormat>,
    #[serde(deserialize_with = "lenient")]
    service_tier: Option<String>,
    #[serde(deserialize_with = "lenient")]
    encoding_format: Option<String>,
    #[serde(borrow)]
    pub(super) tools: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Stop {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
struct Reasoning {
    effort: Option<String>,
}

#[derive(Deserialize)]
struct Format {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct TextFormat {
    format: Option<Format>,
}

/// A member of the wrong kind is the provider's to complain of, not a reason to know nothing of the others.
fn lenient<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::de::DeserializeOwned,
{
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(raw.get()).ok())
}

impl<'a> Asked<'a> {
    /// Of the request as it went upstream. What was not kept of it was not redacted: only its numbers are told.
    pub(super) fn of(row: &'a Row<'_>) -> Self {
        let stored = row.bodies.upstream_request.as_deref().or(row.bodies.request.as_deref());
        if let Some(stored) = stored {
            return serde_json::from_slice(stored).unwrap_or_default();
        }
        let record = &*row.record;
        let sent = record.upstream_request_body.as_ref().unwrap_or(&record.request_body);
        Self {
            stop: None,
            reasoning_effort: None,
            reasoning: None,
            previous_response_id: None,
            service_tier: None,
            encoding_format: None,
            tools: None,
            ..serde_json::from_slice(sent).unwrap_or_default()
        }
    }

    pub(super) fn max_tokens(&self) -> Option<u64> {
        self.max_completion_tokens.or(self.max_output_tokens).or(self.max_tokens)
    }

    pub(super) fn stops(&self) -> impl Iterator<Item = &str> {
        let stops = match &self.stop {
            None => &[],
            Some(Stop::One(stop)) => std::slice::from_ref(stop),
            Some(Stop::Many(stops)) => stops.as_slice(),
        };
        stops.iter().take(STOPS_MAX).map(|stop| word(stop))
    }

    pub(super) fn effort(&self) -> Option<&str> {
        let nested = self.reasoning.as_ref().and_then(|reasoning| reasoning.effort.as_deref());
        self.reasoning_effort.as_deref().or(nested).map(word)
    }

    pub(super) fn previous_response_id(&self) -> Option<&str> {
        self.previous_response_id.as_deref().map(word)
    }

    pub(super) fn service_tier(&self) -> Option<&str> {
        self.service_tier.as_deref().map(word)
    }

    pub(super) fn encoding_format(&self) -> Option<&str> {
        self.encoding_format.as_deref().map(word)
    }

    /// `json` when the answer must be JSON.
    pub(super) fn output_type(&self) -> Option<&'static str> {
        let format = self.response_format.as_ref().or_else(|| self.text.as_ref()?.format.as_ref())?;
        match format.kind.as_str() {
            "json_object" | "json_schema" => Some("json"),
            "text" => Some("text"),
            _ => None,
        }
    }
}

/// The beginning of a text that is too long for a word.
fn word(text: &str) -> &str {
    text.get(..text.floor_char_boundary(WORD_BYTES)).unwrap_or_default()
}
