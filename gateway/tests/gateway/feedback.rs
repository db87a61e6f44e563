//! `/v1/feedback`: scores from applications with their key, and from browsers through links that work once.

use std::time::Duration;

use config::{Config, Known, Redact};
use serde_json::{Value, json};
use vocab::{Clock, Time};

use crate::support::{Answer, Call, FakeProvider, Harness, ask, ask_streamed};

/// A call id nobody ever had, from 2023.
const OLD: &str = "01890000-5a00-7c3e-9d5b-0f6c2a1b3c4d";

async fn called(weir: &Harness) -> String {
    weir.chat(&ask()).await.header("x-request-id").to_owned()
}

async fn scores(weir: &Harness, query: &str) -> Vec<Value> {
    let answer = weir.admin("GET", &format!("/scores?{query}")).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["data"].as_array().unwrap().clone()
}

/// Makes a link and returns the path it leads to.
async fn link(weir: &Harness, body: Value) -> String {
    let made = weir.post("/v1/feedback/links", &body).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let url = made.json()["url"].as_str().unwrap().to_owned();
    let base = format!("http://{}", weir.data_address());
    url.strip_prefix(&base).unwrap_or_else(|| panic!("{url} does not lead to {base}")).to_owned()
}

fn browser(weir: &Harness, method: &str, path: &str) -> Call {
    Call::new(weir.data_address(), method, path)
}

async fn post_form(weir: &Harness, path: &str, form: &str) -> Answer {
    let call = browser(weir, "POST", path).header("content-type", "application/x-www-form-urlencoded");
    call.body(form.to_owned()).send().await
}

#[tokio::test]
async fn an_application_scores_the_call_it_just_made() {
    let weir = Harness::start().await;
    let call = called(&weir).await;
    let given = weir
        .post("/v1/feedback", &json!({"call_id": call, "name": "helpful", "value": true, "comment": "yes"}))
        .await;
    assert_eq!(given.status, 201, "{}", given.text());
    let score = given.json();
    assert_eq!(
        (&score["call_id"], &score["value"], &score["source"]),
        (&json!(call), &json!(1.0), &json!("feedback"))
    );
    assert_eq!(scores(&weir, &format!("call_id={call}")).await, [score]);

    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let list = json!([{"trace_id": trace, "name": "a", "value": 1}, {"session_id": "s/4", "name": "b", "value": 2.5}]);
    let given = weir.post("/v1/feedback", &list).await.json();
    assert_eq!(given["data"].as_array().unwrap().len(), 2);
    assert_eq!(scores(&weir, "session_id=s%2F4").await[0]["value"], 2.5);
    assert_eq!(weir.search("score.helpful:1").await.len(), 1);
}

#[tokio::test]
async fn a_comment_is_redacted_as_calls_are() {
    let weir = Harness::with(|config| config.records.redact = vec![Redact::Known(Known::Email)]).await;
    let call = called(&weir).await;
    let comment = "write to ada@example.com";
    let score = json!({"call_id": call, "name": "helpful", "value": 1, "comment": comment});
    let given = weir.post("/v1/feedback", &score).await;
    assert_eq!(given.status, 201, "{}", given.text());
    let kept = scores(&weir, &format!("call_id={call}")).await[0]["comment"].as_str().unwrap().to_owned();
    assert!(kept.starts_with("write to ") && !kept.contains("ada@"), "{kept}");
}

#[tokio::test]
async fn a_call_under_way_can_be_scored_already() {
    let weir = Harness::start().await;
    let stream = weir.stream(&ask_streamed()).await;
    let id = stream.header("weir-call-id").to_owned();
    let given = weir.post("/v1/feedback", &json!({"call_id": id, "name": "helpful", "value": 0})).await;
    assert_eq!(given.status, 201, "{}", given.text());
    stream.rest().await;
}

#[tokio::test]
async fn feedback_takes_a_key_and_something_to_judge() {
    let weir = Harness::start().await;
    let score = json!({"session_id": "s", "name": "a", "value": 1});
    assert_eq!(weir.call("POST", "/v1/feedback").without_key().json(&score).send().await.status, 401);
    assert_eq!(weir.call("GET", "/v1/feedback").send().await.refusal().1, "method_not_allowed");
    let gone = weir.post("/v1/feedback", &json!({"call_id": OLD, "name": "a", "value": 1})).await;
    assert_eq!(gone.refusal(), (404, "not_found".into(), "invalid_request_error".into()));
    assert_eq!(gone.error()["param"], "call_id");
    for wrong in [json!({}), json!("x"), json!({"session_id": "s", "name": "a", "value": "good"})] {
        assert_eq!(weir.post("/v1/feedback", &wrong).await.refusal().1, "invalid_request", "{wrong}");
    }
}

#[tokio::test]
async fn a_link_shows_a_page_and_takes_one_answer() {
    let weir = Harness::start().await;
    let call = called(&weir).await;
    let path = link(
        &weir,
        json!({"call_id": call, "name": "stars", "question": "How <good>?", "user": "ann",
        "values": [{"value": 1, "label": "Poor"}, {"value": 5, "label": "Great & fast"}]}),
    )
    .await;

    for _ in 0..2 {
        let page = browser(&weir, "GET", &path).send().await;
        assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
        let html = page.text();
        assert!(html.contains("<h1>How &lt;good&gt;?</h1>") && html.contains("Great &amp; fast"), "{html}");
        assert!(html.contains("<legend>stars</legend>") && !html.contains("<script"), "{html}");
        assert!(html.contains("prefers-color-scheme: dark") && html.contains("lang=\"en\""), "{html}");
        let policy = page.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'") && policy.contains("form-action 'self'"),
            "{policy}"
        );
        assert_eq!(
            (page.header("referrer-policy"), page.header("cache-control")),
            ("no-referrer", "no-store")
        );
    }

    let thanks = post_form(&weir, &path, "value.stars=5&comment=so+%26+so").await;
    assert_eq!(thanks.status, 201, "{}", thanks.text());
    assert!(thanks.text().contains("Thank you"));
    let filed = scores(&weir, &format!("call_id={call}")).await;
    assert_eq!(filed.len(), 1);
    assert_eq!((&filed[0]["value"], &filed[0]["comment"]), (&json!(5.0), &json!("so & so")));
    assert_eq!((&filed[0]["source"], &filed[0]["author"]), (&json!("link"), &json!("ann")));

    let again = post_form(&weir, &path, "value.stars=1").await;
    assert_eq!(again.status, 410);
    assert!(again.text().contains("used already") && again.header("content-type").starts_with("text/html"));
    let page = browser(&weir, "GET", &path).header("accept", "text/html").send().await;
    assert_eq!(page.status, 410);
    assert_eq!(scores(&weir, &format!("call_id={call}")).await, filed, "the first answer stays");
}

#[tokio::test]
async fn a_link_used_before_a_restart_stays_used() {
    let weir = Harness::start().await;
    let call = called(&weir).await;
    let path = link(&weir, json!({"call_id": call, "name": "helpful"})).await;
    let first = browser(&weir, "POST", &path).json(&json!({"value": true})).send().await;
    assert_eq!(first.status, 201, "{}", first.text());
    let again = weir.stop().await.start_again().await;
    let second = browser(&again, "POST", &path).json(&json!({"value": false})).send().await;
    assert_eq!(second.refusal(), (410, "gone".into(), "invalid_request_error".into()));
    assert_eq!(scores(&again, &format!("call_id={call}")).await[0]["value"], 1.0);
}

// The score of such a session stands under another name than the link has.
#[tokio::test]
async fn a_link_about_a_redacted_session_stays_used_too() {
    fn redact(config: &mut Config) {
        config.records.redact = vec![Redact::Known(Known::Email)];
    }
    let weir = Harness::with(redact).await;
    let path = link(&weir, json!({"session_id": "case of ann@example.com", "name": "helpful"})).await;
    let first = browser(&weir, "POST", &path).json(&json!({"value": true})).send().await;
    assert_eq!(first.status, 201, "{}", first.text());
    let again = weir.stop().await.start_again_with(redact).await;
    let second = browser(&again, "POST", &path).json(&json!({"value": false})).send().await;
    assert_eq!(second.refusal(), (410, "gone".into(), "invalid_request_error".into()));
}

#[tokio::test]
async fn of_many_who_post_at_once_one_gets_through() {
    let weir = Harness::start().await;
    let call = called(&weir).await;
    let path = link(&weir, json!({"call_id": call, "name": "n", "values": [0, 1, 2, 3, 4, 5, 6, 7]})).await;
    let posts = (0..8).map(|value| browser(&weir, "POST", &path).json(&json!({ "value": value })).send());
    let statuses: Vec<u16> =
        futures_util::future::join_all(posts).await.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 410).count(), 7, "{statuses:?}");
    assert_eq!(scores(&weir, &format!("call_id={call}")).await.len(), 1);
}

#[tokio::test]
async fn any_web_page_may_post_to_a_link_and_to_nothing_else() {
    let weir = Harness::start().await;
    let path = link(&weir, json!({"session_id": "s-4", "names": ["tone", "facts"]})).await;
    let preflight = browser(&weir, "OPTIONS", &path).header("origin", "https://shop.example").send().await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (204, "*"));
    assert_eq!(preflight.header("access-control-allow-headers"), "content-type");

    let body = json!({"values": {"tone": true, "facts": false}, "comment": "kind, and wrong"});
    let given =
        browser(&weir, "POST", &path).header("origin", "https://shop.example").json(&body).send().await;
    assert_eq!((given.status, given.header("access-control-allow-origin")), (201, "*"));
    assert_eq!(given.json()["data"].as_array().unwrap().len(), 2);
    assert_eq!(scores(&weir, "session_id=s-4").await.len(), 2);
    let refused = browser(&weir, "POST", &path).json(&body).send().await;
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (410, "*"));

    let elsewhere =
        weir.call("POST", "/v1/feedback").json(&json!({"session_id": "s", "name": "a", "value": 1}));
    assert!(!elsewhere.send().await.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn a_link_allows_what_it_says_and_no_more() {
    let weir = Harness::start().await;
    let path =
        link(&weir, json!({"session_id": "s", "name": "stars", "values": [1, 2], "comment": false})).await;
    for (body, param) in [
        (json!({"value": 3}), "value"),
        (json!({"value": "1"}), "value"),
        (json!({}), "value"),
        (json!({"value": 1, "name": "other"}), "name"),
        (json!({"values": {"other": 1}}), "name"),
        (json!({"value": 1, "values": {"stars": 2}}), "name"),
        (json!({"value": 1, "comment": "hello"}), "comment"),
    ] {
        let refused = browser(&weir, "POST", &path).json(&body).send().await;
        assert_eq!((refused.status, &refused.error()["param"]), (400, &json!(param)), "{body}");
    }
    for form in ["", "value.stars=3", "value.other=1", "value.stars=x", "colour=red", "value.stars=%ff"] {
        let refused = post_form(&weir, &path, form).await;
        assert_eq!(refused.status, 400, "{form}: {}", refused.text());
        assert!(refused.text().contains("role=\"alert\""), "{form}");
    }
    assert_eq!(browser(&weir, "DELETE", &path).send().await.status, 405);
    assert_eq!(post_form(&weir, &path, "value.stars=2").await.status, 201, "no refusal used it up");
}

#[tokio::test]
async fn a_link_nobody_signed_is_none() {
    let weir = Harness::start().await;
    let path = link(&weir, json!({"session_id": "s", "name": "a"})).await;
    let (payload, mac) = path.rsplit_once('.').unwrap();
    let other = link(&weir, json!({"session_id": "t", "name": "a"})).await;
    let (_, other_mac) = other.rsplit_once('.').unwrap();
    for forged in [
        format!("{payload}.{other_mac}"),
        format!("{payload}."),
        payload.to_owned(),
        format!("{payload}x.{mac}"),
        format!("{path}A"),
        "/v1/feedback/x".to_owned(),
        "/v1/feedback/".to_owned(),
    ] {
        let refused = browser(&weir, "POST", &forged).json(&json!({"value": 1})).send().await;
        assert_eq!(refused.status, 404, "{forged}: {}", refused.text());
    }
    let elsewhere = Harness::start().await;
    assert_eq!(
        browser(&elsewhere, "GET", &path).send().await.status,
        404,
        "each registry has a secret of its own"
    );
}

#[tokio::test]
async fn a_link_ends_when_it_said() {
    let clock = Clock::manual(Time(1_795_996_800_000_000));
    let weir = Harness::at(clock.clone(), FakeProvider::start().await, |_| {}).await;
    let path =
        link(&weir, json!({"session_id": "s", "name": "a", "expires_at": "2026-11-30T01:00:00Z"})).await;
    clock.advance(Duration::from_secs(3_599));
    assert_eq!(browser(&weir, "GET", &path).send().await.status, 200);
    clock.advance(Duration::from_secs(1));
    let over = browser(&weir, "POST", &path).json(&json!({"value": 1})).send().await;
    assert_eq!(over.refusal().0, 410);
    assert!(over.message().contains("expired"), "{}", over.message());
}

#[tokio::test]
async fn a_link_is_for_something_that_is_there() {
    let weir = Harness::start().await;
    let refused = weir.post("/v1/feedback/links", &json!({"call_id": OLD, "name": "a"})).await;
    assert_eq!(refused.refusal().0, 404);
    for wrong in [json!({}), json!({"session_id": "s"}), json!({"session_id": "s", "name": "a", "colour": 1})]
    {
        assert_eq!(weir.post("/v1/feedback/links", &wrong).await.status, 400, "{wrong}");
    }
    assert_eq!(
        weir.call("POST", "/v1/feedback/links").without_key().json(&json!({})).send().await.status,
        401
    );
}
