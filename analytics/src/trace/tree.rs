//! One trace as a tree: calls and reported spans under what they say is their parent, whatever they say.
//!
//! Nothing that was reported is lost for being odd: what names a parent nobody knows stands under the root, what
//! stands in a circle is cut out of it, and what is deeper than [`DEPTH`] stands at that depth.

use std::collections::{HashMap, HashSet};
use std::mem;

use serde::Serialize;
use vocab::{NanoUsd, Time};

use super::{FoundSpan, FoundTrace};
use crate::found::{FoundCall, FoundRow, Json};
use crate::span::SpanKind;

/// How deep the tree goes; readers of JSON give up at some depth, and so do people.
const DEPTH: usize = 40;
/// The most bytes of inputs, outputs, attributes and events; what comes after that is left out.
const TEXT_BYTES: usize = 16 << 20;

/// A trace, put together.
#[derive(Debug, Serialize)]
pub struct Tree {
    /// When its first call or span began.
    pub started_at: Time,
    /// From then to the end of the last, µs.
    pub duration_us: u64,
    /// How many calls it has.
    pub calls: u64,
    /// How many reported spans.
    pub spans: u64,
    /// How many of both failed.
    pub errors: u64,
    /// What all of it used.
    #[serde(flatten)]
    pub used: Used,
    /// The end user its calls or spans named first.
    pub user: Option<String>,
    /// The session they named first.
    pub session: Option<String>,
    /// Whether there were more calls or spans than are shown.
    pub truncated: bool,
    /// How many inputs and outputs were left out because there is too much of them.
    pub left_out: u64,
    /// What has no parent, oldest first; usually one.
    pub roots: Vec<Node>,
}

/// A call or a reported span, with what happened under it.
#[derive(Debug, Serialize)]
pub struct Node {
    /// Its span id, hex.
    pub span_id: String,
    /// The parent it names, hex; where it stands may be elsewhere.
    pub parent_span_id: Option<String>,
    /// Whether the parent it names is not part of the trace, or stands under it itself.
    pub orphan: bool,
    /// `call`, or what the span does.
    pub kind: &'static str,
    /// The span's name; of a call its endpoint.
    pub name: String,
    /// When it began.
    pub started_at: Time,
    /// How long it took, µs.
    pub duration_us: u64,
    /// Whether it failed.
    pub failed: bool,
    /// What it and everything under it used.
    #[serde(flatten)]
    pub used: Used,
    /// What went in: of a call its request body.
    pub input: Option<Json>,
    /// What came out: of a call its response body.
    pub output: Option<Json>,
    /// The call's row; null for a span.
    pub call: Option<Box<FoundRow>>,
    /// What else the span said; null for a call.
    pub span: Option<Box<SpanDetail>>,
    /// What happened under it, oldest first.
    pub children: Vec<Node>,
}

/// What a reported span says beside what every node has.
#[derive(Debug, Serialize)]
pub struct SpanDetail {
    /// What it said about its end.
    pub status_message: Option<String>,
    /// The reporting service.
    pub service: Option<String>,
    /// The end user.
    pub user: Option<String>,
    /// The session.
    pub session: Option<String>,
    /// The model it asked.
    pub model: Option<String>,
    /// The provider it asked.
    pub provider: Option<String>,
    /// The registered prompt it used.
    pub prompt: Option<String>,
    /// The version of it.
    pub prompt_version: Option<u32>,
    /// Every other attribute.
    pub attributes: Option<Json>,
    /// Events with their times and attributes.
    pub events: Option<Json>,
}

/// Tokens and money. What a span reports counts only where nothing under it counted the same already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Used {
    /// All input tokens.
    pub input_tokens: u64,
    /// All output tokens.
    pub output_tokens: u64,
    /// What the calls cost as far as it is known.
    pub cost_nanousd: NanoUsd,
}

impl Used {
    fn add(&mut self, other: Self) {
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.cost_nanousd += other.cost_nanousd;
    }

    const fn has_tokens(&self) -> bool {
        self.input_tokens > 0 || self.output_tokens > 0
    }
}

/// Puts a trace together; `None` when nothing is known of it.
pub fn assemble(found: FoundTrace) -> Option<Tree> {
    let truncated = found.truncated;
    let mut nodes = nodes(found);
    let started_at = nodes.iter().map(|node| node.started_at).min()?;
    let end = nodes.iter().map(Node::end).max()?;
    let spans = nodes.iter().filter(|node| node.call.is_none()).count() as u64;
    let mut tree = Tree {
        started_at,
        duration_us: u64::try_from(end - started_at.micros()).unwrap_or_default(),
        calls: nodes.len() as u64 - spans,
        spans,
        errors: nodes.iter().filter(|node| node.failed).count() as u64,
        used: Used::default(),
        user: nodes.iter().find_map(Node::user),
        session: nodes.iter().find_map(Node::session),
        truncated,
        left_out: leave_out(&mut nodes),
        roots: grow(nodes),
    };
    for root in &mut tree.roots {
        let used = root.settle(false);
        tree.used.add(used);
    }
    Some(tree)
}

/// Everything in the order it began. A span with a call's own id is that call, reported once more.
fn nodes(found: FoundTrace) -> Vec<Node> {
    let calls: HashSet<String> = found.calls.iter().map(|call| call.row.span_id.clone()).collect();
    let spans = found.spans.into_iter().filter(|span| !calls.contains(&span.span_id));
    let mut nodes: Vec<Node> =
        found.calls.into_iter().map(Node::of_call).chain(spans.map(Node::of_span)).collect();
    nodes.sort_by(|a, b| (a.started_at, &a.span_id).cmp(&(b.started_at, &b.span_id)));
    nodes
}

/// Drops texts beyond [`TEXT_BYTES`] and says how many; what began first keeps its own.
fn leave_out(nodes: &mut [Node]) -> u64 {
    let (mut bytes, mut left_out) = (0, 0);
    for node in nodes {
        let detail = node.span.as_deref_mut();
        let (attributes, events) =
            detail.map_or((None, None), |span| (Some(&mut span.attributes), Some(&mut span.events)));
        for text in [Some(&mut node.input), Some(&mut node.output), attributes, events].into_iter().flatten()
        {
            let size = text.as_ref().map_or(0, |text| text.get().len());
            if bytes + size > TEXT_BYTES {
                *text = None;
                left_out += 1;
            } else {
                bytes += size;
            }
        }
    }
    left_out
}

/// Hangs every node under its parent and returns those that have none.
fn grow(mut nodes: Vec<Node>) -> Vec<Node> {
    let parents = parents(&mut nodes);
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    let mut roots = Vec::new();
    for (at, parent) in parents.iter().enumerate() {
        match parent.and_then(|parent| children.get_mut(parent)) {
            Some(under) => under.push(at),
            None => roots.push(at),
        }
    }
    let mut places: Vec<Option<Node>> = nodes.into_iter().map(Some).collect();
    roots.into_iter().filter_map(|root| take(&mut places, &mut children, root, 1)).collect()
}

/// Where each node stands: under the parent it names, else under the root, and never in a circle.
fn parents(nodes: &mut [Node]) -> Vec<Option<usize>> {
    let mut places: HashMap<&str, usize> = HashMap::with_capacity(nodes.len());
    for (at, node) in nodes.iter().enumerate() {
        // Of two with one id, the first is the parent of what names it.
        places.entry(&node.span_id).or_insert(at);
    }
    let named = |node: &Node| node.parent_span_id.as_deref().and_then(|id| places.get(id).copied());
    let mut parents: Vec<Option<usize>> = nodes.iter().map(named).collect();
    cut_circles(&mut parents);
    let root = nodes.iter().position(|node| node.parent_span_id.is_none());
    for (node, parent) in nodes.iter_mut().zip(&mut parents) {
        if parent.is_none() && node.parent_span_id.is_some() {
            node.orphan = true;
            *parent = root;
        }
    }
    parents
}

/// Takes one link out of each circle of parents, so that every way up ends.
fn cut_circles(parents: &mut [Option<usize>]) {
    // The walk that passed each place first; walks are numbered by where they begin.
    let mut passed: Vec<Option<usize>> = vec![None; parents.len()];
    for walk in 0..parents.len() {
        let mut at = walk;
        while let Some(place) = passed.get_mut(at).filter(|place| place.is_none()) {
            *place = Some(walk);
            let Some(above) = parents.get(at).copied().flatten() else { break };
            if passed.get(above) == Some(&Some(walk)) {
                if let Some(link) = parents.get_mut(above) {
                    *link = None;
                }
                break;
            }
            at = above;
        }
    }
}

/// Takes a node out with everything under it; what would be too deep stands beside its parent instead.
fn take(places: &mut [Option<Node>], children: &mut [Vec<usize>], at: usize, depth: usize) -> Option<Node> {
    let mut node = places.get_mut(at)?.take()?;
    let mut waiting = children.get_mut(at).map(mem::take).unwrap_or_default();
    if depth + 1 >= DEPTH {
        waiting = flattened(children, waiting);
    }
    node.children =
        waiting.into_iter().filter_map(|child| take(places, children, child, depth + 1)).collect();
    Some(node)
}

/// These and everything under them, in the order they began.
fn flattened(children: &mut [Vec<usize>], mut waiting: Vec<usize>) -> Vec<usize> {
    let mut at = 0;
    while let Some(next) = waiting.get(at).copied() {
        waiting.extend(children.get_mut(next).map(mem::take).unwrap_or_default());
        at += 1;
    }
    waiting.sort_unstable();
    waiting
}

impl Node {
    fn of_call(found: FoundCall) -> Self {
        let FoundCall { row, request_body, response_body, .. } = found;
        Self {
            span_id: row.span_id.clone(),
            parent_span_id: row.parent_span_id.clone(),
            orphan: false,
            kind: "call",
            name: row.endpoint.clone(),
            started_at: row.started_at,
            duration_us: row.duration_us,
            failed: !matches!(&*row.outcome, "ok" | "cancelled"),
            used: Used {
                input_tokens: row.input_tokens.unwrap_or_default(),
                output_tokens: row.output_tokens.unwrap_or_default(),
                cost_nanousd: row.cost_nanousd.unwrap_or_default(),
            },
            input: request_body,
            output: response_body,
            call: Some(Box::new(row)),
            span: None,
            children: Vec::new(),
        }
    }

    fn of_span(span: FoundSpan) -> Self {
        Self {
            span_id: span.span_id,
            parent_span_id: span.parent_span_id,
            orphan: false,
            kind: SpanKind::as_str(span.kind),
            name: span.name,
            started_at: span.started_at,
            duration_us: span.duration_us,
            failed: span.failed,
            used: Used {
                input_tokens: span.input_tokens.unwrap_or_default(),
                output_tokens: span.output_tokens.unwrap_or_default(),
                cost_nanousd: NanoUsd(0),
            },
            input: span.input,
            output: span.output,
            call: None,
            span: Some(Box::new(SpanDetail {
                status_message: span.status_message,
                service: span.service,
                user: span.user,
                session: span.session,
                model: span.model,
                provider: span.provider,
                prompt: span.prompt,
                prompt_version: span.prompt_version,
                attributes: span.attributes,
                events: span.events,
            })),
            children: Vec::new(),
        }
    }

    fn end(&self) -> i64 {
        self.started_at.micros().saturating_add(i64::try_from(self.duration_us).unwrap_or(i64::MAX))
    }

    fn user(&self) -> Option<String> {
        let of_span = self.span.as_ref().and_then(|span| span.user.clone());
        self.call.as_ref().and_then(|call| call.user.clone()).or(of_span)
    }

    fn session(&self) -> Option<String> {
        let of_span = self.span.as_ref().and_then(|span| span.session.clone());
        self.call.as_ref().and_then(|call| call.session.clone()).or(of_span)
    }

    /// Adds up what was used here and below. What a span under a call reports is that call's own use.
    fn settle(&mut self, under_call: bool) -> Used {
        let calls = self.call.is_some();
        let mut below = Used::default();
        for child in &mut self.children {
            let used = child.settle(under_call || calls);
            below.add(used);
        }
        if calls {
            self.used.add(below);
            return self.used;
        }
        if under_call || below.has_tokens() {
            self.used = below;
        } else {
            self.used.add(below);
        }
        self.used
    }
}

#[cfg(test)]
mod tests;
