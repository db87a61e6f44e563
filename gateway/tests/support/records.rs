//! Finding the records of a test's calls: as soon as they are written, never after a guess of a time.

use analytics::Search;
use serde_json::Value;
use vocab::Limit;

use super::ask_streamed;
use super::client::Answer;
use super::harness::Harness;
use super::wait::{patiently, until};

impl Harness {
    /// The whole record of the call with this id.
    pub async fn record(&self, id: &str) -> Value {
        let id = id.parse().unwrap();
        let found = until("the record", async || {
            self.app().recorder.flush().await;
            self.app().store.get(id).await.unwrap()
        });
        serde_json::to_value(found.await).unwrap()
    }

    /// The whole record of the call that was answered so.
    pub async fn record_of(&self, answer: &Answer) -> Value {
        self.record(answer.header("weir-call-id")).await
    }

    /// Waits until exactly `count` calls are recorded, and returns their rows in the order of the calls.
    pub async fn records(&self, count: usize) -> Vec<Value> {
        let enough = async || (self.app().recorder.counts().filed >= count as u64).then_some(());
        until(&format!("{count} records"), enough).await;
        patiently("the records to be written", self.app().recorder.flush()).await;
        let search = Search { limit: Limit::default(), ..Search::default() };
        let page = self.app().store.find(search).await.unwrap();
        assert_eq!(page.rows.len(), count, "{:?}", page.rows);
        page.rows.iter().rev().map(|row| serde_json::to_value(row).unwrap()).collect()
    }

    /// The whole record of the one call there was.
    pub async fn only_record(&self) -> Value {
        let row = self.records(1).await.remove(0);
        self.record(row["id"].as_str().unwrap()).await
    }

    /// One streamed call: all its events, and its record.
    pub async fn told(&self) -> (Vec<String>, Value) {
        let stream = self.stream(&ask_streamed()).await;
        assert_eq!(stream.status, 200);
        let id = stream.header("weir-call-id").to_owned();
        let events = stream.rest().await;
        (events, self.record(&id).await)
    }

    /// What a search through the admin API finds.
    pub async fn search(&self, text: &str) -> Vec<Value> {
        patiently("the records to be written", self.app().recorder.flush()).await;
        let encoded = percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC);
        let answer = self.admin("GET", &format!("/calls?q={encoded}")).send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["data"].as_array().unwrap().clone()
    }
}

/// The ids of these rows.
pub fn ids(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["id"].as_str().unwrap()).collect()
}
