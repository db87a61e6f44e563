//! Cases about saved views, and about the secrets nodes sign with.

use std::time::Duration;

use registry::{NewView, Paging, Role, SavedView, StoreError, ViewChange, ViewContent, ViewKind, Who};
use serde_json::json;
use vocab::{Id, Limit};

use crate::bench::{Bench, PROJECT};

fn content(q: &str) -> ViewContent {
    ViewContent {
        q: q.to_owned(),
        columns: Some(vec!["started_at".to_owned(), "cost".to_owned()]),
        from: Some("-7d".to_owned()),
        to: None,
        report: Some(json!({"measures": ["calls"], "group_by": ["model"]})),
    }
}

fn view(name: &str, kind: ViewKind) -> NewView {
    NewView { name: name.to_owned(), kind, content: content("outcome:timeout") }
}

async fn save(it: &Bench, new: NewView) -> Result<SavedView, StoreError> {
    it.registry.create_view(PROJECT, new, &it.admin).await
}

async fn names(it: &Bench, kind: Option<ViewKind>) -> Vec<String> {
    let page = it.registry.list_views(PROJECT, kind, &Paging::default()).await.unwrap();
    page.data.into_iter().map(|view| view.name).collect()
}

pub(crate) async fn a_view_comes_back_as_it_was_saved(it: Bench) {
    let saved = save(&it, view("slow ones", ViewKind::Report)).await.unwrap();
    assert_eq!((&*saved.name, saved.kind, &*saved.created_by), ("slow ones", ViewKind::Report, "ann"));
    assert_eq!((saved.created_at, saved.updated_at), (it.clock.now(), it.clock.now()));
    assert_eq!(saved.content, content("outcome:timeout"));
    assert_eq!(it.registry.get_view(PROJECT, saved.id).await.unwrap(), saved);
    let registry = it.reopened().await;
    assert_eq!(registry.get_view(PROJECT, saved.id).await.unwrap(), saved);
}

pub(crate) async fn views_are_listed_by_name_and_kind_a_project_at_a_time(it: Bench) {
    for (name, kind) in
        [("b", ViewKind::Calls), ("a", ViewKind::Report), ("c", ViewKind::Calls), ("B", ViewKind::Traces)]
    {
        save(&it, view(name, kind)).await.unwrap();
    }
    assert_eq!(names(&it, None).await, ["B", "a", "b", "c"]);
    assert_eq!(names(&it, Some(ViewKind::Calls)).await, ["b", "c"]);
    let mut paging = Paging { limit: Limit::new(3).unwrap(), cursor: None };
    let first = it.registry.list_views(PROJECT, None, &paging).await.unwrap();
    paging.cursor = first.next_cursor;
    let second = it.registry.list_views(PROJECT, None, &paging).await.unwrap();
    assert_eq!((first.data.len(), second.data.len(), second.next_cursor), (3, 1, None));
    let elsewhere = it.registry.list_views("elsewhere", None, &Paging::default()).await.unwrap();
    assert_eq!(elsewhere.data, []);
    let other = it.registry.create_view("elsewhere", view("a", ViewKind::Calls), &it.admin).await;
    assert!(matches!(other, Err(StoreError::Missing(_))), "{other:?}");
}

pub(crate) async fn a_name_is_taken_once(it: Bench) {
    let first = save(&it, view("a", ViewKind::Calls)).await.unwrap();
    let again = save(&it, view("a", ViewKind::Traces)).await.unwrap_err();
    assert!(matches!(again, StoreError::Taken(_)), "{again}");
    let other = save(&it, view("b", ViewKind::Calls)).await.unwrap();
    let renamed = ViewChange { name: Some("a".to_owned()), ..ViewChange::default() };
    let refused = it.registry.update_view(PROJECT, other.id, renamed.clone(), &it.admin).await.unwrap_err();
    assert!(matches!(refused, StoreError::Taken(_)), "{refused}");
    assert!(it.registry.update_view(PROJECT, first.id, renamed, &it.admin).await.is_ok(), "its own name");
}

pub(crate) async fn a_view_changes_only_as_it_was_expected(it: Bench) {
    let saved = save(&it, view("a", ViewKind::Calls)).await.unwrap();
    it.clock.advance(Duration::from_secs(5));
    let editor = Who::new(Role::Editor, "bob");
    let change = ViewChange {
        name: Some("z".to_owned()),
        content: Some(content("user:eve")),
        expected_revision: Some(saved.revision),
    };
    let changed = it.registry.update_view(PROJECT, saved.id, change.clone(), &editor).await.unwrap();
    assert_eq!((&*changed.name, &*changed.content.q, &*changed.updated_by), ("z", "user:eve", "bob"));
    assert_eq!((changed.created_at, changed.updated_at), (saved.created_at, it.clock.now()));
    assert!(changed.revision > saved.revision);

    let stale = it.registry.update_view(PROJECT, saved.id, change, &editor).await.unwrap_err();
    assert!(matches!(&stale, StoreError::Stale { message, .. } if message.contains("bob")), "{stale}");
    let stale = it.registry.delete_view(PROJECT, saved.id, Some(saved.revision), &editor).await.unwrap_err();
    assert!(matches!(stale, StoreError::Stale { .. }), "{stale}");
    assert_eq!(it.registry.get_view(PROJECT, saved.id).await.unwrap(), changed);
}

pub(crate) async fn a_deleted_view_is_gone_and_its_name_free(it: Bench) {
    let saved = save(&it, view("a", ViewKind::Calls)).await.unwrap();
    it.registry.delete_view(PROJECT, saved.id, None, &it.admin).await.unwrap();
    for missing in [saved.id, Id::at(it.clock.now())] {
        let get = it.registry.get_view(PROJECT, missing).await.unwrap_err();
        let delete = it.registry.delete_view(PROJECT, missing, None, &it.admin).await.unwrap_err();
        assert!(
            matches!((&get, &delete), (StoreError::Missing(_), StoreError::Missing(_))),
            "{get} {delete}"
        );
    }
    assert!(save(&it, view("a", ViewKind::Calls)).await.is_ok());
}

pub(crate) async fn a_view_has_limits(it: Bench) {
    let with = |change: fn(&mut NewView)| {
        let mut new = view("a", ViewKind::Calls);
        change(&mut new);
        new
    };
    for (field, new) in [
        ("name", with(|new| new.name.clear())),
        ("name", with(|new| new.name = "n".repeat(10_000))),
        ("q", with(|new| new.content.q = "q".repeat(9_000))),
        ("from", with(|new| new.content.from = Some("f".repeat(1_000)))),
        ("columns", with(|new| new.content.columns = Some(vec![String::new(); 101]))),
        ("report", with(|new| new.content.report = Some(json!("r".repeat(20_000))))),
    ] {
        let refused = save(&it, new).await.unwrap_err();
        assert_eq!(refused.field(), Some(field), "{refused}");
    }
}

pub(crate) async fn viewers_save_no_views(it: Bench) {
    let saved = save(&it, view("a", ViewKind::Calls)).await.unwrap();
    let viewer = Who::new(Role::Viewer, "eve");
    let create = it.registry.create_view(PROJECT, view("b", ViewKind::Calls), &viewer).await.unwrap_err();
    let update =
        it.registry.update_view(PROJECT, saved.id, ViewChange::default(), &viewer).await.unwrap_err();
    let delete = it.registry.delete_view(PROJECT, saved.id, None, &viewer).await.unwrap_err();
    for refused in [create, update, delete] {
        assert!(matches!(&refused, StoreError::Forbidden(why) if why.contains("role editor")), "{refused}");
    }
}

pub(crate) async fn a_signing_secret_is_the_same_for_everyone_and_for_ever(it: Bench) {
    let (one, two) =
        tokio::join!(it.registry.signing_secret("feedback"), it.registry.signing_secret("feedback"));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!((one.expose(), one.expose().len()), (two.expose(), 32));
    assert_ne!(one.expose(), it.registry.signing_secret("other").await.unwrap().expose());
    assert_eq!(format!("{one:?}"), "***");
    let registry = it.reopened().await;
    assert_eq!(registry.signing_secret("feedback").await.unwrap().expose(), one.expose());
}
