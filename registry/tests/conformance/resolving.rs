//! Cases about references: what each names, and what it says when it names nothing.

use registry::{NewPrompt, NewVersion, PromptChange, ResolveError};
use serde_json::json;
use vocab::LabelName;

use crate::bench::{Bench, PROJECT, alias, name, saying};

pub(crate) async fn every_selector_comes_to_its_version(it: Bench) {
    it.say("a", "one").await;
    let digest = it.say("a", "two").await.version.digest;
    it.say("a", "three").await;
    it.say("a", "four").await;
    it.put("a", "production", 3).await;
    it.put("a", "dev", 1).await;
    let prefix = digest.get(..6).unwrap();
    let cases = [
        ("a".to_owned(), 3),
        ("a@production".to_owned(), 3),
        ("a@dev".to_owned(), 1),
        ("a@latest".to_owned(), 4),
        ("a@2".to_owned(), 2),
        ("a@3".to_owned(), 3),
        ("a@1.0.0".to_owned(), 1),
        ("a@1.0.1".to_owned(), 2),
        (format!("a@sha256:{digest}"), 2),
        (format!("a@sha256:{prefix}"), 2),
    ];
    for (reference, number) in &cases {
        // Twice: the second answer may come from another place than the first.
        assert_eq!(it.number(reference).await, Ok(*number), "{reference}");
        assert_eq!(it.number(reference).await, Ok(*number), "{reference}");
    }
    let by_default = it.resolve("a").await.unwrap();
    assert_eq!(by_default.label, Some(LabelName::production()));
    assert_eq!(by_default.version.content, saying("three"));
    for pinned in ["a@3", "a@latest", "a@1.0.0"] {
        assert_eq!(it.resolve(pinned).await.unwrap().label, None, "{pinned}");
    }
}

pub(crate) async fn production_never_falls_back(it: Bench) {
    it.say("a", "one").await;
    let refused = it.resolve("a").await.unwrap_err();
    assert!(
        matches!(&refused, ResolveError::NoLabel(why) if why.contains("no label `production`")),
        "{refused}"
    );
    it.put("a", "production", 1).await;
    assert_eq!(it.number("a").await, Ok(1));
    it.say("a", "two").await;
    assert_eq!(it.number("a").await, Ok(1));
}

pub(crate) async fn a_label_moved_serves_on_the_next_call(it: Bench) {
    it.say("a", "one").await;
    it.say("a", "two").await;
    for version in [1, 2, 1, 2] {
        it.put("a", "production", version).await;
        assert_eq!(it.number("a").await, Ok(version));
        let snapshot = it.registry.snapshot();
        let listed: Vec<_> =
            snapshot.prompt_names(PROJECT).map(|prompt| prompt.labels.get("production").copied()).collect();
        assert_eq!(listed, [Some(version)]);
    }
    it.roll_back("a", "production").await.unwrap();
    assert_eq!(it.number("a").await, Ok(1));
    it.take_away("a", "production").await;
    assert!(it.number("a").await.is_err());
}

pub(crate) async fn an_old_name_means_what_the_new_one_means(it: Bench) {
    it.say("old", "one").await;
    it.say("old", "two").await;
    it.put("old", "production", 1).await;
    let rename = PromptChange { name: Some(name("new")), ..PromptChange::default() };
    it.registry.update_prompt(PROJECT, &name("old"), rename, &it.admin).await.unwrap();
    for (reference, number) in [("old", 1), ("old@2", 2), ("old@latest", 2), ("new", 1), ("new@2", 2)] {
        assert_eq!(it.number(reference).await, Ok(number), "{reference}");
    }
    assert_eq!(it.resolve("old").await.unwrap().prompt.name.as_str(), "new");
    let published = it.say("old", "three").await;
    assert_eq!((published.prompt.name.as_str(), published.version.number), ("new", 3));
    // Its old name let go, another prompt may take it.
    let forget = PromptChange { aliases: Some(Vec::new()), ..PromptChange::default() };
    it.registry.update_prompt(PROJECT, &name("new"), forget, &it.admin).await.unwrap();
    assert!(it.number("old@2").await.is_err());
    it.say("old", "another").await;
    assert_eq!(it.resolve("old@latest").await.unwrap().version.content, saying("another"));
    assert_eq!(it.number("new@3").await, Ok(3));
}

pub(crate) async fn a_foreign_version_maps_to_ours(it: Bench) {
    let aliases = vec![
        alias(json!({"id": "pmpt_map", "versions": {"7": 1, "9": 2, "beta": 2}, "default": 2})),
        alias(json!({"id": "pmpt_nodefault", "versions": {"7": 1}})),
        alias(json!({"id": "pmpt_default", "default": 1})),
        alias(json!({"id": "plain"})),
    ];
    let new = NewPrompt { aliases, ..NewPrompt::named(name("a")) };
    it.registry.create_prompt(PROJECT, new, &it.admin).await.unwrap();
    for text in ["one", "two", "three"] {
        it.say("a", text).await;
    }
    it.put("a", "production", 3).await;
    it.put("a", "dev", 1).await;
    let cases = [
        ("pmpt_map", 2),
        ("pmpt_map@7", 1),
        ("pmpt_map@9", 2),
        ("pmpt_map@beta", 2),
        ("pmpt_map@dev", 1),
        ("pmpt_map@production", 3),
        ("pmpt_map@latest", 3),
        ("pmpt_nodefault", 3),
        ("pmpt_default", 1),
        ("plain", 3),
        ("plain@2", 2),
        ("a@2", 2),
    ];
    for (reference, number) in cases {
        assert_eq!(it.number(reference).await, Ok(number), "{reference}");
    }
    let unmapped = it.resolve("pmpt_map@2").await.unwrap_err();
    assert!(
        matches!(&unmapped, ResolveError::NoVersion(why) if why.contains("it maps `7`, `9`")),
        "{unmapped}"
    );
    assert!(matches!(it.resolve("pmpt_default@1").await, Err(ResolveError::NoVersion(_))));
}

pub(crate) async fn an_archived_prompt_does_not_serve_even_pinned(it: Bench) {
    it.say("a", "one").await;
    assert_eq!(it.number("a@1").await, Ok(1));
    it.registry.archive_prompt(PROJECT, &name("a"), &it.admin).await.unwrap();
    for reference in ["a", "a@1", "a@latest", "a@1.0.0"] {
        let refused = it.resolve(reference).await.unwrap_err();
        assert!(matches!(refused, ResolveError::Archived(_)), "{reference}: {refused}");
    }
    assert_eq!(it.registry.snapshot().prompt_names(PROJECT).count(), 0);
}

pub(crate) async fn a_digest_prefix_that_fits_two_is_refused(it: Bench) {
    // Found by trying: the digests of these two contents start with the same six digits.
    let one = it.say("a", "text 501").await.version.digest;
    let two = it.say("a", "text 5781").await.version.digest;
    assert_eq!(one.get(..6), two.get(..6));
    let prefix = |digest: &str, digits| format!("a@sha256:{}", digest.get(..digits).unwrap());
    let refused = it.resolve(&prefix(&one, 6)).await.unwrap_err();
    assert!(
        matches!(&refused, ResolveError::Ambiguous(why) if why.contains("write more digits")),
        "{refused}"
    );
    assert_eq!(it.number(&prefix(&one, 12)).await, Ok(1));
    assert_eq!(it.number(&prefix(&two, 12)).await, Ok(2));
    let selector = it.registry.get_version(PROJECT, &name("a"), &"sha256:543105".parse().unwrap()).await;
    assert_eq!(selector.unwrap_err().field(), Some("version"));
}

pub(crate) async fn a_pinned_digest_follows_new_versions_of_its_content(it: Bench) {
    let digest = it.say("a", "one").await.version.digest;
    let pinned = format!("a@sha256:{digest}");
    assert_eq!(it.number(&pinned).await, Ok(1));
    it.say("a", "two").await;
    assert_eq!(it.number(&pinned).await, Ok(1));
    it.say("a", "one").await;
    assert_eq!(it.number(&pinned).await, Ok(3), "the newest of that content");
}

pub(crate) async fn an_error_says_what_there_is_instead(it: Bench) {
    it.say("a", "one").await;
    it.registry.create_prompt(PROJECT, NewPrompt::named(name("empty")), &it.admin).await.unwrap();
    it.put("a", "staging", 1).await;
    it.put("a", "dev", 1).await;
    let cases = [
        ("b", "there is no prompt `b`"),
        ("a@qa", "it has `dev`, `staging`"),
        ("a@2", "no version `2`: the latest is 1"),
        ("a@2.0.0", "no version `2.0.0`: the latest is 1"),
        ("empty@latest", "no versions yet"),
        ("empty", "no label `production` and no others"),
    ];
    for (reference, says) in cases {
        let error = it.number(reference).await.unwrap_err();
        assert!(error.contains(says), "{reference}: {error}");
    }
    let elsewhere = it.registry.resolve("nowhere", &"a@1".parse().unwrap()).await;
    assert!(matches!(elsewhere, Err(ResolveError::NoPrompt(_))));
}

pub(crate) async fn what_was_written_before_is_there_after_opening_again(it: Bench) {
    for number in 0..30 {
        let at = format!("p{number}");
        it.say(&at, "one").await;
        it.say(&at, "two").await;
        it.put(&at, "production", 1 + number % 2).await;
    }
    let rename = PromptChange { name: Some(name("renamed")), ..PromptChange::default() };
    it.registry.update_prompt(PROJECT, &name("p0"), rename, &it.admin).await.unwrap();
    let revision = it.registry.snapshot().revision();
    let again = it.reopened().await;
    assert_eq!(again.snapshot().revision(), revision);
    assert_eq!(again.snapshot().prompt_names(PROJECT).count(), 30);
    for number in 1..30 {
        let reference = format!("p{number}").parse().unwrap();
        let resolved = again.resolve(PROJECT, &reference).await.unwrap();
        assert_eq!(resolved.version.number, 1 + number % 2);
    }
    let old = again.resolve(PROJECT, &"p0@2".parse().unwrap()).await.unwrap();
    assert_eq!((old.prompt.name.as_str(), old.version.number), ("renamed", 2));
    let more = again.publish(PROJECT, &name("p1"), NewVersion::of(saying("three")), &it.admin).await.unwrap();
    assert_eq!(more.version.number, 3);
}
