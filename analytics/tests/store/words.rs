//! Searching by fields and measures.

use analytics::record::{Attempt, Outcome, PromptUse};
use analytics::{FoundRow, Record, Store};
use dialects::Endpoint;
use vocab::{Id, NanoUsd, Usage};

use crate::samples::{START, all, append, call, full, pages, seconds};

/// Calls that differ in every field: one of which all is known, one of which nothing is, and one in between.
fn various() -> Vec<Record> {
    vec![
        Record { streaming: false, ..full(0) },
        call(1),
        Record {
            requested_model: Some("GPT-4o-Mini".into()),
            provider: Some("groq".into()),
            user: Some("Größe".into()),
            session: Some("two words".into()),
            tags: vec!["batch".into()],
            metadata: Some(r#"{"tier":"silver","nested":{"a":1},"odd key":"x"}"#.into()),
            variables: Some(format!(r#"{{"name":"Bob","long":"{}"}}"#, "x".repeat(5_000)).into()),
            status: 503,
            outcome: Outcome::Refused,
            error_code: Some("overloaded".into()),
            error_message: Some("Try again later".into()),
            streaming: true,
            ..Record::begin(
                Id::at(crate::samples::at(2)),
                "default".into(),
                crate::samples::at(2),
                Endpoint::Responses,
            )
        },
    ]
}

async fn check(store: &dyn Store, cases: &[(&str, &[i64])]) {
    append(store, &various());
    for (text, expected) in cases {
        assert_eq!(seconds(store, text).await, *expected, "{text}");
    }
    // Once more out of a closed block, which its filter may rule out.
    append(store, &(100..300).map(|n| Record { project: "noise".into(), ..call(n) }).collect::<Vec<_>>());
    for (text, expected) in cases {
        let found: Vec<_> = seconds(store, text).await.into_iter().filter(|second| *second < 100).collect();
        assert_eq!(found, *expected, "{text}, in a closed block");
    }
}

pub(crate) async fn fields_are_found_by_word_prefix_and_list(store: &dyn Store) {
    let id = various()[0].key.unwrap().to_string();
    assert_eq!(id.len(), 36);
    check(
        store,
        &[
            ("model:gpt-4o", &[0]),
            ("model:gpt-4o-2024-08-06", &[0]),
            ("model:gpt-4O-MINI", &[2]),
            ("model:gpt*", &[2, 0]),
            ("model:claude", &[]),
            ("provider:openai,groq", &[2, 0]),
            ("label:production", &[0]),
            ("outcome:refused", &[2]),
            ("outcome:refused,ok", &[2, 1, 0]),
            ("error:overloaded", &[2]),
            ("error:\"try AGAIN\"", &[2]),
            ("error:upstream*", &[0]),
            ("error:*", &[2, 0]),
            ("user:ZOË", &[0]),
            ("user:GRÖSSE", &[2]),
            ("user:gr*", &[2]),
            ("session:\"two words\"", &[2]),
            ("tag:checkout", &[0]),
            ("tag:\"a, \\\"b\\\"\"", &[0]),
            ("tag:check*,batch", &[2, 0]),
            ("endpoint:responses", &[2]),
            ("stream:true", &[2]),
            ("stream:false", &[1, 0]),
            ("cache:hit", &[]),
            ("experiment:x", &[]),
            ("metadata.tier:gold", &[0]),
            ("metadata.tier:GOLD,silver", &[2, 0]),
            ("metadata.tier:*", &[2, 0]),
            ("metadata.seats:5", &[0]),
            ("metadata.nested:*", &[2]),
            ("metadata.\"odd key\":x", &[2]),
            ("metadata.none:x", &[]),
            ("variable.name:ann", &[0]),
            ("variable.name:bob", &[2]),
            ("id:no-such-id", &[]),
        ],
    )
    .await;
}

pub(crate) async fn what_is_negated_also_holds_for_calls_without_the_field(store: &dyn Store) {
    check(
        store,
        &[
            ("-model:gpt-4o", &[2, 1]),
            ("-model:gpt*", &[1]),
            ("-tag:checkout", &[2, 1]),
            ("-metadata.tier:gold", &[2, 1]),
            ("-metadata.tier:*", &[1]),
            ("-user:*", &[1]),
            ("-error:*", &[1]),
            ("-status:200", &[2]),
            ("-cost>0", &[2, 1]),
            ("-cost:*", &[2, 1]),
            ("-variable.name:ann -status:5*", &[1]),
        ],
    )
    .await;
}

pub(crate) async fn measures_lie_within_bounds(store: &dyn Store) {
    check(
        store,
        &[
            ("status:200", &[1, 0]),
            ("status:5*", &[2]),
            ("status:5xx,200", &[2, 1, 0]),
            ("status>=500", &[2]),
            ("status<500", &[1, 0]),
            ("latency>=1ms", &[1, 0]),
            ("latency>1ms", &[]),
            ("latency<1ms", &[2]),
            ("ttft>100ms", &[0]),
            ("ttft<1h", &[0]),
            ("tokens:150", &[0]),
            ("tokens>149 tokens<151", &[0]),
            ("input_tokens<=100", &[0]),
            ("output_tokens>50", &[]),
            ("cost>0.00003", &[0]),
            ("cost>0.0000315", &[]),
            ("cost>=0.0000315", &[0]),
            ("cost:*", &[0]),
            ("version:7,8", &[0]),
            ("version>7", &[]),
        ],
    )
    .await;
}

pub(crate) async fn prompts_are_found_by_version_label_digest_and_id(store: &dyn Store) {
    let used = |seconds, name: &str, version, label: Option<&str>| Record {
        prompt: Some(PromptUse {
            id: Id::first_at(START),
            name: name.into(),
            version,
            digest: format!("abc{version}").into(),
            label: label.map(Into::into),
        }),
        ..call(seconds)
    };
    append(
        store,
        &[
            used(0, "support/reply", 7, Some("production")),
            used(1, "support/reply", 8, None),
            used(2, "support/other", 7, Some("staging")),
            call(3),
        ],
    );
    let by_id = format!("prompt:{}", Id::<vocab::id::Prompt>::first_at(START));
    let cases: [(&str, &[i64]); 11] = [
        ("prompt:support/reply", &[1, 0]),
        ("prompt:support/*", &[2, 1, 0]),
        ("prompt:support/reply@7", &[0]),
        ("prompt:support/reply@7,support/other@staging", &[2, 0]),
        ("prompt:support/reply@production", &[0]),
        ("prompt:support/reply@staging", &[]),
        ("prompt:support/reply@sha256:abc8", &[1]),
        ("-prompt:support/reply@7", &[3, 2, 1]),
        ("-prompt:*", &[3]),
        ("prompt:support", &[]),
        (&by_id, &[2, 1, 0]),
    ];
    for (text, expected) in cases {
        assert_eq!(seconds(store, text).await, expected, "{text}");
    }
}

pub(crate) async fn rare_words_are_found_in_many_blocks(store: &dyn Store) {
    let user = |n: i64| match n {
        17 | 700 | 1_499 => "rare",
        _ => "common",
    };
    let records: Vec<_> = (0..1_500).map(|n| Record { user: Some(user(n).into()), ..call(n) }).collect();
    append(store, &records);
    assert_eq!(seconds(store, "user:rare").await, [1_499, 700, 17]);
    assert_eq!(seconds(store, &format!("id:{}", records[17].id)).await, [17]);
    assert_eq!(seconds(store, "user:nobody").await, [0; 0]);
    let found: usize = pages(store, "-user:rare", 100).await.iter().map(|page| page.rows.len()).sum();
    assert_eq!(found, 1_497);
}

pub(crate) async fn words_are_folded_alike_in_every_field(store: &dyn Store) {
    let of = |seconds, word: &str| Record {
        model: Some(word.into()),
        user: Some(word.into()),
        error_code: Some(word.into()),
        tags: vec![word.into()],
        metadata: Some(serde_json::json!({ "k": word }).to_string().into()),
        ..call(seconds)
    };
    let words = [" GPT \u{3000}\t4o\u{a0}", "ΟΔΟΣ", "Maßstab", "\u{130}x \u{212a}", "ǅ\u{b}100%_\\", "…🎉"];
    append(store, &words.iter().zip(0..).map(|(word, n)| of(n, word)).collect::<Vec<_>>());
    store.settle().await.unwrap();
    for field in ["model", "user", "error", "tag", "metadata.k"] {
        for (pattern, expected) in [
            ("\"gpt 4O\"", 0),
            ("\"Gpt 4\"*", 0),
            ("οδος", 1),
            ("οδοσ", 1),
            ("ΟΔ*", 1),
            ("masSSTAB", 2),
            ("maß*", 2),
            ("\"i\u{307}X K\"", 3),
            ("\"ǆ 100%_\\\\\"", 4),
            ("\"Ǆ 100\"*", 4),
            ("…🎉", 5),
        ] {
            let text = format!("{field}:{pattern}");
            assert_eq!(seconds(store, &text).await, [expected], "{text}");
        }
        // Nothing in a pattern has a meaning of its own but the star.
        for pattern in ["\"%\"", "\"gpt_4o\"", "\"ma.*\"", "\"gpt\"", "\" \""] {
            let text = format!("{field}:{pattern}");
            assert_eq!(seconds(store, &text).await, [0; 0], "{text}");
        }
    }
}

/// Many calls with few different values each, so that every combination occurs.
fn mixed(n: i64) -> Record {
    let attempt = |n: i64| Attempt { won: n == 0, ..full(0).attempts[0].clone() };
    Record {
        status: [200, 200, 404, 500, 503][(n % 5) as usize],
        duration_us: (n as u64 * 37 % 11) * 500_000,
        user: (n % 3 > 0).then(|| format!("user-{}", n % 7).into()),
        model: Some(["gpt-4o", "gpt-4o-mini", "claude"][(n % 3) as usize].into()),
        cost: (n % 4 > 0).then_some(NanoUsd(n * 1_000)),
        usage: (n % 4 > 1).then_some(Usage { input: n as u64, output: 10, ..Usage::default() }),
        tags: (0..n % 3).map(|tag| format!("t{tag}").into()).collect(),
        attempts: (0..n % 2).map(attempt).collect(),
        ..call(n * 389 % 1_000)
    }
}

pub(crate) async fn every_filter_agrees_with_looking_at_each_call(store: &dyn Store) {
    type Looks = fn(&FoundRow) -> bool;
    let cases: [(&str, Looks); 8] = [
        ("status:5*", |row| row.status >= 500),
        ("-status:200 user:user-3", |row| row.status != 200 && row.user.as_deref() == Some("user-3")),
        ("-user:user-3", |row| row.user.as_deref() != Some("user-3")),
        ("latency>2s latency<=4s", |row| (2_000_001..=4_000_000).contains(&row.duration_us)),
        ("cost<0.0005", |row| row.cost_nanousd.is_some_and(|cost| cost.0 < 500_000)),
        ("tokens>500 model:gpt*", |row| {
            row.input_tokens.is_some_and(|input| input > 490)
                && row.model.as_deref().unwrap().starts_with("gpt")
        }),
        ("tag:t1", |row| row.tags.iter().any(|tag| tag == "t1")),
        ("-tag:t0", |row| !row.tags.iter().any(|tag| tag == "t0")),
    ];
    let records: Vec<_> = (0..1_000).map(mixed).collect();
    for batch in records.chunks(333) {
        append(store, batch);
    }
    let everything = all(store, "").await;
    for (text, looks) in cases {
        let expected: Vec<_> = everything.iter().filter(|row| looks(row)).map(|row| row.id).collect();
        assert!(!expected.is_empty() && expected.len() < 1_000, "{text} tells calls apart");
        let found: Vec<_> =
            pages(store, text, 33).await.into_iter().flat_map(|page| page.rows).map(|row| row.id).collect();
        assert_eq!(found, expected, "{text}");
    }
}
