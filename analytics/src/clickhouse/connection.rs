//! The way to a ClickHouse server: one client for all, and migrations before anything else.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clickhouse::Client;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::address::Address;
use super::migrate::{self, MigrateError};
use super::schema::{Place, literal};
use super::trouble::Trouble;

/// `UNKNOWN_TABLE`, `UNKNOWN_DATABASE`: what was there is gone.
const GONE: [u32; 2] = [60, 81];
/// How long a statement without rows may take: making tables, asking for one number.
const STATEMENT: Duration = Duration::from_secs(30);

/// A server, or any of a cluster behind one address.
pub(crate) struct Connection {
    client: Client,
    /// For the moment before the database is there.
    server: Client,
    database: String,
    cluster: Option<String>,
    is_ready: AtomicBool,
    /// Held by whoever migrates; the others wait.
    migrating: Mutex<()>,
}

impl Connection {
    pub(super) fn new(address: &Address, cluster: Option<&str>) -> Self {
        let mut server = Client::default().with_url(&address.server);
        if let Some(user) = &address.user {
            server = server.with_user(user);
        }
        if let Some(password) = &address.password {
            server = server.with_password(password.expose());
        }
        let client = server
            .clone()
            .with_database(&address.database)
            // Inner queries over a cluster's tables see all of it.
            .with_setting("distributed_product_mode", "global");
        let cluster = cluster.map(str::to_owned);
        Self {
            client,
            server,
            database: address.database.clone(),
            cluster,
            is_ready: AtomicBool::new(false),
            migrating: Mutex::const_new(()),
        }
    }

    /// The client, for statements that name tables without the database.
    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    /// What stands behind the name of a table in a statement that changes it: on a cluster the local tables of
    /// all servers.
    pub(crate) fn everywhere(&self, table: &str) -> String {
        match &self.cluster {
            Some(cluster) => format!("{table}_local ON CLUSTER {}", literal(cluster)),
            None => table.to_owned(),
        }
    }

    pub(super) fn place(&self) -> Place<'_> {
        Place { database: &self.database, cluster: self.cluster.as_deref() }
    }

    pub(super) fn database(&self) -> &str {
        &self.database
    }

    /// Returns once the tables are as this build knows them, made or changed if need be; the first that gets
    /// here does it.
    pub(crate) async fn ready(&self) -> Result<(), MigrateError> {
        if self.is_ready.load(Ordering::Acquire) {
            return Ok(());
        }
        let _migrating = self.migrating.lock().await;
        if !self.is_ready.load(Ordering::Acquire) {
            migrate::bring_up(self).await?;
            self.is_ready.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Takes note of what went wrong: a server that lost its tables gets them again before the next statement.
    pub(crate) fn heed(&self, trouble: &Trouble) {
        if trouble.code.is_some_and(|code| GONE.contains(&code)) {
            self.is_ready.store(false, Ordering::Release);
        }
    }

    /// Runs a statement that gives no rows.
    pub(super) async fn run(&self, sql: &str) -> Result<(), Trouble> {
        within(self.client.query_raw(sql).execute()).await
    }

    /// The same where the database need not be there.
    pub(super) async fn run_on_server(&self, sql: &str) -> Result<(), Trouble> {
        within(self.server.query_raw(sql).execute()).await
    }

    /// What a query answers, as text: a row to a line, tabs between its columns.
    pub(super) async fn ask(&self, sql: &str) -> Result<Vec<Vec<String>>, Trouble> {
        let asked = async { self.server.query_raw(sql).fetch_bytes("TabSeparated")?.collect().await };
        let bytes = within(asked).await?;
        let text = String::from_utf8_lossy(&bytes);
        Ok(text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
    }
}

/// A server's answer, in time.
pub(super) async fn within<T>(
    answer: impl Future<Output = clickhouse::error::Result<T>>,
) -> Result<T, Trouble> {
    match timeout(STATEMENT, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(Trouble::of(&error)),
        Err(_) => Err(Trouble::too_slow()),
    }
}
