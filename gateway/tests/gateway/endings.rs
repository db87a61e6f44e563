//! How streams end: whole, cut, stalled, left by their caller; and that half an answer never looks whole.

use serde_json::{Value, json};

use crate::support::canned::{DONE, chat_content, chat_finish, chat_usage_chunk};
use crate::support::{Harness, Reply, ask, ask_streamed, canned, millis};

/// What the last event says went wrong, in OpenAI's shape.
fn error_in(events: &[String]) -> Value {
    let last = events.last().unwrap();
    let error: Value = serde_json::from_str(last.strip_prefix("data: ").unwrap()).unwrap();
    let keys: Vec<_> = error["error"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["message", "type", "param", "code"], "{last}");
    assert!(!events.iter().any(|event| event == DONE), "a broken stream must not look whole: {events:?}");
    error["error"].clone()
}

#[tokio::test]
async fn a_missing_terminator_is_added_when_the_answer_is_whole() {
    let weir = Harness::start().await;
    for sent in [
        vec![chat_content("Hi"), chat_finish()],
        vec![chat_content("Hi"), chat_finish(), chat_usage_chunk("gpt-4o-mini")],
    ] {
        weir.provider.will(Reply::events(sent));
        let (events, record) = weir.told().await;
        assert_eq!(events, [chat_content("Hi"), chat_finish(), DONE.to_owned()]);
        assert_eq!((&record["outcome"], &record["status"]), (&json!("ok"), &json!(200)));
    }
}

#[tokio::test]
async fn a_stream_that_just_ends_is_not_whole() {
    let weir = Harness::start().await;
    weir.provider.will(Reply::events([chat_content("Hel")]));

    let (events, record) = weir.told().await;

    assert_eq!(events[0], chat_content("Hel"));
    let error = error_in(&events);
    assert_eq!((&error["type"], &error["code"]), (&json!("server_error"), &json!("upstream_error")));
    assert_eq!((&record["outcome"], &record["status"]), (&json!("truncated"), &json!(200)));
    assert_eq!(record["error_code"], "upstream_error");
}

#[tokio::test]
async fn a_stream_that_is_cut_ends_with_an_error_event_and_no_terminator() {
    let weir = Harness::start().await;
    weir.provider.will(Reply::events([chat_content("Hel"), chat_content("lo")]).cut());

    let (events, record) = weir.told().await;

    assert_eq!(events[..2], [chat_content("Hel"), chat_content("lo")]);
    assert_eq!(error_in(&events)["code"], "upstream_error");
    assert_eq!((&record["outcome"], &record["status"]), (&json!("truncated"), &json!(200)));
    assert_eq!(record["usage_source"], "estimated");
}

#[tokio::test]
async fn a_stream_cut_inside_an_event_does_not_pass_half_of_it_on() {
    let weir = Harness::start().await;
    weir.provider.will(Reply::events([chat_content("Hello").as_str(), "data: {\"choices\":[{\"ind"]).cut());

    let (events, _) = weir.told().await;

    assert_eq!((events.len(), &events[0]), (2, &chat_content("Hello")));
    error_in(&events);
}

#[tokio::test]
async fn a_broken_event_ends_the_stream_and_hangs_up_on_the_provider() {
    let weir = Harness::start().await;
    let (reply, feed) = Reply::fed();
    weir.provider.will(reply);
    feed.send(&chat_content("Hi")).await;
    feed.send("data: {\"choices\":[{\"index\":0,\n\n").await;

    let (events, record) = weir.told().await;

    assert_eq!(events[0], chat_content("Hi"));
    assert!(error_in(&events)["message"].as_str().unwrap().contains("not JSON"), "{events:?}");
    assert_eq!(record["outcome"], "truncated");
    feed.abandoned().await;
}

#[tokio::test]
async fn an_error_inside_a_stream_is_passed_on_in_the_providers_words_and_ends_it() {
    let weir = Harness::start().await;
    let failed = canned::data(
        &json!({"error": {"message": "overloaded", "type": "server_error", "param": null, "code": null}}),
    );
    weir.provider.will(Reply::events([chat_content("Hi"), failed.clone(), DONE.to_owned()]));

    let (events, record) = weir.told().await;

    assert_eq!(events, [chat_content("Hi"), failed]);
    assert_eq!((&record["outcome"], &record["error_message"]), (&json!("truncated"), &json!("overloaded")));
}

#[tokio::test]
async fn a_stalled_stream_ends_with_a_timeout() {
    let weir = Harness::with(|config| config.limits.idle_timeout = millis(80)).await;
    let (reply, feed) = Reply::fed();
    weir.provider.will(reply);
    feed.send(&chat_content("Hi")).await;

    let (events, record) = weir.told().await;

    assert_eq!(error_in(&events)["code"], "upstream_timeout");
    assert_eq!(
        (&record["outcome"], &record["error_code"]),
        (&json!("truncated"), &json!("upstream_timeout"))
    );
    feed.abandoned().await;
}

#[tokio::test]
async fn an_endless_stream_ends_when_the_calls_time_is_up() {
    let weir = Harness::with(|config| config.limits.call_timeout = millis(300)).await;
    weir.provider.will(Reply::endless(&chat_content("and ")));

    let (events, record) = weir.told().await;

    assert_eq!(error_in(&events)["code"], "upstream_timeout");
    assert_eq!(record["outcome"], "truncated");
    weir.provider.deserted().await;
}

#[tokio::test]
async fn a_caller_who_hangs_up_ends_the_call_upstream() {
    let weir = Harness::start().await;
    let (reply, feed) = Reply::fed();
    weir.provider.will(reply);
    feed.send(&chat_content("Hello")).await;
    let mut stream = weir.stream(&ask_streamed()).await;
    let id = stream.header("weir-call-id").to_owned();
    stream.event().await.unwrap();

    stream.hang_up();

    feed.abandoned().await;
    let record = weir.record(&id).await;
    assert_eq!((&record["outcome"], &record["status"]), (&json!("cancelled"), &json!(200)));
    assert_eq!((&record["usage_source"], &record["output_tokens"]), (&json!("estimated"), &json!(2)));
}

#[tokio::test]
async fn a_caller_who_leaves_before_the_answer_ends_the_call_upstream() {
    let weir = Harness::start().await;
    for body in [ask(), ask_streamed()] {
        let (reply, mut hold) = Reply::never();
        weir.provider.will(reply);
        let before = weir.provider.calls();
        let call = weir.call("POST", "/v1/chat/completions").json(&body);
        let waiting = tokio::spawn(async move { call.send().await });
        weir.provider.arrived(before + 1).await;

        waiting.abort();

        hold.abandoned().await;
    }
    for record in weir.records(2).await {
        assert_eq!((&record["outcome"], &record["status"]), (&json!("cancelled"), &json!(499)));
    }
}

#[tokio::test]
async fn two_choices_are_both_waited_for() {
    let weir = Harness::start().await;
    let chunk = |index: u64, reason: Value| {
        canned::data(
            &json!({"choices": [{"index": index, "delta": {"content": "x"}, "finish_reason": reason}]}),
        )
    };
    let sent = [chunk(0, Value::Null), chunk(1, Value::Null), chunk(0, json!("stop"))];
    weir.provider.will(Reply::events(&sent));

    let (events, record) = weir.told().await;

    error_in(&events);
    assert_eq!(record["outcome"], "truncated");
}

#[tokio::test]
async fn a_stream_ends_with_its_terminator_although_the_provider_keeps_the_line_open() {
    let weir = Harness::start().await;
    let (reply, feed) = Reply::fed();
    weir.provider.will(reply);
    for event in [chat_content("Hi"), chat_finish(), DONE.to_owned()] {
        feed.send(&event).await;
    }

    let (events, record) = weir.told().await;

    assert_eq!(events.last().unwrap(), DONE);
    assert_eq!(record["outcome"], "ok");
    assert_eq!(weir.chat(&ask()).await.status, 200);
}

#[tokio::test]
async fn what_follows_the_terminator_reaches_neither_this_caller_nor_the_next() {
    let weir = Harness::start().await;
    let late = chat_content("late");
    weir.provider.will(Reply::events([chat_content("Hi"), chat_finish(), DONE.to_owned(), late]));

    let (events, _) = weir.told().await;
    let (next, _) = weir.told().await;

    assert_eq!(events, [chat_content("Hi"), chat_finish(), DONE.to_owned()]);
    assert_eq!(next, canned::chat_events_seen("gpt-4o-mini"));
}

#[tokio::test]
async fn an_error_as_the_first_event_is_no_success() {
    let weir = Harness::start().await;
    let failed =
        canned::data(&json!({"error": {"message": "no capacity", "type": "server_error", "code": "busy"}}));
    weir.provider.will(Reply::events([failed.clone()]));

    let (events, record) = weir.told().await;

    assert_eq!(events, [failed]);
    assert_eq!((&record["outcome"], &record["error_code"]), (&json!("upstream_error"), &json!("busy")));
}
