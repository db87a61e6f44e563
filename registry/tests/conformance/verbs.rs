//! Every verb of the registry that changes something: what it leaves in the audit, and whom it refuses.
//!
//! The table is held against the code and against `docs/AUDIT.md`: a new verb or action without its row is a failed case.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use registry::{AuditFilter, Role, StoreError, TokenScope, Who};
use vocab::Secret;

use crate::acting::{Things, act, token};
use crate::audit::whole;
use crate::bench::Bench;

/// A verb, and what one use of it leaves in the audit. A verb that does several things is there for each.
const VERBS: [(&str, &[&str]); 53] = [
    ("create_project", &["project.created"]),
    ("update_project", &["project.changed"]),
    ("update_project", &["project.archived"]),
    ("update_project", &["project.restored"]),
    ("create_prompt", &["prompt.created"]),
    ("update_prompt", &["prompt.changed"]),
    ("update_prompt", &["prompt.renamed"]),
    ("update_prompt", &["prompt.archived"]),
    ("update_prompt", &["prompt.restored"]),
    ("archive_prompt", &["prompt.archived"]),
    ("publish", &["prompt.version_created"]),
    ("publish", &["prompt.version_created", "label.moved"]),
    ("put_draft", &[]),
    ("discard_draft", &[]),
    ("publish_draft", &["prompt.version_created"]),
    ("publish_draft", &["prompt.version_created", "label.moved"]),
    ("move_label", &["label.moved"]),
    ("remove_label", &["label.moved"]),
    ("roll_back_label", &["label.moved"]),
    ("set_label_policy", &["label.policy_changed"]),
    ("reset_label_policy", &["label.policy_changed"]),
    ("propose_release", &["release.proposed"]),
    ("change_release", &["release.approved"]),
    ("change_release", &["release.rejected"]),
    ("change_release", &["release.withdrawn"]),
    ("change_release", &["release.started"]),
    ("change_release", &["release.advanced"]),
    ("change_release", &["release.paused"]),
    ("change_release", &["release.resumed"]),
    ("change_release", &["release.aborted"]),
    ("change_release", &["label.moved", "release.released"]),
    ("set_experiment", &["experiment.started"]),
    ("set_experiment", &["experiment.changed"]),
    ("set_experiment", &["experiment.stopped"]),
    ("remove_experiment", &["experiment.removed"]),
    ("issue_key", &["key.issued"]),
    ("update_key", &["key.changed"]),
    ("revoke_key", &["key.revoked"]),
    ("issue_token", &["token.issued"]),
    ("revoke_token", &["token.revoked"]),
    ("create_alert", &["alert.created"]),
    ("update_alert", &["alert.changed"]),
    ("delete_alert", &["alert.deleted"]),
    ("create_webhook", &["webhook.created"]),
    ("update_webhook", &["webhook.changed"]),
    ("delete_webhook", &["webhook.deleted"]),
    ("announce_to", &["webhook.tested"]),
    ("replay_delivery", &["delivery.replayed"]),
    ("create_view", &["view.created"]),
    ("update_view", &["view.changed"]),
    ("delete_view", &["view.deleted"]),
    ("witness", &["records.deleted"]),
    ("witness", &["outbox.retried"]),
];
/// Actions that no verb of somebody's leaves: a start's, and one more that is witnessed.
const OTHERS: [&str; 3] = ["key.accepted", "token.accepted", "outbox.dropped"];
/// Verbs that take who asks and change nothing.
const READS: [&str; 3] = ["compare", "find_draft", "get_draft"];
/// What it notes was judged before.
const JUDGED_BEFORE: &str = "witness";
/// Verbs that change prompts, which folders hold.
const OF_PROMPTS: [&str; 7] = [
    "create_prompt",
    "update_prompt",
    "archive_prompt",
    "publish",
    "put_draft",
    "discard_draft",
    "publish_draft",
];
/// Verbs that change what a label of a prompt serves, which folders and labels hold.
const OF_LABELS: [&str; 7] = [
    "move_label",
    "remove_label",
    "roll_back_label",
    "propose_release",
    "change_release",
    "set_experiment",
    "remove_experiment",
];

/// Whom a verb refuses, and in which words.
fn refused(verb: &str, leaves: &[&str]) -> Vec<(Who, &'static str)> {
    let bob = |role| Who::new(role, "bob");
    let held = |folders: Option<&str>, labels: Option<&str>| {
        let list = |word: &str| vec![word.to_owned()];
        let scope = TokenScope { folders: folders.map(list), labels: labels.map(list) };
        Who { scope: Some(Arc::new(scope)), ..bob(Role::Releaser) }
    };
    let elsewhere = Who { project: Some("elsewhere".into()), ..bob(Role::Admin) };
    let mut refused = vec![(elsewhere, "held to the project `elsewhere`")];
    if verb != JUDGED_BEFORE {
        refused.push((bob(Role::Viewer), "role viewer may not"));
    }
    let of_label = OF_LABELS.contains(&verb);
    if of_label || OF_PROMPTS.contains(&verb) {
        refused.push((held(Some("elsewhere"), None), "in `elsewhere` only"));
    }
    if of_label || leaves.contains(&"label.moved") {
        refused.push((held(None, Some("qa")), "moves `qa` only"));
    }
    refused
}

pub(crate) async fn every_verb_leaves_its_entry_and_a_refused_one_none(it: Bench) {
    let somebody = it.registry.issue_token(token(), &it.admin).await.unwrap().issued.who();
    for (number, (verb, leaves)) in VERBS.into_iter().enumerate() {
        let things = Things::make(&it, number, leaves, &somebody).await;
        let (before, _) = it.registry.audit_head().await.unwrap();
        for (who, words) in refused(verb, leaves) {
            let tried = act(&it, &things, (verb, leaves), &who).await;
            assert!(
                matches!(&tried, Err(StoreError::Forbidden(why)) if why.contains(words)),
                "{verb}, {leaves:?}, by {who:?}: {tried:?}"
            );
            assert_eq!(it.registry.audit_head().await.unwrap().0, before, "{verb} by {who:?}");
        }
        act(&it, &things, (verb, leaves), &somebody).await.unwrap();
        let left =
            it.registry.audit_after(&AuditFilter::default(), before.number, i64::MAX, 10).await.unwrap();
        let actions: Vec<&str> = left.iter().map(|entry| &*entry.action).collect();
        assert_eq!(actions, leaves, "{verb}");
        for entry in left {
            let by = (&*entry.who, &*entry.role, entry.token);
            assert_eq!(by, ("bob", "admin", somebody.token.map(|id| id.to_string())), "{verb}");
            assert!(!entry.target.is_empty() && entry.detail.is_object(), "{verb}: {:?}", entry.detail);
        }
    }
    whole(&it).await;
}

pub(crate) async fn what_a_start_does_is_noted(it: Bench) {
    let secret = |prefix: &str, letter: &str| Secret::new(format!("{prefix}{}", letter.repeat(40)));
    for letter in ["a", "b"] {
        let (token, key) = (secret("wt-", letter), secret("sk-weir-", letter));
        it.registry.bootstrap(Some(&token), Some(&key)).await.unwrap();
    }
    it.registry.bootstrap(Some(&secret("wt-", "b")), Some(&secret("sk-weir-", "b"))).await.unwrap();
    let entries = whole(&it).await;
    let actions: Vec<&str> = entries.iter().map(|entry| &*entry.action).collect();
    assert_eq!(actions, ["token.issued", "key.issued", "token.accepted", "key.accepted"]);
    assert!(entries.iter().all(|entry| &*entry.who == "bootstrap" && entry.token.is_none()));
}

/// All that Rust files below a folder say.
fn sources(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let texts = entries.map(|path| match path.extension() {
        _ if path.is_dir() => sources(&path),
        Some(kind) if kind == "rs" => std::fs::read_to_string(&path).unwrap(),
        Some(_) | None => String::new(),
    });
    texts.collect()
}

#[test]
fn the_table_has_every_verb_that_takes_who_asks() {
    let code = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let signatures = code.split("\n    pub async fn ").skip(1);
    let takes_who = signatures.filter(|text| text.split('{').next().unwrap().contains("who: &Who"));
    let verbs: BTreeSet<&str> = takes_who.map(|text| text.split('(').next().unwrap()).collect();
    assert!(verbs.len() > 20, "the verbs were found: {verbs:?}");
    let known: BTreeSet<&str> = VERBS.iter().map(|(verb, _)| *verb).chain(READS).collect();
    assert_eq!(verbs, known, "left: what the code has, right: what the table at the top has");
}

#[test]
fn the_documented_actions_are_those_of_the_table() {
    let document = include_str!("../../../docs/AUDIT.md");
    let rows = document.lines().skip_while(|line| !line.starts_with("| action | target |")).skip(2);
    let mut documented = BTreeSet::new();
    for row in rows.take_while(|line| line.starts_with('|')) {
        let cell = row.trim_matches('|').split('|').next().unwrap();
        let words: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
        let family = words[0].split('.').next().unwrap();
        for word in words {
            let action =
                word.strip_prefix('.').map_or_else(|| word.to_owned(), |deed| format!("{family}.{deed}"));
            assert!(documented.insert(action.clone()), "{action} stands there twice");
        }
    }
    let left = VERBS.iter().flat_map(|(_, leaves)| leaves.iter().copied()).chain(OTHERS);
    assert_eq!(documented, left.map(str::to_owned).collect(), "left: docs/AUDIT.md, right: the table");
}
