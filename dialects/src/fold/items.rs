//! Events of the responses endpoint put together: the last event holds the whole answer; without it, the items
//! and deltas that came.

use serde_json::{Map, Value, json};

use super::delta::grow_value;

/// More items or parts than these are not put together.
const PLACES_MAX: usize = 10_000;

pub(super) fn fold(events: impl Iterator<Item = Map<String, Value>>) -> Option<Map<String, Value>> {
    let mut answer = Answer::default();
    for mut event in events {
        let kind = event.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        let response = event.remove("response");
        match (kind.as_str(), response) {
            (
                "response.completed" | "response.incomplete" | "response.failed",
                Some(Value::Object(whole)),
            ) => {
                return Some(whole);
            }
            (_, Some(Value::Object(begun))) => answer.begun = Some(begun),
            _ => answer.take(&kind, event),
        }
    }
    answer.finish()
}

/// An answer whose end has not come.
#[derive(Default)]
struct Answer {
    begun: Option<Map<String, Value>>,
    output: Vec<Value>,
    error: Option<Value>,
}

impl Answer {
    fn take(&mut self, kind: &str, mut event: Map<String, Value>) {
        let delta = event.remove("delta");
        match kind {
            "error" => self.error = Some(event.remove("error").unwrap_or(Value::Object(event))),
            "response.output_item.added" | "response.output_item.done" => {
                let item = event.remove("item").unwrap_or_default();
                if let Some(place) = self.item(&event) {
                    *place = item;
                }
            }
            "response.content_part.added" | "response.content_part.done" => {
                let part = event.remove("part").unwrap_or_default();
                put(self.part(&event, "content", "content_index"), part);
            }
            "response.reasoning_summary_part.added" | "response.reasoning_summary_part.done" => {
                let part = event.remove("part").unwrap_or_default();
                put(self.part(&event, "summary", "summary_index"), part);
            }
            _ => self.grow(kind, &event, delta.unwrap_or_default()),
        }
    }

    /// Adds a delta to the member it continues.
    fn grow(&mut self, kind: &str, event: &Map<String, Value>, delta: Value) {
        let (place, member) = match kind {
            "response.output_text.delta" | "response.reasoning_text.delta" => {
                (self.part(event, "content", "content_index"), "text")
            }
            "response.refusal.delta" => (self.part(event, "content", "content_index"), "refusal"),
            "response.reasoning_summary_text.delta" => (self.part(event, "summary", "summary_index"), "text"),
            "response.function_call_arguments.delta" | "response.mcp_call_arguments.delta" => {
                (self.item(event), "arguments")
            }
            "response.custom_tool_call_input.delta" => (self.item(event), "input"),
            "response.code_interpreter_call_code.delta" => (self.item(event), "code"),
            _ => return,
        };
        if let Some(members) = place.and_then(as_object) {
            grow_value(members.entry(member).or_insert(Value::Null), delta);
        }
    }

    fn item(&mut self, event: &Map<String, Value>) -> Option<&mut Value> {
        place(&mut self.output, event.get("output_index"))
    }

    fn part(&mut self, event: &Map<String, Value>, list: &str, index: &str) -> Option<&mut Value> {
        let item = as_object(self.item(event)?)?;
        let parts = item.entry(list).or_insert_with(|| json!([]));
        place(parts.as_array_mut()?, event.get(index))
    }

    fn finish(self) -> Option<Map<String, Value>> {
        if self.begun.is_none() && self.output.is_empty() && self.error.is_none() {
            return None;
        }
        let mut answer =
            self.begun.unwrap_or_else(|| Map::from_iter([("object".to_owned(), "response".into())]));
        answer.insert("status".to_owned(), if self.error.is_some() { "failed" } else { "incomplete" }.into());
        answer.insert("output".to_owned(), Value::Array(self.output));
        if let Some(error) = self.error {
            answer.insert("error".to_owned(), error);
        }
        Some(answer)
    }
}

/// The place an index names, made if it is not there yet.
fn place<'v>(list: &'v mut Vec<Value>, index: Option<&Value>) -> Option<&'v mut Value> {
    let index = usize::try_from(index.and_then(Value::as_u64).unwrap_or(0)).ok()?;
    if index >= PLACES_MAX {
        return None;
    }
    if index >= list.len() {
        list.resize(index + 1, Value::Null);
    }
    list.get_mut(index)
}

fn put(place: Option<&mut Value>, value: Value) {
    if let Some(place) = place {
        *place = value;
    }
}

fn as_object(value: &mut Value) -> Option<&mut Map<String, Value>> {
    if value.is_null() {
        *value = json!({});
    }
    value.as_object_mut()
}
