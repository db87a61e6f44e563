//! Examples are read strictly and judged by what renders.

use serde_json::json;

use super::*;

fn template(content: Value) -> Template {
    Template::compile(&serde_json::from_value(content).unwrap()).unwrap()
}

fn failures(expect: &Value) -> Vec<String> {
    let template = template(json!({"messages": [
        {"role": "system", "content": "Answer in {{language}}."},
        {"placeholder": "history"},
        {"role": "user", "content": [{"type": "text", "text": "{{question}}"}]},
    ]}));
    let example = json!({"variables": {"language": "German", "question": "How much?"}, "expect": expect});
    Example::read(&example).unwrap().judge(&template)
}

#[test]
fn a_rendering_is_held_to_all_that_is_expected() {
    for met in [
        json!({}),
        json!({"contains": "German"}),
        json!({"contains": ["German", "much"], "matches": ["(?i)^answer", "\\?$"], "max_tokens": 8}),
        json!({"equals": "Answer in German.\n\nHow much?"}),
    ] {
        assert_eq!(failures(&met), [""; 0], "{met}");
    }
}

#[test]
fn every_expectation_that_is_not_met_is_told() {
    let told =
        failures(&json!({"contains": ["French", "much"], "equals": "x", "matches": "^x", "max_tokens": 1}));
    assert_eq!(
        told,
        [
            "does not contain \"French\": it says \"Answer in German.\\n\\nHow much?\"",
            "is not \"x\": it says \"Answer in German.\\n\\nHow much?\"",
            "does not match /^x/: it says \"Answer in German.\\n\\nHow much?\"",
            "takes about 7 tokens: at most 1 were expected",
        ]
    );
}

#[test]
fn variables_that_do_not_fit_fail_the_example() {
    let example = Example::read(&json!({"expect": {"contains": "x"}})).unwrap();
    let told = example.judge(&template(json!({"text": "{{a}}"})));
    assert_eq!(told, ["missing required variables: a; send them in `variables`"]);
}

#[test]
fn examples_are_read_strictly() {
    for (wrong, why) in [
        (json!(7), "examples[1]: an example is an object"),
        (json!({"colour": "red"}), "unknown field `colour`"),
        (json!({"expect": {"starts_with": "x"}}), "unknown field `starts_with`"),
        (json!({"expect": {"matches": "("}}), "`matches` has a pattern that is none"),
        (json!({"expect": {"matches": "(a{1000}){1000}"}}), "`matches` has a pattern that is none"),
        (json!({"variables": ["x"]}), "invalid type"),
    ] {
        let told = read(&[json!({}), wrong]).unwrap_err();
        assert!(told.contains(why), "{told}");
    }
    assert!(read(&vec![json!({}); 1_001]).is_err());
}

#[test]
fn declarations_give_examples_too() {
    let content = json!({"text": "{{a}}{{b}}", "variables": {"a": {"example": 1}, "b": {"example": null}, "c": {"default": 1}}});
    let given = declared(&serde_json::from_value(content).unwrap());
    assert_eq!(Value::Object(given), json!({"a": 1, "b": null}));
}
