//! Cases for [`super`]: what fault must and must not do.

use std::time::Duration;

use serde_json::Value;
use vocab::Time;

use super::*;
use crate::Endpoint;

fn fault(status: u16, body: &str) -> Fault {
    read_fault(status, None, body.as_bytes())
}

fn error(message: &str, kind: &str, code: &str) -> String {
    format!(r#"{{"error":{{"message":"{message}","type":"{kind}","param":null,"code":{code}}}}}"#)
}

#[test]
fn each_providers_error_has_its_class() {
    use FailureClass as Class;
    let cases = [
        (429, error("You exceeded your current quota", "insufficient_quota", "\"insufficient_quota\""), Class::Quota),
        (429, error("Rate limit reached for gpt-x", "requests", "\"rate_limit_exceeded\""), Class::RateLimit),
        (429, String::new(), Class::RateLimit),
        (400, error("Your credit balance is too low", "invalid_request_error", "null"), Class::Quota),
        (402, error("Insufficient Balance", "unknown_error", "\"invalid_request_error\""), Class::Quota),
        (402, String::new(), Class::Quota),
        (401, error("Incorrect API key provided", "invalid_request_error", "\"invalid_api_key\""), Class::Credential),
        (403, error("no", "forbidden", "null"), Class::Credential),
        (400, r#"[{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}]"#.into(), Class::Credential),
        (404, error("The model `x` does not exist", "invalid_request_error", "\"model_not_found\""), Class::ModelGone),
        (404, error("model \\\"x\\\" not found, try pulling it first", "api_error", "null"), Class::ModelGone),
        (404, r#"{"error":{"code":"DeploymentNotFound","message":"gone"}}"#.into(), Class::ModelGone),
        (404, error("Previous response not found", "invalid_request_error", "\"previous_response_not_found\""), Class::CallerFault),
        (400, error("m", "invalid_request_error", "\"model_decommissioned\""), Class::ModelGone),
        (400, error("This model's maximum context length is 8192 tokens", "invalid_request_error", "\"context_length_exceeded\""), Class::ContextLength),
        (400, error("This model's maximum context length is 8192 tokens", "BadRequestError", "400"), Class::ContextLength),
        (400, r#"{"error":{"code":"content_filter","message":"filtered","innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#.into(), Class::ContentFilter),
        (403, r#"{"error":{"code":403,"message":"x requires moderation","metadata":{"reasons":["violence"]}}}"#.into(), Class::ContentFilter),
        (400, error("bad temperature", "invalid_request_error", "\"invalid_value\""), Class::CallerFault),
        (422, r#"{"detail":[{"loc":["body","x"],"msg":"Field required","type":"missing"}]}"#.into(), Class::CallerFault),
        (413, error("Request too large on tokens per minute", "tokens", "\"rate_limit_exceeded\""), Class::CallerFault),
        (408, String::new(), Class::Timeout),
        (504, "<html>gateway timeout</html>".into(), Class::Timeout),
        (500, error("insufficient_quota", "insufficient_quota", "\"insufficient_quota\""), Class::Transient),
        (503, "<html>503</html>".into(), Class::Transient),
        (529, r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#.into(), Class::Transient),
        (404, "<html>not found</html>".into(), Class::Garbled),
        (403, "<!DOCTYPE html><title>blocked</title>".into(), Class::Garbled),
        (400, "{\"error\": {\"mess".into(), Class::Garbled),
        (302, String::new(), Class::Garbled),
        (200, "<html></html>".into(), Class::Garbled),
        (200, r#"{"error":{"code":502,"message":"x"}}"#.into(), Class::Transient),
        (200, r#"{"error":{"code":408,"message":"x"}}"#.into(), Class::Timeout),
    ];
    for (status, body, expected) in cases {
        assert_eq!(fault(status, &body).class, expected, "{status} {body}");
    }
}

#[test]
fn the_words_are_found_in_every_shape_of_body() {
    let cases = [
        (r#"{"error":{"message":"a"}}"#, "a"),
        (r#"{"error":"a"}"#, "a"),
        (r#"{"message":"a"}"#, "a"),
        (r#"{"detail":"a"}"#, "a"),
        (r#"{"detail":[{"loc":["body"],"msg":"a"}]}"#, "a"),
        (r#"{"object":"error","message":{"detail":[{"msg":"a"}]}}"#, "a"),
        (r#"[{"error":{"code":400,"message":"a"}}]"#, "a"),
        (r#"{"errors":[{"message":"a"}]}"#, "a"),
        (r#"{"statusCode":404,"message":"a"}"#, "a"),
        (r#""a""#, "a"),
        ("a", "a"),
        (
            r#"{"error":{"code":502,"message":"Provider returned error","metadata":{"raw":"{\"error\":{\"message\":\"a\"}}"}}}"#,
            "Provider returned error: a",
        ),
        (r#"{"error":{"code":502,"metadata":{"raw":"a"}}}"#, "a"),
        ("", "the provider answered with status 500 and no explanation"),
        ("{}", "the provider answered with status 500 and no explanation"),
        ("null", "the provider answered with status 500 and no explanation"),
        (r#"{"error":{"message":""}}"#, "the provider answered with status 500 and no explanation"),
        ("<html>a</html>", "the provider answered with status 500 and an HTML page"),
        (r#"{"error":{"mess"#, "the provider answered with status 500 and broken JSON"),
        (r#"{"message":"<!doctype html><p>a"}"#, "the provider answered with status 500 and no explanation"),
    ];
    for (body, expected) in cases {
        assert_eq!(fault(500, body).message, expected, "{body}");
    }
}

#[test]
fn messages_are_one_short_line_without_control_characters() {
    let message = fault(400, r#"{"message":"a\u0000b\r\n\tc\u001b[31m"}"#).message;
    assert_eq!(message, "a b c [31m");
    for long in ["x".repeat(9_000), "é ".repeat(9_000)] {
        let message = fault(400, &format!(r#"{{"message":"{long}"}}"#)).message;
        assert!(message.len() <= 2_048 && message.ends_with('…'), "{}", message.len());
    }
}

#[test]
fn keys_in_a_providers_words_are_cut_short() {
    let message =
        fault(401, r#"{"message":"Incorrect API key: sk-proj-abcdefghijklmnop. See 'sk-x'"}"#).message;
    assert_eq!(message, "Incorrect API key: sk-*** See 'sk-x'");
    let harmless = "the task-management-assistant and disk_usage_monitoring tools";
    assert_eq!(fault(400, &format!(r#"{{"message":"{harmless}"}}"#)).message, harmless);
}

#[test]
fn code_and_kind_are_strings_whatever_they_were() {
    let numeric = fault(400, r#"{"error":{"code":400,"type":"BadRequestError","message":"a"}}"#);
    assert_eq!((numeric.code.as_deref(), numeric.kind.as_deref()), (Some("400"), Some("BadRequestError")));
    let absent = fault(400, r#"{"error":{"code":null,"type":{},"message":"a"}}"#);
    assert_eq!((absent.code, absent.kind), (None, None));
}

#[test]
fn bodies_of_any_bytes_are_read_without_panic() {
    for body in
        [&b"\xff\xfe"[..], b"[]", b"[[]]", b"{\"error\":[]}", b"{\"error\":{\"details\":{}}}", b"\"\"", b"0"]
    {
        assert!(!read_fault(500, None, body).message.is_empty());
    }
}

#[test]
fn a_wait_in_the_body_counts_when_the_headers_give_none() {
    let body = r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"m","details":[{"@type":"RetryInfo","retryDelay":"7s"}]}}"#;
    assert_eq!(fault(429, body).retry_after, Some(Duration::from_secs(7)));
    let headers = Some(Duration::from_secs(2));
    assert_eq!(read_fault(429, headers, body.as_bytes()).retry_after, headers);
}

fn wait(status: u16, headers: &[(&str, &str)]) -> Option<Duration> {
    let now: Time = "2026-11-30T12:00:00Z".parse().unwrap();
    retry_after(status, |name| headers.iter().find(|(key, _)| *key == name).map(|(_, value)| *value), now)
}

#[test]
fn waits_are_read_in_all_their_forms() {
    let millis = Duration::from_millis;
    for (name, value, expected) in [
        ("retry-after-ms", "1500", Some(millis(1_500))),
        ("x-ms-retry-after-ms", "20.5", Some(Duration::from_micros(20_500))),
        ("retry-after", "3", Some(millis(3_000))),
        ("retry-after", " 0.25 ", Some(millis(250))),
        ("retry-after", "Mon, 30 Nov 2026 12:00:09 GMT", Some(millis(9_000))),
        ("retry-after", "Mon, 30 Nov 2026 11:00:00 GMT", Some(Duration::ZERO)),
        ("retry-after", "2m", Some(millis(120_000))),
        ("retry-after", "-1", None),
        ("retry-after", "soon", None),
        ("retry-after", "NaN", None),
        ("retry-after", "", None),
        ("retry-after", "1e30", None),
        ("retry-after", "99999999", Some(Duration::from_hours(24))),
        ("x-ratelimit-reset-requests", "6m0s", Some(millis(360_000))),
        ("x-ratelimit-reset-tokens", "1h2m3.5s", Some(millis(3_723_500))),
        ("x-ratelimit-reset-tokens", "20ms", Some(millis(20))),
        ("x-ratelimit-reset", "17", Some(millis(17_000))),
        ("x-ratelimit-reset", "1796040005", Some(millis(5_000))),
        ("x-ratelimit-reset", "1796040005000", Some(millis(5_000))),
        ("x-ratelimit-reset", "6x", None),
        ("x-ratelimit-reset", "-5", None),
    ] {
        assert_eq!(wait(429, &[(name, value)]), expected, "{name}: {value}");
    }
}

#[test]
fn the_most_precise_header_wins_and_the_spent_limit_decides() {
    let all = [("retry-after-ms", "700"), ("retry-after", "1"), ("x-ratelimit-reset-tokens", "6m0s")];
    assert_eq!(wait(429, &all), Some(Duration::from_millis(700)));
    let resets = [
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", "2s"),
        ("x-ratelimit-remaining-tokens", "900"),
        ("x-ratelimit-reset-tokens", "6m0s"),
    ];
    assert_eq!(wait(429, &resets), Some(Duration::from_secs(2)));
    assert_eq!(wait(429, &resets[1..]), Some(Duration::from_mins(6)));
    assert_eq!(wait(500, &resets), None, "limits are sent with every answer");
}

#[test]
fn what_to_do_follows_from_the_class() {
    use FailureClass as Class;
    assert!(Class::Transient.retryable() && Class::RateLimit.retryable() && Class::Unreachable.retryable());
    for class in [
        Class::Quota,
        Class::Credential,
        Class::ModelGone,
        Class::CallerFault,
        Class::ContextLength,
        Class::Timeout,
    ] {
        assert!(!class.retryable(), "{class:?}");
    }
    assert!(!Class::CallerFault.may_work_elsewhere() && !Class::ContentFilter.may_work_elsewhere());
    assert!(Class::Quota.may_work_elsewhere() && Class::Timeout.may_work_elsewhere());
}

#[test]
fn errors_are_written_with_all_four_keys() {
    let body = write_error("no such model", "invalid_request_error", Some("model"), None);
    assert_eq!(
        String::from_utf8(body).unwrap(),
        r#"{"error":{"message":"no such model","type":"invalid_request_error","param":"model","code":null}}"#
    );
}

#[test]
fn error_events_follow_the_endpoint() {
    let chat =
        write_error_event(Endpoint::ChatCompletions, "gone\nnow", "server_error", Some("upstream_error"), 9);
    assert_eq!(
        String::from_utf8(chat).unwrap(),
        "data: {\"error\":{\"message\":\"gone\\nnow\",\"type\":\"server_error\",\"param\":null,\"code\":\"upstream_error\"}}\n\n"
    );
    let responses =
        String::from_utf8(write_error_event(Endpoint::Responses, "gone", "server_error", None, 9)).unwrap();
    let data = responses.strip_prefix("event: error\ndata: ").unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    assert_eq!(data["sequence_number"], 9);
    assert_eq!(
        (&data["type"], &data["code"], &data["message"]),
        (&"error".into(), &"server_error".into(), &"gone".into())
    );
}
