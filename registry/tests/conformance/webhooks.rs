//! Cases about webhooks and the queue of deliveries: kept as given, claimed once, tried again, never lost.

use std::collections::BTreeSet;
use std::time::Duration;

use registry::webhooks::{Delivery, DeliveryState, Event, Format, Outcome, Receiver};
use registry::{Issued, NewWebhook, Paging, Role, StoreError, Webhook, WebhookChange, Who};
use tokio::task::JoinSet;
use vocab::{Id, Limit, Secret};

use crate::bench::{Bench, PROJECT};

const LEASE: Duration = Duration::from_secs(30);

pub(crate) fn hook(name: &str, events: &[&str]) -> NewWebhook {
    NewWebhook {
        name: name.to_owned(),
        project: PROJECT.to_owned(),
        url: Secret::new("https://example.com/hooks/0123456789abcdef"),
        format: None,
        events: events.iter().map(|event| (*event).to_owned()).collect(),
        enabled: true,
    }
}

pub(crate) fn event(it: &Bench, kind: &str) -> Event {
    let id = Id::new(&it.clock);
    Event { id, project: PROJECT.into(), kind: kind.into(), body: format!("{{\"id\":\"{id}\"}}").into() }
}

pub(crate) async fn make(it: &Bench, new: NewWebhook) -> Issued<Webhook> {
    it.registry.create_webhook(new, &it.admin).await.unwrap()
}

pub(crate) async fn deliveries(it: &Bench, webhook: &Webhook) -> Vec<Delivery> {
    let paging = Paging { limit: Limit::new(1_000).unwrap(), cursor: None };
    it.registry.list_deliveries(webhook.id, &paging).await.unwrap().data
}

async fn claim(it: &Bench) -> Option<Delivery> {
    it.registry.claim_delivery(LEASE).await.unwrap().map(|parcel| parcel.delivery)
}

pub(crate) async fn a_webhook_is_found_as_it_was_made_without_its_secrets(it: Bench) {
    let made = make(&it, hook("pager", &["alert.*", "alert.*"])).await;
    let secret = made.secret.expose();
    assert!(secret.starts_with("whsec_") && secret.len() == 46, "{secret}");
    let found = it.registry.get_webhook(made.issued.id).await.unwrap();
    assert_eq!(
        (&*found.name, found.format, &*found.events),
        ("pager", Format::Weir, &["alert.*".to_owned()][..])
    );
    assert_eq!(found.shown_url(), "https://example.com/…cdef");
    assert!(!format!("{made:?} {found:?}").contains("0123456789"));
    it.clock.advance(Duration::from_secs(1));
    let slack =
        NewWebhook { url: Secret::new("https://hooks.slack.com/services/T0/B0/xyz"), ..hook("chat", &[]) };
    assert_eq!(make(&it, slack).await.issued.format, Format::Slack);
    let taken = it.registry.create_webhook(hook("pager", &[]), &it.admin).await.unwrap_err();
    assert!(matches!(taken, StoreError::Taken(_)), "{taken}");
    let listed = it.registry.list_webhooks(PROJECT, &Paging::default()).await.unwrap().data;
    assert_eq!(listed.iter().map(|webhook| &*webhook.name).collect::<Vec<_>>(), ["chat", "pager"]);
}

pub(crate) async fn a_webhook_changes_only_from_where_it_was_expected(it: Bench) {
    let made = make(&it, hook("pager", &[])).await.issued;
    let url = Secret::new("https://hooks.slack.com/services/T0/B0/xyz");
    let change = WebhookChange {
        url: Some(url),
        enabled: Some(false),
        expected_revision: Some(made.revision),
        ..WebhookChange::default()
    };
    let changed = it.registry.update_webhook(made.id, change.clone(), &it.admin).await.unwrap();
    assert_eq!((changed.format, changed.enabled), (Format::Slack, false));
    let stale = it.registry.update_webhook(made.id, change, &it.admin).await.unwrap_err();
    assert!(matches!(stale, StoreError::Stale { .. }), "{stale}");
    make(&it, hook("other", &[])).await;
    let rename = WebhookChange { name: Some("other".into()), ..WebhookChange::default() };
    let taken = it.registry.update_webhook(made.id, rename, &it.admin).await.unwrap_err();
    assert!(matches!(taken, StoreError::Taken(_)), "{taken}");
}

pub(crate) async fn events_nobody_raises_are_refused(it: Bench) {
    for (wanted, later) in [("alert.gone", false), ("", false), ("label.gone", false), ("budget.*", true)] {
        let refused = it.registry.create_webhook(hook("a", &[wanted]), &it.admin).await.unwrap_err();
        let not_yet = matches!(refused, StoreError::NotSupported { .. });
        assert_eq!((not_yet, refused.field()), (later, Some("events")), "{wanted}: {refused}");
    }
}

pub(crate) async fn only_admins_say_where_events_are_sent(it: Bench) {
    let made = make(&it, hook("pager", &[])).await.issued;
    for role in [Role::Viewer, Role::Editor, Role::Releaser] {
        let who = Who::new(role, "bob");
        let refused = [
            it.registry.create_webhook(hook("b", &[]), &who).await.err(),
            it.registry.update_webhook(made.id, WebhookChange::default(), &who).await.err(),
            it.registry.delete_webhook(made.id, &who).await.err(),
        ];
        for refused in refused {
            assert!(matches!(refused, Some(StoreError::Forbidden(_))), "{role}: {refused:?}");
        }
    }
}

pub(crate) async fn an_event_is_queued_for_whoever_subscribes(it: Bench) {
    let all = make(&it, hook("all", &["*"])).await.issued;
    let family = make(&it, hook("family", &["alert.*"])).await.issued;
    let one = make(&it, hook("one", &["alert.resolved"])).await.issued;
    let off = make(&it, NewWebhook { enabled: false, ..hook("off", &["*"]) }).await.issued;

    assert_eq!(it.registry.announce(event(&it, "alert.firing")).await.unwrap(), 2);

    for (webhook, count) in [(all, 1), (family, 1), (one, 0), (off, 0)] {
        assert_eq!(deliveries(&it, &webhook).await.len(), count, "{}", webhook.name);
    }
}

pub(crate) async fn fifty_claimers_never_get_the_same_delivery(it: Bench) {
    let webhook = make(&it, hook("pager", &["alert.*"])).await.issued;
    for _ in 0..200 {
        it.registry.announce(event(&it, "alert.firing")).await.unwrap();
    }
    let mut claimers = JoinSet::new();
    for _ in 0..50 {
        let registry = it.registry.clone();
        claimers.spawn(async move {
            let mut claimed = Vec::new();
            while let Some(parcel) = registry.claim_delivery(LEASE).await.unwrap() {
                claimed.push(parcel.delivery.id);
            }
            claimed
        });
    }
    let claimed = claimers.join_all().await.concat();
    assert_eq!((claimed.len(), BTreeSet::from_iter(&claimed).len()), (200, 200));
    assert_eq!(deliveries(&it, &webhook).await.len(), 200);
    assert!(!it.registry.has_due_delivery().await.unwrap());
}

pub(crate) async fn a_claim_that_came_to_nothing_is_due_again(it: Bench) {
    make(&it, hook("pager", &["alert.*"])).await;
    it.registry.announce(event(&it, "alert.firing")).await.unwrap();
    let first = claim(&it).await.unwrap();
    assert!(claim(&it).await.is_none());
    // Its node dies here, and a new one opens the registry.
    it.clock.advance(LEASE);
    let registry = it.reopened().await;
    let second = registry.claim_delivery(LEASE).await.unwrap().unwrap().delivery;
    assert_eq!((second.id, second.event_id, &second.body), (first.id, first.event_id, &first.body));
    assert_eq!((first.attempts, second.attempts), (1, 2));
    // The first one lives after all, and is late: the second's word counts.
    let late = registry.finish_delivery(&first, Outcome::Delivered { status: Some(200) }).await.unwrap();
    let (failed, error) = (Some(500), "down".to_owned());
    let counted = registry.finish_delivery(&second, Outcome::GiveUp { status: failed, error }).await.unwrap();
    assert_eq!((late, counted), (false, true));
    let after = registry.get_delivery(first.id).await.unwrap();
    assert_eq!(
        (after.state, after.status, after.error.as_deref()),
        (DeliveryState::GivenUp, failed, Some("down"))
    );
}

pub(crate) async fn a_failed_try_waits_for_its_time(it: Bench) {
    make(&it, hook("pager", &["alert.*"])).await;
    it.registry.announce(event(&it, "alert.firing")).await.unwrap();
    let first = claim(&it).await.unwrap();
    let at = it.clock.now().plus(Duration::from_mins(5));
    let retry = Outcome::Retry { status: Some(503), error: "x".repeat(2_000), at };
    assert!(it.registry.finish_delivery(&first, retry).await.unwrap());
    it.clock.advance(Duration::from_secs(299));
    assert!(claim(&it).await.is_none());
    it.clock.advance(Duration::from_secs(1));
    let second = claim(&it).await.unwrap();
    assert_eq!((second.id, second.attempts, second.status), (first.id, 2, Some(503)));
    assert_eq!(second.error.unwrap().len(), 500);
    let parcel = it.registry.get_delivery(first.id).await.unwrap();
    it.registry.finish_delivery(&parcel, Outcome::Delivered { status: Some(204) }).await.unwrap();
    let done = it.registry.get_delivery(first.id).await.unwrap();
    assert_eq!((done.state, done.status, done.error), (DeliveryState::Delivered, Some(204), None));
    assert_eq!(done.finished_at, Some(it.clock.now()));
}

pub(crate) async fn a_claim_brings_what_sending_takes(it: Bench) {
    let made = make(&it, hook("pager", &["alert.*"])).await;
    it.registry.announce(event(&it, "alert.firing")).await.unwrap();
    let parcel = it.registry.claim_delivery(LEASE).await.unwrap().unwrap();
    let Some(Receiver::Webhook { url, secret, format }) = parcel.receiver else { panic!("no receiver") };
    assert_eq!((url.expose(), format), ("https://example.com/hooks/0123456789abcdef", Format::Weir));
    assert!(secret.is(made.secret.expose()));
    it.clock.advance(LEASE);
    let off = WebhookChange { enabled: Some(false), ..WebhookChange::default() };
    it.registry.update_webhook(made.issued.id, off, &it.admin).await.unwrap();
    assert!(it.registry.claim_delivery(LEASE).await.unwrap().unwrap().receiver.is_none());
}

pub(crate) async fn a_delivery_is_replayed_as_one_of_its_own(it: Bench) {
    let webhook = make(&it, hook("pager", &["alert.*"])).await.issued;
    it.registry.announce(event(&it, "alert.firing")).await.unwrap();
    let first = claim(&it).await.unwrap();
    it.registry.finish_delivery(&first, Outcome::Delivered { status: Some(200) }).await.unwrap();
    it.clock.advance(Duration::from_secs(1));
    let again = it.registry.replay_delivery(first.id, &it.admin).await.unwrap();
    assert_ne!(again.id, first.id);
    assert_eq!((again.event_id, &again.body, again.attempts), (first.event_id, &first.body, 0));
    assert_eq!(claim(&it).await.unwrap().id, again.id);
    assert_eq!(deliveries(&it, &webhook).await.len(), 2);
    let refused = it.registry.replay_delivery(first.id, &Who::new(Role::Releaser, "bob")).await.unwrap_err();
    assert!(matches!(refused, StoreError::Forbidden(_)), "{refused}");
}

pub(crate) async fn deliveries_are_bounded_in_number_and_time(it: Bench) {
    let webhook = make(&it, hook("pager", &["alert.*"])).await.issued;
    for _ in 0..1_000 {
        it.registry.announce(event(&it, "alert.firing")).await.unwrap();
    }
    it.clock.advance(Duration::from_secs(1));
    it.registry.announce(event(&it, "alert.firing")).await.unwrap();
    let newest = deliveries(&it, &webhook).await.remove(0);
    assert_eq!(newest.state, DeliveryState::GivenUp, "the one too many is given up at once");
    for _ in 0..1_000 {
        let claimed = claim(&it).await.unwrap();
        it.registry.finish_delivery(&claimed, Outcome::Delivered { status: Some(200) }).await.unwrap();
    }
    assert_eq!(deliveries(&it, &webhook).await.len(), 1_000);
    it.clock.advance(Duration::from_hours(7 * 24));
    assert_eq!(it.registry.prune_deliveries().await.unwrap(), 0);
    it.clock.advance(Duration::from_secs(1));
    assert_eq!(it.registry.prune_deliveries().await.unwrap(), 1_000);
}

pub(crate) async fn what_a_clock_put_off_that_was_ahead_is_due(it: Bench) {
    make(&it, hook("pager", &["alert.*"])).await;
    it.registry.announce(event(&it, "alert.firing")).await.unwrap();
    let now = it.clock.now();
    it.clock.advance(Duration::from_hours(24));
    claim(&it).await.unwrap();
    it.clock.set(now);
    assert!(it.registry.has_due_delivery().await.unwrap());
    assert!(claim(&it).await.is_some() && claim(&it).await.is_none());
}

pub(crate) async fn a_retry_is_never_put_off_for_longer_than_is_believed(it: Bench) {
    make(&it, hook("pager", &["alert.*"])).await;
    it.registry.announce(event(&it, "alert.firing")).await.unwrap();
    let first = claim(&it).await.unwrap();
    let at = it.clock.now().plus(Duration::from_hours(20));
    let retry = Outcome::Retry { status: Some(503), error: "later".into(), at };
    assert!(it.registry.finish_delivery(&first, retry).await.unwrap());
    assert!(claim(&it).await.is_none());
    it.clock.advance(Duration::from_hours(4));
    assert!(claim(&it).await.is_some());
}

pub(crate) async fn a_deleted_webhook_takes_its_deliveries_along(it: Bench) {
    let webhook = make(&it, hook("pager", &["alert.*"])).await.issued;
    it.registry.announce(event(&it, "alert.firing")).await.unwrap();
    it.registry.delete_webhook(webhook.id, &it.admin).await.unwrap();
    assert!(claim(&it).await.is_none());
    let gone = it.registry.get_webhook(webhook.id).await.unwrap_err();
    assert!(matches!(gone, StoreError::Missing(_)), "{gone}");
}
