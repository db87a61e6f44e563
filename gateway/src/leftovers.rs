//! What an earlier choice of record store left in the data folder: rows that nobody ships, calls that nobody finds.

use std::path::{Path, PathBuf};

use analytics::{OutboxCondition, outbox, sqlite};
use config::Config;

use crate::start;

/// Where the embedded store keeps calls unless its url names another file.
const RECORDS_FILE: &str = "records.sqlite";
/// Why rows in the outbox stay there.
const UNSHIPPED: &str = "records go straight into the embedded store now, and what waits for ClickHouse is shipped by \
                         `weir outbox drain --config FILE` with the configuration that names ClickHouse";

/// What the start found.
#[derive(Debug)]
pub struct Leftovers {
    /// An outbox with rows in it, while no ClickHouse is configured.
    outbox: Option<PathBuf>,
    /// What to say of calls in the embedded store's file, while ClickHouse is configured.
    records: Option<String>,
}

impl Leftovers {
    /// Looks into the data folder.
    pub fn of(config: &Config) -> Self {
        let is_embedded = config.analytics_url.expose().starts_with("sqlite:");
        let outbox = Some(start::outbox_path(config)).filter(|path| is_embedded && path.exists());
        // One that cannot be read may hold rows.
        let holds_rows = |path: &PathBuf| outbox::status(path, 0).map_or(true, |(found, _)| found.rows > 0);
        Self {
            outbox: outbox.filter(holds_rows),
            records: if is_embedded { None } else { calls_left(&config.data_dir.join(RECORDS_FILE)) },
        }
    }

    /// What waits in an outbox that this gateway does not ship; read anew, as another process may drain it.
    pub fn outbox(&self) -> Option<OutboxCondition> {
        let path = self.outbox.as_ref()?;
        let (condition, trouble) = match outbox::status(path, 0) {
            Ok((condition, _)) if condition.rows == 0 => return None,
            Ok((condition, _)) => (condition, UNSHIPPED.to_owned()),
            Err(error) => (OutboxCondition::default(), format!("{error}; {UNSHIPPED}")),
        };
        Some(OutboxCondition { trouble: Some(trouble), ..condition })
    }

    /// What an operator should know.
    pub fn notices(&self) -> Vec<String> {
        let waiting = self.outbox().zip(self.outbox.as_ref()).map(|(condition, path)| {
            let trouble = condition.trouble.unwrap_or_default();
            format!("{} rows wait in {} and are not shipped: {trouble}", condition.rows, path.display())
        });
        waiting.into_iter().chain(self.records.clone()).collect()
    }
}

fn calls_left(path: &Path) -> Option<String> {
    let calls = if path.exists() { sqlite::held_calls(path).ok()? } else { 0 };
    let shown = path.display();
    (calls > 0).then(|| {
        format!(
            "{shown} holds about {calls} calls that are not in ClickHouse: search, reports, retention and deletion do \
             not reach them; switch back to the embedded store to find, export or delete them, or delete the file"
        )
    })
}
