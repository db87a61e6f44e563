//! Answers as snapshots show them: whole, with what differs from run to run replaced.

use serde_json::Value;

use crate::support::Answer;

/// Headers that say something about the answer; the others belong to the connection.
const SHOWN: [&str; 8] = [
    "allow",
    "content-type",
    "etag",
    "idempotent-replayed",
    "location",
    "retry-after",
    "www-authenticate",
    "x-should-retry",
];
const UUID: &str = "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";
const TIME: &str = "dddd-dd-ddTdd:dd:dd.ddddddZ";
const ETAGS: [&str; 2] = ["\"d\"", "\"dd\""];

/// Status, headers and body of an answer.
pub(crate) fn seen(answer: &Answer) -> String {
    let status = http::StatusCode::from_u16(answer.status).unwrap();
    let mut lines = vec![status.to_string()];
    for name in SHOWN {
        let values = answer.headers.get_all(name).iter();
        lines.extend(values.map(|value| match name {
            "etag" => "etag: [etag]".to_owned(),
            _ => format!("{name}: {}", text(value.to_str().unwrap())),
        }));
    }
    if !answer.body.is_empty() {
        lines.push(String::new());
        lines.push(serde_json::to_string_pretty(&value(answer.json())).unwrap());
    }
    lines.join("\n")
}

/// JSON without what differs from run to run.
pub(crate) fn value(value: Value) -> Value {
    match value {
        Value::String(said) => text(&said).into(),
        Value::Array(items) => items.into_iter().map(self::value).collect(),
        Value::Object(fields) => fields.into_iter().map(field).collect(),
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_)) => plain,
    }
}

fn field((name, held): (String, Value)) -> (String, Value) {
    let varies = matches!(&*name, "revision" | "hint" | "next_cursor") && !held.is_null();
    let shown = if varies { format!("[{name}]").into() } else { value(held) };
    (name, shown)
}

fn text(said: &str) -> String {
    let said = replaced(said, UUID, "[id]");
    let said = replaced(&said, TIME, "[time]");
    let said = ETAGS.iter().fold(said, |said, etag| replaced(&said, etag, "[etag]"));
    let secret = ["sk-weir-", "wt-", "whsec_"].iter().any(|prefix| said.starts_with(prefix));
    if secret { "[secret]".to_owned() } else { said }
}

/// Replaces what looks like `shape`: `h` a hex digit, `d` a digit, everything else itself.
fn replaced(said: &str, shape: &str, by: &str) -> String {
    let (chars, shape): (Vec<char>, Vec<char>) = (said.chars().collect(), shape.chars().collect());
    let mut out = String::new();
    let mut at = 0;
    while at < chars.len() {
        let fits = chars.get(at..at + shape.len()).is_some_and(|part| part.iter().zip(&shape).all(fits));
        if fits {
            out.push_str(by);
        } else {
            out.push(chars[at]);
        }
        at += if fits { shape.len() } else { 1 };
    }
    out
}

fn fits((found, wanted): (&char, &char)) -> bool {
    match wanted {
        'h' => found.is_ascii_hexdigit(),
        'd' => found.is_ascii_digit(),
        other => found == other,
    }
}

#[test]
fn ids_times_and_secrets_are_replaced_wherever_they_stand() {
    let said = "key 019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d at 2026-11-30T12:00:00.123456Z (ü)";
    assert_eq!(text(said), "key [id] at [time] (ü)");
    assert_eq!(text("wt-0123"), "[secret]");
}
