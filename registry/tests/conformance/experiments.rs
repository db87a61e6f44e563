//! Cases about experiments: set up, started, edited, stopped; what calls get meanwhile, and who may.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use registry::{
    Arm, Exclusion, Experiment, ExperimentPlan, ExperimentState, LabelChange, Registry, ReleaseVerb,
    Resolved, Role, StoreError, Unit, Units, Who,
};
use serde_json::{Map, Value};
use vocab::Id;

use crate::bench::{Bench, PROJECT, label, name};
use crate::policies::set;
use crate::releases::{act, approve, propose, releaser, three};

static NOTHING: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);

fn arms(weights: &[(u32, u32)]) -> Vec<Arm> {
    let arm = |(at, (version, weight)): (usize, &(u32, u32))| Arm {
        name: format!("arm-{at}").into(),
        version: *version,
        weight: *weight,
    };
    weights.iter().enumerate().map(arm).collect()
}

fn plan(weights: &[(u32, u32)]) -> ExperimentPlan {
    let (unit, exclude, state) = (Unit::User, Exclusion::default(), ExperimentState::Running);
    ExperimentPlan { arms: arms(weights), unit, exclude, state, waiver: None }
}

async fn run(it: &Bench, at: &str, plan: ExperimentPlan) -> Result<Experiment, StoreError> {
    it.registry.set_experiment((PROJECT, &name("a"), &label(at)), plan, None, &releaser("rel")).await
}

async fn call(registry: &Registry, reference: &str, user: Option<&str>, number: u128) -> Resolved {
    let call = Some(Id::from_bytes(number.to_be_bytes()));
    let units = Units { call, user, session: None, trace: None, metadata: &NOTHING };
    registry.resolve_for(PROJECT, &reference.parse().unwrap(), Some(&units)).await.unwrap()
}

/// Which arm each of five hundred users gets.
async fn dealt(registry: &Registry, reference: &str) -> BTreeMap<String, String> {
    let mut dealt = BTreeMap::new();
    for user in 0..500 {
        let user = format!("user-{user}");
        let resolved = call(registry, reference, Some(&user), 1).await;
        dealt.insert(user, resolved.exposure.unwrap().arm.to_string());
    }
    dealt
}

pub(crate) async fn calls_are_dealt_to_the_arms_and_say_so(it: Bench) {
    three(&it).await;
    let made = run(&it, "production", plan(&[(1, 1), (2, 1)])).await.unwrap();
    assert_eq!((made.state, made.starts, &*made.name), (ExperimentState::Running, 1, "a/production"));
    assert_eq!((made.started_at, made.stopped_at), (Some(it.clock.now()), None));
    let resolved = call(&it.registry, "a", Some("ann"), 1).await;
    let exposure = resolved.exposure.clone().unwrap();
    let arm = made.arms.iter().find(|arm| arm.name == exposure.arm).unwrap();
    assert_eq!((&*exposure.experiment, &*exposure.unit), ("a/production", "user"));
    assert_eq!((resolved.version.number, resolved.label.unwrap().as_str()), (arm.version, "production"));
    let counts = dealt(&it.registry, "a").await.into_values().filter(|arm| arm == "arm-0").count();
    assert!((200..300).contains(&counts), "{counts}");
    let unnamed = call(&it.registry, "a", None, 7).await.exposure.unwrap();
    assert_eq!(&*unnamed.unit, "none");
    assert_eq!(
        call(&it.registry, "a@2", Some("ann"), 1).await.exposure,
        None,
        "a pinned version goes round it"
    );
    assert_eq!(it.number("a").await, Ok(1), "who only looks sees what the label points at");
}

pub(crate) async fn units_stay_through_edits_and_restarts_and_are_dealt_anew_by_a_start(it: Bench) {
    three(&it).await;
    run(&it, "production", plan(&[(1, 1), (2, 3)])).await.unwrap();
    let before = dealt(&it.registry, "a").await;
    let mut edited = plan(&[(1, 100), (3, 300)]);
    edited.exclude.users.insert("nobody".into());
    let edited = run(&it, "production", edited).await.unwrap();
    assert_eq!(edited.starts, 1);
    assert_eq!(dealt(&it.registry, "a").await, before, "weights were kept");
    let unit = ExperimentPlan { unit: Unit::Session, ..plan(&[(1, 1), (2, 3)]) };
    assert!(matches!(run(&it, "production", unit).await, Err(StoreError::Conflict(_))));
    let again = it.reopened().await;
    assert_eq!(dealt(&again, "a").await, before, "nothing is remembered but the plan");
    let stopped = ExperimentPlan { state: ExperimentState::Stopped, ..plan(&[(1, 1), (2, 3)]) };
    let restart = |plan| {
        let again = again.clone();
        async move {
            let at = label("production");
            again.set_experiment((PROJECT, &name("a"), &at), plan, None, &releaser("rel")).await.unwrap()
        }
    };
    restart(stopped).await;
    assert_eq!(restart(plan(&[(1, 1), (2, 3)])).await.starts, 2);
    assert_ne!(dealt(&again, "a").await, before);
}

pub(crate) async fn a_renamed_prompt_moves_nobody(it: Bench) {
    three(&it).await;
    run(&it, "production", plan(&[(1, 1), (2, 1)])).await.unwrap();
    let before = dealt(&it.registry, "a").await;
    let rename = registry::PromptChange { name: Some(name("b")), ..registry::PromptChange::default() };
    it.registry.update_prompt(PROJECT, &name("a"), rename, &it.admin).await.unwrap();
    assert_eq!(dealt(&it.registry, "b").await, before);
}

pub(crate) async fn a_stopped_experiment_leaves_the_label_alone(it: Bench) {
    three(&it).await;
    let prepared = ExperimentPlan { state: ExperimentState::Stopped, ..plan(&[(2, 1), (3, 1)]) };
    let made = run(&it, "production", prepared.clone()).await.unwrap();
    assert_eq!((made.starts, made.started_at), (0, None));
    assert_eq!(call(&it.registry, "a", Some("ann"), 1).await.exposure, None);
    run(&it, "production", plan(&[(2, 1), (3, 1)])).await.unwrap();
    assert!(call(&it.registry, "a", Some("ann"), 1).await.exposure.is_some());
    let stopped = run(&it, "production", prepared).await.unwrap();
    assert_eq!((stopped.state, stopped.stopped_at), (ExperimentState::Stopped, Some(it.clock.now())));
    assert_eq!(call(&it.registry, "a", Some("ann"), 1).await.version.number, 1);
    let (a, production) = (name("a"), label("production"));
    it.registry.remove_experiment((PROJECT, &a, &production), None, &it.admin).await.unwrap();
    let gone = it.registry.get_experiment(PROJECT, &a, &production).await.unwrap_err();
    assert!(matches!(gone, StoreError::Missing(_)), "{gone}");
    assert!(it.registry.list_experiments(PROJECT, &a).await.unwrap().is_empty());
    assert_eq!(
        run(&it, "production", plan(&[(2, 1), (3, 1)])).await.unwrap().starts,
        2,
        "numbers do not repeat"
    );
}

pub(crate) async fn an_experiment_takes_a_label_that_points_at_nothing(it: Bench) {
    three(&it).await;
    let mut on_nothing = plan(&[(2, 1), (3, 1)]);
    on_nothing.exclude.users.insert("ann".into());
    run(&it, "trial", on_nothing).await.unwrap();
    let versions = [2, 3].map(Some);
    for user in ["bob", "cyd"] {
        let number = call(&it.registry, "a@trial", Some(user), 1).await.version.number;
        assert!(versions.contains(&Some(number)));
    }
    let excluded = call(&it.registry, "a@trial", Some("ann"), 1).await;
    assert_eq!((excluded.version.number, excluded.exposure), (2, None), "the first arm, not counted");
    assert_eq!(it.number("a@trial").await, Ok(2));
    let stopped = ExperimentPlan { state: ExperimentState::Stopped, ..plan(&[(2, 1), (3, 1)]) };
    run(&it, "trial", stopped).await.unwrap();
    assert!(it.number("a@trial").await.is_err());
}

pub(crate) async fn a_label_with_an_experiment_moves_only_when_that_is_to_end(it: Bench) {
    three(&it).await;
    run(&it, "production", plan(&[(1, 1), (2, 1)])).await.unwrap();
    let (a, production) = (name("a"), || LabelChange::of(label("production")));
    let refused = it.registry.move_label(PROJECT, &a, production().onto(3), &it.admin).await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::Conflict(why) if why.contains("`a/production` runs")),
        "{refused}"
    );
    let archive = it.registry.archive_prompt(PROJECT, &a, &it.admin).await.unwrap_err();
    assert!(matches!(archive, StoreError::Conflict(_)));
    let ending = LabelChange { end: true, ..production() };
    it.registry.move_label(PROJECT, &a, ending.onto(3), &it.admin).await.unwrap();
    let stopped = it.registry.get_experiment(PROJECT, &a, &label("production")).await.unwrap();
    assert_eq!((stopped.state, &*stopped.updated_by), (ExperimentState::Stopped, "ann"));
    assert_eq!(call(&it.registry, "a", Some("ann"), 1).await.version.number, 3);
}

pub(crate) async fn rolling_back_ends_an_experiment(it: Bench) {
    three(&it).await;
    it.put("a", "production", 2).await;
    run(&it, "production", plan(&[(2, 1), (3, 1)])).await.unwrap();
    assert_eq!(it.roll_back("a", "production").await.unwrap(), 1);
    assert_eq!(call(&it.registry, "a", Some("ann"), 1).await.exposure, None);
    run(&it, "production", plan(&[(2, 1), (3, 1)])).await.unwrap();
    assert_eq!(
        it.roll_back("a", "production").await.unwrap(),
        1,
        "nothing before it: the experiment alone ends"
    );
    assert!(it.roll_back("a", "production").await.is_err());
}

pub(crate) async fn arms_pass_the_door(it: Bench) {
    three(&it).await;
    let editor = Who::new(Role::Editor, "ed");
    let (a, at, two) = (name("a"), label("staging"), plan(&[(1, 1), (2, 1)]));
    let by_editor = it.registry.set_experiment((PROJECT, &a, &at), two, None, &editor).await;
    assert!(matches!(by_editor, Err(StoreError::Forbidden(_))));
    set(&it, "production", |rules| rules.approvals = 1).await;
    let refused = run(&it, "production", plan(&[(1, 1), (2, 1)])).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Forbidden(why) if why.contains("propose version 2")), "{refused}");
    let release = propose(&it, "production", 2, None, "ed").await.unwrap();
    approve(&it, &release, "bob").await.unwrap();
    run(&it, "production", plan(&[(1, 1), (2, 1)])).await.unwrap();
    let unseen = run(&it, "production", plan(&[(1, 1), (2, 1), (3, 1)])).await.unwrap_err();
    assert!(matches!(unseen, StoreError::Forbidden(_)), "{unseen}");
    let ramp = act(&it, &release, ReleaseVerb::Release, &it.admin).await.unwrap_err();
    assert!(matches!(ramp, StoreError::Conflict(_)), "a release waits for the experiment's end: {ramp}");

    let removed = it.registry.remove_experiment((PROJECT, &a, &label("production")), None, &it.admin).await;
    removed.unwrap();
    act(&it, &release, ReleaseVerb::Release, &it.admin).await.unwrap();
    it.roll_back("a", "production").await.unwrap();
    let once = run(&it, "production", plan(&[(1, 1), (2, 1)])).await.unwrap_err();
    assert!(matches!(once, StoreError::Forbidden(_)), "what was rolled back is approved no more: {once}");
}

pub(crate) async fn a_plan_that_makes_no_sense_is_refused_by_its_field(it: Bench) {
    three(&it).await;
    let twice = ExperimentPlan { arms: vec![arms(&[(1, 1)]).remove(0); 2], ..plan(&[]) };
    let odd = ExperimentPlan {
        arms: vec![Arm { name: "a=b".into(), version: 1, weight: 1 }, arms(&[(1, 1)]).remove(0)],
        ..plan(&[])
    };
    for (field, plan) in [
        ("arms", plan(&[(1, 1)])),
        ("arms[1].weight", plan(&[(1, 1), (2, 0)])),
        ("arms[1].name", twice),
        ("arms[0].name", odd),
    ] {
        let refused = run(&it, "production", plan).await.unwrap_err();
        assert_eq!(refused.field(), Some(field), "{refused}");
    }
    let mut excluding = plan(&[(1, 1), (2, 1)]);
    excluding.exclude.users.insert(String::new());
    assert_eq!(run(&it, "production", excluding).await.unwrap_err().field(), Some("exclude"));
    let missing = run(&it, "production", plan(&[(1, 1), (9, 1)])).await.unwrap_err();
    assert!(matches!(missing, StoreError::Missing(_)));
    let made = run(&it, "production", plan(&[(1, 1), (2, 1)])).await.unwrap();
    let (a, at, again) = (name("a"), label("production"), plan(&[(1, 1), (2, 1)]));
    let expected = Some(made.revision - 1);
    let stale = it.registry.set_experiment((PROJECT, &a, &at), again, expected, &it.admin).await;
    assert!(matches!(stale, Err(StoreError::Stale { .. })));
}
