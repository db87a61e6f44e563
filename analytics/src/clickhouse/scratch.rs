//! A database for one test, on the engine that `TEST_CLICKHOUSE_URL` names.

use vocab::{Id, Time};

use super::address::Address;
use super::connection::Connection;
use super::schema::quoted;

/// A database that nobody has made yet.
pub(super) struct Scratch {
    pub(super) url: String,
    name: String,
}

impl Scratch {
    pub(super) fn new() -> Self {
        let url = std::env::var_os("TEST_CLICKHOUSE_URL").expect(
            "name a ClickHouse server in TEST_CLICKHOUSE_URL, or run `cargo xtask test`, which starts one: \
             see tools/clickhouse/README.md",
        );
        let url = url.into_string().unwrap();
        let name = format!("weir_test_{}", Id::<()>::at(Time(0)).to_string().replace('-', "_"));
        Self { url: format!("{}/{name}", url.trim_end_matches('/')), name }
    }

    pub(super) fn connect(&self) -> Connection {
        Connection::new(&Address::read(&self.url).unwrap(), None)
    }

    /// The one value that a query over this database gives.
    pub(super) async fn value(&self, sql: &str) -> String {
        let bytes =
            self.connect().client().query_raw(sql).fetch_bytes("TabSeparated").unwrap().collect().await;
        String::from_utf8(bytes.unwrap().to_vec()).unwrap().trim_end().to_owned()
    }

    /// Drops the database of a test that passed.
    pub(super) async fn drop(self) {
        self.clear().await;
    }

    /// Drops the database, as a server that lost its volume has none.
    pub(super) async fn clear(&self) {
        self.connect()
            .run_on_server(&format!("DROP DATABASE IF EXISTS {}", quoted(&self.name)))
            .await
            .unwrap();
    }
}
