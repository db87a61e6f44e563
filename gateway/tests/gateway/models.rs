//! The list of models: what this key may call, prompts included.

use config::{Config, Provider, ProviderKind};
use serde_json::json;

use crate::support::{Answer, Harness};

fn two_models(config: &mut Config) {
    config.providers[0].models = vec!["gpt-4o-mini".to_owned(), "vendor/odd:name".to_owned()];
    config.aliases.insert("house-model".to_owned(), "openai/gpt-4o-mini".to_owned());
}

fn ids(answer: &Answer) -> Vec<String> {
    let list = answer.json();
    assert_eq!((answer.status, &list["object"]), (200, &json!("list")), "{list}");
    let models = list["data"].as_array().unwrap();
    assert!(models.iter().all(|model| model["object"] == "model" && model["owned_by"].is_string()), "{list}");
    models.iter().map(|model| model["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn models_aliases_and_prompts_are_listed() {
    let weir = Harness::with(two_models).await;
    weir.publish_saying("support/reply", "one").await;

    let listed = ids(&weir.get("/v1/models").await);

    for id in ["gpt-4o-mini", "vendor/odd:name", "house-model", "prompt:support/reply"] {
        assert!(listed.iter().any(|listed| listed == id), "{id} is missing in {listed:?}");
    }
}

#[tokio::test]
async fn a_listed_model_is_called_where_it_is_listed() {
    let weir = Harness::with(|config| {
        config.providers.push(Provider::new("demo", ProviderKind::Demo, String::new()));
    })
    .await;
    let listed = weir.get("/v1/models").await.json()["data"].as_array().unwrap().clone();
    let demos: Vec<_> = listed.iter().filter(|model| model["owned_by"] == "demo").collect();
    assert_eq!(demos.len(), 3, "{listed:?}");

    let answer = weir.chat(&json!({"model": "demo-small", "messages": []})).await;

    assert_eq!((answer.status, answer.header("weir-provider")), (200, "demo"));
    assert_eq!(weir.provider.calls(), 0);
}

#[tokio::test]
async fn a_key_sees_only_what_it_may_call() {
    let weir = Harness::with(two_models).await;
    weir.publish_saying("support/reply", "one").await;
    weir.publish_saying("sales/pitch", "one").await;
    let key = weir.key(json!({"models": ["gpt-*"], "prompts": ["sales/*"]})).await;

    let listed = ids(&weir.call("GET", "/v1/models").key(&key).send().await);

    assert_eq!(listed, ["gpt-4o-mini", "prompt:sales/pitch"]);
}

#[tokio::test]
async fn a_model_is_found_by_its_id_however_it_is_written() {
    let weir = Harness::with(two_models).await;
    weir.publish_saying("support/reply", "one").await;
    for (path, id) in [
        ("/v1/models/gpt-4o-mini", "gpt-4o-mini"),
        ("/v1/models/vendor/odd:name", "vendor/odd:name"),
        ("/v1/models/vendor%2Fodd%3Aname", "vendor/odd:name"),
        ("/v1/models/house-model", "house-model"),
        ("/v1/models/prompt:support/reply", "prompt:support/reply"),
    ] {
        let answer = weir.get(path).await;
        assert_eq!((answer.status, &answer.json()["id"]), (200, &json!(id)), "{path}");
    }
}

#[tokio::test]
async fn a_model_that_is_not_there_is_not_found() {
    let weir = Harness::with(two_models).await;
    let limited = weir.key(json!({"models": ["gpt-4o-mini"]})).await;

    assert_eq!(weir.get("/v1/models/nothing").await.refusal().1, "model_not_found");
    let hidden = weir.call("GET", "/v1/models/vendor/odd:name").key(&limited).send().await;
    assert_eq!(hidden.refusal(), (404, "model_not_found".to_owned(), "invalid_request_error".to_owned()));
}

#[tokio::test]
async fn the_list_needs_a_key_and_the_right_method() {
    let weir = Harness::with(two_models).await;
    assert_eq!(weir.call("GET", "/v1/models").without_key().send().await.refusal().1, "invalid_api_key");
    assert_eq!(weir.post("/v1/models", &json!({})).await.refusal().1, "method_not_allowed");
}
