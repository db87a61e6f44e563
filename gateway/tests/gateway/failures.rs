//! What a provider does wrong, and what its caller and its record are told: one test for each row of the table.

use serde_json::{Value, json};

use crate::support::{Answer, Harness, Reply, ask, ask_streamed, behind, canned, millis};

/// One call to a provider that answers with these, and is asked no more than once.
async fn once(reply: Reply) -> (Harness, Answer) {
    let weir = Harness::with(|config| config.providers[0].tries = 1).await;
    weir.provider.will(reply);
    let answer = weir.chat(&ask()).await;
    (weir, answer)
}

/// Checks status, code, type and outcome, and that the next call is served as if nothing had been.
async fn ends(weir: &Harness, answer: &Answer, expected: (u16, &str, &str, &str)) {
    let (status, code, kind, outcome) = expected;
    assert_eq!(answer.refusal(), (status, code.to_owned(), kind.to_owned()), "{}", answer.text());
    let record = weir.record_of(answer).await;
    assert_eq!((&record["status"], &record["outcome"]), (&json!(status), &json!(outcome)), "{record}");
    assert_eq!(weir.chat(&ask()).await.status, 200, "the next call must not notice");
}

#[tokio::test]
async fn a_providers_refusal_of_the_request_is_relayed_as_it_came() {
    for status in [400, 404, 409, 413, 422] {
        let told = format!(
            "{{\"error\" : {{\"message\":\"no {status}\",\"type\":\"invalid_request_error\",\"param\":\"messages\",\"code\":\"their_code\"}} }}"
        );
        let (weir, answer) = once(Reply::text(status, "application/json", &told)).await;

        assert_eq!((answer.status, answer.text()), (status, told.as_str()));
        assert_eq!(answer.header("weir-attempts"), "1");
        let record = weir.record_of(&answer).await;
        assert_eq!(
            (&record["outcome"], &record["error_code"]),
            (&json!("caller_error"), &json!("their_code"))
        );
        assert_eq!(record["error_message"], format!("no {status}"));
    }
}

#[tokio::test]
async fn a_refusal_is_not_tried_again() {
    let weir = Harness::with(|config| config.providers[0].tries = 3).await;
    weir.provider.will(Reply::error(400, "invalid_request_error", "context_length_exceeded", "too long"));

    let answer = weir.chat(&ask()).await;

    assert_eq!(answer.refusal().1, "context_length_exceeded");
    assert_eq!(weir.provider.calls(), 1);
}

#[tokio::test]
async fn a_refusal_in_words_nobody_can_relay_still_has_the_right_shape() {
    for body in [
        "<html>Bad request</html>",
        "[{\"error\":{\"code\":400,\"message\":\"bad\"}}]",
        "",
        "{\"detail\":\"bad\"}",
    ] {
        let (weir, answer) = once(Reply::text(400, "text/html", body)).await;
        assert_eq!(answer.status, 400, "{body}");
        answer.error();
        assert!(!answer.text().contains("<html>"), "{}", answer.text());
        assert_eq!(weir.record_of(&answer).await["outcome"], "caller_error", "{body}");
    }
}

#[tokio::test]
async fn a_numeric_code_is_relayed_as_text_or_not_at_all() {
    let (_, answer) =
        once(Reply::status(404, &json!({"error": {"message": "no such model", "code": 404}}))).await;
    assert_eq!((answer.status, answer.message()), (404, "no such model".to_owned()));
}

#[tokio::test]
async fn the_gateways_own_credentials_are_not_the_callers_fault() {
    for status in [401, 402, 403] {
        let (weir, answer) =
            once(Reply::error(status, "invalid_request_error", "invalid_api_key", "bad key")).await;
        ends(&weir, &answer, (502, "upstream_credentials", "server_error", "upstream_error")).await;
        assert!(answer.message().contains("operator"), "{}", answer.message());
    }
}

#[tokio::test]
async fn a_failing_provider_is_a_bad_gateway() {
    for status in [500, 502, 503, 529] {
        let (weir, answer) = once(Reply::error(status, "server_error", "boom", "it broke")).await;
        ends(&weir, &answer, (502, "upstream_error", "server_error", "upstream_error")).await;
    }
}

#[tokio::test]
async fn an_answer_that_is_no_json_is_a_bad_gateway() {
    for (content_type, body) in [
        ("text/html", "<!doctype html><title>Sign in</title>"),
        ("application/json", "{\"id\":\"chatcmpl-1\",\"choices\":["),
        ("application/json", ""),
        ("text/plain", "ok"),
    ] {
        let (weir, answer) = once(Reply::text(200, content_type, body)).await;
        ends(&weir, &answer, (502, "upstream_error", "server_error", "upstream_error")).await;
        assert!(!answer.text().contains("doctype"), "{}", answer.text());
    }
}

#[tokio::test]
async fn an_answer_cut_in_the_middle_is_a_bad_gateway() {
    let (weir, answer) = once(Reply::text(200, "application/json", "{\"id\":\"chatcmpl-1\",").cut()).await;
    ends(&weir, &answer, (502, "upstream_error", "server_error", "upstream_error")).await;
}

#[tokio::test]
async fn a_provider_that_hangs_up_is_a_bad_gateway() {
    let (weir, answer) = once(Reply::hang_up()).await;
    ends(&weir, &answer, (502, "upstream_error", "server_error", "upstream_error")).await;
}

#[tokio::test]
async fn an_error_inside_a_200_is_an_error() {
    let inside = json!({"error": {"message": "overloaded", "type": "server_error", "code": "overloaded"}});
    let (weir, answer) = once(Reply::json(&inside)).await;
    ends(&weir, &answer, (502, "upstream_error", "server_error", "upstream_error")).await;
}

#[tokio::test]
async fn a_provider_nobody_can_reach_is_a_bad_gateway() {
    let weir = Harness::with(|config| {
        config.providers[0].base_url = "http://127.0.0.1:1/v1".to_owned();
        config.providers[0].tries = 1;
    })
    .await;

    let answer = weir.chat(&ask()).await;

    assert_eq!(answer.refusal(), (502, "upstream_error".to_owned(), "server_error".to_owned()));
    let record = weir.record_of(&answer).await;
    assert_eq!(
        (&record["outcome"], &record["attempts"][0]["failure_class"]),
        (&json!("upstream_error"), &json!("unreachable"))
    );
    assert_eq!(record["attempts"][0]["status"], Value::Null);
}

#[tokio::test]
async fn a_provider_that_never_answers_times_out() {
    let weir = Harness::with(|config| config.limits.first_byte_timeout = millis(100)).await;
    for body in [ask(), ask_streamed()] {
        let (reply, mut hold) = Reply::never();
        weir.provider.will(reply);

        let answer = weir.chat(&body).await;

        ends(&weir, &answer, (504, "upstream_timeout", "server_error", "timeout")).await;
        hold.abandoned().await;
        // The provider was at work all the time, and asks to be paid for it.
        let record = weir.record_of(&answer).await;
        assert_eq!((&record["usage_source"], &record["output_tokens"]), (&json!("estimated"), &json!(0)));
        assert!(record["cost_nanousd"].as_i64().unwrap() > 0, "{record}");
    }
}

#[tokio::test]
async fn a_timeout_is_not_tried_again() {
    let weir = Harness::with(|config| config.limits.first_byte_timeout = millis(100)).await;
    let (reply, _hold) = Reply::never();
    weir.provider.will(reply);

    let answer = weir.chat(&ask()).await;

    assert_eq!((answer.status, answer.header("weir-attempts")), (504, "1"));
    assert_eq!(weir.provider.calls(), 1);
}

#[tokio::test]
async fn a_providers_own_timeout_is_one() {
    let (weir, answer) = once(Reply::error(408, "server_error", "timeout", "too slow")).await;
    ends(&weir, &answer, (504, "upstream_timeout", "server_error", "timeout")).await;
    assert_eq!(weir.record_of(&answer).await["usage_source"], "none");
}

#[tokio::test]
async fn a_rate_limit_that_passes_is_waited_out() {
    let weir = Harness::start().await;
    let limited =
        Reply::error(429, "requests", "rate_limit_exceeded", "slow down").header("retry-after", "0");
    weir.provider.will(limited);

    let answer = weir.chat(&ask()).await;

    assert_eq!((answer.status, answer.header("weir-attempts")), (200, "2"));
    let record = weir.record_of(&answer).await;
    assert_eq!(record["outcome"], "ok");
    let attempts = record["attempts"].as_array().unwrap();
    assert_eq!((&attempts[0]["status"], &attempts[0]["failure_class"]), (&json!(429), &json!("rate_limit")));
    assert_eq!((&attempts[0]["won"], &attempts[1]["won"]), (&json!(false), &json!(true)));
}

#[tokio::test]
async fn a_rate_limit_that_stays_is_relayed_and_not_worth_the_clients_own_tries() {
    for body in [ask(), ask_streamed()] {
        let weir = Harness::start().await;
        for _ in 0..2 {
            let limited = Reply::error(429, "tokens", "rate_limit_exceeded", "slow down");
            weir.provider
                .will(limited.header("retry-after", "0").header("x-ratelimit-remaining-tokens", "0"));
        }

        let answer = weir.chat(&body).await;

        assert_eq!(answer.refusal(), (429, "rate_limit_exceeded".to_owned(), "tokens".to_owned()));
        assert_eq!((answer.header("retry-after"), answer.header("x-should-retry")), ("0", "false"));
        assert_eq!(
            (answer.header("weir-attempts"), answer.header("x-ratelimit-remaining-tokens")),
            ("2", "0")
        );
        assert_eq!(weir.record_of(&answer).await["outcome"], "upstream_error");
        assert_eq!(weir.provider.calls(), 2);
    }
}

#[tokio::test]
async fn a_wait_longer_than_callers_wait_is_handed_on_at_once() {
    let weir = Harness::start().await;
    let limited =
        Reply::error(429, "requests", "rate_limit_exceeded", "slow down").header("retry-after", "90");
    weir.provider.will(limited);

    let answer = weir.chat(&ask()).await;

    assert_eq!(
        (answer.status, answer.header("retry-after"), answer.header("weir-attempts")),
        (429, "90", "1")
    );
}

#[tokio::test]
async fn a_spent_quota_is_not_tried_again() {
    let weir = Harness::start().await;
    weir.provider.will(Reply::error(429, "insufficient_quota", "insufficient_quota", "pay"));

    let answer = weir.chat(&ask()).await;

    assert_eq!(answer.refusal(), (429, "insufficient_quota".to_owned(), "insufficient_quota".to_owned()));
    assert_eq!((answer.header("x-should-retry"), weir.provider.calls()), ("false", 1));
}

#[tokio::test]
async fn a_bad_moment_is_tried_again() {
    for reply in [
        Reply::error(500, "server_error", "boom", "it broke"),
        Reply::text(200, "application/json", "{\"id\":"),
        Reply::text(200, "application/json", "{\"id\":").cut(),
        Reply::hang_up(),
    ] {
        let weir = Harness::start().await;
        weir.provider.will(reply);
        let answer = weir.chat(&ask()).await;
        assert_eq!((answer.status, answer.header("weir-attempts")), (200, "2"));
        assert_eq!(weir.provider.received()[0].body, weir.provider.received()[1].body);
    }
}

#[tokio::test]
async fn a_stream_is_tried_again_while_nothing_of_it_has_come() {
    let weir = Harness::start().await;
    weir.provider.will(Reply::error(503, "server_error", "boom", "it broke"));

    let stream = weir.stream(&ask_streamed()).await;

    assert_eq!((stream.status, stream.header("weir-attempts")), (200, "2"));
    assert_eq!(stream.rest().await, canned::chat_events_seen("gpt-4o-mini"));
}

#[tokio::test]
async fn a_stream_is_never_tried_again_once_it_has_begun() {
    let weir = Harness::start().await;
    weir.provider.will(Reply::events([canned::chat_content("Hi")]).cut());

    weir.stream(&ask_streamed()).await.rest().await;

    assert_eq!(weir.provider.calls(), 1);
}

#[tokio::test]
async fn a_connection_gone_stale_is_no_attempt() {
    let weir = Harness::start().await;
    assert_eq!(weir.chat(&ask()).await.status, 200);
    // The same connection again, which the provider closes instead of answering.
    weir.provider.will(Reply::hang_up());

    let answer = weir.chat(&ask()).await;

    assert_eq!((answer.status, answer.header("weir-attempts")), (200, "1"));
    let connections: Vec<_> = weir.provider.received().iter().map(|received| received.connection).collect();
    assert_eq!(connections, [1, 1, 2]);
    assert_eq!(weir.record_of(&answer).await["attempts"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_stream_that_fails_before_it_begins_answers_with_json() {
    let weir = Harness::with(|config| config.providers[0].tries = 1).await;
    weir.provider.will(Reply::error(500, "server_error", "boom", "it broke"));

    let answer = weir.chat(&ask_streamed()).await;

    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.refusal().1, "upstream_error");
    assert_eq!(weir.record_of(&answer).await["streaming"], true);
}

#[tokio::test]
async fn a_stream_of_html_is_a_bad_gateway() {
    let weir = Harness::with(|config| config.providers[0].tries = 1).await;
    weir.provider.will(Reply::text(200, "text/html", "<html></html>"));

    let answer = weir.chat(&ask_streamed()).await;

    assert_eq!(answer.refusal().1, "upstream_error");
}

#[tokio::test]
async fn one_failing_provider_does_not_harm_another() {
    let other = crate::support::FakeProvider::start().await;
    let weir = Harness::with(|config| {
        config.providers[0].tries = 1;
        config.providers.push(behind(&other, "other"));
    })
    .await;
    weir.provider.will(Reply::hang_up());

    let failed = weir.chat(&json!({"model": "openai/m", "messages": []})).await;
    let served = weir.chat(&json!({"model": "other/m", "messages": []})).await;

    assert_eq!((failed.status, served.status), (502, 200));
    assert_eq!((served.header("weir-provider"), other.only().json()["model"].clone()), ("other", json!("m")));
}

#[tokio::test]
async fn a_provider_that_sends_its_callers_elsewhere_is_a_bad_gateway() {
    for status in [301, 302, 307, 304] {
        let reply = Reply::text(status, "text/html", "").header("location", "https://elsewhere.example/v1");
        let (weir, answer) = once(reply).await;
        ends(&weir, &answer, (502, "upstream_error", "server_error", "upstream_error")).await;
        assert!(!answer.headers.contains_key("location"));
    }
}

#[tokio::test]
async fn a_provider_that_answers_with_nothing_is_a_bad_gateway() {
    let (weir, answer) = once(Reply::text(204, "text/plain", "")).await;
    ends(&weir, &answer, (502, "upstream_error", "server_error", "upstream_error")).await;
}
