//! A registry to try, on the engine that is asked for, and short ways of writing to it.

use std::time::Duration;

use registry::content::{Alias, Content};
use registry::{
    KeyScope, LabelChange, NewKey, NewVersion, Published, Registry, ResolveError, Resolved, Role, StoreError,
    Who,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use vocab::{Clock, LabelName, PromptName, Time};

pub(crate) const PROJECT: &str = "default";

/// The databases the cases run on.
pub(crate) enum Engine {
    Sqlite,
}

/// A fresh registry, a clock that stands, and somebody who may do everything.
pub(crate) struct Bench {
    pub(crate) registry: Registry,
    pub(crate) clock: Clock,
    pub(crate) url: String,
    pub(crate) admin: Who,
    _folder: TempDir,
}

impl Bench {
    pub(crate) async fn open(engine: Engine) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = match engine {
            Engine::Sqlite => format!("sqlite:{}", folder.path().join("registry.db").display()),
        };
        let clock = Clock::manual(Time(1_800_000_000_000_000));
        let registry = Registry::open(&url, clock.clone()).await.unwrap();
        Self { registry, clock, url, admin: Who::new(Role::Admin, "ann"), _folder: folder }
    }

    /// Another handle on the same database, as after a restart.
    pub(crate) async fn reopened(&self) -> Registry {
        self.registry.close().await;
        Registry::open(&self.url, self.clock.clone()).await.unwrap()
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
