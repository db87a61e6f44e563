//! A registry to try, on the engine that is asked for, and short ways of writing to it.

use std::time::Duration;

use registry::content::{Alias, Content};
use registry::{
    KeyScope, LabelChange, NewKey, NewVersion, Published, Registry, ResolveError, Resolved, Role, StoreError,
    Who,
};
use serde_json::{Value, json};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection};
use tempfile::TempDir;
use vocab::{Clock, LabelName, PromptName, Time};

use crate::server::Schema;

pub(crate) const PROJECT: &str = "default";

/// The databases the cases run on.
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// A fresh registry, a clock that stands, and somebody who may do everything.
pub(crate) struct Bench {
    pub(crate) registry: Registry,
    pub(crate) clock: Clock,
    pub(crate) url: String,
    pub(crate) admin: Who,
    scratch: Scratch,
}

/// What goes when the case is over.
enum Scratch {
    Folder(TempDir),
    Schema(Schema),
}

impl Bench {
    pub(crate) async fn open(engine: Engine) -> Self {
        let (url, scratch) = fresh(engine).await;
        let clock = Clock::manual(Time(1_800_000_000_000_000));
        let registry = Registry::open(&url, clock.clone()).await.unwrap();
        Self { registry, clock, url, admin: Who::new(Role::Admin, "ann"), scratch }
    }

    /// Another node on the same database.
    pub(crate) async fn another(&self) -> Registry {
        Registry::open(&self.url, self.clock.clone()).await.unwrap()
    }

    /// Another handle on the same database, as after a restart.
    pub(crate) async fn reopened(&self) -> Registry {
        self.registry.close().await;
        Registry::open(&self.url, self.clock.clone()).await.unwrap()
    }

    /// Everything that is stored, as far as it is text.
    pub(crate) async fn stored(&self) -> String {
        match &self.scratch {
            Scratch::Folder(folder) => {
                let file = std::fs::read(folder.path().join("registry.db")).unwrap();
                String::from_utf8_lossy(&file).into_owned()
            }
            Scratch::Schema(schema) => rows(schema).await,
        }
    }

    /// Runs statements behind the registry's back.
    pub(crate) async fn run(&self, sql: &str) {
        match &self.scratch {
            Scratch::Folder(folder) => {
                let options = SqliteConnectOptions::new().filename(folder.path().join("registry.db"));
                let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
                sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            }
            Scratch::Schema(schema) => schema.run(sql).await,
        }
    }

    /// Publishes a chat prompt that says `text`.
    pub(crate) async fn say(&self, prompt: &str, text: &str) -> Published {
        self.clock.advance(Duration::from_secs(1));
        self.publish(prompt, NewVersion::of(saying(text))).await.unwrap()
    }

    pub(crate) async fn publish(&self, prompt: &str, new: NewVersion) -> Result<Published, StoreError> {
        self.registry.publish(PROJECT, &name(prompt), new, &self.admin).await
    }

    /// Puts a label on a version.
    pub(crate) async fn put(&self, prompt: &str, at: &str, version: u32) {
        self.clock.advance(Duration::from_secs(1));
        let change = LabelChange::of(label(at));
        self.registry.move_label(PROJECT, &name(prompt), change.onto(version), &self.admin).await.unwrap();
    }

    pub(crate) async fn take_away(&self, prompt: &str, at: &str) {
        let change = LabelChange::of(label(at));
        self.registry.remove_label(PROJECT, &name(prompt), change, &self.admin).await.unwrap();
    }

    pub(crate) async fn roll_back(&self, prompt: &str, at: &str) -> Result<u32, StoreError> {
        let change = LabelChange::of(label(at));
        let back = self.registry.roll_back_label(PROJECT, &name(prompt), change, &self.admin).await;
        back.map(|label| label.version)
    }

    pub(crate) async fn resolve(&self, reference: &str) -> Result<Resolved, ResolveError> {
        self.registry.resolve(PROJECT, &reference.parse().unwrap()).await
    }

    /// The version number a reference comes to, or the error's text.
    pub(crate) async fn number(&self, reference: &str) -> Result<u32, String> {
        self.resolve(reference)
            .await
            .map(|resolved| resolved.version.number)
            .map_err(|error| error.to_string())
    }
}

/// All rows of all tables, as text.
async fn rows(schema: &Schema) -> String {
    let sql = "SELECT CAST(query_to_xml(format('SELECT * FROM %I', tablename), true, false, '') AS TEXT)
               FROM pg_catalog.pg_tables WHERE schemaname = current_schema()";
    let mut connection = PgConnection::connect(&schema.url).await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap();
    tables.concat()
}

/// A database with nothing in it.
async fn fresh(engine: Engine) -> (String, Scratch) {
    match engine {
        Engine::Sqlite => {
            let folder = tempfile::tempdir().unwrap();
            (format!("sqlite:{}", folder.path().join("registry.db").display()), Scratch::Folder(folder))
        }
        Engine::Postgres => {
            let schema = Schema::make().await;
            (schema.url.clone(), Scratch::Schema(schema))
        }
    }
}

pub(crate) fn name(text: &str) -> PromptName {
    text.parse().unwrap()
}

pub(crate) fn label(text: &str) -> LabelName {
    text.parse().unwrap()
}

pub(crate) fn alias(json: Value) -> Alias {
    serde_json::from_value(json).unwrap()
}

pub(crate) fn content(json: Value) -> Content {
    serde_json::from_value(json).unwrap()
}

pub(crate) fn saying(text: &str) -> Content {
    content(json!({"messages": [{"role": "user", "content": text}]}))
}

pub(crate) fn key_named(name: &str) -> NewKey {
    NewKey {
        name: name.to_owned(),
        project: PROJECT.to_owned(),
        scope: KeyScope::default(),
        expires_at: None,
    }
}
