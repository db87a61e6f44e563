//! Cases about prompts: names, aliases, finding, changing, archiving.

use registry::{NewPrompt, Paging, PromptChange, PromptFilter, Role, StoreError, Who};
use serde_json::json;
use vocab::Limit;

use crate::bench::{Bench, PROJECT, alias, name};

fn described(at: &str) -> NewPrompt {
    NewPrompt {
        description: "Answers a customer".into(),
        tags: vec![" mail ".into(), "eu".into(), "mail".into()],
        aliases: vec![alias(json!({"id": "pmpt_1", "versions": {"7": 1}, "default": 1}))],
        ..NewPrompt::named(name(at))
    }
}

async fn create(it: &Bench, new: NewPrompt) -> Result<registry::Prompt, StoreError> {
    it.registry.create_prompt(PROJECT, new, &it.admin).await
}

async fn change(it: &Bench, at: &str, change: PromptChange) -> Result<registry::Prompt, StoreError> {
    it.registry.update_prompt(PROJECT, &name(at), change, &it.admin).await
}

async fn listed(it: &Bench, filter: PromptFilter) -> Vec<String> {
    let page = it.registry.list_prompts(PROJECT, &filter, &Paging::default()).await.unwrap();
    page.data.into_iter().map(|prompt| prompt.name.to_string()).collect()
}

pub(crate) async fn a_prompt_is_found_by_what_was_created(it: Bench) {
    let made = create(&it, described("support/reply")).await.unwrap();
    let found = it.registry.get_prompt(PROJECT, &name("support/reply")).await.unwrap();
    assert_eq!(found, made);
    assert_eq!(found.tags, ["eu", "mail"]);
    assert_eq!((found.kind, found.latest, found.is_archived()), (None, None, false));
    let by_alias = it.registry.get_prompt(PROJECT, &name("pmpt_1")).await.unwrap();
    assert_eq!(by_alias.id, made.id);
    assert_eq!(it.registry.find_prompt(PROJECT, &name("support/Reply")).await.unwrap(), None);
    let missing = it.registry.get_prompt(PROJECT, &name("nobody")).await.unwrap_err();
    assert!(matches!(&missing, StoreError::Missing(message) if message.contains("`nobody`")), "{missing}");
}

pub(crate) async fn a_name_or_alias_is_taken_once(it: Bench) {
    create(&it, described("a")).await.unwrap();
    let same = create(&it, NewPrompt::named(name("a"))).await.unwrap_err();
    assert!(matches!(&same, StoreError::Taken(message) if message.contains("prompt `a` already")), "{same}");
    let as_name = create(&it, NewPrompt::named(name("pmpt_1"))).await.unwrap_err();
    assert!(
        matches!(&as_name, StoreError::Taken(message) if message.contains("alias of prompt `a`")),
        "{as_name}"
    );
    let aliases = vec![alias(json!({"id": "a"}))];
    let as_alias = create(&it, NewPrompt { aliases, ..NewPrompt::named(name("b")) }).await.unwrap_err();
    assert!(matches!(as_alias, StoreError::Taken(_)), "{as_alias}");
    assert_eq!(it.registry.find_prompt(PROJECT, &name("b")).await.unwrap(), None);
    change(&it, "a", PromptChange { aliases: Some(Vec::new()), ..PromptChange::default() }).await.unwrap();
    create(&it, NewPrompt::named(name("pmpt_1"))).await.unwrap();
}

pub(crate) async fn prompts_are_listed_by_folder_tag_and_text(it: Bench) {
    for at in ["sales", "support", "support/reply", "support/reply/short", "support2/x", "Übersicht/x"] {
        create(&it, NewPrompt::named(name(at))).await.unwrap();
    }
    create(&it, NewPrompt { tags: vec!["mail".into()], ..NewPrompt::named(name("tagged")) }).await.unwrap();
    let folder = |folder: &str| PromptFilter { folder: Some(folder.into()), ..PromptFilter::default() };
    assert_eq!(listed(&it, folder("support")).await, ["support/reply", "support/reply/short"]);
    assert_eq!(listed(&it, folder("support/reply/")).await, ["support/reply/short"]);
    assert_eq!(listed(&it, folder("")).await.len(), 7);
    let tag = PromptFilter { tag: Some("mail".into()), ..PromptFilter::default() };
    assert_eq!(listed(&it, tag).await, ["tagged"]);
    let text = |text: &str| PromptFilter { text: Some(text.into()), ..PromptFilter::default() };
    assert_eq!(listed(&it, text("REPLY/")).await, ["support/reply/short"]);
    assert_eq!(listed(&it, text("%")).await, Vec::<String>::new());
    assert_eq!(listed(&it, text("_")).await, Vec::<String>::new());
    assert_eq!(listed(&it, text("ÜBERS")).await, ["Übersicht/x"]);
    let both = PromptFilter { folder: Some("support".into()), ..text("short") };
    assert_eq!(listed(&it, both).await, ["support/reply/short"]);
}

pub(crate) async fn a_page_follows_the_last_one_by_name(it: Bench) {
    let names = ["B", "a", "a/b", "a/c", "b", "ä", "日本"];
    for at in names.iter().rev() {
        create(&it, NewPrompt::named(name(at))).await.unwrap();
    }
    let (mut seen, mut paging) = (Vec::new(), Paging { limit: Limit::new(2).unwrap(), cursor: None });
    loop {
        let page = it.registry.list_prompts(PROJECT, &PromptFilter::default(), &paging).await.unwrap();
        assert!(page.data.len() <= 2);
        seen.extend(page.data.into_iter().map(|prompt| prompt.name.to_string()));
        let Some(next) = page.next_cursor else { break };
        paging.cursor = Some(next);
    }
    assert_eq!(seen, names);
}

pub(crate) async fn a_cursor_nobody_made_is_refused(it: Bench) {
    it.say("a", "hello").await;
    let paging = |cursor: &str| Paging { cursor: Some(cursor.into()), ..Paging::default() };
    for odd in ["not base64!", "_w", "AA"] {
        let listed = it.registry.list_prompts(PROJECT, &PromptFilter::default(), &paging(odd)).await;
        assert_eq!(listed.unwrap_err().field(), Some("cursor"), "{odd}");
    }
    let listed = it.registry.list_versions(PROJECT, &name("a"), &paging("YWJj")).await;
    assert_eq!(listed.unwrap_err().field(), Some("cursor"));
}

pub(crate) async fn a_renamed_prompt_answers_to_its_old_name(it: Bench) {
    let made = create(&it, described("old/name")).await.unwrap();
    let rename = PromptChange { name: Some(name("new/name")), ..PromptChange::default() };
    let renamed = change(&it, "old/name", rename).await.unwrap();
    assert_eq!((renamed.id, renamed.name.as_str()), (made.id, "new/name"));
    let ids: Vec<_> = renamed.aliases.iter().map(|alias| alias.id.as_str()).collect();
    assert_eq!(ids, ["pmpt_1", "old/name"]);
    for at in ["new/name", "old/name", "pmpt_1"] {
        assert_eq!(it.registry.get_prompt(PROJECT, &name(at)).await.unwrap().id, made.id, "{at}");
    }
    let taken = create(&it, NewPrompt::named(name("old/name"))).await.unwrap_err();
    assert!(taken.to_string().contains("alias of prompt `new/name`"), "{taken}");
}

pub(crate) async fn a_prompt_may_take_its_old_name_back(it: Bench) {
    create(&it, described("one")).await.unwrap();
    let rename = |to: &str| PromptChange { name: Some(name(to)), ..PromptChange::default() };
    change(&it, "one", rename("two")).await.unwrap();
    let back = change(&it, "two", rename("one")).await.unwrap();
    let ids: Vec<_> = back.aliases.iter().map(|alias| alias.id.as_str()).collect();
    assert_eq!((back.name.as_str(), ids), ("one", vec!["pmpt_1", "two"]));
    let mapped = change(&it, "one", rename("pmpt_1")).await.unwrap_err();
    assert_eq!(mapped.field(), Some("name"));
}

pub(crate) async fn a_change_on_an_old_revision_is_refused(it: Bench) {
    let seen = create(&it, described("a")).await.unwrap();
    it.say("a", "hello").await;
    let new = |expected| PromptChange {
        description: Some("new".into()),
        expected_revision: Some(expected),
        ..PromptChange::default()
    };
    let stale = change(&it, "a", new(seen.revision)).await.unwrap_err();
    assert!(matches!(stale, StoreError::Stale { .. }), "{stale}");
    let now = it.registry.get_prompt(PROJECT, &name("a")).await.unwrap();
    assert_eq!(now.description, "Answers a customer");
    assert_eq!(change(&it, "a", new(now.revision)).await.unwrap().description, "new");
}

pub(crate) async fn only_a_prompt_without_labels_is_archived(it: Bench) {
    it.say("a", "hello").await;
    it.put("a", "production", 1).await;
    let refused = it.registry.archive_prompt(PROJECT, &name("a"), &it.admin).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Conflict(why) if why.contains("`production`")), "{refused}");
    it.take_away("a", "production").await;
    let archived = it.registry.archive_prompt(PROJECT, &name("a"), &it.admin).await.unwrap();
    assert!(archived.is_archived());
    assert_eq!(
        it.registry.archive_prompt(PROJECT, &name("a"), &it.admin).await.unwrap().archived_at,
        archived.archived_at
    );
    assert_eq!(listed(&it, PromptFilter::default()).await, Vec::<String>::new());
    assert_eq!(listed(&it, PromptFilter { archived: true, ..PromptFilter::default() }).await, ["a"]);
    let rename = PromptChange { name: Some(name("b")), ..PromptChange::default() };
    assert!(matches!(change(&it, "a", rename).await, Err(StoreError::Conflict(_))));
    let taken = create(&it, NewPrompt::named(name("a"))).await.unwrap_err();
    assert!(taken.to_string().contains("archived"), "{taken}");
    let restore = PromptChange { archived: Some(false), ..PromptChange::default() };
    assert!(!change(&it, "a", restore).await.unwrap().is_archived());
    assert_eq!(it.number("a@latest").await, Ok(1));
}

pub(crate) async fn what_describes_a_prompt_has_limits(it: Bench) {
    let wrong = [
        (NewPrompt { description: "x".repeat(10_001), ..described("a") }, "description"),
        (NewPrompt { description: "a\0b".into(), ..described("a") }, "description"),
        (NewPrompt { tags: vec![" ".into()], ..described("a") }, "tags"),
        (NewPrompt { tags: (0..51).map(|n| n.to_string()).collect(), ..described("a") }, "tags"),
        (NewPrompt { aliases: vec![alias(json!({"id": "a"}))], ..described("a") }, "aliases"),
        (NewPrompt { aliases: vec![alias(json!({"id": "x@1"}))], ..described("a") }, "aliases"),
        (NewPrompt { aliases: vec![alias(json!({"id": "x", "default": 0}))], ..described("a") }, "aliases"),
        (
            NewPrompt {
                aliases: vec![alias(json!({"id": "x"})), alias(json!({"id": "x"}))],
                ..described("a")
            },
            "aliases",
        ),
    ];
    for (new, field) in wrong {
        assert_eq!(create(&it, new).await.unwrap_err().field(), Some(field));
    }
    assert_eq!(listed(&it, PromptFilter::default()).await, Vec::<String>::new());
}

pub(crate) async fn a_project_that_is_not_there_is_missing(it: Bench) {
    let missing = it.registry.create_prompt("nowhere", described("a"), &it.admin).await.unwrap_err();
    assert!(matches!(&missing, StoreError::Missing(why) if why.contains("project `nowhere`")), "{missing}");
    let missing = it.registry.get_prompt("nowhere", &name("a")).await.unwrap_err();
    assert!(missing.to_string().contains("project `nowhere`"), "{missing}");
    assert!(it.registry.snapshot().has_project(PROJECT) && !it.registry.snapshot().has_project("nowhere"));
}

pub(crate) async fn viewers_change_nothing(it: Bench) {
    create(&it, described("a")).await.unwrap();
    let viewer = Who::new(Role::Viewer, "vic");
    let refused = [
        it.registry.create_prompt(PROJECT, described("b"), &viewer).await.err(),
        it.registry.update_prompt(PROJECT, &name("a"), PromptChange::default(), &viewer).await.err(),
        it.registry.archive_prompt(PROJECT, &name("a"), &viewer).await.err(),
    ];
    for error in refused {
        let error = error.unwrap();
        assert!(matches!(&error, StoreError::Forbidden(why) if why.contains("role editor")), "{error}");
    }
}
