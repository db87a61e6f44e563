//! What routes over records ask for in their query: a search text, a time, a page.

use std::sync::Arc;
use std::time::Duration;

use analytics::filter::Filter;
use analytics::{Cursor, QueryError, Search, moment, query};
use serde::Deserialize;
use vocab::Time;

use super::Admin;
use super::given::limit;
use crate::refusal::{Kind, Refusal};

/// When whoever was turned away because time ran out should come again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Which calls, and which page of what they come to.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SearchPage {
    /// Search text: free words and "quoted phrases" match request and answer; `field:value`, `field>n`,
    /// `-field:value`, lists `a,b`, `prefix*`. All terms must match.
    #[param(example = r#"prompt:support/reply@3 latency>2s -status:200 "refund policy""#)]
    q: Option<String>,
    /// The earliest start, itself included: RFC 3339, a date, or a while ago such as `-1h`.
    #[param(example = "-1h")]
    from: Option<String>,
    /// The latest start, itself excluded.
    #[param(example = "2026-11-30T12:00:00Z")]
    to: Option<String>,
    /// How many to a page.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

impl SearchPage {
    /// The search this asks for.
    pub(super) fn search(self, admin: &Admin, project: Arc<str>) -> Result<Search, Refusal> {
        let sought = Sought { q: self.q, from: self.from, to: self.to };
        Ok(Search {
            limit: limit(self.limit)?,
            cursor: self.cursor.as_deref().map(cursor).transpose()?,
            ..sought.search(admin, project)?
        })
    }
}

/// Which calls, all of them.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Sought {
    /// Search text, as for `GET /calls`.
    #[param(example = "outcome:timeout model:gpt-5*")]
    pub(super) q: Option<String>,
    /// The earliest start, itself included: RFC 3339, a date, or a while ago such as `-1h`.
    #[param(example = "-1h")]
    pub(super) from: Option<String>,
    /// The latest start, itself excluded.
    #[param(example = "2026-11-30T12:00:00Z")]
    pub(super) to: Option<String>,
}

impl Sought {
    /// The search this asks for, from its beginning.
    pub(super) fn search(self, admin: &Admin, project: Arc<str>) -> Result<Search, Refusal> {
        let (from, to) = times(self.from.as_deref(), self.to.as_deref(), admin.app.clock.now())?;
        let filter = filter(admin, &project, self.q.as_deref())?;
        Ok(Search { filter, project: Some(project), from, to, ..Search::default() })
    }
}

/// A search text, which names users and sessions as applications do: they are found by what is stored of them too.
pub(super) fn filter(admin: &Admin, project: &str, q: Option<&str>) -> Result<Filter, Refusal> {
    let mut filter = query::parse(q.unwrap_or_default())?;
    admin.app.policies.of_project(project).redaction.seek(&mut filter);
    Ok(filter)
}

/// What was asked for was not found in the time there is, which does not mean that it is not there.
pub(super) fn time_ran_out() -> Refusal {
    Refusal::new(Kind::Unavailable, "the record store took too long to look: try again")
        .retry_after(RETRY_AFTER)
}

/// A point in time as people write it.
pub(super) fn time(param: &'static str, text: &str, now: Time) -> Result<Time, Refusal> {
    moment::parse(text, now)
        .map_err(|error| Refusal::new(Kind::InvalidRequest, format!("`{param}`: {error}")).param(param))
}

/// The time between which and which something lies, where that is asked for.
pub(super) fn times(
    from: Option<&str>,
    to: Option<&str>,
    now: Time,
) -> Result<(Option<Time>, Option<Time>), Refusal> {
    let from = from.map(|text| time("from", text, now)).transpose()?;
    let to = to.map(|text| time("to", text, now)).transpose()?;
    if let (Some(from), Some(to)) = (from, to) {
        in_order(from, to)?;
    }
    Ok((from, to))
}

/// Refuses a span of time that ends before it begins, in which nothing can lie.
pub(super) fn in_order(from: Time, to: Time) -> Result<(), Refusal> {
    if from < to {
        return Ok(());
    }
    let message = format!("`from` ({from}) must lie before `to` ({to})");
    Err(Refusal::new(Kind::InvalidRequest, message).param("from"))
}

/// Where a page starts.
pub(super) fn cursor(text: &str) -> Result<Cursor, Refusal> {
    text.parse().map_err(|error: QueryError| Refusal::from(error).param("cursor"))
}
