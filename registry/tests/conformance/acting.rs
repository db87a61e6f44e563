//! How each verb of `verbs.rs` is used, and on what.

use std::time::Duration;

use registry::{
    AlertChange, Deed, DraftRelease, KeyChange, LabelChange, NewDraft, NewProject, NewPrompt, NewToken,
    NewVersion, NewView, ProjectChange, PromptChange, Role, StoreError, TokenScope, ViewChange, ViewContent,
    ViewKind, WebhookChange, Who,
};
use serde_json::json;
use vocab::id::{Alert, Delivery, Key, Release, Token, View, Webhook};
use vocab::{Id, PromptName};

use crate::alerts;
use crate::bench::{Bench, PROJECT, key_named, label, name, saying};
use crate::stages;
use crate::webhooks::{event, hook};

/// What there is to change, made anew for each use of a verb.
pub(crate) struct Things {
    /// Has two versions, `dev` moved from the first to the second, and a draft of whoever tries.
    prompt: PromptName,
    unlabelled: PromptName,
    archived: PromptName,
    project: String,
    closed: String,
    key: Id<Key>,
    token: Id<Token>,
    alert: Id<Alert>,
    webhook: Id<Webhook>,
    delivery: Id<Delivery>,
    view: Id<View>,
    release: Option<Id<Release>>,
    /// Of this use: new names end with it.
    number: usize,
}

impl Things {
    pub(crate) async fn make(it: &Bench, number: usize, leaves: &[&str], writer: &Who) -> Self {
        let (registry, who) = (&it.registry, &it.admin);
        let called = |word: &str| format!("team/{word}-{number}");
        for (word, text) in [("p", "one"), ("p", "two"), ("unlabelled", "one"), ("archived", "one")] {
            it.say(&called(word), text).await;
        }
        it.put(&called("p"), "dev", 1).await;
        it.put(&called("p"), "dev", 2).await;
        let drafted = name(&called("p"));
        registry.put_draft(PROJECT, &drafted, NewDraft::of(saying("three")), writer).await.unwrap();
        let archived = name(&called("archived"));
        registry.archive_prompt(PROJECT, &archived, who).await.unwrap();
        let (project, closed) = (format!("open-{number}"), format!("closed-{number}"));
        for new in [&project, &closed] {
            let new = NewProject { name: new.clone(), description: String::new() };
            registry.create_project(new, who).await.unwrap();
        }
        let close = ProjectChange { archived: Some(true), ..ProjectChange::default() };
        registry.update_project(&closed, close, who).await.unwrap();
        let alert = alerts::named(&called("alert"), alerts::rule());
        let webhook = registry.create_webhook(hook(&called("hook"), &[]), who).await.unwrap().issued.id;
        let tried = registry.announce_to(webhook, event(it, "webhook.test"), Duration::from_secs(30), who);
        Self {
            prompt: name(&called("p")),
            unlabelled: name(&called("unlabelled")),
            archived,
            project,
            closed,
            key: registry.issue_key(key_named(&called("key")), who).await.unwrap().issued.id,
            token: registry.issue_token(token(), who).await.unwrap().issued.id,
            alert: registry.create_alert(alert, who).await.unwrap().id,
            webhook,
            delivery: tried.await.unwrap().delivery.id,
            view: registry.create_view(PROJECT, view(&called("view")), who).await.unwrap().id,
            release: stages::prepare(it, &drafted, leaves).await,
            number,
        }
    }

    fn new_name(&self) -> String {
        format!("team/new-{}", self.number)
    }
}

pub(crate) fn token() -> NewToken {
    NewToken {
        name: "ci".to_owned(),
        role: Role::Admin,
        project: None,
        scope: TokenScope::default(),
        owner: Some("bob".to_owned()),
        expires_at: None,
    }
}

fn view(name: &str) -> NewView {
    NewView { name: name.to_owned(), kind: ViewKind::Calls, content: ViewContent::default() }
}

type Outcome = Result<(), StoreError>;

/// Uses a verb so that it leaves this action.
pub(crate) async fn act(it: &Bench, things: &Things, (verb, leaves): (&str, &[&str]), who: &Who) -> Outcome {
    match verb.rsplit('_').next().unwrap() {
        "prompt" | "publish" => on_prompts(it, things, (verb, leaves), who).await,
        "draft" => on_drafts(it, things, (verb, leaves), who).await,
        "label" => on_labels(it, things, verb, who).await,
        "release" | "experiment" => {
            stages::act(it, (&things.prompt, things.release), (verb, leaves), who).await
        }
        "policy" => stages::on_policies(it, &label(&format!("qa-{}", things.number)), verb, who).await,
        "project" => on_projects(it, things, (verb, leaves), who).await,
        "key" | "token" => on_secrets(it, things, verb, who).await,
        "alert" | "webhook" | "to" | "delivery" => on_messages(it, things, verb, who).await,
        _ => on_the_rest(it, things, (verb, leaves), who).await,
    }
}

async fn on_prompts(it: &Bench, things: &Things, (verb, leaves): (&str, &[&str]), who: &Who) -> Outcome {
    let registry = &it.registry;
    let change = async |prompt: &PromptName, change: PromptChange| {
        registry.update_prompt(PROJECT, prompt, change, who).await.map(drop)
    };
    let unchanged = PromptChange::default;
    match (verb, leaves) {
        ("create_prompt", _) => {
            let new = NewPrompt::named(name(&things.new_name()));
            registry.create_prompt(PROJECT, new, who).await.map(drop)
        }
        ("update_prompt", ["prompt.changed"]) => {
            change(&things.prompt, PromptChange { tags: Some(vec!["x".into()]), ..unchanged() }).await
        }
        ("update_prompt", ["prompt.renamed"]) => {
            change(&things.prompt, PromptChange { name: Some(name(&things.new_name())), ..unchanged() }).await
        }
        ("update_prompt", ["prompt.archived"]) => {
            change(&things.unlabelled, PromptChange { archived: Some(true), ..unchanged() }).await
        }
        ("update_prompt", ["prompt.restored"]) => {
            change(&things.archived, PromptChange { archived: Some(false), ..unchanged() }).await
        }
        ("archive_prompt", _) => registry.archive_prompt(PROJECT, &things.unlabelled, who).await.map(drop),
        ("publish", _) => {
            let labels = if leaves.len() > 1 { vec![label("dev")] } else { Vec::new() };
            let new = NewVersion { labels, ..NewVersion::of(saying("three")) };
            registry.publish(PROJECT, &things.prompt, new, who).await.map(drop)
        }
        _ => untried(verb),
    }
}

async fn on_drafts(it: &Bench, things: &Things, (verb, leaves): (&str, &[&str]), who: &Who) -> Outcome {
    let (registry, prompt) = (&it.registry, &things.prompt);
    match verb {
        "put_draft" => registry.put_draft(PROJECT, prompt, NewDraft::of(saying("new")), who).await.map(drop),
        "discard_draft" => registry.discard_draft(PROJECT, prompt, None, who).await,
        "publish_draft" => {
            let labels = if leaves.len() > 1 { vec![label("dev")] } else { Vec::new() };
            let release = DraftRelease { labels, ..DraftRelease::default() };
            registry.publish_draft(PROJECT, prompt, release, who).await.map(drop)
        }
        _ => untried(verb),
    }
}

async fn on_labels(it: &Bench, things: &Things, verb: &str, who: &Who) -> Outcome {
    let (registry, dev) = (&it.registry, LabelChange::of(label("dev")));
    match verb {
        "move_label" => registry.move_label(PROJECT, &things.prompt, dev.onto(1), who).await.map(drop),
        "remove_label" => registry.remove_label(PROJECT, &things.prompt, dev, who).await,
        "roll_back_label" => registry.roll_back_label(PROJECT, &things.prompt, dev, who).await.map(drop),
        _ => untried(verb),
    }
}

async fn on_projects(it: &Bench, things: &Things, (verb, leaves): (&str, &[&str]), who: &Who) -> Outcome {
    let registry = &it.registry;
    if verb == "create_project" {
        let new = NewProject { name: format!("new-{}", things.number), description: String::new() };
        return registry.create_project(new, who).await.map(drop);
    }
    let archived = |archived| ProjectChange { archived: Some(archived), ..ProjectChange::default() };
    let (project, change) = match (verb, leaves) {
        ("update_project", ["project.changed"]) => {
            let change = ProjectChange { description: Some("new".into()), ..ProjectChange::default() };
            (&things.project, change)
        }
        ("update_project", ["project.archived"]) => (&things.project, archived(true)),
        ("update_project", ["project.restored"]) => (&things.closed, archived(false)),
        _ => untried(verb),
    };
    registry.update_project(project, change, who).await.map(drop)
}

async fn on_secrets(it: &Bench, things: &Things, verb: &str, who: &Who) -> Outcome {
    let registry = &it.registry;
    match verb {
        "issue_key" => registry.issue_key(key_named("k"), who).await.map(drop),
        "update_key" => {
            let change = KeyChange { name: Some("other".into()), ..KeyChange::default() };
            registry.update_key(things.key, change, who).await.map(drop)
        }
        "revoke_key" => registry.revoke_key(things.key, who).await.map(drop),
        "issue_token" => registry.issue_token(token(), who).await.map(drop),
        "revoke_token" => registry.revoke_token(things.token, who).await.map(drop),
        _ => untried(verb),
    }
}

async fn on_messages(it: &Bench, things: &Things, verb: &str, who: &Who) -> Outcome {
    let registry = &it.registry;
    match verb {
        "create_alert" => {
            registry.create_alert(alerts::named(&things.new_name(), alerts::rule()), who).await.map(drop)
        }
        "update_alert" => {
            let change = AlertChange { enabled: Some(false), ..AlertChange::default() };
            registry.update_alert(things.alert, change, who).await.map(drop)
        }
        "delete_alert" => registry.delete_alert(things.alert, who).await.map(drop),
        "create_webhook" => registry.create_webhook(hook(&things.new_name(), &[]), who).await.map(drop),
        "update_webhook" => {
            let change = WebhookChange { enabled: Some(false), ..WebhookChange::default() };
            registry.update_webhook(things.webhook, change, who).await.map(drop)
        }
        "delete_webhook" => registry.delete_webhook(things.webhook, who).await.map(drop),
        "announce_to" => {
            let (event, time) = (event(it, "webhook.test"), Duration::from_secs(30));
            registry.announce_to(things.webhook, event, time, who).await.map(drop)
        }
        "replay_delivery" => registry.replay_delivery(things.delivery, who).await.map(drop),
        _ => untried(verb),
    }
}

async fn on_the_rest(it: &Bench, things: &Things, (verb, leaves): (&str, &[&str]), who: &Who) -> Outcome {
    let registry = &it.registry;
    match verb {
        "create_view" => registry.create_view(PROJECT, view(&things.new_name()), who).await.map(drop),
        "update_view" => {
            let change = ViewChange { name: Some(things.new_name()), ..ViewChange::default() };
            registry.update_view(PROJECT, things.view, change, who).await.map(drop)
        }
        "delete_view" => registry.delete_view(PROJECT, things.view, None, who).await.map(drop),
        "witness" => {
            let action = if leaves == ["records.deleted"] { "records.deleted" } else { "outbox.retried" };
            let deed = Deed { action, target: "something".into(), detail: json!({}) };
            registry.witness(PROJECT, deed, who).await
        }
        _ => untried(verb),
    }
}

fn untried(verb: &str) -> ! {
    panic!("say in acting.rs how `{verb}` is used, and on what")
}
