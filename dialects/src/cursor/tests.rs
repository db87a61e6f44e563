//! Cases for [`super`]: what cursor must and must not do.

use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::*;

fn accepts(text: &str) -> bool {
    let Ok(mut cursor) = Cursor::new(text.as_bytes()) else { return false };
    cursor.skip().and_then(|()| cursor.end()).is_ok()
}

fn decoded(text: &str) -> Option<String> {
    let mut cursor = Cursor::new(text.as_bytes()).ok()?;
    cursor.text().ok()?.map(|text| text.decode().into_owned())
}

#[test]
fn what_serde_json_takes_is_taken_and_what_it_refuses_is_refused() {
    let cases = [
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-",
        "01",
        "1.",
        "1.5",
        ".5",
        "1e5",
        "1E+5",
        "1e",
        "-1.5e-10",
        "nul",
        "tru",
        "\"\"",
        "\"a",
        "\"\\",
        "\"\\u12\"",
        "\"\\u12aF\"",
        "\"\\x\"",
        "\"\u{1}\"",
        "\"\t\"",
        "[]",
        "[1,]",
        "[,]",
        "[1 2]",
        "[1,2]",
        "{}",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\":1 \"b\":2}",
        "{a:1}",
        "{\"a\":1}}",
        " \r\n\t[ 1 , { \"a\" : null } ] ",
        "",
        " ",
        "\u{feff}1",
        "[1",
        "{\"a\":1",
        "1 2",
        "{\"a\":{\"b\":[1,\"x\",{}]}}",
        "\"12345678\\n12345678\"",
        "\"1234567",
    ];
    for case in cases {
        assert_eq!(accepts(case), serde_json::from_str::<IgnoredAny>(case).is_ok(), "{case:?}");
    }
}

#[test]
fn nesting_has_the_same_limit_as_in_serde_json() {
    for depth in [1, 126, 127, 128, 129, 100_000] {
        let text = "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(accepts(&text), serde_json::from_str::<Value>(&text).is_ok(), "{depth}");
    }
}

#[test]
fn bytes_that_are_no_utf8_are_not_json() {
    assert_eq!(Cursor::new(b"\"\xff\"").map(|_| ()), Err(NotJson));
}

#[test]
fn members_are_shown_in_order_with_their_values_as_written() {
    let mut seen = Vec::new();
    let mut cursor = Cursor::new(br#" {"a": [1, 2] , "b":"x\"y","c":null,"a":1e-7}"#).unwrap();
    let object = cursor.object(|json, key| {
        seen.push((key.to_owned(), json.raw()?.map(str::to_owned)));
        Ok(())
    });
    assert_eq!(object, Ok(true));
    assert_eq!(cursor.end(), Ok(()));
    let expected = [("a", Some("[1, 2]")), ("b", Some(r#""x\"y""#)), ("c", None), ("a", Some("1e-7"))];
    assert_eq!(seen, expected.map(|(key, value)| (key.to_owned(), value.map(str::to_owned))));
}

#[test]
fn values_of_another_type_are_passed_over() {
    let mut cursor = Cursor::new(b"[5, {\"a\": 1}, \"7\", -1, 9]").unwrap();
    let mut objects = Vec::new();
    let mut turn = 0;
    cursor
        .array(|json| {
            turn += 1;
            match turn {
                1 | 2 => objects.push(json.object(|json, _| json.skip())?),
                3 | 4 => assert_eq!(json.number()?, None),
                _ => assert_eq!(json.number()?, Some(9)),
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(objects, [false, true]);
}

#[test]
fn half_a_surrogate_pair_is_json_and_reads_as_a_replacement() {
    assert!(accepts(r#""\ud83d""#));
    assert_eq!(decoded(r#""a\ud83db""#).as_deref(), Some("a\u{fffd}b"));
    assert_eq!(decoded(r#""\ud83d\ud83d\ude00""#).as_deref(), Some("\u{fffd}\u{1f600}"));
    assert_eq!(decoded(r#""\ude00\n""#).as_deref(), Some("\u{fffd}\n"));
}

proptest! {
    #[test]
    fn strings_decode_as_serde_json_decodes_them(text in any::<String>()) {
        let quoted = serde_json::to_string(&text).unwrap();
        prop_assert_eq!(decoded(&quoted), Some(text.clone()));
        let units: Vec<String> = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        let escaped = units.concat();
        prop_assert_eq!(decoded(&format!("\"{escaped}\"")), Some(text));
    }

    #[test]
    fn any_text_of_json_characters_is_judged_as_serde_json_judges_it(
        text in r#"([\[\]{}:, \n"\\0-9eE.+-]|"a"|null|true|false|\\u[0-9a-f]{4}|é){0,24}"#
    ) {
        prop_assert_eq!(accepts(&text), serde_json::from_str::<IgnoredAny>(&text).is_ok());
    }

    #[test]
    fn any_bytes_are_walked_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(mut cursor) = Cursor::new(&bytes) {
            let judged = cursor.skip().and_then(|()| cursor.end()).is_ok();
            prop_assert_eq!(judged, serde_json::from_slice::<IgnoredAny>(&bytes).is_ok());
        }
    }

    #[test]
    fn a_string_ends_at_its_quote_wherever_that_lies(before in "[a-zé]{0,40}", special in "[\"\\\\\u{1}\u{1f}]", after in "[a-z]{0,20}") {
        let text = format!("{before}{special}{after}");
        prop_assert_eq!(plain_length(text.as_bytes()), before.len());
    }
}
