//! Cases about the audit: every change noted once, in its transaction, in one chain; and told to webhooks.

use std::collections::BTreeSet;
use std::time::Duration;

use registry::audit::Verifier;
use registry::{
    AlertChange, AuditEntry, AuditFilter, Deed, KeyChange, KeyScope, LabelChange, NewKey, NewPrompt,
    NewToken, NewVersion, NewView, Paging, PromptChange, Role, StoreError, TokenScope, ViewChange,
    ViewContent, ViewKind, WebhookChange, Who,
};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use vocab::{Id, Limit};

use crate::alerts;
use crate::bench::{Bench, PROJECT, key_named, label, name, saying};
use crate::webhooks::{deliveries, hook, make};

/// All entries, oldest first, after checking that their chain holds.
pub(crate) async fn whole(it: &Bench) -> Vec<AuditEntry> {
    let (head, last) = it.registry.audit_head().await.unwrap();
    let mut entries: Vec<AuditEntry> = Vec::new();
    loop {
        let after = entries.last().map_or(0, |entry| entry.number);
        let page = it.registry.audit_after(&AuditFilter::default(), after, last, 100).await.unwrap();
        if page.is_empty() {
            break;
        }
        entries.extend(page);
    }
    let mut verifier = Verifier::default();
    for entry in &entries {
        verifier.check(entry);
    }
    let verdict = verifier.finish(Some(&head));
    assert!(verdict.holds(), "{:?}", verdict.findings);
    entries
}

async fn actions(it: &Bench) -> Vec<String> {
    whole(it).await.into_iter().map(|entry| entry.action).collect()
}

fn token(name: &str, project: Option<&str>) -> NewToken {
    NewToken {
        name: name.to_owned(),
        role: Role::Admin,
        project: project.map(str::to_owned),
        scope: TokenScope::default(),
        owner: None,
        expires_at: None,
    }
}

fn view(name: &str) -> NewView {
    NewView { name: name.to_owned(), kind: ViewKind::Calls, content: ViewContent::default() }
}

/// Someone whose token is held to a project.
async fn held_to(it: &Bench, project: &str) -> Who {
    it.registry.issue_token(token("held", Some(project)), &it.admin).await.unwrap().issued.who()
}

pub(crate) async fn every_change_of_a_prompt_is_noted(it: Bench) {
    let (registry, who) = (&it.registry, &it.admin);
    registry.create_prompt(PROJECT, NewPrompt::named(name("a")), who).await.unwrap();
    it.say("a", "one").await;
    let labelled = NewVersion { labels: vec![label("dev")], ..NewVersion::of(saying("two")) };
    it.publish("a", labelled.clone()).await.unwrap();
    it.publish("a", labelled).await.unwrap();
    it.put("a", "dev", 1).await;
    it.put("a", "dev", 1).await;
    it.roll_back("a", "dev").await.unwrap();
    it.take_away("a", "dev").await;
    let a = name("a");
    let change = |change: PromptChange| registry.update_prompt(PROJECT, &a, change, who);
    change(PromptChange { tags: Some(vec!["x".into()]), ..PromptChange::default() }).await.unwrap();
    change(PromptChange { name: Some(name("b/a")), ..PromptChange::default() }).await.unwrap();
    change(PromptChange { archived: Some(true), ..PromptChange::default() }).await.unwrap();
    change(PromptChange { archived: Some(false), ..PromptChange::default() }).await.unwrap();

    let entries = whole(&it).await;
    let seen: Vec<_> = entries.iter().map(|entry| (&*entry.action, &*entry.target)).collect();
    assert_eq!(
        seen,
        [
            ("prompt.created", "a"),
            ("prompt.version_created", "a@1"),
            ("prompt.version_created", "a@2"),
            ("label.moved", "a@dev"),
            ("label.moved", "a@dev"),
            ("label.moved", "a@dev"),
            ("label.moved", "a@dev"),
            ("prompt.changed", "a"),
            ("prompt.renamed", "b/a"),
            ("prompt.archived", "b/a"),
            ("prompt.restored", "b/a"),
        ],
        "what changes nothing is not noted"
    );
    assert!(entries.iter().all(|entry| (&*entry.who, &*entry.role) == ("ann", "admin")));
    assert!(entries.iter().all(|entry| entry.project.as_deref() == Some(PROJECT)));
    assert_eq!(entries[7].detail["changes"], json!({"tags": {"from": [], "to": ["x"]}}));
    let moves: Vec<_> = entries[3..7].iter().map(|it| (&it.detail["from"], &it.detail["to"])).collect();
    assert_eq!(json!(moves), json!([[null, 2], [2, 1], [1, 2], [2, null]]));
}

pub(crate) async fn every_change_of_what_is_not_a_prompt_is_noted(it: Bench) {
    let (registry, who) = (&it.registry, &it.admin);
    registry.bootstrap(None, None).await.unwrap();
    let key = registry.issue_key(key_named("shop"), who).await.unwrap().issued;
    let scope = KeyScope { passthrough: true, ..KeyScope::default() };
    let change = KeyChange { scope: Some(scope), ..KeyChange::default() };
    registry.update_key(key.id, change, who).await.unwrap();
    for _ in 0..2 {
        registry.revoke_key(key.id, who).await.unwrap();
    }
    let issued = registry.issue_token(token("ci", None), who).await.unwrap().issued;
    registry.revoke_token(issued.id, who).await.unwrap();
    let alert = registry.create_alert(alerts::named("errors", alerts::rule()), who).await.unwrap();
    let off = AlertChange { enabled: Some(false), ..AlertChange::default() };
    registry.update_alert(alert.id, off, who).await.unwrap();
    registry.delete_alert(alert.id, who).await.unwrap();
    let webhook = make(&it, hook("pager", &["alert.*"])).await.issued;
    let off = WebhookChange { enabled: Some(false), ..WebhookChange::default() };
    registry.update_webhook(webhook.id, off, who).await.unwrap();
    registry.delete_webhook(webhook.id, who).await.unwrap();
    let saved = registry.create_view(PROJECT, view("slow"), who).await.unwrap();
    let renamed = ViewChange { name: Some("slower".into()), ..ViewChange::default() };
    registry.update_view(PROJECT, saved.id, renamed, who).await.unwrap();
    registry.delete_view(PROJECT, saved.id, None, who).await.unwrap();
    let deed = Deed { action: "records.deleted", target: "calls".into(), detail: json!({}) };
    registry.witness(PROJECT, deed, who).await.unwrap();

    let entries = whole(&it).await;
    let seen: Vec<_> = entries.iter().map(|entry| &*entry.action).collect();
    let families = [
        ("token", "issued"),
        ("key", "issued"),
        ("key", "issued"),
        ("key", "changed"),
        ("key", "revoked"),
        ("token", "issued"),
        ("token", "revoked"),
        ("alert", "created"),
        ("alert", "changed"),
        ("alert", "deleted"),
        ("webhook", "created"),
        ("webhook", "changed"),
        ("webhook", "deleted"),
        ("view", "created"),
        ("view", "changed"),
        ("view", "deleted"),
        ("records", "deleted"),
    ];
    assert_eq!(seen, families.map(|(thing, deed)| format!("{thing}.{deed}")));
    assert_eq!((&*entries[0].who, &entries[0].project, &entries[0].token), ("bootstrap", &None, &None));
    assert_eq!(entries[3].detail["changes"], json!({"passthrough": {"from": false, "to": true}}));
    assert_eq!(entries[11].detail["changes"], json!({"enabled": {"from": true, "to": false}}));
}

pub(crate) async fn a_refused_change_leaves_no_entry(it: Bench) {
    it.say("a", "one").await;
    let before = actions(&it).await;
    let editor = Who::new(Role::Editor, "ed");
    let placement = LabelChange::of(label("production")).onto(1);
    it.registry.move_label(PROJECT, &name("a"), placement, &editor).await.unwrap_err();
    it.registry
        .move_label(PROJECT, &name("a"), LabelChange::of(label("x")).onto(9), &it.admin)
        .await
        .unwrap_err();
    it.registry.create_prompt(PROJECT, NewPrompt::named(name("a")), &it.admin).await.unwrap_err();
    // The version would be new, the label may not be moved: neither happens.
    let both = NewVersion { labels: vec![label("production")], ..NewVersion::of(saying("two")) };
    it.registry.publish(PROJECT, &name("a"), both, &editor).await.unwrap_err();
    assert_eq!(actions(&it).await, before);
}

pub(crate) async fn fifty_writers_make_one_chain(it: Bench) {
    let mut tries = JoinSet::new();
    for writer in 0..50 {
        let (registry, who) = (it.registry.clone(), Who::new(Role::Admin, format!("writer {writer}")));
        tries.spawn(async move {
            let labels = vec![label("dev"), label("staging")];
            let new = NewVersion { labels, ..NewVersion::of(saying(&format!("by {writer}"))) };
            registry.publish(PROJECT, &name("shared"), new, &who).await.unwrap();
            registry.issue_key(key_named(&format!("key {writer}")), &who).await.unwrap();
        });
    }
    tries.join_all().await;
    let entries = whole(&it).await;
    assert_eq!(entries.len(), 1 + 50 * 4, "one prompt; a version, two moves and a key of each");
    // The moves of a write stand right behind it, in order, by the same person.
    for (at, published) in entries.iter().enumerate().filter(|(_, it)| it.action == "prompt.version_created")
    {
        let version = &published.detail["version"];
        for (moved, target) in entries[at + 1..].iter().zip(["shared@dev", "shared@staging"]) {
            assert_eq!((&moved.who, &*moved.target, &moved.detail["to"]), (&published.who, target, version));
        }
    }
}

pub(crate) async fn the_audit_is_looked_through_page_by_page(it: Bench) {
    it.say("a/x", "one").await;
    it.put("a/x", "dev", 1).await;
    let bob = Who::new(Role::Editor, "bob");
    it.registry.publish(PROJECT, &name("b_c"), NewVersion::of(saying("one")), &bob).await.unwrap();
    let since = it.clock.now().plus(Duration::from_secs(1));
    it.say("a/y", "one").await;
    let found = async |filter: AuditFilter| {
        let mut paging = Paging { limit: Limit::new(2).unwrap(), cursor: None };
        let mut targets = Vec::new();
        loop {
            let page = it.registry.list_audit(&filter, &paging).await.unwrap();
            targets.extend(page.data.into_iter().map(|entry| entry.target));
            paging.cursor = page.next_cursor;
            if paging.cursor.is_none() {
                return targets;
            }
        }
    };
    let all = AuditFilter::default;
    let is = |word: &str| Some(word.to_owned());
    assert_eq!(found(all()).await, ["a/y@1", "a/y", "b_c@1", "b_c", "a/x@dev", "a/x@1", "a/x"]);
    assert_eq!(found(AuditFilter { who: is("bob"), ..all() }).await, ["b_c@1", "b_c"]);
    assert_eq!(found(AuditFilter { action: is("label.moved"), ..all() }).await, ["a/x@dev"]);
    assert_eq!(found(AuditFilter { action: is("label.*"), ..all() }).await, ["a/x@dev"]);
    assert_eq!(
        found(AuditFilter { target: is("a/*"), ..all() }).await,
        ["a/y@1", "a/y", "a/x@dev", "a/x@1", "a/x"]
    );
    assert_eq!(found(AuditFilter { target: is("b_*"), ..all() }).await, ["b_c@1", "b_c"]);
    assert_eq!(found(AuditFilter { target: is("A/x"), ..all() }).await, [""; 0]);
    assert_eq!(found(AuditFilter { from: Some(since), ..all() }).await, ["a/y@1", "a/y"]);
    assert_eq!(found(AuditFilter { to: Some(since), who: is("bob"), ..all() }).await, ["b_c@1", "b_c"]);
    assert_eq!(found(AuditFilter { project: Some("other".into()), ..all() }).await, [""; 0]);
    let odd = Paging { cursor: Some("!".into()), ..Paging::default() };
    assert_eq!(it.registry.list_audit(&all(), &odd).await.unwrap_err().field(), Some("cursor"));
    let nul = AuditFilter { who: is("\0"), ..all() };
    assert_eq!(it.registry.list_audit(&nul, &Paging::default()).await.unwrap_err().field(), Some("who"));
}

pub(crate) async fn no_secret_is_in_the_audit(it: Bench) {
    let first = it.registry.bootstrap(None, None).await.unwrap();
    let key = it.registry.issue_key(key_named("shop"), &it.admin).await.unwrap();
    let issued = it.registry.issue_token(token("ci", None), &it.admin).await.unwrap();
    let webhook = make(&it, hook("pager", &["*"])).await;
    let elsewhere = WebhookChange {
        url: Some(vocab::Secret::new("https://example.com/hooks/fedcba9876543210")),
        ..WebhookChange::default()
    };
    it.registry.update_webhook(webhook.issued.id, elsewhere, &it.admin).await.unwrap();
    let told: String = deliveries(&it, &webhook.issued).await.iter().map(|it| it.body.to_string()).collect();
    let kept = format!("{}{told}", json!(whole(&it).await));
    let secrets =
        [first.admin_token.unwrap(), first.api_key.unwrap(), key.secret, issued.secret, webhook.secret];
    for secret in secrets {
        assert!(!kept.contains(secret.expose()));
    }
    assert!(
        !kept.contains("0123456789") && !kept.contains("fedcba98") && kept.contains("example.com"),
        "{kept}"
    );
    assert!(kept.contains("url_changed\":true"), "{kept}");
}

pub(crate) async fn whoever_is_held_to_a_project_changes_nothing_elsewhere(it: Bench) {
    it.say("a", "one").await;
    let held = Who { project: Some("other".into()), ..held_to(&it, PROJECT).await };
    let before = whole(&it).await.len();
    let refused = [
        it.registry.publish(PROJECT, &name("a"), NewVersion::of(saying("two")), &held).await.err(),
        it.registry.create_prompt(PROJECT, NewPrompt::named(name("b")), &held).await.err(),
        it.registry.archive_prompt(PROJECT, &name("a"), &held).await.err(),
        it.registry.move_label(PROJECT, &name("a"), LabelChange::of(label("dev")).onto(1), &held).await.err(),
        it.registry.issue_key(NewKey { project: PROJECT.into(), ..key_named("k") }, &held).await.err(),
        it.registry.issue_token(token("wider", None), &held).await.err(),
        it.registry.create_webhook(hook("h", &[]), &held).await.err(),
        it.registry.create_view(PROJECT, view("v"), &held).await.err(),
        it.registry.create_alert(alerts::named("a", alerts::rule()), &held).await.err(),
    ];
    for refused in refused {
        assert!(
            matches!(&refused, Some(StoreError::Forbidden(why)) if why.contains("project `other`")),
            "{refused:?}"
        );
    }
    assert_eq!(whole(&it).await.len(), before);
    assert_eq!(it.number("a@latest").await, Ok(1));
    assert!(it.registry.find_prompt(PROJECT, &name("b")).await.unwrap().is_none());
}

pub(crate) async fn the_token_that_was_used_is_noted(it: Bench) {
    let held = held_to(&it, PROJECT).await;
    it.registry.create_prompt(PROJECT, NewPrompt::named(name("a")), &held).await.unwrap();
    let entries = whole(&it).await;
    let id: Id<vocab::id::Token> = entries[0].target.parse().unwrap();
    assert_eq!((&entries[0].token, &entries[1].token), (&None, &Some(id.to_string())));
}

pub(crate) async fn each_move_of_a_label_is_told_once(it: Bench) {
    let moves = make(&it, hook("moves", &["label.moved"])).await.issued;
    let versions = make(&it, hook("versions", &["prompt.*"])).await.issued;
    let both =
        NewVersion { labels: vec![label("dev"), label("dev"), label("qa")], ..NewVersion::of(saying("one")) };
    it.publish("a", both).await.unwrap();
    it.say("a", "two").await;
    let change = LabelChange { reason: Some("reviewed".into()), ..LabelChange::of(label("dev")) };
    for _ in 0..2 {
        it.registry.move_label(PROJECT, &name("a"), change.clone().onto(2), &it.admin).await.unwrap();
    }
    it.roll_back("a", "dev").await.unwrap();
    it.take_away("a", "qa").await;
    let told = async |webhook| {
        let told = deliveries(&it, webhook).await;
        told.iter().map(|it| serde_json::from_str(&it.body).unwrap()).collect::<Vec<Value>>()
    };
    let said = |body: &Value| {
        let data = &body["data"];
        json!([data["label"], data["action"], data["from"], data["to"], data["who"], data["why"]]).to_string()
    };
    let expected = [
        json!(["dev", "move", null, 1, "ann", null]),
        json!(["dev", "move", 1, 2, "ann", "reviewed"]),
        json!(["dev", "rollback", 2, 1, "ann", null]),
        json!(["qa", "move", null, 1, "ann", null]),
        json!(["qa", "remove", 1, null, "ann", null]),
    ];
    let told_moves = told(&moves).await;
    assert_eq!(told_moves.len(), expected.len(), "one event per move");
    let seen: BTreeSet<_> = told_moves.iter().map(said).collect();
    assert_eq!(seen, expected.iter().map(Value::to_string).collect());
    let published = told(&versions).await;
    let summaries: BTreeSet<_> = published.iter().filter_map(|body| body["summary"].as_str()).collect();
    let one = "ann published version 1 (1.0.0) of a";
    assert_eq!(summaries, [one, "ann published version 2 (1.0.1, patch) of a"].into());
}

pub(crate) async fn trying_a_webhook_out_and_replaying_are_noted(it: Bench) {
    let webhook = make(&it, hook("pager", &[])).await.issued;
    let event = crate::webhooks::event(&it, "webhook.test");
    let time = Duration::from_secs(30);
    let parcel = it.registry.announce_to(webhook.id, event, time, &it.admin).await.unwrap();
    it.registry.replay_delivery(parcel.delivery.id, &it.admin).await.unwrap();
    assert_eq!(actions(&it).await, ["webhook.created", "webhook.tested", "delivery.replayed"]);
}
