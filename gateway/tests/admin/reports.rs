//! `/reports`: measures by group and time.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::desk::{Desk, each};
use crate::redact::seen;
use crate::support::ask;

async fn filled() -> Desk {
    let desk = Desk::open().await;
    for tier in ["gold", "gold", "silver"] {
        let mut body = ask();
        body["weir"] = json!({"metadata": {"tier": tier}});
        assert_eq!(desk.chat(&body).await.status, 200);
    }
    desk.chat(&json!({"prompt": {"id": "nothing"}})).await;
    let calls = desk.records(4).await;
    let id = calls[0]["id"].clone();
    desk.post("/scores", &json!({"call_id": id, "name": "helpful", "value": 0.5})).await;
    desk
}

async fn report(desk: &Desk, body: Value) -> Value {
    let answer = desk.post("/reports", &body).await;
    assert_eq!(answer.status, 200, "{body}: {}", answer.text());
    answer.json()
}

#[tokio::test]
async fn numbers_are_what_the_calls_add_up_to() {
    let desk = filled().await;
    let measures = json!([
        "calls",
        "errors",
        "error_rate",
        "cost",
        "unpriced",
        "input_tokens",
        "latency_p95",
        "score.helpful"
    ]);
    let answer = report(&desk, json!({"measures": measures, "from": "-1h"})).await;
    let rows = answer["data"].as_array().unwrap();
    assert_eq!(rows.len(), 1, "{answer}");
    let row = &rows[0];
    assert_eq!(
        (&row["bucket"], &row["calls"], &row["errors"], &row["error_rate"]),
        (&Value::Null, &json!(4), &json!(1), &json!(0.25))
    );
    let calls = desk.all("/calls", 10).await;
    let sum = |field: &str| calls.iter().filter_map(|call| call[field].as_i64()).sum::<i64>();
    assert_eq!(row["cost_nanousd"], sum("cost_nanousd"));
    assert!((row["cost"].as_f64().unwrap() * 1e9 - sum("cost_nanousd") as f64).abs() < 0.5, "{row}");
    assert_eq!((&row["input_tokens"], &row["unpriced"]), (&json!(sum("input_tokens")), &json!(0)));
    let slowest = calls.iter().filter_map(|call| call["duration_us"].as_f64()).fold(0.0, f64::max);
    let p95 = row["latency_p95"].as_f64().unwrap();
    assert!(p95 > 0.0 && p95 <= slowest * 1.02, "{p95} of {slowest}");
    assert!((row["score.helpful"].as_f64().unwrap() - 0.5).abs() < 1e-9, "{row}");
    assert_eq!((&answer["complete"], &answer["truncated"]), (&json!(true), &json!(false)));
    assert_eq!((&answer["units"]["cost"], &answer["units"]["latency_p95"]), (&json!("usd"), &json!("us")));
}

#[tokio::test]
async fn rows_are_split_by_groups_and_time() {
    let desk = filled().await;
    let by_tier =
        report(&desk, json!({"measures": ["calls"], "group_by": ["metadata.tier", "status"], "from": "-1h"}))
            .await;
    let rows = by_tier["data"].as_array().unwrap();
    assert_eq!(each(rows, "calls"), [2, 1, 1]);
    assert_eq!((&rows[0]["metadata.tier"], &rows[0]["status"]), (&json!("gold"), &json!("200")));
    assert!(rows.iter().any(|row| row["metadata.tier"].is_null() && row["status"] == "404"), "{rows:?}");

    let hours =
        report(&desk, json!({"measures": ["calls"], "interval": "1h", "from": "-3h", "q": "status:200"}))
            .await;
    let rows = hours["data"].as_array().unwrap();
    assert_eq!(rows.iter().map(|row| row["calls"].as_u64().unwrap()).sum::<u64>(), 3);
    assert!(rows.iter().all(|row| row["bucket"].as_str().unwrap().ends_with(":00:00.000000Z")), "{rows:?}");

    let one = report(
        &desk,
        json!({"measures": ["calls"], "group_by": ["metadata.tier"], "from": "-1h", "limit": 1}),
    )
    .await;
    assert_eq!((&one["data"][0]["calls"], &one["truncated"]), (&json!(2), &json!(true)));
}

#[tokio::test]
async fn a_report_that_makes_no_sense_is_refused_by_its_field() {
    let desk = Desk::open().await;
    for (name, body) in [
        ("report_of_nothing", json!({"from": "-1h"})),
        ("report_without_measures", json!({"measures": [], "from": "-1h"})),
        ("report_of_an_unknown_measure", json!({"measures": ["speed"], "from": "-1h"})),
        ("report_by_an_unknown_group", json!({"measures": ["calls"], "group_by": ["colour"], "from": "-1h"})),
        ("report_naming_twice", json!({"measures": ["calls", "calls"], "from": "-1h"})),
        ("report_without_a_time", json!({"measures": ["calls"]})),
        ("report_backwards", json!({"measures": ["calls"], "from": "-1h", "to": "-2h"})),
        ("report_over_centuries", json!({"measures": ["calls"], "from": "1970-01-01", "to": "2026-01-01"})),
        ("report_by_the_second", json!({"measures": ["calls"], "from": "-1h", "interval": "1s"})),
        ("report_in_too_many_buckets", json!({"measures": ["calls"], "from": "-30d", "interval": "1m"})),
        ("report_with_a_wrong_interval", json!({"measures": ["calls"], "from": "-1h", "interval": "hourly"})),
        ("report_with_too_many_rows", json!({"measures": ["calls"], "from": "-1h", "limit": 10_001})),
        ("report_with_a_wrong_search", json!({"measures": ["calls"], "from": "-1h", "q": "colour:red"})),
        ("report_with_an_unknown_field", json!({"measures": ["calls"], "from": "-1h", "colour": 1})),
    ] {
        let answer = desk.post("/reports", &body).await;
        let shown = seen(&answer);
        // Times of today are in the messages.
        assert_snapshot!(name, shown);
    }
}
