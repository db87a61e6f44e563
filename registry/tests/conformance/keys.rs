//! Cases about virtual keys, admin tokens and the first start.

use std::time::Duration;

use registry::{
    AdminToken, BOOTSTRAP_OWNER, Issued, KeyChange, KeyRefusal, KeyScope, NewKey, NewToken, Paging, Registry,
    Role, StoreError, TokenScope, Who,
};
use vocab::{Clock, Limit, Secret};

use crate::bench::{Bench, PROJECT, key_named};

fn token(name: &str, role: Role) -> NewToken {
    NewToken {
        name: name.to_owned(),
        role,
        project: None,
        scope: TokenScope::default(),
        owner: None,
        expires_at: None,
    }
}

async fn issue(it: &Bench, new: NewToken, who: &Who) -> Result<Issued<AdminToken>, StoreError> {
    it.registry.issue_token(new, who).await
}

pub(crate) async fn a_key_opens_with_its_secret_only(it: Bench) {
    let issued = it.registry.issue_key(key_named("shop"), &it.admin).await.unwrap();
    let secret = issued.secret.expose().to_owned();
    assert!(secret.starts_with("sk-weir-") && secret.len() == 48, "{secret}");
    let snapshot = it.registry.snapshot();
    let found = snapshot.authenticate(&secret, it.clock.now()).unwrap();
    assert_eq!(**found, issued.issued);
    assert_eq!((&*found.name, &*found.created_by, &*found.hint), ("shop", "ann", secret.get(44..).unwrap()));
    for wrong in ["", "sk-weir-", &secret.to_uppercase(), secret.get(..47).unwrap()] {
        assert_eq!(snapshot.authenticate(wrong, it.clock.now()).unwrap_err(), KeyRefusal::Unknown, "{wrong}");
    }
    assert_eq!(snapshot.token(&secret, it.clock.now()).unwrap_err(), KeyRefusal::Unknown);
    let read = it.registry.get_key(issued.issued.id).await.unwrap();
    assert_eq!(read, issued.issued);
}

pub(crate) async fn a_key_changes_expires_and_is_revoked(it: Bench) {
    let Issued { issued: key, secret } = it.registry.issue_key(key_named("shop"), &it.admin).await.unwrap();
    let refusal = |registry: &Registry, clock: &Clock| {
        registry.snapshot().authenticate(secret.expose(), clock.now()).err()
    };
    let scope = KeyScope { models: Some(vec!["gpt-*".into()]), passthrough: true, ..KeyScope::default() };
    let change = KeyChange {
        name: Some("shop 2".into()),
        scope: Some(scope.clone()),
        expires_at: Some(Some(it.clock.now().plus(Duration::from_mins(1)))),
        expected_revision: Some(key.revision),
    };
    let changed = it.registry.update_key(key.id, change.clone(), &it.admin).await.unwrap();
    assert_eq!((&*changed.name, &changed.scope), ("shop 2", &scope));
    assert_eq!(it.registry.get_key(key.id).await.unwrap(), changed);
    let stale = it.registry.update_key(key.id, change, &it.admin).await.unwrap_err();
    assert!(matches!(stale, StoreError::Stale { .. }), "{stale}");
    assert_eq!(refusal(&it.registry, &it.clock), None);
    it.clock.advance(Duration::from_mins(1));
    assert_eq!(refusal(&it.registry, &it.clock), Some(KeyRefusal::Expired));
    let forever = KeyChange { expires_at: Some(None), ..KeyChange::default() };
    it.registry.update_key(key.id, forever, &it.admin).await.unwrap();
    assert_eq!(refusal(&it.registry, &it.clock), None);
    let revoked = it.registry.revoke_key(key.id, &it.admin).await.unwrap();
    assert_eq!(refusal(&it.registry, &it.clock), Some(KeyRefusal::Revoked));
    assert_eq!(it.registry.revoke_key(key.id, &it.admin).await.unwrap(), revoked);
    let late = it.registry.update_key(key.id, KeyChange::default(), &it.admin).await.unwrap_err();
    assert!(matches!(late, StoreError::Conflict(_)), "{late}");
    let again = it.reopened().await;
    assert_eq!(refusal(&again, &it.clock), Some(KeyRefusal::Revoked));
}

pub(crate) async fn keys_are_listed_newest_first_by_project(it: Bench) {
    for name in ["one", "two", "three"] {
        it.clock.advance(Duration::from_millis(1));
        it.registry.issue_key(key_named(name), &it.admin).await.unwrap();
    }
    let mut paging = Paging { limit: Limit::new(2).unwrap(), cursor: None };
    let names =
        |keys: &[registry::VirtualKey]| keys.iter().map(|key| key.name.to_string()).collect::<Vec<_>>();
    let page = it.registry.list_keys(Some(PROJECT), &paging).await.unwrap();
    assert_eq!(names(&page.data), ["three", "two"]);
    paging.cursor = page.next_cursor;
    let page = it.registry.list_keys(None, &paging).await.unwrap();
    assert_eq!((names(&page.data), page.next_cursor), (vec!["one".to_owned()], None));
    assert!(it.registry.list_keys(Some("other"), &Paging::default()).await.unwrap().data.is_empty());
}

pub(crate) async fn a_scope_with_odd_patterns_is_refused(it: Bench) {
    let scope = KeyScope { prompts: Some(vec!["a*b".into()]), ..KeyScope::default() };
    let refused = it.registry.issue_key(NewKey { scope, ..key_named("x") }, &it.admin).await.unwrap_err();
    assert_eq!(refused.field(), Some("prompts"));
    let unnamed = it.registry.issue_key(key_named("  "), &it.admin).await.unwrap_err();
    assert_eq!(unnamed.field(), Some("name"));
    let past = NewKey { expires_at: Some(it.clock.now()), ..key_named("x") };
    assert_eq!(it.registry.issue_key(past, &it.admin).await.unwrap_err().field(), Some("expires_at"));
    let nowhere = NewKey { project: "nowhere".into(), ..key_named("x") };
    assert!(matches!(it.registry.issue_key(nowhere, &it.admin).await, Err(StoreError::Missing(_))));
    assert!(it.registry.list_keys(None, &Paging::default()).await.unwrap().data.is_empty());
}

pub(crate) async fn a_token_has_a_role_a_project_and_an_owner(it: Bench) {
    let issued = issue(&it, token("ci", Role::Editor), &it.admin).await.unwrap();
    assert!(issued.secret.expose().starts_with("wt-"));
    let snapshot = it.registry.snapshot();
    let found = snapshot.token(issued.secret.expose(), it.clock.now()).unwrap();
    assert_eq!((found.role, &*found.owner), (Role::Editor, "ann"));
    assert_eq!(found.who(), Who { token: Some(found.id), ..Who::new(Role::Editor, "ann") });
    assert!(found.reaches("default") && found.reaches("other"));
    let held =
        NewToken { project: Some(PROJECT.into()), owner: Some("bob".into()), ..token("b", Role::Viewer) };
    let held = issue(&it, held, &it.admin).await.unwrap().issued;
    assert!(held.reaches(PROJECT) && !held.reaches("other"));
    assert_eq!(&*held.owner, "bob");
    let bootstrap = Who::new(Role::Admin, BOOTSTRAP_OWNER);
    let first = issue(&it, token("carol", Role::Admin), &bootstrap).await.unwrap();
    assert_eq!((&*first.issued.owner, &*first.issued.created_by), ("carol", BOOTSTRAP_OWNER));
    it.registry.revoke_token(issued.issued.id, &it.admin).await.unwrap();
    let refused = it.registry.snapshot().token(issued.secret.expose(), it.clock.now()).unwrap_err();
    assert_eq!(refused, KeyRefusal::Revoked);
    let listed = it.registry.list_tokens(&Paging::default()).await.unwrap().data;
    assert_eq!(listed.len(), 3);
    assert!(it.registry.get_token(issued.issued.id).await.unwrap().revoked_at.is_some());
    let nowhere = NewToken { project: Some("nowhere".into()), ..token("x", Role::Viewer) };
    assert!(matches!(issue(&it, nowhere, &it.admin).await, Err(StoreError::Missing(_))));
}

pub(crate) async fn only_admins_manage_keys_and_tokens(it: Bench) {
    let key = it.registry.issue_key(key_named("shop"), &it.admin).await.unwrap().issued;
    let made = issue(&it, token("ci", Role::Editor), &it.admin).await.unwrap().issued;
    let releaser = Who::new(Role::Releaser, "rel");
    let refused = [
        it.registry.issue_key(key_named("x"), &releaser).await.err(),
        it.registry.update_key(key.id, KeyChange::default(), &releaser).await.err(),
        it.registry.revoke_key(key.id, &releaser).await.err(),
        issue(&it, token("x", Role::Viewer), &releaser).await.err(),
        it.registry.revoke_token(made.id, &releaser).await.err(),
    ];
    for error in refused {
        let error = error.unwrap();
        assert!(matches!(&error, StoreError::Forbidden(why) if why.contains("role admin")), "{error}");
    }
}

pub(crate) async fn the_first_start_makes_a_token_and_a_key(it: Bench) {
    let first = it.registry.bootstrap(None, None).await.unwrap();
    assert!(first.fresh);
    let (token, key) = (first.admin_token.unwrap(), first.api_key.unwrap());
    let opens = |registry: &Registry| {
        let snapshot = registry.snapshot();
        let role = snapshot.token(token.expose(), it.clock.now()).map(|token| token.role);
        (role, snapshot.authenticate(key.expose(), it.clock.now()).map(|key| key.project.to_string()))
    };
    assert_eq!(opens(&it.registry), (Ok(Role::Admin), Ok(PROJECT.to_owned())));
    let second = it.registry.bootstrap(None, None).await.unwrap();
    assert!(!second.fresh && second.admin_token.is_none() && second.api_key.is_none());
    let again = it.reopened().await;
    assert!(!again.bootstrap(None, None).await.unwrap().fresh);
    assert_eq!(opens(&again), (Ok(Role::Admin), Ok(PROJECT.to_owned())));
}

pub(crate) async fn what_the_environment_hands_in_is_accepted_on_every_start(it: Bench) {
    let (token, key) = (Secret::new("my-token"), Secret::new("my-key"));
    let first = it.registry.bootstrap(Some(&token), Some(&key)).await.unwrap();
    assert!(first.fresh && first.admin_token.is_none() && first.api_key.is_none());
    let opens = |registry: &Registry, key: &str| {
        registry.snapshot().authenticate(key, it.clock.now()).map(|key| key.id)
    };
    let id = opens(&it.registry, "my-key").unwrap();
    let revision = it.registry.snapshot().revision();
    it.registry.bootstrap(Some(&token), Some(&key)).await.unwrap();
    assert_eq!(it.registry.snapshot().revision(), revision, "nothing to write");
    // Another value replaces it: whoever changes the variable expects the old one to stop working.
    it.registry.bootstrap(Some(&token), Some(&Secret::new("my-new-key"))).await.unwrap();
    assert_eq!(opens(&it.registry, "my-new-key"), Ok(id));
    assert_eq!(opens(&it.registry, "my-key"), Err(KeyRefusal::Unknown));
    // Revoked by somebody, it is accepted again from the next start on.
    it.registry.revoke_key(id, &it.admin).await.unwrap();
    assert_eq!(opens(&it.registry, "my-new-key"), Err(KeyRefusal::Revoked));
    let again = it.reopened().await;
    again.bootstrap(Some(&token), Some(&Secret::new("my-new-key"))).await.unwrap();
    assert_eq!(opens(&again, "my-new-key"), Ok(id));
    assert!(again.snapshot().token("my-token", it.clock.now()).is_ok());
    // Handed in no more, it stays what it is: a key like others.
    assert!(!again.bootstrap(None, None).await.unwrap().fresh);
    assert_eq!(opens(&again, "my-new-key"), Ok(id));
}

pub(crate) async fn a_token_handed_in_must_be_an_admins(it: Bench) {
    let viewer = issue(&it, token("vic", Role::Viewer), &it.admin).await.unwrap();
    let refused = it.registry.bootstrap(Some(&viewer.secret), None).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Conflict(why) if why.contains("`vic`")), "{refused}");
}

pub(crate) async fn no_secret_is_stored_or_printed(it: Bench) {
    let first = it.registry.bootstrap(None, None).await.unwrap();
    let issued = it.registry.issue_key(key_named("shop"), &it.admin).await.unwrap();
    let secrets = [first.admin_token.clone().unwrap(), first.api_key.clone().unwrap(), issued.secret.clone()];
    let printed = format!("{first:?} {issued:?} {:?} {:?}", it.registry, it.registry.snapshot());
    it.registry.close().await;
    let stored = it.stored().await;
    for secret in &secrets {
        assert!(!printed.contains(secret.expose()) && !stored.contains(secret.expose()));
    }
    assert!(stored.contains("shop"), "what is stored was looked at");
}
