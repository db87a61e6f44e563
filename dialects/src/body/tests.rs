//! Scanning finds every member; editing changes what was asked and no other byte.

use super::*;

fn scanned(text: &str) -> Body<'_> {
    Body::scan(text.as_bytes()).unwrap()
}

fn edited(text: &str, change: impl FnOnce(&mut Edit<'_>)) -> String {
    let mut edit = Edit::new();
    change(&mut edit);
    String::from_utf8(edit.write(&scanned(text))).unwrap()
}

#[test]
fn a_value_is_replaced_where_it_stands() {
    let text = r#" { "model" : "a", "temperature":1e-7 ,"seed":123456789012345678901234567890 } "#;
    let out = edited(text, |edit| edit.set("model", r#""b""#));
    assert_eq!(out, r#" { "model" : "b", "temperature":1e-7 ,"seed":123456789012345678901234567890 } "#);
}
