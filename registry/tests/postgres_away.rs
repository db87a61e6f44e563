//! A node whose PostgreSQL goes away serves on from what it knows, and takes in what it missed when it is back.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails where its own set-up is wrong")]

#[path = "support/proxy.rs"]
mod proxy;
#[path = "support/server.rs"]
mod server;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use proxy::{Network, Proxy};
use registry::{
    Arm, Exclusion, ExperimentPlan, ExperimentState, LabelChange, NewProject, NewRelease, NewVersion,
    OpenError, ProjectChange, Ramp, Registry, ReleaseDeed, ReleaseVerb, ResolveError, Role, StoreError, Unit,
    Units, Who,
};
use serde_json::{Map, Value, json};
use server::Schema;
use vocab::{Clock, LabelName, Time};

const PROJECT: &str = "default";

/// A node behind a network that can fail, and one beside the database.
struct Nodes {
    far: Registry,
    near: Registry,
    network: Proxy,
    schema: Schema,
    /// Through the network.
    url: String,
}

impl Nodes {
    async fn open() -> Self {
        Self::keeping(None).await
    }

    /// The far node keeps a copy.
    async fn keeping(copy: Option<&Path>) -> Self {
        let schema = Schema::make().await;
        let (network, url) = Proxy::before(&schema.url).await;
        let near = Registry::open(&schema.url, Clock::system()).await.unwrap();
        let far = match copy {
            None => Registry::open(&url, Clock::system()).await.unwrap(),
            Some(copy) => Registry::open_keeping(&url, copy, Clock::system()).await.unwrap(),
        };
        let it = Self { far, near, network, schema, url };
        it.watch();
        it
    }

    /// Lets the far node watch.
    fn watch(&self) {
        let watching = self.far.clone();
        tokio::spawn(async move { watching.watch().await });
    }

    /// Publishes a version beside the database and labels it.
    async fn publish(&self, text: &str) {
        self.publish_as("a", json!({ "text": text })).await;
    }

    async fn publish_as(&self, name: &str, content: Value) {
        let content = serde_json::from_value(content).unwrap();
        let new = NewVersion { labels: vec!["production".parse().unwrap()], ..NewVersion::of(content) };
        self.near.publish(PROJECT, &name.parse().unwrap(), new, &admin()).await.unwrap();
    }

    /// The version the far node serves.
    async fn served(&self) -> Option<u32> {
        let resolved = self.far.resolve(PROJECT, &"a".parse().unwrap()).await;
        resolved.ok().map(|resolved| resolved.version.number)
    }

    async fn serves(&self, version: u32) {
        until("the far node to serve what was published", async || self.served().await == Some(version))
            .await;
    }
}

fn admin() -> Who {
    Who::new(Role::Admin, "ann")
}

async fn until(what: &str, seen: impl AsyncFn() -> bool) {
    let looking = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        while !seen().await {
            ticks.tick().await;
        }
    };
    let looked = tokio::time::timeout(Duration::from_secs(30), looking).await;
    looked.unwrap_or_else(|_| panic!("waited in vain for {what}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_node_writes_is_taken_in_by_itself() {
    let it = Nodes::open().await;
    for version in 1..=5 {
        it.publish(&format!("text {version}")).await;
        it.serves(version).await;
    }
    assert!(it.far.away().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_cut_off_is_missed_and_caught_up_with() {
    let it = Nodes::open().await;
    it.publish("one").await;
    it.serves(1).await;

    it.network.set(Network::Cut);
    until("the loss to be noticed", async || it.far.away().is_some()).await;
    it.publish("two").await;

    assert_eq!(it.served().await, Some(1), "it serves on from what it knows");
    let change = LabelChange::of("dev".parse().unwrap()).onto(1);
    let refused = it.far.move_label(PROJECT, &"a".parse().unwrap(), change, &admin()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unavailable(_)), "{refused}");

    it.network.set(Network::Open);
    it.serves(2).await;
    until("the return to be noticed", async || it.far.away().is_none()).await;
    let change = LabelChange::of("dev".parse().unwrap()).onto(1);
    it.far.move_label(PROJECT, &"a".parse().unwrap(), change, &admin()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_swallows_everything_is_found_out() {
    let it = Nodes::open().await;
    it.publish("one").await;
    it.publish("two").await;
    it.serves(2).await;

    it.network.set(Network::Stalled);
    until("the silence to be noticed", async || it.far.away().is_some()).await;
    assert_eq!(it.served().await, Some(2));
    let pinned = it.far.resolve(PROJECT, &"a@1.0.0".parse().unwrap()).await.unwrap_err();
    assert!(matches!(pinned, ResolveError::Unavailable(_)), "it does not wait: {pinned}");
    it.publish("three").await;

    // Connections made before stay dead; only new ones get through.
    it.network.set(Network::Open);
    it.serves(3).await;
    assert_eq!(it.far.resolve(PROJECT, &"a@1".parse().unwrap()).await.unwrap().version.number, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_lost_the_last_writes_is_believed() {
    let it = Nodes::open().await;
    for text in ["one", "two", "three"] {
        it.publish(text).await;
    }
    it.serves(3).await;

    // As when a standby takes over that had not got everything, or an older backup is restored.
    it.network.set(Network::Cut);
    until("the loss to be noticed", async || it.far.away().is_some()).await;
    it.schema
        .run(
            "UPDATE label SET version = 2; DELETE FROM label_move WHERE to_version = 3;
             DELETE FROM version WHERE number = 3; UPDATE prompt SET latest = 2, revision = revision - 1;
             UPDATE revision SET number = number - 1",
        )
        .await;
    it.network.set(Network::Open);

    it.serves(2).await;
    until("the return to be noticed", async || it.far.away().is_none()).await;
    let refused = it.far.resolve(PROJECT, &"a@3".parse().unwrap()).await.unwrap_err();
    assert!(matches!(refused, ResolveError::NoVersion(_)), "{refused}");
}

/// The same far node, started again with the copy it kept.
async fn started_again(it: &Nodes, url: &str, copy: &Path) -> Result<Registry, OpenError> {
    it.far.close().await;
    Registry::open_keeping(url, copy, Clock::system()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_starts_while_its_database_is_away_serves_from_its_copy() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("registry.copy");
    let mut it = Nodes::keeping(Some(&copy)).await;
    let key = it.near.bootstrap(None, None).await.unwrap().api_key.unwrap();
    it.publish("one").await;
    it.publish("two").await;
    it.serves(2).await;
    until("the key to be known", async || it.far.snapshot().authenticate(key.expose(), now()).is_ok()).await;

    it.network.set(Network::Cut);
    it.far = started_again(&it, &it.url, &copy).await.unwrap();

    assert_eq!(it.served().await, Some(2));
    assert!(it.far.snapshot().authenticate(key.expose(), now()).is_ok());
    assert!(it.far.away().is_some());
    let made = it.far.bootstrap(None, None).await.unwrap();
    assert!(!made.fresh && made.api_key.is_none(), "it makes no keys that nobody else would know");
    let refused = it.far.resolve(PROJECT, &"a@1".parse().unwrap()).await.unwrap_err();
    assert!(matches!(refused, ResolveError::Unavailable(_)), "{refused}");

    it.publish("three").await;
    it.watch();
    it.network.set(Network::Open);
    it.serves(3).await;
    until("the return to be noticed", async || it.far.away().is_none()).await;
    it.network.set(Network::Cut);
    it.far = started_again(&it, &it.url, &copy).await.unwrap();
    assert_eq!(it.served().await, Some(3), "what was caught up with is in the copy too");
}

/// The versions that fifty users get under two labels: an experiment's and a ramp's.
async fn dealt(registry: &Registry) -> Vec<(u32, Option<Arc<str>>)> {
    let nothing = Map::new();
    let mut dealt = Vec::new();
    for (reference, user) in (0..50).flat_map(|user| [("a", user), ("a@ramped", user)]) {
        let user = format!("user-{user}");
        let units = Units { call: None, user: Some(&user), session: None, trace: None, metadata: &nothing };
        let resolved =
            registry.resolve_for(PROJECT, &reference.parse().unwrap(), Some(&units)).await.unwrap();
        dealt.push((resolved.version.number, resolved.exposure.map(|exposure| exposure.arm)));
    }
    dealt
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_deals_calls_as_the_database_does() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("registry.copy");
    let mut it = Nodes::keeping(Some(&copy)).await;
    for text in ["one", "two", "three"] {
        it.publish(text).await;
    }
    let (a, production, ramped) =
        ("a".parse().unwrap(), "production".parse().unwrap(), "ramped".parse().unwrap());
    let arm = |name: &str, version| Arm { name: name.into(), version, weight: 1 };
    let plan = ExperimentPlan {
        // What serves these is neither a label's version nor the latest.
        arms: vec![arm("old", 1), arm("new", 2)],
        unit: Unit::User,
        exclude: Exclusion::default(),
        state: ExperimentState::Running,
        waiver: None,
    };
    it.near.set_experiment((PROJECT, &a, &production), plan, None, &admin()).await.unwrap();
    let onto = LabelChange::of(LabelName::clone(&ramped)).onto(3);
    it.near.move_label(PROJECT, &a, onto, &admin()).await.unwrap();
    let ramp = Some(Ramp { steps: vec![40, 100], every_seconds: None });
    let new = NewRelease { label: ramped, version: 2, ramp, note: None };
    let release = it.near.propose_release(PROJECT, &a, new, &admin()).await.unwrap();
    let deed = ReleaseDeed::of(ReleaseVerb::Release);
    it.near.change_release(PROJECT, release.id, deed, &admin()).await.unwrap();
    it.far.refresh().await.unwrap();
    let before = dealt(&it.far).await;
    assert_eq!(
        before.iter().map(|(version, _)| *version).collect::<BTreeSet<_>>(),
        BTreeSet::from([1, 2, 3])
    );

    it.network.set(Network::Cut);
    it.far = started_again(&it, &it.url, &copy).await.unwrap();

    assert!(it.far.away().is_some());
    assert_eq!(dealt(&it.far).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_stays_archived_or_restored_in_the_copy() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("registry.copy");
    let mut it = Nodes::keeping(Some(&copy)).await;
    for name in ["gone", "back"] {
        let new = NewProject { name: name.to_owned(), description: String::new() };
        it.near.create_project(new, &admin()).await.unwrap();
    }
    for (name, archived) in [("gone", true), ("back", true), ("back", false)] {
        let change = ProjectChange { archived: Some(archived), ..ProjectChange::default() };
        it.near.update_project(name, change, &admin()).await.unwrap();
        it.far.refresh().await.unwrap();
    }

    it.network.set(Network::Cut);
    it.far = started_again(&it, &it.url, &copy).await.unwrap();

    let served = ["gone", "back", PROJECT, "never"].map(|name| it.far.snapshot().has_project(name));
    assert_eq!(served, [false, true, true, false]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_starts_from_its_copy_renders_what_a_prompt_includes() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("registry.copy");
    let mut it = Nodes::keeping(Some(&copy)).await;
    it.publish_as("snippets/tone", json!({ "text": "Be {{how}}." })).await;
    it.publish_as("b", json!({ "messages": [{ "include": "snippets/tone", "role": "system" }] })).await;
    it.publish_as("c", json!({ "messages": [{ "include": "snippets/tone@production" }] })).await;
    // What is pinned keeps the first text of the snippet.
    it.publish_as("snippets/tone", json!({ "text": "Be {{how}} and brief." })).await;
    it.far.refresh().await.unwrap();

    it.network.set(Network::Cut);
    it.far = started_again(&it, &it.url, &copy).await.unwrap();

    let variables = serde_json::from_value(json!({ "how": "kind" })).unwrap();
    for (name, said) in [("b", "Be kind."), ("c", "Be kind and brief.")] {
        let resolved = it.far.resolve(PROJECT, &name.parse().unwrap()).await.unwrap();
        let rendered = format!("{:?}", resolved.version.template.render(&variables).unwrap());
        assert!(rendered.contains(said), "{rendered}");
    }
    assert!(it.far.away().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_torn_anywhere_serves_what_was_whole_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("registry.copy");
    let mut it = Nodes::keeping(Some(&copy)).await;
    for text in ["one", "two", "three"] {
        it.publish(text).await;
        it.far.refresh().await.unwrap();
    }
    it.network.set(Network::Cut);
    let whole = std::fs::read(&copy).unwrap();
    let mut seen = BTreeSet::new();
    for length in (0..whole.len()).step_by(97) {
        std::fs::write(&copy, &whole[..length]).unwrap();
        match started_again(&it, &it.url, &copy).await {
            Ok(registry) => {
                it.far = registry;
                seen.insert(it.served().await);
            }
            Err(refused) => {
                assert!(matches!(refused, OpenError::Unavailable { .. }), "{refused}");
                seen.insert(None);
            }
        }
    }
    assert_eq!(seen, BTreeSet::from([None, Some(1), Some(2)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_or_foreign_copy_is_not_served() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("registry.copy");
    let it = Nodes::keeping(Some(&copy)).await;
    it.publish("one").await;
    it.far.refresh().await.unwrap();
    it.network.set(Network::Cut);
    let whole = std::fs::read(&copy).unwrap();
    let place = whole.windows(3).position(|window| window == b"one").unwrap();
    let mut damaged = whole.clone();
    damaged[place] ^= 1;
    std::fs::write(&copy, damaged).unwrap();
    if let Ok(registry) = started_again(&it, &it.url, &copy).await {
        assert!(registry.resolve(PROJECT, &"a".parse().unwrap()).await.is_err());
    }

    std::fs::write(&copy, whole).unwrap();
    let elsewhere = it.url.replace("/postgres?", "/another?");
    let refused = started_again(&it, &elsewhere, &copy).await.unwrap_err();
    assert!(matches!(refused, OpenError::Unavailable { .. }), "{refused}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

fn now() -> Time {
    Clock::system().now()
}
