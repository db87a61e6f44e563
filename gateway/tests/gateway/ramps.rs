//! Ramps that go by time: whichever node looks first takes a step, and tells of it.

use std::time::Duration;

use registry::{
    Freeze, LabelChange, NewRelease, NewVersion, NewWebhook, PolicyRules, Ramp, Release, ReleaseDeed,
    ReleaseState, ReleaseVerb,
};
use serde_json::json;
use vocab::{LabelName, PromptName, Secret};

use crate::office::{Office, admin};
use crate::support::{FakeProvider, Reply};

/// A ramp from version 1 to version 2 that has begun, and takes a step every hour.
async fn begun(it: &Office) -> Release {
    let (registry, who) = (&it.registry, admin());
    let prompt: PromptName = "support/reply".parse().unwrap();
    let production = LabelName::production();
    for text in ["one", "two"] {
        let new = NewVersion::of(serde_json::from_value(json!({ "text": text })).unwrap());
        registry.publish("default", &prompt, new, &who).await.unwrap();
    }
    let onto = LabelChange::of(production.clone()).onto(1);
    registry.move_label("default", &prompt, onto, &who).await.unwrap();
    let ramp = Some(Ramp { steps: vec![10, 50, 100], every_seconds: Some(3_600) });
    let new = NewRelease { label: production, version: 2, ramp, note: None };
    let release = registry.propose_release("default", &prompt, new, &who).await.unwrap();
    let deed = ReleaseDeed::of(ReleaseVerb::Release);
    registry.change_release("default", release.id, deed, &who).await.unwrap()
}

async fn stands(it: &Office, release: &Release) -> (ReleaseState, u32) {
    let now = it.registry.get_release("default", release.id).await.unwrap();
    (now.state, now.percent)
}

#[tokio::test]
async fn of_nodes_that_look_at_the_same_time_one_takes_the_step_and_tells_of_it() {
    let (it, receiver) = (Office::open().await, FakeProvider::start().await);
    receiver.will(Reply::json(&json!({}))).will(Reply::json(&json!({})));
    let hook = NewWebhook {
        name: "ci".to_owned(),
        project: "default".to_owned(),
        url: Secret::new(receiver.base_url()),
        format: None,
        events: vec!["release.advanced".to_owned()],
        enabled: true,
    };
    it.registry.create_webhook(hook, &admin()).await.unwrap();
    let release = begun(&it).await;
    let (one, two) = (it.another().await, it.another().await);
    assert_eq!(one.climber.climb().await.unwrap(), 0, "not before its time");

    it.clock.advance(Duration::from_hours(1));
    let climbs = tokio::join!(it.jobs.climber.climb(), one.climber.climb(), two.climber.climb());

    assert_eq!(climbs.0.unwrap() + climbs.1.unwrap() + climbs.2.unwrap(), 1);
    assert_eq!(stands(&it, &release).await, (ReleaseState::Ramping, 50));
    assert_eq!(it.after(Duration::ZERO).await, 1);
    let told = receiver.only().json();
    assert_eq!(
        told["summary"],
        "ann advanced the ramp of version 2 of support/reply for `production`, at 50 %: by time"
    );
    it.clock.advance(Duration::from_hours(1));
    assert_eq!(two.climber.climb().await.unwrap(), 1);
    assert_eq!(stands(&it, &release).await, (ReleaseState::Released, 100));
}

#[tokio::test]
async fn a_ramp_waits_for_the_end_of_a_freeze() {
    let it = Office::open().await;
    let release = begun(&it).await;
    let production = LabelName::production();
    let (from, to) = (it.clock.now(), it.clock.now().plus(Duration::from_hours(3)));
    let freeze = vec![Freeze { from, to: Some(to), reason: None }];
    let rules = PolicyRules { freeze, ..PolicyRules::initial(&production) };
    it.registry.set_label_policy(("default", &production), rules, None, &admin()).await.unwrap();

    it.clock.advance(Duration::from_hours(2));
    assert_eq!(it.jobs.climber.climb().await.unwrap(), 0);
    assert_eq!(stands(&it, &release).await, (ReleaseState::Ramping, 10));
    it.clock.advance(Duration::from_hours(1));
    assert_eq!(it.jobs.climber.climb().await.unwrap(), 1);
    assert_eq!(stands(&it, &release).await, (ReleaseState::Ramping, 50));
}
