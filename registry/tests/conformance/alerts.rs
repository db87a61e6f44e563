//! Cases about alert rules, their states and history, and the lease by which one node evaluates them.

use std::time::Duration;

use registry::alerts::{
    AlertState, Comparison, Condition, Evaluation, GroupState, Missing, Rule, Severity, Target, Turn,
};
use registry::webhooks::{Outcome, Receiver};
use registry::{Alert, AlertChange, NewAlert, Paging, Role, StoreError, Who};
use tokio::task::JoinSet;
use vocab::{Id, Limit};

use crate::bench::{Bench, PROJECT};
use crate::webhooks::{deliveries, event, hook, make};

const LEASE: Duration = Duration::from_mins(1);

pub(crate) fn rule() -> Rule {
    Rule {
        condition: Condition::Threshold {
            measure: "error_rate".into(),
            comparison: Comparison::Above,
            value: 0.1,
            window_seconds: 300,
        },
        q: "tag:checkout".into(),
        group_by: vec!["provider".into()],
        min_calls: 10,
        for_seconds: 120,
        recover_seconds: 0,
        missing: Missing::Ok,
        severity: Severity::Critical,
        notify: Vec::new(),
        renotify_seconds: None,
    }
}

pub(crate) fn named(name: &str, rule: Rule) -> NewAlert {
    NewAlert { name: name.to_owned(), project: PROJECT.to_owned(), enabled: true, rule }
}

async fn create(it: &Bench, name: &str, rule: Rule) -> Alert {
    it.registry.create_alert(named(name, rule), &it.admin).await.unwrap()
}

/// An evaluation that found one group firing, and tells of it.
fn fires(it: &Bench, alert: &Alert) -> Evaluation {
    let (at, group) = (it.clock.now(), vec![Some("openai".to_owned()), None]);
    let state = GroupState {
        group: group.clone(),
        state: AlertState::Firing,
        since: at,
        value: Some(0.25),
        reference: None,
        fine_since: None,
        announced: true,
        told_at: Some(at),
    };
    let turn = Turn {
        id: Id::at(at),
        group,
        from: None,
        to: AlertState::Firing,
        value: Some(0.25),
        reference: None,
        at,
    };
    let (states, turns, events) = (vec![state], vec![turn], vec![event(it, "alert.firing")]);
    Evaluation { alert: alert.clone(), at, states, turns, events, trouble: None }
}

pub(crate) async fn a_rule_is_found_as_it_was_made(it: Bench) {
    let made = create(&it, "errors", rule()).await;
    let found = it.registry.get_alert(made.id).await.unwrap();
    assert_eq!((&found, &found.rule), (&made, &rule()));
    let taken = it.registry.create_alert(named("errors", rule()), &it.admin).await.unwrap_err();
    assert!(matches!(taken, StoreError::Taken(_)), "{taken}");
    let listed = it.registry.list_alerts(PROJECT, &Paging::default()).await.unwrap().data;
    assert_eq!(listed, std::slice::from_ref(&made));
    it.registry.delete_alert(made.id, &it.admin).await.unwrap();
    assert!(matches!(it.registry.get_alert(made.id).await, Err(StoreError::Missing(_))));
}

pub(crate) async fn what_a_rule_cannot_mean_is_refused_by_its_field(it: Bench) {
    let window = |window_seconds| Condition::Threshold {
        measure: "calls".into(),
        comparison: Comparison::Below,
        value: 1.0,
        window_seconds,
    };
    let mail = |address: &str| vec![Target::Email(address.to_owned())];
    let nobody = Target::Webhook(Id::new(&it.clock));
    for (field, rule) in [
        ("condition.window", Rule { condition: window(59), ..rule() }),
        ("condition.window", Rule { condition: window(31 * 86_400 + 1), ..rule() }),
        ("group_by", Rule { group_by: vec![String::new(); 4], ..rule() }),
        ("for", Rule { for_seconds: 7 * 86_400 + 1, ..rule() }),
        ("renotify", Rule { renotify_seconds: Some(299), ..rule() }),
        ("notify", Rule { notify: mail("a@b.example\nbcc: c@d.example"), ..rule() }),
        ("notify", Rule { notify: [mail("a@b.example"), mail("a@b.example")].concat(), ..rule() }),
        ("notify", Rule { notify: vec![nobody], ..rule() }),
        ("q", Rule { q: "a\0b".into(), ..rule() }),
    ] {
        let refused = it.registry.create_alert(named("a", rule), &it.admin).await.unwrap_err();
        assert_eq!(refused.field(), Some(field), "{refused}");
    }
}

pub(crate) async fn editors_write_alerts_and_viewers_do_not(it: Bench) {
    let editor = Who::new(Role::Editor, "eve");
    let made = it.registry.create_alert(named("a", rule()), &editor).await.unwrap();
    let viewer = Who::new(Role::Viewer, "vic");
    let refused = [
        it.registry.create_alert(named("b", rule()), &viewer).await.err(),
        it.registry.update_alert(made.id, AlertChange::default(), &viewer).await.err(),
        it.registry.delete_alert(made.id, &viewer).await.err(),
    ];
    for refused in refused {
        assert!(matches!(refused, Some(StoreError::Forbidden(_))), "{refused:?}");
    }
}

pub(crate) async fn only_admins_add_addresses(it: Bench) {
    let editor = Who::new(Role::Editor, "eve");
    let mail = |address: &str| Rule { notify: vec![Target::Email(address.to_owned())], ..rule() };
    let refused = it.registry.create_alert(named("a", mail("x@elsewhere.example")), &editor).await;
    assert!(matches!(refused, Err(StoreError::Forbidden(_))), "{refused:?}");
    let made = create(&it, "a", mail("ops@example.com")).await;
    let change = |rule| AlertChange { rule: Some(rule), ..AlertChange::default() };
    let kept = Rule { min_calls: 50, ..mail("ops@example.com") };
    assert!(it.registry.update_alert(made.id, change(kept), &editor).await.is_ok());
    let refused = it.registry.update_alert(made.id, change(mail("x@elsewhere.example")), &editor).await;
    assert!(matches!(refused, Err(StoreError::Forbidden(_))), "{refused:?}");
    assert!(it.registry.update_alert(made.id, change(rule()), &editor).await.is_ok(), "fewer may be told");
}

pub(crate) async fn mails_are_bounded_like_deliveries_to_a_webhook(it: Bench) {
    let notify = (0..20).map(|number| Target::Email(format!("ops{number}@example.com"))).collect();
    let alert = create(&it, "errors", Rule { notify, ..rule() }).await;
    let webhook = make(&it, hook("pager", &["alert.*"])).await.issued;
    let events = (0..60).map(|_| event(&it, "alert.firing")).collect();
    let evaluation = Evaluation { events, ..fires(&it, &alert) };
    assert!(it.registry.record_evaluation(evaluation).await.unwrap());
    let mut webhooks = 0;
    while it.registry.claim_webhook_delivery(LEASE).await.unwrap().is_some() {
        webhooks += 1;
    }
    let mut mails = 0;
    while let Some(parcel) = it.registry.claim_delivery(LEASE).await.unwrap() {
        assert!(matches!(parcel.receiver, Some(Receiver::Mail(_))));
        it.registry.finish_delivery(&parcel.delivery, Outcome::Delivered { status: None }).await.unwrap();
        mails += 1;
    }
    assert_eq!((webhooks, mails, deliveries(&it, &webhook).await.len()), (60, 1_000, 60));
    it.clock.advance(Duration::from_hours(7 * 24 + 1));
    assert_eq!(it.registry.prune_deliveries().await.unwrap(), 1_000, "as many finished ones are kept");
}

// A clock that was a day ahead for a moment stopped everything for a day.
pub(crate) async fn a_clock_that_was_ahead_holds_nothing_up(it: Bench) {
    let alert = create(&it, "errors", rule()).await;
    let now = it.clock.now();
    it.clock.advance(Duration::from_hours(24));
    assert!(it.registry.take_lease("alerts", "a", LEASE).await.unwrap());
    assert!(it.registry.record_evaluation(fires(&it, &alert)).await.unwrap());
    it.clock.set(now);
    assert!(it.registry.take_lease("alerts", "b", LEASE).await.unwrap());
    let due = it.registry.due_alerts(now.minus(LEASE)).await.unwrap();
    assert_eq!(due.iter().map(|alert| alert.id).collect::<Vec<_>>(), [alert.id]);
}

pub(crate) async fn another_condition_starts_anew_and_another_name_does_not(it: Bench) {
    let alert = create(&it, "errors", rule()).await;
    assert!(it.registry.record_evaluation(fires(&it, &alert)).await.unwrap());
    let rename = AlertChange { name: Some("more errors".into()), ..AlertChange::default() };
    let renamed = it.registry.update_alert(alert.id, rename, &it.admin).await.unwrap();
    assert_eq!(it.registry.alert_states(alert.id).await.unwrap().len(), 1);
    let condition = Condition::Cost { amount_usd: 5.0, per: registry::alerts::Period::Day, at_percent: 80.0 };
    let change = AlertChange {
        rule: Some(Rule { condition, ..rule() }),
        expected_revision: Some(renamed.revision),
        ..AlertChange::default()
    };
    let changed = it.registry.update_alert(alert.id, change.clone(), &it.admin).await.unwrap();
    assert_eq!((changed.evaluated_at, it.registry.alert_states(alert.id).await.unwrap().len()), (None, 0));
    let stale = it.registry.update_alert(alert.id, change, &it.admin).await.unwrap_err();
    assert!(matches!(stale, StoreError::Stale { .. }), "{stale}");
}

pub(crate) async fn an_evaluation_is_stored_whole_and_told_once(it: Bench) {
    let webhook = make(&it, hook("pager", &[])).await.issued;
    let notify = vec![Target::Webhook(webhook.id), Target::Email("ops@example.com".into())];
    let alert = create(&it, "errors", Rule { notify, ..rule() }).await;
    let evaluation = fires(&it, &alert);

    assert!(it.registry.record_evaluation(evaluation.clone()).await.unwrap());

    assert_eq!(it.registry.alert_states(alert.id).await.unwrap(), evaluation.states);
    let history = it.registry.alert_history(alert.id, &Paging::default()).await.unwrap().data;
    assert_eq!(history, evaluation.turns);
    assert_eq!(it.registry.firing().await.unwrap().last(), Some(&(Severity::Critical, 1)));
    assert_eq!(deliveries(&it, &webhook).await.len(), 1);
    let mut mailed = Vec::new();
    while let Some(parcel) = it.registry.claim_delivery(LEASE).await.unwrap() {
        if let Some(Receiver::Mail(address)) = parcel.receiver {
            mailed.push(address);
        }
    }
    assert_eq!(mailed, ["ops@example.com"]);
}

pub(crate) async fn of_many_who_evaluate_the_same_one_is_believed(it: Bench) {
    let webhook = make(&it, hook("pager", &["alert.*"])).await.issued;
    let notify = vec![Target::Webhook(webhook.id)];
    let alert = create(&it, "errors", Rule { notify, ..rule() }).await;
    let mut tries = JoinSet::new();
    for _ in 0..20 {
        let (registry, evaluation) = (it.registry.clone(), fires(&it, &alert));
        tries.spawn(async move { registry.record_evaluation(evaluation).await.unwrap() });
    }
    let stored = tries.join_all().await.into_iter().filter(|stored| *stored).count();
    assert_eq!((stored, deliveries(&it, &webhook).await.len()), (1, 1));
}

pub(crate) async fn an_evaluation_of_a_rule_that_changed_is_dropped(it: Bench) {
    let alert = create(&it, "errors", rule()).await;
    let off = AlertChange { enabled: Some(false), ..AlertChange::default() };
    let off = it.registry.update_alert(alert.id, off, &it.admin).await.unwrap();
    assert!(!it.registry.record_evaluation(fires(&it, &alert)).await.unwrap());
    assert!(!it.registry.record_evaluation(fires(&it, &off)).await.unwrap(), "it is off");
    assert_eq!(it.registry.alert_states(alert.id).await.unwrap(), []);
}

pub(crate) async fn rules_are_due_by_when_they_were_evaluated(it: Bench) {
    let (first, second) = (create(&it, "a", rule()).await, create(&it, "b", rule()).await);
    let off = NewAlert { enabled: false, ..named("off", rule()) };
    it.registry.create_alert(off, &it.admin).await.unwrap();
    it.registry.record_evaluation(fires(&it, &first)).await.unwrap();
    let due = async |before| {
        let due = it.registry.due_alerts(before).await.unwrap();
        due.iter().map(|alert| alert.name.to_string()).collect::<Vec<_>>()
    };
    let then = it.clock.now();
    assert_eq!(due(then.minus(LEASE)).await, ["b"]);
    it.clock.advance(LEASE);
    it.registry.record_evaluation(fires(&it, &second)).await.unwrap();
    assert_eq!(due(then).await, ["a"]);
    assert_eq!(due(it.clock.now()).await, ["a", "b"]);
}

pub(crate) async fn a_history_is_bounded(it: Bench) {
    let mut alert = create(&it, "a", rule()).await;
    for _ in 0..11 {
        let mut evaluation = fires(&it, &alert);
        let turn = evaluation.turns.remove(0);
        evaluation.turns = (0..100).map(|_| Turn { id: Id::new(&it.clock), ..turn.clone() }).collect();
        assert!(it.registry.record_evaluation(evaluation).await.unwrap());
        alert = it.registry.get_alert(alert.id).await.unwrap();
        it.clock.advance(LEASE);
    }
    let paging = Paging { limit: Limit::new(1_000).unwrap(), cursor: None };
    let history = it.registry.alert_history(alert.id, &paging).await.unwrap();
    assert_eq!((history.data.len(), history.next_cursor), (1_000, None));
}

pub(crate) async fn a_webhook_that_an_alert_names_stays(it: Bench) {
    let webhook = make(&it, hook("pager", &[])).await.issued;
    let alert = create(&it, "errors", Rule { notify: vec![Target::Webhook(webhook.id)], ..rule() }).await;
    let refused = it.registry.delete_webhook(webhook.id, &it.admin).await.unwrap_err();
    assert!(refused.to_string().contains("alert `errors`"), "{refused}");
    it.registry.delete_alert(alert.id, &it.admin).await.unwrap();
    it.registry.delete_webhook(webhook.id, &it.admin).await.unwrap();
}

pub(crate) async fn a_lease_is_one_holders_until_it_ends(it: Bench) {
    let take = async |holder| it.registry.take_lease("alerts", holder, LEASE).await.unwrap();
    assert!(take("a").await);
    assert!(!take("b").await);
    it.clock.advance(LEASE / 2);
    assert!(take("a").await, "a holder renews");
    it.clock.advance(LEASE / 2);
    assert!(!take("b").await, "renewed, it lasts longer");
    it.clock.advance(LEASE / 2);
    assert!(take("b").await, "lost");
    assert!(!take("a").await, "taken");
    it.registry.release_lease("alerts", "a").await.unwrap();
    assert!(!take("a").await, "nobody gives back what is another's");
    it.registry.release_lease("alerts", "b").await.unwrap();
    assert!(take("a").await);
}

pub(crate) async fn one_of_fifty_gets_the_lease(it: Bench) {
    let mut tries = JoinSet::new();
    for holder in 0..50 {
        let registry = it.registry.clone();
        tries.spawn(async move { registry.take_lease("alerts", &holder.to_string(), LEASE).await.unwrap() });
    }
    assert_eq!(tries.join_all().await.into_iter().filter(|got| *got).count(), 1);
}
