//! The parameters of a request, read without building the rest of it.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::row::Row;

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
    pub(super) reasoning_effort: Option<String>,
    #[serde(deserialize_with = "lenient")]
    reasoning: Option<Reasoning>,
    #[serde(deserialize_with = "lenient")]
    pub(super) previous_response_id: Option<String>,
    #[serde(deserialize_with = "lenient")]
    response_format: Option<Format>,
    #[serde(deserialize_with = "lenient")]
    text: Option<TextFormat>,
    #[serde(deserialize_with = "lenient")]
    pub(super) service_tier: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub(super) encoding_format: Option<String>,
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
    /// Of the request as it went upstream.
    pub(super) fn of(row: &'a Row<'_>) -> Self {
        let record = &*row.record;
        let sent = || record.upstream_request_body.as_ref().unwrap_or(&record.request_body);
        // What is stored is redacted.
        let stored = row.bodies.upstream_request.as_deref().or(row.bodies.request.as_deref());
        let body = stored.unwrap_or_else(|| sent());
        serde_json::from_slice(body).unwrap_or_default()
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
        stops.iter().map(String::as_str)
    }

    pub(super) fn effort(&self) -> Option<&str> {
        let nested = self.reasoning.as_ref().and_then(|reasoning| reasoning.effort.as_deref());
        self.reasoning_effort.as_deref().or(nested)
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
