//! The table of what is major, minor and patch.

use serde_json::json;

use super::*;
use crate::template::Template;

fn assess(old: Value, new: Value) -> Assessment {
    let content = |json| serde_json::from_value::<Content>(json).unwrap();
    let (old, new) = (content(old), content(new));
    let interface = |content: &Content| {
        let template = Template::compile(content).unwrap();
        Interface::of(content, template.variables())
    };
    Assessment::between((&old, &interface(&old)), (&new, &interface(&new)))
}

/// A chat prompt with one message, and whatever else is given.
fn with(rest: Value) -> Value {
    let mut content = json!({"messages": [{"role": "user", "content": "hello"}]});
    let (Value::Object(content_fields), Value::Object(rest)) = (&mut content, rest) else { unreachable!() };
    content_fields.extend(rest);
    content
}

fn tool(name: &str, description: &str) -> Value {
    json!({"type": "function", "function": {"name": name, "description": description}})
}

#[test]
fn what_breaks_callers_is_major() {
    let declared = |variable| with(json!({"variables": {"x": variable}}));
    let place = with(json!({"messages": [{"placeholder": "history"}]}));
    let cases = [
        (declared(json!({})), with(json!({})), "variable `x` removed"),
        (with(json!({})), declared(json!({})), "required variable `x` added"),
        (declared(json!({"required": false})), declared(json!({})), "variable `x` became required"),
        (declared(json!({"default": 1})), declared(json!({})), "variable `x` became required"),
        (
            declared(json!({"type": "string"})),
            declared(json!({"type": "number"})),
            "variable `x` changed its type",
        ),
        (place, with(json!({"messages": []})), "placeholder `history` removed"),
        (with(json!({"tools": [tool("t", "a")]})), with(json!({})), "tool `t` removed"),
        (
            with(json!({"tools": [tool("t", "a")]})),
            with(json!({"tools": [tool("t", "b")]})),
            "tool `t` changed",
        ),
        (
            with(json!({})),
            with(json!({"response_format": {"type": "json_object"}})),
            "response format changed",
        ),
        (with(json!({})), with(json!({"locked": ["temperature"]})), "`temperature` locked"),
    ];
    for (old, new, reason) in cases {
        let assessment = assess(old, new);
        assert_eq!(assessment.impact, Impact::Major, "{reason}");
        assert_eq!(assessment.reasons[0].reason, reason);
    }
}

#[test]
fn what_adds_or_tunes_is_minor() {
    let message = json!({"role": "user", "content": "hello"});
    let cases = [
        (
            with(json!({})),
            with(json!({"variables": {"x": {"required": false}}})),
            "optional variable `x` added",
        ),
        (with(json!({})), with(json!({"messages": [message, message]})), "user message added"),
        (
            with(json!({})),
            with(json!({"messages": [message, {"placeholder": "p"}]})),
            "placeholder `p` added",
        ),
        (with(json!({})), with(json!({"tools": [tool("t", "a")]})), "tool `t` added"),
        (
            with(json!({"tools": [tool("t", "a")]})),
            with(json!({"tools": [tool("s", ""), tool("t", "a")]})),
            "tool `s` added",
        ),
        (with(json!({"model": "a"})), with(json!({"model": "b"})), "model changed"),
        (with(json!({})), with(json!({"parameters": {"temperature": 0}})), "parameters changed"),
        (with(json!({})), with(json!({"tool_choice": "auto"})), "parameters changed"),
        (with(json!({})), with(json!({"engine": "jinja"})), "engine changed"),
    ];
    for (old, new, reason) in cases {
        let assessment = assess(old, new);
        assert_eq!((assessment.impact, &*assessment.reasons[0].reason), (Impact::Minor, reason));
    }
}

#[test]
fn the_rest_is_patch() {
    let said = |text| with(json!({"messages": [{"role": "user", "content": text}]}));
    let two = json!([{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]);
    let cases = [
        (said("hello"), said("good day"), "wording changed"),
        (json!({"text": "a"}), json!({"text": "b"}), "wording changed"),
        (with(json!({"messages": two})), said("a"), "user message removed"),
        (with(json!({"locked": ["model"]})), with(json!({})), "`model` unlocked"),
        (
            with(json!({"variables": {"x": {}}})),
            with(json!({"variables": {"x": {"required": false}}})),
            "variable `x` became optional",
        ),
        (
            with(json!({"variables": {"x": {"default": 1}}})),
            with(json!({"variables": {"x": {"default": 2}}})),
            "descriptions or defaults of variables changed",
        ),
    ];
    for (old, new, reason) in cases {
        let assessment = assess(old, new);
        assert_eq!((assessment.impact, &*assessment.reasons[0].reason), (Impact::Patch, reason));
    }
}

#[test]
fn the_strongest_reason_comes_first_and_decides() {
    let old = with(json!({"model": "a", "variables": {"x": {}}}));
    let assessment = assess(old, with(json!({"model": "b"})));
    let found: Vec<_> = assessment.reasons.iter().map(|reason| reason.impact).collect();
    assert_eq!(found, [Impact::Major, Impact::Minor]);
    assert_eq!(assessment.impact, Impact::Major);
}

#[test]
fn an_author_may_raise_an_impact() {
    let assessment = assess(with(json!({})), with(json!({"model": "b"})));
    let raised = assessment.clone().raised_to(Impact::Major);
    assert_eq!((raised.impact, &*raised.reasons[0].reason), (Impact::Major, "the author says so"));
    assert_eq!(assessment.clone().raised_to(Impact::Minor), assessment);
}
