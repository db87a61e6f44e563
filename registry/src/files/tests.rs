//! Files read back as what was written, and say where they are wrong.

use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::template::Template;

fn file(content: Value) -> PromptFile {
    PromptFile {
        name: None,
        description: None,
        tags: Vec::new(),
        labels: Vec::new(),
        aliases: Vec::new(),
        metadata: Map::new(),
        examples: Vec::new(),
        content: serde_json::from_value(content).unwrap(),
    }
}

fn refusal(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

#[test]
fn a_file_says_what_its_author_would_write() {
    let mut prompt = file(json!({
        "messages": [
            {"role": "system", "content": "You help customers of {{shop}}.\n\n=== not a heading\n\\=== nor this"},
            {"placeholder": "history"},
            {"role": "user", "content": "{{question}}", "name": "the customer"},
            {"role": "tool", "content": "42\n", "tool_call_id": "call_1"},
            {"role": "assistant", "content": null, "tool_calls": [{"id": "call_1", "type": "function"}]},
            {"include": "snippets/tone of voice@3", "role": "system"},
        ],
        "engine": "jinja",
        "model": "openai/gpt-4o",
        "parameters": {"temperature": 0.2, "stop": ["---", "no"]},
        "variables": {"shop": {"type": "string", "description": "where:\nthe shop"}, "question": {}},
        "locked": ["model"],
    }));
    prompt.name = Some("support/reply".parse().unwrap());
    prompt.description = Some("answers customers: kindly".into());
    prompt.tags = vec!["support".into(), "on".into()];
    prompt.labels = vec!["staging".parse().unwrap()];
    prompt.aliases = vec![Alias { id: "pmpt_1".into(), versions: [("7".into(), 1)].into(), default: None }];
    let text = write(&prompt);
    insta::assert_snapshot!(text);
    assert_eq!(read(&text), Ok(prompt));
}

#[test]
fn a_text_prompt_is_its_text() {
    let text = write(&file(json!({"text": "Translate:\n---\n=== {{text}}"})));
    assert_eq!(text, "---\ntype: text\n---\nTranslate:\n---\n=== {{text}}\n");
    assert_eq!(read(&text).unwrap().content.body, PromptBody::Text("Translate:\n---\n=== {{text}}".into()));
    for text in ["Just text\n", "\n---\n---\nJust text\n", "----\n---\nJust text\n"] {
        assert_eq!(read(text).unwrap_err().line, 1, "{text:?}");
    }
}

#[test]
fn hand_written_files_are_read_kindly() {
    let text = "\u{feff}---\r\nvariables:\r\n  shop:\r\nparameters: {seed: 7, user: no}\r\n---\r\n\r\n=== system  \r\n\r\nHi {{shop}}\r\n\r\n\r\n=== user\r\n";
    let content = read(text).unwrap().content;
    let expected = json!({
        "messages": [{"role": "system", "content": "Hi {{shop}}"}, {"role": "user", "content": ""}],
        "variables": {"shop": {}}, "parameters": {"seed": 7, "user": "no"},
    });
    assert_eq!(content, serde_json::from_value(expected).unwrap());
}

#[test]
fn problems_name_the_line() {
    let cases = [
        ("---\ntype: chat\n", "line 1: the front matter has no end"),
        ("---\nmodel: x\nmodle: y\n---\nhi", "line 3, column 1: unknown field `modle`"),
        ("---\nmodel: x\nmodel: y\n---\nhi", "line 3, column 1: duplicate mapping key: model"),
        ("---\nvariables:\n  a: {type: text}\n---\nhi", "line 3, column 13: unknown variant `text`"),
        ("---\nmodel: 'x\n---\nhi", "line 3, column 1: invalid indentation in multiline quoted"),
        ("---\ntype: chat\n---\nhi\n=== user\n", "line 4: text before the first message"),
        ("---\ntype: chat\n---\n\n=== boss\nhi", "line 5: `=== boss` is no heading"),
        ("---\n---\n=== user x\nhi", "line 3: `x` is not understood"),
        ("---\n---\n=== user name=\"x\nhi", "line 3: a quoted value has to end"),
        ("---\n---\n=== placeholder\n", "line 3: `placeholder` needs a name"),
        ("---\n---\n=== placeholder x\nhi", "line 3: nothing may follow a placeholder"),
        ("---\n---\n=== user\nhi\n=== yaml\nrole: user\ncontent: [\n", "line 7, column 10: unclosed bracket"),
        ("---\n---\n=== yaml\nrole: user\n", "line 3: this message needs `content`"),
        ("---\ntype: text\ntext: a\n---\nhi", "line 5: the text is in the front matter"),
        ("---\ntype: chat\ntext: a\n---\n", "line 5: `text` in the front matter belongs to `type: text`"),
        ("---\n---\n\n", "line 3: the prompt is empty"),
    ];
    for (text, expected) in cases {
        let message = refusal(text);
        assert!(message.starts_with(expected), "{text:?}\n{message}\n{expected}");
    }
}

#[test]
fn problems_of_templates_are_found_in_the_file() {
    let text = "---\nengine: fstring\n---\n\n=== system\n\nfine\n\n=== user\n\nHi\n {0}\n=== placeholder x\n=== placeholder x\n";
    let problems = Template::compile(&read(text).unwrap().content).unwrap_err();
    let lines: Vec<_> =
        problems.iter().map(|problem| (problem.message.contains("twice"), line_of(text, problem))).collect();
    assert_eq!(lines, [(false, 12), (true, 14)]);
    let text = "---\nengine: fstring\n---\n\nHi {0}";
    let problems = Template::compile(&read(text).unwrap().content).unwrap_err();
    assert_eq!(line_of(text, &problems[0]), 5);
}

#[test]
fn paths_stay_below_the_folder_and_lead_back_to_the_name() {
    let cases = [
        ("support/reply", "support/reply.prompt"),
        ("a.b/v1.2", "a.b/v1.2.prompt"),
        ("../.git/hooks", "%2E%2E/%2Egit/hooks.prompt"),
        ("./end. ", "%2E/end.%20.prompt"),
        ("Größe 2/x.", "Größe 2/x%2E.prompt"),
        ("..", "%2E%2E.prompt"),
        ("...", "%2E.%2E.prompt"),
    ];
    for (name, path) in cases {
        let name: PromptName = name.parse().unwrap();
        assert_eq!(path_of(&name), Path::new(path));
        assert_eq!(name_of(Path::new(path)), Ok(name));
    }
    for path in ["reply.md", "README", "/etc/x.prompt", "../x.prompt", "a@b.prompt"] {
        assert!(name_of(Path::new(path)).is_err(), "{path}");
    }
}

fn any_text() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        3 => "[a-z{} ]{0,6}",
        3 => Just("\n".to_owned()),
        1 => Just("=== ".to_owned()),
        1 => Just("\\=== user".to_owned()),
        1 => Just("---".to_owned()),
        1 => "[-:#'\"|>&*!%@`\\[\\],\\\\\r\t ]{0,3}",
        1 => "\\PC{0,5}",
    ];
    vec(pieces, 0..8).prop_map(|pieces| pieces.concat())
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any_text().prop_map(Value::from),
        "yes|no|null|~|1e3|0x1f|\\.inf|2024-01-01|<<|=|007".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((any_text(), inner), 0..4).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn any_item() -> impl Strategy<Value = Value> {
    let role = "system|developer|user|assistant|tool";
    let name = || any_text().prop_filter("names are not empty", |name| !name.trim().is_empty());
    prop_oneof![
        5 => (role, any_text()).prop_map(|(role, content)| json!({"role": role, "content": content})),
        2 => (role, any_text(), "[a-z_-]{1,4}", any_text())
            .prop_map(|(role, content, key, value)| json!({"role": role, "content": content, key: value})),
        2 => (role, vec(any_part(), 0..3)).prop_map(|(role, parts)| json!({"role": role, "content": parts})),
        1 => any_json().prop_map(|calls| json!({"role": "assistant", "content": null, "tool_calls": [calls]})),
        1 => name().prop_map(|name| json!({"placeholder": name})),
        1 => (name(), role).prop_map(|(name, role)| json!({"include": name, "role": role})),
        1 => name().prop_map(|name| json!({"include": format!("{name}@staging")})),
    ]
}

fn any_part() -> impl Strategy<Value = Value> {
    prop_oneof![
        2 => any_text().prop_map(|text| json!({"type": "text", "text": text})),
        1 => any_text().prop_map(|url| json!({"type": "image_url", "image_url": {"url": url, "detail": "low"}})),
        1 => any_json().prop_map(|file| json!({"type": "file", "file": file, "cache_control": {"type": "ephemeral"}})),
    ]
}

fn any_variable() -> impl Strategy<Value = Value> {
    let kind = "string|number|integer|boolean|array|object|messages|image|file";
    (kind, any::<bool>(), any_text(), any_json(), 0..5_usize).prop_map(
        |(kind, required, text, value, many)| {
            let fields = [
                ("type", json!(kind)),
                ("required", json!(required)),
                ("description", json!(text)),
                ("example", value.clone()),
                ("default", value),
            ];
            fields.into_iter().take(many + 1).map(|(name, value)| (name.to_owned(), value)).collect()
        },
    )
}

fn any_fallback() -> impl Strategy<Value = Value> {
    prop_oneof![
        any_text().prop_map(|more| json!(format!("m{more}"))),
        (any_json(), any_text()).prop_map(|(value, more)| {
            json!({"model": format!("m{more}"), "parameters": {"x": value}, "tools": null, "tool_choice": value,
                   "response_format": value})
        }),
    ]
}

fn any_content() -> impl Strategy<Value = Value> {
    let body = prop_oneof![
        3 => vec(any_item(), 0..5).prop_map(|items| json!({ "messages": items })),
        1 => any_text().prop_map(|text| json!({ "text": text })),
    ];
    let engine = "plain|jinja|fstring";
    let settings = (vec(any_fallback(), 0..3), vec((any_text(), any_variable()), 0..3), any_text());
    (body, engine, vec((any_text(), any_json()), 0..3), any_json(), vec(any_text(), 0..2), settings).prop_map(
        |(mut content, engine, fields, value, words, (fallbacks, variables, model))| {
            content["engine"] = json!(engine);
            content["parameters"] = Value::Object(fields.into_iter().collect());
            content["variables"] = Value::Object(variables.into_iter().collect());
            content["tools"] = json!([value]);
            content["tool_choice"] = value.clone();
            content["response_format"] = json!({"type": "json_schema", "json_schema": value});
            content["locked"] = json!(words);
            content["model"] = json!(model);
            content["fallbacks"] = json!(fallbacks);
            content
        },
    )
}

proptest! {
    #[test]
    fn whatever_is_written_reads_back(content in any_content(), told in vec(any_text(), 3), metadata in any_json()) {
        let mut prompt = file(content);
        prompt.description = Some(told[0].clone());
        prompt.tags = told;
        prompt.labels = vec!["production".parse().unwrap(), "on".parse().unwrap()];
        prompt.aliases = vec![Alias { id: "pmpt_1".into(), versions: [("7".into(), 1)].into(), default: Some(2) }];
        prompt.examples = vec![json!({"variables": {"x": metadata.clone()}})];
        prompt.metadata.insert("m".into(), metadata);
        let text = write(&prompt);
        prop_assert_eq!(read(&text), Ok(prompt), "{}", text);
    }

    #[test]
    fn reading_never_panics(text in any_text(), body in any_text()) {
        drop(read(&text));
        drop(read(&format!("---\n{text}\n---\n=== user {text}\n{body}\n=== yaml\n{body}")));
    }

    #[test]
    fn every_name_has_a_path_of_its_own(name in "[a-zÄ._ -]{1,6}(/[a-z. ]{1,4}){0,2}") {
        if let Ok(name) = name.parse::<PromptName>() {
            let path = path_of(&name);
            prop_assert!(path.components().all(|part| matches!(part, std::path::Component::Normal(_))));
            prop_assert_eq!(name_of(&path), Ok(name));
        }
    }
}
