//! `/calls/export`: complete, resumable, and never whole-looking when it is not.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::desk::Desk;
use crate::redact::seen;
use crate::support::{Answer, RawConnection, ask, patiently};

/// A gateway with this many calls of one user each.
async fn filled(calls: usize) -> Desk {
    let desk = Desk::open().await;
    for n in 0..calls {
        let mut body = ask();
        body["weir"] = json!({"user": format!("u-{n}"), "tags": ["a,b", "=1+1"]});
        assert_eq!(desk.chat(&body).await.status, 200);
    }
    patiently("the records", desk.app().recorder.flush()).await;
    desk
}

fn lines(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn every_call_is_exported_once_with_its_bodies() {
    let desk = filled(25).await;
    let answer = desk.get("/calls/export").await;
    assert_eq!(answer.header("content-type"), "application/x-ndjson");
    let rows = lines(&answer);
    assert_eq!(rows.len(), 25);
    for (n, row) in rows.iter().rev().enumerate() {
        assert_eq!(row["user"], format!("u-{n}"));
        assert_eq!(row["request_body"]["model"], "gpt-4o-mini");
        assert_eq!(row["attempts"][0]["won"], true);
    }
    let one = desk.get(&format!("/calls/{}", rows[0]["id"].as_str().unwrap())).await.json();
    assert_eq!(rows[0], one, "a line is what the call's own route answers");
    assert_eq!(lines(&desk.get("/calls/export?q=user:u-7").await).len(), 1);
    assert_eq!(lines(&desk.get("/calls/export?to=-1h").await).len(), 0);
}

#[tokio::test]
async fn an_export_goes_on_where_it_stopped() {
    let desk = filled(23).await;
    let whole = lines(&desk.get("/calls/export").await);

    let mut found = Vec::new();
    let mut path = "/calls/export?limit=10&receipt=true".to_owned();
    loop {
        let mut rows = lines(&desk.get(&path).await);
        let receipt = rows.pop().unwrap()["weir_export"].clone();
        assert_eq!(receipt["rows"], rows.len());
        found.extend(rows);
        let Some(cursor) = receipt["cursor"].as_str() else {
            assert_eq!(receipt["complete"], true);
            break;
        };
        assert_eq!(receipt["complete"], false);
        path = format!("/calls/export?limit=10&receipt=true&cursor={cursor}");
    }
    assert_eq!(found, whole);

    let after = whole[16]["id"].as_str().unwrap();
    assert_eq!(lines(&desk.get(&format!("/calls/export?after={after}")).await), whole[17..]);
}

#[tokio::test]
async fn spreadsheets_get_columns_and_nothing_to_run() {
    let desk = filled(3).await;
    let answer = desk.get("/calls/export?format=csv").await;
    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
    let mut reader = csv::Reader::from_reader(answer.text().as_bytes());
    let headings = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let cell = |row: usize, name: &str| {
        let at = headings.iter().position(|heading| heading == name).unwrap_or_else(|| panic!("no {name}"));
        rows[row].get(at).unwrap().to_owned()
    };
    assert_eq!(rows.len(), 3);
    assert_eq!(
        (cell(0, "user"), cell(0, "status"), cell(0, "attempts")),
        ("u-2".into(), "200".into(), "1".into())
    );
    assert_eq!(cell(0, "tags"), r#"["a,b","=1+1"]"#);
    let found = desk.get(&format!("/calls/{}", cell(0, "id"))).await.json();
    assert_eq!(cell(0, "cost_nanousd").parse::<i64>().ok(), found["cost_nanousd"].as_i64());

    let rest = desk.get(&format!("/calls/export?format=csv&after={}&receipt=true", cell(0, "id"))).await;
    let lines: Vec<&str> = rest.text().lines().collect();
    assert_eq!(lines.len(), 3, "no headings again: {lines:?}");
    assert_eq!(lines[2], r#"# {"weir_export":{"rows":2,"complete":true,"cursor":null}}"#);

    let hostile = json!({"model": "gpt-4o-mini", "messages": [], "weir": {"user": "=cmd|' /C calc'!A0"}});
    desk.chat(&hostile).await;
    patiently("the records", desk.app().recorder.flush()).await;
    assert!(desk.get("/calls/export?format=csv").await.text().contains("'=cmd|"));
}

#[tokio::test]
async fn an_export_that_makes_no_sense_is_refused() {
    let desk = filled(1).await;
    let id = desk.get("/calls").await.json()["data"][0]["id"].as_str().unwrap().to_owned();
    for (name, query) in [
        ("export_unknown_format", "format=xml".to_owned()),
        ("export_no_rows", "limit=0".to_owned()),
        ("export_wrong_cursor", "cursor=abc".to_owned()),
        ("export_after_nothing", "after=019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d".to_owned()),
        ("export_two_places", format!("cursor=c{}&after={id}", "0".repeat(48))),
        ("export_unknown_field", "q=colour:red".to_owned()),
    ] {
        assert_snapshot!(name, seen(&desk.get(&format!("/calls/export?{query}")).await));
    }
}

#[tokio::test]
async fn trailers_say_how_many_rows_there_were() {
    let desk = filled(2).await;
    let mut raw = RawConnection::open(desk.admin_address()).await;
    let token = desk.admin_token();
    raw.send(&format!(
        "GET /api/v1/calls/export?limit=1 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nte: trailers\r\n\
         connection: close\r\n\r\n"
    ))
    .await;
    let answer = raw.until_closed().await;
    assert!(answer.contains("weir-export-rows: 1\r\n"), "{answer}");
    let cursor = answer.split("weir-export-cursor: ").nth(1).unwrap().lines().next().unwrap();
    assert_eq!(lines(&desk.get(&format!("/calls/export?cursor={cursor}")).await).len(), 1);
}
