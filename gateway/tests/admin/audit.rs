//! `/audit`: what was changed is listed and exported, for those it concerns.

use insta::assert_snapshot;
use registry::audit::Verifier;
use registry::{AuditEntry, AuditHead, Role};
use serde_json::{Value, json};

use crate::commands::weir;
use crate::desk::{Desk, each};
use crate::redact::seen;
use crate::support::{Answer, Call};

/// A gateway whose prompt `support/reply` was published and labelled by an editor and a releaser.
async fn changed() -> Desk {
    let desk = Desk::open().await;
    let version = json!({"text": "Hi", "labels": ["staging"], "commit_message": "A start"});
    let published =
        desk.by(Role::Editor, "POST", "/prompts/support%2Freply/versions").json(&version).send().await;
    assert_eq!(published.status, 201, "{}", published.text());
    let put = json!({"version": 1, "reason": "reviewed"});
    let path = "/prompts/support%2Freply/labels/production";
    assert_eq!(desk.by(Role::Releaser, "PUT", path).json(&put).send().await.status, 200);
    desk
}

/// Asks with the secret of a token that is held to `default`.
async fn held(desk: &Desk, path: &str) -> Answer {
    let token = json!({"name": "held", "role": "viewer", "project": "default"});
    let made = desk.post("/tokens", &token).await.json();
    let secret = made["secret"].as_str().unwrap();
    Call::new(desk.admin_address(), "GET", &format!("/api/v1{path}")).key(secret).send().await
}

#[tokio::test]
async fn a_change_is_listed_with_who_what_and_why() {
    let desk = changed().await;
    let page = desk.get("/audit?action=label.moved&who=releaser").await.json();
    let mut entry = page["data"][0].clone();
    for field in ["hash", "previous"] {
        assert_eq!(entry[field].as_str().unwrap().len(), 64);
        entry[field] = format!("[{field}]").into();
    }
    entry["number"] = "[number]".into();
    assert_snapshot!("audit_entry", serde_json::to_string_pretty(&crate::redact::value(entry)).unwrap());
}

#[tokio::test]
async fn changes_are_found_by_who_what_and_when() {
    let desk = changed().await;
    let targets = async |query: &str| {
        let found = desk.all(&format!("/audit?{query}"), 2).await;
        json!(each(&found, "target"))
    };
    let all =
        json!(["support/reply@production", "support/reply@staging", "support/reply@1", "support/reply"]);
    assert_eq!(targets("target=support%2F*").await, all);
    assert_eq!(targets("who=editor&action=label.*").await, json!(["support/reply@staging"]));
    assert_eq!(targets("action=label.*&from=-1h&to=2999-01-01").await, json!([all[0], all[1]]));
    assert_eq!(targets("from=2999-01-01").await, json!([]));
    let everywhere = desk.all("/audit?all_projects=true", 3).await;
    let first = everywhere.last().unwrap();
    assert_eq!(
        (&first["number"], &first["action"], &first["project"]),
        (&json!(1), &json!("token.issued"), &Value::Null)
    );
}

#[tokio::test]
async fn a_token_held_to_a_project_sees_that_projects_changes_only() {
    let desk = changed().await;
    let own = held(&desk, "/audit?limit=1000").await.json();
    let projects = each(own["data"].as_array().unwrap(), "project");
    assert!(projects.len() > 3 && projects.iter().all(|project| *project == "default"), "{own}");
    assert_snapshot!("audit_beyond_its_project", seen(&held(&desk, "/audit?all_projects=true").await));
    assert_eq!(held(&desk, "/audit/export?all_projects=true").await.status, 403);
}

#[tokio::test]
async fn an_export_is_the_chain_and_ends_with_its_receipt() {
    let desk = changed().await;
    for number in 0..250 {
        let view = json!({"name": format!("view {number}"), "kind": "calls"});
        assert_eq!(desk.post("/views", &view).await.status, 201);
    }
    let answer = desk.get("/audit/export?all_projects=true&receipt=true").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/x-ndjson"));
    let mut lines: Vec<_> = answer.text().lines().collect();
    let receipt: Value = serde_json::from_str(lines.pop().unwrap()).unwrap();
    let head: AuditHead = serde_json::from_value(receipt["weir_audit"]["head"].clone()).unwrap();
    let mut verifier = Verifier::default();
    for line in &lines {
        verifier.check(&serde_json::from_str::<AuditEntry>(line).unwrap());
    }
    let verdict = verifier.finish(Some(&head));
    assert!(verdict.holds() && verdict.entries > 250, "{verdict:?}");
    assert_eq!(
        (&receipt["weir_audit"]["entries"], &receipt["weir_audit"]["complete"]),
        (&json!(lines.len()), &json!(true))
    );
    assert_eq!(desk.get("/audit/head").await.json(), json!(head));

    let behind = desk.get(&format!("/audit/export?all_projects=true&after={}", head.number - 2)).await;
    assert_eq!(behind.text().lines().collect::<Vec<_>>(), lines[lines.len() - 2..]);
    let moves = desk.get("/audit/export?action=label.moved").await;
    assert_eq!(moves.text().lines().count(), 2);
}

#[tokio::test]
async fn what_cannot_be_asked_of_the_audit_is_refused() {
    let desk = Desk::open().await;
    for (name, query) in [
        ("audit_unknown_parameter", "?colour=red"),
        ("audit_from_no_time", "?from=yesterday"),
        ("audit_cursor_nobody_made", "?cursor=x!"),
        ("audit_limit_of_none", "?limit=0"),
    ] {
        assert_snapshot!(name, seen(&desk.get(&format!("/audit{query}")).await));
    }
    assert_eq!(desk.send("POST", "/audit", &json!({})).await.status, 405);
    assert_eq!(desk.send("DELETE", "/audit", &json!({})).await.status, 405);
}

#[tokio::test]
async fn deleting_records_is_noted_and_whose_they_were_is_not() {
    let desk = Desk::open().await;
    assert_eq!(desk.delete("/calls?user=u-17").await.status, 200);
    let found = desk.get("/audit?action=records.deleted").await;
    assert_eq!(found.json()["data"].as_array().unwrap().len(), 1);
    assert!(!found.text().contains("u-17"), "{}", found.text());
    assert_eq!(desk.send("POST", "/outbox/poisoned/retry", &json!({})).await.status, 200);
    assert_eq!(desk.delete("/outbox/poisoned").await.status, 200);
    let noted = desk.get("/audit?action=outbox.*&all_projects=true").await.json();
    let actions = each(noted["data"].as_array().unwrap(), "action");
    assert_eq!(json!(actions), json!(["outbox.dropped", "outbox.retried"]));
}

/// A gateway with three versions of a prompt, the first said, then the second, then the third.
async fn published() -> Desk {
    let desk = Desk::open().await;
    for text in ["one", "two", "three"] {
        let version = json!({"text": text, "commit_message": format!("Say {text}")});
        assert_eq!(desk.post("/prompts/a/versions", &version).await.status, 201);
    }
    desk
}

#[tokio::test]
async fn an_audit_is_listed_and_verified_from_a_terminal() {
    let desk = published().await;
    let listed = weir(&desk, &["audit", "list", "--action", "prompt.*", "--target", "a@*"]).await;
    assert!(listed.ok && listed.out.starts_with("AT "), "{}", listed.err);
    assert!(
        listed.out.lines().nth(1).unwrap().ends_with("admin  prompt.version_created  a@3     Say three"),
        "{}",
        listed.out
    );
    let found = weir(&desk, &["audit", "list", "--all-projects", "--limit", "2", "--json"]).await.json();
    assert_eq!(found["data"].as_array().unwrap().len(), 2);

    let held = weir(&desk, &["audit", "verify", "--json"]).await.json();
    let anchor = format!("{}:{}", held["head"]["number"], held["head"]["hash"].as_str().unwrap());
    assert_eq!((&held["holds"], &held["findings"]), (&json!(true), &json!([])));
    assert!(held["entries"].as_u64().unwrap() > 5 && held["entries"] == held["head"]["number"], "{held}");
    assert_eq!(desk.post("/prompts", &json!({"name": "b"})).await.status, 201);
    let later = weir(&desk, &["audit", "verify", "--anchor", &anchor]).await;
    assert!(later.ok && later.err.contains("the chain holds"), "{}", later.err);
    let other = weir(&desk, &["audit", "verify", "--anchor", &format!("2:{}", "0".repeat(64))]).await;
    assert!(!other.ok && other.out.starts_with("entry 2 is not the one the anchor names"), "{}", other.out);
}

#[tokio::test]
async fn an_export_that_was_tampered_with_is_found_out() {
    let desk = published().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.jsonl");
    let path = file.to_str().unwrap();
    assert!(weir(&desk, &["audit", "export", "-o", path]).await.ok);
    let again = weir(&desk, &["audit", "export", "-o", path]).await;
    assert!(!again.ok && again.err.contains("is there already"), "{}", again.err);
    assert!(weir(&desk, &["audit", "export", "-o", path, "--force"]).await.ok);
    let whole = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let (receipt, entries) = lines.split_last().unwrap();
    let last: AuditEntry = serde_json::from_str(entries.last().unwrap()).unwrap();
    let anchor = format!("{}:{}", last.number, last.hash);
    let holds = weir(&desk, &["audit", "verify", "--file", path, "--anchor", &anchor]).await;
    assert!(holds.ok && holds.out.is_empty(), "{} {}", holds.out, holds.err);

    let written = |lines: &[&str]| lines.join("\n") + "\n";
    let without = |gone: usize| written(&[&lines[..gone], &lines[gone + 1..]].concat());
    let mut swapped = lines.clone();
    swapped.swap(3, 4);
    let end = entries.len() - 2;
    let new_end: AuditEntry = serde_json::from_str(entries[end - 1]).unwrap();
    let new_receipt =
        json!({"entries": end, "complete": true, "head": {"number": end, "hash": new_end.hash}});
    let new_receipt = json!({"weir_audit": new_receipt}).to_string();
    let cut = written(&[&entries[..end], &[new_receipt.as_str()]].concat());
    let missing = format!("entries {} to {} are missing", end + 1, end + 2);
    for (tampered, says) in [
        (whole.replacen("Say two", "Say tea", 1), "was edited"),
        (without(4), "entry 5 is missing: it was removed"),
        (written(&swapped), "entry 4 stands behind entry 5: the order was changed"),
        (written(&[&entries[..end], &[*receipt]].concat()), missing.as_str()),
        (written(entries), "its receipt, the last line, is missing"),
    ] {
        std::fs::write(&file, tampered).unwrap();
        let said = weir(&desk, &["audit", "verify", "--file", path]).await;
        assert!(!said.ok && format!("{}{}", said.out, said.err).contains(says), "{} {}", said.out, said.err);
    }
    std::fs::write(&file, cut).unwrap();
    assert!(weir(&desk, &["audit", "verify", "--file", path]).await.ok, "in itself it looks whole");
    let said = weir(&desk, &["audit", "verify", "--file", path, "--anchor", &anchor]).await;
    assert!(!said.ok && said.out.contains(&missing), "{} {}", said.out, said.err);
}
