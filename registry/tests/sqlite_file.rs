//! What opening does with an SQLite file that is not a registry of this build: it refuses, says what to do, and
//! leaves the folder as it was.

#![expect(clippy::unwrap_used, reason = "a test fails where its own files are wrong")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use registry::{
    AuditFilter, LabelChange, NewVersion, OpenError, Paging, Registry, ResolveError, Role, StoreError, Who,
};
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection};
use tempfile::TempDir;
use vocab::{Clock, Time};

struct Folder {
    folder: TempDir,
}

impl Folder {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("registry.db")
    }

    async fn open(&self) -> Result<Registry, OpenError> {
        open(&self.path()).await
    }

    /// A registry with a prompt of many versions, closed.
    async fn filled() -> Self {
        let it = Self::new();
        let registry = it.open().await.unwrap();
        for number in 0..50 {
            publish(&registry, &format!("text {number} {}", "x".repeat(2_000))).await;
        }
        registry.close().await;
        it
    }

    /// Every file and what is in it.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(self.folder.path()).unwrap().map(Result::unwrap);
        let read =
            |entry: fs::DirEntry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap());
        entries.map(read).collect()
    }

    /// Opens, which must fail and change nothing; the error's text.
    async fn refused(&self) -> (OpenError, String) {
        let before = self.files();
        let refused = self.open().await.unwrap_err();
        assert!(self.files() == before, "opening changed {:?}: {refused}", self.files().keys());
        let text = refused.to_string();
        assert!(text.contains("nothing was changed"), "{text}");
        (refused, text)
    }
}

async fn open(path: &Path) -> Result<Registry, OpenError> {
    Registry::open(&format!("sqlite:{}", path.display()), Clock::manual(Time(1_800_000_000_000_000))).await
}

async fn publish(registry: &Registry, text: &str) {
    let content = serde_json::from_value(json!({"text": text})).unwrap();
    let admin = Who::new(Role::Admin, "ann");
    registry.publish("default", &"a".parse().unwrap(), NewVersion::of(content), &admin).await.unwrap();
}

async fn latest(registry: &Registry) -> u32 {
    registry.resolve("default", &"a@latest".parse().unwrap()).await.unwrap().version.number
}

/// Changes a file behind the registry's back.
async fn tamper(path: &Path, sql: &str) {
    let options = SqliteConnectOptions::new().filename(path);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

const NEWER: &str = "INSERT INTO migration (number, digest, applied_us) VALUES (999, 'x', 0)";

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    for bytes in [&b"dear diary"[..], &[0; 4096], b"SQLite format 3"] {
        let it = Folder::new();
        fs::write(it.path(), bytes).unwrap();
        let (refused, text) = it.refused().await;
        assert!(matches!(refused, OpenError::Corrupt { .. }), "{text}");
        assert!(text.contains("restore it from a backup"), "{text}");
    }
}

#[tokio::test]
async fn a_file_cut_short_is_refused() {
    for kept in [17, 100, 4096, 20_000] {
        let it = Folder::filled().await;
        let whole = fs::read(it.path()).unwrap();
        fs::write(it.path(), &whole[..kept]).unwrap();
        let (refused, text) = it.refused().await;
        assert!(matches!(refused, OpenError::Corrupt { .. }), "{kept}: {text}");
    }
}

#[tokio::test]
async fn any_page_overwritten_is_refused() {
    let good = Folder::filled().await;
    let whole = fs::read(good.path()).unwrap();
    let pages = whole.len() / 4096;
    for page in 0..pages {
        let it = Folder::new();
        let mut damaged = whole.clone();
        // The first page keeps its magic, so that it is not refused for that.
        damaged[(page * 4096).max(16)..(page + 1) * 4096].fill(0xa5);
        fs::write(it.path(), damaged).unwrap();
        let (refused, text) = it.refused().await;
        assert!(matches!(refused, OpenError::Corrupt { .. }), "page {page}: {text}");
    }
}

#[tokio::test]
async fn a_content_that_does_not_match_its_digest_is_refused() {
    let it = Folder::filled().await;
    let registry = it.open().await.unwrap();
    let change = LabelChange::of("production".parse().unwrap()).onto(50);
    let admin = Who::new(Role::Admin, "ann");
    registry.move_label("default", &"a".parse().unwrap(), change, &admin).await.unwrap();
    registry.close().await;
    tamper(&it.path(), "UPDATE version SET content = replace(content, 'text 49', 'text 94')").await;
    let refused = it.open().await.unwrap_err();
    assert!(
        matches!(&refused, OpenError::Corrupt { reason, .. } if reason.contains("version 50")),
        "{refused}"
    );
}

/// A registry of more than is read before it serves, closed cleanly, with a break in what no call needs.
async fn large_and_damaged() -> Folder {
    let it = Folder::filled().await;
    let large = "UPDATE version SET examples = '[\"' || hex(zeroblob(70000000)) || '\"]' WHERE number = 7";
    tamper(&it.path(), large).await;
    let mut file = fs::OpenOptions::new().read(true).write(true).open(it.path()).unwrap();
    file.seek(SeekFrom::End(-4_096 * 1_000)).unwrap();
    file.write_all(&[0xa5; 4_096]).unwrap();
    it
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_in_a_large_file_is_found_while_it_serves_and_refuses_the_next_start() {
    let it = large_and_damaged().await;
    let registry = it.open().await.unwrap();
    assert_eq!(registry.damage(), None);
    let watching = registry.clone();
    tokio::spawn(async move { watching.watch().await });
    while registry.damage().is_none() {
        tokio::task::yield_now().await;
    }

    assert_eq!(latest(&registry).await, 50, "it serves on");
    let content = serde_json::from_value(json!({"text": "new"})).unwrap();
    let (new, admin) = (NewVersion::of(content), Who::new(Role::Admin, "ann"));
    let refused = registry.publish("default", &"a".parse().unwrap(), new, &admin).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unavailable(_)), "{refused}");
    registry.close().await;
    let (refused, text) = it.refused().await;
    assert!(matches!(refused, OpenError::Corrupt { .. }), "{text}");

    // As from a backup.
    fs::copy(Folder::filled().await.path(), it.path()).unwrap();
    it.open().await.unwrap().close().await;
    assert_eq!(it.files().len(), 1, "the note of the damage is gone");
}

#[tokio::test]
async fn a_large_file_is_read_whole_first_after_a_crash() {
    let it = large_and_damaged().await;
    fs::write(it.folder.path().join("registry.db-wal"), b"left behind").unwrap();
    let refused = it.open().await.unwrap_err();
    assert!(matches!(refused, OpenError::Corrupt { .. }), "{refused}");
}

/// As after an upgrade of an engine that came to refuse what it took before.
#[tokio::test]
async fn a_version_that_compiles_no_more_is_told_and_the_others_serve() {
    let it = Folder::filled().await;
    let broken = json!({"engine": "jinja", "text": "{% if %}"});
    let digest = registry::canonical::digest(&broken);
    let sql =
        format!("UPDATE version SET content = '{broken}', digest = '{digest}' WHERE number IN (49, 50)");
    tamper(&it.path(), &sql).await;
    let registry = it.open().await.unwrap();
    for reference in ["a@latest", "a@49"] {
        let refused = registry.resolve("default", &reference.parse().unwrap()).await.unwrap_err();
        assert!(
            matches!(&refused, ResolveError::Broken(why) if why.contains("does not compile")),
            "{refused}"
        );
    }
    assert!(registry.resolve("default", &"a@48".parse().unwrap()).await.is_ok());
    let read =
        registry.get_version("default", &"a".parse().unwrap(), &"latest".parse().unwrap()).await.unwrap();
    assert_eq!(*read.digest, *digest, "it can still be read, to be mended");
    publish(&registry, "mended").await;
    assert_eq!(latest(&registry).await, 51);
    registry.close().await;
}

/// A file as the build left it that knew only the first `known` migrations, with one version of the prompt `a`.
async fn left_by_an_older_build(known: usize) -> Folder {
    let it = Folder::new();
    let options = SqliteConnectOptions::new().filename(it.path()).create_if_missing(true);
    SqliteConnection::connect_with(&options).await.unwrap().close().await.unwrap();
    tamper(&it.path(), "CREATE TABLE migration (number INTEGER PRIMARY KEY, digest TEXT NOT NULL, applied_us INTEGER NOT NULL) STRICT").await;
    for (name, sql) in migrations().into_iter().take(known) {
        let words = [
            ("{int}", "INTEGER"),
            ("{bool}", "INTEGER"),
            ("{bytes}", "BLOB"),
            ("{text}", "TEXT"),
            ("{strict}", "STRICT"),
        ];
        let text = words.iter().fold(sql.clone(), |text, (token, word)| text.replace(token, word));
        let digest =
            Sha256::digest(&sql).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        let number: u32 = name.get(..4).unwrap().parse().unwrap();
        tamper(&it.path(), &format!("{text}; INSERT INTO migration VALUES ({number}, '{digest}', 0)")).await;
    }
    let content = json!({"text": "old", "engine": "plain"});
    let digest = registry::canonical::digest(&content);
    let id = "01a3185c-5000-735e-a8c7-ba590fc7d8fb";
    let sql = format!(
        "UPDATE revision SET number = 1;
         INSERT INTO prompt (id, project, name, kind, description, tags, aliases, search, latest, created_us, updated_us,
                             archived_us, revision)
         VALUES ('{id}', 'default', 'a', 'text', '', '[]', '[]', 'a', 1, 0, 0, NULL, 1);
         INSERT INTO prompt_name (project, name, prompt_id) VALUES ('default', 'a', '{id}');
         INSERT INTO version (prompt_id, number, digest, major, minor, patch, impact, impact_reasons, parent, author,
                              commit_message, content, metadata, examples, created_us)
         VALUES ('{id}', 1, '{digest}', 1, 0, 0, NULL, '[]', NULL, 'ann', NULL, '{content}', '{{}}', '[]', 0)"
    );
    tamper(&it.path(), &sql).await;
    it
}

/// Every file of `migrations/` by name, in order.
fn migrations() -> BTreeMap<String, String> {
    let files = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap().map(Result::unwrap);
    files
        .map(|file| (file.file_name().into_string().unwrap(), fs::read_to_string(file.path()).unwrap()))
        .collect()
}

#[tokio::test]
async fn a_file_of_every_older_build_is_taken_over_with_what_it_holds() {
    for known in 1..migrations().len() {
        let it = left_by_an_older_build(known).await;
        let registry = it.open().await.unwrap();
        assert_eq!(latest(&registry).await, 1, "{known}");
        publish(&registry, "new").await;
        assert_eq!(latest(&registry).await, 2, "{known}");
        assert_eq!(registry.list_views("default", None, &Paging::default()).await.unwrap().data, []);
        let noted = registry.list_audit(&AuditFilter::default(), &Paging::default()).await.unwrap().data;
        assert_eq!((noted.len(), noted[0].number), (1, 1), "{known}: the audit begins with the upgrade");
        registry.close().await;
    }
}

#[tokio::test]
async fn a_file_of_a_newer_build_is_refused() {
    let it = Folder::filled().await;
    tamper(&it.path(), NEWER).await;
    let (refused, text) = it.refused().await;
    assert!(matches!(refused, OpenError::Newer { found: 999, .. }), "{text}");
    assert!(text.contains("start the newer weir"), "{text}");
}

#[tokio::test]
async fn a_file_of_another_build_is_refused() {
    let it = Folder::filled().await;
    tamper(&it.path(), "UPDATE migration SET digest = 'x' WHERE number = 1").await;
    let (refused, text) = it.refused().await;
    assert!(matches!(refused, OpenError::Edited { migration: 1, .. }), "{text}");
}

#[tokio::test]
async fn another_programs_database_is_refused() {
    let it = Folder::new();
    let options = SqliteConnectOptions::new().filename(it.path()).create_if_missing(true);
    SqliteConnection::connect_with(&options).await.unwrap().close().await.unwrap();
    tamper(&it.path(), "CREATE TABLE songs (id INTEGER PRIMARY KEY)").await;
    let (refused, text) = it.refused().await;
    assert!(matches!(refused, OpenError::Foreign { .. }), "{text}");
    assert!(text.contains("`songs`"), "{text}");
}

/// The files of a registry as a crash leaves them: copied while it is open, the last writes in the log only.
async fn crashed(sql: Option<&str>) -> Folder {
    let live = Folder::new();
    let registry = live.open().await.unwrap();
    publish(&registry, "one").await;
    publish(&registry, "two").await;
    if let Some(sql) = sql {
        tamper(&live.path(), sql).await;
    }
    let it = Folder::new();
    for (name, bytes) in live.files().into_iter().filter(|(name, _)| !name.ends_with("-shm")) {
        fs::write(it.folder.path().join(name), bytes).unwrap();
    }
    registry.close().await;
    assert!(it.files()["registry.db-wal"].len() > 4_096, "the log holds what was written");
    it
}

#[tokio::test]
async fn a_log_left_by_a_crash_is_taken_in() {
    let it = crashed(None).await;
    let registry = it.open().await.unwrap();
    assert_eq!(latest(&registry).await, 2);
    registry.close().await;
}

#[tokio::test]
async fn a_newer_file_with_a_log_keeps_file_and_log() {
    let it = crashed(Some(NEWER)).await;
    let before = it.files();
    let refused = it.open().await.unwrap_err();
    assert!(matches!(refused, OpenError::Newer { .. }), "{refused}");
    let after = it.files();
    for name in ["registry.db", "registry.db-wal"] {
        assert!(after[name] == before[name], "{name} changed");
    }
}

#[tokio::test]
async fn what_cannot_be_opened_says_why() {
    let it = Folder::new();
    let nowhere = open(&it.folder.path().join("missing/registry.db")).await.unwrap_err();
    assert!(matches!(nowhere, OpenError::Unavailable { .. }), "{nowhere}");
    assert!(nowhere.to_string().contains("check that the folder exists"), "{nowhere}");
    let folder = open(it.folder.path()).await.unwrap_err();
    assert!(matches!(folder, OpenError::Unavailable { .. }), "{folder}");
    for url in ["mysql://localhost/weir", "registry.db", "sqlite:", ""] {
        let refused = Registry::open(url, Clock::system()).await.unwrap_err();
        assert!(matches!(refused, OpenError::Url(_)), "{url}: {refused}");
    }
}

#[tokio::test]
async fn an_empty_file_is_a_new_registry() {
    let it = Folder::new();
    fs::write(it.path(), b"").unwrap();
    let registry = it.open().await.unwrap();
    assert_eq!(registry.snapshot().revision(), 0);
    registry.close().await;
}

#[tokio::test]
async fn closing_leaves_one_file_that_only_its_owner_reads() {
    let it = Folder::filled().await;
    assert_eq!(it.files().keys().collect::<Vec<_>>(), ["registry.db"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(it.path()).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_second_process_sees_what_the_first_wrote() {
    let it = Folder::new();
    let (one, two) = (it.open().await.unwrap(), it.open().await.unwrap());
    publish(&one, "one").await;
    assert!(two.resolve("default", &"a@latest".parse().unwrap()).await.is_err());
    two.refresh().await.unwrap();
    assert_eq!(latest(&two).await, 1);
    publish(&two, "two").await;
    publish(&one, "three").await;
    assert_eq!(latest(&one).await, 3);
    one.close().await;
    two.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_open_a_new_file_at_once() {
    let it = Folder::new();
    let path = it.path();
    let opening: Vec<_> = (0..8)
        .map(|_| {
            let path = path.clone();
            tokio::spawn(async move { open(&path).await })
        })
        .collect();
    for opened in opening {
        let registry = opened.await.unwrap().unwrap();
        assert_eq!(registry.snapshot().revision(), 0);
        assert!(registry.snapshot().has_project("default"));
    }
}
