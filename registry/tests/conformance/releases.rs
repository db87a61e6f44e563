//! Cases about releases: who proposes, who approves, what carries them out, and what ends them.

use registry::releases::ReleaseAction;
use registry::{
    LabelChange, NewRelease, Paging, Ramp, Release, ReleaseDeed, ReleaseFilter, ReleaseState, ReleaseVerb,
    Role, StoreError, Who,
};
use vocab::{Id, Limit};

use crate::bench::{Bench, PROJECT, label, name};
use crate::policies::set;

pub(crate) fn releaser(owner: &str) -> Who {
    Who::new(Role::Releaser, owner)
}

/// An editor proposes to move a label of prompt `a`.
pub(crate) async fn propose(
    it: &Bench,
    at: &str,
    version: u32,
    ramp: Option<Ramp>,
    by: &str,
) -> Result<Release, StoreError> {
    let new = NewRelease { label: label(at), version, ramp, note: Some("please".into()) };
    it.registry.propose_release(PROJECT, &name("a"), new, &Who::new(Role::Editor, by)).await
}

pub(crate) async fn approve(it: &Bench, release: &Release, by: &str) -> Result<Release, StoreError> {
    act(it, release, ReleaseVerb::Approve, &releaser(by)).await
}

pub(crate) async fn act(
    it: &Bench,
    release: &Release,
    verb: ReleaseVerb,
    who: &Who,
) -> Result<Release, StoreError> {
    it.registry.change_release(PROJECT, release.id, ReleaseDeed::of(verb), who).await
}

/// Three versions by ann, the first in production.
pub(crate) async fn three(it: &Bench) {
    for text in ["one", "two", "three"] {
        it.say("a", text).await;
    }
    it.put("a", "production", 1).await;
}

pub(crate) async fn a_release_without_approvals_waits_to_be_carried_out(it: Bench) {
    three(&it).await;
    let proposed = propose(&it, "production", 2, None, "ed").await.unwrap();
    assert_eq!((proposed.state, proposed.from_version), (ReleaseState::Approved, Some(1)));
    assert_eq!((&*proposed.author, &*proposed.proposed_by), ("ann", "ed"));
    assert_eq!(it.number("a").await, Ok(1), "nothing releases itself");
    let released = act(&it, &proposed, ReleaseVerb::Release, &releaser("rel")).await.unwrap();
    assert_eq!((released.state, released.percent), (ReleaseState::Released, 100));
    assert_eq!(it.number("a").await, Ok(2));
    let history = it
        .registry
        .label_history(PROJECT, &name("a"), &label("production"), &Paging::default())
        .await
        .unwrap();
    assert_eq!((&*history.data[0].moved_by, history.data[0].reason.as_deref()), ("rel", Some("please")));
    assert_eq!(it.registry.get_release(PROJECT, released.id).await.unwrap(), released);
    let fresh = propose(&it, "fresh", 3, None, "ed").await.unwrap();
    assert_eq!(fresh.from_version, None);
    act(&it, &fresh, ReleaseVerb::Release, &releaser("rel")).await.unwrap();
    assert_eq!(it.number("a@fresh").await, Ok(3), "a release may place a label that was not there");
}

pub(crate) async fn four_eyes_see_every_release(it: Bench) {
    three(&it).await;
    set(&it, "production", |rules| rules.approvals = 2).await;
    let release = propose(&it, "production", 2, None, "ed").await.unwrap();
    assert_eq!(release.state, ReleaseState::Proposed);
    for (own, why) in [("ann", "wrote this version"), ("ed", "proposed this release")] {
        let refused = approve(&it, &release, own).await.unwrap_err();
        assert!(matches!(&refused, StoreError::Forbidden(said) if said.contains(why)), "{refused}");
    }
    let by_editor = act(&it, &release, ReleaseVerb::Approve, &Who::new(Role::Editor, "bob")).await;
    assert!(matches!(by_editor, Err(StoreError::Forbidden(_))));
    approve(&it, &release, "bob").await.unwrap();
    let twice = approve(&it, &release, "bob").await.unwrap();
    assert_eq!(
        (twice.state, twice.approvals().count()),
        (ReleaseState::Proposed, 1),
        "one person, one approval"
    );
    let early = act(&it, &release, ReleaseVerb::Release, &it.admin).await.unwrap_err();
    assert!(matches!(&early, StoreError::Conflict(why) if why.contains("has 1")), "{early}");
    assert_eq!(approve(&it, &release, "cyd").await.unwrap().state, ReleaseState::Approved);
    assert_eq!(it.number("a").await, Ok(1));
    // Whoever proposed or approved may carry it out: it was seen by others.
    act(&it, &release, ReleaseVerb::Release, &releaser("bob")).await.unwrap();
    assert_eq!(it.number("a").await, Ok(2));
}

pub(crate) async fn the_policy_of_today_is_the_one_that_counts(it: Bench) {
    three(&it).await;
    let release = propose(&it, "production", 2, None, "ed").await.unwrap();
    set(&it, "production", |rules| rules.approvals = 1).await;
    let refused = act(&it, &release, ReleaseVerb::Release, &it.admin).await.unwrap_err();
    assert!(matches!(refused, StoreError::Conflict(_)), "{refused}");
    approve(&it, &release, "bob").await.unwrap();
    act(&it, &release, ReleaseVerb::Release, &it.admin).await.unwrap();
    assert_eq!(it.number("a").await, Ok(2));
}

pub(crate) async fn a_label_that_moved_meanwhile_makes_a_release_stale(it: Bench) {
    three(&it).await;
    let release = propose(&it, "production", 2, None, "ed").await.unwrap();
    it.put("a", "production", 3).await;
    let stale = act(&it, &release, ReleaseVerb::Release, &it.admin).await.unwrap_err();
    assert!(matches!(&stale, StoreError::Stale { current: Some(3), .. }), "{stale}");
    let fresh = propose(&it, "new", 2, None, "ed").await.unwrap();
    it.put("a", "new", 1).await;
    let stale = act(&it, &fresh, ReleaseVerb::Release, &it.admin).await.unwrap_err();
    assert!(matches!(&stale, StoreError::Stale { current: Some(1), .. }), "{stale}");
    assert_eq!(it.number("a").await, Ok(3));
}

pub(crate) async fn a_release_is_rejected_or_withdrawn_once(it: Bench) {
    three(&it).await;
    let rejected = propose(&it, "production", 2, None, "ed").await.unwrap();
    let rejected = act(&it, &rejected, ReleaseVerb::Reject, &releaser("rel")).await.unwrap();
    assert_eq!(rejected.state, ReleaseState::Rejected);
    for verb in [
        ReleaseVerb::Approve,
        ReleaseVerb::Reject,
        ReleaseVerb::Withdraw,
        ReleaseVerb::Release,
        ReleaseVerb::Pause,
        ReleaseVerb::Resume,
        ReleaseVerb::Advance,
        ReleaseVerb::Abort,
    ] {
        let over = act(&it, &rejected, verb, &it.admin).await.unwrap_err();
        assert!(
            matches!(&over, StoreError::Conflict(why) if why.contains("is rejected")),
            "{verb:?}: {over}"
        );
    }
    let withdrawn = propose(&it, "production", 2, None, "ed").await.unwrap();
    let somebody = Who::new(Role::Editor, "somebody");
    let refused = act(&it, &withdrawn, ReleaseVerb::Withdraw, &somebody).await.unwrap_err();
    assert!(matches!(refused, StoreError::Forbidden(_)), "{refused}");
    let editor = Who::new(Role::Editor, "ed");
    let withdrawn = act(&it, &withdrawn, ReleaseVerb::Withdraw, &editor).await.unwrap();
    assert_eq!(withdrawn.state, ReleaseState::Withdrawn);
    assert_eq!(it.number("a").await, Ok(1));
}

pub(crate) async fn what_cannot_be_released_is_refused_when_it_is_proposed(it: Bench) {
    three(&it).await;
    let missing = propose(&it, "production", 9, None, "ed").await.unwrap_err();
    assert!(matches!(missing, StoreError::Missing(_)), "{missing}");
    let there = propose(&it, "production", 1, None, "ed").await.unwrap_err();
    assert!(matches!(there, StoreError::Conflict(_)), "{there}");
    for steps in [vec![], vec![10], vec![0, 100], vec![50, 10, 100], vec![10, 10, 100], vec![10, 101]] {
        let ramp = Ramp { steps, every_seconds: None };
        let wrong = propose(&it, "production", 2, Some(ramp.clone()), "ed").await.unwrap_err();
        assert_eq!(wrong.field(), Some("ramp"), "{ramp:?}");
    }
    let hasty = Ramp { steps: vec![10, 100], every_seconds: Some(1) };
    assert_eq!(propose(&it, "production", 2, Some(hasty), "ed").await.unwrap_err().field(), Some("ramp"));
    let viewer = Who::new(Role::Viewer, "vi");
    let new = NewRelease { label: label("production"), version: 2, ramp: None, note: None };
    let refused = it.registry.propose_release(PROJECT, &name("a"), new, &viewer).await.unwrap_err();
    assert!(matches!(refused, StoreError::Forbidden(_)));
    let nothing = it.registry.get_release(PROJECT, Id::at(it.clock.now())).await.unwrap_err();
    assert!(matches!(nothing, StoreError::Missing(_)));
}

pub(crate) async fn releases_are_listed_newest_first_by_state_prompt_and_label(it: Bench) {
    three(&it).await;
    it.say("b", "one").await;
    let mut made = Vec::new();
    for (at, version) in [("production", 2), ("production", 3), ("staging", 2)] {
        it.clock.advance(std::time::Duration::from_secs(1));
        made.push(propose(&it, at, version, None, "ed").await.unwrap().id);
    }
    act(&it, &it.registry.get_release(PROJECT, made[0]).await.unwrap(), ReleaseVerb::Reject, &it.admin)
        .await
        .unwrap();
    let listed = |filter: ReleaseFilter, limit| {
        let paging = Paging { limit: Limit::new(limit).unwrap(), cursor: None };
        let registry = it.registry.clone();
        async move {
            let page = registry.list_releases(PROJECT, &filter, &paging).await.unwrap();
            page.data.iter().map(|release| release.id).collect::<Vec<_>>()
        }
    };
    let filter = ReleaseFilter::default;
    assert_eq!(listed(filter(), 10).await, [made[2], made[1], made[0]]);
    assert_eq!(listed(filter(), 1).await, [made[2]]);
    let rejected = ReleaseFilter { state: Some(ReleaseState::Rejected), ..filter() };
    assert_eq!(listed(rejected, 10).await, [made[0]]);
    let staging = ReleaseFilter { label: Some(label("staging")), prompt: Some(name("a")), ..filter() };
    assert_eq!(listed(staging, 10).await, [made[2]]);
    assert_eq!(listed(ReleaseFilter { prompt: Some(name("b")), ..filter() }, 10).await, []);
}

pub(crate) async fn a_history_says_who_did_what(it: Bench) {
    three(&it).await;
    set(&it, "production", |rules| rules.approvals = 1).await;
    let release = propose(&it, "production", 2, None, "ed").await.unwrap();
    let note = ReleaseDeed { note: Some("looks good".to_owned()), ..ReleaseDeed::of(ReleaseVerb::Approve) };
    it.registry.change_release(PROJECT, release.id, note, &releaser("bob")).await.unwrap();
    let released = act(&it, &release, ReleaseVerb::Release, &releaser("rel")).await.unwrap();
    let told: Vec<_> =
        released.history.iter().map(|event| (event.action, &*event.by, event.percent)).collect();
    let expected = [
        (ReleaseAction::Proposed, "ed", 0),
        (ReleaseAction::Approved, "bob", 0),
        (ReleaseAction::Released, "rel", 100),
    ];
    assert_eq!(told, expected);
    assert_eq!(released.history[1].note.as_deref(), Some("looks good"));
}

pub(crate) async fn of_two_who_carry_a_release_out_one_does(it: Bench) {
    three(&it).await;
    let release = propose(&it, "production", 2, None, "ed").await.unwrap();
    let tasks = (0..10).map(|number| {
        let (registry, id) = (it.registry.clone(), release.id);
        let who = releaser(&format!("rel-{number}"));
        tokio::spawn(async move {
            registry.change_release(PROJECT, id, ReleaseDeed::of(ReleaseVerb::Release), &who).await.is_ok()
        })
    });
    let mut done = 0;
    for task in tasks.collect::<Vec<_>>() {
        done += u32::from(task.await.unwrap());
    }
    assert_eq!(done, 1);
    let change = LabelChange::of(label("production"));
    let history =
        it.registry.label_history(PROJECT, &name("a"), &change.label, &Paging::default()).await.unwrap();
    assert_eq!(history.data.len(), 2);
}
