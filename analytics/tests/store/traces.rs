//! Traces and sessions: calls and reported spans together.

use std::sync::Arc;

use analytics::record::Outcome;
use analytics::span::SpanKind;
use analytics::trace::{SessionSummary, TraceSummary};
use analytics::{Cursor, Record, Search, Span, Store};
use serde_json::json;
use vocab::{Limit, NanoUsd, Usage};

use crate::samples::{append, append_entries, at, call, in_trace, search, served, span, talk};

fn project() -> Arc<str> {
    "default".into()
}

/// A span of which everything is known.
fn whole(trace: u8, id: u8, seconds: i64) -> Span {
    Span {
        kind: SpanKind::Retriever,
        failed: true,
        status_message: Some("it \"broke\"".into()),
        service: Some("shop".into()),
        user: Some("zoë".into()),
        session: Some("s-1".into()),
        model: Some("gpt-4o".into()),
        provider: Some("openai".into()),
        prompt: Some(("support/reply".into(), Some(7))),
        input_tokens: Some(10),
        output_tokens: Some(0),
        input: Some(r#"{"query":  "refunds"}"#.into()),
        output: Some("plain text".into()),
        attributes: Some(r#"{"k":[1,2]}"#.into()),
        events: Some(r#"[{"name":"exception"}]"#.into()),
        ..span(trace, id, Some(1), seconds)
    }
}

pub(crate) async fn a_trace_has_its_calls_and_its_spans_oldest_first(store: &dyn Store) {
    append(store, &[talk(900, "other", "trace"), in_trace(7, Some(2), 8), in_trace(7, Some(1), 5), call(6)]);
    append_entries(
        store,
        &[span(7, 2, Some(1), 7), whole(7, 3, 9), span(7, 1, None, 4), span(8, 1, None, 4)],
    );
    append(store, &(1_000..1_300).map(call).collect::<Vec<_>>());
    append(store, &[Record { project: "other".into(), ..in_trace(7, None, 1) }]);
    store.settle().await.unwrap();
    let trace = store.trace(project(), [7; 16]).await.unwrap();
    assert!(!trace.truncated);
    let starts: Vec<_> = trace.calls.iter().map(|call| call.row.started_at).collect();
    assert_eq!(starts, [at(5), at(8)]);
    let spans: Vec<_> = trace.spans.iter().map(|span| (span.name.as_str(), span.started_at)).collect();
    assert_eq!(spans, [("step 1", at(4)), ("step 2", at(7)), ("step 3", at(9))]);
    assert_eq!(trace.calls[0].row.parent_span_id.as_deref(), Some("0101010101010101"));
    assert_eq!(
        served(&trace.spans[2]),
        json!({
            "span_id": "0303030303030303", "parent_span_id": "0101010101010101", "name": "step 3",
            "kind": "retriever", "started_at": "2026-11-30T00:00:09.000000Z", "duration_us": 1_000_000,
            "failed": true, "status_message": "it \"broke\"", "service": "shop", "user": "zoë", "session": "s-1",
            "model": "gpt-4o", "provider": "openai", "prompt": "support/reply", "prompt_version": 7,
            "input_tokens": 10, "output_tokens": 0, "input": {"query": "refunds"}, "output": "plain text",
            "attributes": {"k": [1, 2]}, "events": [{"name": "exception"}]
        })
    );
    let bare = served(&trace.spans[0]);
    for part in ["parent_span_id", "status_message", "user", "prompt", "input_tokens", "input", "attributes"]
    {
        assert!(bare[part].is_null(), "{part}");
    }
    let nothing = store.trace(project(), [99; 16]).await.unwrap();
    assert!(nothing.calls.is_empty() && nothing.spans.is_empty() && !nothing.truncated);
}

pub(crate) async fn the_calls_of_a_trace_have_their_bodies(store: &dyn Store) {
    let record = Record { trace_id: [7; 16], ..talk(1, "asked", "answered") };
    append(store, std::slice::from_ref(&record));
    store.settle().await.unwrap();
    let trace = store.trace(project(), [7; 16]).await.unwrap();
    let found = served(&trace.calls[0]);
    assert_eq!(found["request_body"]["messages"][0]["content"], "asked");
    assert_eq!(found, served(store.get(record.id).await.unwrap().unwrap()));
}

pub(crate) async fn a_span_reported_twice_is_there_once_and_stays_as_it_was(store: &dyn Store) {
    let first = span(7, 1, None, 1);
    let again = Span { name: "again".into(), ..first.clone() };
    append_entries(store, [&first]);
    store.settle().await.unwrap();
    append_entries(store, [&again, &again]);
    append_entries(store, &[Span { project: "other".into(), ..again.clone() }, span(8, 1, None, 1)]);
    store.settle().await.unwrap();
    let spans = store.trace(project(), [7; 16]).await.unwrap().spans;
    assert_eq!(spans.iter().map(|span| span.name.as_str()).collect::<Vec<_>>(), ["step 1"]);
    assert_eq!(store.trace("other".into(), [7; 16]).await.unwrap().spans[0].name, "again");
}

fn summed(trace: u8, seconds: i64) -> Record {
    Record {
        duration_us: 500_000,
        usage: Some(Usage { input: 10, output: 5, ..Usage::default() }),
        cost: Some(NanoUsd(100)),
        session: Some(format!("s-{trace}").into()),
        user: Some(format!("user at {seconds}").into()),
        ..in_trace(trace, Some(1), seconds)
    }
}

pub(crate) async fn a_trace_is_summed_up_over_calls_and_spans(store: &dyn Store) {
    let failed = |outcome, seconds| Record {
        outcome,
        status: 500,
        cost: None,
        usage: None,
        user: None,
        ..summed(7, seconds)
    };
    append(
        store,
        &[summed(7, 3), summed(7, 5), failed(Outcome::Timeout, 6), failed(Outcome::Cancelled, 7), call(1)],
    );
    let broken = whole(7, 2, 9);
    append_entries(store, &[Span { name: "the root".into(), ..span(7, 1, None, 2) }, broken.clone()]);
    store.settle().await.unwrap();
    // Reported again, it is no second span and no second error.
    append_entries(store, [&broken]);
    store.settle().await.unwrap();
    let page = store.traces(Search { project: Some(project()), ..search("") }).await.unwrap();
    assert!(page.complete && page.next_cursor.is_none());
    assert_eq!(page.rows.len(), 2);
    assert_eq!(
        page.rows[0],
        TraceSummary {
            trace_id: "07".repeat(16),
            name: "the root".into(),
            started_at: at(2),
            duration_us: 8_000_000,
            calls: 4,
            spans: 2,
            errors: 2,
            tokens: 30,
            cost_nanousd: NanoUsd(200),
            user: Some("user at 3".into()),
            session: Some("s-7".into()),
        }
    );
    let alone = &page.rows[1];
    assert_eq!(
        (alone.name.as_str(), alone.calls, alone.spans, alone.duration_us),
        ("chat_completions", 1, 0, 1_000)
    );
    assert_eq!((alone.cost_nanousd, alone.user.as_deref()), (NanoUsd(0), None));
}

/// The first bytes of the trace ids of all pages.
async fn traces(store: &dyn Store, mut search: Search) -> Vec<u8> {
    let mut ids = Vec::new();
    loop {
        let page = store.traces(search.clone()).await.unwrap();
        assert!(page.complete && page.rows.len() <= search.limit.get() as usize);
        ids.extend(page.rows.iter().map(|row| u8::from_str_radix(&row.trace_id[..2], 16).unwrap()));
        search.cursor = page.next_cursor.map(|cursor| cursor.to_string().parse::<Cursor>().unwrap());
        if search.cursor.is_none() {
            return ids;
        }
    }
}

pub(crate) async fn traces_come_by_their_newest_matching_call_and_each_once(store: &dyn Store) {
    // Thirty traces whose calls lie between each other's, over many blocks.
    let records: Vec<_> = (0..900)
        .map(|n| Record {
            user: (n % 7 == 0).then(|| "rare".into()),
            ..in_trace((n * n % 30) as u8 + 1, None, n)
        })
        .collect();
    for batch in records.chunks(200) {
        append(store, batch);
    }
    store.settle().await.unwrap();
    let expected = |matches: fn(&Record) -> bool| {
        let mut ids: Vec<_> =
            records.iter().rev().filter(|record| matches(record)).map(|record| record.trace_id[0]).collect();
        let mut seen = std::collections::HashSet::new();
        ids.retain(|id| seen.insert(*id));
        ids
    };
    for limit in [4, 1_000] {
        let limit = Limit::new(limit).unwrap();
        let of = |text: &str| Search { project: Some(project()), limit, ..search(text) };
        assert_eq!(traces(store, of("")).await, expected(|_| true));
        assert_eq!(traces(store, of("user:rare")).await, expected(|record| record.user.is_some()));
        let early = Search { to: Some(at(300)), ..of("") };
        assert_eq!(traces(store, early).await, expected(|record| record.started < at(300)));
    }
}

pub(crate) async fn traces_without_calls_are_listed_when_nothing_is_sought(store: &dyn Store) {
    append(store, &[in_trace(1, None, 10), in_trace(2, None, 30), in_trace(1, None, 50)]);
    append_entries(
        store,
        &[
            span(3, 1, None, 20),
            span(3, 2, Some(1), 35),
            span(4, 1, None, 40),
            span(2, 1, None, 60),
            Span { project: "other".into(), ..span(5, 1, None, 70) },
        ],
    );
    store.settle().await.unwrap();
    for limit in [1, 2, 3, 50] {
        let of = |text: &str| Search {
            project: Some(project()),
            limit: Limit::new(limit).unwrap(),
            ..search(text)
        };
        assert_eq!(traces(store, of("")).await, [1, 4, 3, 2], "pages of {limit}");
        assert_eq!(traces(store, of("status:200")).await, [1, 2], "pages of {limit}");
        assert_eq!(
            traces(store, Search { from: Some(at(36)), ..of("") }).await,
            [2, 1, 4],
            "pages of {limit}"
        );
    }
}

pub(crate) async fn a_session_is_summed_up_over_its_calls_in_the_searched_time(store: &dyn Store) {
    append(store, &[summed(7, 3), summed(7, 5), summed(8, 9), summed(7, 40), call(50)]);
    append(
        store,
        &[Record {
            trace_id: [9; 16],
            outcome: Outcome::UpstreamError,
            cost: None,
            user: None,
            usage: None,
            ..summed(7, 6)
        }],
    );
    append(store, &[Record { project: "other".into(), ..summed(7, 4) }]);
    store.settle().await.unwrap();
    let of = |text: &str| Search { project: Some(project()), to: Some(at(30)), ..search(text) };
    let page = store.sessions(of("")).await.unwrap();
    assert!(page.complete && page.next_cursor.is_none());
    let expected = SessionSummary {
        id: "s-7".into(),
        started_at: at(3),
        last_at: at(6),
        calls: 3,
        traces: 2,
        errors: 1,
        tokens: 30,
        cost_nanousd: NanoUsd(200),
        user: Some("user at 5".into()),
    };
    assert_eq!(page.rows.len(), 2);
    assert_eq!((page.rows[0].id.as_str(), page.rows[0].calls), ("s-8", 1));
    assert_eq!(page.rows[1], expected);
    // One call that matches is enough to list the session, all of it.
    let page = store.sessions(of("outcome:upstream_error")).await.unwrap();
    assert_eq!(page.rows, [expected]);
}

pub(crate) async fn sessions_come_by_their_newest_matching_call_and_each_once(store: &dyn Store) {
    let records: Vec<_> = (0..600)
        .map(|n| Record {
            session: (n % 5 > 0).then(|| format!("s-{}", n * n % 40).into()),
            ..talk(n, if n % 3 == 0 { "sought" } else { "other" }, "fine")
        })
        .collect();
    append(store, &records);
    store.settle().await.unwrap();
    for text in ["", "sought"] {
        let mut expected: Vec<_> = records
            .iter()
            .enumerate()
            .rev()
            .filter(|(n, _)| text.is_empty() || n % 3 == 0)
            .filter_map(|(_, record)| record.session.as_deref().map(str::to_owned))
            .collect();
        let mut seen = std::collections::HashSet::new();
        expected.retain(|id| seen.insert(id.clone()));
        let mut search = Search { project: Some(project()), limit: Limit::new(7).unwrap(), ..search(text) };
        let mut found = Vec::new();
        loop {
            let page = store.sessions(search.clone()).await.unwrap();
            found.extend(page.rows.into_iter().map(|row| row.id));
            search.cursor = page.next_cursor;
            if search.cursor.is_none() {
                break;
            }
        }
        assert_eq!(found, expected, "{text}");
    }
}
