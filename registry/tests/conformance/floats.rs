//! Cases about snippets that float: included by a label, followed wherever it points.

use registry::{
    Arm, Exclusion, ExperimentPlan, ExperimentState, LabelChange, LabelPlacement, NewRelease, NewVersion,
    Paging, Ramp, ReleaseDeed, ReleaseVerb, ResolveError, Role, StoreError, Unit, UsedByFilter, Who,
};
use serde_json::{Value, json};
use vocab::Limit;

use crate::bench::{Bench, PROJECT, content, label, name};

async fn publish(it: &Bench, prompt: &str, value: Value) -> registry::Published {
    it.publish(prompt, NewVersion::of(content(value))).await.unwrap()
}

/// A text snippet that `at` points at.
async fn tone(it: &Bench, text: &str, at: &str) {
    let made = publish(it, "snippets/tone", json!({ "text": text })).await.version.number;
    it.put("snippets/tone", at, made).await;
}

/// A chat prompt that includes what `reference` names.
fn including(reference: &str) -> Value {
    json!({"messages": [{"include": reference, "role": "system"}]})
}

async fn said(it: &Bench, reference: &str) -> String {
    let resolved = it.resolve(reference).await.unwrap_or_else(|error| panic!("{reference}: {error}"));
    let rendered = resolved.version.template.render(&serde_json::Map::new()).unwrap();
    format!("{:?}", rendered.items)
}

fn onto(at: &str, version: u32) -> LabelPlacement {
    LabelChange::of(label(at)).onto(version)
}

async fn refused(it: &Bench, prompt: &str, placement: LabelPlacement, who: &Who) -> StoreError {
    it.registry.move_label(PROJECT, &name(prompt), placement, who).await.unwrap_err()
}

pub(crate) async fn what_floats_is_what_its_label_serves_at_each_call(it: Bench) {
    tone(&it, "Be kind.", "staging").await;
    let made = publish(&it, "a", including("snippets/tone@staging")).await.version;
    assert_eq!(
        serde_json::to_value(&made.content).unwrap()["messages"][0]["include"],
        "snippets/tone@staging"
    );
    let page = json!({"engine": "jinja", "text": "{% include 'snippets/tone@staging' %}!"});
    publish(&it, "b", page).await;
    publish(&it, "outer", including("b@1")).await;
    it.put("a", "production", 1).await;
    let all = ["a", "a@1", "a@1.0.0", "b@1", "outer@1"];
    for reference in all {
        assert!(said(&it, reference).await.contains("Be kind."), "{reference}");
    }

    tone(&it, "Be stern.", "staging").await;
    for reference in all {
        assert!(said(&it, reference).await.contains("Be stern."), "{reference}");
    }
    it.roll_back("snippets/tone", "staging").await.unwrap();
    for reference in all {
        assert!(said(&it, reference).await.contains("Be kind."), "{reference}");
    }

    assert_eq!(
        it.resolve("a").await.unwrap().version.digest,
        made.digest,
        "the version is the same throughout"
    );
    assert!(!publish(&it, "a", including("snippets/tone@staging")).await.is_new);
    let again = it.reopened().await;
    let resolved = again.resolve(PROJECT, &"outer@1".parse().unwrap()).await.unwrap();
    let rendered = resolved.version.template.render(&serde_json::Map::new()).unwrap();
    assert!(format!("{rendered:?}").contains("Be kind."), "also after a restart");
}

pub(crate) async fn another_node_follows_what_floats(it: Bench) {
    tone(&it, "Be kind.", "staging").await;
    publish(&it, "a", including("snippets/tone@staging")).await;
    it.put("a", "production", 1).await;
    let other = it.another().await;
    let says = async |wanted: &str| {
        let resolved = other.resolve(PROJECT, &name("a").to_string().parse().unwrap()).await.unwrap();
        let rendered = resolved.version.template.render(&serde_json::Map::new()).unwrap();
        assert!(format!("{rendered:?}").contains(wanted), "{rendered:?}");
    };
    says("Be kind.").await;
    tone(&it, "Be stern.", "staging").await;
    other.refresh().await.unwrap();
    says("Be stern.").await;
}

pub(crate) async fn what_floats_needs_a_label_to_float_with(it: Bench) {
    publish(&it, "snippets/tone", json!({"text": "x"})).await;
    let told =
        it.publish("a", NewVersion::of(content(including("snippets/tone@staging")))).await.unwrap_err();
    assert_eq!(told.field(), Some("messages[0].include"));
    assert!(told.to_string().contains("has no label `staging`: put it on a version first"), "{told}");
    let editor = Who::new(Role::Editor, "ed");
    it.put("snippets/tone", "production", 1).await;
    it.put("snippets/tone", "staging", 1).await;
    let floating = |at: &str| NewVersion::of(content(including(&format!("snippets/tone@{at}"))));
    let told = it.registry.publish(PROJECT, &name("a"), floating("production"), &editor).await.unwrap_err();
    assert!(
        matches!(&told, StoreError::Forbidden(why) if why.contains("`production` is protected")),
        "{told}"
    );
    it.registry.publish(PROJECT, &name("a"), floating("staging"), &editor).await.unwrap();
}

pub(crate) async fn a_label_that_others_serve_is_moved_by_whoever_may_move_theirs(it: Bench) {
    tone(&it, "Be kind.", "staging").await;
    publish(&it, "inner", json!({"engine": "jinja", "text": "{% include 'snippets/tone@staging' %}"})).await;
    publish(&it, "a", including("inner@1")).await;
    publish(&it, "snippets/tone", json!({"text": "Be stern."})).await;
    let editor = Who::new(Role::Editor, "ed");
    let move_it = async |version| {
        let placement = onto("staging", version);
        it.registry.move_label(PROJECT, &name("snippets/tone"), placement, &editor).await
    };
    move_it(2).await.unwrap();

    it.put("a", "production", 1).await;
    let told = refused(&it, "snippets/tone", onto("staging", 1), &editor).await;
    assert!(matches!(&told, StoreError::Forbidden(_)), "{told}");
    assert!(told.to_string().contains("is included by `a@production`, which changes with it"), "{told}");
    assert!(said(&it, "a").await.contains("stern"));

    it.put("a", "dev", 1).await;
    it.take_away("a", "production").await;
    move_it(1).await.unwrap();
    assert!(said(&it, "a@dev").await.contains("kind"));
}

pub(crate) async fn a_label_does_not_go_while_somebody_serves_it(it: Bench) {
    tone(&it, "Be kind.", "staging").await;
    publish(&it, "a", including("snippets/tone@staging")).await;
    it.put("a", "production", 1).await;
    let change = || LabelChange::of(label("staging"));
    let gone =
        it.registry.remove_label(PROJECT, &name("snippets/tone"), change(), &it.admin).await.unwrap_err();
    assert!(
        gone.to_string().contains("is included by version 1 of prompt `a`, which serves `production`"),
        "{gone}"
    );

    it.take_away("a", "production").await;
    it.take_away("snippets/tone", "staging").await;
    let told = it.resolve("a@1").await.unwrap_err();
    assert!(
        matches!(&told, ResolveError::Unsettled(why) if why.contains("points at nothing any more")),
        "{told}"
    );
    it.put("snippets/tone", "staging", 1).await;
    assert!(said(&it, "a@1").await.contains("kind"));
}

pub(crate) async fn no_label_closes_a_circle(it: Bench) {
    publish(&it, "a", json!({"text": "x"})).await;
    it.put("a", "staging", 1).await;
    let own = it.publish(
        "a",
        NewVersion::of(content(json!({"engine": "jinja", "text": "{% include 'a@staging' %}"}))),
    );
    let own = own.await.unwrap_err();
    assert!(own.to_string().contains("would include itself"), "{own}");

    // b includes a by label; a second version of a includes c, and c comes to include b.
    let page = |reference: &str| json!({"engine": "jinja", "text": format!("{{% include '{reference}' %}}")});
    publish(&it, "b", page("a@staging")).await;
    publish(&it, "c", json!({"text": "y"})).await;
    it.put("c", "staging", 1).await;
    publish(&it, "a", page("c@staging")).await;
    publish(&it, "c", page("b@1")).await;
    it.put("a", "staging", 2).await;
    let told = refused(&it, "c", onto("staging", 2), &it.admin).await;
    assert!(matches!(&told, StoreError::Conflict(why) if why.contains("include itself")), "{told}");
    assert!(said(&it, "b@1").await.contains('y'));

    it.put("a", "staging", 1).await;
    it.put("c", "staging", 2).await;
    let told = refused(&it, "a", onto("staging", 2), &it.admin).await;
    assert!(told.to_string().contains("include itself"), "{told}");
    assert!(it.roll_back("a", "staging").await.unwrap_err().to_string().contains("include itself"));
    assert!(said(&it, "c@2").await.contains('x'));
}

pub(crate) async fn a_label_is_not_moved_to_what_its_includers_cannot_hold(it: Bench) {
    tone(&it, "Be kind.", "staging").await;
    let typed = json!({"text": "{{how}}", "variables": {"how": {"type": "integer"}}});
    publish(&it, "snippets/tone", typed).await;
    let strings = json!({
        "messages": [{"include": "snippets/tone@staging"}, {"role": "user", "content": "{{how}}"}],
        "variables": {"how": {"type": "string"}},
    });
    publish(&it, "a", strings).await;
    it.put("snippets/tone", "staging", 2).await;
    let told = it.resolve("a@1").await.unwrap_err().to_string();
    assert!(told.contains("give them one type"), "what serves nowhere is judged when it is called: {told}");
    it.put("snippets/tone", "staging", 1).await;
    it.put("a", "production", 1).await;
    let told = refused(&it, "snippets/tone", onto("staging", 2), &it.admin).await;
    assert!(told.to_string().contains("version 1 of prompt `a` would not hold"), "{told}");
    assert!(told.to_string().contains("give them one type"), "{told}");
}

pub(crate) async fn no_part_of_the_calls_gets_what_does_not_hold(it: Bench) {
    tone(&it, "Be kind.", "staging").await;
    publish(&it, "a", json!({"messages": [{"role": "system", "content": "hello"}]})).await;
    publish(&it, "a", including("snippets/tone@staging")).await;
    it.put("a", "production", 1).await;
    it.registry
        .remove_label(PROJECT, &name("snippets/tone"), LabelChange::of(label("staging")), &it.admin)
        .await
        .expect("nobody serves it");

    let ramp = Some(Ramp { steps: vec![1, 100], every_seconds: None });
    let new = NewRelease { label: label("production"), version: 2, ramp, note: None };
    let release = it.registry.propose_release(PROJECT, &name("a"), new, &it.admin).await.unwrap();
    let begin = ReleaseDeed::of(ReleaseVerb::Release);
    let ramped = it.registry.change_release(PROJECT, release.id, begin, &it.admin).await.unwrap_err();
    let arm = |name: &str, version| Arm { name: name.into(), version, weight: 1 };
    let plan = ExperimentPlan {
        arms: vec![arm("old", 1), arm("new", 2)],
        unit: Unit::User,
        exclude: Exclusion::default(),
        state: ExperimentState::Running,
        waiver: None,
    };
    let at = (PROJECT, &name("a"), &label("production"));
    let dealt = it.registry.set_experiment(at, plan, None, &it.admin).await.unwrap_err();
    for refused in [ramped, dealt] {
        assert!(
            matches!(&refused, StoreError::Conflict(why) if why.contains("version 2 of prompt `a` would not hold")),
            "{refused}"
        );
    }
}

pub(crate) async fn what_floats_goes_so_deep_and_no_deeper(it: Bench) {
    publish(&it, "s0", json!({"text": "deep"})).await;
    it.put("s0", "staging", 1).await;
    for level in 1..=7 {
        let text = format!("{{% include 's{}@staging' %}}", level - 1);
        let prompt = format!("s{level}");
        publish(&it, &prompt, json!({"engine": "jinja", "text": text})).await;
        it.put(&prompt, "staging", 1).await;
    }
    publish(&it, "s8", including("s7@staging")).await;
    it.put("s8", "staging", 1).await;
    assert!(said(&it, "s8@1").await.contains("deep"));
    let told = it.publish("s9", NewVersion::of(content(including("s8@staging")))).await.unwrap_err();
    assert!(told.to_string().contains("more than 8 snippets deep"), "{told}");

    publish(&it, "lower", json!({"text": "lower"})).await;
    publish(&it, "s0", json!({"engine": "jinja", "text": "{% include 'lower@1' %}"})).await;
    let told = refused(&it, "s0", onto("staging", 2), &it.admin).await;
    assert!(told.to_string().contains("more than 8 snippets deep"), "{told}");
}

pub(crate) async fn users_by_label_are_listed_with_what_they_get(it: Bench) {
    tone(&it, "Be kind.", "staging").await;
    publish(&it, "a", including("snippets/tone@staging")).await;
    publish(&it, "b", including("snippets/tone@1")).await;
    tone(&it, "Be stern.", "staging").await;
    let paging = Paging { limit: Limit::new(10).unwrap(), cursor: None };
    let list = async |version| {
        let filter = UsedByFilter { version, all: false };
        let page = it.registry.used_by(PROJECT, &name("snippets/tone"), filter, &paging).await.unwrap();
        let told = page.data.into_iter().map(|it| {
            (it.prompt.to_string(), it.includes_version, it.includes_label.map(|label| label.to_string()))
        });
        told.collect::<Vec<_>>()
    };
    let (floats, pinned) =
        (("a".to_owned(), Some(2), Some("staging".to_owned())), ("b".to_owned(), Some(1), None));
    assert_eq!(list(None).await, [floats.clone(), pinned.clone()]);
    assert_eq!(list(Some(2)).await, [floats]);
    assert_eq!(list(Some(1)).await, [pinned]);
}

pub(crate) async fn what_is_included_grows_so_large_and_no_larger(it: Bench) {
    let large = "x".repeat(2_500_000);
    for prompt in ["s/a", "s/b"] {
        publish(&it, prompt, json!({"text": "small"})).await;
        it.put(prompt, "staging", 1).await;
        publish(&it, prompt, json!({ "text": large })).await;
    }
    let both = |selector: &str| json!({"messages": [{"include": format!("s/a@{selector}")}, {"include": format!("s/b@{selector}")}]});
    let told = it.publish("a", NewVersion::of(content(both("2")))).await.unwrap_err();
    assert!(told.to_string().contains("the limit is 4194304"), "{told}");

    publish(&it, "a", both("staging")).await;
    it.put("a", "production", 1).await;
    it.put("s/a", "staging", 2).await;
    let told = refused(&it, "s/b", onto("staging", 2), &it.admin).await;
    assert!(told.to_string().contains("has grown too large"), "{told}");
    assert!(said(&it, "a").await.contains("small"));
}
