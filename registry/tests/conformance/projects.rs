//! Cases about projects, which nothing crosses, and about tokens held to one, to folders and to labels.

use registry::{
    LabelChange, NewKey, NewProject, NewPrompt, NewToken, NewVersion, Paging, Project, ProjectChange,
    ProjectFilter, PromptChange, Role, StoreError, TokenScope, Who,
};
use serde_json::json;
use vocab::Limit;

use crate::bench::{Bench, PROJECT, alias, key_named, label, name, saying};

async fn make(it: &Bench, name: &str) -> Result<Project, StoreError> {
    let new = NewProject { name: name.to_owned(), description: format!("about {name}") };
    it.registry.create_project(new, &it.admin).await
}

async fn archive(it: &Bench, name: &str, archived: bool) -> Result<Project, StoreError> {
    let change = ProjectChange { archived: Some(archived), ..ProjectChange::default() };
    it.registry.update_project(name, change, &it.admin).await
}

fn list(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Whoever uses a new token of this role and scope.
async fn holder(it: &Bench, role: Role, scope: TokenScope) -> Result<Who, StoreError> {
    let new = NewToken {
        name: "held".to_owned(),
        role,
        project: None,
        scope,
        owner: Some("bob".to_owned()),
        expires_at: None,
    };
    Ok(it.registry.issue_token(new, &it.admin).await?.issued.who())
}

pub(crate) async fn a_project_is_found_as_it_was_made(it: Bench) {
    let made = make(&it, "checkout").await.unwrap();
    assert_eq!((&*made.name, &*made.description, &*made.created_by), ("checkout", "about checkout", "ann"));
    assert_eq!(it.registry.get_project("checkout").await.unwrap(), made);
    assert!(it.registry.snapshot().has_project("checkout"));
    assert!(matches!(make(&it, "checkout").await, Err(StoreError::Taken(_))));
    for wrong in ["", "Checkout", "a b", "-a", ".a", "ä", "a/b", &"x".repeat(64)] {
        assert_eq!(make(&it, wrong).await.unwrap_err().field(), Some("name"), "{wrong}");
    }
    let releaser = Who::new(Role::Releaser, "rel");
    let new = NewProject { name: "x".into(), description: String::new() };
    assert!(matches!(it.registry.create_project(new, &releaser).await, Err(StoreError::Forbidden(_))));
    let change = ProjectChange { expected_revision: Some(made.revision - 1), ..ProjectChange::default() };
    let stale = it.registry.update_project("checkout", change, &it.admin).await.unwrap_err();
    assert!(matches!(stale, StoreError::Stale { .. }), "{stale}");
    let again = it.reopened().await;
    assert!(again.snapshot().has_project("checkout") && !again.snapshot().has_project("other"));
}

pub(crate) async fn projects_are_listed_by_name(it: Bench) {
    for name in ["b", "a", "c", "old"] {
        make(&it, name).await.unwrap();
    }
    archive(&it, "old", true).await.unwrap();
    let names = async |filter: ProjectFilter| {
        let mut paging = Paging { limit: Limit::new(2).unwrap(), cursor: None };
        let mut names = Vec::new();
        loop {
            let page = it.registry.list_projects(&filter, &paging).await.unwrap();
            names.extend(page.data.iter().map(|project| project.name.to_string()));
            paging.cursor = page.next_cursor;
            if paging.cursor.is_none() {
                return names;
            }
        }
    };
    assert_eq!(names(ProjectFilter::default()).await, ["a", "b", "c", "default"]);
    assert_eq!(names(ProjectFilter { archived: true, name: None }).await, ["old"]);
    assert_eq!(names(ProjectFilter { name: Some("b".into()), archived: false }).await, ["b"]);
}

pub(crate) async fn the_same_name_is_another_prompt_in_another_project(it: Bench) {
    make(&it, "shop").await.unwrap();
    it.say("greeting", "here").await;
    let there = NewVersion::of(saying("there"));
    it.registry.publish("shop", &name("greeting"), there, &it.admin).await.unwrap();
    let other = it.registry.resolve("shop", &"greeting@latest".parse().unwrap()).await.unwrap();
    assert_ne!(other.version.digest, it.resolve("greeting@latest").await.unwrap().version.digest);
    it.registry.archive_prompt("shop", &name("greeting"), &it.admin).await.unwrap();
    assert_eq!(it.number("greeting@latest").await, Ok(1));
    let key = NewKey { project: "shop".into(), ..key_named("k") };
    let key = it.registry.issue_key(key, &it.admin).await.unwrap().issued;
    assert_eq!(&*key.project, "shop");
    assert!(it.registry.list_keys(Some(PROJECT), &Paging::default()).await.unwrap().data.is_empty());
}

pub(crate) async fn a_project_is_archived_once_nothing_in_it_works(it: Bench) {
    make(&it, "shop").await.unwrap();
    it.registry.publish("shop", &name("a"), NewVersion::of(saying("x")), &it.admin).await.unwrap();
    let key = NewKey { project: "shop".into(), ..key_named("k") };
    let key = it.registry.issue_key(key, &it.admin).await.unwrap().issued;
    let refused = archive(&it, "shop", true).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "project `shop` still has 1 prompts, 1 keys: archive, revoke or delete them first"
    );
    it.registry.archive_prompt("shop", &name("a"), &it.admin).await.unwrap();
    it.registry.revoke_key(key.id, &it.admin).await.unwrap();
    assert!(archive(&it, "shop", true).await.unwrap().archived_at.is_some());
    assert!(!it.registry.snapshot().has_project("shop"));
    let key = NewKey { project: "shop".into(), ..key_named("k2") };
    assert!(matches!(it.registry.issue_key(key, &it.admin).await, Err(StoreError::Missing(_))));
    let taken = make(&it, "shop").await.unwrap_err();
    assert!(taken.to_string().contains("archived"), "{taken}");
    assert!(archive(&it, "shop", false).await.unwrap().archived_at.is_none());
    assert!(it.registry.snapshot().has_project("shop"));
    assert!(matches!(archive(&it, PROJECT, true).await, Err(StoreError::Conflict(_))));
    assert!(matches!(archive(&it, "nowhere", true).await, Err(StoreError::Missing(_))));
}

pub(crate) async fn a_scope_holds_editors_and_releasers_only(it: Bench) {
    for role in Role::ALL {
        let given = holder(&it, role, TokenScope { folders: Some(list(&["a"])), labels: None }).await;
        match (role, given) {
            (Role::Editor | Role::Releaser, given) => assert!(given.unwrap().scope.is_some()),
            (Role::Viewer | Role::Admin, given) => assert_eq!(given.unwrap_err().field(), Some("folders")),
        }
    }
    let wrong = TokenScope { folders: Some(list(&["a*b"])), labels: None };
    assert_eq!(holder(&it, Role::Editor, wrong).await.unwrap_err().field(), Some("folders"));
    let kept = TokenScope { folders: Some(list(&["a/b/"])), labels: Some(list(&["dev*"])) };
    let who = holder(&it, Role::Editor, kept).await.unwrap();
    let again = it.reopened().await;
    let token = again.get_token(who.token.unwrap()).await.unwrap();
    assert_eq!(
        (token.scope.folders.clone(), token.scope.labels.clone()),
        (Some(list(&["a/b"])), Some(list(&["dev*"])))
    );
    assert_eq!(token.who(), who);
}

/// Every way of changing a prompt, tried by somebody on a prompt of this name that has a version 1 labelled `dev`.
async fn tries(it: &Bench, prompt: &str, who: &Who) -> Vec<Option<StoreError>> {
    let (registry, prompt) = (&it.registry, name(prompt));
    let change = |change: PromptChange| registry.update_prompt(PROJECT, &prompt, change, who);
    let on_dev = || LabelChange::of(label("dev"));
    vec![
        change(PromptChange { description: Some("new".into()), ..PromptChange::default() }).await.err(),
        registry.publish(PROJECT, &prompt, NewVersion::of(saying("two")), who).await.err(),
        registry.move_label(PROJECT, &prompt, on_dev().onto(2), who).await.err(),
        registry.roll_back_label(PROJECT, &prompt, on_dev(), who).await.err(),
        registry.remove_label(PROJECT, &prompt, on_dev(), who).await.err(),
        registry.archive_prompt(PROJECT, &prompt, who).await.err(),
    ]
}

pub(crate) async fn a_token_held_to_folders_changes_nothing_outside(it: Bench) {
    for prompt in ["team/a", "other/a", "team"] {
        it.say(prompt, "one").await;
        it.put(prompt, "dev", 1).await;
    }
    let scope = TokenScope { folders: Some(list(&["team"])), labels: None };
    let who = holder(&it, Role::Releaser, scope).await.unwrap();
    for outside in ["other/a", "team"] {
        // Version 2 is there, so that nothing but the scope is in the way.
        it.say(outside, "between").await;
        for refused in tries(&it, outside, &who).await {
            assert!(
                matches!(&refused, Some(StoreError::Forbidden(why)) if why.contains("in `team` only")),
                "{outside}: {refused:?}"
            );
        }
        let found = it.registry.get_prompt(PROJECT, &name(outside)).await.unwrap();
        assert_eq!((found.latest, found.labels.get("dev"), found.is_archived()), (Some(2), Some(&1), false));
    }
    let named = |prompt| NewPrompt::named(name(prompt));
    assert!(matches!(
        it.registry.create_prompt(PROJECT, named("b"), &who).await,
        Err(StoreError::Forbidden(_))
    ));
    it.registry.create_prompt(PROJECT, named("team/new/b"), &who).await.unwrap();
    let out = PromptChange { name: Some(name("other/b")), ..PromptChange::default() };
    let moved = it.registry.update_prompt(PROJECT, &name("team/new/b"), out, &who).await;
    assert!(matches!(moved, Err(StoreError::Forbidden(_))), "{moved:?}");
    assert!(tries(&it, "team/a", &who).await.iter().all(Option::is_none));
}

pub(crate) async fn an_alias_is_no_way_around_folders(it: Bench) {
    it.say("team/a", "one").await;
    it.say("other/a", "one").await;
    let rename = PromptChange { name: Some(name("other/b")), ..PromptChange::default() };
    it.registry.create_prompt(PROJECT, NewPrompt::named(name("team/b")), &it.admin).await.unwrap();
    it.registry.update_prompt(PROJECT, &name("team/b"), rename, &it.admin).await.unwrap();
    let scope = TokenScope { folders: Some(list(&["team"])), labels: None };
    let who = holder(&it, Role::Editor, scope).await.unwrap();
    let by_old_name = it.registry.publish(PROJECT, &name("team/b"), NewVersion::of(saying("x")), &who).await;
    assert!(
        matches!(by_old_name, Err(StoreError::Forbidden(_))),
        "it answers to that name, and is elsewhere"
    );
    let claim = async |id: &str| {
        let aliases = Some(vec![alias(json!({ "id": id }))]);
        let change = PromptChange { aliases, ..PromptChange::default() };
        it.registry.update_prompt(PROJECT, &name("team/a"), change, &who).await
    };
    assert!(matches!(claim("other/x").await, Err(StoreError::Forbidden(_))));
    assert!(matches!(claim("greeting").await, Err(StoreError::Forbidden(_))));
    assert!(claim("team/old").await.is_ok() && claim("pmpt_68ab").await.is_ok());
}

pub(crate) async fn a_token_held_to_labels_moves_no_others(it: Bench) {
    it.say("a", "one").await;
    it.say("a", "two").await;
    for at in ["production", "dev"] {
        it.put("a", at, 1).await;
        it.put("a", at, 2).await;
    }
    let scope = TokenScope { folders: None, labels: Some(list(&["dev*"])) };
    let who = holder(&it, Role::Releaser, scope).await.unwrap();
    let change = |at: &str| LabelChange::of(label(at));
    let labelled = NewVersion { labels: vec![label("production")], ..NewVersion::of(saying("three")) };
    let refused = [
        it.registry.move_label(PROJECT, &name("a"), change("production").onto(1), &who).await.err(),
        it.registry.move_label(PROJECT, &name("a"), change("new").onto(1), &who).await.err(),
        it.registry.roll_back_label(PROJECT, &name("a"), change("production"), &who).await.err(),
        it.registry.remove_label(PROJECT, &name("a"), change("production"), &who).await.err(),
        it.registry.publish(PROJECT, &name("a"), labelled, &who).await.err(),
    ];
    for refused in refused {
        assert!(
            matches!(&refused, Some(StoreError::Forbidden(why)) if why.contains("moves `dev*` only")),
            "{refused:?}"
        );
    }
    assert_eq!((it.number("a@production").await, it.number("a@latest").await), (Ok(2), Ok(2)));
    it.registry.roll_back_label(PROJECT, &name("a"), change("dev"), &who).await.unwrap();
    it.registry.move_label(PROJECT, &name("a"), change("dev-2").onto(1), &who).await.unwrap();
    it.registry.publish(PROJECT, &name("a"), NewVersion::of(saying("three")), &who).await.unwrap();
}

pub(crate) async fn a_scope_of_nothing_changes_no_prompt(it: Bench) {
    it.say("a/b", "one").await;
    let scope = TokenScope { folders: Some(list(&[])), labels: Some(list(&[])) };
    let who = holder(&it, Role::Editor, scope).await.unwrap();
    let refused = it.registry.publish(PROJECT, &name("a/b"), NewVersion::of(saying("two")), &who).await;
    assert!(matches!(&refused, Err(StoreError::Forbidden(why)) if why.contains("nothing")), "{refused:?}");
}
