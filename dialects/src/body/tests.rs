//! Scanning finds every member; editing changes what was asked and no other byte.

use proptest::prelude::*;

use super::*;

fn scanned(text: &str) -> Body<'_> {
    Body::scan(text.as_bytes()).unwrap()
}

fn refused(bytes: &[u8]) -> BodyError {
    Body::scan(bytes).unwrap_err()
}

fn edited<'e>(text: &str, change: impl FnOnce(&mut Edit<'e>)) -> String {
    let mut edit = Edit::new();
    change(&mut edit);
    String::from_utf8(edit.write(&scanned(text))).unwrap()
}

#[test]
fn members_are_read_in_order_with_escapes_resolved() {
    let body = scanned(r#"{"a":1,"\u006dodel":"x\ny","b":[1, 2],"a":null}"#);
    let members: Vec<_> = body.members().map(|(key, raw)| (key.to_owned(), raw.get())).collect();
    let expected = [("a", "1"), ("model", r#""x\ny""#), ("b", "[1, 2]"), ("a", "null")];
    assert_eq!(members, expected.map(|(key, json)| (key.to_owned(), json)));
    assert_eq!(body.text("model").unwrap().as_deref(), Some("x\ny"));
}

#[test]
fn the_last_of_two_members_counts_and_null_counts_as_absent() {
    let body = scanned(r#"{"model":"a","model":"b","stream":true,"stream":null}"#);
    assert_eq!(body.text("model").unwrap().as_deref(), Some("b"));
    assert_eq!(body.flag("stream"), Ok(None));
    assert!(body.get("nothing").is_none());
}

#[test]
fn a_string_without_escapes_is_borrowed() {
    let body = scanned(r#"{"model":"gpt"}"#);
    assert!(matches!(body.text("model"), Ok(Some(Cow::Borrowed("gpt")))));
}

#[test]
fn a_member_of_another_type_is_refused_by_name() {
    let body = scanned(r#"{"model":7,"stream":"yes"}"#);
    let model = body.text("model").unwrap_err();
    assert_eq!((model.to_string().as_str(), model.param()), ("`model` must be a string", Some("model")));
    assert_eq!(body.flag("stream").unwrap_err().to_string(), "`stream` must be true or false");
}

#[test]
fn what_is_no_json_object_is_refused_with_its_place() {
    assert_eq!(refused(b" \n"), BodyError::Empty);
    for other in ["[1]", "7", "null", r#""text""#] {
        assert_eq!(refused(other.as_bytes()), BodyError::NotAnObject, "{other}");
    }
    let broken = refused(b"{\"a\": 1,\n \"b\" 2}");
    assert_eq!(broken.to_string(), "the request body is not valid JSON: expected `:` at line 2, column 6");
    for bad in [r#"{"a":1}x"#, r#"{"a":1"#, r#"{"a":01}"#, r"{a:1}", r#"{"a":"\q"}"#, "{\"a\":\"\u{1}\"}"] {
        assert!(matches!(refused(bad.as_bytes()), BodyError::NotJson { .. }), "{bad}");
    }
}

#[test]
fn a_byte_that_is_not_utf_8_is_refused_with_its_place() {
    let refusal = refused(b"{\"a\":1,\n\"b\":\"\xff\"}").to_string();
    assert!(refusal.ends_with("a byte that is not UTF-8 at line 2, column 6"), "{refusal}");
    assert!(refused(b"\xff").to_string().ends_with("line 1, column 1"));
}

#[test]
fn deep_nesting_is_scanned_but_not_built() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let text = format!(r#"{{"deep":{}1{}}}"#, open.repeat(100_000), close.repeat(100_000));
        let body = scanned(&text);
        assert_eq!(body.value("deep"), Err(BodyError::TooDeep { key: "deep".into() }));
        assert_eq!(Edit::new().write(&body), text.as_bytes());
    }
    assert!(matches!(refused("[".repeat(100_000).as_bytes()), BodyError::NotAnObject));
    let unclosed = format!(r#"{{"deep":{}"#, "[".repeat(100_000));
    assert!(matches!(refused(unclosed.as_bytes()), BodyError::NotJson { .. }));
}

#[test]
fn a_value_is_replaced_where_it_stands_and_all_else_stays() {
    let text = r#" { "model" : "a", "temperature":1e-7 ,"seed":123456789012345678901234567890 } "#;
    let expected = r#" { "model" : "b", "temperature":1e-7 ,"seed":123456789012345678901234567890 } "#;
    assert_eq!(edited(text, |edit| edit.set("model", r#""b""#)), expected);
}

#[test]
fn a_removed_member_takes_one_comma_with_it() {
    let cases =
        [("a", r#"{ "b": 2, "c": 3 }"#), ("b", r#"{ "a": 1, "c": 3 }"#), ("c", r#"{ "a": 1, "b": 2 }"#)];
    for (key, expected) in cases {
        assert_eq!(edited(r#"{ "a": 1, "b": 2, "c": 3 }"#, |edit| edit.remove(key)), expected);
    }
    assert_eq!(edited(r#"{ "a": 1 }"#, |edit| edit.remove("a")), "{ }");
}

#[test]
fn a_new_member_is_appended() {
    assert_eq!(edited(r#"{"a":1 }"#, |edit| edit.set("b\"", "[2]")), r#"{"a":1,"b\"":[2] }"#);
    assert_eq!(edited("{ }", |edit| edit.set("b", "2")), r#"{"b":2 }"#);
    let replaced = edited(r#"{"a":1}"#, |edit| {
        edit.remove("a");
        edit.set("b", "2");
    });
    assert_eq!(replaced, r#"{"b":2}"#);
}

#[test]
fn every_occurrence_of_a_key_is_changed() {
    let text = r#"{"a":1,"b":2,"\u0061":3}"#;
    assert_eq!(edited(text, |edit| edit.set("a", "9")), r#"{"a":9,"b":2,"\u0061":9}"#);
    assert_eq!(edited(text, |edit| edit.remove("a")), r#"{"b":2}"#);
}

#[test]
fn the_later_change_of_a_key_counts() {
    let out = edited(r#"{"prompt":{"id":"x"},"b":1}"#, |edit| {
        edit.remove("prompt");
        edit.set("prompt", r#""text""#);
        edit.set("b", "2");
        edit.remove("b");
    });
    assert_eq!(out, r#"{"prompt":"text"}"#);
}

fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("1e-7".to_owned()),
        Just("-0.0".to_owned()),
        Just("98765432109876543210".to_owned()),
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
        Just(r#""\u00e9\/""#.to_owned()),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(" , "))),
            prop::collection::vec(inner, 0..3).prop_map(|items| {
                let members: Vec<_> = items.iter().map(|json| format!("\"k\" :{json}")).collect();
                format!("{{ {} }}", members.join(","))
            }),
        ]
    })
}

fn any_blank() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", " ", "\n\t", "  "])
}

/// Members of few keys, so that duplicates and edited keys are common, with any blanks between them.
fn any_members() -> impl Strategy<Value = Vec<(String, String)>> {
    let key = prop::sample::select(vec![r#""a""#, r#""b""#, r#""\u0061""#, r#""key, \" with marks:""#]);
    let member = (any_blank(), key, any_blank(), any_blank(), any_json(), any_blank());
    let member = member.prop_map(|(before, key, after_key, before_json, json, after)| {
        (format!("{before}{key}{after_key}:{before_json}{json}{after}"), key.to_owned())
    });
    prop::collection::vec(member, 0..6)
}

fn object(members: &[(String, String)]) -> String {
    let members: Vec<_> = members.iter().map(|(member, _)| member.as_str()).collect();
    format!(" {{{}}}\n", members.join(","))
}

/// The members as an edit must leave them: key and exact JSON text.
fn listed(text: &str) -> Vec<(String, String)> {
    scanned(text).members().map(|(key, raw)| (key.to_owned(), raw.get().to_owned())).collect()
}

proptest! {
    #[test]
    fn writing_without_changes_gives_the_same_bytes(members in any_members()) {
        let text = object(&members);
        prop_assert_eq!(edited(&text, |_| ()), text);
    }

    #[test]
    fn an_edit_changes_its_own_keys_only(members in any_members(), json in any_json(), removes in any::<bool>()) {
        let text = object(&members);
        let changed = edited(&text, |edit| if removes { edit.remove("a") } else { edit.set("a", &*json) });
        let mut expected = listed(&text);
        if removes {
            expected.retain(|(key, _)| key != "a");
        } else if expected.iter().any(|(key, _)| key == "a") {
            expected.iter_mut().filter(|(key, _)| key == "a").for_each(|(_, old)| old.clone_from(&json));
        } else {
            expected.push(("a".into(), json));
        }
        prop_assert_eq!(listed(&changed), expected);
    }

    #[test]
    fn a_written_body_scans_and_writes_the_same_again(members in any_members(), json in any_json()) {
        let once = edited(&object(&members), |edit| edit.set("b", &*json));
        prop_assert_eq!(&edited(&once, |edit| edit.set("b", &*json)), &once);
    }

    #[test]
    fn any_bytes_are_scanned_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(body) = Body::scan(&bytes) {
            prop_assert_eq!(Edit::new().write(&body), bytes);
        }
    }
}
