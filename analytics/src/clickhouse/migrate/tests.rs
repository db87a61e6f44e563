//! Migrations on a real engine: once, by one of many, and refused where they must be.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::super::scratch::Scratch;
use super::*;

async fn bring(scratch: &Scratch) -> Result<Migrated, MigrateError> {
    bring_up(&scratch.connect()).await
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let scratch = Scratch::new();
    let first = bring(&scratch).await.unwrap();
    assert_eq!((first.applied.len(), first.present), (MIGRATIONS.len(), 0));
    let again = bring(&scratch).await.unwrap();
    assert_eq!(again, Migrated { applied: Vec::new(), present: MIGRATIONS.len() });
    assert_eq!(scratch.value("SELECT count() FROM weir_migrations").await, MIGRATIONS.len().to_string());
    scratch.drop().await;
}

#[tokio::test]
async fn nodes_that_migrate_at_once_do_not_collide() {
    let scratch = Scratch::new();
    let (one, two, three) = tokio::join!(bring(&scratch), bring(&scratch), bring(&scratch));
    let applied: usize = [one, two, three].into_iter().map(|migrated| migrated.unwrap().applied.len()).sum();
    assert_eq!(applied, MIGRATIONS.len());
    scratch.drop().await;
}

#[tokio::test]
async fn a_migration_that_broke_off_is_run_again() {
    let scratch = Scratch::new();
    bring(&scratch).await.unwrap();
    scratch.connect().run("DROP TABLE calls_by_prompt_feed").await.unwrap();
    scratch
        .connect()
        .run("ALTER TABLE weir_migrations DELETE WHERE name = '0002_rollups' SETTINGS mutations_sync = 2")
        .await
        .unwrap();
    let mended = bring(&scratch).await.unwrap();
    assert_eq!(mended, Migrated { applied: vec!["0002_rollups".to_owned()], present: MIGRATIONS.len() - 1 });
    assert_eq!(scratch.value("EXISTS calls_by_prompt_feed").await, "1");
    scratch.drop().await;
}

#[tokio::test]
async fn what_a_newer_or_another_build_made_is_refused() {
    let scratch = Scratch::new();
    bring(&scratch).await.unwrap();
    let connection = scratch.connect();
    connection.run("INSERT INTO weir_migrations (name, digest) VALUES ('9999_later', 'x')").await.unwrap();
    assert_eq!(bring(&scratch).await, Err(MigrateError::Newer("9999_later".to_owned())));
    let edit = "ALTER TABLE weir_migrations UPDATE digest = 'x' WHERE 1 SETTINGS mutations_sync = 2";
    connection.run(edit).await.unwrap();
    assert_eq!(bring(&scratch).await, Err(MigrateError::Edited("0001_records".to_owned())));
    assert!(connection.ready().await.is_err());
    scratch.drop().await;
}

#[tokio::test]
async fn a_server_that_is_no_clickhouse_is_not_migrated() {
    for page in ["", "<html>It works!</html>", "1\n"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/weir", listener.local_addr().unwrap());
        let friendly = tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                let mut head = [0; 4_096];
                assert!(socket.read(&mut head).await.unwrap() > 0);
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{page}",
                    page.len()
                );
                socket.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        assert_eq!(crate::clickhouse::migrate(&url, None).await, Err(MigrateError::NotClickHouse), "{page}");
        assert_eq!(crate::clickhouse::pending(&url, None).await, Err(MigrateError::NotClickHouse), "{page}");
        friendly.abort();
    }
}
