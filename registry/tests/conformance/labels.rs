//! Cases about labels: compare-and-set, history, rolling back, who may.

use registry::{LabelAction, LabelChange, Paging, Role, StoreError, Who};
use vocab::Limit;

use crate::bench::{Bench, PROJECT, label, name};

/// Three versions of prompt `a`.
async fn three(it: &Bench) {
    for text in ["one", "two", "three"] {
        it.say("a", text).await;
    }
}

fn expecting(at: &str, version: u32) -> LabelChange {
    LabelChange { expected_version: Some(version), ..LabelChange::of(label(at)) }
}

/// Where a label stands, 0 when it does not.
async fn at(it: &Bench, at: &str) -> u32 {
    let labels = it.registry.list_labels(PROJECT, &name("a")).await.unwrap();
    labels.iter().find(|found| found.label.as_str() == at).map_or(0, |found| found.version)
}

pub(crate) async fn a_label_moves_only_from_where_it_was_expected(it: Bench) {
    three(&it).await;
    let (a, who) = (name("a"), &it.admin);
    let absent = it.registry.move_label(PROJECT, &a, expecting("dev", 2).onto(1), who).await.unwrap_err();
    assert!(matches!(&absent, StoreError::Stale { current: None, .. }), "{absent}");
    it.registry.move_label(PROJECT, &a, expecting("dev", 0).onto(1), who).await.unwrap();
    let stale = it.registry.move_label(PROJECT, &a, expecting("dev", 2).onto(3), who).await.unwrap_err();
    let StoreError::Stale { message, current: Some(1) } = stale else { panic!("{stale}") };
    assert!(message.contains("version 1, put there by ann"), "{message}");
    let exists = it.registry.move_label(PROJECT, &a, expecting("dev", 0).onto(3), who).await.unwrap_err();
    assert!(matches!(exists, StoreError::Stale { current: Some(1), .. }));
    assert_eq!(at(&it, "dev").await, 1);
    let moved = it.registry.move_label(PROJECT, &a, expecting("dev", 1).onto(3), who).await.unwrap();
    assert_eq!((moved.version, moved.moved_by.as_str(), moved.moved_at), (3, "ann", it.clock.now()));
}

pub(crate) async fn a_label_points_at_versions_that_exist(it: Bench) {
    three(&it).await;
    for (prompt, version, missing) in
        [("a", 4, "version `4`"), ("a", 0, "version `0`"), ("b", 1, "prompt `b`")]
    {
        let change = LabelChange::of(label("dev"));
        let refused = it
            .registry
            .move_label(PROJECT, &name(prompt), change.onto(version), &it.admin)
            .await
            .unwrap_err();
        assert!(matches!(&refused, StoreError::Missing(why) if why.contains(missing)), "{refused}");
    }
    let long = LabelChange { reason: Some("x".repeat(2_001)), ..LabelChange::of(label("dev")) };
    let refused = it.registry.move_label(PROJECT, &name("a"), long.onto(1), &it.admin).await.unwrap_err();
    assert_eq!(refused.field(), Some("reason"));
}

pub(crate) async fn moving_a_label_to_where_it_is_writes_no_history(it: Bench) {
    three(&it).await;
    it.put("a", "dev", 2).await;
    let placed = it.clock.now();
    it.put("a", "dev", 2).await;
    let history =
        it.registry.label_history(PROJECT, &name("a"), &label("dev"), &Paging::default()).await.unwrap();
    assert_eq!((history.data.len(), history.data[0].moved_at), (1, placed));
}

pub(crate) async fn the_history_says_who_what_when_and_why(it: Bench) {
    three(&it).await;
    it.put("a", "dev", 1).await;
    let because = LabelChange { reason: Some("it is better".into()), ..LabelChange::of(label("dev")) };
    let bob = Who::new(Role::Editor, "bob");
    it.registry.move_label(PROJECT, &name("a"), because.onto(3), &bob).await.unwrap();
    assert_eq!(it.roll_back("a", "dev").await.unwrap(), 1);
    it.take_away("a", "dev").await;
    let mut paging = Paging { limit: Limit::new(3).unwrap(), cursor: None };
    let newest = it.registry.label_history(PROJECT, &name("a"), &label("dev"), &paging).await.unwrap();
    let told: Vec<_> = newest.data.iter().map(|moved| (moved.action, moved.from, moved.to)).collect();
    let expected = [
        (LabelAction::Remove, Some(1), None),
        (LabelAction::Rollback, Some(3), Some(1)),
        (LabelAction::Move, Some(1), Some(3)),
    ];
    assert_eq!(told, expected);
    assert_eq!(
        (newest.data[2].moved_by.as_str(), newest.data[2].reason.as_deref()),
        ("bob", Some("it is better"))
    );
    paging.cursor = newest.next_cursor;
    let oldest = it.registry.label_history(PROJECT, &name("a"), &label("dev"), &paging).await.unwrap();
    assert_eq!((oldest.data.len(), oldest.data[0].from, oldest.data[0].to), (1, None, Some(1)));
    assert_eq!(oldest.next_cursor, None);
    let never = it.registry.label_history(PROJECT, &name("a"), &label("qa"), &Paging::default()).await;
    assert!(matches!(never, Err(StoreError::Missing(_))));
}

pub(crate) async fn rolling_back_walks_the_history(it: Bench) {
    three(&it).await;
    for version in [1, 2, 3] {
        it.put("a", "production", version).await;
    }
    assert_eq!(it.roll_back("a", "production").await.unwrap(), 2);
    assert_eq!(it.roll_back("a", "production").await.unwrap(), 1);
    let none = it.roll_back("a", "production").await.unwrap_err();
    assert!(matches!(&none, StoreError::Conflict(why) if why.contains("nothing before version 1")), "{none}");
    // A move after a rollback: back to what served before that move, and on from where that stood.
    it.put("a", "production", 3).await;
    assert_eq!(it.roll_back("a", "production").await.unwrap(), 1);
    assert!(it.roll_back("a", "production").await.is_err());
}

pub(crate) async fn rolling_back_skips_removals_and_ends_with_the_first(it: Bench) {
    three(&it).await;
    it.put("a", "dev", 1).await;
    it.take_away("a", "dev").await;
    let gone = it.roll_back("a", "dev").await.unwrap_err();
    assert!(matches!(gone, StoreError::Missing(_)), "{gone}");
    it.put("a", "dev", 1).await;
    let same = it.roll_back("a", "dev").await.unwrap_err();
    assert!(matches!(same, StoreError::Conflict(_)), "it never served anything else: {same}");
    it.put("a", "dev", 2).await;
    assert_eq!(it.roll_back("a", "dev").await.unwrap(), 1);
}

pub(crate) async fn rolling_back_is_refused_when_it_was_moved_meanwhile(it: Bench) {
    three(&it).await;
    it.put("a", "dev", 1).await;
    it.put("a", "dev", 2).await;
    let roll_back =
        |expected| it.registry.roll_back_label(PROJECT, &NAME, expecting("dev", expected), &it.admin);
    let stale = roll_back(1).await.unwrap_err();
    assert!(matches!(stale, StoreError::Stale { current: Some(2), .. }), "{stale}");
    assert_eq!(roll_back(2).await.unwrap().version, 1);
}

static NAME: std::sync::LazyLock<vocab::PromptName> = std::sync::LazyLock::new(|| name("a"));

pub(crate) async fn only_releasers_move_production(it: Bench) {
    three(&it).await;
    let (editor, releaser) = (Who::new(Role::Editor, "ed"), Who::new(Role::Releaser, "rel"));
    let production = || LabelChange::of(label("production"));
    let staging = || LabelChange::of(label("staging"));
    let forbidden = |refused: Option<StoreError>| matches!(refused, Some(StoreError::Forbidden(_)));
    it.registry.move_label(PROJECT, &NAME, staging().onto(1), &editor).await.unwrap();
    assert!(forbidden(it.registry.move_label(PROJECT, &NAME, production().onto(1), &editor).await.err()));
    assert_eq!(at(&it, "production").await, 0);
    it.registry.move_label(PROJECT, &NAME, production().onto(1), &releaser).await.unwrap();
    it.registry.move_label(PROJECT, &NAME, production().onto(2), &releaser).await.unwrap();
    assert!(forbidden(it.registry.remove_label(PROJECT, &NAME, production(), &editor).await.err()));
    assert!(forbidden(it.registry.roll_back_label(PROJECT, &NAME, production(), &editor).await.err()));
    assert!(forbidden(it.registry.roll_back_label(PROJECT, &NAME, staging(), &editor).await.err()));
    assert_eq!(at(&it, "production").await, 2);
    it.registry.remove_label(PROJECT, &NAME, staging(), &editor).await.unwrap();
    let viewer = Who::new(Role::Viewer, "vic");
    assert!(forbidden(it.registry.move_label(PROJECT, &NAME, staging().onto(1), &viewer).await.err()));
}

pub(crate) async fn a_removed_label_is_gone_and_keeps_its_history(it: Bench) {
    three(&it).await;
    it.put("a", "dev", 1).await;
    let stale = it.registry.remove_label(PROJECT, &NAME, expecting("dev", 2), &it.admin).await.unwrap_err();
    assert!(matches!(stale, StoreError::Stale { current: Some(1), .. }), "{stale}");
    it.registry.remove_label(PROJECT, &NAME, expecting("dev", 1), &it.admin).await.unwrap();
    assert_eq!(at(&it, "dev").await, 0);
    assert!(it.number("a@dev").await.is_err());
    let again = it.registry.remove_label(PROJECT, &NAME, LabelChange::of(label("dev")), &it.admin).await;
    assert!(matches!(again, Err(StoreError::Missing(_))));
    let history = it.registry.label_history(PROJECT, &NAME, &label("dev"), &Paging::default()).await.unwrap();
    assert_eq!(history.data.len(), 2);
}

/// Random moves, removals and rollbacks beside a model of the rule: a label is a path of placements; a move
/// extends it, a rollback goes back along it to the last one of another version.
pub(crate) async fn rolling_back_takes_any_history_to_versions_it_served(it: Bench) {
    three(&it).await;
    let mut path: Vec<u32> = Vec::new();
    let mut stands = false;
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..200 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        match random % 8 {
            0..=3 => {
                let version = u32::try_from(random / 8 % 3).unwrap() + 1;
                it.put("a", "dev", version).await;
                if !stands || path.last() != Some(&version) {
                    path.push(version);
                }
                stands = true;
            }
            4 if stands => {
                it.take_away("a", "dev").await;
                stands = false;
            }
            4 => assert!(it.roll_back("a", "dev").await.is_err()),
            _ if stands => {
                let now = *path.last().unwrap();
                let back = path.iter().rposition(|version| *version != now);
                assert_eq!(it.roll_back("a", "dev").await.ok(), back.map(|place| path[place]));
                path.truncate(back.map_or(path.len(), |place| place + 1));
            }
            _ => {}
        }
        assert_eq!(at(&it, "dev").await, if stands { *path.last().unwrap() } else { 0 });
    }
}
