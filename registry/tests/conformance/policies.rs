//! Cases about policies of labels and the one door: who, after what, when not, and with whose approval.

use std::time::Duration;

use registry::{
    AfterLabel, Freeze, LabelChange, NewVersion, PolicyRules, Registry, ReleaseDeed, ReleaseVerb, Role,
    StoreError, Who,
};
use vocab::LabelName;

use crate::bench::{Bench, PROJECT, label, name, saying};
use crate::releases::{approve, propose, releaser};

/// What a label starts with, changed.
pub(crate) fn rules(of: &str, change: impl FnOnce(&mut PolicyRules)) -> PolicyRules {
    let mut rules = PolicyRules::initial(&label(of));
    change(&mut rules);
    rules
}

pub(crate) async fn set(it: &Bench, of: &str, change: impl FnOnce(&mut PolicyRules)) {
    let rules = rules(of, change);
    it.registry.set_label_policy((PROJECT, &label(of)), rules, None, &it.admin).await.unwrap();
}

async fn moved(it: &Bench, at: &str, version: u32, who: &Who) -> Result<u32, StoreError> {
    let change = LabelChange::of(label(at));
    let moved = it.registry.move_label(PROJECT, &name("a"), change.onto(version), who).await;
    moved.map(|label| label.version)
}

pub(crate) async fn production_starts_protected_and_other_labels_open(it: Bench) {
    let production = it.registry.get_label_policy(PROJECT, &LabelName::production()).await.unwrap();
    let staging = it.registry.get_label_policy(PROJECT, &label("staging")).await.unwrap();
    assert!(production.rules.protected && !staging.rules.protected);
    assert_eq!((production.rules.approvals, production.revision, production.updated_by), (0, 0, None));
    let listed = it.registry.list_label_policies(PROJECT).await.unwrap();
    assert_eq!(listed.iter().map(|policy| policy.label.as_str()).collect::<Vec<_>>(), ["production"]);
    let nowhere = it.registry.get_label_policy("nowhere", &label("staging")).await.unwrap_err();
    assert!(matches!(nowhere, StoreError::Missing(_)));
}

pub(crate) async fn a_policy_comes_back_as_it_was_set_until_it_is_reset(it: Bench) {
    let after = AfterLabel { label: label("dev"), hours: 24 };
    let freeze = Freeze { from: it.clock.now(), to: None, reason: Some("holidays".into()) };
    let rules = rules("staging", |rules| {
        (rules.protected, rules.approvals) = (true, 2);
        (rules.after_label, rules.freeze) = (Some(after), vec![freeze]);
    });
    let (staging, registry) = (label("staging"), &it.registry);
    let set =
        registry.set_label_policy((PROJECT, &staging), rules.clone(), Some(0), &it.admin).await.unwrap();
    assert_eq!((&set.rules, set.updated_by.as_deref()), (&rules, Some("ann")));
    assert_eq!(registry.get_label_policy(PROJECT, &staging).await.unwrap(), set);
    let stale = registry.set_label_policy((PROJECT, &staging), rules, Some(0), &it.admin).await.unwrap_err();
    assert!(matches!(stale, StoreError::Stale { .. }), "{stale}");
    let reset =
        registry.reset_label_policy((PROJECT, &staging), Some(set.revision), &it.admin).await.unwrap();
    assert_eq!(reset.rules, PolicyRules::initial(&staging));
    assert_eq!(registry.list_label_policies(PROJECT).await.unwrap().len(), 1, "production's own");
}

pub(crate) async fn a_policy_has_limits_and_takes_an_admin(it: Bench) {
    let late = it.clock.now();
    for (field, change) in [
        ("approvals", (|rules| rules.approvals = 11) as fn(&mut PolicyRules)),
        ("after_label", |rules| rules.after_label = Some(AfterLabel { label: label("dev"), hours: 0 })),
        ("after_label.hours", |rules| {
            rules.after_label = Some(AfterLabel { label: label("qa"), hours: 10_000 });
        }),
        ("contract_days", |rules| rules.contract_days = 0),
    ] {
        let refused = it
            .registry
            .set_label_policy((PROJECT, &label("dev")), rules("dev", change), None, &it.admin)
            .await
            .unwrap_err();
        assert_eq!(refused.field(), Some(field), "{refused}");
    }
    let backwards = rules("dev", |rules| {
        rules.freeze =
            vec![Freeze { from: late, to: Some(late.minus(Duration::from_secs(1))), reason: None }];
    });
    let refused = it.registry.set_label_policy((PROJECT, &label("dev")), backwards, None, &it.admin).await;
    assert_eq!(refused.unwrap_err().field(), Some("freeze"));
    let rules = rules("dev", |_| {});
    let refused = it.registry.set_label_policy((PROJECT, &label("dev")), rules, None, &releaser("rel")).await;
    assert!(matches!(refused, Err(StoreError::Forbidden(_))));
}

pub(crate) async fn a_protected_label_takes_a_releaser_by_every_way(it: Bench) {
    it.say("a", "one").await;
    set(&it, "gold", |rules| rules.protected = true).await;
    set(&it, "production", |rules| rules.protected = false).await;
    let editor = Who::new(Role::Editor, "ed");
    assert!(matches!(moved(&it, "gold", 1, &editor).await, Err(StoreError::Forbidden(_))));
    assert_eq!(moved(&it, "production", 1, &editor).await.unwrap(), 1, "it is no longer protected");
    let publish = |at: &str| {
        let new = NewVersion { labels: vec![label(at)], ..NewVersion::of(saying("two")) };
        let (registry, editor) = (it.registry.clone(), editor.clone());
        async move { registry.publish(PROJECT, &name("a"), new, &editor).await }
    };
    assert!(matches!(publish("gold").await, Err(StoreError::Forbidden(_))));
    assert_eq!(it.registry.get_prompt(PROJECT, &name("a")).await.unwrap().latest, Some(1));
    assert_eq!(publish("production").await.unwrap().version.number, 2);
    moved(&it, "gold", 1, &releaser("rel")).await.unwrap();
    assert!(matches!(moved(&it, "gold", 1, &editor).await, Err(StoreError::Forbidden(_))), "where it stands");
    let taken = it.registry.remove_label(PROJECT, &name("a"), LabelChange::of(label("gold")), &editor).await;
    assert!(matches!(taken, Err(StoreError::Forbidden(_))));
}

pub(crate) async fn a_label_that_takes_approvals_moves_by_releases_only(it: Bench) {
    it.say("a", "one").await;
    it.say("a", "two").await;
    it.put("a", "production", 1).await;
    set(&it, "production", |rules| rules.approvals = 1).await;
    let refused = moved(&it, "production", 2, &it.admin).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Forbidden(why) if why.contains("propose version 2")), "{refused}");
    let new = NewVersion { labels: vec![label("production")], ..NewVersion::of(saying("three")) };
    assert!(matches!(it.publish("a", new).await, Err(StoreError::Forbidden(_))));
    assert_eq!(moved(&it, "production", 1, &it.admin).await.unwrap(), 1, "it stands there");
    let release = propose(&it, "production", 2, None, "ed").await.unwrap();
    approve(&it, &release, "bob").await.unwrap();
    let verb = ReleaseDeed::of(ReleaseVerb::Release);
    it.registry.change_release(PROJECT, release.id, verb, &releaser("rel")).await.unwrap();
    assert_eq!(it.number("a").await, Ok(2));
    assert_eq!(it.roll_back("a", "production").await.unwrap(), 1, "rolling back takes no approval");
    it.take_away("a", "production").await;
}

pub(crate) async fn an_earlier_stage_comes_first(it: Bench) {
    for text in ["one", "two", "three"] {
        it.say("a", text).await;
    }
    set(&it, "production", |rules| {
        rules.after_label = Some(AfterLabel { label: label("staging"), hours: 2 });
    })
    .await;
    let refused = moved(&it, "production", 1, &it.admin).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Conflict(why) if why.contains("`staging`")), "{refused}");
    it.put("a", "staging", 1).await;
    assert_eq!(moved(&it, "production", 1, &it.admin).await.unwrap(), 1, "it serves the stage now");
    it.clock.advance(Duration::from_hours(1));
    it.put("a", "staging", 2).await;
    it.clock.advance(Duration::from_hours(3));
    it.put("a", "staging", 3).await;
    moved(&it, "production", 2, &it.admin).await.unwrap();
    let short = moved(&it, "production", 1, &it.admin).await.unwrap_err();
    assert!(matches!(&short, StoreError::Conflict(why) if why.contains("2 hours")), "{short}");
    // An hour more in a second stay adds up.
    it.put("a", "staging", 1).await;
    it.clock.advance(Duration::from_hours(1));
    it.take_away("a", "staging").await;
    assert_eq!(moved(&it, "production", 1, &it.admin).await.unwrap(), 1);
}

pub(crate) async fn nothing_new_is_served_in_a_freeze_but_rolling_back_is(it: Bench) {
    for text in ["one", "two", "three"] {
        it.say("a", text).await;
    }
    it.put("a", "production", 1).await;
    it.put("a", "production", 2).await;
    let (from, to) = (it.clock.now(), it.clock.now().plus(Duration::from_hours(1)));
    set(&it, "production", |rules| {
        rules.freeze = vec![Freeze { from, to: Some(to), reason: Some("the sale".into()) }];
    })
    .await;
    let frozen = moved(&it, "production", 3, &it.admin).await.unwrap_err();
    assert!(matches!(&frozen, StoreError::Conflict(why) if why.contains("the sale")), "{frozen}");
    let change = LabelChange::of(label("production"));
    assert!(it.registry.remove_label(PROJECT, &name("a"), change, &it.admin).await.is_err());
    assert_eq!(it.roll_back("a", "production").await.unwrap(), 1);
    it.put("a", "dev", 3).await;
    it.clock.advance(Duration::from_hours(2));
    assert_eq!(moved(&it, "production", 3, &it.admin).await.unwrap(), 3);
}

pub(crate) async fn a_policy_holds_after_opening_again(it: Bench) {
    it.say("a", "one").await;
    set(&it, "dev", |rules| rules.approvals = 2).await;
    let again: Registry = it.reopened().await;
    let refused =
        again.move_label(PROJECT, &name("a"), LabelChange::of(label("dev")).onto(1), &it.admin).await;
    assert!(matches!(refused, Err(StoreError::Forbidden(_))));
}
