//! Calls as rows of CSV: the columns of the public contract, lists and objects as JSON, nothing a spreadsheet runs.

use analytics::FoundRow;
use analytics::found::Tries;
use serde::Serialize;
use serde_json::Value;

/// What the first line says, in the order of [`cells`].
const HEADINGS: [&str; 51] = [
    "id",
    "project",
    "started_at",
    "duration_us",
    "ttft_us",
    "overhead_us",
    "endpoint",
    "streaming",
    "status",
    "outcome",
    "error_code",
    "error_message",
    "requested_model",
    "provider",
    "model",
    "response_model",
    "attempts",
    "cache",
    "key_id",
    "user",
    "session",
    "tags",
    "metadata",
    "prompt",
    "prompt_id",
    "prompt_version",
    "prompt_digest",
    "prompt_label",
    "experiment",
    "arm",
    "arm_unit",
    "variables",
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "audio_tokens",
    "usage_source",
    "cost_nanousd",
    "cost_usd",
    "price_id",
    "finish_reason",
    "tool_names",
    "trace_id",
    "span_id",
    "parent_span_id",
    "request_preview",
    "response_preview",
    "body_state",
    "node",
];

/// What lists may show of a call beside them.
const ONLY_IN_JSON: &str = "usage_raw";

/// Whether calls have a column of this name.
pub(in crate::admin) fn is_column(name: &str) -> bool {
    HEADINGS.contains(&name) || name == ONLY_IN_JSON
}

/// These calls as lines of CSV.
pub(super) fn write(rows: &[FoundRow], headings: bool) -> csv::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    if headings {
        writer.write_record(HEADINGS)?;
    }
    for row in rows {
        writer.write_record(cells(row).iter().map(String::as_bytes))?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

fn cells(row: &FoundRow) -> [String; HEADINGS.len()] {
    let attempts = match &row.attempts {
        Tries::Count(count) => u64::from(*count),
        Tries::All(tries) => tries.len() as u64,
    };
    let json_text = |json: &Option<analytics::found::Json>| json.as_ref().map(|json| json.get().to_owned());
    [
        row.id.to_string(),
        safe(&row.project),
        row.started_at.to_string(),
        row.duration_us.to_string(),
        number(row.ttft_us),
        row.overhead_us.to_string(),
        safe(&row.endpoint),
        row.streaming.to_string(),
        row.status.to_string(),
        safe(&row.outcome),
        text(row.error_code.as_ref()),
        text(row.error_message.as_ref()),
        text(row.requested_model.as_ref()),
        text(row.provider.as_ref()),
        text(row.model.as_ref()),
        text(row.response_model.as_ref()),
        attempts.to_string(),
        text(row.cache.as_ref()),
        number(row.key_id),
        text(row.user.as_ref()),
        text(row.session.as_ref()),
        list(&row.tags),
        text(json_text(&row.metadata).as_ref()),
        text(row.prompt.as_ref()),
        number(row.prompt_id),
        number(row.prompt_version),
        text(row.prompt_digest.as_ref()),
        text(row.prompt_label.as_ref()),
        text(row.experiment.as_ref()),
        text(row.arm.as_ref()),
        text(row.arm_unit.as_ref()),
        text(json_text(&row.variables).as_ref()),
        number(row.input_tokens),
        number(row.cached_input_tokens),
        number(row.cache_write_tokens),
        number(row.output_tokens),
        number(row.reasoning_tokens),
        number(row.audio_tokens),
        word(&row.usage_source),
        number(row.cost_nanousd.map(|cost| cost.0)),
        number(row.cost_nanousd),
        text(row.price_id.as_ref()),
        text(row.finish_reason.as_ref()),
        list(&row.tool_names),
        row.trace_id.clone(),
        row.span_id.clone(),
        text(row.parent_span_id.as_ref()),
        text(row.request_preview.as_ref()),
        text(row.response_preview.as_ref()),
        safe(&row.body_state),
        safe(&row.node),
    ]
}

fn number(number: Option<impl ToString>) -> String {
    number.map_or_else(String::new, |number| number.to_string())
}

fn text(text: Option<&String>) -> String {
    text.map_or_else(String::new, |text| safe(text))
}

fn list(items: &[String]) -> String {
    if items.is_empty() { String::new() } else { word(&items) }
}

fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

/// A text no spreadsheet takes for a formula: what begins like one gets an apostrophe before it, as OWASP advises
/// (<https://owasp.org/www-community/attacks/CSV_Injection>, seen 2026-08).
fn safe(text: &str) -> String {
    let begins =
        |c: char| matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠');
    if text.starts_with(begins) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_run_is_text() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1"] {
            assert_eq!(safe(text), format!("'{text}"));
        }
        for text in ["", "a=1", "ü", " =1", "[\"=1\"]", "'=1"] {
            assert_eq!(safe(text), text);
        }
    }

    #[test]
    fn lists_are_json_and_empty_ones_nothing() {
        assert_eq!(list(&["a,b".to_owned(), "c".to_owned()]), r#"["a,b","c"]"#);
        assert_eq!(list(&[]), "");
    }
}
