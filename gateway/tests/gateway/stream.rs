//! Streams: nothing held back, nothing changed but what must be, and never half an answer that looks whole.

use serde_json::{Value, json};
use vocab::{Clock, Time};

use crate::support::canned::{DONE, chat_content, chat_events, chat_finish};
use crate::support::{Answer, FakeProvider, Harness, Reply, ask_streamed, canned, millis};

#[tokio::test]
async fn events_pass_byte_for_byte() {
    let weir = Harness::start().await;
    let sent = [
        ": OPENROUTER PROCESSING\n\n",
        "data:{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"H\\u00e9\"}}] , \"x\":1e-7}\n\n",
        "id: 7\nretry: 5\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"é\"},\"vendor\":[1.50]}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
        DONE,
    ];
    weir.provider.will(Reply::events(sent));

    let (events, record) = weir.told().await;

    assert_eq!(events, sent);
    assert_eq!((&record["outcome"], &record["finish_reason"]), (&json!("ok"), &json!("stop")));
}

#[tokio::test]
async fn a_stream_is_announced_as_one_that_nobody_may_hold_back() {
    let weir = Harness::start().await;

    let stream = weir.stream(&ask_streamed()).await;

    assert_eq!(stream.header("content-type"), "text/event-stream; charset=utf-8");
    assert_eq!((stream.header("cache-control"), stream.header("x-accel-buffering")), ("no-cache", "no"));
    assert_eq!((stream.header("weir-provider"), stream.header("weir-attempts")), ("openai", "1"));
    assert_eq!(stream.header("x-request-id"), stream.header("weir-call-id"));
    assert!(!stream.headers.contains_key("content-length") && !stream.headers.contains_key("weir-cost-usd"));
}

#[tokio::test]
async fn each_event_goes_out_before_the_next_one_has_come() {
    let weir = Harness::start().await;
    let (reply, feed) = Reply::fed();
    weir.provider.will(reply);
    let asked = tokio::spawn({
        let call = weir.call("POST", "/v1/chat/completions").json(&ask_streamed());
        async move { call.stream().await }
    });

    for text in ["one", "two", "three"] {
        feed.send(&chat_content(text)).await;
    }
    let mut stream = asked.await.unwrap();
    for text in ["one", "two", "three"] {
        assert_eq!(stream.event().await, Some(chat_content(text)));
    }
    feed.send(&chat_finish()).await;
    assert_eq!(stream.event().await, Some(chat_finish()));
}

#[tokio::test]
async fn an_event_in_many_pieces_is_put_together() {
    let weir = Harness::start().await;
    let whole = chat_events("gpt-4o-mini", false).concat();
    let bytes: Vec<String> = whole.chars().map(String::from).collect();
    weir.provider.will(Reply::events(bytes));

    let (events, record) = weir.told().await;

    assert_eq!(events.concat(), whole);
    assert_eq!(record["outcome"], "ok");
}

#[tokio::test]
async fn usage_is_asked_for_upstream_and_kept_from_a_caller_who_did_not_ask() {
    let weir = Harness::start().await;

    let (events, record) = weir.told().await;

    assert_eq!(weir.provider.only().json()["stream_options"], json!({"include_usage": true}));
    assert!(events.iter().all(|event| !event.contains("prompt_tokens")), "{events:?}");
    assert_eq!(events.last().unwrap(), DONE);
    assert_eq!((&record["input_tokens"], &record["output_tokens"]), (&json!(12), &json!(3)));
    assert_eq!((&record["cached_input_tokens"], &record["reasoning_tokens"]), (&json!(4), &json!(1)));
    assert_eq!(record["usage_source"], "provider");
}

#[tokio::test]
async fn a_caller_who_asks_for_usage_gets_it_and_the_request_stays_as_it_is() {
    let weir = Harness::start().await;
    let body = "{\"model\":\"gpt-4o-mini\",\"messages\":[],\"stream\":true,\"stream_options\":{ \"include_usage\" : true }}";

    let stream = weir.call("POST", "/v1/chat/completions").body(body).stream().await;
    let events = stream.rest().await;

    assert_eq!(events, chat_events("gpt-4o-mini", true));
    assert_eq!(weir.provider.only().text(), body);
}

#[tokio::test]
async fn other_stream_options_are_kept() {
    let weir = Harness::start().await;
    let mut body = ask_streamed();
    body["stream_options"] = json!({"include_obfuscation": false, "include_usage": false});

    weir.stream(&body).await.rest().await;

    let sent = &weir.provider.only().json()["stream_options"];
    assert_eq!(*sent, json!({"include_obfuscation": false, "include_usage": true}));
}

#[tokio::test]
async fn usage_on_a_chunk_with_content_stays_with_it() {
    let weir = Harness::start().await;
    let mut last: Value = serde_json::from_str(chat_finish().trim_start_matches("data: ")).unwrap();
    last["usage"] = json!({"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7});
    let sent = [chat_content("Hi"), canned::data(&last), DONE.to_owned()];
    weir.provider.will(Reply::events(&sent));

    let (events, record) = weir.told().await;

    assert_eq!(events, sent);
    assert_eq!(record["input_tokens"], 5);
}

#[tokio::test]
async fn a_provider_that_answers_whole_although_a_stream_was_asked_for_is_passed_on() {
    let weir = Harness::start().await;
    weir.provider.will(Reply::json(&canned::chat("gpt-4o-mini")));

    let answer: Answer = weir.chat(&ask_streamed()).await;

    assert_eq!(answer.json(), canned::chat("gpt-4o-mini"));
    assert_eq!(answer.header("content-type"), "application/json");
}

#[tokio::test]
async fn a_connection_is_used_again_after_a_stream() {
    let weir = Harness::start().await;
    for _ in 0..3 {
        weir.stream(&ask_streamed()).await.rest().await;
    }
    let last = weir.provider.received().pop().unwrap();
    assert_eq!(last.connection, 1);
}

#[tokio::test]
async fn a_stream_is_recorded_put_together_with_its_first_token_time() {
    let weir = Harness::start().await;

    let (_, record) = weir.told().await;

    assert_eq!(record["response_body"]["choices"][0]["message"]["content"], canned::WORDS);
    let (first, whole) = (record["ttft_us"].as_u64().unwrap(), record["duration_us"].as_u64().unwrap());
    assert!(0 < first && first <= whole, "{first} {whole}");
    assert_eq!(record["streaming"], true);
}

#[tokio::test]
async fn large_events_pass() {
    let weir = Harness::start().await;
    let large = chat_content(&"x".repeat(2 << 20));
    weir.provider.will(Reply::events([large.clone(), chat_finish(), DONE.to_owned()]));

    let (events, record) = weir.told().await;

    assert_eq!(events[0].len(), large.len());
    assert_eq!(record["outcome"], "ok");
}

#[tokio::test]
async fn line_ends_of_other_systems_pass_and_are_understood() {
    let weir = Harness::start().await;
    let sent: Vec<String> = [chat_content("Hi"), chat_finish(), DONE.to_owned()]
        .iter()
        .map(|event| event.replace('\n', "\r\n"))
        .collect();
    weir.provider.will(Reply::events(&sent));

    let answer = weir.chat(&ask_streamed()).await;

    assert_eq!(answer.text(), sent.concat());
    assert_eq!(weir.record_of(&answer).await["outcome"], "ok");
}

#[tokio::test]
async fn the_first_token_is_timed_from_the_callers_first_byte() {
    let clock = Clock::manual(Time(1_795_996_800_000_000));
    let weir = Harness::at(clock.clone(), FakeProvider::start().await, |_| {}).await;
    let (reply, feed) = Reply::fed();
    weir.provider.will(reply);
    let call = weir.call("POST", "/v1/chat/completions").json(&ask_streamed());
    let asked = tokio::spawn(call.stream());
    weir.provider.arrived(1).await;

    clock.advance(millis(2_000));
    feed.send(&chat_content("Hi")).await;
    let mut stream = asked.await.unwrap();
    stream.event().await.unwrap();
    clock.advance(millis(3_000));
    for event in [chat_finish(), DONE.to_owned()] {
        feed.send(&event).await;
    }
    stream.rest().await;

    let record = &weir.records(1).await[0];
    assert_eq!((&record["ttft_us"], &record["duration_us"]), (&json!(2_000_000), &json!(5_000_000)));
}
