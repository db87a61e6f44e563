//! A schema for one test, on the PostgreSQL server that `TEST_POSTGRES_URL` names.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};

/// A schema of its own, gone when it is dropped.
pub(crate) struct Schema {
    /// The URL of the server and database, with the schema in it.
    pub(crate) url: String,
    name: String,
}

impl Schema {
    pub(crate) async fn make() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // Test processes run beside each other.
        let name = format!("weir_test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let server = server();
        let separator = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{separator}options=-csearch_path%3D{name}");
        let schema = Self { url, name };
        schema.run(&format!("DROP SCHEMA IF EXISTS {0} CASCADE; CREATE SCHEMA {0}", schema.name)).await;
        schema
    }

    /// Runs statements behind the registry's back.
    pub(crate) async fn run(&self, sql: &str) {
        let mut connection = PgConnection::connect(&self.url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        let sql = format!("DROP SCHEMA IF EXISTS {} CASCADE", self.name);
        let url = server();
        // A runtime of its own: the test's is busy with dropping this.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let mut connection = PgConnection::connect(&url).await?;
                // Connections of a case that is over may still be there.
                let sql = format!("SET lock_timeout = '5s'; {sql}");
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await
            })
        });
        // What could not be dropped stays: the next run's names are others, and a server of the test's own goes whole.
        drop(dropping.join());
    }
}

fn server() -> String {
    let server = std::env::var_os("TEST_POSTGRES_URL").expect(
        "name a PostgreSQL database in TEST_POSTGRES_URL, or run `cargo xtask test`, which starts a server: \
         a test that did not run proves nothing",
    );
    server.into_string().unwrap()
}
