//! Trees from spans and calls that come in any order, with parents missing or going round in circles.

use serde_json::json;

use super::*;
use crate::found::Tries;

fn call(span_id: &str, parent: Option<&str>, second: i64) -> FoundCall {
    let row = FoundRow {
        id: vocab::Id::at(Time(second * 1_000_000)),
        project: "default".to_owned(),
        started_at: Time(second * 1_000_000),
        duration_us: 500_000,
        ttft_us: None,
        overhead_us: 100,
        endpoint: "chat_completions".to_owned(),
        streaming: false,
        status: 200,
        outcome: "ok".to_owned(),
        error_code: None,
        error_message: None,
        requested_model: None,
        provider: None,
        model: None,
        response_model: None,
        attempts: Tries::All(Vec::new()),
        cache: None,
        key_id: None,
        user: None,
        session: None,
        tags: Vec::new(),
        metadata: None,
        prompt: None,
        prompt_id: None,
        prompt_version: None,
        prompt_digest: None,
        prompt_label: None,
        experiment: None,
        arm: None,
        arm_unit: None,
        variables: None,
        input_tokens: Some(10),
        cached_input_tokens: None,
        cache_write_tokens: None,
        output_tokens: Some(2),
        reasoning_tokens: None,
        audio_tokens: None,
        usage_raw: None,
        usage_source: vocab::UsageSource::Provider,
        cost_nanousd: Some(NanoUsd(700)),
        price_id: None,
        finish_reason: None,
        tool_names: Vec::new(),
        trace_id: "0".repeat(32),
        span_id: span_id.to_owned(),
        parent_span_id: parent.map(str::to_owned),
        request_preview: None,
        response_preview: None,
        body_state: "full".to_owned(),
        node: "n".to_owned(),
    };
    let body = |text: &str| serde_json::value::to_raw_value(&json!({ "text": text })).ok();
    FoundCall {
        row,
        request_body: body("asked"),
        response_body: body("answered"),
        upstream_request_body: None,
    }
}

fn span(span_id: &str, parent: Option<&str>, second: i64) -> FoundSpan {
    FoundSpan {
        span_id: span_id.to_owned(),
        parent_span_id: parent.map(str::to_owned),
        name: span_id.to_owned(),
        kind: SpanKind::Chain,
        started_at: Time(second * 1_000_000),
        duration_us: 1_000_000,
        failed: false,
        status_message: None,
        service: None,
        user: None,
        session: None,
        model: None,
        provider: None,
        prompt: None,
        prompt_version: None,
        input_tokens: None,
        output_tokens: None,
        input: None,
        output: None,
        attributes: None,
        events: None,
    }
}

fn tree(calls: Vec<FoundCall>, spans: Vec<FoundSpan>) -> Tree {
    assemble(FoundTrace { calls, spans, truncated: false }).unwrap()
}

/// Ids as they stand: `a(b c(d))`, orphans with a star.
fn shape(nodes: &[Node]) -> String {
    let one = |node: &Node| {
        let star = if node.orphan { "*" } else { "" };
        let below =
            if node.children.is_empty() { String::new() } else { format!("({})", shape(&node.children)) };
        format!("{}{star}{below}", node.span_id)
    };
    nodes.iter().map(one).collect::<Vec<_>>().join(" ")
}

#[test]
fn calls_and_spans_stand_under_their_parents_in_the_order_they_began() {
    let tree = tree(
        vec![call("c2", Some("s2"), 4), call("c1", Some("s1"), 2)],
        vec![span("s2", Some("s1"), 3), span("s1", None, 1)],
    );
    assert_eq!(shape(&tree.roots), "s1(c1 s2(c2))");
    assert_eq!((tree.calls, tree.spans, tree.errors), (2, 2, 0));
    assert_eq!((tree.started_at, tree.duration_us), (Time(1_000_000), 3_500_000));
    let c1 = &tree.roots[0].children[0];
    assert_eq!((c1.kind, c1.input.as_ref().unwrap().get()), ("call", r#"{"text":"asked"}"#));
    assert_eq!(c1.output.as_ref().unwrap().get(), r#"{"text":"answered"}"#);
}

#[test]
fn what_names_an_unknown_parent_stands_under_the_root() {
    let alone = tree(vec![call("c", Some("gone"), 2)], Vec::new());
    assert_eq!(shape(&alone.roots), "c*");
    let rooted = tree(vec![call("c", Some("gone"), 2)], vec![span("root", None, 1), span("other", None, 3)]);
    assert_eq!(shape(&rooted.roots), "root(c*) other");
}

#[test]
fn circles_are_cut_and_nothing_is_lost() {
    let own = tree(Vec::new(), vec![span("a", Some("a"), 1)]);
    assert_eq!(shape(&own.roots), "a*");
    let two =
        tree(Vec::new(), vec![span("a", Some("b"), 1), span("b", Some("a"), 2), span("c", Some("b"), 3)]);
    assert_eq!(shape(&two.roots), "a*(b(c))");
    let tail =
        tree(Vec::new(), vec![span("t", Some("a"), 1), span("a", Some("b"), 2), span("b", Some("a"), 3)]);
    assert_eq!(shape(&tail.roots), "a*(t b)");
}

#[test]
fn one_id_twice_is_kept_twice_and_a_call_reported_again_once() {
    let twice = tree(Vec::new(), vec![span("a", None, 1), span("a", None, 2), span("b", Some("a"), 3)]);
    assert_eq!(shape(&twice.roots), "a(b) a");
    let again = tree(vec![call("c", None, 1)], vec![span("c", None, 1), span("d", Some("c"), 2)]);
    assert_eq!(shape(&again.roots), "c(d)");
    assert_eq!((again.calls, again.spans), (1, 1));
}

#[test]
fn use_is_summed_upwards_and_never_twice() {
    let reporting = |id: &str, parent, second| FoundSpan {
        input_tokens: Some(10),
        output_tokens: Some(2),
        ..span(id, parent, second)
    };
    let used = |input_tokens, cost| Used {
        input_tokens,
        output_tokens: input_tokens / 5,
        cost_nanousd: NanoUsd(cost),
    };

    // The application's own span around the call reports the same tokens, and so does one under it.
    let same = tree(
        vec![call("c", Some("llm"), 2)],
        vec![reporting("llm", None, 1), reporting("inner", Some("c"), 3)],
    );
    assert_eq!(same.used, used(10, 700));

    // A model asked past Weir counts beside the call.
    let beside = tree(
        vec![call("c", Some("root"), 2), call("d", Some("c"), 4)],
        vec![span("root", None, 1), reporting("direct", Some("root"), 3)],
    );
    assert_eq!(beside.used, used(30, 1_400));
    assert_eq!(beside.roots[0].used, used(30, 1_400));
    assert_eq!(beside.roots[0].children[0].used, used(20, 1_400));
}

#[test]
fn a_chain_of_ten_thousand_is_cut_at_a_depth_and_kept_whole() {
    let id = |n: i64| format!("{n:05}");
    let spans = (0..10_000).map(|n| span(&id(n), (n > 0).then(|| id(n - 1)).as_deref(), n)).collect();
    let tree = tree(Vec::new(), spans);
    let mut depth = 0;
    let mut seen = 0;
    let mut level: Vec<&Node> = tree.roots.iter().collect();
    while !level.is_empty() {
        depth += 1;
        seen += level.len();
        level = level.iter().flat_map(|node| &node.children).collect();
    }
    assert_eq!((depth, seen), (DEPTH, 10_000));
    serde_json::from_str::<serde_json::Value>(&serde_json::to_string(&tree).unwrap()).unwrap();
}

#[test]
fn texts_beyond_the_limit_are_left_out_and_counted() {
    let large = serde_json::value::to_raw_value(&"x".repeat(TEXT_BYTES / 2)).unwrap();
    let spans =
        (0..3).map(|n| FoundSpan { input: Some(large.clone()), ..span(&n.to_string(), None, n) }).collect();
    let tree = tree(Vec::new(), spans);
    assert_eq!(tree.left_out, 2);
    assert!(tree.roots[0].input.is_some() && tree.roots[2].input.is_none());
}

#[test]
fn nothing_known_is_no_tree() {
    assert!(assemble(FoundTrace::default()).is_none());
}
