//! Storing, listing and deleting.

use analytics::record::Capture;
use analytics::{Cursor, Record, Search, Store};
use bytes::Bytes;
use serde_json::json;
use vocab::{Id, Limit};

use crate::samples::{START, all, append, at, before, call, full, pages, search, seconds, served, talk};

pub(crate) async fn every_column_comes_back_as_it_was_filed(store: &dyn Store) {
    let record = full(5);
    append(store, std::slice::from_ref(&record));
    let id = record.id.to_string();
    let prompt_id = Id::<vocab::id::Prompt>::at(START).to_string();
    let mut row = served(&all(store, "").await[0]);
    // Two ids were made for the sample at random; they only have to be the same again.
    assert_eq!(row["prompt_id"].as_str().unwrap().len(), prompt_id.len());
    assert_eq!(row["prompt_id"], record.prompt.as_ref().unwrap().id.to_string());
    assert_eq!(row["key_id"], record.key.unwrap().to_string());
    row.as_object_mut().unwrap().retain(|name, _| name != "prompt_id" && name != "key_id");
    assert_eq!(
        row,
        json!({
            "id": id, "project": "default", "started_at": "2026-11-30T00:00:05.000000Z", "duration_us": 1_000,
            "ttft_us": 120_000, "overhead_us": 85, "endpoint": "chat_completions", "streaming": true, "status": 200,
            "outcome": "ok", "error_code": "upstream_error", "error_message": "it said \"no\"\n\u{1}\\",
            "requested_model": "prompt:support/reply", "provider": "openai", "model": "gpt-4o",
            "response_model": "gpt-4o-2024-08-06", "attempts": 2, "cache": "off", "user": "zoë", "session": "s-1",
            "tags": ["checkout", "a, \"b\""], "metadata": {"tier": "gold", "seats": 5}, "prompt": "support/reply",
            "prompt_version": 7, "prompt_digest": "0a1b2c3d", "prompt_label": "production",
            "experiment": "support/reply/production", "arm_unit": "metadata.tier",
            "arm": "warm", "variables": {"name": "Ann"}, "input_tokens": 100, "cached_input_tokens": 40,
            "cache_write_tokens": 3, "output_tokens": 50, "reasoning_tokens": 20, "audio_tokens": 3,
            "usage_raw": {"prompt_tokens": 100}, "usage_source": "provider", "cost_nanousd": 31_500,
            "price_id": "openai/gpt-4o@2026-01", "finish_reason": "tool_calls", "tool_names": [],
            "trace_id": id.replace('-', ""), "span_id": id.replace('-', "")[16..],
            "parent_span_id": "00010203040506ff", "request_preview": "Please help Ann.",
            "response_preview": "Gladly.", "body_state": "full", "node": "node-1"
        })
    );
}

pub(crate) async fn a_call_comes_with_its_bodies_and_attempts(store: &dyn Store) {
    let record = full(5);
    append(store, &[call(1), record.clone(), call(9)]);
    let found = served(store.get(record.id).await.unwrap().unwrap());
    assert_eq!(found["id"], record.id.to_string());
    assert_eq!(found["request_body"]["messages"][0]["content"], "Help!");
    assert_eq!(found["upstream_request_body"]["messages"][0]["content"], "Please help Ann.");
    assert_eq!(found["response_body"]["choices"][0]["message"]["content"], "Gladly.");
    assert_eq!(
        found["attempts"],
        json!([
            {"n": 1, "provider": "azure", "model": "gpt-4o", "account": null, "status": 429,
             "failure_class": "rate_limit", "error": "slow \"down\"", "started_at": "2026-11-30T00:00:05.000000Z",
             "duration_us": 300, "ttft_us": null, "waited_us": 0, "upstream_request_id": null,
             "cost_nanousd": null, "won": false, "reason": "first choice"},
            {"n": 2, "provider": "openai", "model": "gpt-4o", "account": null, "status": 200,
             "failure_class": null, "error": null, "started_at": "2026-11-30T00:00:05.000000Z",
             "duration_us": 300, "ttft_us": 99, "waited_us": 250, "upstream_request_id": "req_1",
             "cost_nanousd": 31_500, "won": true, "reason": "after a rate limit"}
        ])
    );
    assert!(store.get(Id::at(START)).await.unwrap().is_none());
}

pub(crate) async fn bodies_that_are_not_json_come_back_as_strings(store: &dyn Store) {
    let record = Record {
        request_body: Bytes::from_static(b"{\"half\": "),
        response_body: Capture::Whole(Bytes::from_static(b"<html>\xff</html>")),
        ..call(1)
    };
    let exact =
        Record { request_body: Bytes::from_static(b"{\"n\": 1.10e400,  \"a\":1,\"a\":2}"), ..call(2) };
    append(store, &[record.clone(), exact.clone()]);
    let found = served(store.get(record.id).await.unwrap().unwrap());
    assert_eq!(found["request_body"], "{\"half\": ");
    assert_eq!(found["response_body"], "<html>\u{fffd}</html>");
    let found = serde_json::to_string(&store.get(exact.id).await.unwrap().unwrap()).unwrap();
    assert!(found.contains("{\"n\": 1.10e400,  \"a\":1,\"a\":2}"), "JSON is served as it came: {found}");
}

pub(crate) async fn what_was_never_known_is_null(store: &dyn Store) {
    append(store, &[call(0)]);
    let row = served(&all(store, "").await[0]);
    for column in
        ["ttft_us", "cost_nanousd", "input_tokens", "user", "metadata", "variables", "prompt", "key_id"]
    {
        assert!(row[column].is_null(), "{column}");
    }
    assert_eq!(
        (&row["usage_source"], &row["tags"], &row["attempts"]),
        (&json!("none"), &json!([]), &json!(0))
    );
}

pub(crate) async fn a_call_appended_twice_is_there_once(store: &dyn Store) {
    let (first, second) = (talk(1, "one", "1"), talk(2, "two", "2"));
    assert_eq!(append(store, std::slice::from_ref(&first)), 1);
    let counted = append(store, &[first.clone(), second.clone(), second]);
    assert!(matches!(counted, 1 | 3), "only what is new, or all when the store cannot tell yet: {counted}");
    assert_eq!(seconds(store, "").await, [2, 1]);
}

pub(crate) async fn calls_come_newest_start_first_whatever_order_they_ended_in(store: &dyn Store) {
    // Seconds 0 to 999 in an order that has little to do with them, over many blocks.
    let records: Vec<_> = (0..1_000).map(|n| call(n * 617 % 1_000)).collect();
    for batch in records.chunks(90) {
        append(store, batch);
    }
    assert_eq!(seconds(store, "").await, (0..1_000).rev().collect::<Vec<_>>());
}

pub(crate) async fn pages_neither_skip_nor_repeat_while_calls_arrive(store: &dyn Store) {
    append(store, &(0..500).map(|n| call(n * 2)).collect::<Vec<_>>());
    let mut seen = Vec::new();
    let mut search = Search { limit: Limit::new(70).unwrap(), ..search("") };
    for turn in 0.. {
        let page = store.find(search.clone()).await.unwrap();
        seen.extend(page.rows.iter().map(|row| row.started_at));
        // Newer calls arrive while somebody turns pages.
        append(store, &(0..150).map(|n| call(2_000 + turn * 200 + n)).collect::<Vec<_>>());
        search.cursor = page.next_cursor.map(|cursor| cursor.to_string().parse::<Cursor>().unwrap());
        if search.cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, (0..500).rev().map(|n| at(n * 2)).collect::<Vec<_>>());
    assert!("c12".parse::<Cursor>().is_err() && "".parse::<Cursor>().is_err());
}

pub(crate) async fn from_is_included_and_to_is_not(store: &dyn Store) {
    append(store, &(0..300).map(call).collect::<Vec<_>>());
    let between = |from, to| Search { from, to, ..search("") };
    for (from, to, expected) in [
        (Some(at(290)), None, 290..300),
        (None, Some(at(10)), 0..10),
        (Some(at(100)), Some(at(200)), 100..200),
        (Some(at(150)), Some(at(150)), 150..150),
        (Some(at(400)), None, 0..0),
    ] {
        let rows = store.find(between(from, to)).await.unwrap().rows;
        let found: Vec<_> = rows.iter().rev().map(|row| row.started_at).collect();
        assert_eq!(found, expected.map(at).collect::<Vec<_>>(), "{from:?} {to:?}");
    }
}

pub(crate) async fn projects_do_not_mix(store: &dyn Store) {
    let other = |seconds| Record { project: "other".into(), ..call(seconds) };
    append(store, &[call(0), other(1), call(2), other(3)]);
    let rows = store.find(Search { project: Some("other".into()), ..search("") }).await.unwrap().rows;
    assert_eq!(rows.iter().map(|row| row.started_at).collect::<Vec<_>>(), [at(3), at(1)]);
    let rows = store.find(Search { project: Some("none".into()), ..search("") }).await.unwrap().rows;
    assert!(rows.is_empty());
}

pub(crate) async fn purging_deletes_what_started_before(store: &dyn Store) {
    let records: Vec<_> = (0..600).map(|n| call(n * 7 % 600)).collect();
    append(store, &records);
    assert_eq!(store.purge(before(at(250))).await.unwrap(), 250);
    assert_eq!(store.purge(before(at(250))).await.unwrap(), 0);
    assert_eq!(seconds(store, "").await, (250..600).rev().collect::<Vec<_>>());
    assert!(store.get(records[0].id).await.unwrap().is_none());
    append(store, &(600..800).map(call).collect::<Vec<_>>());
    assert_eq!(store.purge(before(at(10_000))).await.unwrap(), 550);
    append(store, &[call(10_000)]);
    assert_eq!(pages(store, "", 5).await[0].rows.len(), 1);
}
