//! Cases for [`super`]: what watch must and must not do.

use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::fault::FailureClass;
use crate::sse::EventReader;

const CHAT: Endpoint = Endpoint::ChatCompletions;

fn watch(endpoint: Endpoint, stream: &str) -> (Vec<Verdict>, StreamWatch) {
    let mut reader = EventReader::new();
    reader.push(Bytes::copy_from_slice(stream.as_bytes()));
    let mut watch = StreamWatch::new(endpoint);
    let mut verdicts = Vec::new();
    while let Some(event) = reader.next_event() {
        verdicts.push(watch.event(&event.unwrap()));
    }
    (verdicts, watch)
}

fn verdict(endpoint: Endpoint, data: &str) -> Verdict {
    watch(endpoint, &format!("data: {data}\n\n")).0.remove(0)
}

fn delta(delta: &str) -> Verdict {
    verdict(CHAT, &format!(r#"{{"choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#))
}

fn class(endpoint: Endpoint, data: &str) -> Option<FailureClass> {
    match verdict(endpoint, data) {
        Verdict::Failed(fault) => Some(fault.class),
        _ => None,
    }
}

fn usage(raw: &str) -> Option<Usage> {
    let body = format!(r#"{{"choices":[],"usage":{raw}}}"#);
    read_whole(CHAT, body.as_bytes()).unwrap().usage
}

fn stated(usage: &str) -> Option<i64> {
    let body = format!(r#"{{"choices":[],"usage":{usage}}}"#);
    read_whole(CHAT, body.as_bytes()).unwrap().stated_cost.map(|cost| cost.0)
}

#[test]
fn deltas_that_say_nothing_are_startup() {
    for empty in [
        r#"{"role":"assistant","content":"","refusal":null}"#,
        r#"{"role":"assistant","content":null}"#,
        "{}",
        "null",
        r#"{"content":[]}"#,
        r#"{"content":[{"type":"text","text":""}]}"#,
        r#"{"tool_calls":[]}"#,
        r#"{"reasoning_content":"","annotations":[],"provider_specific_fields":null}"#,
    ] {
        assert_eq!(delta(empty), Verdict::Startup, "{empty}");
    }
}

#[test]
fn deltas_that_say_something_are_content() {
    for full in [
        r#"{"content":"a"}"#,
        r#"{"content":" "}"#,
        r#"{"refusal":"no"}"#,
        r#"{"reasoning_content":"hm","content":null}"#,
        r#"{"reasoning":"hm"}"#,
        r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}"#,
        r#"{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":""}}]}"#,
        r#"{"function_call":{"name":"f"}}"#,
        r#"{"audio":{"id":"a","data":"AAAA"}}"#,
        r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"x"}]}"#,
        r#"{"images":[{"type":"image_url","image_url":{"url":"data:,"}}]}"#,
    ] {
        assert_eq!(delta(full), Verdict::Content, "{full}");
    }
}

#[test]
fn text_is_counted_in_bytes_without_the_words_of_its_structure() {
    let stream = concat!(
        "data: {\"choices\":[{\"delta\":{\"content\":\"ab\\n\\\"\"}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"reasoning\":\"hm\",\"reasoning_details\":[{\"text\":\"hm\"}]}}]}\n\n",
    );
    assert_eq!(watch(CHAT, stream).1.facts().output_bytes, 4 + 3 + 2);
}

#[test]
fn chunks_without_choices_are_told_apart_by_usage() {
    assert_eq!(
        verdict(CHAT, r#"{"choices":[],"prompt_filter_results":[{"prompt_index":0}]}"#),
        Verdict::Startup
    );
    assert_eq!(verdict(CHAT, r#"{"choices":[],"usage":null}"#), Verdict::Startup);
    assert_eq!(
        verdict(CHAT, r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#),
        Verdict::UsageOnly
    );
    assert_eq!(verdict(CHAT, r#"{"type":"ping"}"#), Verdict::Other);
    assert_eq!(verdict(CHAT, "[]"), Verdict::Other);
}

#[test]
fn running_usage_on_a_chunk_does_not_hide_what_the_chunk_is() {
    let usage = r#""usage":{"prompt_tokens":1,"completion_tokens":1}"#;
    let first = format!(r#"{{"choices":[{{"index":0,"delta":{{"role":"assistant"}}}}],{usage}}}"#);
    assert_eq!(verdict(CHAT, &first), Verdict::Startup);
    let content = format!(r#"{{"choices":[{{"index":0,"delta":{{"content":"a"}}}}],{usage}}}"#);
    assert_eq!(verdict(CHAT, &content), Verdict::Content);
}

#[test]
fn a_usage_chunk_with_an_empty_choice_after_the_end_is_still_only_usage() {
    let stream = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
                  data: {\"choices\":[{\"index\":0,\"delta\":{}}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}\n\n";
    assert_eq!(watch(CHAT, stream).0, [Verdict::Finish, Verdict::UsageOnly]);
}

#[test]
fn an_answer_is_finished_when_every_choice_that_began_has_ended() {
    let chunk = |index: u32, reason: &str| {
        format!(
            "data: {{\"choices\":[{{\"index\":{index},\"delta\":{{\"content\":\"a\"}},\"finish_reason\":{reason}}}]}}\n\n"
        )
    };
    let one_open = chunk(0, "null") + &chunk(1, "null") + &chunk(1, "\"length\"");
    let (_, watched) = watch(CHAT, &one_open);
    assert!(!watched.finished());
    assert_eq!(watched.facts().finish_reason.as_deref(), Some("length"));
    let (verdicts, watched) = watch(CHAT, &(one_open + &chunk(0, "\"stop\"")));
    assert!(watched.finished() && !watched.terminated());
    assert_eq!(verdicts.last(), Some(&Verdict::Finish));
    assert_eq!(watched.facts().finish_reason.as_deref(), Some("stop"));
}

#[test]
fn choices_of_any_index_are_watched_without_overflow() {
    let stream = "data: {\"choices\":[{\"index\":18446744073709551615,\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\n";
    assert!(watch(CHAT, stream).1.finished());
}

#[test]
fn done_is_the_terminator_and_comments_are_comments() {
    let (verdicts, watched) = watch(CHAT, ": keep-alive\n\ndata:\n\n\n\ndata: [DONE]\n\n");
    let (last, before) = verdicts.split_last().unwrap();
    assert_eq!(before, [const { Verdict::Comment }; 4]);
    assert_eq!(last, &Verdict::Terminator);
    assert!(watched.finished() && watched.terminated());
}

#[test]
fn an_event_that_is_not_json_is_broken() {
    for data in ["{\"choices\":[", "<html>", "nonsense", "{\"choices\":[]} trailing", "{\"a\":\"\u{1}\"}"] {
        assert_eq!(verdict(CHAT, data), Verdict::Broken, "{data}");
        assert_eq!(verdict(Endpoint::Responses, data), Verdict::Broken, "{data}");
    }
}

#[test]
fn values_of_unexpected_types_do_not_break_a_stream() {
    for data in [
        r#"{"choices":null,"model":5,"usage":"x"}"#,
        r#"{"choices":{"a":1}}"#,
        r#"{"choices":[null,1,"x",{"index":"0","delta":"x","finish_reason":{}}]}"#,
    ] {
        assert!(!matches!(verdict(CHAT, data), Verdict::Broken | Verdict::Failed(_)), "{data}");
    }
}

#[test]
fn errors_inside_a_200_are_failures_in_every_form() {
    use FailureClass::{CallerFault, ContextLength, RateLimit, Transient};
    for (data, expected) in [
        (r#"{"error":{"message":"The server had an error","type":"server_error","code":null}}"#, Transient),
        (r#"{"error":"overloaded"}"#, Transient),
        (
            r#"{"error":{"code":429,"message":"slow down"},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}"#,
            RateLimit,
        ),
        (
            r#"{"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error","error":{"code":502,"message":"x"}}]}"#,
            Transient,
        ),
        (r#"{"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}"#, Transient),
        (r#"{"id":"c","x_groq":{"id":"r","error":"over capacity"},"choices":[]}"#, Transient),
        (
            r#"{"object":"error","message":"maximum context length is 5","type":"BadRequestError","code":400}"#,
            ContextLength,
        ),
        (r#"{"error":{"message":"bad","type":"invalid_request_error"}}"#, CallerFault),
    ] {
        assert_eq!(class(CHAT, data), Some(expected), "{data}");
    }
    for fine in [
        r#"{"error":null,"choices":[]}"#,
        r#"{"x_groq":{"id":"r"},"choices":[]}"#,
        r#"{"object":"chat.completion.chunk","choices":[]}"#,
    ] {
        assert_eq!(class(CHAT, fine), None, "{fine}");
    }
}

#[test]
fn an_event_named_error_is_a_failure_whatever_it_holds() {
    let (verdicts, _) = watch(
        CHAT,
        "event: error\ndata: {\"message\":\"gone\",\"code\":503}\n\nevent: error\ndata: gone\n\n",
    );
    assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Failed(_))), "{verdicts:?}");
}

#[test]
fn responses_events_are_told_apart_by_type() {
    let cases = [
        (r#"{"type":"response.created","response":{"model":"m"}}"#, Verdict::Startup),
        (r#"{"type":"response.in_progress","response":{}}"#, Verdict::Startup),
        (r#"{"type":"response.output_item.added","item":{"type":"message"}}"#, Verdict::Startup),
        (
            r#"{"type":"response.content_part.added","part":{"type":"output_text","text":""}}"#,
            Verdict::Startup,
        ),
        (r#"{"type":"response.output_text.delta","delta":""}"#, Verdict::Startup),
        (r#"{"type":"response.output_text.delta","delta":"a"}"#, Verdict::Content),
        (r#"{"type":"response.refusal.delta","delta":"a"}"#, Verdict::Content),
        (r#"{"type":"response.function_call_arguments.delta","delta":"{"}"#, Verdict::Content),
        (r#"{"type":"response.reasoning_summary_text.delta","delta":"a"}"#, Verdict::Content),
        (r#"{"type":"response.output_item.done","item":{}}"#, Verdict::Other),
        (r#"{"type":"response.web_search_call.searching"}"#, Verdict::Other),
        (r#"{"type":"response.incomplete","response":{"status":"incomplete"}}"#, Verdict::Terminator),
        (r#"{"type":"response.completed","response":{"status":"completed"}}"#, Verdict::Terminator),
    ];
    for (data, expected) in cases {
        assert_eq!(verdict(Endpoint::Responses, data), expected, "{data}");
    }
}

#[test]
fn sound_and_pictures_are_content_but_no_text() {
    for data in [
        r#"{"type":"response.audio.delta","delta":"AAAA"}"#,
        r#"{"type":"response.image_generation_call.partial_image","partial_image_b64":"AAAA"}"#,
    ] {
        let (verdicts, watched) = watch(Endpoint::Responses, &format!("data: {data}\n\n"));
        assert_eq!((&verdicts[..], watched.facts().output_bytes), (&[Verdict::Content][..], 0), "{data}");
    }
    let (_, watched) = watch(CHAT, "data: {\"choices\":[{\"delta\":{\"audio\":{\"data\":\"AAAA\"}}}]}\n\n");
    assert_eq!(watched.facts().output_bytes, 0);
}

#[test]
fn the_event_name_stands_in_for_a_missing_type() {
    let (verdicts, watched) =
        watch(Endpoint::Responses, "event: response.completed\ndata: {\"response\":{}}\n\n");
    assert_eq!(verdicts, [Verdict::Terminator]);
    assert!(watched.terminated());
}

#[test]
fn failed_responses_say_why() {
    let failed = r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"rate_limit_exceeded","message":"slow"},"usage":{"input_tokens":7,"output_tokens":0}}}"#;
    let (verdicts, watched) =
        watch(Endpoint::Responses, &format!("event: response.failed\ndata: {failed}\n\n"));
    let Verdict::Failed(fault) = &verdicts[0] else { panic!("{verdicts:?}") };
    assert_eq!((fault.class, fault.message.as_str()), (FailureClass::RateLimit, "slow"));
    assert_eq!(watched.facts().usage.map(|usage| usage.input), Some(7));
    let flat = r#"{"type":"error","code":"context_length_exceeded","message":"too long","param":null,"sequence_number":3}"#;
    assert_eq!(class(Endpoint::Responses, flat), Some(FailureClass::ContextLength));
    let nested = r#"{"type":"error","sequence_number":3,"error":{"type":"insufficient_quota","code":"insufficient_quota","message":"x"}}"#;
    assert_eq!(class(Endpoint::Responses, nested), Some(FailureClass::Quota));
}

#[test]
fn the_next_sequence_number_follows_the_last_one_seen() {
    let (_, watched) = watch(
        Endpoint::Responses,
        "data: {\"type\":\"response.created\",\"sequence_number\":0}\n\ndata: {\"type\":\"x\",\"sequence_number\":4}\n\n",
    );
    assert_eq!(watched.next_sequence_number(), 5);
    assert_eq!(StreamWatch::new(CHAT).next_sequence_number(), 0);
}

#[test]
fn streams_that_are_only_passed_through_are_content_and_always_whole() {
    let (verdicts, watched) = watch(Endpoint::Passthrough, "event: speech.audio.delta\ndata: not json\n\n");
    assert_eq!(verdicts, [Verdict::Content]);
    assert!(watched.finished());
}

#[test]
fn usage_is_read_from_every_spelling() {
    let cases = [
        (
            json!({"prompt_tokens":1000,"completion_tokens":200,"total_tokens":1200,
            "prompt_tokens_details":{"cached_tokens":600,"cache_write_tokens":100,"audio_tokens":5},
            "completion_tokens_details":{"reasoning_tokens":150,"audio_tokens":9,"accepted_prediction_tokens":0}}),
            Usage {
                input: 1000,
                cached_input: 600,
                cache_write: 100,
                audio_input: 5,
                output: 200,
                reasoning: 150,
                audio_output: 9,
                ..Usage::default()
            },
        ),
        (
            json!({"input_tokens":36,"input_tokens_details":{"cached_tokens":4,"cache_write_tokens":1},"output_tokens":87,
            "output_tokens_details":{"reasoning_tokens":7},"total_tokens":123}),
            Usage {
                input: 36,
                cached_input: 4,
                cache_write: 1,
                output: 87,
                reasoning: 7,
                ..Usage::default()
            },
        ),
        (
            json!({"prompt_tokens":30,"completion_tokens":5,"prompt_cache_hit_tokens":20,"prompt_cache_miss_tokens":10}),
            Usage { input: 30, cached_input: 20, output: 5, ..Usage::default() },
        ),
        (json!({"prompt_tokens":8,"total_tokens":8}), Usage { input: 8, ..Usage::default() }),
        (json!({"total_tokens":8}), Usage { input: 8, ..Usage::default() }),
        (
            json!({"prompt_tokens":10,"completion_tokens":null,"prompt_tokens_details":null}),
            Usage { input: 10, ..Usage::default() },
        ),
        (
            json!({"prompt_tokens":10,"completion_tokens":2,"total_tokens":20,"completion_tokens_details":{"reasoning_tokens":8}}),
            Usage { input: 10, output: 10, reasoning: 8, ..Usage::default() },
        ),
        (
            json!({"prompt_tokens":10.0,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":50}}),
            Usage { input: 10, cached_input: 10, output: 2, ..Usage::default() },
        ),
    ];
    for (raw, expected) in cases {
        assert_eq!(usage(&raw.to_string()), Some(expected), "{raw}");
    }
}

#[test]
fn usage_of_caches_searches_and_images_is_read_as_providers_count_it() {
    let cases = [
        // Anthropic counts what its cache read and wrote beside its input.
        (
            json!({"input_tokens":100,"cache_read_input_tokens":600,"cache_creation_input_tokens":300,"output_tokens":50,
            "cache_creation":{"ephemeral_5m_input_tokens":100,"ephemeral_1h_input_tokens":200},
            "server_tool_use":{"web_search_requests":2},"service_tier":"standard"}),
            Usage {
                input: 1000,
                cached_input: 600,
                cache_write: 300,
                cache_write_1h: 200,
                output: 50,
                searches: 2,
                ..Usage::default()
            },
        ),
        // Who resells it in OpenAI's words counts them within.
        (
            json!({"prompt_tokens":1000,"completion_tokens":50,"cache_read_input_tokens":600,"cache_creation_input_tokens":300}),
            Usage { input: 1000, cached_input: 600, cache_write: 300, output: 50, ..Usage::default() },
        ),
        (
            json!({"input_tokens":50,"input_tokens_details":{"text_tokens":10,"image_tokens":40},"output_tokens":272,
            "output_tokens_details":{"image_tokens":272}}),
            Usage { input: 50, image_input: 40, output: 272, image_output: 272, ..Usage::default() },
        ),
    ];
    for (raw, expected) in cases {
        assert_eq!(usage(&raw.to_string()), Some(expected), "{raw}");
    }
}

#[test]
fn usage_that_counts_nothing_is_unknown_and_not_zero() {
    for raw in ["null", "{}", r#"{"prompt_tokens":null}"#, "5", "\"x\"", r#"{"queue_time":0.1}"#] {
        assert_eq!(usage(raw), None, "{raw}");
    }
    assert_eq!(usage(r#"{"prompt_tokens":0,"completion_tokens":0}"#), Some(Usage::default()));
}

#[test]
fn of_repeated_usage_the_last_counts_and_nothing_is_added_up() {
    let chunk = |input: u32, output: u32| {
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"a\"}}}}],\"usage\":{{\"prompt_tokens\":{input},\"completion_tokens\":{output}}}}}\n\n"
        )
    };
    let (_, watched) = watch(CHAT, &(chunk(5, 1) + &chunk(5, 2) + &chunk(5, 3)));
    assert_eq!(watched.facts().usage, Some(Usage { input: 5, output: 3, ..Usage::default() }));
    assert_eq!(watched.facts().usage_raw.as_deref(), Some(r#"{"prompt_tokens":5,"completion_tokens":3}"#));
}

#[test]
fn a_null_usage_after_a_real_one_does_not_erase_it() {
    let stream = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1}}\n\ndata: {\"choices\":[],\"usage\":null}\n\n";
    assert!(watch(CHAT, stream).1.facts().usage.is_some());
}

#[test]
fn a_stated_cost_is_exact_to_the_nano_dollar() {
    for (cost, expected) in [
        ("0.00014", 140_000),
        ("1.4e-05", 14_000),
        ("\"0.1\"", 100_000_000),
        ("0", 0),
        ("12", 12_000_000_000),
        ("0.0000000005", 0),
        ("0.0000000015", 2),
        ("0.00000000051", 1),
        ("2E+1", 20_000_000_000),
        ("1e-99", 0),
        ("0e99", 0),
        ("0.1234567890123456789", 123_456_789),
    ] {
        assert_eq!(stated(&format!(r#"{{"prompt_tokens":1,"cost":{cost}}}"#)), Some(expected), "{cost}");
    }
    for cost in ["null", "-1", "1e99", "\"free\"", "true", "{}", "[]", "99999999999999"] {
        assert_eq!(stated(&format!(r#"{{"prompt_tokens":1,"cost":{cost}}}"#)), None, "{cost}");
    }
}

#[test]
fn a_callers_own_key_adds_the_providers_bill_to_the_cost() {
    let usage = |byok: bool| {
        format!(
            r#"{{"prompt_tokens":1,"cost":0.001,"is_byok":{byok},"cost_details":{{"upstream_inference_cost":0.02}}}}"#
        )
    };
    assert_eq!(stated(&usage(true)), Some(21_000_000));
    assert_eq!(stated(&usage(false)), Some(1_000_000));
    assert_eq!(stated(r#"{"prompt_tokens":1,"cost":{"total_cost":0.006}}"#), Some(6_000_000));
}

#[test]
fn whole_answers_tell_the_same_as_streams() {
    let chat = br#"{"id":"c","model":"gpt-x-2026","choices":[{"index":1,"message":{"content":"xy"},"finish_reason":"length"},{"index":0,"message":{"role":"assistant","content":"abc","refusal":null},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4,"cost":0.5}}"#;
    let facts = read_whole(CHAT, chat).unwrap();
    assert_eq!(facts.finish_reason.as_deref(), Some("stop"));
    assert_eq!(facts.response_model.as_deref(), Some("gpt-x-2026"));
    assert_eq!(facts.output_bytes, 5);
    assert_eq!(facts.stated_cost, Some(NanoUsd(500_000_000)));
    let embeddings = br#"{"object":"list","data":[{"embedding":[0.1,-2e-3]}],"model":"e","usage":{"prompt_tokens":8,"total_tokens":8}}"#;
    let facts = read_whole(Endpoint::Embeddings, embeddings).unwrap();
    assert_eq!((facts.usage.map(|usage| usage.input), facts.response_model.as_deref()), (Some(8), Some("e")));
}

#[test]
fn a_whole_response_says_why_it_ended_in_chats_words() {
    let reason = |body: &str| read_whole(Endpoint::Responses, body.as_bytes()).unwrap().finish_reason;
    assert_eq!(reason(r#"{"status":"completed","output":[{"type":"message"}]}"#).as_deref(), Some("stop"));
    assert_eq!(
        reason(r#"{"status":"completed","output":[{"type":"function_call"}]}"#).as_deref(),
        Some("tool_calls")
    );
    assert_eq!(
        reason(r#"{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}}"#).as_deref(),
        Some("length")
    );
    assert_eq!(
        reason(r#"{"status":"incomplete","incomplete_details":{"reason":"content_filter"}}"#).as_deref(),
        Some("content_filter")
    );
    assert_eq!(reason(r#"{"status":"queued"}"#), None);
}

#[test]
fn blank_lines_before_a_whole_body_do_no_harm() {
    assert!(read_whole(CHAT, b"\n\n\n {\"choices\":[]}\n").is_ok());
}

#[test]
fn a_200_that_is_not_an_answer_is_a_fault() {
    for body in
        ["<html><body>busy</body></html>", "{\"choices\":[{\"message\":", "", "upstream connect error"]
    {
        for endpoint in [CHAT, Endpoint::Responses, Endpoint::Completions, Endpoint::Embeddings] {
            let fault = read_whole(endpoint, body.as_bytes()).unwrap_err();
            assert_eq!(fault.class, FailureClass::Garbled, "{body}");
            assert!(!fault.message.contains('<'), "{}", fault.message);
        }
    }
    let inside = read_whole(CHAT, br#"{"error":{"code":429,"message":"slow down"}}"#).unwrap_err();
    assert_eq!((inside.class, inside.code.as_deref()), (FailureClass::RateLimit, Some("429")));
    let failed = br#"{"id":"r","status":"failed","error":{"code":"server_error","message":"sorry"}}"#;
    assert_eq!(read_whole(Endpoint::Responses, failed).unwrap_err().message, "sorry");
    assert!(read_whole(Endpoint::Passthrough, b"\x89PNG").is_ok());
}

#[test]
fn the_tier_an_answer_was_served_at_is_told_and_the_standard_one_has_many_names() {
    for (endpoint, body, service) in [
        (Endpoint::ChatCompletions, r#"{"choices":[],"service_tier":"flex"}"#, Some("flex")),
        (Endpoint::ChatCompletions, r#"{"choices":[],"service_tier":"default"}"#, None),
        (Endpoint::ChatCompletions, r#"{"choices":[],"service_tier":null}"#, None),
        (
            Endpoint::Responses,
            r#"{"status":"completed","output":[],"service_tier":"priority"}"#,
            Some("priority"),
        ),
        (
            Endpoint::Passthrough,
            r#"{"usage":{"input_tokens":1,"output_tokens":1,"service_tier":"batch"}}"#,
            Some("batch"),
        ),
        (
            Endpoint::Passthrough,
            r#"{"usage":{"input_tokens":1,"output_tokens":1,"service_tier":"standard","speed":"fast"}}"#,
            Some("fast"),
        ),
    ] {
        let facts = read_whole(endpoint, body.as_bytes()).unwrap();
        assert_eq!(facts.service.as_deref(), service, "{body}");
    }
}
