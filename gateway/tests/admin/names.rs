//! Names with odd characters: refused with the rule they break, wherever a name comes in, and nothing is made.

use serde_json::{Value, json};

use crate::desk::{Desk, encoded};

const OF_PROMPTS: [(&str, &str); 12] = [
    ("", "1 to 255 bytes"),
    ("/a", "empty segment"),
    ("a/", "empty segment"),
    ("a//b", "empty segment"),
    ("a/ /b", "empty segment"),
    ("a@b", "holds '@': use letters, digits"),
    ("a|b", "holds '|': use letters, digits"),
    ("a#b", "holds '#': use letters, digits"),
    ("a\nb", "holds '\\n': use letters, digits"),
    ("a\0b", "holds '\\0': use letters, digits"),
    ("a\u{202e}b", "use letters, digits"),
    ("{{a}}", "holds '{': use letters, digits"),
];
const OF_LABELS: [(&str, &str); 8] = [
    ("Prod", "1 to 36 of a-z, 0-9, `_`, `.`, `-`"),
    ("a b", "1 to 36 of a-z"),
    ("ä", "1 to 36 of a-z"),
    ("a/b", "1 to 36 of a-z"),
    ("sha256:ab", "1 to 36 of a-z"),
    ("7", "would read as a version: add a letter"),
    ("1.2.3", "would read as a version: add a letter"),
    ("latest", "`latest` is computed and cannot be a label"),
];
const OF_PROJECTS: [&str; 6] = ["", "Shop", "a b", "a/b", ".a", "ä"];
/// Of what people name in their own words.
const OF_LINES: [(&str, &str); 5] = [
    ("a\nb", "holds '\\n', which is not shown"),
    ("a\u{1b}[2Jb", "holds '\\u{1b}', which is not shown"),
    ("a\u{202e}b", "holds '\\u{202e}', which is not shown"),
    ("a\u{200b}b", "holds '\\u{200b}', which is not shown"),
    ("a\0b", "NUL character: remove it"),
];

/// Sends a name in a body, and expects it to be refused with the rule.
async fn refused(desk: &Desk, (method, path): (&str, &str), body: &Value, rule: &str) {
    let answer = desk.send(method, path, body).await;
    let said = answer.json();
    let message = said["error"]["message"].as_str().unwrap_or_default();
    assert!((400..=422).contains(&answer.status), "{method} {path} {body}: {said}");
    assert_eq!(said["error"]["type"], "invalid_request_error", "{method} {path} {body}");
    assert!(message.contains(rule), "{method} {path} {body}: {message}");
    assert!(!message.contains(char::is_control), "{method} {path} {body}: {message:?}");
}

#[tokio::test]
async fn prompts_and_aliases_and_labels_are_named_by_the_rule() {
    let desk = Desk::open().await;
    let version = json!({"text": "Hi"});
    assert_eq!(desk.post("/prompts/known/versions", &version).await.status, 201);
    for (odd, rule) in OF_PROMPTS {
        refused(&desk, ("POST", "/prompts"), &json!({"name": odd}), rule).await;
        refused(&desk, ("PATCH", "/prompts/known"), &json!({"name": odd}), rule).await;
        let aliased = json!({"name": "new", "aliases": [{"id": odd}]});
        refused(&desk, ("POST", "/prompts"), &aliased, rule).await;
        if !odd.is_empty() {
            let path = format!("/prompts/{}/versions", encoded(odd));
            refused(&desk, ("POST", &path), &version, rule).await;
        }
    }
    for (odd, rule) in OF_LABELS {
        let path = format!("/prompts/known/labels/{}", encoded(odd));
        refused(&desk, ("PUT", &path), &json!({"version": 1}), rule).await;
        let labelled = json!({"text": "other", "labels": ["ok", odd]});
        refused(&desk, ("POST", "/prompts/known/versions"), &labelled, rule).await;
    }
    let known = desk.get("/prompts/known").await.json();
    assert_eq!((&known["latest_version"], &known["labels"]), (&json!(1), &json!({})));
    assert_eq!(desk.get("/prompts").await.json()["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_people_name_in_their_own_words_is_one_line_that_shows_what_it_is() {
    let desk = Desk::open().await;
    for odd in OF_PROJECTS {
        refused(&desk, ("POST", "/projects"), &json!({"name": odd}), "1 to 63 of a-z, 0-9").await;
    }
    let condition = json!({
        "kind": "threshold", "measure": "error_rate", "comparison": "above", "value": 0.1, "window": "5m",
    });
    let alert = json!({ "condition": condition });
    let with = |mut body: Value, field: &str, odd: &str| {
        body[field] = odd.into();
        body
    };
    for (odd, rule) in OF_LINES {
        for (path, body) in [
            ("/keys", with(json!({}), "name", odd)),
            ("/tokens", with(json!({"role": "viewer"}), "name", odd)),
            ("/tokens", with(json!({"role": "viewer", "name": "ci"}), "owner", odd)),
            ("/views", with(json!({"kind": "calls"}), "name", odd)),
            ("/webhooks", with(json!({"url": "https://weir.example/hook"}), "name", odd)),
            ("/alerts", with(alert.clone(), "name", odd)),
            ("/prompts", json!({"name": "a", "tags": [odd]})),
        ] {
            refused(&desk, ("POST", path), &body, rule).await;
        }
    }
    for list in ["/views", "/webhooks", "/alerts", "/prompts"] {
        assert_eq!(desk.get(list).await.json()["data"], json!([]), "{list}");
    }
    let words = json!({"name": "Größe \u{1f469}\u{200d}\u{1f4bb} — shop's", "role": "viewer"});
    assert_eq!(desk.post("/tokens", &words).await.status, 201, "letters and signs of any script are fine");
}
