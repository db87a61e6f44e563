//! Cases about contract checks: a version that would break who calls a label does not get there.

use std::sync::{Arc, Mutex};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use registry::contract::{Asked, Callers, Lacking};
use registry::{
    Arm, DraftRelease, Exclusion, ExperimentPlan, ExperimentState, LabelChange, NewDraft, NewVersion,
    ReleaseDeed, ReleaseVerb, StoreError, Unit,
};
use serde_json::json;

use crate::bench::{Bench, PROJECT, content, key_named, label, name, saying};
use crate::policies::set;
use crate::releases::propose;

/// Callers who lack what the test says, and remember what they were asked.
#[derive(Debug)]
struct Told {
    answer: Mutex<Result<Vec<Lacking>, String>>,
    asked: Mutex<Vec<Asked>>,
}

impl Callers for Told {
    fn lacking<'a>(&'a self, asked: &'a Asked) -> BoxFuture<'a, Result<Vec<Lacking>, String>> {
        self.asked.lock().unwrap().push(asked.clone());
        let answer = self.answer.lock().unwrap().clone();
        async move { answer }.boxed()
    }
}

impl Told {
    fn answers(&self, answer: Result<Vec<Lacking>, String>) {
        *self.answer.lock().unwrap() = answer;
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().drain(..).collect()
    }
}

/// Production of `a` says `{{name}}`; version 2 wants a `tone` too. Its policy has callers asked.
async fn checked(it: &Bench) -> Arc<Told> {
    it.say("a", "hello {{name}}").await;
    it.say("a", "hello {{name}}, be {{tone}}").await;
    it.put("a", "production", 1).await;
    set(it, "production", |rules| (rules.contract_check, rules.contract_days) = (true, 3)).await;
    let told = Arc::new(Told { answer: Mutex::new(Ok(Vec::new())), asked: Mutex::default() });
    it.registry.ask_callers(Arc::clone(&told) as Arc<dyn Callers>);
    told
}

/// Has every check find a key that does not send a variable.
pub(crate) async fn somebody_lacks(it: &Bench, variable: &str) {
    let key = it.registry.issue_key(key_named("checkout"), &it.admin).await.unwrap().issued.id;
    let lacking = vec![Lacking { key: Some(key), variable: variable.to_owned(), calls: 12 }];
    let told = Told { answer: Mutex::new(Ok(lacking)), asked: Mutex::default() };
    it.registry.ask_callers(Arc::new(told));
}

async fn lacking(it: &Bench) -> Vec<Lacking> {
    let key = it.registry.issue_key(key_named("checkout"), &it.admin).await.unwrap().issued.id;
    vec![Lacking { key: Some(key), variable: "tone".into(), calls: 12 }]
}

async fn moved(it: &Bench, version: u32, waiver: Option<&str>) -> Result<u32, StoreError> {
    let change = LabelChange { waiver: waiver.map(Into::into), ..LabelChange::of(label("production")) };
    let moved = it.registry.move_label(PROJECT, &name("a"), change.onto(version), &it.admin).await;
    moved.map(|label| label.version)
}

pub(crate) async fn a_version_that_breaks_a_caller_is_refused_by_key_and_variable(it: Bench) {
    let told = checked(&it).await;
    told.answers(Ok(lacking(&it).await));
    let refused = moved(&it, 2, None).await.unwrap_err();
    let StoreError::Conflict(why) = &refused else { panic!("{refused}") };
    assert!(why.contains("key `checkout`") && why.contains("no `tone` in 12 calls"), "{why}");
    let asked = told.asked();
    assert_eq!(
        (asked.len(), asked[0].variables.as_slice()),
        (1, &["tone".to_owned()][..]),
        "`name` is sent already"
    );
    assert_eq!(asked[0].since, it.clock.now().minus(std::time::Duration::from_hours(72)));
    assert_eq!(it.number("a").await, Ok(1));
    told.answers(Ok(Vec::new()));
    assert_eq!(moved(&it, 2, None).await.unwrap(), 2, "nobody breaks");
    told.asked();
    assert_eq!(moved(&it, 1, None).await.unwrap(), 1);
    assert!(told.asked().is_empty(), "a version that wants less breaks nobody");
}

pub(crate) async fn a_reason_lets_it_pass_and_is_kept(it: Bench) {
    let told = checked(&it).await;
    told.answers(Ok(lacking(&it).await));
    assert!(moved(&it, 2, Some(" ")).await.is_err(), "a blank is no reason");
    assert_eq!(moved(&it, 2, Some("checkout is switched off")).await.unwrap(), 2);
    let history = it
        .registry
        .label_history(PROJECT, &name("a"), &label("production"), &registry::Paging::default())
        .await
        .unwrap();
    let reason = history.data[0].reason.as_deref();
    assert_eq!(reason, Some("callers may break: checkout is switched off"));
    assert_eq!(it.roll_back("a", "production").await.unwrap(), 1, "rolling back asks nobody");
}

pub(crate) async fn records_that_cannot_be_read_stand_in_the_way(it: Bench) {
    let told = checked(&it).await;
    told.answers(Err("the store is away".into()));
    let refused = moved(&it, 2, None).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Conflict(why) if why.contains("the store is away")), "{refused}");
    moved(&it, 2, Some("it cannot wait")).await.unwrap();
}

pub(crate) async fn nobody_to_ask_stands_in_the_way_too(it: Bench) {
    it.say("a", "hello").await;
    it.say("a", "hello {{tone}}").await;
    it.put("a", "production", 1).await;
    set(&it, "production", |rules| rules.contract_check = true).await;
    let refused = moved(&it, 2, None).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Conflict(why) if why.contains("no records here")), "{refused}");
}

pub(crate) async fn every_way_to_a_label_asks_its_callers(it: Bench) {
    let told = checked(&it).await;
    told.answers(Ok(lacking(&it).await));
    let conflict =
        |refused: &StoreError| matches!(refused, StoreError::Conflict(why) if why.contains("`checkout`"));
    let new = NewVersion {
        labels: vec![label("production")],
        ..NewVersion::of(saying("{{name}} {{tone}} {{size}}"))
    };
    let refused = it.publish("a", new).await.unwrap_err();
    assert!(conflict(&refused), "{refused}");
    assert_eq!(told.asked()[0].variables, ["size", "tone"]);

    let release = propose(&it, "production", 2, None, "ed").await.unwrap();
    let draft = NewDraft::of(saying("{{name}}, be {{tone}} at once"));
    it.registry.put_draft(PROJECT, &name("a"), draft, &it.admin).await.unwrap();
    let labelled = DraftRelease { labels: vec![label("production")], ..DraftRelease::default() };
    let refused = it.registry.publish_draft(PROJECT, &name("a"), labelled, &it.admin).await.unwrap_err();
    assert!(conflict(&refused), "{refused}");
    assert_eq!(told.asked()[0].variables, ["tone"]);

    let act = |deed| it.registry.change_release(PROJECT, release.id, deed, &it.admin);
    let refused = act(ReleaseDeed::of(ReleaseVerb::Release)).await.unwrap_err();
    assert!(conflict(&refused), "{refused}");

    let arm = |name: &str, version| Arm { name: name.into(), version, weight: 1 };
    let plan = |waiver: Option<&str>| ExperimentPlan {
        arms: vec![arm("one", 1), arm("two", 2)],
        unit: Unit::User,
        exclude: Exclusion::default(),
        state: ExperimentState::Running,
        waiver: waiver.map(Into::into),
    };
    let (a, production) = (name("a"), label("production"));
    let place = (PROJECT, &a, &production);
    let refused = it.registry.set_experiment(place, plan(None), None, &it.admin).await.unwrap_err();
    assert!(conflict(&refused), "{refused}");
    it.registry.set_experiment(place, plan(Some("a day only")), None, &it.admin).await.unwrap();
    it.registry.remove_experiment(place, None, &it.admin).await.unwrap();

    let waiver = Some("agreed with checkout".to_owned());
    let released = act(ReleaseDeed { waiver, ..ReleaseDeed::of(ReleaseVerb::Release) }).await.unwrap();
    let note = released.history.last().unwrap().note.clone();
    assert_eq!(note.as_deref(), Some("callers may break: agreed with checkout"));
    assert_eq!(it.number("a").await, Ok(2));
}

pub(crate) async fn what_a_version_includes_is_required_too(it: Bench) {
    let told = checked(&it).await;
    told.answers(Ok(lacking(&it).await));
    it.say("snippets/tone", "be {{tone}}").await;
    it.put("snippets/tone", "staging", 1).await;
    let including = |text: &str| {
        let messages = json!([{"include": "snippets/tone@1"}, {"role": "user", "content": text}]);
        content(json!({ "messages": messages }))
    };
    let labelled = |content| NewVersion { labels: vec![label("production")], ..NewVersion::of(content) };
    let refused = it.publish("a", labelled(including("hello {{name}}"))).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Conflict(why) if why.contains("no `tone`")), "{refused}");
    assert_eq!(told.asked()[0].variables, ["tone"], "which only the snippet asks for");

    it.publish("a", NewVersion::of(including("hello {{name}}"))).await.unwrap();
    assert!(moved(&it, 3, None).await.is_err(), "stored, it asks for it as well");
    told.answers(Ok(Vec::new()));
    let published = it.publish("a", labelled(including("dear {{name}}"))).await.unwrap();
    assert_eq!((published.version.number, it.number("a").await), (4, Ok(4)), "nobody breaks");
}
