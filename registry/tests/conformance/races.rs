//! Cases about many at once: nothing lost, nothing done twice, no half writes seen.

use std::collections::BTreeSet;
use std::time::Duration;

use registry::{
    AlertChange, KeyChange, LabelChange, NewPrompt, NewVersion, NewView, Paging, PromptChange, Registry,
    StoreError, ViewContent, ViewKind, Who,
};
use tokio::task::JoinSet;
use tokio::time::timeout;
use vocab::Limit;

use crate::alerts;
use crate::audit::whole;
use crate::bench::{Bench, PROJECT, key_named, label, name, saying};

const WRITERS: u32 = 50;

/// Lets every writer try, and counts those who did it.
async fn all<T: 'static>(mut tries: JoinSet<Result<T, StoreError>>) -> (Vec<T>, Vec<StoreError>) {
    let (mut done, mut refused) = (Vec::new(), Vec::new());
    while let Some(tried) = tries.join_next().await {
        match tried.unwrap() {
            Ok(answer) => done.push(answer),
            Err(error) => refused.push(error),
        }
    }
    (done, refused)
}

pub(crate) async fn fifty_writers_lose_nothing(it: Bench) {
    let mut tries = JoinSet::new();
    for writer in 0..WRITERS {
        let (registry, admin) = (it.registry.clone(), it.admin.clone());
        tries.spawn(async move {
            for round in 0..4 {
                let own = name(&format!("own/{writer}"));
                let text = saying(&format!("{writer} {round}"));
                registry.publish(PROJECT, &own, NewVersion::of(text.clone()), &admin).await?;
                registry.publish(PROJECT, &name("shared"), NewVersion::of(text), &admin).await?;
            }
            Ok(())
        });
    }
    let (done, refused) = all(tries).await;
    assert_eq!((done.len(), refused.len()), (WRITERS as usize, 0), "{refused:?}");
    let paging = Paging { limit: Limit::new(Limit::MAX).unwrap(), cursor: None };
    let versions = it.registry.list_versions(PROJECT, &name("shared"), &paging).await.unwrap().data;
    let numbers: Vec<_> = versions.iter().rev().map(|version| version.number).collect();
    assert_eq!(numbers, (1..=WRITERS * 4).collect::<Vec<_>>());
    let texts: BTreeSet<_> = versions.iter().map(|version| &*version.digest).collect();
    assert_eq!(texts.len(), WRITERS as usize * 4);
    assert_eq!(it.registry.snapshot().prompt_names(PROJECT).count(), WRITERS as usize + 1);
    for writer in 0..WRITERS {
        assert_eq!(it.number(&format!("own/{writer}@latest")).await, Ok(4));
    }
    assert_eq!(it.registry.snapshot().revision(), i64::from(WRITERS) * 8);
}

pub(crate) async fn one_of_many_wins_a_compare_and_set(it: Bench) {
    for number in 0..=WRITERS {
        it.say("a", &format!("text {number}")).await;
    }
    it.put("a", "dev", 1).await;
    let mut tries = JoinSet::new();
    for writer in 0..WRITERS {
        let (registry, admin) = (it.registry.clone(), it.admin.clone());
        let change = LabelChange { expected_version: Some(1), ..LabelChange::of(label("dev")) };
        tries.spawn(async move {
            registry.move_label(PROJECT, &name("a"), change.onto(writer + 2), &admin).await
        });
    }
    let (won, lost) = all(tries).await;
    assert_eq!((won.len(), lost.len()), (1, WRITERS as usize - 1));
    for error in lost {
        assert!(
            matches!(error, StoreError::Stale { current: Some(now), .. } if now == won[0].version),
            "{error}"
        );
    }
    assert_eq!(it.number("a@dev").await, Ok(won[0].version));
    let history =
        it.registry.label_history(PROJECT, &name("a"), &label("dev"), &Paging::default()).await.unwrap();
    assert_eq!(history.data.len(), 2);
}

pub(crate) async fn one_of_many_publishes_onto_a_parent(it: Bench) {
    it.say("a", "one").await;
    let mut tries = JoinSet::new();
    for writer in 0..WRITERS {
        let (registry, admin) = (it.registry.clone(), it.admin.clone());
        let new = NewVersion { expected_parent: Some(1), ..NewVersion::of(saying(&format!("by {writer}"))) };
        tries.spawn(async move { registry.publish(PROJECT, &name("a"), new, &admin).await });
    }
    let (won, lost) = all(tries).await;
    assert_eq!((won.len(), won[0].version.number), (1, 2));
    assert!(lost.iter().all(|error| matches!(error, StoreError::Stale { current: Some(2), .. })));
}

pub(crate) async fn one_of_many_gets_a_name(it: Bench) {
    let mut tries = JoinSet::new();
    for _ in 0..WRITERS {
        let (registry, admin) = (it.registry.clone(), it.admin.clone());
        tries
            .spawn(async move { registry.create_prompt(PROJECT, NewPrompt::named(name("a")), &admin).await });
    }
    let (won, lost) = all(tries).await;
    assert_eq!(won.len(), 1);
    assert!(lost.iter().all(|error| matches!(error, StoreError::Taken(_))));
}

pub(crate) async fn a_caller_who_goes_away_leaves_whole_writes(it: Bench) {
    for writer in 0..WRITERS {
        let (registry, admin) = (it.registry.clone(), it.admin.clone());
        let publishing = tokio::spawn(async move {
            let new = NewVersion { labels: vec![label("dev")], ..NewVersion::of(saying("x")) };
            registry.publish(PROJECT, &name(&format!("p{writer}")), new, &admin).await
        });
        if writer % 3 > 0 {
            tokio::task::yield_now().await;
        }
        publishing.abort();
    }
    // Writers come one after the other: when this one is through, so are all before it.
    it.say("last", "x").await;
    it.registry.refresh().await.unwrap();
    let snapshot = it.registry.snapshot();
    for prompt in snapshot.prompt_names(PROJECT).filter(|prompt| prompt.name.as_str() != "last") {
        assert_eq!((prompt.latest, prompt.labels.get("dev")), (Some(1), Some(&1)), "{}", prompt.name);
        assert_eq!(it.number(&format!("{}@dev", prompt.name)).await, Ok(1));
    }
}

pub(crate) async fn readers_see_whole_writes(it: Bench) {
    it.say("a", "even 0").await;
    it.put("a", "x", 1).await;
    let (registry, admin) = (it.registry.clone(), it.admin.clone());
    let writer = tokio::spawn(async move {
        for number in 1..60 {
            let labels = vec![label("x"), label("y")];
            let new = NewVersion { labels, ..NewVersion::of(saying(&format!("text {number}"))) };
            registry.publish(PROJECT, &name("a"), new, &admin).await.unwrap();
        }
    });
    let mut seen = 0;
    while !writer.is_finished() {
        let prompt = it.registry.get_prompt(PROJECT, &name("a")).await.unwrap();
        if let Some(y) = prompt.labels.get("y") {
            assert_eq!((Some(y), Some(*y)), (prompt.labels.get("x"), prompt.latest));
        }
        let served = it.resolve("a@x").await.unwrap();
        assert!(served.version.number >= seen, "a label never goes back by itself");
        seen = served.version.number;
    }
    writer.await.unwrap();
    assert_eq!(it.number("a@y").await, Ok(60));
}

/// What one of the fifty does: with its own things, and with a prompt that all of them publish to.
async fn some_of_everything(registry: &Registry, writer: u32, who: &Who) -> Result<(), StoreError> {
    let (own, renamed) = (name(&format!("own/{writer}")), name(&format!("renamed/{writer}")));
    registry.create_prompt(PROJECT, NewPrompt::named(own.clone()), who).await?;
    for prompt in [&own, &name("shared")] {
        let new =
            NewVersion { labels: vec![label("dev")], ..NewVersion::of(saying(&format!("by {writer}"))) };
        registry.publish(PROJECT, prompt, new, who).await?;
    }
    let key = registry.issue_key(key_named("k"), who).await?.issued;
    let rename = PromptChange { name: Some(renamed.clone()), ..PromptChange::default() };
    registry.update_prompt(PROJECT, &own, rename, who).await?;
    let alert = registry.create_alert(alerts::named(renamed.as_str(), alerts::rule()), who).await?;
    let change = KeyChange { name: Some("other".into()), ..KeyChange::default() };
    registry.update_key(key.id, change, who).await?;
    registry.move_label(PROJECT, &own, LabelChange::of(label("qa")).onto(1), who).await?;
    let off = AlertChange { enabled: Some(false), ..AlertChange::default() };
    registry.update_alert(alert.id, off, who).await?;
    let view = NewView { name: renamed.to_string(), kind: ViewKind::Calls, content: ViewContent::default() };
    let view = registry.create_view(PROJECT, view, who).await?;
    for at in ["dev", "qa"] {
        registry.remove_label(PROJECT, &renamed, LabelChange::of(label(at)), who).await?;
    }
    registry.delete_view(PROJECT, view.id, None, who).await?;
    registry.archive_prompt(PROJECT, &renamed, who).await?;
    registry.revoke_key(key.id, who).await?;
    registry.delete_alert(alert.id, who).await?;
    Ok(())
}

/// The changes in one round of [`some_of_everything`].
const OF_EACH: usize = 18;

pub(crate) async fn fifty_writers_of_everything_on_two_nodes_lose_nothing(it: Bench) {
    let other = it.another().await;
    let mut tries = JoinSet::new();
    for writer in 0..WRITERS {
        let registry = if writer % 2 == 0 { it.registry.clone() } else { other.clone() };
        let who = Who { owner: format!("writer {writer}").into(), ..it.admin.clone() };
        tries.spawn(async move { some_of_everything(&registry, writer, &who).await });
    }
    let through = timeout(Duration::from_mins(2), all(tries)).await;
    let (done, refused) = through.unwrap_or_else(|_| panic!("writers wait for each other for ever"));
    assert_eq!((done.len(), refused.len()), (WRITERS as usize, 0), "{refused:?}");

    let entries = whole(&it).await;
    assert_eq!(entries.len(), 1 + WRITERS as usize * OF_EACH, "one makes the shared prompt");
    for writer in 0..WRITERS {
        let owner = format!("writer {writer}");
        let own = entries.iter().filter(|entry| entry.who == owner);
        let own = own.filter(|entry| entry.target != "shared").count();
        assert_eq!(own, OF_EACH, "{owner}");
    }
    for node in [&it.registry, &other] {
        node.refresh().await.unwrap();
        let snapshot = node.snapshot();
        let shared = snapshot.prompt_names(PROJECT).find(|prompt| prompt.name.as_str() == "shared").unwrap();
        assert_eq!(shared.latest, Some(WRITERS));
        let last = entries.iter().rfind(|entry| entry.target == "shared@dev").unwrap();
        assert_eq!(shared.labels.get("dev").map(|at| u64::from(*at)), last.detail["to"].as_u64());
    }
    other.close().await;
}
