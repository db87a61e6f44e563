//! Golden files: what other systems export, and what is read from it. `UPDATE=1` writes them anew.

use std::fs;
use std::path::{Path, PathBuf};

use registry::content::Content;
use registry::template::Template;
use serde_json::{Value, json};

use super::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/import")
}

fn given(file: &str) -> String {
    fs::read_to_string(folder().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Holds what was read to the golden file, and every version to the registry's own rules.
fn hold(case: &str, found: &[Found]) {
    for (found, version) in
        found.iter().flat_map(|found| found.versions.iter().map(move |version| (found, version)))
    {
        let content: Content = serde_json::from_value(version.content.clone().into())
            .unwrap_or_else(|error| panic!("{}@{}: {error}", found.name, version.id));
        let problems = Template::compile(&content).err();
        assert_eq!(problems, None, "{}@{}", found.name, version.id);
    }
    let path = folder().join(format!("{case}.found.json"));
    let read = serde_json::to_string_pretty(found).unwrap() + "\n";
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, read).unwrap();
        return;
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(read, golden, "{case}: run with UPDATE=1 and look at the difference");
}

#[test]
fn langfuses_rows_keep_text_config_and_labels() {
    let rows: Vec<Value> = serde_json::from_str(&given("langfuse.json")).unwrap();
    hold("langfuse", &[langfuse::read("support/reply", rows).unwrap()]);
}

#[test]
fn promptlayers_templates_keep_their_format_and_labels() {
    hold("promptlayer", &promptlayer::read(&given("promptlayer.json")).unwrap());
}

#[test]
fn langsmiths_manifests_are_read_as_data() {
    hold("langsmith", &langsmith::read(&given("langsmith.json"), "unnamed").unwrap());
    hold("greeting", &langsmith::read(&given("greeting.json"), "greeting").unwrap());
}

#[test]
fn mlflows_tags_come_to_prompts() {
    hold("mlflow", &mlflow::read(&given("mlflow.json")).unwrap());
}

#[test]
fn promptfoos_configuration_brings_its_files_and_cases() {
    let open = |name: &str| fs::read_to_string(folder().join(name)).map_err(|error| error.kind().to_string());
    hold("promptfoo", &promptfoo::read(&given("promptfooconfig.yaml"), "promptfooconfig", &open).unwrap());
}

#[test]
fn openais_prompts_keep_their_ids_and_versions() {
    hold("openai", &openai::read(&given("openai.json"), &openai::Known::default()).unwrap());
    let known = openai::Known {
        name: Some("shop/help".into()),
        id: Some("pmpt_1".into()),
        version: Some("3".into()),
    };
    hold("openai-text", &openai::read(&given("openai.txt"), &known).unwrap());
}

#[test]
fn what_is_something_else_is_said_to_be() {
    let why = |read: Result<Vec<Found>, NotThat>| read.unwrap_err().to_string();
    assert!(why(promptlayer::read("{}")).contains("prompt_name"));
    assert!(why(mlflow::read("{}")).contains("model_versions"));
    assert!(why(langsmith::read("nonsense", "a")).contains("not JSON"));
    assert!(why(promptfoo::read("providers: [a]", "a", &|_| Err(String::new()))).contains("`prompts`"));
    assert!(why(openai::read("Be kind.", &openai::Known::default())).contains("--id"));
    assert!(why(openai::read("  ", &openai::Known::default())).contains("empty"));
    let none = langsmith::read(r#"{"lc": 1, "id": ["langchain", "Evil"], "kwargs": {}}"#, "a").unwrap();
    assert_eq!(none[0].versions, []);
    assert_eq!(none[0].notes, ["version 1 is not carried: a `Evil` is no prompt that has a form here"]);
}

#[test]
fn versions_from_several_files_are_put_together_in_order() {
    let one = |version: &str| {
        let known = openai::Known {
            id: Some("pmpt_1".into()),
            version: Some(version.into()),
            ..openai::Known::default()
        };
        openai::read("Be kind.", &known).unwrap()
    };
    let all = Found::together([one("10"), one("9")].into_iter().flatten().collect());
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].versions.iter().map(|version| version.id.as_str()).collect::<Vec<_>>(), ["9", "10"]);
    assert_eq!(json!(all[0].name), json!("openai/pmpt_1"));
}

#[test]
fn a_text_becomes_a_message_beside_versions_that_are_messages() {
    let mut found = mlflow::read(&given("mlflow.json")).unwrap().remove(0);
    found.settle_kind();
    let messages = &found.versions[0].content["messages"];
    assert_eq!((&messages[0]["role"], messages.as_array().unwrap().len()), (&json!("user"), 1));
    assert!(found.notes.iter().any(|note| note.starts_with("version 1: its text is a user message")));
}

#[test]
fn names_are_brought_to_the_rule() {
    for (theirs, ours) in [("a/b", "a/b"), ("Team: x", "Team- x"), ("/a//b/", "a/b"), ("a|b@c", "a-b-c")] {
        assert_eq!(fitting_name(theirs).unwrap().0.as_str(), ours);
    }
    assert!(fitting_name("///").is_err());
}
