//! The four ways of naming a prompt: each alone, together, and at odds.

use serde_json::json;

use super::*;

fn named(body: &Value) -> Result<Option<Naming>, NamingError> {
    with_headers(body, None, None)
}

fn with_headers(
    body: &Value,
    reference: Option<&str>,
    variables: Option<&str>,
) -> Result<Option<Naming>, NamingError> {
    let text = body.to_string();
    read(&Body::scan(text.as_bytes()).unwrap(), None, reference, variables)
}

/// The reference a body names, as text.
fn reference(body: &Value) -> String {
    named(body).unwrap().unwrap().reference.to_string()
}

fn refusal(body: &Value) -> String {
    named(body).unwrap_err().to_string()
}

fn cut_of(body: &Value) -> Value {
    let text = body.to_string();
    let body = Body::scan(text.as_bytes()).unwrap();
    let mut edit = Edit::new();
    cut(&body, &mut edit);
    serde_json::from_slice(&edit.write(&body)).unwrap()
}

#[test]
fn each_of_the_four_ways_names_a_prompt() {
    assert_eq!(reference(&json!({"prompt": {"id": "support/reply"}})), "support/reply");
    assert_eq!(reference(&json!({"prompt": {"prompt_id": "support/reply@7"}})), "support/reply@7");
    assert_eq!(reference(&json!({"model": "prompt:support/reply@production"})), "support/reply@production");
    assert_eq!(
        reference(&json!({"prompt_id": "support/reply", "prompt_version": "1.2.0"})),
        "support/reply@1.2.0"
    );
    let by_header = with_headers(&json!({"model": "gpt"}), Some(" support/reply@staging "), None);
    assert_eq!(by_header.unwrap().unwrap().reference.to_string(), "support/reply@staging");
}

#[test]
fn a_request_without_a_prompt_names_none() {
    for body in [
        json!({"model": "gpt", "messages": []}),
        json!({"model": "gpt", "prompt": "once upon a time"}),
        json!({"model": "gpt", "prompt": [1, 2]}),
        json!({"prompt": null, "prompt_id": null, "model": null}),
    ] {
        assert_eq!(named(&body), Ok(None), "{body}");
    }
}

#[test]
fn a_version_may_be_a_number_or_any_selector() {
    for (version, selector) in [
        (json!(7), "7"),
        (json!("7"), "7"),
        (json!("production"), "production"),
        (json!("latest"), "latest"),
        (json!("1.2.0"), "1.2.0"),
        (json!("sha256:0a1b2c"), "sha256:0a1b2c"),
    ] {
        let body = json!({"prompt": {"id": "pmpt_68ab", "version": version}});
        assert_eq!(reference(&body), format!("pmpt_68ab@{selector}"));
    }
    assert_eq!(reference(&json!({"prompt": {"id": "a", "version": null}})), "a");
}

#[test]
fn a_version_that_is_none_is_refused() {
    for version in [json!(0), json!(1.5), json!(-1), json!(true), json!({}), json!(""), json!("Prod")] {
        let body = json!({"prompt": {"id": "a", "version": version}});
        assert_eq!(named(&body).unwrap_err().param(), Some("prompt.version"), "{body}");
    }
}

#[test]
fn equal_references_are_fine() {
    let body = json!({"prompt": {"id": "a@7", "version": 7}, "model": "prompt:a@7", "prompt_id": "a", "prompt_version": "7"});
    assert_eq!(reference(&body), "a@7");
}

#[test]
fn no_selector_and_production_are_the_same() {
    assert_eq!(reference(&json!({"prompt": {"id": "a"}, "model": "prompt:a@production"})), "a@production");
}

#[test]
fn unequal_references_are_refused_with_both_places() {
    let cases = [
        (json!({"prompt": {"id": "a@7", "version": "8"}}), "`prompt.id` and `prompt.version`"),
        (json!({"prompt": {"id": "a", "prompt_id": "b"}}), "`prompt.id` and `prompt.prompt_id`"),
        (json!({"prompt": {"id": "a"}, "model": "prompt:b"}), "`prompt.id` and `model`"),
        (json!({"prompt": {"id": "a"}, "model": "prompt:a@7"}), "`prompt.id` and `model`"),
        (json!({"model": "prompt:a@7", "prompt_version": 8}), "`model` and `prompt_version`"),
        (json!({"prompt_id": "a@7", "prompt_version": 8}), "`prompt_id` and `prompt_version`"),
    ];
    for (body, places) in cases {
        let expected = format!("{places} name different prompts or versions: name one, or the same in both");
        assert_eq!(refusal(&body), expected);
    }
    let by_header = with_headers(&json!({"prompt_id": "a"}), Some("b"), None).unwrap_err();
    assert_eq!(by_header.param(), Some("weir-prompt"));
}

#[test]
fn a_version_beside_no_name_of_its_own_belongs_to_the_one_that_is_named() {
    assert_eq!(reference(&json!({"model": "prompt:a", "prompt_version": 7})), "a@7");
    assert_eq!(reference(&json!({"prompt": {"version": 7}, "prompt_id": "a"})), "a@7");
}

#[test]
fn a_bad_name_is_refused_with_its_place() {
    let error = named(&json!({"model": "prompt:a//b"})).unwrap_err();
    assert_eq!(error.param(), Some("model"));
    assert!(error.to_string().starts_with("`model`: prompt name `a//b` has an empty segment"), "{error}");
    assert!(
        refusal(&json!({"prompt": {"id": ""}})).starts_with("`prompt.id`: a prompt name has 1 to 255 bytes")
    );
    assert_eq!(refusal(&json!({"prompt": {"id": 7}})), "`prompt.id` must be a string");
}

#[test]
fn a_member_of_the_prompt_object_nobody_knows_is_refused() {
    let error = named(&json!({"prompt": {"id": "a", "variable": {}}})).unwrap_err();
    assert_eq!(error.param(), Some("prompt.variable"));
}

#[test]
fn what_speaks_of_a_prompt_and_names_none_is_refused() {
    let cases = [
        (json!({"prompt": {}}), "`prompt` is set, but no prompt is named: add `prompt.id`"),
        (json!({"prompt": {"variables": {}}}), "`prompt` is set, but no prompt is named: add `prompt.id`"),
        (json!({"prompt_version": 7}), "`prompt_version` is set, but no prompt is named: add `prompt_id`"),
        (
            json!({"prompt_variables": {}}),
            "`prompt_variables` is set, but no prompt is named: add `prompt_id`",
        ),
    ];
    for (body, message) in cases {
        assert_eq!(refusal(&body), message);
    }
}

#[test]
fn variables_merge_and_the_first_place_wins() {
    let body = json!({
        "prompt": {"id": "a", "variables": {"v": "object", "part": {"type": "input_text", "text": "x"}}},
        "prompt_variables": {"v": "field", "w": "field"},
    })
    .to_string();
    let Value::Object(weir) = json!({"w": "weir", "x": "weir"}) else { panic!() };
    let header = r#"{"x": "header", "y": "gr\u00fc\u00df"}"#;
    let naming =
        read(&Body::scan(body.as_bytes()).unwrap(), Some(&weir), None, Some(header)).unwrap().unwrap();
    let expected = json!({
        "v": "object",
        "part": {"type": "input_text", "text": "x"},
        "w": "field",
        "x": "weir",
        "y": "grüß",
    });
    assert_eq!(Value::Object(naming.variables), expected);
}

#[test]
fn header_variables_are_json_or_base64() {
    // {"city":"Zürich?>"} in standard and in URL-safe base64, with and without padding.
    for text in [r#"{"city":"Z\u00fcrich?>"}"#, "eyJjaXR5IjoiWsO8cmljaD8+In0=", "eyJjaXR5IjoiWsO8cmljaD8-In0"]
    {
        let naming = with_headers(&json!({}), Some("a"), Some(text)).unwrap().unwrap();
        assert_eq!(naming.variables["city"], "Zürich?>", "{text}");
    }
}

#[test]
fn header_variables_that_cannot_be_read_are_refused() {
    let refused = |text: &str| with_headers(&json!({}), Some("a"), Some(text)).unwrap_err();
    for text in ["", "[1]", "{", "bm90IGpzb24=", "***"] {
        assert!(refused(text).to_string().contains("must hold a JSON object"), "{text}");
    }
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(8 * 1024));
    assert!(refused(&long).to_string().contains("longer than 8192 bytes"));
    assert_eq!(refused(&long).param(), Some("weir-prompt-variables"));
}

#[test]
fn variables_of_another_type_are_refused_by_name() {
    assert_eq!(
        refusal(&json!({"prompt": {"id": "a", "variables": []}})),
        "`prompt.variables` must be an object"
    );
    assert_eq!(
        refusal(&json!({"prompt_id": "a", "prompt_variables": "x"})),
        "`prompt_variables` must be an object"
    );
}

#[test]
fn the_echo_spells_the_first_reference_as_it_was_sent() {
    let echo = |body: &Value| named(body).unwrap().unwrap().echo_id;
    assert_eq!(echo(&json!({"prompt": {"id": "a@production", "version": "production"}})), "a@production");
    assert_eq!(echo(&json!({"model": "prompt:a@7", "prompt_id": "a@7"})), "a@7");
}

#[test]
fn what_named_the_prompt_is_cut_and_a_text_prompt_stays() {
    let body =
        json!({"prompt": {"id": "a"}, "prompt_id": "a", "x": 1, "prompt_version": 7, "prompt_variables": {}});
    assert_eq!(cut_of(&body), json!({"x": 1}));
    let text = json!({"prompt": "once", "prompt_id": "a", "model": "gpt"});
    assert_eq!(cut_of(&text), json!({"prompt": "once", "model": "gpt"}));
    let untouched = json!({"model": "gpt", "messages": []});
    assert_eq!(cut_of(&untouched), untouched);
}
