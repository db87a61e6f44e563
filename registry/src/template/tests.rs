//! What holds for any text and any values; single cases are golden files in `registry/tests/templates`.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn compile(content: Value) -> Result<Template, Vec<Problem>> {
    Template::compile(&serde_json::from_value(content).unwrap())
}

fn compile_text(engine: &str, text: &str) -> Result<Template, Vec<Problem>> {
    compile(json!({ "text": text, "engine": engine }))
}

fn variables(value: Value) -> Variables {
    serde_json::from_value(value).unwrap()
}

fn text_of(rendered: &Rendered) -> String {
    let [RenderedItem::Message(message)] = rendered.items.as_slice() else { return String::new() };
    match &message.content {
        dialects::chat::Content::Text(text) => text.clone(),
        other => panic!("not a text: {other:?}"),
    }
}

/// Texts made of what engines care about, and of anything else.
fn any_text() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        4 => "[{}%#|. \n\t]{1,3}",
        2 => "[a-c_]{1,3}",
        1 => Just("{{ a }}".to_owned()),
        1 => Just("{% if a %}".to_owned()),
        1 => Just("{% endif %}".to_owned()),
        1 => Just("{% for x in a %}".to_owned()),
        1 => Just("{% endfor %}".to_owned()),
        1 => "\\PC{0,8}",
    ];
    proptest::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any_text().prop_map(Value::from),
        Just(json!({"type": "input_text", "text": "{{b}}"})),
        Just(json!({"type": "input_image", "image_url": "u"})),
        Just(json!({"type": "input_file"})),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::btree_map("[a-c]", inner, 0..3).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    #[test]
    fn no_engine_panics_whatever_it_is_given(text in any_text(), a in any_value(), b in any_value()) {
        for engine in ["plain", "fstring", "jinja"] {
            let content = json!({"engine": engine, "messages": [
                {"role": "system", "content": text}, {"role": "user", "content": [{"type": "text", "text": text}]},
            ]});
            match compile(content) {
                Ok(template) => drop(template.render(&variables(json!({"a": a, "b": b, "c": 1})))),
                Err(problems) => prop_assert!(problems.iter().all(|problem| problem.line > 0 && problem.column > 0)),
            }
        }
    }

    #[test]
    fn plain_never_changes_what_is_not_a_variable(text in "[^{]*(\\{[^{]+)*") {
        let template = compile_text("plain", &text).unwrap();
        prop_assert_eq!(template.variables().len(), 0);
        prop_assert_eq!(text_of(&template.render(&Variables::new()).unwrap()), text);
    }

    #[test]
    fn plain_keeps_the_text_around_variables(pieces in proptest::collection::vec("[^{]*", 1..6), value in any_text()) {
        let template = compile_text("plain", &pieces.join("{{ v }}")).unwrap();
        let rendered = template.render(&variables(json!({"v": value, "secret": "x"}))).unwrap();
        prop_assert_eq!(text_of(&rendered), pieces.join(&value));
    }

    #[test]
    fn values_are_inserted_once_by_every_engine(value in any_text()) {
        for (engine, text) in [("plain", "<{{v}}>{{v}}"), ("fstring", "<{v}>{v}"), ("jinja", "<{{v}}>{{v}}")] {
            let sent = variables(json!({"v": value, "a": "A", "b": "B", "c": "C"}));
            let rendered = compile_text(engine, text).unwrap().render(&sent).unwrap();
            prop_assert_eq!(text_of(&rendered), format!("<{value}>{value}"));
        }
    }

    #[test]
    fn fstring_escapes_bring_any_text_through(text in any_text()) {
        let escaped = text.replace('{', "{{").replace('}', "}}");
        let template = compile_text("fstring", &escaped).unwrap();
        prop_assert_eq!(text_of(&template.render(&Variables::new()).unwrap()), text);
    }

    #[test]
    fn jinja_keeps_text_without_tags(text in "([^{]|\\{[^{%#])*[^{\r\n]") {
        let template = compile_text("jinja", &text).unwrap();
        prop_assert_eq!(text_of(&template.render(&Variables::new()).unwrap()), text);
    }
}

#[test]
fn braces_without_end_are_read_in_one_pass() {
    let text = "{{ ".repeat(300_000);
    assert_eq!(text_of(&compile_text("plain", &text).unwrap().render(&Variables::new()).unwrap()), text);
    assert_eq!(compile_text("fstring", &"{a ".repeat(300_000)).unwrap_err().len(), 100);
}

#[test]
fn a_prompt_that_grows_without_end_is_refused_by_every_engine() {
    let sent = variables(json!({"v": "x".repeat(1 << 20)}));
    for (engine, text) in [("plain", "{{v}}"), ("fstring", "{v}"), ("jinja", "{{v}}")] {
        let template = compile_text(engine, &text.repeat(65)).unwrap();
        assert!(matches!(template.render(&sent), Err(RenderError::Template { .. })), "{engine}");
    }
}

#[test]
fn the_steps_of_all_pages_count_together() {
    let page = json!({"role": "user", "content": "{% for i in range(9000) %}{{ a }}{% endfor %}"});
    let content = |pages: usize| json!({"engine": "jinja", "messages": vec![page.clone(); pages]});
    let sent = variables(json!({"a": ""}));
    assert!(compile(content(2)).unwrap().render(&sent).is_ok());
    let error = compile(content(8)).unwrap().render(&sent).unwrap_err();
    assert!(error.to_string().contains("runs too long"), "{error}");
}

#[test]
fn pages_nested_to_the_limit_do_not_exhaust_the_stack() {
    let chains = [" ~ a", "|upper", " and a", ".a", "[0]", " == a", " if a else a", " is true", " ** a"];
    for link in chains {
        let text = |links: usize| format!("{{{{ a{} }}}}", link.repeat(links));
        drop(compile_text("jinja", &text(90)).map(|template| template.render(&variables(json!({"a": "x"})))));
        assert!(compile_text("jinja", &text(5_000)).is_err(), "{link}");
    }
    let branches = |count: usize| format!("{{% if a %}}{}{{% endif %}}", "{% elif a %}".repeat(count));
    assert!(compile_text("jinja", &branches(200)).is_ok());
    assert!(compile_text("jinja", &branches(5_000)).is_err());
    assert!(compile_text("jinja", &"{% if a %}".repeat(5_000)).is_err());
    assert!(compile_text("jinja", &format!("{{{{ {} }}}}", "(".repeat(5_000))).is_err());
    assert!(compile_text("jinja", &format!("{{{{ {}1 }}}}", "-".repeat(5_000))).is_err());
    let lists = |count: usize| format!("{{% set x = 1 %}}{}", "{% set x = [x] %}".repeat(count));
    assert!(compile_text("jinja", &lists(400)).unwrap().render(&Variables::new()).is_ok());
    assert!(compile_text("jinja", &lists(5_000)).is_err());
}

#[test]
fn lists_in_lists_without_end_do_not_exhaust_the_stack() {
    for end in ["{{ ns.x }}", "{{ ns.x|string }}", "{{ ns.x == [ns.x] }}", "{{ ns.x|tojson(indent=1) }}", ""]
    {
        for rounds in [3_000, 12_000, 90_000] {
            let text = format!(
                "{{% set ns = namespace(x=[]) %}}{{% for i in range({rounds}) %}}{{% set ns.x = [ns.x] %}}{{% endfor %}}{end}"
            );
            drop(compile_text("jinja", &text).unwrap().render(&Variables::new()));
        }
    }
}

#[test]
fn what_a_page_puts_together_has_a_limit() {
    let doubled = |sets: &str, join: &str| format!("{sets}{}{{{{ a|length }}}}", join.repeat(40));
    let start = "{% set a = 'xxxxxxxxxxxxxxxx' %}";
    let pages = [
        doubled(start, "{% set a = a ~ a %}"),
        doubled(start, "{% set a = a + a %}"),
        doubled(start, "{% set a = ('' ~ (a ~ (a))) %}"),
        doubled(start, "{% set a = [a, a]|join %}"),
        doubled(start, "{% set a = a|replace('', a) %}"),
        doubled(start, "{% set a %}{{ a }}{{ a }}{% endset %}"),
        doubled("{% set a = [1] %}", "{% set a = a + a %}"),
        "{% set ns = namespace(x='x') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}"
            .into(),
        "{% set ns = namespace(x=[]) %}{% for i in range(900) %}{% set ns.x = ns.x + [v ~ v] %}{% endfor %}"
            .into(),
        "{{ v|indent(99999999999) }}".into(),
        "{{ v|indent(width=99999999999) }}".into(),
        "{{ '%99999999999s'|format(v) }}".into(),
    ];
    let sent = variables(json!({"v": "long ".repeat(50_000)}));
    for page in pages {
        let error = compile_text("jinja", &page).unwrap().render(&sent).unwrap_err();
        assert!(matches!(error, RenderError::Template { .. }), "{page}: {error}");
    }
}

#[test]
fn what_guards_a_page_is_not_seen() {
    let same = [
        ("{{ a ~ ' ' ~ b.c[0] ~ d|upper }}", "x zY"),
        ("{{ (a ~ d)|length + 1 }}", "3"),
        ("{{ 1 + 2 }}{{ -1 + 2 }}{{ [1] + [2, 3] }}", "31[1,2,3]"),
        ("{{ a ~ (d if a else b) }}{{ 'a ~ b' }}{% set q = a ~ d %}{{ q }}", "xya ~ bxy"),
        ("{{ [a, d]|join(', ') }}{{ 'a-b'|replace('-', '+') }}{{ '%05.1f'|format(2) }}", "x, ya+b002.0"),
        ("{{ 'k\nl'|indent(2) }}{{ a ~ -1 }}{{ range(2)|map('string')|join('~') }}", "k\n  lx-10~1"),
    ];
    let sent = variables(json!({"a": "x", "b": {"c": ["z"]}, "d": "y"}));
    for (page, expected) in same {
        let template = compile_text("jinja", page).unwrap();
        assert_eq!(text_of(&template.render(&sent).unwrap()), expected, "{page}");
    }
    let place = |page: &str| match compile_text("jinja", page).unwrap().render(&sent).unwrap_err() {
        RenderError::Template { line, column, .. } => (line, column),
        other => panic!("{other}"),
    };
    assert_eq!(place("{{ a ~ d ~\n  b.none.c }}"), place("{{ [a , d ,\n  b.none.c] }}"), "the author's");
    assert!(compile_text("jinja", "{{ a|__operand }}").is_err());
}

#[test]
fn variables_are_listed_with_what_they_take() {
    let template = compile(json!({
        "messages": [
            {"role": "user", "content": "{{b}} {{a}} {{c}}"}, {"placeholder": "history"}, {"placeholder": "shots"},
        ],
        "variables": {"c": {"type": "integer", "default": 1}, "a": {}, "shots": {"type": "messages"}},
    }));
    let template = template.unwrap();
    let listed: Vec<_> =
        template.variables().iter().map(|v| (v.name.as_str(), v.kind, v.required, v.declared)).collect();
    assert_eq!(
        listed,
        [
            ("c", Some(VariableKind::Integer), false, true),
            ("a", None, true, true),
            ("shots", Some(VariableKind::Messages), false, true),
            ("b", Some(VariableKind::String), true, false),
            ("history", Some(VariableKind::Messages), false, false),
        ]
    );
    let jinja = compile_text("jinja", "{{ a }}{% if b %}{{ c }}{% endif %}{{ d|d(1) }}").unwrap();
    let listed: Vec<_> = jinja.variables().iter().map(|v| (v.name.as_str(), v.kind, v.required)).collect();
    assert_eq!(listed, [("a", None, true), ("b", None, true), ("c", None, false), ("d", None, false)]);
}

#[test]
fn one_template_serves_many_threads() {
    let template = compile_text("jinja", "{% for x in v %}{{ x }},{% endfor %}").unwrap();
    std::thread::scope(|scope| {
        for n in 0..4 {
            let template = &template;
            scope.spawn(move || {
                for _ in 0..50 {
                    let rendered = template.render(&variables(json!({"v": [n, n]}))).unwrap();
                    assert_eq!(text_of(&rendered), format!("{n},{n},"));
                }
            });
        }
    });
}
