//! Cases about versions: publishing, numbering, comparing, finding.

use registry::{NewVersion, Paging, PromptKind, Role, StoreError, Who};
use serde_json::{Map, Value, json};
use vocab::{Impact, Limit, SemVer};

use crate::bench::{Bench, PROJECT, content, label, name, saying};

fn semver(text: &str) -> SemVer {
    text.parse().unwrap()
}

pub(crate) async fn the_first_version_makes_its_prompt(it: Bench) {
    let made = it.say("support/reply", "hello").await;
    assert!(made.is_new);
    assert_eq!((made.version.number, made.version.semver), (1, SemVer::FIRST));
    assert_eq!((made.version.impact, made.version.parent), (None, None));
    assert_eq!((made.prompt.kind, made.prompt.latest), (Some(PromptKind::Chat), Some(1)));
    assert_eq!(it.registry.get_prompt(PROJECT, &name("support/reply")).await.unwrap(), made.prompt);
}

pub(crate) async fn versions_count_up_with_parent_digest_and_semver(it: Bench) {
    let first = it.say("a", "hello").await.version;
    let second = it.say("a", "good day").await.version;
    let third = it.say("a", "good day {{name}}").await.version;
    assert_eq!((second.number, second.parent, second.semver), (2, Some(1), semver("1.0.1")));
    assert_eq!((third.number, third.parent, third.semver), (3, Some(2), semver("2.0.0")));
    assert_eq!((second.impact, third.impact), (Some(Impact::Patch), Some(Impact::Major)));
    assert_eq!(third.impact_reasons[0].reason, "required variable `name` added");
    // printf '%s' '{"engine":"plain","messages":[{"content":"hello","role":"user"}]}' | sha256sum
    assert_eq!(&*first.digest, "7caea32a599c706851692dc83935b8ca6af4ca65e32468c47283162fd345e8df");
    assert!(third.created_at > second.created_at);
}

pub(crate) async fn equal_content_makes_no_new_version_but_is_labelled(it: Bench) {
    it.say("a", "hello").await;
    let new = NewVersion {
        labels: vec![label("staging"), label("staging")],
        commit_message: Some("again".into()),
        ..NewVersion::of(saying("hello"))
    };
    let again = it.publish("a", new).await.unwrap();
    assert!(!again.is_new);
    assert_eq!((again.version.number, again.version.commit_message.as_deref()), (1, None));
    assert_eq!(again.prompt.labels.get("staging"), Some(&1));
    it.say("a", "other").await;
    let back = it.say("a", "hello").await;
    assert!(back.is_new, "only the parent counts");
    assert_eq!(back.version.number, 3);
    let noted = NewVersion {
        metadata: Map::from_iter([("note".into(), json!("x"))]),
        ..NewVersion::of(saying("hello"))
    };
    assert!(!it.publish("a", noted.clone()).await.unwrap().is_new);
    let counted = NewVersion { metadata_counts: true, ..noted };
    let fourth = it.publish("a", counted.clone()).await.unwrap();
    assert_eq!((fourth.is_new, fourth.version.number, fourth.version.semver), (true, 4, semver("1.0.3")));
    assert!(!it.publish("a", counted).await.unwrap().is_new);
}

pub(crate) async fn an_expected_parent_that_lost_names_the_winner(it: Bench) {
    let onto =
        |parent, text: &str| NewVersion { expected_parent: Some(parent), ..NewVersion::of(saying(text)) };
    it.publish("a", onto(0, "one")).await.unwrap();
    it.publish("a", onto(1, "two")).await.unwrap();
    for (expected, text) in [(1, "three"), (0, "three"), (9, "three"), (1, "two")] {
        let stale = it.publish("a", onto(expected, text)).await.unwrap_err();
        let StoreError::Stale { message, current } = stale else { panic!("{stale}") };
        assert_eq!(current, Some(2));
        assert!(message.contains("version 2") && message.contains("by ann"), "{message}");
    }
    let none = it.publish("b", onto(3, "one")).await.unwrap_err();
    assert!(matches!(&none, StoreError::Stale { current: None, .. }), "{none}");
    assert_eq!(it.registry.find_prompt(PROJECT, &name("b")).await.unwrap(), None);
}

pub(crate) async fn an_author_raises_an_impact_but_never_lowers_it(it: Bench) {
    it.say("a", "hello").await;
    let judged = |text: &str, impact| NewVersion { impact: Some(impact), ..NewVersion::of(saying(text)) };
    let raised = it.publish("a", judged("good day", Impact::Minor)).await.unwrap().version;
    assert_eq!((raised.impact, raised.semver), (Some(Impact::Minor), semver("1.1.0")));
    let lowered = it.publish("a", judged("good day {{x}}", Impact::Patch)).await.unwrap_err();
    assert_eq!(lowered.field(), Some("impact"));
    assert!(lowered.to_string().contains("at least major (required variable `x` added)"), "{lowered}");
}

pub(crate) async fn a_prompt_stays_chat_or_text(it: Bench) {
    it.say("chat", "hello").await;
    let text = || NewVersion::of(content(json!({"text": "hello"})));
    let refused = it.publish("chat", text()).await.unwrap_err();
    assert_eq!(refused.field(), Some("text"));
    assert!(refused.to_string().contains("is a chat prompt"), "{refused}");
    assert_eq!(it.publish("text", text()).await.unwrap().prompt.kind, Some(PromptKind::Text));
    let refused = it.publish("text", NewVersion::of(saying("hello"))).await.unwrap_err();
    assert_eq!(refused.field(), Some("messages"));
}

pub(crate) async fn fallbacks_come_back_and_wrong_ones_are_refused_by_their_field(it: Bench) {
    let with = |fallbacks: Value| json!({"messages": [], "model": "gpt-5", "fallbacks": fallbacks});
    let given = json!(["gpt-4o", {"model": "o1", "parameters": {"temperature": null}, "tools": null}]);
    let made = it.publish("a", NewVersion::of(content(with(given.clone())))).await.unwrap().version;
    assert_eq!(serde_json::to_value(&made.content).unwrap()["fallbacks"], given);
    let next = it.publish("a", NewVersion::of(content(with(json!(["gpt-4o"]))))).await.unwrap().version;
    assert_eq!((next.impact, &*next.impact_reasons[0].reason), (Some(Impact::Minor), "fallbacks changed"));
    let other = with(json!([{"model": "gpt-4o", "response_format": {"type": "text"}}]));
    let next = it.publish("a", NewVersion::of(content(other))).await.unwrap().version;
    assert_eq!(next.impact, Some(Impact::Major), "{:?}", next.impact_reasons);
    let cases = [
        (json!({"messages": [], "fallbacks": ["gpt-5"]}), "fallbacks"),
        (with(json!(["a", "b", "c", "d", "e", "f"])), "fallbacks"),
        (
            with(json!(["a", {"model": "b", "parameters": {"messages": []}}])),
            "fallbacks[1].parameters.messages",
        ),
    ];
    for (wrong, field) in cases {
        let refused = it.publish("a", NewVersion::of(content(wrong))).await.unwrap_err();
        assert_eq!(refused.field(), Some(field), "{refused}");
    }
}

pub(crate) async fn a_template_that_does_not_compile_is_refused_with_its_place(it: Bench) {
    let broken = json!({"engine": "jinja", "messages": [{"role": "user", "content": "a\n{% if %}"}]});
    let refused = it.publish("a", NewVersion::of(content(broken))).await.unwrap_err();
    let StoreError::Template(problems) = &refused else { panic!("{refused}") };
    assert_eq!((problems[0].item, problems[0].line), (Some(0), 2));
    assert!(!refused.to_string().is_empty());
}

pub(crate) async fn a_refused_version_leaves_no_prompt_behind(it: Bench) {
    let editor = Who::new(Role::Editor, "ed");
    let new =
        || NewVersion { labels: vec![label("dev"), label("production")], ..NewVersion::of(saying("x")) };
    let refused = it.registry.publish(PROJECT, &name("a"), new(), &editor).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Forbidden(why) if why.contains("`production`")), "{refused}");
    assert_eq!(it.registry.find_prompt(PROJECT, &name("a")).await.unwrap(), None);
    let viewer = Who::new(Role::Viewer, "vic");
    let refused = it.registry.publish(PROJECT, &name("a"), NewVersion::of(saying("x")), &viewer).await;
    assert!(matches!(refused, Err(StoreError::Forbidden(_))));
    let made = it.publish("a", new()).await.unwrap();
    assert_eq!(made.prompt.labels.len(), 2);
}

pub(crate) async fn all_that_was_given_comes_back(it: Bench) {
    let whole = content(json!({
        "messages": [
            {"role": "system", "content": "Be brief, {{tone}}."},
            {"placeholder": "history"},
            {"role": "user", "content": [{"type": "text", "text": "{\"a\": 1.10, \"\u{1f600}\": \"\\u0000\"}"}]},
        ],
        "variables": {"z": {"type": "number", "default": 0.1}, "tone": {"description": "how"}},
        "model": "gpt-5-mini",
        "parameters": {"temperature": 0.300_000_000_000_000_04, "seed": 9_007_199_254_740_993_u64, "stop": ["\n"]},
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "locked": ["temperature"],
    }));
    let metadata: Map<String, Value> = serde_json::from_value(json!({"ticket": "W-1"})).unwrap();
    let new = NewVersion {
        commit_message: Some("first\nof all".into()),
        metadata: metadata.clone(),
        examples: vec![json!({"variables": {"tone": "calm"}, "expect": {"contains": "x"}})],
        ..NewVersion::of(whole.clone())
    };
    let made = it.publish("a", new).await.unwrap().version;
    let read = it.registry.get_version(PROJECT, &name("a"), &"1".parse().unwrap()).await.unwrap();
    assert_eq!(read, made);
    assert_eq!((&read.content, &read.metadata), (&whole, &metadata));
    assert_eq!((read.author.as_str(), read.commit_message.as_deref()), ("ann", Some("first\nof all")));
    let order: Vec<_> = read.content.variables.keys().collect();
    assert_eq!(order, ["z", "tone"], "the author's order is kept");
    assert_eq!(it.publish("a", NewVersion::of(read.content)).await.unwrap().version.number, 1);
}

pub(crate) async fn a_version_is_found_by_every_selector(it: Bench) {
    it.say("a", "one").await;
    let second = it.say("a", "two").await.version;
    it.say("a", "three").await;
    it.put("a", "staging", 2).await;
    let prefix = format!("sha256:{}", second.digest.get(..12).unwrap());
    for selector in ["2", "1.0.1", "staging", &prefix, &format!("sha256:{}", second.digest)] {
        let found = it.registry.get_version(PROJECT, &name("a"), &selector.parse().unwrap()).await.unwrap();
        assert_eq!(found.number, 2, "{selector}");
    }
    let latest = it.registry.get_version(PROJECT, &name("a"), &"latest".parse().unwrap()).await.unwrap();
    assert_eq!(latest.number, 3);
    for selector in ["4", "9.9.9", "nowhere", "sha256:000000000000"] {
        let missing =
            it.registry.get_version(PROJECT, &name("a"), &selector.parse().unwrap()).await.unwrap_err();
        assert!(matches!(&missing, StoreError::Missing(why) if why.contains(selector)), "{missing}");
    }
}

pub(crate) async fn versions_are_listed_newest_first(it: Bench) {
    for number in 1..=5 {
        it.say("a", &format!("text {number}")).await;
    }
    let mut paging = Paging { limit: Limit::new(2).unwrap(), cursor: None };
    let mut seen = Vec::new();
    loop {
        let page = it.registry.list_versions(PROJECT, &name("a"), &paging).await.unwrap();
        seen.extend(page.data.into_iter().map(|version| version.number));
        let Some(next) = page.next_cursor else { break };
        paging.cursor = Some(next);
    }
    assert_eq!(seen, [5, 4, 3, 2, 1]);
}

pub(crate) async fn an_archived_prompt_takes_no_versions(it: Bench) {
    it.say("a", "one").await;
    it.registry.archive_prompt(PROJECT, &name("a"), &it.admin).await.unwrap();
    let refused = it.publish("a", NewVersion::of(saying("two"))).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Conflict(why) if why.contains("archived")), "{refused}");
}

pub(crate) async fn other_examples_make_a_version_and_wrong_ones_are_refused(it: Bench) {
    let with = |examples: Value| NewVersion {
        examples: serde_json::from_value(examples).unwrap(),
        ..NewVersion::of(saying("hello"))
    };
    let case = || json!([{"variables": {}, "expect": {"contains": "hello"}}]);
    it.publish("a", with(case())).await.unwrap();
    assert!(!it.publish("a", with(case())).await.unwrap().is_new);
    assert!(!it.publish("a", with(json!([]))).await.unwrap().is_new, "saying none takes none away");
    let other = it.publish("a", with(json!([{"expect": {"max_tokens": 9}}]))).await.unwrap().version;
    assert_eq!((other.number, other.semver, other.impact), (2, semver("1.0.1"), Some(Impact::Patch)));
    assert_eq!(other.impact_reasons[0].reason, "examples changed");
    let wrong = it.publish("a", with(json!([{}, {"expect": {"sounds": "nice"}}]))).await.unwrap_err();
    assert_eq!(wrong.field(), Some("examples"));
    assert!(wrong.to_string().starts_with("examples[1]: unknown field `sounds`"), "{wrong}");
}
