//! Searches that run out of time.

use std::cell::Cell;

use vocab::Limit;

use super::super::append::Appender;
use super::super::schema;
use super::*;
use crate::outbox::Keep;
use crate::policy::Policy;
use crate::record::Record;
use crate::row::Row;
use crate::store::Entry;

const START: Time = Time(1_795_996_800_000_000);

fn calls(count: i64) -> Vec<Record> {
    let call = |n: i64| {
        // Calls end in another order than they start, and blocks overlap.
        let started = Time(START.0 + (n + n * 37 % 150) * 1_000);
        let request =
            serde_json::json!({"messages": [{"role": "user", "content": format!("call {n} said it")}]});
        Record {
            user: Some(format!("user-{}", n % 10).into()),
            request_body: request.to_string().into(),
            ..Record::begin(
                vocab::Id::at(started),
                "default".into(),
                started,
                dialects::Endpoint::ChatCompletions,
            )
        }
    };
    (0..count).map(call).collect()
}

fn filled(records: &[Record]) -> Reader {
    let mut db = Connection::open_in_memory().unwrap();
    schema::create(&mut db).unwrap();
    let mut appender = Appender::new(db).unwrap();
    let policy = Policy::default();
    let mut rows = records.iter().map(|record| Entry::Call(Box::new(Row::new(record, "n", &policy, false))));
    appender.append(&mut rows, Keep::Everything).unwrap();
    Reader::on(appender.db, 0).unwrap()
}

/// Turns pages with time for only so many steps on each.
fn turn_pages(reader: &mut Reader, text: &str, limit: u32, steps: u32) -> (Vec<Time>, u32) {
    let filter = crate::query::parse(text).unwrap();
    let mut search = Search { filter, limit: Limit::new(limit).unwrap(), ..Search::default() };
    let (mut seen, mut cuts) = (Vec::new(), 0);
    loop {
        let left = Cell::new(steps);
        let late = || left.replace(left.get().saturating_sub(1)) == 0;
        let page = find_within(reader, &search, &late).unwrap();
        assert_eq!(page.complete, page.searched_to.is_none());
        if let Some(searched_to) = page.searched_to {
            cuts += 1;
            assert!(page.rows.iter().all(|row| row.started_at >= searched_to), "what is behind was searched");
        }
        seen.extend(page.rows.iter().map(|row| row.started_at));
        search.cursor = page.next_cursor;
        if search.cursor.is_none() {
            return (seen, cuts);
        }
    }
}

#[test]
fn a_search_cut_short_goes_on_where_it_stopped() {
    let records = calls(400);
    let mut reader = filled(&records);
    for text in ["", "said", "user:user-3", "\"call 77 said\"", "absent", "-user:user-3 said"] {
        let (whole, cuts) = turn_pages(&mut reader, text, 1_000, u32::MAX);
        assert_eq!(cuts, 0);
        for steps in [0, 3, 50] {
            let (pieces, cuts) = turn_pages(&mut reader, text, 1_000, steps);
            assert_eq!(pieces, whole, "{text} in steps of {steps}");
            assert!(cuts > 0 || steps == 50, "{text} in steps of {steps}");
        }
        assert_eq!(turn_pages(&mut reader, text, 17, 20).0, whole, "{text} with small pages");
    }
    assert_eq!(turn_pages(&mut reader, "", 1_000, u32::MAX).0.len(), 400);
}

#[test]
fn blocks_that_cannot_match_are_not_read() {
    let records = calls(2_000);
    let mut reader = filled(&records);
    let candidates = |reader: &mut Reader, text: &str| {
        let plan = Plan::new(&reader.db, &crate::query::parse(text).unwrap(), None).unwrap();
        let mut filters = reader.db.prepare("SELECT filter FROM gram").unwrap();
        let filters = filters.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
        filters.filter(|filter| plan.may_match_block(filter.as_ref().unwrap())).count()
    };
    assert!(candidates(&mut reader, "said") > 10);
    assert_eq!(candidates(&mut reader, "\"call 1234 said\""), 1);
    assert_eq!(candidates(&mut reader, "nobody-said-this"), 0);
    assert_eq!(candidates(&mut reader, "user:nobody"), 0);
    assert_eq!(candidates(&mut reader, &format!("id:{}", records[700].id)), 1);
}
