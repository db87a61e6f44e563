//! Searching for what was said.

use analytics::record::Capture;
use analytics::{BodyPolicy, Record, Store};

use crate::samples::{answers, append, append_under, asks, at, before, call, seconds, talk};

async fn check(store: &dyn Store, cases: &[(&str, &[i64])]) {
    for (text, expected) in cases {
        assert_eq!(seconds(store, text).await, *expected, "{text}");
    }
}

pub(crate) async fn text_is_found_in_requests_and_answers_in_any_script(store: &dyn Store) {
    append(
        store,
        &[
            talk(0, "What is your refund policy?", "Thirty days."),
            talk(1, "返金ポリシーは何ですか", "三十日以内です。"),
            talk(2, "Wie groß ist die Rückgabefrist?", "Dreißig Tage, grüße! 🎉👩‍👩‍👧"),
            talk(3, "Какой срок возврата?", "ТРИДЦАТЬ дней"),
        ],
    );
    check(
        store,
        &[
            ("refund", &[0]),
            ("REFUND", &[0]),
            ("fund", &[0]),
            ("thirty", &[0]),
            ("ポリシー", &[1]),
            ("返金", &[1]),
            ("三十日", &[1]),
            ("rückgabe", &[2]),
            ("RÜCKGABE", &[2]),
            ("dreissig", &[2]),
            ("DREISSIG", &[2]),
            ("🎉", &[2]),
            ("👩‍👩‍👧", &[2]),
            ("тридцать", &[3]),
            ("ВОЗВРАТА", &[3]),
            ("absent", &[]),
        ],
    )
    .await;
}

pub(crate) async fn text_is_searched_as_it_went_upstream(store: &dyn Store) {
    let rendered =
        Record { upstream_request_body: Some(asks("Answer Ann politely.")), ..talk(0, "call it", "Yes") };
    let streamed = Record {
        response_body: Capture::Stream(vec![
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"Good mor\"}}]}\n\n".into(),
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ning\"},\"finish_reason\":\"stop\"}]}\n\n".into(),
            "data: [DONE]\n\n".into(),
        ]),
        streaming: true,
        ..talk(1, "hello", "")
    };
    append(store, &[rendered, streamed.clone()]);
    check(store, &[("politely", &[0]), ("\"call it\"", &[]), ("\"good morning\"", &[1]), ("delta", &[])])
        .await;
    let found =
        serde_json::to_value(store.get(streamed.id).await.unwrap().unwrap().response_body.unwrap().get());
    assert!(found.unwrap().as_str().unwrap().contains("Good morning"));
}

pub(crate) async fn words_are_anded_and_phrases_stay_within_one_side(store: &dyn Store) {
    append(
        store,
        &[
            talk(0, "the refund\n  policy changed", "we see"),
            talk(1, "policy of refund", "fine"),
            talk(2, "see the end", "of refund"),
        ],
    );
    check(
        store,
        &[
            ("refund policy", &[1, 0]),
            ("\"refund policy\"", &[0]),
            ("\"Refund  Policy\"", &[0]),
            ("\"end of\"", &[]),
            ("refund -policy", &[2]),
            ("-\"refund policy\"", &[2, 1]),
            ("refund -see -fine", &[]),
            ("see refund status:200", &[2, 0]),
        ],
    )
    .await;
}

pub(crate) async fn short_and_odd_texts_are_found_too(store: &dyn Store) {
    append(store, &[talk(0, "x=1; \"quoted\" \\ back", "%_*"), talk(1, "字", "ok")]);
    append(store, &(10..300).map(|n| talk(n, "noise", "noise")).collect::<Vec<_>>());
    check(
        store,
        &[
            ("x=1;", &[0]),
            ("\"\\\"quoted\\\" \\\\\"", &[0]),
            ("\"%_*\"", &[0]),
            ("字", &[1]),
            ("ok", &[1]),
            ("qu", &[0]),
        ],
    )
    .await;
}

pub(crate) async fn text_is_found_in_old_blocks_and_in_the_newest_calls(store: &dyn Store) {
    let said = |n: i64| match n {
        3 | 400 | 999 => "the needle is here".to_owned(),
        _ => format!("plain hay number {n}, said in many words so that blocks have something to hold"),
    };
    let records: Vec<_> = (0..1_000).map(|n| talk(n, &said(n), "fine")).collect();
    for batch in records.chunks(150) {
        append(store, batch);
    }
    check(store, &[("needle", &[999, 400, 3]), ("eedl", &[999, 400, 3]), ("\"number 77,\"", &[77])]).await;
}

pub(crate) async fn calls_without_bodies_say_nothing(store: &dyn Store) {
    let said = |seconds| Record {
        metadata: Some(r#"{"tier":"gold"}"#.into()),
        variables: Some(r#"{"name":"Ann"}"#.into()),
        ..talk(seconds, "secret request", "secret answer")
    };
    append_under(store, &[said(0)], BodyPolicy::Off);
    append_under(store, &[said(1)], BodyPolicy::Metadata);
    let too_large = Record { response_body: Capture::TooLarge { bytes: 1 << 30 }, ..said(2) };
    append(store, &[too_large]);
    check(
        store,
        &[
            ("secret", &[2]),
            ("-secret", &[1, 0]),
            ("answer", &[]),
            ("metadata.tier:gold", &[2, 1]),
            ("variable.name:ann", &[2, 1]),
        ],
    )
    .await;
    let states: Vec<_> = crate::samples::all(store, "").await.into_iter().map(|row| row.body_state).collect();
    assert_eq!(states, ["too_large", "metadata", "off"]);
    let rows = crate::samples::all(store, "").await;
    assert!(rows[1].request_preview.is_none() && rows[2].metadata.is_none() && rows[2].variables.is_none());
}

pub(crate) async fn deleted_calls_are_not_found_by_their_text(store: &dyn Store) {
    append(store, &(0..200).map(|n| talk(n, "remember me", "no")).collect::<Vec<_>>());
    store.purge(before(at(150))).await.unwrap();
    assert_eq!(seconds(store, "remember").await, (150..200).rev().collect::<Vec<_>>());
    let answered = Record {
        request_body: asks("again"),
        response_body: Capture::Whole(answers("remember")),
        ..call(500)
    };
    append(store, &[answered]);
    assert_eq!(seconds(store, "remember").await[0], 500);
}
