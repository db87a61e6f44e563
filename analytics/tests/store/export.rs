//! Everything that matches: exported in full, counted, and what values it has.

use analytics::filter::Field;
use analytics::{Count, Cursor, Record, Search, Store, ValueCount};
use serde_json::json;
use vocab::{Id, Limit};

use crate::samples::{append, at, call, full, search, served, talk};

/// The ids of everything an export gives, page by page, while `meanwhile` happens between pages.
async fn exported(store: &dyn Store, mut search: Search, mut meanwhile: impl FnMut(i64)) -> Vec<String> {
    let mut ids = Vec::new();
    for page in 0.. {
        let found = store.export(search.clone()).await.unwrap();
        assert!(found.rows.len() <= search.limit.get() as usize);
        ids.extend(found.rows.iter().map(|call| call.row.id.to_string()));
        search.cursor = found.next_cursor.map(|cursor| cursor.to_string().parse::<Cursor>().unwrap());
        if search.cursor.is_none() {
            break;
        }
        meanwhile(page);
    }
    ids
}

pub(crate) async fn an_export_has_bodies_and_attempts(store: &dyn Store) {
    append(store, &[call(1), full(5)]);
    store.settle().await.unwrap();
    let page = store.export(search("")).await.unwrap();
    assert!(page.complete && page.next_cursor.is_none());
    assert_eq!(page.rows.len(), 2);
    let newest = served(&page.rows[0]);
    assert_eq!(newest["request_body"]["messages"][0]["content"], "Help!");
    assert_eq!(newest["response_body"]["choices"][0]["message"]["content"], "Gladly.");
    assert_eq!(newest["attempts"][1]["upstream_request_id"], "req_1");
    assert_eq!(newest["tags"], json!(["checkout", "a, \"b\""]));
    assert_eq!(newest, served(store.get(page.rows[0].row.id).await.unwrap().unwrap()));
}

pub(crate) async fn an_export_has_as_many_rows_as_are_counted_while_calls_arrive(store: &dyn Store) {
    append(store, &(0..700).map(|n| talk(n * 389 % 700, "asked", "answered")).collect::<Vec<_>>());
    store.settle().await.unwrap();
    for (text, matching) in [("", 600), ("answered", 600), ("-status:200", 0), ("latency<1h", 600)] {
        let search = Search { to: Some(at(600)), limit: Limit::new(90).unwrap(), ..search(text) };
        let counted = store.count(search.clone()).await.unwrap();
        assert_eq!(counted, Count { calls: matching, complete: true }, "{text}");
        let later = |page: i64| {
            append(store, &(0..130).map(|n| call(1_000 + page * 200 + n)).collect::<Vec<_>>());
        };
        let mut ids = exported(store, search, later).await;
        assert_eq!(ids.len() as u64, matching, "{text}");
        assert!(ids.is_sorted_by(|a, b| a > b), "newest first");
        ids.dedup();
        assert_eq!(ids.len() as u64, matching, "{text}: none twice");
    }
}

/// Places are in the engine's order, which need not be that of the ids.
pub(crate) async fn an_export_goes_on_behind_any_of_the_calls_of_one_microsecond(store: &dyn Store) {
    let ids = [1_u128 << 64, 2 << 64, 1, (1 << 64) | 1, 2].map(|id| Id::from_bytes(id.to_be_bytes()));
    append(store, &ids.map(|id| Record { id, ..call(5) }));
    append(store, &[call(1)]);
    let all: Vec<_> = store.export(search("")).await.unwrap().rows.into_iter().map(|call| call.row).collect();
    assert_eq!(all.len(), 6);
    for (n, row) in all.iter().enumerate() {
        let cursor = Some(store.behind(row.started_at, row.id));
        let rest = store.export(Search { cursor, ..search("") }).await.unwrap().rows;
        let rest: Vec<_> = rest.iter().map(|call| call.row.id).collect();
        assert_eq!(rest, all.iter().skip(n + 1).map(|row| row.id).collect::<Vec<_>>(), "behind {}", row.id);
    }
}

pub(crate) async fn counting_keeps_to_filter_project_and_time(store: &dyn Store) {
    let other = |n| Record { project: "other".into(), ..call(n) };
    append(store, &(0..300).map(|n| if n % 3 == 0 { other(n) } else { call(n) }).collect::<Vec<_>>());
    append(store, &[talk(400, "the needle", "found")]);
    store.settle().await.unwrap();
    let in_other = |text: &str| Search { project: Some("other".into()), ..search(text) };
    let cases = [
        (search(""), 301),
        (in_other(""), 100),
        (in_other("needle"), 0),
        (search("needle"), 1),
        (search("-needle"), 300),
        (Search { from: Some(at(30)), to: Some(at(60)), ..search("") }, 30),
        (Search { from: Some(at(30)), to: Some(at(60)), ..in_other("") }, 10),
        (Search { limit: Limit::new(1).unwrap(), ..search("") }, 301),
    ];
    for (search, expected) in cases {
        let told = format!("{search:?}");
        assert_eq!(store.count(search).await.unwrap(), Count { calls: expected, complete: true }, "{told}");
    }
}

pub(crate) async fn the_values_of_a_field_come_most_frequent_first(store: &dyn Store) {
    let records: Vec<_> = (0..200)
        .map(|n| Record {
            user: (n % 4 > 0).then(|| ["zoë", "ann", "Anna"][(n % 3) as usize].into()),
            requested_model: Some("fast".into()),
            model: Some(if n % 10 == 0 { "gpt-4o" } else { "fast" }.into()),
            tags: (0..n % 3).map(|tag| format!("t{tag}").into()).collect(),
            metadata: (n < 50).then(|| {
                format!(r#"{{"tier":"{}","n":{}}}"#, ["gold", "silver"][(n % 2) as usize], n % 2).into()
            }),
            streaming: n < 20,
            error_code: (n == 7).then(|| "overloaded".into()),
            project: if n < 100 { "default".into() } else { "other".into() },
            ..call(n)
        })
        .collect();
    append(store, &records);
    store.settle().await.unwrap();
    let values = |text: &str, field: Field, start: &str| {
        let asked = store.values(search(text), field, start.to_owned());
        async move {
            let values = asked.await.unwrap();
            values.into_iter().map(|ValueCount { value, calls }| (value, calls)).collect::<Vec<_>>()
        }
    };
    let told = |values: &[(&str, u64)]| {
        values.iter().map(|(value, calls)| ((*value).to_owned(), *calls)).collect::<Vec<_>>()
    };
    let users = |index| (0..200).filter(|n| n % 4 > 0 && n % 3 == index).count() as u64;
    let mut expected = vec![("zoë", users(0)), ("ann", users(1)), ("Anna", users(2))];
    expected.sort_by_key(|(name, calls)| (std::cmp::Reverse(*calls), *name));
    assert_eq!(values("", Field::User, "").await, told(&expected));
    expected.retain(|(name, _)| *name != "zoë");
    assert_eq!(values("", Field::User, "AN").await, told(&expected), "case makes no difference");
    // Requested and served count once where they are the same.
    assert_eq!(values("", Field::Model, "").await, told(&[("fast", 200), ("gpt-4o", 20)]));
    assert_eq!(values("", Field::Tag, "t").await, told(&[("t0", 133), ("t1", 66)]));
    assert_eq!(values("", Field::Metadata("tier".into()), "").await, told(&[("gold", 25), ("silver", 25)]));
    assert_eq!(values("", Field::Metadata("n".into()), "1").await, told(&[("1", 25)]));
    assert_eq!(values("", Field::Stream, "").await, told(&[("false", 180), ("true", 20)]));
    assert_eq!(values("stream:true", Field::Error, "").await, told(&[("overloaded", 1)]));
    assert_eq!(values("", Field::Session, "").await, told(&[]));
    let few = Search {
        project: Some("other".into()),
        from: Some(at(150)),
        limit: Limit::new(1).unwrap(),
        ..search("")
    };
    assert_eq!(store.values(few, Field::Tag, String::new()).await.unwrap()[0].calls, 33);
}
