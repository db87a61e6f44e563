//! One trace with all that is in it, and the list of traces: calls and reported spans together.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, Row as SqlRow, Transaction, params};
use vocab::{Clock, NanoUsd, Time};

use super::columns::{Column, push_hex};
use super::export::weight;
use super::groups::{self, CallsOf, Group, Newest};
use super::marks::Stored;
use super::plan::Plan;
use super::readers::Reader;
use super::scan::{Scan, Wanted};
use super::spans::{self, OfTrace, Short};
use super::ties::{self, Tie};
use super::{find, reading};
use crate::filter::Filter;
use crate::store::{Cursor, Search};
use crate::trace::{FoundTrace, SummaryPage, TRACE_BYTES, TRACE_CALLS, TRACE_SPANS, TraceSummary};

/// How long looking for the calls of one trace may take; after that, it is truncated.
const TRACE_BUDGET: Duration = Duration::from_secs(1);

const NEWEST_SPANS: &str = "SELECT started, span_id, trace_id, project FROM span
                            WHERE (started, span_id) < (?1, ?2) AND started >= ?3 AND (?4 IS NULL OR project = ?4)
                            ORDER BY started DESC, span_id DESC";
const NEWER_SPAN: &str = "SELECT 1 FROM span WHERE trace_id = ?1 AND project = ?2
                          AND (started, span_id) >= (?3, ?4) AND started < ?5 LIMIT 1";

/// Returns what is known of one trace.
pub(super) fn trace(
    reader: &mut Reader,
    project: &Arc<str>,
    trace_id: [u8; 16],
    clock: &Clock,
) -> rusqlite::Result<FoundTrace> {
    let deadline = clock.monotonic() + TRACE_BUDGET;
    let Reader { db, unpacker, .. } = reader;
    let tx = db.transaction()?;
    let mut found = FoundTrace::default();
    let (mut seqs, complete) = calls_of(&tx, project, &hex(&trace_id), &|| clock.monotonic() >= deadline)?;
    found.truncated = !complete || seqs.len() > TRACE_CALLS;
    seqs.sort_unstable();
    let mut bytes = 0;
    for (_, seq) in seqs.into_iter().take(TRACE_CALLS) {
        let Some(call) = reading::call_at(&tx, unpacker, seq)? else { continue };
        bytes += weight(&call);
        found.calls.push(call);
        if bytes > TRACE_BYTES {
            found.truncated = true;
            break;
        }
    }
    OfTrace::prepare(&tx)?.each(project, trace_id, TRACE_SPANS + 1, |row| {
        if found.spans.len() == TRACE_SPANS || bytes > TRACE_BYTES {
            found.truncated = true;
            return Ok(());
        }
        bytes += spans::packed_bytes(row)?;
        found.spans.push(spans::found(row, unpacker)?);
        Ok(())
    })?;
    Ok(found)
}

/// Calls by their places: their numbers.
type Places = Vec<(Cursor, i64)>;

/// The calls of a trace, and whether those are all.
fn calls_of(
    db: &Connection,
    project: &Arc<str>,
    trace: &str,
    late: &dyn Fn() -> bool,
) -> rusqlite::Result<(Places, bool)> {
    let mut plan = Plan::new(db, &Filter::default(), Some(Arc::clone(project)))?;
    plan.need(&[Column::TraceId]);
    let mut scan = Scan::prepare(db)?;
    let mut calls = Places::new();
    for block in ties::blocks(db, Tie::Trace, [trace], i64::MIN)? {
        scan.each(&plan, Wanted::between(i64::MIN, i64::MAX), block, |seq, place, call| {
            if call.fields.text(Column::TraceId).is_some_and(|its| its == trace) {
                calls.push((place, seq));
            }
            Ok(())
        })?;
        if late() {
            return Ok((calls, false));
        }
    }
    Ok((calls, true))
}

fn hex(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(bytes.len() * 2);
    push_hex(bytes, &mut hex);
    hex
}

/// Returns the traces of the newest matching calls.
pub(super) fn traces(
    reader: &mut Reader,
    search: &Search,
    clock: &Clock,
) -> rusqlite::Result<SummaryPage<TraceSummary>> {
    let deadline = clock.monotonic() + find::BUDGET;
    let late = || clock.monotonic() >= deadline;
    let Reader { db, unpacker, .. } = reader;
    let tx = db.transaction()?;
    let mut newest = groups::newest(&tx, unpacker, search, Tie::Trace, &late)?;
    if search.filter.terms.is_empty() {
        newest = add_spans_only(&tx, search, newest, &late)?;
    }
    let deadline = clock.monotonic() + groups::SUMMARY_BUDGET;
    let (rows, whole) = summaries(&tx, &newest.groups, &|| clock.monotonic() >= deadline)?;
    Ok(SummaryPage { rows, next_cursor: newest.next, complete: newest.complete && whole })
}

/// Puts traces that have spans but no calls among the others.
fn add_spans_only(
    tx: &Transaction<'_>,
    search: &Search,
    calls: Newest,
    late: &dyn Fn() -> bool,
) -> rusqlite::Result<Newest> {
    let limit = search.limit.get() as usize;
    // Below this place calls were not looked at.
    let floor = calls.next;
    let spans = spans_only(tx, search, floor, late)?;
    let mut groups = calls.groups;
    groups.extend(spans.groups);
    groups.sort_unstable_by_key(|group| std::cmp::Reverse(group.place));
    // Spans that were not looked at end the page as well.
    if let Some(frontier) = spans.next {
        groups.retain(|group| group.place >= frontier);
    }
    let mut next = calls.next.max(spans.next);
    if groups.len() > limit {
        groups.truncate(limit);
        next = groups.last().map(|last| last.place);
    }
    Ok(Newest { groups, next, complete: calls.complete && spans.complete })
}

/// Traces without calls in the searched time, newest span first, that stand at `floor` or later.
fn spans_only(
    tx: &Transaction<'_>,
    search: &Search,
    floor: Option<Cursor>,
    late: &dyn Fn() -> bool,
) -> rusqlite::Result<Newest> {
    let limit = search.limit.get() as usize;
    let mut found = Newest { groups: Vec::new(), next: None, complete: true };
    let mut seen = HashSet::new();
    let mut batch = Vec::new();
    let wanted = Wanted::by(search);
    let mut newest = tx.prepare_cached(NEWEST_SPANS)?;
    let span = span_before(wanted.before);
    let mut rows =
        newest.query(params![wanted.before.started, span, wanted.from, search.project.as_deref()])?;
    loop {
        let next = rows.next()?.map(span_place).transpose()?;
        let next = next.filter(|(group, _)| floor.is_none_or(|floor| group.place >= floor));
        let Some((group, trace_id)) = next else {
            found.groups.extend(without_calls(tx, search, batch)?);
            return Ok(found);
        };
        let place = group.place;
        if seen.insert((Arc::clone(&group.project), group.name.clone()))
            && !seen_before(tx, search, &group, trace_id)?
        {
            batch.push(group);
        }
        if batch.len() == limit || late() {
            found.groups.extend(without_calls(tx, search, std::mem::take(&mut batch))?);
            let cut = late();
            if cut || found.groups.len() >= limit {
                return Ok(Newest { next: Some(place), complete: !cut, ..found });
            }
        }
    }
}

fn span_place(row: &SqlRow<'_>) -> rusqlite::Result<(Group, [u8; 16])> {
    let span: [u8; 8] = row.get(1)?;
    let trace: [u8; 16] = row.get(2)?;
    let place = Cursor { started: row.get(0)?, id: u64::from_be_bytes(span).into() };
    let project: String = row.get(3)?;
    Ok((Group { project: project.into(), name: hex(&trace), place }, trace))
}

/// The span's part of a place. Calls have longer ids than spans: of what started together they come first.
fn span_before(place: Cursor) -> Vec<u8> {
    u64::try_from(place.id).map_or_else(|_| vec![u8::MAX; 9], |id| id.to_be_bytes().to_vec())
}

/// Whether an earlier page had this trace, by one of its newer spans.
fn seen_before(
    tx: &Transaction<'_>,
    search: &Search,
    group: &Group,
    trace_id: [u8; 16],
) -> rusqlite::Result<bool> {
    let Some(cursor) = search.cursor else { return Ok(false) };
    let to = search.to.map_or(i64::MAX, Time::micros);
    let span = span_before(cursor);
    tx.prepare_cached(NEWER_SPAN)?.exists(params![trace_id, &*group.project, cursor.started, span, to])
}

/// Those of the traces that have no call in the searched time.
fn without_calls(
    tx: &Transaction<'_>,
    search: &Search,
    mut traces: Vec<Group>,
) -> rusqlite::Result<Vec<Group>> {
    if traces.is_empty() {
        return Ok(traces);
    }
    let mut with_calls = HashSet::new();
    let wanted = Wanted::without_cursor(search);
    // Never cut short: what was not looked at would be taken for a trace without calls.
    let calls = CallsOf { tie: Tie::Trace, groups: &traces, wanted, late: &|| false };
    calls.each(tx, |n, _| {
        with_calls.insert(n);
    })?;
    let mut n = 0;
    traces.retain(|_| {
        n += 1;
        !with_calls.contains(&(n - 1))
    });
    Ok(traces)
}

/// What is summed up of one trace.
#[derive(Default)]
struct Summing {
    began: Option<i64>,
    ended: i64,
    root: Option<Root>,
    calls: u64,
    spans: u64,
    errors: u64,
    tokens: u64,
    cost: NanoUsd,
    user: Option<(i64, String)>,
    session: Option<(i64, String)>,
}

/// What may be a trace's root; the least is. One without a parent, else the first; a span rather than a call.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Root {
    has_parent: bool,
    started: i64,
    is_call: bool,
    name: String,
}

fn summaries(
    tx: &Transaction<'_>,
    traces: &[Group],
    late: &dyn Fn() -> bool,
) -> rusqlite::Result<(Vec<TraceSummary>, bool)> {
    let mut sums: HashMap<usize, Summing> = HashMap::new();
    let wanted = Wanted::between(i64::MIN, i64::MAX);
    let calls = CallsOf { tie: Tie::Trace, groups: traces, wanted, late };
    let whole = calls.each(tx, |n, call| sums.entry(n).or_default().add_call(call))?;
    let mut of_trace = OfTrace::prepare(tx)?;
    for (n, trace) in traces.iter().enumerate() {
        let id = u128::from_str_radix(&trace.name, 16).unwrap_or_default().to_be_bytes();
        let sum = sums.entry(n).or_default();
        of_trace.each(&trace.project, id, TRACE_SPANS, |row| sum.add_span(row))?;
    }
    let summary =
        |(n, trace): (usize, &Group)| sums.remove(&n).unwrap_or_default().finish(trace.name.clone());
    Ok((traces.iter().enumerate().map(summary).collect(), whole))
}

impl Summing {
    fn add_call(&mut self, call: &Stored<'_>) {
        let fields = &call.fields;
        let text = |column| fields.text(column).map(std::borrow::Cow::into_owned);
        let started = fields.int(Column::StartedAt).unwrap_or_default();
        self.lasts(started, fields.int(Column::DurationUs).unwrap_or_default());
        self.may_be_root(Root {
            has_parent: fields.text(Column::ParentSpanId).is_some(),
            started,
            is_call: true,
            name: text(Column::Endpoint).unwrap_or_default(),
        });
        self.calls += 1;
        self.errors += u64::from(groups::failed(fields));
        self.tokens += groups::tokens(fields);
        self.cost += NanoUsd(fields.int(Column::CostNanousd).unwrap_or_default());
        name_first(&mut self.user, started, text(Column::User));
        name_first(&mut self.session, started, text(Column::Session));
    }

    fn add_span(&mut self, row: &SqlRow<'_>) -> rusqlite::Result<()> {
        let short = Short::read(row.get_ref(4)?.as_str()?);
        let started: i64 = row.get(2)?;
        self.lasts(started, i64::try_from(short.duration_us()).unwrap_or(i64::MAX));
        let has_parent = short.has_parent();
        self.may_be_root(Root { has_parent, started, is_call: false, name: short.name() });
        self.spans += 1;
        self.errors += u64::from(short.failed());
        name_first(&mut self.user, started, row.get(3)?);
        name_first(&mut self.session, started, short.session());
        Ok(())
    }

    fn lasts(&mut self, started: i64, duration_us: i64) {
        self.began = Some(self.began.map_or(started, |began| began.min(started)));
        self.ended = self.ended.max(started.saturating_add(duration_us));
    }

    fn may_be_root(&mut self, candidate: Root) {
        if self.root.as_ref().is_none_or(|root| candidate < *root) {
            self.root = Some(candidate);
        }
    }

    fn finish(self, trace_id: String) -> TraceSummary {
        let began = self.began.unwrap_or_default();
        TraceSummary {
            trace_id,
            name: self.root.map(|root| root.name).unwrap_or_default(),
            started_at: Time(began),
            duration_us: self.ended.saturating_sub(began).max(0) as u64,
            calls: self.calls,
            spans: self.spans,
            errors: self.errors,
            tokens: self.tokens,
            cost_nanousd: self.cost,
            user: self.user.map(|(_, user)| user),
            session: self.session.map(|(_, session)| session),
        }
    }
}

fn name_first(first: &mut Option<(i64, String)>, started: i64, name: Option<String>) {
    if let Some(name) = name
        && first.as_ref().is_none_or(|(earliest, _)| started < *earliest)
    {
        *first = Some((started, name));
    }
}
