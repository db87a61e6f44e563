//! Chat completions: what goes upstream, what comes back, and what is refused before anything is sent.

use serde_json::json;

use crate::support::{Harness, PROVIDER_KEY, Reply, ask, canned};

#[tokio::test]
async fn an_answer_comes_back_byte_for_byte() {
    let weir = Harness::start().await;
    let odd = "{ \"id\":\"x\", \"choices\" : [{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"H\\u00e9\"},\
               \"finish_reason\":\"stop\",\"x\":1e-7}],\n\"vendor\":{\"b\":1.50,\"a\":null} }\n";
    weir.provider.will(Reply::text(200, "application/json; charset=utf-8", odd));

    let answer = weir.chat(&ask()).await;

    assert_eq!((answer.status, answer.text()), (200, odd));
    assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
    assert_eq!(answer.header("content-length"), odd.len().to_string());
}

#[tokio::test]
async fn a_request_in_which_nothing_must_change_goes_upstream_byte_for_byte() {
    let weir = Harness::start().await;
    let odd = "\n{ \"messages\" : [ {\"role\":\"user\",\"content\":\"H\\u00e9 \\ud83d\\ude00\"} ],\r\n\t\"temperature\":1e-7,\
               \"seed\":12345678901234567890, \"x_vendor\":{\"b\":1,\"a\":[1.0,2.50]},\"user\":null ,\
               \"model\":\"gpt-4o-mini\",\"n\":1.0E+2}  ";

    let answer = weir.call("POST", "/v1/chat/completions").body(odd).send().await;

    assert_eq!(answer.status, 200);
    assert_eq!(weir.provider.only().text(), odd);
}

#[tokio::test]
async fn only_the_model_is_rewritten_when_the_provider_knows_it_by_another_name() {
    let weir = Harness::with(|config| {
        config.aliases.insert("house-model".to_owned(), "openai/gpt-4o-mini".to_owned());
    })
    .await;
    let body = |model: &str| format!("{{\"b\" : 1e-7, \"model\" :  \"{model}\",\"messages\":[ ] }}");

    for asked in ["openai/gpt-4o-mini", "house-model"] {
        let answer = weir.call("POST", "/v1/chat/completions").body(body(asked)).send().await;
        assert_eq!((answer.status, answer.header("weir-model")), (200, "gpt-4o-mini"));
    }

    for received in weir.provider.received() {
        assert_eq!(received.text(), body("gpt-4o-mini"));
    }
}

#[tokio::test]
async fn the_weir_object_is_cut_out_and_nothing_else() {
    let weir = Harness::start().await;
    let body = "{\"model\":\"gpt-4o-mini\",\"weir\":{\"user\":\"ann\",\"tags\":[\"a\"]},\"messages\":[],\"metadata\":{\"k\":\"v\"},\
                \"user\":\"u\",\"unknown\":0.10}";

    weir.call("POST", "/v1/chat/completions").body(body).send().await;

    let expected = "{\"model\":\"gpt-4o-mini\",\"messages\":[],\"metadata\":{\"k\":\"v\"},\"user\":\"u\",\"unknown\":0.10}";
    assert_eq!(weir.provider.only().text(), expected);
}

#[tokio::test]
async fn nothing_about_the_caller_travels_upstream_but_the_body() {
    let weir = Harness::start().await;
    let private = [
        ("cookie", "session=abc"),
        ("accept-encoding", "gzip, deflate, br, zstd"),
        ("user-agent", "OpenAI/Python 3.52.0"),
        ("x-stainless-lang", "python"),
        ("x-stainless-retry-count", "0"),
        ("x-api-key", "sk-something-else"),
        ("api-key", "sk-something-else"),
        ("x-forwarded-for", "10.1.2.3"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("weir-user", "ann"),
        ("weir-tags", "a,b"),
        ("weir-metadata", "{\"tier\":\"gold\"}"),
    ];
    let call = private
        .iter()
        .fold(weir.call("POST", "/v1/chat/completions"), |call, (name, value)| call.header(name, value));

    assert_eq!(call.json(&ask()).send().await.status, 200);

    let received = weir.provider.only();
    assert_eq!(received.header("authorization"), Some(format!("Bearer {PROVIDER_KEY}").as_str()));
    let names: Vec<_> = received.headers.keys().map(http::HeaderName::as_str).collect();
    let expected =
        ["accept", "authorization", "content-length", "content-type", "host", "user-agent", "weir-hops"];
    assert!(names.iter().all(|name| expected.contains(name)), "{names:?}");
    let all = format!("{:?}", received.headers);
    assert!(!all.contains(weir.api_key()) && !all.contains("Python"), "{all}");
}

#[tokio::test]
async fn an_answer_says_how_it_came_about() {
    let weir = Harness::start().await;
    let reply = Reply::json(&canned::chat("gpt-4o-mini"))
        .header("x-request-id", "req_7")
        .header("x-ratelimit-remaining-requests", "99")
        .header("openai-processing-ms", "12")
        .header("set-cookie", "__cf_bm=1")
        .header("x-internal", "1");
    weir.provider.will(reply);

    let answer = weir.chat(&ask()).await;

    assert_eq!(answer.header("x-request-id"), answer.header("weir-call-id"));
    assert_eq!(answer.header("x-upstream-request-id"), "req_7");
    assert_eq!((answer.header("weir-provider"), answer.header("weir-model")), ("openai", "gpt-4o-mini"));
    assert_eq!((answer.header("weir-attempts"), answer.header("weir-cache")), ("1", "off"));
    assert_eq!(answer.header("x-ratelimit-remaining-requests"), "99");
    assert_eq!(answer.header("openai-processing-ms"), "12");
    assert!(answer.header("weir-overhead-us").parse::<u64>().is_ok());
    assert!(answer.header("server-timing").starts_with("weir;dur="));
    for kept_back in ["set-cookie", "x-internal"] {
        assert!(!answer.headers.contains_key(kept_back), "{kept_back}");
    }
}

#[tokio::test]
async fn a_whole_answer_says_what_it_cost_where_the_price_is_known() {
    let weir = Harness::with(|config| config.providers[0].kind = config::ProviderKind::Groq).await;

    let known = weir.chat(&json!({"model": "llama-3.1-8b-instant", "messages": []})).await;
    let unknown = weir.chat(&json!({"model": "nobodys-model", "messages": []})).await;

    assert!(known.header("weir-cost-usd").starts_with("0.00000"), "{:?}", known.headers);
    assert!(!unknown.headers.contains_key("weir-cost-usd"));
    assert!(weir.record_of(&unknown).await["cost_nanousd"].is_null());
}

#[tokio::test]
async fn what_is_no_request_is_refused_with_words_and_nothing_is_sent() {
    let weir = Harness::start().await;
    for (body, told) in [
        ("", "JSON"),
        ("{", "JSON"),
        ("{\"model\":\"gpt-4o-mini\",}", "JSON"),
        ("[]", "object"),
        ("null", "object"),
        ("\"gpt-4o-mini\"", "object"),
        ("{\"model\":7,\"messages\":[]}", "model"),
        ("{\"model\":\"gpt-4o-mini\",\"stream\":\"yes\"}", "stream"),
        ("{\"model\":\"gpt-4o-mini\",\"stream\":true,\"stream_options\":7}", "stream_options"),
        ("{\"model\":\"gpt-4o-mini\",\"weir\":7}", "weir"),
        ("{\"model\":\"gpt-4o-mini\"} trailing", "JSON"),
    ] {
        let answer = weir.call("POST", "/v1/chat/completions").body(body).send().await;

        let (status, code, kind) = answer.refusal();
        assert_eq!((status, &*code, &*kind), (400, "invalid_request", "invalid_request_error"), "{body}");
        assert!(answer.message().contains(told), "{body}: {}", answer.message());
        let record = weir.record_of(&answer).await;
        assert_eq!((&record["outcome"], &record["status"]), (&json!("caller_error"), &json!(400)), "{body}");
    }
    assert_eq!(weir.provider.calls(), 0);
    assert_eq!(weir.chat(&ask()).await.status, 200);
}

#[tokio::test]
async fn bytes_that_are_no_text_are_refused() {
    let weir = Harness::start().await;
    for body in [&b"\xff\xfe{}"[..], b"{\"model\":\"gpt\xff\",\"messages\":[]}", b"\x1f\x8b\x08\x00"] {
        let answer = weir.call("POST", "/v1/chat/completions").body(body).send().await;
        assert_eq!(answer.refusal().1, "invalid_request", "{body:?}");
    }
    assert_eq!(weir.provider.calls(), 0);
}

#[tokio::test]
async fn a_request_nested_without_end_harms_nobody() {
    let weir = Harness::start().await;
    let deep =
        format!("{{\"model\":\"gpt-4o-mini\",\"messages\":{}{}}}", "[".repeat(200_000), "]".repeat(200_000));

    let answer = weir.call("POST", "/v1/chat/completions").body(deep).send().await;

    assert!([200, 400].contains(&answer.status), "{}", answer.text());
    assert_eq!(weir.records(1).await[0]["status"], answer.status);
    assert_eq!(weir.chat(&ask()).await.status, 200);
}

#[tokio::test]
async fn a_request_without_a_model_is_told_so() {
    let weir = Harness::start().await;
    for body in [
        json!({"messages": []}),
        json!({"model": "", "messages": []}),
        json!({"model": null, "messages": []}),
    ] {
        let answer = weir.chat(&body).await;
        assert_eq!(answer.refusal().1, "invalid_request", "{body}");
        assert_eq!(answer.error()["param"], "model", "{body}");
    }
}

#[tokio::test]
async fn a_model_nobody_serves_is_not_found() {
    let weir = Harness::with(|config| config.providers[0].models = vec!["gpt-4o-mini".to_owned()]).await;

    let answer = weir.chat(&json!({"model": "claude-sonnet", "messages": []})).await;

    assert_eq!(answer.refusal(), (404, "model_not_found".to_owned(), "invalid_request_error".to_owned()));
    assert!(
        answer.message().contains("claude-sonnet") && answer.message().contains("openai"),
        "{}",
        answer.message()
    );
    assert_eq!(weir.record_of(&answer).await["outcome"], "caller_error");
}

#[tokio::test]
async fn what_this_version_does_not_do_is_refused_not_ignored() {
    let weir = Harness::start().await;
    for field in [json!({"cache": "refresh"}), json!({"models": ["a", "b"]})] {
        let mut body = ask();
        body["weir"] = field.clone();
        assert_eq!(weir.chat(&body).await.refusal().1, "not_supported", "{field}");
    }
    assert_eq!(weir.provider.calls(), 0);
}

#[tokio::test]
async fn a_route_taken_with_the_wrong_method_says_which_is_right() {
    let weir = Harness::start().await;
    for path in ["/v1/chat/completions", "/v1/responses", "/v1/completions", "/v1/embeddings"] {
        let answer = weir.get(path).await;
        assert_eq!(answer.refusal().1, "method_not_allowed", "{path}");
        assert_eq!((answer.status, answer.header("allow")), (405, "POST"), "{path}");
    }
}

#[tokio::test]
async fn a_call_that_came_round_through_weir_too_often_is_a_loop() {
    let weir = Harness::start().await;

    let answer = weir.call("POST", "/v1/chat/completions").header("weir-hops", "9").json(&ask()).send().await;

    assert_eq!(answer.refusal().0, 400);
    assert_eq!(weir.provider.calls(), 0);
}

#[tokio::test]
async fn connections_to_the_provider_are_used_again() {
    let weir = Harness::start().await;
    for _ in 0..5 {
        assert_eq!(weir.chat(&ask()).await.status, 200);
    }
    let connections: Vec<_> = weir.provider.received().iter().map(|received| received.connection).collect();
    assert_eq!(connections, [1; 5]);
}

#[tokio::test]
async fn an_answer_of_many_mebibytes_arrives_whole() {
    let weir = Harness::start().await;
    let mut huge = canned::chat("gpt-4o-mini");
    huge["choices"][0]["message"]["content"] = "x".repeat(20 << 20).into();
    weir.provider.will(Reply::json(&huge));

    let answer = weir.chat(&ask()).await;

    assert_eq!(answer.body.len(), huge.to_string().len());
    let record = weir.record_of(&answer).await;
    assert_eq!((&record["outcome"], &record["body_state"]), (&json!("ok"), &json!("too_large")));
}
