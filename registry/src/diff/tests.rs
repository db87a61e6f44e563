//! What is compared, word by word and name by name, and what that may cost.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::Change::{Added, Changed, Removed};
use super::*;
use crate::template::Template;

fn content(value: Value) -> Content {
    serde_json::from_value(value).unwrap()
}

fn saying(text: &str) -> Content {
    content(json!({"messages": [{"role": "system", "content": text}]}))
}

fn chat(messages: &Value) -> Content {
    content(json!({ "messages": messages }))
}

fn interface(content: &Content) -> Interface {
    Interface::of(content, Template::compile(content).unwrap().variables())
}

fn diff(from: &Content, to: &Content) -> Diff {
    let (before, after, beside) = (interface(from), interface(to), Map::new());
    let from = Side { content: from, beside: &beside, interface: Some(&before) };
    Diff::between(Some(from), Side { content: to, beside: &beside, interface: Some(&after) })
}

/// A line as the text form shows it.
fn shown(lines: &[Line]) -> Vec<String> {
    let mark = |change| match change {
        Change::Same | Change::Moved => ' ',
        Added => '+',
        Removed => '-',
        Changed => '~',
    };
    let piece = |piece: &Piece| format!("{}{}", mark(piece.change), piece.text);
    let line = |line: &Line| match line.change {
        Changed => format!("~{}", line.pieces.iter().map(piece).collect::<Vec<_>>().join("|")),
        change => format!("{}{}", mark(change), line.pieces[0].text),
    };
    lines.iter().map(line).collect()
}

fn changes(diff: &Diff) -> Vec<(Change, Option<usize>, Option<usize>)> {
    diff.messages.iter().map(|it| (it.change, it.from_index, it.to_index)).collect()
}

#[test]
fn words_are_compared_inside_a_line() {
    let it = diff(
        &saying("Be kind.\nAnswer in German, briefly."),
        &saying("Be kind.\nAnswer in French, briefly!"),
    );
    assert_eq!(it.messages.len(), 1);
    let lines = &it.messages[0].lines;
    assert_eq!(shown(lines), [" Be kind.", "~ Answer in |-German|+French| , briefly|-.|+!"]);
    assert_eq!((lines[1].from_line, lines[1].to_line), (Some(2), Some(2)));
    assert_eq!((it.impact, &*it.impact_reasons[0].reason), (Some(Impact::Patch), "wording changed"));
}

#[test]
fn lines_that_have_little_in_common_are_not_one_that_changed() {
    let it = diff(&saying("one\nAnswer in German.\ntwo"), &saying("one\nNever talk about money, ever\ntwo"));
    let shown = shown(&it.messages[0].lines);
    assert_eq!(shown, [" one", "-Answer in German.", "+Never talk about money, ever", " two"]);
}

#[test]
fn lines_go_with_the_line_they_are_most_like() {
    let from = saying("keep\nthe price is {{price}} euros\nend");
    let to = saying("keep\na wholly other sentence\nthe price is {{price}} dollars\nend");
    let shown = shown(&diff(&from, &to).messages[0].lines);
    assert_eq!(shown[1..3], ["+a wholly other sentence", "~ the price is {{price}} |-euros|+dollars"]);
}

#[test]
fn a_message_put_in_front_leaves_the_others_what_they_were() {
    let old = json!([{"role": "system", "content": "a"}, {"placeholder": "history"}, {"role": "user", "content": "b"}]);
    let new = json!([
        {"role": "system", "content": "new"}, {"role": "system", "content": "a"}, {"placeholder": "history"},
        {"role": "user", "content": "b c"},
    ]);
    let it = diff(&chat(&old), &chat(&new));
    assert_eq!(
        changes(&it),
        [
            (Added, None, Some(0)),
            (Change::Same, Some(0), Some(1)),
            (Change::Same, Some(1), Some(2)),
            (Changed, Some(2), Some(3)),
        ]
    );
    assert_eq!(it.messages[2].heading, "placeholder history");
    assert_eq!(it.impact, Some(Impact::Minor));
}

#[test]
fn a_message_that_only_moved_is_said_to_have_moved() {
    let first = json!({"role": "user", "content": "question"});
    let second = json!({"role": "assistant", "content": "answer"});
    let it = diff(
        &chat(&json!([first, second, {"placeholder": "p"}])),
        &chat(&json!([{"placeholder": "p"}, first, second])),
    );
    assert_eq!(
        changes(&it),
        [
            (Change::Moved, Some(2), Some(0)),
            (Change::Same, Some(0), Some(1)),
            (Change::Same, Some(1), Some(2))
        ]
    );
}

#[test]
fn another_role_and_other_fields_are_told_beside_the_text() {
    let old = json!([{"role": "system", "content": "You answer customers of a shop."}]);
    let new = json!([{"role": "developer", "content": "You answer customers of a shop.", "name": "x"}]);
    let it = diff(&chat(&old), &chat(&new));
    let fields: Vec<_> = it.messages[0].fields.iter().map(|it| (&*it.name, it.change)).collect();
    assert_eq!(fields, [("role", Changed), ("name", Added)]);
    assert_eq!(shown(&it.messages[0].lines), [" You answer customers of a shop."]);
}

#[test]
fn content_parts_are_compared_as_lines() {
    let parts = |detail: &str, text: &str| {
        chat(&json!([{"role": "user", "content": [
            {"type": "text", "text": text},
            {"type": "image_url", "image_url": {"url": "https://x.example/a.png", "detail": detail}},
        ]}]))
    };
    let it = diff(&parts("low", "What is this?"), &parts("high", "What is this?"));
    let shown = shown(&it.messages[0].lines);
    assert_eq!(shown[0], " What is this?");
    assert!(shown[1].contains("|-low|+high|"), "{shown:?}");
}

#[test]
fn a_first_version_is_all_added() {
    let to = saying("hello {{name}}");
    let it =
        Diff::between(None, Side { content: &to, beside: &Map::new(), interface: Some(&interface(&to)) });
    assert_eq!((it.same, it.impact, it.messages[0].change), (false, None, Added));
    assert_eq!((it.tokens.from, it.tokens.difference), (0, it.tokens.to.cast_signed()));
}

#[test]
fn equal_contents_have_no_difference_and_no_impact() {
    let it = diff(&saying("a\nb"), &saying("a\nb"));
    assert!(it.same && it.impact.is_none() && it.impact_reasons.is_empty());
    assert_eq!(it.to_text(&Headings { from: "x", to: "y" }), "");
    assert_eq!(shown(&it.messages[0].lines), [" a", " b"]);
}

#[test]
fn a_draft_that_does_not_hold_is_compared_without_an_impact() {
    let (from, to) = (saying("a"), saying("a {{b"));
    let it = Diff::between(
        Some(Side { content: &from, beside: &Map::new(), interface: Some(&interface(&from)) }),
        Side { content: &to, beside: &Map::new(), interface: None },
    );
    assert_eq!((it.same, it.impact), (false, None));
    assert_eq!(shown(&it.messages[0].lines), ["~ a|+ {{b"]);
}

#[test]
fn everything_beside_the_messages_is_compared_by_name() {
    let from = content(json!({
        "text": "{{a}}", "variables": {"a": {"type": "string"}, "b": {"default": 1}},
        "model": "gpt-5", "parameters": {"temperature": 0.2, "seed": 1}, "tool_choice": "auto",
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "response_format": {"type": "json_object"}, "locked": ["temperature"],
    }));
    let to = content(json!({
        "text": "{{ a }}", "engine": "jinja", "variables": {"a": {"type": "number"}},
        "parameters": {"temperature": 0.4, "top_p": 1}, "tool_choice": "auto",
        "tools": [{"type": "function", "function": {"name": "g"}}],
    }));
    let it = diff(&from, &to);
    let names = |diffs: &[NamedDiff]| diffs.iter().map(|it| (it.name.clone(), it.change)).collect::<Vec<_>>();
    let expected = |list: &[(&str, Change)]| {
        list.iter().map(|(name, change)| ((*name).to_owned(), *change)).collect::<Vec<_>>()
    };
    assert_eq!(names(&it.variables), expected(&[("a", Changed), ("b", Removed)]));
    assert_eq!(
        names(&it.parameters),
        expected(&[("temperature", Changed), ("top_p", Added), ("seed", Removed)])
    );
    assert_eq!(names(&it.tools), expected(&[("g", Added), ("f", Removed)]));
    assert_eq!(it.response_format.as_ref().map(|it| it.change), Some(Removed));
    assert_eq!(
        names(&it.settings),
        expected(&[("engine", Changed), ("model", Removed), ("locked", Removed)])
    );
    assert_eq!(it.impact, Some(Impact::Major));
    insta::assert_snapshot!(it.to_text(&Headings { from: "a@1 (1.0.0)", to: "a@2 (2.0.0)" }));
}

#[test]
fn texts_that_share_nothing_are_compared_within_bounds() {
    let numbered = |sign: &str| (0..60_000).map(|n| format!("{sign}{n}")).collect::<Vec<_>>().join("\n");
    let it = diff(&saying(&numbered("a")), &saying(&numbered("b")));
    let lines = &it.messages[0].lines;
    assert_eq!(lines.len(), 120_000);
}

proptest! {
    #[test]
    fn both_texts_can_be_put_together_from_the_lines(from in "[ab\n .]{0,60}", to in "[ab\n .]{0,60}") {
        let it = lines::compare(&from, &to, &mut Effort::default());
        let side = |leaves_out: Change, numbered: fn(&Line) -> bool| {
            let kept = it.iter().filter(|line| numbered(line));
            let text = kept.map(|line| {
                let pieces = line.pieces.iter().filter(|piece| piece.change != leaves_out);
                pieces.map(|piece| &*piece.text).collect::<String>()
            });
            text.collect::<Vec<_>>().join("\n")
        };
        prop_assert_eq!(side(Added, |line| line.from_line.is_some()), from);
        prop_assert_eq!(side(Removed, |line| line.to_line.is_some()), to);
        let numbers = it.iter().filter_map(|line| line.to_line).collect::<Vec<_>>();
        prop_assert_eq!(numbers.clone(), (1..=numbers.len()).collect::<Vec<_>>());
    }
}
