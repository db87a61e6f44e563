//! Cases about many at once: nothing lost, nothing done twice, no half writes seen.

use std::collections::BTreeSet;

use registry::{LabelChange, NewPrompt, NewVersion, Paging, StoreError};
use tokio::task::JoinSet;
use vocab::Limit;

use crate::bench::{Bench, PROJECT, label, name, saying};

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
