//! The canonical form against the examples of RFC 8785, and on random JSON.

use proptest::prelude::*;
use serde_json::json;

use super::*;

#[test]
fn members_are_ordered_by_utf_16_units() {
    // The example of RFC 8785, section 3.2.3: by bytes U+FB33 would come before U+1F600.
    let value = json!({
        "\u{20ac}": "Euro Sign", "\r": "Carriage Return", "\u{fb33}": "Hebrew Letter Dalet With Dagesh",
        "1": "One", "\u{1f600}": "Emoji: Grinning Face", "\u{80}": "Control", "\u{f6}": "Latin Small Letter O"
    });
    let text = canonical(&value);
    let order = ["Carriage", "One", "Control", "Latin", "Euro", "Emoji", "Hebrew"];
    let places: Vec<_> = order.iter().map(|word| text.find(word).unwrap()).collect();
    assert!(places.is_sorted(), "{text}");
}

#[test]
fn texts_escape_only_what_they_must() {
    let value = json!("\u{20ac}$\u{f}\nA'B\"\\\\\"/\u{7f}");
    assert_eq!(canonical(&value), "\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\u{7f}\"");
}

#[test]
fn numbers_are_written_as_ecmascript_does() {
    // From RFC 8785, appendix B, by bit pattern.
    let cases: [(u64, &str); 15] = [
        (0x0000_0000_0000_0000, "0"),
        (0x8000_0000_0000_0000, "0"),
        (0x0000_0000_0000_0001, "5e-324"),
        (0x8000_0000_0000_0001, "-5e-324"),
        (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
        (0x4340_0000_0000_0000, "9007199254740992"),
        (0xc340_0000_0000_0000, "-9007199254740992"),
        (0x4430_0000_0000_0000, "295147905179352830000"),
        (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
        (0x44b5_2d02_c7e1_4af6, "1e+23"),
        (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
        (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
        (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
        (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
        (0x41b3_de43_5555_5554, "333333333.33333325"),
    ];
    for (bits, expected) in cases {
        assert_eq!(canonical(&json!(f64::from_bits(bits))), expected, "{bits:x}");
    }
    assert_eq!(
        canonical(&json!([1, -7, 1.0, 0.7, 100, 1e21, 1e20, 123_456])),
        "[1,-7,1,0.7,100,1e+21,100000000000000000000,123456]"
    );
}

#[test]
fn the_digest_does_not_depend_on_the_order_or_spelling() {
    let one: Value = serde_json::from_str(r#"{"b": 1.0, "a": "\u0041"}"#).unwrap();
    let two: Value = serde_json::from_str(r#"{"a":"A","b":1}"#).unwrap();
    assert_eq!(digest(&one), digest(&two));
    // printf '%s' '{"a":"A","b":1}' | sha256sum
    assert_eq!(digest(&two), "2fbac9efdc203ac32532d2f2dc78f5009d3f0cc6649bcd905622e1e50aa7e28e");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        prop::num::f64::NORMAL.prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((".{0,6}", inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn the_canonical_form_is_json_that_has_itself_as_canonical_form(value in any_json()) {
        let text = canonical(&value);
        let again: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(canonical(&again), text);
    }

    #[test]
    fn a_stored_text_keeps_its_digest(value in any_json()) {
        let stored = serde_json::to_string(&value).unwrap();
        prop_assert_eq!(digest(&serde_json::from_str(&stored).unwrap()), digest(&value));
    }
}
