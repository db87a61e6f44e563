//! Cases about snippets: pinned, rendered, refused, found again.

use registry::{NewDraft, NewVersion, Paging, Point, PromptChange, StoreError, UsedByFilter};
use serde_json::{Value, json};
use vocab::{Impact, Limit, Selector};

use crate::bench::{Bench, PROJECT, content, name};

async fn publish(it: &Bench, prompt: &str, value: Value) -> registry::Published {
    it.publish(prompt, NewVersion::of(content(value))).await.unwrap()
}

async fn refused(it: &Bench, prompt: &str, value: Value) -> StoreError {
    it.publish(prompt, NewVersion::of(content(value))).await.unwrap_err()
}

/// A text snippet that serves as production.
async fn tone(it: &Bench, text: &str) -> u32 {
    let made = publish(it, "snippets/tone", json!({ "text": text })).await.version.number;
    it.put("snippets/tone", "production", made).await;
    made
}

async fn said(it: &Bench, reference: &str, variables: Value) -> Vec<String> {
    let resolved = it.resolve(reference).await.unwrap();
    let variables = serde_json::from_value(variables).unwrap();
    let rendered = resolved.version.template.render(&variables).unwrap();
    rendered.items.iter().map(|item| format!("{item:?}")).collect()
}

pub(crate) async fn what_is_included_is_pinned_and_rendered(it: Bench) {
    tone(&it, "Be {{how}}.").await;
    let chat = json!({"messages": [{"include": "snippets/tone", "role": "system"}, {"role": "user", "content": "{{q}}"}]});
    let made = publish(&it, "a", chat).await.version;
    assert_eq!(serde_json::to_value(&made.content).unwrap()["messages"][0]["include"], "snippets/tone@1");
    let rendered = said(&it, "a@1", json!({"how": "kind", "q": "?"})).await;
    assert!(rendered[0].contains("Be kind.") && rendered[0].contains("System"), "{rendered:?}");

    let page = json!({"engine": "jinja", "text": "{% if x %}{% include 'snippets/tone' %}{% endif %}!"});
    let made = publish(&it, "b", page).await.version;
    assert_eq!(
        serde_json::to_value(&made.content).unwrap()["text"],
        "{% if x %}{% include \"snippets/tone@1\" %}{% endif %}!"
    );
    assert!(said(&it, "b@1", json!({"x": true, "how": "kind"})).await[0].contains("Be kind.!"));
    it.put("a", "production", 1).await;
    let again = it.reopened().await;
    let resolved = again.resolve(PROJECT, &"a".parse().unwrap()).await.unwrap();
    assert!(resolved.version.template.variables().iter().any(|it| it.name == "how"), "also after a restart");
}

pub(crate) async fn a_snippet_that_moves_on_changes_nothing_published(it: Bench) {
    tone(&it, "Be kind.").await;
    let chat = || json!({"messages": [{"include": "snippets/tone"}]});
    publish(&it, "a", chat()).await;
    assert!(!publish(&it, "a", chat()).await.is_new, "the same snippet is the same content");
    tone(&it, "Be stern.").await;
    assert!(said(&it, "a@1", json!({})).await[0].contains("kind"));
    let next = publish(&it, "a", chat()).await;
    assert!(next.is_new && said(&it, "a@2", json!({})).await[0].contains("stern"));
    assert_ne!(
        next.version.digest,
        it.registry.get_version(PROJECT, &name("a"), &Selector::Number(1)).await.unwrap().digest
    );
    let pinned = json!({"messages": [{"include": "snippets/tone@1.0.0"}]});
    publish(&it, "a", pinned).await;
    assert!(said(&it, "a@3", json!({})).await[0].contains("kind"));
}

pub(crate) async fn a_prompt_that_was_renamed_is_still_included(it: Bench) {
    tone(&it, "Be kind.").await;
    publish(&it, "a", json!({"messages": [{"include": "snippets/tone"}]})).await;
    let change = PromptChange { name: Some(name("snippets/voice")), ..PromptChange::default() };
    it.registry.update_prompt(PROJECT, &name("snippets/tone"), change, &it.admin).await.unwrap();
    assert!(said(&it, "a@1", json!({})).await[0].contains("kind"));
    let next = publish(&it, "b", json!({"messages": [{"include": "snippets/tone@1"}]})).await.version;
    assert_eq!(serde_json::to_value(&next.content).unwrap()["messages"][0]["include"], "snippets/voice@1");
}

pub(crate) async fn what_cannot_be_included_is_refused_by_its_place(it: Bench) {
    publish(&it, "chat", json!({"messages": [{"role": "user", "content": "x"}]})).await;
    publish(&it, "text", json!({"text": "{{a.b}}"})).await;
    let cases = [
        (
            json!({"messages": [{"placeholder": "p"}, {"include": "nobody@1"}]}),
            "messages[1].include",
            "no prompt `nobody`",
        ),
        (json!({"messages": [{"include": "chat"}]}), "messages[0].include", "has no label `production`"),
        (json!({"messages": [{"include": "chat@9"}]}), "messages[0].include", "has no version `9`"),
        (json!({"messages": [{"include": "a b@@1"}]}), "messages[0].include", "cannot be included"),
        (json!({"messages": [{"include": "chat@staging"}]}), "messages[0].include", "has no label `staging`"),
        (json!({"engine": "jinja", "text": "{% include 'nobody@1' %}"}), "text", "no prompt `nobody`"),
    ];
    for (wrong, field, says) in cases {
        let told = refused(&it, "a", wrong).await;
        assert_eq!(told.field(), Some(field), "{told}");
        assert!(told.to_string().contains(says), "{told}");
    }
    let templates = [
        (json!({"messages": [{"include": "chat@1", "role": "system"}]}), "leave `role` out"),
        (json!({"engine": "jinja", "text": "{% include 'chat@1' %}"}), "is a chat prompt"),
        (json!({"engine": "jinja", "text": "{% include 'text@1' %}"}), "which jinja cannot name"),
        (json!({"engine": "jinja", "text": "{% include x %}"}), "one name between quotes"),
        (
            json!({"engine": "jinja", "text": "{% include 'text@1' ignore missing %}"}),
            "one name between quotes",
        ),
    ];
    for (wrong, says) in templates {
        let told = refused(&it, "a", wrong).await;
        assert!(matches!(&told, StoreError::Template(_)) && told.to_string().contains(says), "{told}");
    }
    assert_eq!(it.registry.find_prompt(PROJECT, &name("a")).await.unwrap(), None, "nothing is left behind");
}

pub(crate) async fn a_prompt_never_includes_itself(it: Bench) {
    publish(&it, "a", json!({"text": "x"})).await;
    let own = refused(&it, "a", json!({"engine": "jinja", "text": "{% include 'a@1' %}"})).await;
    assert!(own.to_string().contains("would include itself"), "{own}");
    publish(&it, "b", json!({"engine": "jinja", "text": "{% include 'a@1' %}"})).await;
    let round = refused(&it, "a", json!({"engine": "jinja", "text": "{% include 'b@1' %}"})).await;
    assert!(round.to_string().contains("through `b@1`"), "{round}");
}

pub(crate) async fn snippets_go_so_deep_and_no_deeper(it: Bench) {
    publish(&it, "s0", json!({"text": "deep"})).await;
    for level in 1..=7 {
        let text = format!("{{% include 's{}@1' %}}", level - 1);
        publish(&it, &format!("s{level}"), json!({"engine": "jinja", "text": text})).await;
    }
    publish(&it, "s8", json!({"messages": [{"include": "s7@1"}]})).await;
    assert!(said(&it, "s8@1", json!({})).await[0].contains("deep"));
    let told = refused(&it, "s9", json!({"messages": [{"include": "s8@1"}]})).await;
    assert!(told.to_string().contains("more than 8 snippets deep"), "{told}");
}

pub(crate) async fn users_of_a_prompt_are_listed(it: Bench) {
    tone(&it, "Be kind.").await;
    for prompt in ["a", "b", "c"] {
        publish(
            &it,
            prompt,
            json!({"messages": [{"include": "snippets/tone"}, {"role": "user", "content": "1"}]}),
        )
        .await;
        publish(
            &it,
            prompt,
            json!({"messages": [{"include": "snippets/tone"}, {"role": "user", "content": "2"}]}),
        )
        .await;
    }
    publish(&it, "a", json!({"messages": []})).await;
    it.put("b", "production", 1).await;
    let list = async |filter: UsedByFilter, limit: u32| {
        let mut paging = Paging { limit: Limit::new(limit).unwrap(), cursor: None };
        let mut users = Vec::new();
        loop {
            let page = it.registry.used_by(PROJECT, &name("snippets/tone"), filter, &paging).await.unwrap();
            users.extend(page.data);
            let Some(next) = page.next_cursor else { return users };
            paging.cursor = Some(next);
        }
    };
    let served = list(UsedByFilter::default(), 2).await;
    let places: Vec<_> = served.iter().map(|it| (it.prompt.to_string(), it.version, it.is_latest)).collect();
    let expected = [("b", 1, false), ("b", 2, true), ("c", 2, true)];
    assert_eq!(places, expected.map(|(name, version, latest)| (name.to_owned(), version, latest)));
    assert_eq!(
        (served[0].labels.len(), &*served[0].reference, served[0].includes_version),
        (1, "snippets/tone@1", Some(1))
    );
    assert_eq!(list(UsedByFilter { all: true, ..UsedByFilter::default() }, 4).await.len(), 6);
    assert!(list(UsedByFilter { version: Some(2), all: true }, 4).await.is_empty());
}

pub(crate) async fn an_include_counts_as_what_it_brings(it: Bench) {
    tone(&it, "Be kind.").await;
    publish(&it, "a", json!({"messages": [{"include": "snippets/tone"}]})).await;
    tone(&it, "Be {{how}}.").await;
    let next = publish(&it, "a", json!({"messages": [{"include": "snippets/tone"}]})).await.version;
    assert_eq!(next.impact, Some(Impact::Major));
    assert_eq!(next.impact_reasons[0].reason, "required variable `how` added");
    let became = "`snippets/tone@1` became `snippets/tone@2`";
    assert!(next.impact_reasons.iter().any(|it| it.reason == became), "{:?}", next.impact_reasons);
}

pub(crate) async fn a_draft_is_tried_with_what_it_includes(it: Bench) {
    tone(&it, "Be {{how}}.").await;
    publish(&it, "a", json!({"messages": []})).await;
    let draft = NewDraft::of(content(json!({"messages": [{"include": "snippets/tone"}]})));
    it.registry.put_draft(PROJECT, &name("a"), draft, &it.admin).await.unwrap();
    let compared = it.registry.compare((PROJECT, &name("a")), None, &Point::Draft, &it.admin).await.unwrap();
    assert_eq!(compared.diff.impact_reasons[0].reason, "required variable `how` added");
    let broken = content(json!({"messages": [{"include": "nobody@1"}]}));
    let tried = it.registry.check(PROJECT, &broken).await.unwrap();
    assert!(tried.template.is_none() && tried.problems[0].message.contains("no prompt `nobody`"));
}
