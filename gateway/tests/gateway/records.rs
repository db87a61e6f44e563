//! Records: every call, however it ends, found again by what people remember of it, and with no secret in it.

use serde_json::{Value, json};
use vocab::{Clock, Time};

use crate::support::{FakeProvider, Harness, Reply, ask, ask_streamed, canned, ids, millis};

#[tokio::test]
async fn a_call_is_recorded_with_all_that_is_known_of_it() {
    let weir = Harness::start().await;

    let answer = weir.chat(&ask()).await;

    let record = weir.record_of(&answer).await;
    for (field, expected) in [
        ("id", json!(answer.header("x-request-id"))),
        ("project", json!("default")),
        ("endpoint", json!("chat_completions")),
        ("streaming", json!(false)),
        ("status", json!(200)),
        ("outcome", json!("ok")),
        ("requested_model", json!("gpt-4o-mini")),
        ("provider", json!("openai")),
        ("model", json!("gpt-4o-mini")),
        ("response_model", json!("gpt-4o-mini")),
        ("input_tokens", json!(12)),
        ("cached_input_tokens", json!(4)),
        ("output_tokens", json!(3)),
        ("reasoning_tokens", json!(1)),
        ("usage_source", json!("provider")),
        ("finish_reason", json!("stop")),
        ("request_body", ask()),
        ("response_body", canned::chat("gpt-4o-mini")),
        ("body_state", json!("full")),
        ("error_code", Value::Null),
        ("upstream_request_body", Value::Null),
    ] {
        assert_eq!(record[field], expected, "{field}");
    }
    let duration = record["duration_us"].as_u64().unwrap();
    let overhead = record["overhead_us"].as_u64().unwrap();
    assert!(0 < overhead && overhead <= duration, "{overhead} of {duration}");
    assert!(record["key_id"].is_string() && record["trace_id"].as_str().unwrap().len() == 32, "{record}");
}

#[tokio::test]
async fn its_one_attempt_is_recorded() {
    let weir = Harness::start().await;

    let record = weir.record_of(&weir.chat(&ask()).await).await;

    let attempts = record["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 1);
    let attempt = &attempts[0];
    assert_eq!((&attempt["n"], &attempt["won"], &attempt["status"]), (&json!(1), &json!(true), &json!(200)));
    assert_eq!((&attempt["provider"], &attempt["model"]), (&json!("openai"), &json!("gpt-4o-mini")));
    assert_eq!(attempt["upstream_request_id"], "req_upstream_1");
    assert!(attempt["duration_us"].as_u64().unwrap() <= record["duration_us"].as_u64().unwrap());
}

#[tokio::test]
async fn what_a_caller_says_of_a_call_is_recorded() {
    let weir = Harness::start().await;
    let by_headers = weir
        .call("POST", "/v1/chat/completions")
        .header("weir-user", "ann")
        .header("weir-session", "s1")
        .header("weir-tags", "checkout, beta")
        .header("weir-metadata", "{\"tier\":\"gold\"}")
        .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        .json(&ask())
        .send()
        .await;
    let mut body = ask();
    body["weir"] =
        json!({"user": "ann", "session": "s1", "tags": ["checkout", "beta"], "metadata": {"tier": "gold"}});
    let by_body = weir.chat(&body).await;

    for answer in [&by_headers, &by_body] {
        let record = weir.record_of(answer).await;
        assert_eq!((&record["user"], &record["session"]), (&json!("ann"), &json!("s1")));
        assert_eq!(
            (&record["tags"], &record["metadata"]),
            (&json!(["checkout", "beta"]), &json!({"tier": "gold"}))
        );
    }
    let record = weir.record_of(&by_headers).await;
    assert_eq!(record["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(record["parent_span_id"], "00f067aa0ba902b7");
}

#[tokio::test]
async fn openais_own_fields_name_the_user_too_and_still_go_upstream() {
    let weir = Harness::start().await;
    let mut body = ask();
    body["safety_identifier"] = "user-7".into();
    body["metadata"] = json!({"order": "o1"});

    let answer = weir.chat(&body).await;

    let record = weir.record_of(&answer).await;
    assert_eq!((&record["user"], &record["metadata"]), (&json!("user-7"), &json!({"order": "o1"})));
    assert_eq!(weir.provider.only().json(), body);
}

#[tokio::test]
async fn the_headers_of_other_gateways_are_understood() {
    let weir = Harness::start().await;
    for (header, value, field, expected) in [
        ("helicone-user-id", "ann", "user", json!("ann")),
        ("helicone-session-id", "s1", "session", json!("s1")),
        ("helicone-property-tier", "gold", "metadata", json!({"tier": "gold"})),
        ("x-portkey-metadata", "{\"tier\":\"gold\"}", "metadata", json!({"tier": "gold"})),
        ("x-litellm-tags", "a,b", "tags", json!(["a", "b"])),
        ("cf-aig-metadata", "{\"team\":\"x\"}", "metadata", json!({"team": "x"})),
    ] {
        let answer =
            weir.call("POST", "/v1/chat/completions").header(header, value).json(&ask()).send().await;
        let record = weir.record_of(&answer).await;
        let said = &record[field];
        let holds = match (said, &expected) {
            (Value::Object(said), Value::Object(expected)) => {
                expected.values().all(|value| said.values().any(|said| said == value))
            }
            _ => *said == expected,
        };
        assert!(holds, "{header}: {said}");
    }
}

#[tokio::test]
async fn an_answer_without_usage_is_estimated_and_says_so() {
    let weir = Harness::start().await;
    let mut reply = canned::chat("gpt-4o-mini");
    reply.as_object_mut().unwrap().remove("usage");
    weir.provider.will(Reply::json(&reply));

    let record = weir.record_of(&weir.chat(&ask()).await).await;

    assert_eq!((&record["usage_source"], &record["usage_raw"]), (&json!("estimated"), &Value::Null));
    assert!(record["input_tokens"].as_u64().unwrap() > 0 && record["output_tokens"] == 3, "{record}");
}

// Requests with pictures are larger than what is kept of them: they were recorded as whole, and estimated as nothing.
#[tokio::test]
async fn a_request_too_large_to_keep_says_so_and_is_estimated_by_its_length() {
    let weir = Harness::with(|config| config.limits.capture_bytes = 1_000).await;
    let mut reply = canned::chat("gpt-4o-mini");
    reply.as_object_mut().unwrap().remove("usage");
    weir.provider.will(Reply::json(&reply));
    let mut body = ask();
    body["messages"][0]["content"] = "x".repeat(8_000).into();

    let record = weir.record_of(&weir.chat(&body).await).await;

    assert_eq!((&record["body_state"], &record["request_body"]), (&json!("too_large"), &Value::Null));
    assert!(record["input_tokens"].as_u64().unwrap() >= 2_000, "{record}");
    assert!(!record["response_body"].is_null(), "the answer is there");
}

#[tokio::test]
async fn calls_are_found_by_what_people_remember_of_them() {
    let weir = Harness::start().await;
    weir.publish_saying("support/reply", "You know our refund policy.").await;
    let by_prompt = weir
        .chat(&json!({"prompt": {"id": "support/reply"}, "weir": {"tags": ["checkout"], "user": "ann"}}))
        .await;
    weir.provider.will(Reply::error(400, "invalid_request_error", "bad", "no"));
    let failed = weir.chat(&ask()).await;
    let streamed = weir.stream(&ask_streamed()).await;
    let streamed_id = streamed.header("weir-call-id").to_owned();
    streamed.rest().await;
    weir.records(3).await;

    let prompted = by_prompt.header("weir-call-id");
    for (text, expected) in [
        ("prompt:support/reply", vec![prompted]),
        ("prompt:support/reply@1", vec![prompted]),
        ("prompt:support/reply version:1 label:production", vec![prompted]),
        ("\"refund policy\"", vec![prompted]),
        ("REFUND", vec![prompted]),
        ("tag:checkout user:ann", vec![prompted]),
        ("-prompt:support/reply status:200", vec![&streamed_id]),
        ("status:4*", vec![failed.header("weir-call-id")]),
        ("outcome:caller_error", vec![failed.header("weir-call-id")]),
        ("stream:true", vec![&streamed_id]),
        ("tokens>=15 latency<60s -stream:true", vec![prompted]),
        ("model:gpt-4o-mini provider:openai endpoint:chat_completions hello", vec![&streamed_id, prompted]),
        ("tag:checkout status:400", vec![]),
    ] {
        assert_eq!(ids(&weir.search(text).await), expected, "{text}");
    }
}

#[tokio::test]
async fn a_call_found_shows_version_tokens_cost_and_latency() {
    let weir = Harness::with(|config| config.providers[0].kind = config::ProviderKind::Groq).await;
    let version = json!({
        "messages": [{"role": "user", "content": "Hi"}], "model": "llama-3.1-8b-instant", "labels": ["production"]
    });
    weir.publish("support/reply", version).await;
    weir.chat(&json!({"prompt": {"id": "support/reply"}})).await;

    let found = weir.search("prompt:support/reply cost>0").await;

    assert_eq!(found.len(), 1);
    let call = &found[0];
    assert_eq!((&call["prompt_version"], &call["attempts"]), (&json!(1), &json!(1)));
    assert_eq!((&call["input_tokens"], &call["output_tokens"]), (&json!(12), &json!(3)));
    assert!(call["cost_nanousd"].as_i64().unwrap() > 0 && call["price_id"].is_string(), "{call}");
    assert!(call["duration_us"].as_u64().unwrap() > 0 && call["ttft_us"].as_u64().unwrap() > 0, "{call}");
}

#[tokio::test]
async fn a_call_is_looked_up_by_the_id_its_caller_was_given() {
    let weir = Harness::start().await;
    let answer = weir.chat(&ask()).await;
    weir.record_of(&answer).await;

    let path = format!("/calls/{}", answer.header("x-request-id"));
    let looked_up = weir.admin("GET", &path).send().await;

    assert_eq!(looked_up.status, 200, "{}", looked_up.text());
    let call = looked_up.json();
    assert_eq!(call["request_body"], ask());
    assert_eq!(call["attempts"][0]["status"], 200);
    let unknown = weir.admin("GET", "/calls/00000000-0000-7000-8000-000000000000").send().await;
    assert_eq!(unknown.refusal().1, "not_found");
}

#[tokio::test]
async fn records_survive_a_restart() {
    let weir = Harness::start().await;
    let id = weir.chat(&ask()).await.header("weir-call-id").to_owned();

    let weir = weir.stop().await.start_again().await;

    assert_eq!(weir.record(&id).await["outcome"], "ok");
}

#[tokio::test]
async fn a_body_that_is_no_json_is_kept_as_text() {
    let weir = Harness::start().await;

    let answer = weir.call("POST", "/v1/chat/completions").body("{\"model\": oops").send().await;

    let record = weir.record_of(&answer).await;
    assert_eq!(record["request_body"], "{\"model\": oops");
    assert_eq!(record["response_body"]["error"]["code"], "invalid_request");
}

#[tokio::test]
async fn bodies_are_left_out_where_the_operator_says_so() {
    let weir = Harness::with(|config| config.records.bodies = config::Bodies::Metadata).await;

    let record = weir.record_of(&weir.chat(&ask()).await).await;

    assert_eq!((&record["request_body"], &record["response_body"]), (&Value::Null, &Value::Null));
    assert_eq!((&record["body_state"], &record["input_tokens"]), (&json!("metadata"), &json!(12)));
    assert!(record["request_preview"].is_null(), "{record}");
}

#[tokio::test]
async fn tools_a_model_calls_are_recorded_by_name() {
    let weir = Harness::start().await;
    let mut reply = canned::chat("gpt-4o-mini");
    let calls = json!([{"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}]);
    reply["choices"][0]["message"] = json!({"role": "assistant", "content": null, "tool_calls": calls});
    weir.provider.will(Reply::json(&reply));

    let answer = weir.chat(&ask()).await;

    assert_eq!(answer.json(), reply);
    assert_eq!(weir.record_of(&answer).await["tool_names"], json!(["look_up"]));
}

#[tokio::test]
async fn the_time_a_provider_takes_is_not_weirs() {
    let clock = Clock::manual(Time(1_795_996_800_000_000));
    let weir = Harness::at(clock.clone(), FakeProvider::start().await, |_| {}).await;
    let (reply, hold) = Reply::json(&canned::chat("gpt-4o-mini")).held();
    weir.provider.will(reply);
    let asked = tokio::spawn(weir.call("POST", "/v1/chat/completions").json(&ask()).send());
    weir.provider.arrived(1).await;

    clock.advance(millis(5_000));
    hold.release();

    let answer = asked.await.unwrap();
    assert_eq!(
        (answer.header("weir-overhead-us"), answer.header("server-timing")),
        ("0", "weir;dur=0.000, upstream;dur=5000.000")
    );
    let record = weir.record_of(&answer).await;
    assert_eq!((&record["duration_us"], &record["overhead_us"]), (&json!(5_000_000), &json!(0)));
    assert_eq!(
        (&record["started_at"], &record["attempts"][0]["duration_us"]),
        (&json!("2026-11-30T00:00:00.000000Z"), &json!(5_000_000))
    );
}

#[tokio::test]
async fn calls_are_found_by_the_key_that_made_them() {
    let weir = Harness::start().await;
    let (id, secret) = weir.make_key(&json!({"name": "checkout"})).await;
    weir.chat(&ask()).await;
    let answer = weir.call("POST", "/v1/chat/completions").key(&secret).json(&ask()).send().await;
    weir.records(2).await;

    let found = weir.search(&format!("key:{id}")).await;

    assert_eq!(ids(&found), [answer.header("weir-call-id")]);
}

#[tokio::test]
async fn what_cannot_be_read_of_a_callers_own_words_is_refused() {
    let weir = Harness::start().await;
    let long = "x".repeat(300);
    let many = (0..100).map(|tag| tag.to_string()).collect::<Vec<_>>().join(",");
    for (header, value) in [
        ("weir-metadata", "not json"),
        ("weir-metadata", "[1]"),
        ("weir-timeout-ms", "soon"),
        ("weir-timeout-ms", "0"),
        ("weir-user", &long),
        ("weir-tags", &many),
        ("weir-cache", "refresh"),
        ("weir-prompt", "support//reply"),
        ("weir-prompt-variables", "{\"a\":"),
    ] {
        let answer =
            weir.call("POST", "/v1/chat/completions").header(header, value).json(&ask()).send().await;
        assert_eq!(answer.status, 400, "{header}: {value}");
        let named = header.trim_start_matches("weir-");
        assert!(answer.message().contains(named), "{header}: {}", answer.message());
    }
    assert_eq!(weir.provider.calls(), 0);
}
