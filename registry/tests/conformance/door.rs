//! Cases about the one door: each way of making a version answer a label, against each thing a policy can ask.

use std::collections::BTreeMap;
use std::time::Duration;

use registry::content::Alias;
use registry::{
    AfterLabel, Arm, DraftRelease, Exclusion, ExperimentPlan, ExperimentState, Freeze, LabelChange, NewDraft,
    NewRelease, NewVersion, PolicyRules, PromptChange, Ramp, Release, ReleaseDeed, ReleaseVerb, Role,
    StoreError, TokenScope, Unit, Who,
};
use serde_json::json;

use crate::bench::{Bench, PROJECT, content, label, name, saying};
use crate::contracts::somebody_lacks;
use crate::policies::set;

/// A way of making a version answer a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Put,
    Publish,
    Draft,
    Release,
    Ramp,
    Step,
    Arm,
    Rollback,
}

const WAYS: [Way; 8] =
    [Way::Put, Way::Publish, Way::Draft, Way::Release, Way::Ramp, Way::Step, Way::Arm, Way::Rollback];

/// What becomes of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    Through,
    Forbidden,
    Conflict,
}

/// A prompt whose label is on version 1, with a version 2 that requires more, and all that a way needs before it.
struct Stage<'a> {
    it: &'a Bench,
    prompt: String,
    label: &'static str,
    way: Way,
    release: Option<Release>,
}

impl<'a> Stage<'a> {
    async fn set(it: &'a Bench, label: &'static str, way: Way) -> Self {
        let prompt = format!("walk/{label}-{way:?}").to_lowercase();
        it.say(&prompt, "hello").await;
        it.say(&prompt, "hello {{tone}}").await;
        it.put(&prompt, label, if way == Way::Rollback { 2 } else { 1 }).await;
        it.put(&prompt, label, 1).await;
        let mut stage = Self { it, prompt, label, way, release: None };
        match way {
            Way::Release => stage.propose(None).await,
            Way::Ramp => stage.propose(Some(vec![1, 50, 100])).await,
            Way::Step => {
                stage.propose(Some(vec![1, 50, 100])).await;
                stage.act(ReleaseVerb::Release, &it.admin).await.unwrap();
            }
            Way::Draft => {
                let draft = NewDraft::of(saying("bye {{tone}}"));
                it.registry.put_draft(PROJECT, &name(&stage.prompt), draft, &it.admin).await.unwrap();
            }
            Way::Put | Way::Publish | Way::Arm | Way::Rollback => {}
        }
        stage
    }

    async fn propose(&mut self, steps: Option<Vec<u32>>) {
        let ramp = steps.map(|steps| Ramp { steps, every_seconds: None });
        let new = NewRelease { label: label(self.label), version: 2, ramp, note: None };
        let proposed =
            self.it.registry.propose_release(PROJECT, &name(&self.prompt), new, &self.it.admin).await;
        self.release = Some(proposed.unwrap());
    }

    async fn act(&self, verb: ReleaseVerb, who: &Who) -> Result<(), StoreError> {
        let id = self.release.as_ref().unwrap().id;
        self.it.registry.change_release(PROJECT, id, ReleaseDeed::of(verb), who).await.map(drop)
    }

    async fn go(&self, who: &Who) -> Result<(), StoreError> {
        let (registry, prompt, at) = (&self.it.registry, name(&self.prompt), label(self.label));
        match self.way {
            Way::Put => {
                registry.move_label(PROJECT, &prompt, LabelChange::of(at).onto(2), who).await.map(drop)
            }
            Way::Publish => {
                let new = NewVersion { labels: vec![at], ..NewVersion::of(saying("new {{tone}}")) };
                registry.publish(PROJECT, &prompt, new, who).await.map(drop)
            }
            Way::Draft => {
                let owner = Who { owner: self.it.admin.owner.clone(), ..who.clone() };
                let release = DraftRelease { labels: vec![at], ..DraftRelease::default() };
                registry.publish_draft(PROJECT, &prompt, release, &owner).await.map(drop)
            }
            Way::Release | Way::Ramp => self.act(ReleaseVerb::Release, who).await,
            Way::Step => self.act(ReleaseVerb::Advance, who).await,
            Way::Arm => {
                registry.set_experiment((PROJECT, &prompt, &at), two_arms(), None, who).await.map(drop)
            }
            Way::Rollback => {
                registry.roll_back_label(PROJECT, &prompt, LabelChange::of(at), who).await.map(drop)
            }
        }
    }

    /// Whether nothing serves that did not before, and nothing was published.
    async fn is_untouched(&self) -> bool {
        let found = self.it.registry.get_prompt(PROJECT, &name(&self.prompt)).await.unwrap();
        let splits = usize::from(self.way == Way::Step);
        found.labels.get(&label(self.label)) == Some(&1)
            && found.latest == Some(2)
            && found.splits.len() == splits
    }
}

/// The arms that one who tries an experiment out would take: what serves, and what is new.
fn two_arms() -> ExperimentPlan {
    let arm = |name: &str, version| Arm { name: name.into(), version, weight: 1 };
    ExperimentPlan {
        arms: vec![arm("old", 1), arm("new", 2)],
        unit: Unit::User,
        exclude: Exclusion::default(),
        state: ExperimentState::Running,
        waiver: None,
    }
}

/// Goes all ways to a label, whose policy is set once everything stands ready, and says what became of each.
async fn walk(
    it: &Bench,
    at: &'static str,
    change: impl FnOnce(&mut PolicyRules),
    who: &Who,
    expected: [Came; 8],
) {
    let mut stages = Vec::new();
    for way in WAYS {
        stages.push(Stage::set(it, at, way).await);
    }
    set(it, at, change).await;
    for (stage, expected) in stages.iter().zip(expected) {
        let tried = stage.go(who).await;
        let came = match &tried {
            Ok(()) => Came::Through,
            Err(StoreError::Forbidden(_)) => Came::Forbidden,
            Err(StoreError::Conflict(_)) => Came::Conflict,
            Err(other) => panic!("{at} {:?}: {other}", stage.way),
        };
        assert_eq!(came, expected, "{at} {:?}: {tried:?}", stage.way);
        assert!(came == Came::Through || stage.is_untouched().await, "{at} {:?}", stage.way);
    }
}

pub(crate) async fn every_way_to_a_label_passes_one_door(it: Bench) {
    use Came::{Conflict, Forbidden, Through};
    let (admin, editor) = (it.admin.clone(), Who::new(Role::Editor, "ed"));
    somebody_lacks(&it, "tone").await;
    // Put, publish, draft, release, ramp, step of a ramp, arm, rollback.
    walk(&it, "open", |_| {}, &admin, [Through; 8]).await;
    walk(&it, "protected", |rules| rules.protected = true, &editor, [Forbidden; 8]).await;
    let by_release = [Forbidden, Forbidden, Forbidden, Conflict, Conflict, Conflict, Forbidden, Through];
    walk(&it, "approved", |rules| rules.approvals = 1, &admin, by_release).await;
    let but_rollback = [Conflict, Conflict, Conflict, Conflict, Conflict, Conflict, Conflict, Through];
    let after = Some(AfterLabel { label: label("staging"), hours: 0 });
    walk(&it, "staged", |rules| rules.after_label = after, &admin, but_rollback).await;
    let freeze = Freeze { from: it.clock.now(), to: None, reason: None };
    walk(&it, "frozen", |rules| rules.freeze = vec![freeze], &admin, but_rollback).await;
    // Whoever began the ramp had callers asked: its steps are under way among them.
    let but_steps = [Conflict, Conflict, Conflict, Conflict, Conflict, Through, Conflict, Through];
    walk(&it, "agreed", |rules| rules.contract_check = true, &admin, but_steps).await;
}

pub(crate) async fn an_alias_gives_its_callers_nothing_that_production_may_not(it: Bench) {
    for text in ["one", "two"] {
        it.say("a", text).await;
    }
    it.put("a", "production", 1).await;
    let editor = Who::new(Role::Editor, "ed");
    let means = |id: &str, version| Alias {
        id: id.into(),
        versions: BTreeMap::from([("7".into(), version)]),
        default: Some(version),
    };
    let change = async |new_name: Option<&str>, aliases: Vec<Alias>| {
        let change =
            PromptChange { name: new_name.map(name), aliases: Some(aliases), ..PromptChange::default() };
        it.registry.update_prompt(PROJECT, &name("a"), change, &editor).await
    };
    for (renamed, alias) in [(Some("b"), means("a", 2)), (None, means("legacy", 2))] {
        let refused = change(renamed, vec![alias]).await.unwrap_err();
        assert!(matches!(&refused, StoreError::Forbidden(why) if why.contains("alias `")), "{refused}");
    }
    let missing = change(None, vec![means("pmpt_1", 3)]).await.unwrap_err();
    assert_eq!(missing.field(), Some("aliases"), "{missing}");
    change(None, vec![means("legacy", 1)]).await.expect("what production serves already");
    change(None, vec![means("legacy", 1), means("pmpt_1", 2)]).await.expect("an id that nobody called here");
    let again = change(None, vec![means("legacy", 1), means("pmpt_1", 1)]).await;
    again.expect("what production serves already");
    let swapped = change(None, vec![means("pmpt_1", 2)]).await.unwrap_err();
    assert!(matches!(&swapped, StoreError::Forbidden(why) if why.contains("pmpt_1")), "{swapped}");
    assert_eq!(it.number("pmpt_1").await, Ok(1));

    let plain = PromptChange { name: Some(name("b")), ..PromptChange::default() };
    it.registry.update_prompt(PROJECT, &name("a"), plain, &editor).await.expect("names may change");
    assert_eq!(it.number("a").await, Ok(1), "under its old name too");
}

pub(crate) async fn a_token_held_to_folders_or_labels_goes_no_way_elsewhere(it: Bench) {
    let scopes = [
        ("folders", TokenScope { folders: Some(vec!["team".into()]), labels: None }),
        ("labels", TokenScope { folders: None, labels: Some(vec!["dev*".into()]) }),
    ];
    for (at, scope) in scopes {
        let who = Who { scope: Some(scope.into()), ..Who::new(Role::Releaser, "rel") };
        walk(&it, at, |_| {}, &who, [Came::Forbidden; 8]).await;
    }
    let who = Who {
        scope: Some(
            TokenScope { folders: Some(vec!["walk".into()]), labels: Some(vec!["in*".into()]) }.into(),
        ),
        ..Who::new(Role::Releaser, "rel")
    };
    walk(&it, "inside", |_| {}, &who, [Came::Through; 8]).await;
}

pub(crate) async fn whoever_is_held_elsewhere_neither_proposes_nor_steers(it: Bench) {
    let mut stage = Stage::set(&it, "gold", Way::Step).await;
    let scope = TokenScope { folders: None, labels: Some(vec!["dev*".into()]) };
    let who = Who { scope: Some(scope.into()), ..Who::new(Role::Releaser, "rel") };
    for verb in [ReleaseVerb::Pause, ReleaseVerb::Advance, ReleaseVerb::Abort] {
        let refused = stage.act(verb, &who).await;
        assert!(matches!(refused, Err(StoreError::Forbidden(_))), "{verb:?}: {refused:?}");
    }
    let new = || NewRelease { label: label("gold"), version: 2, ramp: None, note: None };
    let proposed = it.registry.propose_release(PROJECT, &name(&stage.prompt), new(), &who).await;
    assert!(matches!(proposed, Err(StoreError::Forbidden(_))), "{proposed:?}");
    stage.act(ReleaseVerb::Abort, &it.admin).await.unwrap();
    stage.propose(None).await;
    for verb in [ReleaseVerb::Approve, ReleaseVerb::Reject, ReleaseVerb::Withdraw, ReleaseVerb::Release] {
        let refused = stage.act(verb, &who).await;
        assert!(matches!(refused, Err(StoreError::Forbidden(_))), "{verb:?}: {refused:?}");
    }
    let (prompt, gold) = (name(&stage.prompt), label("gold"));
    it.registry.set_experiment((PROJECT, &prompt, &gold), two_arms(), None, &it.admin).await.unwrap();
    let removed = it.registry.remove_experiment((PROJECT, &prompt, &gold), None, &who).await;
    assert!(matches!(removed, Err(StoreError::Forbidden(_))), "{removed:?}");
    let stopped = ExperimentPlan { state: ExperimentState::Stopped, ..two_arms() };
    let stopped = it.registry.set_experiment((PROJECT, &prompt, &gold), stopped, None, &who).await;
    assert!(matches!(stopped, Err(StoreError::Forbidden(_))), "{stopped:?}");
}

pub(crate) async fn what_serves_may_be_an_arm_whatever_its_policy_asks_of_the_new(it: Bench) {
    for text in ["one", "two"] {
        it.say("a", text).await;
    }
    it.put("a", "production", 1).await;
    it.put("a", "staging", 2).await;
    it.clock.advance(Duration::from_hours(1));
    set(&it, "production", |rules| {
        rules.after_label = Some(AfterLabel { label: label("staging"), hours: 0 });
    })
    .await;
    let (a, production) = (name("a"), label("production"));
    let set = it.registry.set_experiment((PROJECT, &a, &production), two_arms(), None, &it.admin).await;
    assert_eq!(set.unwrap().state, ExperimentState::Running, "version 1 never was in staging");
}

/// A prompt that serves `production` and includes a snippet by `staging`, whose second version wants a tone.
async fn with_a_floating_snippet(it: &Bench) {
    it.say("snippets/tone", "be kind").await;
    it.put("snippets/tone", "staging", 1).await;
    it.say("snippets/tone", "be {{tone}}").await;
    let messages = json!([{"include": "snippets/tone@staging"}]);
    it.publish("a", NewVersion::of(content(json!({ "messages": messages })))).await.unwrap();
    it.put("a", "production", 1).await;
}

async fn follow(it: &Bench, waiver: Option<&str>) -> Result<u32, StoreError> {
    let change = LabelChange { waiver: waiver.map(Into::into), ..LabelChange::of(label("staging")) };
    let moved = it.registry.move_label(PROJECT, &name("snippets/tone"), change.onto(2), &it.admin).await;
    moved.map(|label| label.version)
}

pub(crate) async fn what_floats_into_a_prompt_passes_the_door_of_its_label(it: Bench) {
    with_a_floating_snippet(&it).await;
    let freeze = Freeze { from: it.clock.now(), to: None, reason: Some("the sale".into()) };
    set(&it, "production", |rules| rules.freeze = vec![freeze]).await;
    let frozen = follow(&it, None).await.unwrap_err();
    assert!(
        matches!(&frozen, StoreError::Conflict(why) if why.contains("`a@production`") && why.contains("the sale")),
        "{frozen}"
    );
    set(&it, "production", |rules| rules.approvals = 1).await;
    assert!(matches!(follow(&it, None).await, Err(StoreError::Forbidden(_))), "nobody approved it");

    let new = NewRelease { label: label("staging"), version: 2, ramp: None, note: None };
    let ed = Who::new(Role::Editor, "ed");
    let release = it.registry.propose_release(PROJECT, &name("snippets/tone"), new, &ed).await.unwrap();
    let act = async |verb, who: &str| {
        let who = Who::new(Role::Releaser, who);
        it.registry.change_release(PROJECT, release.id, ReleaseDeed::of(verb), &who).await
    };
    assert!(matches!(act(ReleaseVerb::Release, "bob").await, Err(StoreError::Forbidden(_))));
    act(ReleaseVerb::Approve, "bob").await.unwrap();
    act(ReleaseVerb::Release, "bob").await.unwrap();
    assert_eq!(it.number("snippets/tone@staging").await, Ok(2));
    let frozen = Freeze { from: it.clock.now(), to: None, reason: None };
    set(&it, "production", |rules| rules.freeze = vec![frozen]).await;
    assert_eq!(it.roll_back("snippets/tone", "staging").await.unwrap(), 1, "rolling back always may");
}

pub(crate) async fn who_calls_what_includes_a_prompt_is_asked_before_that_moves(it: Bench) {
    with_a_floating_snippet(&it).await;
    somebody_lacks(&it, "tone").await;
    set(&it, "production", |rules| rules.contract_check = true).await;
    let refused = follow(&it, None).await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::Conflict(why) if why.contains("prompt `a`") && why.contains("no `tone`")),
        "{refused}"
    );
    let labelled = NewVersion { labels: vec![label("staging")], ..NewVersion::of(saying("be {{tone}} now")) };
    let refused = it.publish("snippets/tone", labelled).await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::Conflict(why) if why.contains("publish without labels")),
        "{refused}"
    );
    let (tone, staging) = (name("snippets/tone"), label("staging"));
    let place = (PROJECT, &tone, &staging);
    it.registry.set_experiment(place, two_arms(), None, &it.admin).await.unwrap();
    it.registry.remove_experiment(place, None, &it.admin).await.unwrap();
    assert_eq!(follow(&it, Some("agreed with checkout")).await.unwrap(), 2);
}
