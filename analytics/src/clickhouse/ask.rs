//! Questions put to the server: each reads only, and within limits of time and memory.

use std::sync::Arc;
use std::time::Duration;

use clickhouse::error::Error;
use clickhouse::{RowOwned, RowRead};
use vocab::Clock;

use super::connection::Connection;
use super::sql::Sql;
use super::trouble::Trouble;
use crate::store::QueryError;

/// What one search may take, as with the embedded store.
pub(super) const BUDGET: Duration = Duration::from_secs(1);
/// What a question may take that must be answered in full: a report, a page of an export.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// How much longer than the server may take its answer is waited for.
const GRACE: Duration = Duration::from_secs(5);
/// What a statement that changes something may take: deletes go through all parts of a table.
const CHANGE: Duration = Duration::from_mins(10);
/// Bytes one question may hold in the server's memory.
const MEMORY_BYTES: &str = "4000000000";
/// Rows one answer may have; every statement has a tighter limit of its own.
const RESULT_ROWS: &str = "1000000";

/// Puts questions to the server.
#[derive(Clone)]
pub(super) struct Asker {
    connection: Arc<Connection>,
    clock: Clock,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// Time ran out.
    Late,
    /// It would have taken more memory or rows than one question may.
    TooMuch,
    /// The server is away, or refuses.
    Away(String),
}

impl From<Failure> for QueryError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Late | Failure::TooMuch => Self::TooLong,
            Failure::Away(reason) => Self::Unavailable(reason),
        }
    }
}

impl Asker {
    pub(super) const fn new(connection: Arc<Connection>, clock: Clock) -> Self {
        Self { connection, clock }
    }

    /// Time that only moves forward, for budgets.
    pub(super) fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    /// The way to the server, for statements that change something.
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Asks for rows, within `limit`.
    pub(super) async fn rows<T: RowOwned + RowRead>(
        &self,
        sql: &Sql,
        limit: Duration,
    ) -> Result<Vec<T>, Failure> {
        self.ready().await?;
        let query = sql
            .query(self.connection.client())
            .with_setting("max_execution_time", format!("{:.3}", limit.as_secs_f64().max(0.001)))
            .with_setting("timeout_overflow_mode", "throw")
            .with_setting("max_memory_usage", MEMORY_BYTES)
            .with_setting("max_result_rows", RESULT_ROWS)
            .with_setting("cancel_http_readonly_queries_on_client_close", "1")
            // A readonly query changes nothing, whatever is in it; 2 lets the settings here through.
            .with_setting("readonly", "2");
        match tokio::time::timeout(limit + GRACE, query.fetch_all()).await {
            Ok(answer) => answer.map_err(|error| self.failure(&error)),
            Err(_) => Err(Failure::Late),
        }
    }

    /// Asks for one row that is always there.
    pub(super) async fn row<T: RowOwned + RowRead>(&self, sql: &Sql, limit: Duration) -> Result<T, Failure> {
        let rows = self.rows(sql, limit).await?;
        rows.into_iter().next().ok_or_else(|| Failure::Away("the server gave no answer".to_owned()))
    }

    /// Runs a statement that changes something, to its end.
    pub(super) async fn run(&self, sql: &Sql) -> Result<(), Failure> {
        self.ready().await?;
        let query = sql
            .query(self.connection.client())
            // What is summed up again may come to what it was before, and must go in all the same.
            .with_setting("insert_deduplicate", "0")
            // Replicas may look at each other's tables for what to delete: calls go last, so all see the same.
            .with_setting("allow_nondeterministic_mutations", "1");
        match tokio::time::timeout(CHANGE, query.execute()).await {
            Ok(done) => done.map_err(|error| self.failure(&error)),
            Err(_) => Err(Failure::Late),
        }
    }

    fn failure(&self, error: &Error) -> Failure {
        let trouble = Trouble::of(error);
        self.connection.heed(&trouble);
        failure(trouble)
    }

    async fn ready(&self) -> Result<(), Failure> {
        match tokio::time::timeout(PATIENCE, self.connection.ready()).await {
            Ok(ready) => ready.map_err(|error| Failure::Away(error.to_string())),
            Err(_) => Err(Failure::Away(Trouble::too_slow().message)),
        }
    }
}

/// What a server's trouble means for a question.
fn failure(trouble: Trouble) -> Failure {
    match trouble.code {
        // TIMEOUT_EXCEEDED, TOO_SLOW, QUERY_WAS_CANCELLED
        Some(159 | 160 | 394) => Failure::Late,
        // TOO_MANY_ROWS, MEMORY_LIMIT_EXCEEDED, TOO_MANY_BYTES, TOO_MANY_ROWS_OR_BYTES
        Some(158 | 241 | 307 | 396) => Failure::TooMuch,
        _ => Failure::Away(trouble.message),
    }
}

#[cfg(test)]
mod tests {
    use super::super::address::Address;
    use super::*;

    #[test]
    fn what_the_server_says_decides_what_a_failure_means() {
        let said = |text: &str| failure(Trouble::of(&Error::BadResponse(text.to_owned())));
        assert!(matches!(said("Code: 159. DB::Exception: Timeout exceeded"), Failure::Late));
        assert!(matches!(said("Code: 241. DB::Exception: (total) memory limit exceeded"), Failure::TooMuch));
        assert!(matches!(said("Code: 516. DB::Exception: Authentication failed"), Failure::Away(_)));
    }

    #[tokio::test]
    async fn a_server_that_is_away_is_said_to_be_without_its_password() {
        let address = Address::read("http://weir:hunter2@127.0.0.1:1/weir").unwrap();
        let asker = Asker::new(Arc::new(Connection::new(&address, None)), Clock::system());
        let error = QueryError::from(asker.rows::<u8>(&Sql::new("SELECT 1"), BUDGET).await.unwrap_err());
        assert!(matches!(error, QueryError::Unavailable(_)), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
