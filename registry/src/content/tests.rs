//! How contents are read and refused.

use serde_json::json;

use super::*;

fn read(content: Value) -> Result<Content, String> {
    serde_json::from_value(content).map_err(|error| error.to_string())
}

fn refusal(content: Value) -> String {
    read(content).unwrap_err()
}

#[test]
fn a_whole_content_survives_the_round_trip() {
    let content = json!({
        "messages": [
            {"role": "system", "content": "Be kind"},
            {"placeholder": "history"},
            {"include": "snippets/tone@3", "role": "system"},
            {"role": "assistant", "content": null, "tool_calls": [{"id": "1"}], "name": "a"},
            {"role": "user", "content": [{"type": "text", "text": "hi"}]},
        ],
        "engine": "jinja",
        "variables": {"b": {"type": "integer", "default": null}, "a": {"required": false}},
        "model": "openai/gpt-4o", "fallbacks": ["x"], "parameters": {"temperature": 0.5},
        "tools": [{"type": "function"}], "tool_choice": "auto", "response_format": {"type": "text"}, "locked": ["model"],
    });
    let read = read(content.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), content);
    assert_eq!(crate::template::references(&read), ["snippets/tone@3"]);
    assert_eq!(read.placeholders().collect::<Vec<_>>(), ["history"]);
}

#[test]
fn a_default_of_null_makes_a_variable_optional() {
    let content = read(json!({"text": "", "variables": {"a": {"default": null}, "b": {}}})).unwrap();
    assert!(!content.variables["a"].is_required());
    assert!(content.variables["b"].is_required());
    assert_eq!(content.variables["a"].default, Some(Value::Null));
}

#[test]
fn unknown_fields_are_refused_by_name() {
    assert!(refusal(json!({"text": "a", "modle": "x"})).contains("unknown field `modle`"));
    assert!(
        refusal(json!({"text": "a", "variables": {"n": {"typ": "string"}}}))
            .starts_with("variables.n: unknown field `typ`")
    );
    let extra = json!({"messages": [{"placeholder": "history", "role": "user"}]});
    assert_eq!(refusal(extra), "messages[0]: a placeholder has no field `role`: remove it");
}

#[test]
fn exactly_one_of_messages_and_text_is_wanted() {
    assert!(refusal(json!({"messages": [], "text": ""})).contains("not both"));
    assert!(refusal(json!({"model": "x"})).contains("needs `messages` (a chat prompt) or `text`"));
}

#[test]
fn refusals_name_the_message_they_are_about() {
    let cases = [
        (json!("hi"), "must be an object"),
        (json!({"content": "hi"}), "needs a `role`"),
        (json!({"role": "boss", "content": "hi"}), "not \"boss\""),
        (json!({"role": "user"}), "needs `content`"),
        (json!({"role": "user", "contnet": "hi"}), "needs `content`"),
        (json!({"role": "user", "content": 7}), "must be a text or a list"),
        (
            json!({"role": "user", "content": [{"text": "x"}]}),
            "content[0]: a content part is an object with a `type`",
        ),
        (json!({"placeholder": ""}), "`placeholder` must be a text that is not empty"),
        (json!({"include": 3}), "`include` must be a text that is not empty"),
    ];
    for (item, expected) in cases {
        let fine = json!({"role": "user", "content": "fine"});
        let message = refusal(json!({"messages": [fine, item]}));
        assert!(message.starts_with("messages[1]: ") && message.contains(expected), "{message}");
    }
}
