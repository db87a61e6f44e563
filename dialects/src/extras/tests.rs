//! What requests say beside the dialect: each place alone, and which of them wins.

use serde_json::json;

use super::*;

fn said(body: &Value, headers: &[(&str, &str)]) -> Result<Extras, ExtrasError> {
    let text = body.to_string();
    read(&Body::scan(text.as_bytes()).unwrap(), headers.iter().copied())
}

fn refusal(body: &Value, headers: &[(&str, &str)]) -> (String, &'static str, Option<String>) {
    let error = said(body, headers).unwrap_err();
    (error.to_string(), error.code(), error.param().map(str::to_owned))
}

fn in_weir(member: &str, value: Value) -> Value {
    let mut weir = Map::new();
    weir.insert(member.into(), value);
    json!({ "weir": weir })
}

#[test]
fn the_weir_object_says_everything() {
    let body = json!({"weir": {
        "user": "ann", "session": "s1", "tags": ["a", "b", "a"], "metadata": {"tier": "gold"},
        "cache": "off", "timeout_ms": 1500, "variables": {"x": 1}, "models": null,
    }});
    let extras = said(&body, &[]).unwrap();
    assert_eq!((extras.user.as_deref(), extras.session.as_deref()), (Some("ann"), Some("s1")));
    assert_eq!(extras.tags, ["a".into(), "b".into()]);
    assert_eq!(Value::Object(extras.metadata), json!({"tier": "gold"}));
    assert_eq!(extras.timeout, Some(Duration::from_millis(1500)));
    assert_eq!(extras.variables.map(Value::Object), Some(json!({"x": 1})));
}

#[test]
fn the_weir_headers_say_the_same() {
    let headers = [
        ("weir-user", " ann "),
        ("weir-session", "s1"),
        ("weir-tags", "a,,a"),
        ("weir-tags", " b, a"),
        ("weir-metadata", r#"{"tier":"gold"}"#),
        ("weir-cache", "off"),
        ("weir-timeout-ms", "1500"),
        ("content-type", "application/json"),
    ];
    let extras = said(&json!({}), &headers).unwrap();
    assert_eq!((extras.user.as_deref(), extras.session.as_deref()), (Some("ann"), Some("s1")));
    assert_eq!(extras.tags, ["a".into(), "b".into()]);
    assert_eq!(Value::Object(extras.metadata), json!({"tier": "gold"}));
    assert_eq!(extras.timeout, Some(Duration::from_millis(1500)));
}

#[test]
fn a_plain_request_says_nothing() {
    assert_eq!(said(&json!({"model": "gpt"}), &[("x-request-id", "7")]), Ok(Extras::default()));
}

#[test]
fn the_user_is_taken_from_the_first_place_that_names_one() {
    let everywhere = [("weir-user", "1"), ("helicone-user-id", "3")];
    let body = json!({"weir": {"user": "2"}, "safety_identifier": "4", "user": "5"});
    let user =
        |body: &Value, headers: &[(&str, &str)]| said(body, headers).unwrap().user.unwrap().into_string();
    assert_eq!(user(&body, &everywhere), "1");
    assert_eq!(user(&body, &everywhere[1..]), "2");
    let openai = json!({"safety_identifier": "4", "user": "5"});
    assert_eq!(user(&openai, &everywhere[1..]), "3");
    assert_eq!(user(&openai, &[]), "4");
    assert_eq!(user(&json!({"user": "5"}), &[]), "5");
}

#[test]
fn headers_of_other_gateways_are_read() {
    let headers = [
        ("helicone-session-id", "h1"),
        ("helicone-property-tier", "gold"),
        ("x-litellm-tags", "a,b"),
        ("x-portkey-metadata", r#"{"_user":"pat","env":"prod"}"#),
        ("cf-aig-metadata", r#"{"team":7,"env":"dev"}"#),
    ];
    let extras = said(&json!({}), &headers).unwrap();
    assert_eq!((extras.user.as_deref(), extras.session.as_deref()), (Some("pat"), Some("h1")));
    assert_eq!(extras.tags.len(), 2);
    let expected = json!({"tier": "gold", "_user": "pat", "env": "prod", "team": 7});
    assert_eq!(Value::Object(extras.metadata), expected);
    let traced = said(&json!({}), &[("x-portkey-trace-id", "t1")]).unwrap();
    assert_eq!(traced.session.as_deref(), Some("t1"));
}

#[test]
fn tags_and_metadata_add_up() {
    let body =
        json!({"weir": {"tags": ["b"], "metadata": {"a": 2, "b": 2}}, "metadata": {"a": "3", "c": "3"}});
    let extras = said(&body, &[("weir-tags", "a"), ("weir-metadata", r#"{"a":1}"#)]).unwrap();
    assert_eq!(extras.tags, ["a".into(), "b".into()]);
    assert_eq!(Value::Object(extras.metadata), json!({"a": 1, "b": 2, "c": "3"}));
}

#[test]
fn what_is_odd_about_openais_own_fields_is_left_to_the_provider() {
    let body = json!({"user": 7, "safety_identifier": ["x"], "metadata": "none"});
    assert_eq!(said(&body, &[]), Ok(Extras::default()));
}

#[test]
fn unknown_fields_of_the_weir_object_are_refused_by_name() {
    let body = json!({"weir": {"user": "ann", "sesion": "s", "ta\"gs": []}});
    let (message, code, param) = refusal(&body, &[]);
    assert_eq!(message, r#"the `weir` object holds unknown fields: `sesion`, `ta\"gs`"#);
    assert_eq!((code, param.as_deref()), ("invalid_request", Some("weir")));
}

#[test]
fn what_is_not_built_is_refused_and_not_passed_over() {
    let cases = [
        (in_weir("cache", json!("refresh")), "weir.cache"),
        (in_weir("models", json!(["a"])), "weir.models"),
    ];
    for (body, field) in cases {
        let (message, code, param) = refusal(&body, &[]);
        assert_eq!(message, format!("`{field}` is not supported yet: leave it out"));
        assert_eq!((code, param.as_deref()), ("not_supported", Some(field)));
    }
    assert_eq!(refusal(&json!({}), &[("weir-cache", "refresh")]).1, "not_supported");
}

#[test]
fn wrong_types_are_refused_by_name() {
    let cases = [
        (json!({"weir": "ann"}), "`weir` must be an object"),
        (in_weir("user", json!(7)), "`weir.user` must be a string"),
        (in_weir("tags", json!("a")), "`weir.tags` must be a list of texts"),
        (in_weir("tags", json!([1])), "`weir.tags` must be a list of texts"),
        (in_weir("metadata", json!([])), "`weir.metadata` must be an object"),
        (in_weir("timeout_ms", json!(0)), "`weir.timeout_ms` must be a whole number of milliseconds above 0"),
        (
            in_weir("timeout_ms", json!("1s")),
            "`weir.timeout_ms` must be a whole number of milliseconds above 0",
        ),
        (in_weir("variables", json!([])), "`weir.variables` must be an object"),
        (in_weir("user", json!("x".repeat(257))), "`weir.user` must be at most 256 bytes long"),
    ];
    for (body, message) in cases {
        assert_eq!(refusal(&body, &[]).0, message);
    }
    assert!(refusal(&json!({}), &[("weir-timeout-ms", "soon")]).0.contains("weir-timeout-ms"));
    assert!(refusal(&json!({}), &[("weir-metadata", "tier=gold")]).0.contains("must hold a JSON object"));
}

#[test]
fn too_many_or_too_long_tags_are_refused() {
    let many: Vec<String> = (0..65).map(|number| number.to_string()).collect();
    assert_eq!(refusal(&in_weir("tags", json!(many)), &[]).0, "`tags` must be at most 64 tags");
    let long = in_weir("tags", json!(["x".repeat(129)]));
    assert_eq!(refusal(&long, &[]).0, "`weir.tags` must be tags of at most 128 bytes");
}

#[test]
fn the_weir_object_is_cut_and_openais_fields_stay() {
    let text = r#"{"user":"ann","weir":{"tags":[]},"metadata":{}}"#;
    let body = Body::scan(text.as_bytes()).unwrap();
    let mut edit = Edit::new();
    cut(&body, &mut edit);
    assert_eq!(edit.write(&body), br#"{"user":"ann","metadata":{}}"#);
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(members) = value else { panic!("no object") };
    members
}

#[test]
fn a_record_keeps_variables_and_metadata_whole_when_they_are_small() {
    let (variables, metadata) = for_record(&object(json!({"a": 1})), &Map::new());
    assert_eq!((variables.as_deref(), metadata.as_deref()), (Some(r#"{"a":1}"#), None));
}

#[test]
fn a_record_keeps_the_size_of_what_does_not_fit() {
    let metadata = object(json!({"tier": "gold"}));
    let variables = object(json!({"big": "x".repeat(RECORD_BYTES), "small": true}));
    let (variables, metadata) = for_record(&variables, &metadata);
    assert_eq!(metadata.as_deref(), Some(r#"{"tier":"gold"}"#));
    assert_eq!(variables.as_deref(), Some(r#"{"big":"[left out: 16386 bytes]","small":true}"#));
}

#[test]
fn a_record_never_grows_past_its_limit() {
    let many: Map<String, Value> =
        (0..5_000).map(|number| (format!("key{number}"), json!("value"))).collect();
    let (variables, metadata) = for_record(&many, &many);
    let bytes = variables.map_or(0, |kept| kept.len()) + metadata.as_ref().unwrap().len();
    assert!((RECORD_BYTES - 64..=RECORD_BYTES).contains(&bytes), "{bytes}");
    assert!(serde_json::from_str::<Value>(&metadata.unwrap()).is_ok());
}
