//! Cases about what the two databases could do differently, and about several nodes on one.

use std::time::Duration;

use registry::{NewPrompt, NewVersion, Paging, PromptFilter, StoreError};
use vocab::Limit;

use crate::bench::{Bench, PROJECT, name, saying};

pub(crate) async fn text_is_ordered_byte_by_byte(it: Bench) {
    for prompt in ["a-b", "B", "a/b", "a_b", "ab", "a.b", "A"] {
        it.say(prompt, "x").await;
    }
    let mut seen = Vec::new();
    let mut paging = Paging { limit: Limit::new(2).unwrap(), cursor: None };
    loop {
        let page = it.registry.list_prompts(PROJECT, &PromptFilter::default(), &paging).await.unwrap();
        seen.extend(page.data.iter().map(|prompt| prompt.name.to_string()));
        let Some(next) = page.next_cursor else { break };
        paging.cursor = Some(next);
    }
    let mut sorted = seen.clone();
    sorted.sort_unstable();
    assert_eq!((seen.len(), &seen), (7, &sorted));
}

pub(crate) async fn a_nul_character_is_refused_wherever_it_comes_in(it: Bench) {
    it.say("a", "x").await;
    for filter in [
        PromptFilter { text: Some("a\0".to_owned()), ..PromptFilter::default() },
        PromptFilter { tag: Some("\0".to_owned()), ..PromptFilter::default() },
    ] {
        let refused = it.registry.list_prompts(PROJECT, &filter, &Paging::default()).await.unwrap_err();
        assert!(
            matches!(&refused, StoreError::Invalid { message, .. } if message.contains("NUL")),
            "{refused}"
        );
    }
    let refused = it.registry.get_prompt("def\0ault", &name("a")).await.unwrap_err();
    assert!(matches!(refused, StoreError::Invalid { .. }), "{refused}");
    let new = NewPrompt { description: "\0".to_owned(), ..NewPrompt::named(name("b")) };
    let refused = it.registry.create_prompt(PROJECT, new, &it.admin).await.unwrap_err();
    assert!(matches!(refused, StoreError::Invalid { .. }), "{refused}");
    // In a prompt's own text it is written as an escape, and comes back as it was.
    let published = it.publish("a", NewVersion::of(saying("nul \0 and \u{1f600}"))).await.unwrap();
    let reopened = it.another().await;
    let read = reopened.get_version(PROJECT, &name("a"), &"2".parse().unwrap()).await.unwrap();
    assert_eq!(read.content, published.version.content);
    reopened.close().await;
}

pub(crate) async fn a_second_node_sees_what_the_first_wrote(it: Bench) {
    let other = it.another().await;
    it.say("a", "one").await;
    it.put("a", "dev", 1).await;
    let reference = "a@dev".parse().unwrap();
    assert!(other.resolve(PROJECT, &reference).await.is_err());
    other.refresh().await.unwrap();
    assert_eq!(other.resolve(PROJECT, &reference).await.unwrap().version.number, 1);
    assert_eq!(other.snapshot().revision(), it.registry.snapshot().revision());
    other.close().await;
}

pub(crate) async fn what_another_node_writes_is_noticed(it: Bench) {
    let other = it.another().await;
    let reference = "a@dev".parse().unwrap();
    let watching = async {
        it.say("a", "one").await;
        it.put("a", "dev", 1).await;
        while other.resolve(PROJECT, &reference).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = other.watch() => unreachable!("watching has no end"),
        seen = tokio::time::timeout(Duration::from_secs(20), watching) => seen.unwrap(),
    }
    other.close().await;
}
