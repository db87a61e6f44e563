//! Cases about drafts: kept, changed, published, compared.

use registry::diff::Change;
use registry::{
    DraftRelease, LabelChange, NewDraft, NewVersion, Point, PromptChange, Role, Stand, StoreError, Who,
};
use serde_json::json;
use vocab::{Impact, Selector};

use crate::bench::{Bench, PROJECT, content, label, name, saying};

async fn keep(it: &Bench, prompt: &str, new: NewDraft) -> Result<registry::Draft, StoreError> {
    it.registry.put_draft(PROJECT, &name(prompt), new, &it.admin).await
}

async fn publish(it: &Bench, prompt: &str) -> Result<registry::Published, StoreError> {
    it.registry.publish_draft(PROJECT, &name(prompt), DraftRelease::default(), &it.admin).await
}

pub(crate) async fn a_draft_comes_back_as_it_was_kept(it: Bench) {
    it.say("a", "one").await;
    let new = NewDraft {
        commit_message: Some("soon".into()),
        impact: Some(Impact::Minor),
        metadata: serde_json::from_value(json!({"ticket": 7})).unwrap(),
        examples: vec![json!({"variables": {}})],
        ..NewDraft::of(saying("two {{x"))
    };
    let kept = keep(&it, "a", new).await.unwrap();
    assert_eq!((kept.parent, &*kept.owner), (1, "ann"));
    assert_eq!(it.registry.get_draft(PROJECT, &name("a"), &it.admin).await.unwrap(), kept);
    let ben = Who::new(Role::Editor, "ben");
    assert_eq!(it.registry.find_draft(PROJECT, &name("a"), &ben).await.unwrap(), None, "it is ann's");
    let missing = it.registry.get_draft(PROJECT, &name("a"), &ben).await.unwrap_err();
    assert!(matches!(&missing, StoreError::Missing(why) if why.contains("ben has no draft")), "{missing}");
    let nowhere = keep(&it, "b", NewDraft::of(saying("x"))).await.unwrap_err();
    assert!(matches!(nowhere, StoreError::Missing(_)));
}

pub(crate) async fn a_draft_changes_only_as_it_was_expected(it: Bench) {
    it.say("a", "one").await;
    let first = keep(&it, "a", NewDraft::of(saying("two"))).await.unwrap();
    let onto =
        |revision, text: &str| NewDraft { expected_revision: Some(revision), ..NewDraft::of(saying(text)) };
    let second = keep(&it, "a", onto(first.revision, "three")).await.unwrap();
    assert!(second.revision > first.revision, "the clock stands still");
    let stale = keep(&it, "a", onto(first.revision, "four")).await.unwrap_err();
    assert!(matches!(&stale, StoreError::Stale { .. }), "{stale}");
    let gone = it.registry.discard_draft(PROJECT, &name("a"), Some(first.revision), &it.admin).await;
    assert!(matches!(gone, Err(StoreError::Stale { .. })));
    it.registry.discard_draft(PROJECT, &name("a"), Some(second.revision), &it.admin).await.unwrap();
    let again = it.registry.discard_draft(PROJECT, &name("a"), None, &it.admin).await.unwrap_err();
    assert!(matches!(again, StoreError::Missing(_)));
    let on_nothing = keep(&it, "a", onto(1, "five")).await.unwrap_err();
    assert!(matches!(on_nothing, StoreError::Stale { .. }));
}

pub(crate) async fn a_published_draft_is_a_version_and_gone(it: Bench) {
    it.say("a", "one").await;
    let new = NewDraft { commit_message: Some("soon".into()), ..NewDraft::of(saying("two")) };
    keep(&it, "a", new).await.unwrap();
    let release = DraftRelease { labels: vec![label("dev")], ..DraftRelease::default() };
    let made = it.registry.publish_draft(PROJECT, &name("a"), release, &it.admin).await.unwrap();
    assert_eq!((made.version.number, made.version.commit_message.as_deref()), (2, Some("soon")));
    assert_eq!((made.version.content, made.prompt.labels.get("dev")), (saying("two"), Some(&2)));
    let gone = publish(&it, "a").await.unwrap_err();
    assert!(matches!(gone, StoreError::Missing(_)), "{gone}");
}

pub(crate) async fn a_draft_that_conflicts_is_kept(it: Bench) {
    it.say("a", "one").await;
    let kept = keep(&it, "a", NewDraft::of(saying("mine"))).await.unwrap();
    it.say("a", "theirs").await;
    let stale = publish(&it, "a").await.unwrap_err();
    assert!(matches!(&stale, StoreError::Stale { current: Some(2), .. }), "{stale}");
    assert_eq!(it.registry.get_draft(PROJECT, &name("a"), &it.admin).await.unwrap(), kept);
    let moved = NewDraft { parent: Some(2), ..NewDraft::of(saying("ours")) };
    assert_eq!(keep(&it, "a", moved).await.unwrap().parent, 2);
    let later = keep(&it, "a", NewDraft::of(saying("ours!"))).await.unwrap();
    assert_eq!(later.parent, 2, "where it was begun stays until somebody says other");
    assert_eq!(publish(&it, "a").await.unwrap().version.number, 3);
}

pub(crate) async fn a_draft_may_not_hold_yet_but_is_not_published_then(it: Bench) {
    it.say("a", "one").await;
    let broken = content(json!({"engine": "jinja", "messages": [{"role": "user", "content": "{% if %}"}]}));
    let kept = keep(&it, "a", NewDraft::of(broken)).await.unwrap();
    assert!(matches!(publish(&it, "a").await, Err(StoreError::Template(_))));
    assert_eq!(it.registry.get_draft(PROJECT, &name("a"), &it.admin).await.unwrap(), kept);
}

pub(crate) async fn what_a_draft_cannot_be_is_refused(it: Bench) {
    it.say("a", "one").await;
    let text = keep(&it, "a", NewDraft::of(content(json!({"text": "x"})))).await.unwrap_err();
    assert_eq!(text.field(), Some("text"));
    let later = NewDraft { parent: Some(2), ..NewDraft::of(saying("x")) };
    assert_eq!(keep(&it, "a", later).await.unwrap_err().field(), Some("expected_parent"));
    let huge = keep(&it, "a", NewDraft::of(saying(&"x".repeat(5 << 20)))).await.unwrap_err();
    assert_eq!(huge.field(), Some("content"));
    let viewer = Who::new(Role::Viewer, "vic");
    let refused = it.registry.put_draft(PROJECT, &name("a"), NewDraft::of(saying("x")), &viewer).await;
    assert!(matches!(refused, Err(StoreError::Forbidden(_))));
    let archived = PromptChange { archived: Some(true), ..PromptChange::default() };
    it.registry.update_prompt(PROJECT, &name("a"), archived, &it.admin).await.unwrap();
    assert!(matches!(keep(&it, "a", NewDraft::of(saying("x"))).await, Err(StoreError::Conflict(_))));
}

pub(crate) async fn a_draft_of_a_protected_label_needs_a_releaser(it: Bench) {
    it.say("a", "one").await;
    let ed = Who::new(Role::Editor, "ed");
    it.registry.put_draft(PROJECT, &name("a"), NewDraft::of(saying("two")), &ed).await.unwrap();
    let release = DraftRelease { labels: vec![label("production")], ..DraftRelease::default() };
    let refused = it.registry.publish_draft(PROJECT, &name("a"), release, &ed).await.unwrap_err();
    assert!(matches!(refused, StoreError::Forbidden(_)));
    assert!(it.registry.find_draft(PROJECT, &name("a"), &ed).await.unwrap().is_some(), "it stays");
}

pub(crate) async fn versions_and_drafts_are_compared(it: Bench) {
    it.say("a", "Be kind.").await;
    it.say("a", "Be very kind.").await;
    let change = LabelChange::of(label("production")).onto(1);
    it.registry.move_label(PROJECT, &name("a"), change, &it.admin).await.unwrap();
    keep(&it, "a", NewDraft::of(saying("Be very kind to {{name}}."))).await.unwrap();
    let place = name("a");
    let compare = |from: Option<Point>, to: Point| {
        let (registry, who, place) = (&it.registry, &it.admin, &place);
        async move { registry.compare((PROJECT, place), from.as_ref(), &to, who).await }
    };
    let latest = Point::Version(Selector::Latest);

    let last = compare(None, latest.clone()).await.unwrap();
    assert!(matches!(&last.from, Some(Stand::Version(version)) if version.number == 1), "its parent");
    assert_eq!(last.diff.messages[0].change, Change::Changed);

    let first = compare(None, Point::Version(Selector::Number(1))).await.unwrap();
    assert_eq!((first.from, first.diff.impact), (None, None));

    let draft = compare(None, Point::Draft).await.unwrap();
    assert!(matches!(&draft.from, Some(Stand::Version(version)) if version.number == 2));
    assert_eq!(draft.diff.impact_reasons[0].reason, "required variable `name` added");

    let production = Point::Version(Selector::Label(label("production")));
    let back = compare(Some(Point::Draft), production.clone()).await.unwrap();
    assert_eq!(back.diff.impact_reasons[0].reason, "variable `name` removed");
    assert!(compare(Some(production.clone()), production).await.unwrap().diff.same);

    let missing = compare(Some(Point::Version(Selector::Number(9))), latest).await.unwrap_err();
    assert!(matches!(missing, StoreError::Missing(_)));
}

pub(crate) async fn one_of_many_publishes_a_draft(it: Bench) {
    it.publish("a", NewVersion::of(saying("one"))).await.unwrap();
    keep(&it, "a", NewDraft::of(saying("two"))).await.unwrap();
    let tries = (0..20).map(|_| publish(&it, "a"));
    let came = futures_util::future::join_all(tries).await;
    let made = came.iter().flatten().filter(|published| published.is_new).count();
    assert_eq!(made, 1);
    assert_eq!(it.registry.get_prompt(PROJECT, &name("a")).await.unwrap().latest, Some(2));
}
