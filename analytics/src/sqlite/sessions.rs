//! The list of sessions.

use std::collections::HashSet;

use vocab::{Clock, NanoUsd, Time};

use super::columns::Column;
use super::find;
use super::groups::{self, CallsOf};
use super::marks::Stored;
use super::readers::Reader;
use super::scan::Wanted;
use super::ties::Tie;
use crate::store::Search;
use crate::trace::{SessionSummary, SummaryPage};

/// Returns the sessions of the newest matching calls. Each is summed up over all its calls in the searched time.
pub(super) fn sessions(
    reader: &mut Reader,
    search: &Search,
    clock: &Clock,
) -> rusqlite::Result<SummaryPage<SessionSummary>> {
    let deadline = clock.monotonic() + find::BUDGET;
    let Reader { db, unpacker, .. } = reader;
    let tx = db.transaction()?;
    let newest = groups::newest(&tx, unpacker, search, Tie::Session, &|| clock.monotonic() >= deadline)?;
    let mut sums: Vec<Summing> = newest.groups.iter().map(|_| Summing::default()).collect();
    let deadline = clock.monotonic() + groups::SUMMARY_BUDGET;
    let calls = CallsOf {
        tie: Tie::Session,
        groups: &newest.groups,
        wanted: Wanted::without_cursor(search),
        late: &|| clock.monotonic() >= deadline,
    };
    let whole = calls.each(&tx, |n, call| sums[n].add(call))?;
    let rows = newest.groups.into_iter().zip(sums).map(|(group, sum)| sum.finish(group.name)).collect();
    Ok(SummaryPage { rows, next_cursor: newest.next, complete: newest.complete && whole })
}

/// What is summed up of one session.
#[derive(Default)]
struct Summing {
    began: Option<i64>,
    last: i64,
    calls: u64,
    traces: HashSet<String>,
    errors: u64,
    tokens: u64,
    cost: NanoUsd,
    user: Option<(i64, String)>,
}

impl Summing {
    fn add(&mut self, call: &Stored<'_>) {
        let fields = &call.fields;
        let started = fields.int(Column::StartedAt).unwrap_or_default();
        self.began = Some(self.began.map_or(started, |began| began.min(started)));
        self.last = self.last.max(started);
        self.calls += 1;
        self.traces.extend(fields.text(Column::TraceId).map(std::borrow::Cow::into_owned));
        self.errors += u64::from(groups::failed(fields));
        self.tokens += groups::tokens(fields);
        self.cost += NanoUsd(fields.int(Column::CostNanousd).unwrap_or_default());
        if let Some(user) = fields.text(Column::User)
            && self.user.as_ref().is_none_or(|(latest, _)| started >= *latest)
        {
            self.user = Some((started, user.into_owned()));
        }
    }

    fn finish(self, id: String) -> SessionSummary {
        SessionSummary {
            id,
            started_at: Time(self.began.unwrap_or_default()),
            last_at: Time(self.last),
            calls: self.calls,
            traces: self.traces.len() as u64,
            errors: self.errors,
            tokens: self.tokens,
            cost_nanousd: self.cost,
            user: self.user.map(|(_, user)| user),
        }
    }
}
