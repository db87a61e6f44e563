//! A version's fallbacks: tried in order when its model fails, each with what is different for it.

use serde_json::{Value, json};

use crate::support::{Answer, Harness, Reply};

/// A gateway that asks a model once, and a prompt of this version.
async fn weir(fallbacks: Value) -> Harness {
    let weir = Harness::with(|config| config.providers[0].tries = 1).await;
    weir.publish(
        "support/reply",
        json!({
            "messages": [{"role": "user", "content": "Hello"}],
            "model": "first",
            "parameters": {"temperature": 0.2, "max_tokens": 100, "seed": 7},
            "response_format": {"type": "json_object"},
            "fallbacks": fallbacks,
            "labels": ["production"],
        }),
    )
    .await;
    weir
}

fn naming() -> Value {
    json!({"prompt": {"id": "support/reply"}})
}

fn down() -> Reply {
    Reply::error(503, "server_error", "overloaded", "busy")
}

/// The models that were asked, in order.
fn asked(weir: &Harness) -> Vec<String> {
    let sent = weir.provider.received().into_iter();
    sent.map(|request| request.json()["model"].as_str().unwrap().to_owned()).collect()
}

async fn attempts(weir: &Harness, answer: &Answer) -> Vec<(Value, Value, Value)> {
    let path = format!("/calls/{}", answer.header("weir-call-id"));
    let call = weir.admin("GET", &path).send().await.json();
    let attempts = call["attempts"].as_array().unwrap_or_else(|| panic!("{call}")).iter();
    attempts.map(|it| (it["model"].clone(), it["reason"].clone(), it["failure_class"].clone())).collect()
}

#[tokio::test]
async fn the_next_model_is_asked_with_what_is_different_for_it() {
    let different = json!({
        "model": "third", "parameters": {"temperature": 1, "seed": null, "max_completion_tokens": 50},
        "response_format": null, "tools": [{"type": "function", "function": {"name": "look_up"}}],
    });
    let weir = weir(json!(["second", different])).await;
    weir.provider.will(down());
    weir.provider.will(down());

    let answer = weir.chat(&naming()).await;

    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!((answer.header("weir-model"), answer.header("weir-attempts")), ("third", "3"));
    assert_eq!(asked(&weir), ["first", "second", "third"]);
    let sent = weir.provider.received();
    let (second, third) = (sent[1].json(), sent[2].json());
    assert_eq!(
        (&second["temperature"], &second["seed"], &second["max_tokens"]),
        (&json!(0.2), &json!(7), &json!(100))
    );
    assert_eq!(second["response_format"]["type"], "json_object");
    assert_eq!((&third["temperature"], &third["tools"][0]["type"]), (&json!(1), &json!("function")));
    assert!(third.get("seed").is_none() && third.get("response_format").is_none(), "{third}");
    let limits = ["max_tokens", "max_completion_tokens"].map(|name| third[name].clone());
    assert!(limits.contains(&json!(50)) && !limits.contains(&json!(100)), "{third}");
    assert_eq!(third["messages"][0]["content"], "Hello");

    weir.record_of(&answer).await;
    let told = attempts(&weir, &answer).await;
    let reason = "fallback after a failure";
    assert_eq!(told[0], (json!("first"), json!("first target"), json!("transient")));
    assert_eq!(told[1], (json!("second"), json!(reason), json!("transient")));
    assert_eq!(told[2], (json!("third"), json!(reason), Value::Null));
}

#[tokio::test]
async fn what_the_caller_sets_goes_along() {
    let weir = weir(json!([{"model": "second", "parameters": {"temperature": 1}}])).await;
    weir.provider.will(down());
    let mut body = naming();
    body["temperature"] = json!(0.7);
    body["messages"] = json!([{"role": "user", "content": "And this"}]);

    assert_eq!(weir.chat(&body).await.status, 200);

    let sent = weir.provider.received()[1].json();
    assert_eq!((&sent["model"], &sent["temperature"]), (&json!("second"), &json!(0.7)));
    assert_eq!(sent["messages"][1]["content"], "And this");
}

#[tokio::test]
async fn a_stream_falls_back_before_it_begins() {
    let weir = weir(json!(["second"])).await;
    weir.provider.will(down());
    let mut body = naming();
    body["stream"] = json!(true);

    let answer = weir.chat(&body).await;

    assert_eq!((answer.status, answer.header("weir-model")), (200, "second"));
    assert!(answer.text().contains("data: [DONE]"), "{}", answer.text());
}

#[tokio::test]
async fn what_is_wrong_anywhere_is_asked_nowhere_else() {
    let weir = weir(json!(["second"])).await;
    weir.provider.will(Reply::error(400, "invalid_request_error", "bad", "no such thing"));
    assert_eq!(weir.chat(&naming()).await.status, 400);
    assert_eq!(asked(&weir), ["first"]);
}

#[tokio::test]
async fn a_caller_with_a_model_of_its_own_gets_that_or_its_failure() {
    let weir = weir(json!(["second"])).await;
    let mut body = naming();
    body["model"] = json!("mine");
    weir.provider.will(down());
    assert_eq!(weir.chat(&body).await.status, 502);
    assert_eq!(asked(&weir), ["mine"]);

    body["model"] = json!("first");
    weir.provider.will(down());
    assert_eq!(weir.chat(&body).await.header("weir-model"), "second", "the version's own model is no other");
}

#[tokio::test]
async fn what_a_provider_keeps_is_asked_of_no_other() {
    let weir = Harness::with(|config| config.providers[0].tries = 1).await;
    let version =
        json!({"text": "Hello", "model": "first", "fallbacks": ["second"], "labels": ["production"]});
    weir.publish("support/reply", version).await;
    let answer = async |body: Value| {
        weir.provider.will(down());
        weir.call("POST", "/v1/responses").json(&body).send().await
    };
    let bound = answer(json!({"prompt": {"id": "support/reply"}, "previous_response_id": "resp_1"})).await;
    assert_eq!((bound.status, asked(&weir)), (502, vec!["first".to_owned()]), "{}", bound.text());
    let free = answer(json!({"prompt": {"id": "support/reply"}, "previous_response_id": null})).await;
    assert_eq!((free.status, free.header("weir-model")), (200, "second"), "{}", free.text());
}

#[tokio::test]
async fn a_model_the_key_may_not_use_is_passed_over() {
    let weir = weir(json!(["second", "third"])).await;
    let key = weir.key(json!({"models": ["first", "third"]})).await;
    weir.provider.will(down());
    let answer = weir.call("POST", "/v1/chat/completions").key(&key).json(&naming()).send().await;
    assert_eq!((answer.status, answer.header("weir-model")), (200, "third"), "{}", answer.text());
}

#[tokio::test]
async fn when_all_fail_the_last_failure_is_told() {
    let weir = weir(json!(["second"])).await;
    weir.provider.will(down());
    weir.provider.will(Reply::error(429, "rate_limit_error", "rate_limit_exceeded", "slow down"));
    let answer = weir.chat(&naming()).await;
    assert_eq!((answer.status, answer.header("weir-model")), (429, "second"), "{}", answer.text());
    assert_eq!(weir.record_of(&answer).await["outcome"], "upstream_error");
}

#[tokio::test]
async fn a_locked_value_the_caller_repeats_does_not_stand_in_the_way() {
    let weir = Harness::with(|config| config.providers[0].tries = 1).await;
    let locked = json!({
        "messages": [{"role": "user", "content": "Hello"}], "model": "first", "labels": ["production"],
        "parameters": {"temperature": 0.2}, "locked": ["temperature", "model"],
        "fallbacks": [{"model": "second", "parameters": {"temperature": 1}}],
    });
    weir.publish("support/reply", locked).await;
    weir.provider.will(down());
    let mut body = naming();
    body["model"] = json!("first");
    body["temperature"] = json!(0.2);
    assert_eq!(weir.chat(&body).await.header("weir-model"), "second");
}
