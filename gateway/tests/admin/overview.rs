//! `/calls/count`, `/calls/values`, `/calls/fields`, and deleting by end user.

use insta::assert_snapshot;
use registry::Role;
use serde_json::{Value, json};

use crate::desk::{Desk, each, encoded};
use crate::redact::seen;
use crate::support::ask;

/// Two calls of `ann`, one of `Ben`, and one that fails.
async fn filled() -> Desk {
    let desk = Desk::open().await;
    for (user, tier) in [("ann", "gold"), ("ann", "Silver"), ("Ben", "gold")] {
        let mut body = ask();
        body["weir"] = json!({"user": user, "metadata": {"tier": tier}, "tags": ["checkout", user]});
        assert_eq!(desk.chat(&body).await.status, 200);
    }
    desk.chat(&json!({"prompt": {"id": "nothing"}})).await;
    desk.records(4).await;
    desk
}

#[tokio::test]
async fn calls_are_counted_as_they_are_found() {
    let desk = filled().await;
    for (query, calls) in
        [("", 4), ("?q=user:ann", 2), ("?q=-status:200&from=-1h", 1), ("?to=-1h", 0), ("?q=nowhere", 0)]
    {
        let count = desk.get(&format!("/calls/count{query}")).await;
        assert_eq!(count.json(), json!({"calls": calls, "complete": true}), "{query}");
    }
    assert_snapshot!("count_unknown_field", seen(&desk.get("/calls/count?q=colour:red").await));
    assert_snapshot!("count_unknown_parameter", seen(&desk.get("/calls/count?limit=3").await));
}

#[tokio::test]
async fn values_of_a_field_are_suggested_with_their_calls() {
    let desk = filled().await;
    let values = async |query: &str| {
        let answer = desk.get(&format!("/calls/values?{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        let data = answer.json()["data"].as_array().unwrap().clone();
        let pair =
            |value: &Value| (value["value"].as_str().unwrap().to_owned(), value["calls"].as_u64().unwrap());
        data.iter().map(pair).collect::<Vec<_>>()
    };
    assert_eq!(values("field=user").await, [("ann".to_owned(), 2), ("Ben".to_owned(), 1)]);
    assert_eq!(values("field=user&starts_with=b").await, [("Ben".to_owned(), 1)]);
    assert_eq!(values("field=metadata.tier&q=user:ann&starts_with=g").await, [("gold".to_owned(), 1)]);
    assert_eq!(values("field=tag&limit=1").await, [("checkout".to_owned(), 3)]);
    for (name, query) in [
        ("values_without_field", ""),
        ("values_of_a_number", "field=latency"),
        ("values_of_nothing", "field=colour"),
    ] {
        assert_snapshot!(name, seen(&desk.get(&format!("/calls/values?{query}")).await));
    }
}

#[tokio::test]
async fn every_searchable_field_is_listed_with_an_example_that_works() {
    let desk = Desk::open().await;
    let fields = desk.get("/calls/fields").await.json();
    let fields = fields["data"].as_array().unwrap();
    assert!(each(fields, "field").contains(&&json!("metadata.<key>")), "{fields:?}");
    for field in fields {
        let example = field["example"].as_str().unwrap();
        assert_eq!(desk.get(&format!("/calls?q={}", encoded(example))).await.status, 200, "{example}");
        let name = field["field"].as_str().unwrap().replace("<key>", "k").replace("<name>", "n");
        let values = desk.get(&format!("/calls/values?field={name}")).await.status;
        assert_eq!(values == 200, field["values"] == true, "{name}");
    }
}

#[tokio::test]
async fn an_end_users_calls_are_deleted_and_nobody_elses() {
    let desk = filled().await;
    let gone = desk.delete("/calls?user=ann").await;
    assert_eq!(gone.json(), json!({"user": "ann", "deleted_calls": 2}), "{}", gone.text());
    assert_eq!(desk.get("/calls/count").await.json()["calls"], 2);
    assert_eq!(desk.delete("/calls?user=ann").await.json()["deleted_calls"], 0);
    assert_eq!(desk.delete("/calls?user=ben").await.json()["deleted_calls"], 0, "users are not folded");

    assert_snapshot!("forget_nobody", seen(&desk.delete("/calls?user=").await));
    assert_snapshot!("forget_everybody", seen(&desk.delete("/calls").await));
    assert_snapshot!(
        "forget_by_an_editor",
        seen(&desk.by(Role::Editor, "DELETE", "/calls?user=x").send().await)
    );
}
