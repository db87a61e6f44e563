//! Cases about ramps: their steps by hand and by time, what stops them, and what they serve meanwhile.

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::Duration;

use registry::releases::Advanced;
use registry::{
    Freeze, LabelAction, LabelChange, Paging, PromptChange, Ramp, Release, ReleaseDeed, ReleaseState,
    ReleaseVerb, Role, StoreError, Units, Who,
};
use serde_json::{Map, Value};
use vocab::Id;

use crate::bench::{Bench, PROJECT, label, name};
use crate::policies::set;
use crate::releases::{act, propose, releaser, three};

static NOTHING: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);

/// The version a reference comes to for a user.
pub(crate) async fn serves(it: &Bench, reference: &str, user: &str) -> u32 {
    let call = Some(Id::at(it.clock.now()));
    let units = Units { call, user: Some(user), session: None, trace: None, metadata: &NOTHING };
    let resolved = it.registry.resolve_for(PROJECT, &reference.parse().unwrap(), Some(&units)).await.unwrap();
    resolved.version.number
}

/// Which of a thousand users get version 2.
async fn reached(it: &Bench) -> BTreeSet<usize> {
    let mut users = BTreeSet::new();
    for user in 0..1_000 {
        if serves(it, "a", &format!("user-{user}")).await == 2 {
            users.insert(user);
        }
    }
    users
}

fn steps(every_seconds: Option<u32>) -> Ramp {
    Ramp { steps: vec![1, 10, 50, 100], every_seconds }
}

async fn begun(it: &Bench, every_seconds: Option<u32>) -> Release {
    three(it).await;
    let release = propose(it, "production", 2, Some(steps(every_seconds)), "ed").await.unwrap();
    act(it, &release, ReleaseVerb::Release, &releaser("rel")).await.unwrap()
}

pub(crate) async fn a_ramp_grows_by_hand_until_the_label_moves(it: Bench) {
    let release = begun(&it, None).await;
    assert_eq!((release.state, release.percent, release.next_at), (ReleaseState::Ramping, 1, None));
    let mut before = reached(&it).await;
    assert!((1..40).contains(&before.len()), "{before:?}");
    for (percent, least, most) in [(10, 60, 140), (50, 430, 570)] {
        let advanced = act(&it, &release, ReleaseVerb::Advance, &releaser("rel")).await.unwrap();
        assert_eq!((advanced.state, advanced.percent), (ReleaseState::Ramping, percent));
        let after = reached(&it).await;
        assert!(
            before.is_subset(&after) && (least..most).contains(&after.len()),
            "{percent} %: {}",
            after.len()
        );
        before = after;
    }
    assert_eq!(it.number("a").await, Ok(1), "who only looks sees what the label points at");
    let done = act(&it, &release, ReleaseVerb::Advance, &releaser("rel")).await.unwrap();
    assert_eq!((done.state, done.percent), (ReleaseState::Released, 100));
    assert_eq!((it.number("a").await, reached(&it).await.len()), (Ok(2), 1_000));
    assert_eq!(it.roll_back("a", "production").await.unwrap(), 1);
}

pub(crate) async fn a_ramp_grows_by_time_on_any_number_of_nodes(it: Bench) {
    let release = begun(&it, Some(3_600)).await;
    assert_eq!(release.next_at, Some(it.clock.now().plus(Duration::from_hours(1))));
    assert!(it.registry.advance_ramps().await.unwrap().is_empty(), "nothing is due");
    it.clock.advance(Duration::from_hours(1));
    let nodes = (0..5).map(|_| {
        let registry = it.registry.clone();
        tokio::spawn(async move { registry.advance_ramps().await.unwrap() })
    });
    let mut taken = 0;
    for node in nodes.collect::<Vec<_>>() {
        let advanced = node.await.unwrap();
        taken += advanced.iter().filter(|one| matches!(one, Advanced::Taken(_))).count();
    }
    assert_eq!(taken, 1, "one step for one hour");
    for percent in [50, 100] {
        it.clock.advance(Duration::from_hours(1));
        it.registry.advance_ramps().await.unwrap();
        let now = it.registry.get_release(PROJECT, release.id).await.unwrap();
        assert_eq!((now.percent, &*now.history.last().unwrap().by), (percent, "rel"));
    }
    assert_eq!(it.number("a").await, Ok(2));
    it.clock.advance(Duration::from_hours(1));
    assert!(it.registry.advance_ramps().await.unwrap().is_empty(), "it is over");
}

pub(crate) async fn a_paused_ramp_stays_where_it_is(it: Bench) {
    let release = begun(&it, Some(60)).await;
    let paused = act(&it, &release, ReleaseVerb::Pause, &releaser("rel")).await.unwrap();
    assert_eq!((paused.state, paused.next_at), (ReleaseState::Paused, None));
    it.clock.advance(Duration::from_hours(1));
    assert!(it.registry.advance_ramps().await.unwrap().is_empty());
    let by_hand = act(&it, &release, ReleaseVerb::Advance, &releaser("rel")).await.unwrap();
    assert_eq!((by_hand.state, by_hand.percent, by_hand.next_at), (ReleaseState::Paused, 10, None));
    let resumed = act(&it, &release, ReleaseVerb::Resume, &releaser("rel")).await.unwrap();
    assert_eq!(resumed.next_at, Some(it.clock.now().plus(Duration::from_mins(1))));
    let again = act(&it, &release, ReleaseVerb::Resume, &releaser("rel")).await.unwrap_err();
    assert!(matches!(again, StoreError::Conflict(_)), "{again}");
    let by_editor = act(&it, &release, ReleaseVerb::Pause, &Who::new(Role::Editor, "ed")).await;
    assert!(matches!(by_editor, Err(StoreError::Forbidden(_))));
}

pub(crate) async fn an_aborted_ramp_serves_nobody(it: Bench) {
    let release = begun(&it, Some(60)).await;
    act(&it, &release, ReleaseVerb::Advance, &releaser("rel")).await.unwrap();
    let aborted = act(&it, &release, ReleaseVerb::Abort, &releaser("rel")).await.unwrap();
    assert_eq!((aborted.state, aborted.percent, aborted.next_at), (ReleaseState::Aborted, 0, None));
    assert_eq!((it.number("a").await, reached(&it).await.len()), (Ok(1), 0));
    it.clock.advance(Duration::from_hours(1));
    assert!(it.registry.advance_ramps().await.unwrap().is_empty());
    it.put("a", "production", 3).await;
}

pub(crate) async fn a_label_with_a_ramp_moves_only_when_that_is_to_end(it: Bench) {
    let release = begun(&it, None).await;
    let (a, production) = (name("a"), || LabelChange::of(label("production")));
    let refused = it.registry.move_label(PROJECT, &a, production().onto(3), &it.admin).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Conflict(why) if why.contains("end: true")), "{refused}");
    assert!(it.registry.remove_label(PROJECT, &a, production(), &it.admin).await.is_err());
    let other = propose(&it, "production", 3, None, "ed").await.unwrap();
    let busy = act(&it, &other, ReleaseVerb::Release, &it.admin).await.unwrap_err();
    assert!(matches!(busy, StoreError::Conflict(_)), "{busy}");
    let ending = LabelChange { end: true, ..production() };
    let moved = it.registry.move_label(PROJECT, &a, ending.onto(3), &it.admin).await.unwrap();
    assert_eq!((moved.version, reached(&it).await.len()), (3, 0));
    let ended = it.registry.get_release(PROJECT, release.id).await.unwrap();
    assert_eq!((ended.state, &*ended.history.last().unwrap().by), (ReleaseState::Aborted, "ann"));
    let archived = PromptChange { archived: Some(true), ..PromptChange::default() };
    it.take_away("a", "production").await;
    it.registry.update_prompt(PROJECT, &a, archived, &it.admin).await.unwrap();
}

pub(crate) async fn rolling_back_takes_a_ramp_back_first(it: Bench) {
    three(&it).await;
    it.put("a", "production", 3).await;
    let release = propose(&it, "production", 2, Some(steps(None)), "ed").await.unwrap();
    act(&it, &release, ReleaseVerb::Release, &releaser("rel")).await.unwrap();
    assert_eq!(it.roll_back("a", "production").await.unwrap(), 3, "what served beside the ramp");
    assert_eq!(reached(&it).await.len(), 0);
    assert_eq!(it.registry.get_release(PROJECT, release.id).await.unwrap().state, ReleaseState::Aborted);
    let history = it
        .registry
        .label_history(PROJECT, &name("a"), &label("production"), &Paging::default())
        .await
        .unwrap();
    let newest = &history.data[0];
    assert_eq!((newest.action, newest.from, newest.to), (LabelAction::Rollback, Some(2), Some(3)));
    assert_eq!(it.roll_back("a", "production").await.unwrap(), 1, "and then what served before that");
}

pub(crate) async fn a_ramp_needs_something_to_ramp_from(it: Bench) {
    three(&it).await;
    let release = propose(&it, "fresh", 2, Some(steps(None)), "ed").await.unwrap();
    let refused = act(&it, &release, ReleaseVerb::Release, &it.admin).await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::Conflict(why) if why.contains("nothing to ramp from")),
        "{refused}"
    );
}

pub(crate) async fn a_frozen_label_holds_its_ramp(it: Bench) {
    let release = begun(&it, Some(60)).await;
    let (from, to) = (it.clock.now(), Some(it.clock.now().plus(Duration::from_mins(10))));
    set(&it, "production", |rules| rules.freeze = vec![Freeze { from, to, reason: None }]).await;
    it.clock.advance(Duration::from_mins(1));
    let held = it.registry.advance_ramps().await.unwrap();
    let [Advanced::Held { why, .. }] = held.as_slice() else { panic!("{held:?}") };
    assert!(why.contains("frozen"), "{why}");
    assert!(it.registry.advance_ramps().await.unwrap().is_empty(), "it is tried again later");
    let by_hand = act(&it, &release, ReleaseVerb::Advance, &it.admin).await.unwrap_err();
    assert!(matches!(by_hand, StoreError::Conflict(_)), "{by_hand}");
    it.clock.advance(Duration::from_mins(10));
    let taken = it.registry.advance_ramps().await.unwrap();
    assert!(matches!(taken.as_slice(), [Advanced::Taken(release)] if release.percent == 10), "{taken:?}");
}

pub(crate) async fn a_ramp_goes_on_after_opening_again(it: Bench) {
    let release = begun(&it, Some(3_600)).await;
    act(&it, &release, ReleaseVerb::Advance, &releaser("rel")).await.unwrap();
    let before = reached(&it).await;
    let again = it.reopened().await;
    let mut after = BTreeSet::new();
    for user in 0..1_000 {
        let who = format!("user-{user}");
        let call = Some(Id::at(it.clock.now()));
        let units = Units { call, user: Some(&who), session: None, trace: None, metadata: &NOTHING };
        let resolved = again.resolve_for(PROJECT, &"a".parse().unwrap(), Some(&units)).await.unwrap();
        if resolved.version.number == 2 {
            after.insert(user);
        }
    }
    assert_eq!(before, after);
    it.clock.advance(Duration::from_hours(1));
    let taken = again.advance_ramps().await.unwrap();
    assert!(matches!(taken.as_slice(), [Advanced::Taken(release)] if release.percent == 50), "{taken:?}");
    let paused =
        again.change_release(PROJECT, release.id, ReleaseDeed::of(ReleaseVerb::Pause), &it.admin).await;
    assert_eq!(paused.unwrap().state, ReleaseState::Paused);
    let third = it.another().await;
    it.clock.advance(Duration::from_hours(2));
    assert!(third.advance_ramps().await.unwrap().is_empty(), "it is paused on every node");
}
