//! Golden files: each `templates/<case>.json` is a content with the variables of one call; beside it stands what it
//! rendered to, or why it was refused.

use std::fs;
use std::path::Path;

use dialects::merge::RenderedItem;
use registry::content::{Content, Included, Variables};
use registry::template::{Problem, RenderError, Rendered, Template};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What the case is about, for the reader.
    #[serde(rename = "about")]
    _about: String,
    content: Content,
    #[serde(default)]
    included: Included,
    #[serde(default)]
    variables: Variables,
}

#[test]
fn templates_render_as_their_golden_files_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/templates");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(&folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let mut cases: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    cases.sort();
    assert!(cases.len() > 40, "the golden files are gone: {}", cases.len());
    for path in cases {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let case: Case = serde_json::from_str(&fs::read_to_string(&path).unwrap())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        settings.bind(|| insta::assert_json_snapshot!(name, outcome(&case)));
    }
}

fn outcome(case: &Case) -> Value {
    match Template::including(&case.content, &case.included) {
        Err(problems) => json!({ "problems": problems.iter().map(Problem::to_string).collect::<Vec<_>>() }),
        Ok(template) => match template.render(&case.variables) {
            Ok(rendered) => show(rendered),
            Err(error) => show_error(&error),
        },
    }
}

fn show(rendered: Rendered) -> Value {
    let items: Vec<_> = rendered.items.into_iter().map(show_item).collect();
    if rendered.unknown.is_empty() {
        json!({ "items": items })
    } else {
        json!({ "items": items, "unknown": rendered.unknown })
    }
}

fn show_item(item: RenderedItem) -> Value {
    match item {
        RenderedItem::Message(message) => json!(message),
        RenderedItem::Placeholder { name, fill } => json!({ "placeholder": name, "fill": fill }),
    }
}

fn show_error(error: &RenderError) -> Value {
    json!({ "code": error.code(), "error": error.to_string() })
}
