//! What is redacted wherever it stands, and what is left alone.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn rules(known: &[Known]) -> Redaction {
    Redaction::new(known.iter().map(|known| Rule::Known(*known)).collect())
}

fn all() -> Redaction {
    rules(&[
        Known::Phone,
        Known::Ip,
        Known::Ssn,
        Known::Card,
        Known::Iban,
        Known::Email,
        Known::ApiKey,
        Known::Bearer,
    ])
}

fn own(pattern: &str, with: &str) -> Redaction {
    Redaction::new(vec![Rule::Own { pattern: Regex::new(pattern).unwrap(), with: with.into() }])
}

fn json_of(redaction: &Redaction, body: &str) -> String {
    String::from_utf8(redaction.json(Cow::Borrowed(body.as_bytes())).into_owned()).unwrap()
}

#[test]
fn without_rules_nothing_is_even_looked_at() {
    let none = Redaction::default();
    assert!(none.is_empty());
    assert!(matches!(none.json(Cow::Borrowed(b"joe@example.com")), Cow::Borrowed(_)));
    assert!(matches!(none.text("joe@example.com"), Cow::Borrowed(_)));
}

#[test]
fn a_body_without_anything_to_replace_is_the_same_bytes() {
    let body =
        r#"{ "model":"gpt-4.1", "messages":[{"role":"user","content":"Caf\u00e9 \"\ud83d\ude00\" 12"}] }"#;
    assert!(matches!(all().json(Cow::Borrowed(body.as_bytes())), Cow::Borrowed(_)));
}

#[test]
fn escapes_hide_nothing_and_the_rest_stays_as_it_was_written() {
    for (body, wanted) in [
        (r#"{"a":"joe\u0040example.com","b": 1.50}"#, r#"{"a":"[email]","b": 1.50}"#),
        (r#"{"a":"\u006a\u006F\u0065@example\u002ecom"}"#, r#"{"a":"[email]"}"#),
        (r#"{"a":"x\njoe@example.com\n\"y\""}"#, r#"{"a":"x\n[email]\n\"y\""}"#),
        (r#"{"a":"http:\/\/h\/?m=joe%40example.com"}"#, r#"{"a":"http://h/?m=[email]"}"#),
        (r#"{"a":"4111\u00a01111\u00a01111\u00a01111 \ud83d\ude00"}"#, r#"{"a":"[card] 😀"}"#),
        (r#"{"a":"half \ud83d joe@example.com"}"#, "{\"a\":\"half \u{fffd} [email]\"}"),
        (
            r#"{"a":["joe@example.com","b@c.de"],"d":{"e":"b@c.de"}}"#,
            r#"{"a":["[email]","[email]"],"d":{"e":"[email]"}}"#,
        ),
    ] {
        assert_eq!(json_of(&all(), body), wanted, "{body}");
    }
}

#[test]
fn keys_stay_and_whole_numbers_become_texts() {
    let body = r#"{"joe@example.com":"a@b.de","card":4111111111111111,"time":1700000000,"cost":0.25,"n":-3}"#;
    let wanted = r#"{"joe@example.com":"[email]","card":"[card]","time":1700000000,"cost":0.25,"n":-3}"#;
    assert_eq!(json_of(&all(), body), wanted);
    let zip = own("^[0-9]{5}$", "ZIP");
    assert_eq!(json_of(&zip, r#"[12345, 123456, 1.2345, "12345"]"#), r#"["ZIP", 123456, 1.2345, "ZIP"]"#);
}

#[test]
fn json_inside_of_strings_is_json_too() {
    let arguments = json!({"mail": "joe@example.com"}).to_string().replace('@', "\\u0040");
    let twice = json!({"arguments": json!({"inner": arguments}).to_string()}).to_string();
    let redacted = json_of(&all(), &twice);
    assert!(!redacted.contains("example") && redacted.contains("[email]"), "{redacted}");
    let outer: Value = serde_json::from_str(&redacted).unwrap();
    let inner: Value = serde_json::from_str(outer["arguments"].as_str().unwrap()).unwrap();
    let innermost: Value = serde_json::from_str(inner["inner"].as_str().unwrap()).unwrap();
    assert_eq!(innermost["mail"], "[email]");
}

#[test]
fn what_is_no_json_hides_nothing_either() {
    for body in [
        "mail joe@example.com",
        "4111 1111 1111 1111",
        r#"{"a":"x","b":"joe@example.com"#,
        r#"{"a":"x"y","b":"joe\u0040example.com"}"#,
        r#"{"a": joe@example.com}"#,
        r#"{"a": 4111 1111 1111 1111}"#,
        "[joe@example.com]",
        "[note] joe@example.com",
        "{\"n\":1}\n{\"a\":\"joe@example.com\"}\n",
        "--b\r\ncontent-disposition: form-data\r\n\r\njoe@example.com\r\n--b--",
        "data: {\"a\":\"joe\\u0040example.com\"}\n\n",
    ] {
        let redacted = json_of(&all(), body);
        assert!(!redacted.contains("example.com") && !redacted.contains("1111"), "{body}: {redacted}");
        assert!(redacted.contains("[email]") || redacted.contains("[card]"), "{body}: {redacted}");
    }
    let binary = b"\xff\xfe joe@example.com \x00";
    let redacted = all().json(Cow::Borrowed(binary));
    assert!(memchr::memmem::find(&redacted, b"example").is_none());
    assert!(matches!(all().json(Cow::Borrowed(b"\xff\xfe\x00\x01")), Cow::Borrowed(_)));
}

#[test]
fn patterns_of_ones_own_come_first_and_may_keep_a_part() {
    let mut rules = vec![Rule::Known(Known::Email)];
    let pattern = Regex::new(r"(?i)(customer )([a-z]+)@\S+").unwrap();
    rules.push(Rule::Own { pattern, with: "$1$2@…".into() });
    let redaction = Redaction::new(rules);
    assert_eq!(redaction.text("Customer joe@example.com, a@b.de"), "Customer joe@… [email]");
}

#[test]
fn the_most_particular_known_thing_wins_whatever_the_order() {
    let text = "Bearer sk-abcdefghij0123456789, 4111 1111 1111 1111, 219-09-9999, 10.1.2.3, +49 30 901820";
    assert_eq!(all().text(text), "Bearer [bearer], [card], [ssn], [ip], [phone]");
}

#[test]
fn a_pattern_that_would_take_for_ever_takes_the_rest_of_the_text_instead() {
    // Each match looks for an x, to the end of the text.
    let pattern = Regex::new("[0-9]+x|[0-9]").unwrap();
    let text = "1".repeat(100_000);
    let some = replaced(&pattern, "*", &text, 50 * AHEAD_BYTES).unwrap();
    assert_eq!(some, "*".repeat(51));
    assert_eq!(own("[0-9]+x|[0-9]", "*").text(&"1".repeat(300)), "*".repeat(300));
}

#[test]
fn matches_far_away_and_long_ones_are_found() {
    let far = format!("{}KD-1 {}KD-2", "é ".repeat(20_000), "x ".repeat(50_000));
    assert_eq!(own("KD-[0-9]", "*").text(&far).matches('*').count(), 2);
    let long = format!("<{}>.", "é".repeat(30_000));
    assert_eq!(own("<[^>]*>", "*").text(&long), "*.");
    assert_eq!(own(r"\bx?", "*").text("é xx x"), "é *x *", "places without a character are passed over");
}

#[test]
fn a_user_stays_one_user_without_being_named() {
    let redaction = all();
    let (joe, jane) = (redaction.identity("joe@example.com"), redaction.identity("jane@example.com"));
    assert!(joe.starts_with("[email]#") && joe.len() == "[email]#".len() + 12, "{joe}");
    assert_ne!(joe, jane);
    assert_eq!(joe, redaction.identity("joe@example.com"));
    assert_eq!(redaction.identity(&joe), joe, "what is redacted already stays");
    assert_eq!(redaction.identity("customer-17"), "customer-17");
}

#[test]
fn values_are_redacted_in_place() {
    let mut value = json!({"a@b.de": "c@d.de", "list": ["{\"x\":\"e\\u0040f.de\"}", 4_111_111_111_111_111_u64, true, 1.5]});
    all().value(&mut value);
    assert_eq!(value, json!({"a@b.de": "[email]", "list": ["{\"x\":\"[email]\"}", "[card]", true, 1.5]}));
}

proptest! {
    #[test]
    fn json_stays_json_with_the_same_shape(value in any_json(), escape in any::<bool>()) {
        let mut text = value.to_string();
        if escape {
            text = text.replace('@', "\\u0040");
        }
        let redacted = json_of(&all(), &text);
        let parsed: Value = serde_json::from_str(&redacted).unwrap();
        prop_assert!(!redacted.contains("@example"), "{redacted}");
        prop_assert_eq!(shape(&parsed), shape(&value));
    }

    #[test]
    fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        all().json(Cow::Owned(bytes));
    }

    #[test]
    fn no_text_around_it_hides_an_address(before in "[ \\PC]{0,20}", after in "[ \\PC]{0,20}") {
        let redacted = all().text(&format!("{before} joe@example.com {after}")).into_owned();
        prop_assert!(!redacted.contains("joe@example.com"), "{redacted}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[a-z\"\\\\\n{}\\[\\]:, ]{0,12}",
        Just("joe@example.com".to_owned()),
        Just("{\"q\":\"joe@example.com\"}".to_owned()),
        Just("see \"joe@example.com\"\u{1}".to_owned()),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-9_i64..99).prop_map(Value::from),
        text.prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 20, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::hash_map("[a-z]{1,5}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The keys and the number of items, without what stands in them.
fn shape(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(key, member)| (key.clone(), shape(member))).collect())
        }
        _ => Value::Null,
    }
}
