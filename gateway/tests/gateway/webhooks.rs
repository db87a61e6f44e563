//! Delivering events: signed, tried again for a day, at least once, and never to where it must not go.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use registry::WebhookChange;
use registry::webhooks::{DeliveryState, Format};
use serde_json::json;
use sha2::Sha256;

use crate::office::{Office, START, admin};
use crate::support::{FakeProvider, Reply};

/// What a path must not show up as.
const PATH: &str = "/services/T0/B0/very-secret";

fn taken() -> Reply {
    Reply::json(&json!({}))
}

fn failed(status: u16) -> Reply {
    Reply::status(status, &json!({"error": format!("cannot POST {PATH}")}))
}

fn url(receiver: &FakeProvider) -> String {
    receiver.base_url().replace("/v1", PATH)
}

/// What a receiver does: takes the header apart, and makes the same of the bytes and the secret it was given.
fn verifies(header: &str, secret: &str, body: &[u8]) -> bool {
    let (time, signature) = header.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    let pairs = signature.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    let bytes: Vec<_> = pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
    mac.verify_slice(&bytes).is_ok()
}

#[tokio::test]
async fn an_event_arrives_as_it_is_signed() {
    let (it, receiver) = (Office::open().await, FakeProvider::start().await);
    receiver.will(taken());
    let hook = it.hook(&url(&receiver), Format::Weir).await;
    let event = it.raise().await;

    assert_eq!(it.jobs.courier.deliver_due().await, 1);

    let posted = receiver.only();
    assert_eq!((posted.method.as_str(), &*posted.path), ("POST", PATH));
    assert_eq!(posted.text(), &*event.body);
    let header = |name| posted.header(name).unwrap_or_default();
    assert_eq!(header("content-type"), "application/json");
    assert_eq!((header("weir-event"), header("weir-event-id")), ("alert.firing", &*event.id.to_string()));
    let signature = header("weir-signature");
    assert!(signature.starts_with(&format!("t={},v1=", START.micros() / 1_000_000)), "{signature}");
    assert!(verifies(signature, hook.secret.expose(), &posted.body));
    assert!(!verifies(signature, hook.secret.expose(), b"{}") && !verifies(signature, "other", &posted.body));
    let delivery = it.deliveries(&hook.issued).await.remove(0);
    assert_eq!(
        (delivery.state, delivery.status, delivery.attempts),
        (DeliveryState::Delivered, Some(200), 1)
    );
    assert_eq!(delivery.id.to_string(), header("weir-delivery-id"));
    assert!(it.metrics.text().contains(r#"weir_webhook_deliveries_total{result="delivered"} 1"#));
}

#[tokio::test]
async fn what_failed_is_tried_again_with_the_same_event_and_a_new_signature() {
    let (it, receiver) = (Office::open().await, FakeProvider::start().await);
    receiver
        .will(failed(500))
        .will(failed(429).header("retry-after", "3600"))
        .will(Reply::hang_up())
        .will(taken());
    let hook = it.hook(&url(&receiver), Format::Weir).await.issued;
    it.raise().await;

    assert_eq!(it.after(Duration::ZERO).await, 1);
    assert_eq!(it.after(Duration::from_secs(7)).await, 0, "not before its time");
    assert_eq!(it.after(Duration::from_secs(5)).await, 1);
    assert_eq!(it.after(Duration::from_secs(3_599)).await, 0, "the receiver asked for an hour");
    assert_eq!(it.after(Duration::from_secs(1)).await, 1);
    assert_eq!(it.after(Duration::from_mins(1)).await, 1);

    let posted = receiver.received();
    let all = |name: &str| posted.iter().map(|it| it.header(name).unwrap().to_owned()).collect::<Vec<_>>();
    let (events, signatures) = (all("weir-event-id"), all("weir-signature"));
    assert!(events.len() == 4 && events.iter().all(|event| *event == events[0]), "{events:?}");
    assert!(signatures[0] != signatures[1] && signatures[1] != signatures[2], "{signatures:?}");
    let delivery = it.deliveries(&hook).await.remove(0);
    assert_eq!((delivery.state, delivery.attempts, delivery.error), (DeliveryState::Delivered, 4, None));
    let text = it.metrics.text();
    assert!(text.contains(r#"weir_webhook_deliveries_total{result="retried"} 3"#), "{text}");
}

#[tokio::test]
async fn a_receiver_that_stays_away_for_a_day_is_given_up_and_can_be_replayed() {
    let (it, receiver) = (Office::open().await, FakeProvider::start().await);
    for _ in 0..40 {
        receiver.will(failed(503));
    }
    let hook = it.hook(&url(&receiver), Format::Weir).await.issued;
    it.raise().await;
    let mut tries = 0;
    for _ in 0..400 {
        tries += it.after(Duration::from_mins(5)).await;
    }
    let first = it.deliveries(&hook).await.remove(0);
    assert_eq!((first.state, first.status), (DeliveryState::GivenUp, Some(503)));
    assert!((12..30).contains(&tries) && receiver.calls() == tries, "{tries}");

    let receiver = FakeProvider::start().await;
    receiver.will(taken());
    let moved = WebhookChange { url: Some(vocab::Secret::new(url(&receiver))), ..WebhookChange::default() };
    it.registry.update_webhook(hook.id, moved, &admin()).await.unwrap();
    it.registry.replay_delivery(first.id, &admin()).await.unwrap();
    assert_eq!(it.after(Duration::ZERO).await, 1);
    assert_eq!(receiver.only().header("weir-event-id"), Some(&*first.event_id.to_string()));
}

#[tokio::test]
async fn what_a_node_claimed_before_it_died_another_delivers() {
    let (it, receiver) = (Office::open().await, FakeProvider::start().await);
    receiver.will(taken());
    it.hook(&url(&receiver), Format::Weir).await;
    let event = it.raise().await;
    let claimed = it.registry.claim_delivery(Duration::from_mins(1)).await.unwrap();
    assert!(claimed.is_some());

    let other = it.another().await;
    assert_eq!(other.courier.deliver_due().await, 0, "it may still be under way");
    it.clock.advance(Duration::from_mins(1));
    assert_eq!(other.courier.deliver_due().await, 1);

    assert_eq!(receiver.only().header("weir-event-id"), Some(&*event.id.to_string()));
}

#[tokio::test]
async fn nodes_that_deliver_at_the_same_time_deliver_once() {
    let (it, receiver) = (Office::open().await, FakeProvider::start().await);
    it.hook(&url(&receiver), Format::Weir).await;
    for _ in 0..20 {
        receiver.will(taken());
        it.raise().await;
    }
    let (one, two) = (it.another().await, it.another().await);

    let tries =
        tokio::join!(it.jobs.courier.deliver_due(), one.courier.deliver_due(), two.courier.deliver_due());

    assert_eq!((tries.0 + tries.1 + tries.2, receiver.calls()), (20, 20));
}

#[tokio::test]
async fn slack_gets_a_message_it_understands_and_that_commands_nothing() {
    let (it, receiver) = (Office::open().await, FakeProvider::start().await);
    receiver.will(Reply::text(400, "text/plain", "invalid_payload")).will(Reply::text(
        200,
        "text/plain",
        "ok",
    ));
    let hook = it.hook(&url(&receiver), Format::Slack).await.issued;
    it.raise().await;
    it.after(Duration::ZERO).await;
    let error = it.deliveries(&hook).await.remove(0).error.unwrap();
    assert_eq!(error, "the answer was 400 Bad Request: invalid_payload");
    it.after(Duration::from_mins(1)).await;

    let posted = &receiver.received()[1];
    assert!(posted.header("weir-signature").is_none(), "Slack has no use for it");
    let text = "[critical] &lt;!channel&gt; fires for model a&amp;b";
    let from = "alert.firing · project default · 2026-11-30T00:00:00.000000Z";
    assert_eq!(
        posted.json(),
        json!({
            "text": text,
            "blocks": [
                {"type": "section", "text": {"type": "mrkdwn", "text": text}},
                {"type": "context", "elements": [{"type": "mrkdwn", "text": from}]},
            ],
        })
    );
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (it, receiver, other) =
        (Office::open().await, FakeProvider::start().await, FakeProvider::start().await);
    receiver.will(Reply::status(307, &json!({})).header("location", &other.base_url()));
    let hook = it.hook(&url(&receiver), Format::Weir).await.issued;
    it.raise().await;
    it.after(Duration::ZERO).await;
    assert_eq!((receiver.calls(), other.calls()), (1, 0));
    let error = it.deliveries(&hook).await.remove(0).error.unwrap();
    assert!(error.contains("redirects are not followed"), "{error}");
}

#[tokio::test]
async fn nothing_is_sent_into_the_operators_own_network_unless_it_is_allowed() {
    let (it, receiver) = (Office::with(|_| {}).await, FakeProvider::start().await);
    let hook = it.hook(&url(&receiver), Format::Weir).await.issued;
    it.raise().await;
    it.after(Duration::ZERO).await;
    let delivery = it.deliveries(&hook).await.remove(0);
    assert_eq!((delivery.state, receiver.calls()), (DeliveryState::GivenUp, 0));
    let error = delivery.error.unwrap();
    assert!(
        error.contains("private address") && error.contains("webhooks.allow_private_addresses"),
        "{error}"
    );
}

#[tokio::test]
async fn no_delivery_tells_the_secret_part_of_a_url() {
    let (it, receiver) = (Office::open().await, FakeProvider::start().await);
    receiver.will(failed(404)).will(Reply::hang_up()).will(Reply::status(302, &json!({})));
    let hook = it.hook(&url(&receiver), Format::Weir).await;
    it.raise().await;
    for _ in 0..3 {
        it.after(Duration::from_hours(1)).await;
        let deliveries = format!("{:?} {}", it.deliveries(&hook.issued).await, hook.issued.shown_url());
        assert!(!deliveries.contains("very-secret") && !deliveries.contains("services"), "{deliveries}");
    }
    drop(receiver);
    it.after(Duration::from_hours(1)).await;
    let error = it.deliveries(&hook.issued).await.remove(0).error.unwrap();
    assert!(error.contains("cannot be reached") && !error.contains("services"), "{error}");
}

#[tokio::test]
async fn a_webhook_that_was_disabled_gets_nothing_more() {
    let (it, receiver) = (Office::open().await, FakeProvider::start().await);
    let hook = it.hook(&url(&receiver), Format::Weir).await.issued;
    it.raise().await;
    let off = WebhookChange { enabled: Some(false), ..WebhookChange::default() };
    it.registry.update_webhook(hook.id, off, &admin()).await.unwrap();
    it.after(Duration::ZERO).await;
    let delivery = it.deliveries(&hook).await.remove(0);
    assert_eq!((delivery.state, receiver.calls()), (DeliveryState::GivenUp, 0));
}
