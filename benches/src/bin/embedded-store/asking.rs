//! Questions put to the store, and how long each took.

use std::time::Duration;

use analytics::filter::Field;
use analytics::report::{Group, Measured, Report, TokenClass};
use analytics::sqlite::SqliteStore;
use analytics::{Search, Store, query};
use rustix::time::ClockId;
use vocab::{Clock, Limit, Time};

use crate::filling::{START, WEEK_US, cpu};

/// Searches, by what is hard about them.
const SEARCHES: &[(&str, &str)] = &[
    ("newest 50", ""),
    ("newest 50 of a model", "model:gpt-4o"),
    ("newest 50 of a user (1 in 5,000)", "user:user-17"),
    ("newest 50 of a user that is not there", "user:nobody"),
    ("newest 50 that failed, of none", "-status:200"),
    ("newest 50 slow ones of a prompt", "latency>5s prompt:support/reply@7"),
    ("newest 50 by metadata that no call has", "metadata.tier:iron"),
    ("text: a common word", "refund"),
    ("text: 1 call in 1,000", "zebra"),
    ("text: 1 call in 100,000", "quagga"),
    ("text: not there", "okapi"),
    ("text: not there, of common parts", "\"policy invoice shipped refund monday\""),
    ("text: not there, short", "qqq"),
];

struct Asking<'a> {
    store: &'a SqliteStore,
    tries: usize,
    clock: &'a Clock,
}

pub(crate) async fn ask(
    store: &SqliteStore,
    records: u64,
    tries: usize,
    clock: &Clock,
) -> anyhow::Result<()> {
    let asking = Asking { store, tries, clock };
    for (what, text) in SEARCHES {
        asking.time(what, || async { Ok(said(&store.find(search(text)?).await?)) }).await?;
    }
    let middle = START.plus(Duration::from_micros(WEEK_US / 2));
    let some = store
        .find(Search { to: Some(middle), limit: Limit::new(1).unwrap_or_default(), ..Search::default() })
        .await?;
    if let Some(row) = some.rows.first() {
        let id = row.id;
        asking.time("one call", || async { Ok(format!("{}", store.get(id).await?.is_some())) }).await?;
        let trace = u128::from_str_radix(&row.trace_id, 16)?.to_be_bytes();
        asking
            .time("one trace", || async {
                Ok(format!("{} calls", store.trace("default".into(), trace).await?.calls.len()))
            })
            .await?;
    }
    asking
        .time("50 traces", || async { Ok(format!("{} traces", store.traces(search("")?).await?.rows.len())) })
        .await?;
    asking
        .time("50 sessions", || async {
            Ok(format!("{} sessions", store.sessions(search("")?).await?.rows.len()))
        })
        .await?;
    for text in ["", "user:user-17", "status:5*", "latency>1s", "zebra"] {
        asking
            .time(&format!("count `{text}`"), || async {
                Ok(format!("{:?}", store.count(search(text)?).await?))
            })
            .await?;
    }
    asking
        .time("values of user", || async {
            Ok(format!("{} values", store.values(search("")?, Field::User, "user-1".into()).await?.len()))
        })
        .await?;
    asking.reports().await?;
    asking
        .time("export a page of 1,000", || async {
            let page =
                store.export(Search { limit: Limit::new(1_000).unwrap_or_default(), ..search("")? }).await?;
            Ok(format!("{} of {records}", page.rows.len()))
        })
        .await
}

fn search(text: &str) -> anyhow::Result<Search> {
    Ok(Search { filter: query::parse(text)?, project: Some("default".into()), ..Search::default() })
}

fn said(page: &analytics::FoundPage) -> String {
    format!("{} found{}", page.rows.len(), if page.complete { "" } else { ", cut" })
}

impl Asking<'_> {
    async fn reports(&self) -> anyhow::Result<()> {
        let of_models = [Group::Field(Field::Model), Group::Field(Field::Provider)];
        for (what, text, group_by, hours) in [
            ("report: a week by hour", "", &[][..], 1),
            ("report: a week by hour and model", "", &of_models[..], 1),
            ("report: a week by day and prompt", "", &[Group::Field(Field::Prompt), Group::Version], 24),
            ("report: a week by hour, of one provider", "provider:openai", &of_models[..1], 1),
            ("report: a week by hour, of a model (read one by one)", "model:gpt-4o", &[], 1),
            ("report: a week by day and user (read one by one)", "", &[Group::Field(Field::User)], 24),
        ] {
            let report = Report {
                project: Some("default".into()),
                filter: query::parse(text)?,
                // Cut off in the middle of an hour, as dashboards do.
                from: Time(START.0 + 1_234_567_890),
                to: Time(START.0 + WEEK_US as i64 + 1_234_567_890),
                ended_within: None,
                measures: vec![
                    Measured::Calls,
                    Measured::ErrorRate,
                    Measured::Cost,
                    Measured::Tokens(TokenClass::All),
                    Measured::Latency(0.5),
                    Measured::Latency(0.95),
                    Measured::Latency(0.99),
                    Measured::Ttft(0.95),
                ],
                group_by: group_by.to_vec(),
                interval: Some(Duration::from_hours(hours)),
                limit: 10_000,
            };
            self.time(what, || async {
                let table = self.store.report(report.clone()).await?;
                Ok(format!("{} rows{}", table.rows.len(), if table.complete { "" } else { ", cut" }))
            })
            .await?;
        }
        Ok(())
    }

    /// Asks some times over and prints the median and the longest, and the CPU time of one.
    #[expect(clippy::print_stdout, reason = "a program that measures says what it measured")]
    async fn time<F: Future<Output = anyhow::Result<String>>>(
        &self,
        what: &str,
        question: impl Fn() -> F,
    ) -> anyhow::Result<()> {
        let (mut times, mut answer) = (Vec::new(), String::new());
        let working = cpu(ClockId::ProcessCPUTime);
        for _ in 0..self.tries.max(1) {
            let begun = self.clock.monotonic();
            answer = question().await?;
            times.push(self.clock.monotonic().saturating_sub(begun));
        }
        let worked = cpu(ClockId::ProcessCPUTime).saturating_sub(working) / self.tries.max(1) as u32;
        times.sort_unstable();
        let millis = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e3);
        println!(
            "{what:<55} {:>8.1} ms, {:>8.1} at most, {:>8.1} CPU: {answer}",
            millis(times.get(times.len() / 2)),
            millis(times.last()),
            millis(Some(&worked))
        );
        Ok(())
    }
}
