//! What opening does with a PostgreSQL database that is not a registry of this build, or not there: it refuses, says
//! what to do, and leaves everything as it was. The server is the one that `TEST_POSTGRES_URL` names.

#![expect(clippy::unwrap_used, reason = "a test fails where its own database is wrong")]

#[path = "support/server.rs"]
mod server;

use registry::{NewVersion, OpenError, Registry, Role, Who};
use serde_json::json;
use server::Schema;
use vocab::{Clock, Time};

async fn open(url: &str) -> Result<Registry, OpenError> {
    Registry::open(url, Clock::manual(Time(1_800_000_000_000_000))).await
}

/// A registry with a prompt, closed.
async fn filled() -> Schema {
    let schema = Schema::make().await;
    let registry = open(&schema.url).await.unwrap();
    let content = serde_json::from_value(json!({"text": "one"})).unwrap();
    let admin = Who::new(Role::Admin, "ann");
    let new = NewVersion { labels: vec!["production".parse().unwrap()], ..NewVersion::of(content) };
    registry.publish("default", &"a".parse().unwrap(), new, &admin).await.unwrap();
    registry.close().await;
    schema
}

async fn refused(schema: &Schema) -> (OpenError, String) {
    let refused = open(&schema.url).await.unwrap_err();
    let text = refused.to_string();
    (refused, text)
}

#[tokio::test]
async fn a_database_of_a_newer_build_is_refused() {
    let it = filled().await;
    it.run("INSERT INTO migration (number, digest, applied_us) VALUES (999, 'x', 0)").await;
    let (refused, text) = refused(&it).await;
    assert!(matches!(refused, OpenError::Newer { found: 999, .. }), "{text}");
    assert!(text.contains("start the newer weir") && text.contains("nothing was changed"), "{text}");
}

#[tokio::test]
async fn a_database_of_another_build_is_refused() {
    let it = filled().await;
    it.run("UPDATE migration SET digest = 'x' WHERE number = 1").await;
    let (refused, text) = refused(&it).await;
    assert!(matches!(refused, OpenError::Edited { migration: 1, .. }), "{text}");
}

#[tokio::test]
async fn another_programs_tables_are_left_alone() {
    let it = Schema::make().await;
    for table in ["songs (id BIGINT PRIMARY KEY)", "migration (version TEXT)"] {
        it.run(&format!("CREATE TABLE {table}")).await;
        let (refused, text) = refused(&it).await;
        assert!(matches!(refused, OpenError::Foreign { .. }), "{text}");
        assert!(text.contains(&format!("`{}`", table.split(' ').next().unwrap())), "{text}");
        it.run(&format!("DROP TABLE {}", table.split(' ').next().unwrap())).await;
    }
    open(&it.url).await.unwrap().close().await;
}

#[tokio::test]
async fn a_content_that_does_not_match_its_digest_is_refused() {
    let it = filled().await;
    it.run("UPDATE version SET content = replace(content, 'one', 'two')").await;
    let (refused, text) = refused(&it).await;
    assert!(matches!(refused, OpenError::Corrupt { .. }), "{text}");
}

#[tokio::test]
async fn migrations_are_pending_until_they_are_applied() {
    let it = Schema::make().await;
    let pending = Registry::pending(&it.url).await.unwrap();
    assert_eq!(pending.first().map(String::as_str), Some("0001_registry"));
    assert_eq!(Registry::pending(&it.url).await.unwrap(), pending, "looking changes nothing");
    open(&it.url).await.unwrap().close().await;
    assert!(Registry::pending(&it.url).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_open_a_new_database_at_once() {
    let it = Schema::make().await;
    let opening: Vec<_> = (0..8)
        .map(|_| {
            let url = it.url.clone();
            tokio::spawn(async move { open(&url).await })
        })
        .collect();
    for opened in opening {
        let registry = opened.await.unwrap().unwrap();
        assert_eq!(registry.snapshot().revision(), 0);
        assert!(registry.snapshot().has_project("default"));
        registry.close().await;
    }
}

#[tokio::test]
async fn a_schema_that_is_not_there_is_asked_for() {
    let it = Schema::make().await;
    let refused = open(&format!("{}_missing", it.url)).await.unwrap_err();
    let text = refused.to_string();
    assert!(matches!(refused, OpenError::Unsuitable { .. }), "{text}");
    assert!(text.contains("CREATE SCHEMA"), "{text}");
}

#[tokio::test]
async fn what_cannot_be_reached_says_why_and_no_password() {
    for url in ["postgres://ann:hunter2@127.0.0.1:1/weir", "postgres://ann:hunter2@no-such-host.invalid/weir"]
    {
        let refused = open(url).await.unwrap_err();
        let text = format!("{refused} {refused:?}");
        assert!(matches!(refused, OpenError::Unavailable { .. }), "{text}");
        assert!(text.contains("check that the server runs"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}
