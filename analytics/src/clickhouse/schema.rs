//! The tables of a ClickHouse store: the columns rows are shipped in, and the migrations' text for one server or
//! a cluster.
//!
//! A column's place in a list is its place in a shipped row; `block` is filled in by the engine. Lists only ever
//! grow at the end, with a migration that adds the column, so that an outbox written by an older build ships.

use std::fmt::Write;

use crate::outbox::Table;

/// A table's columns as rows carry them: name and type, in order.
pub(super) type Columns = &'static [(&'static str, &'static str)];

/// The number of the columns below, which an outbox keeps with its rows. Columns added at the end of a list do
/// not need another one only if [`columns`] still knows how rows of the earlier number end.
pub(super) const LAYOUT: u32 = 2;

/// The columns that rows of this layout have; `None` is a layout of some later build.
pub(super) fn columns(table: Table, layout: u32) -> Option<Columns> {
    (1..=LAYOUT).contains(&layout).then_some(match table {
        // The second layout added `arm_unit`.
        Table::Calls if layout == 1 => CALLS.split_last().map_or(CALLS, |(_, earlier)| earlier),
        Table::Calls => CALLS,
        Table::Attempts => ATTEMPTS,
        Table::Bodies => BODIES,
        Table::Spans => SPANS,
        Table::Scores => SCORES,
    })
}

/// What happened in one call.
pub(super) const CALLS: Columns = &[
    ("project", "LowCardinality(String)"),
    ("started_at", "DateTime64(6, 'UTC')"),
    ("id", "UUID"),
    ("duration_us", "UInt64"),
    ("ttft_us", "Nullable(UInt64)"),
    ("overhead_us", "UInt64"),
    ("endpoint", "LowCardinality(String)"),
    ("streaming", "Bool"),
    ("status", "UInt16"),
    ("outcome", "LowCardinality(String)"),
    ("error_code", "LowCardinality(String)"),
    ("error_message", "String"),
    ("requested_model", "LowCardinality(String)"),
    ("provider", "LowCardinality(String)"),
    ("model", "LowCardinality(String)"),
    ("response_model", "LowCardinality(String)"),
    ("attempts", "UInt32"),
    ("cache", "LowCardinality(String)"),
    ("key_id", "LowCardinality(String)"),
    ("user", "String"),
    ("session", "String"),
    ("tags", "Array(String)"),
    ("metadata", "String"),
    ("prompt", "LowCardinality(String)"),
    ("prompt_id", "LowCardinality(String)"),
    ("prompt_version", "UInt32"),
    ("prompt_digest", "LowCardinality(String)"),
    ("prompt_label", "LowCardinality(String)"),
    ("experiment", "LowCardinality(String)"),
    ("arm", "LowCardinality(String)"),
    ("variables", "String"),
    ("words", "Array(String)"),
    ("input_tokens", "Nullable(UInt64)"),
    ("cached_input_tokens", "Nullable(UInt64)"),
    ("cache_write_tokens", "Nullable(UInt64)"),
    ("output_tokens", "Nullable(UInt64)"),
    ("reasoning_tokens", "Nullable(UInt64)"),
    ("audio_tokens", "Nullable(UInt64)"),
    ("usage_raw", "String"),
    ("usage_source", "LowCardinality(String)"),
    ("cost_nanousd", "Nullable(Int64)"),
    ("price_id", "LowCardinality(String)"),
    ("finish_reason", "LowCardinality(String)"),
    ("tool_names", "Array(LowCardinality(String))"),
    ("trace_id", "FixedString(16)"),
    ("span_id", "FixedString(8)"),
    ("parent_span_id", "FixedString(8)"),
    ("request_preview", "String"),
    ("response_preview", "String"),
    ("body_state", "LowCardinality(String)"),
    ("node", "LowCardinality(String)"),
    ("retention_days", "UInt16"),
    ("arm_unit", "LowCardinality(String)"),
];

/// Each try upstream of a call.
pub(super) const ATTEMPTS: Columns = &[
    ("project", "LowCardinality(String)"),
    ("started_at", "DateTime64(6, 'UTC')"),
    ("id", "UUID"),
    ("n", "UInt32"),
    ("provider", "LowCardinality(String)"),
    ("model", "LowCardinality(String)"),
    ("account", "LowCardinality(String)"),
    ("status", "Nullable(UInt16)"),
    ("failure_class", "LowCardinality(String)"),
    ("error", "String"),
    ("duration_us", "UInt64"),
    ("ttft_us", "Nullable(UInt64)"),
    ("waited_us", "Nullable(UInt64)"),
    ("upstream_request_id", "String"),
    ("cost_nanousd", "Nullable(Int64)"),
    ("won", "Bool"),
    ("reason", "LowCardinality(String)"),
    ("retention_days", "UInt16"),
];

/// What was said in a call, when it is kept.
pub(super) const BODIES: Columns = &[
    ("project", "LowCardinality(String)"),
    ("started_at", "DateTime64(6, 'UTC')"),
    ("id", "UUID"),
    ("request_body", "String"),
    ("response_body", "String"),
    ("upstream_request_body", "String"),
    ("said", "String"),
    ("retention_days", "UInt16"),
];

/// What applications reported.
pub(super) const SPANS: Columns = &[
    ("project", "LowCardinality(String)"),
    ("started_at", "DateTime64(6, 'UTC')"),
    ("trace_id", "FixedString(16)"),
    ("span_id", "FixedString(8)"),
    ("parent_span_id", "FixedString(8)"),
    ("name", "String"),
    ("kind", "LowCardinality(String)"),
    ("duration_us", "UInt64"),
    ("failed", "Bool"),
    ("status_message", "String"),
    ("service", "LowCardinality(String)"),
    ("user", "String"),
    ("session", "String"),
    ("model", "LowCardinality(String)"),
    ("provider", "LowCardinality(String)"),
    ("prompt", "LowCardinality(String)"),
    ("prompt_version", "UInt32"),
    ("input_tokens", "Nullable(UInt64)"),
    ("output_tokens", "Nullable(UInt64)"),
    ("input", "String"),
    ("output", "String"),
    ("attributes", "String"),
    ("events", "String"),
    ("retention_days", "UInt16"),
];

/// Judgements.
pub(super) const SCORES: Columns = &[
    ("project", "LowCardinality(String)"),
    ("at", "DateTime64(6, 'UTC')"),
    ("id", "UUID"),
    ("target_kind", "LowCardinality(String)"),
    ("target", "String"),
    ("name", "LowCardinality(String)"),
    ("value", "Float64"),
    ("comment", "String"),
    ("source", "LowCardinality(String)"),
    ("author", "String"),
    ("retention_days", "UInt16"),
];

/// Every migration, in order: its name and text.
pub(super) const MIGRATIONS: &[(&str, &str)] = &[
    ("0001_records", include_str!("migrations/0001_records.sql")),
    ("0002_rollups", include_str!("migrations/0002_rollups.sql")),
    ("0003_tokens", include_str!("migrations/0003_tokens.sql")),
    ("0004_arm_unit", include_str!("migrations/0004_arm_unit.sql")),
];

/// Where tables are made: in one database, on one server or on each of a cluster.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// The database's name.
    pub(super) database: &'a str,
    /// The cluster's name; `None` is one server.
    pub(super) cluster: Option<&'a str>,
}

impl Place<'_> {
    /// The statements of a migration's text, one by one, without comments.
    pub(super) fn statements(self, text: &str) -> Vec<String> {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("--"));
        let text = lines.fold(String::new(), |text, line| text + line + "\n");
        let statements =
            text.split("\n\n").map(|statement| self.expand(statement.trim().trim_end_matches(';')));
        statements.filter(|statement| !statement.is_empty()).collect()
    }

    /// Replaces every `{token}` of a statement.
    fn expand(self, statement: &str) -> String {
        let mut parts = statement.split('{');
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (token, rest) = part.split_once('}').unwrap_or((part, ""));
            self.write_token(token, &mut out);
            out.push_str(rest);
        }
        out
    }

    fn write_token(self, token: &str, out: &mut String) {
        let (word, rest) = token.split_once(' ').unwrap_or((token, ""));
        let replicated = if self.cluster.is_some() { "Replicated" } else { "" };
        match word {
            "db" => out.push_str(&quoted(self.database)),
            "local" if self.cluster.is_some() => out.push_str("_local"),
            "on_cluster" => self.write_on_cluster(out),
            "MergeTree" | "AggregatingMergeTree" => {
                out.push_str(replicated);
                out.push_str(word);
            }
            "everywhere" => self.write_everywhere(rest, out),
            "remember" => out.push_str(self.remember()),
            "distributed" => self.write_distributed(rest, out),
            _ => {}
        }
    }

    fn write_on_cluster(self, out: &mut String) {
        if let Some(cluster) = self.cluster {
            // Writing to a string cannot fail.
            write!(out, "ON CLUSTER {}", literal(cluster)).unwrap_or_default();
        }
    }

    /// How many tokens a table remembers. Replicas also forget by time: a shard may be away for a week.
    const fn remember(self) -> &'static str {
        if self.cluster.is_none() {
            return "MODIFY SETTING non_replicated_deduplication_window = 10000";
        }
        "MODIFY SETTING replicated_deduplication_window = 10000, \
         replicated_deduplication_window_seconds = 604800"
    }

    /// The engine of a small table of which every server holds all rows.
    fn write_everywhere(self, table: &str, out: &mut String) {
        if self.cluster.is_none() {
            return out.push_str("MergeTree");
        }
        let database = self.database.replace(['\\', '\'', '/'], "_");
        write!(
            out,
            "ReplicatedMergeTree('/clickhouse/tables/all/{database}/{table}', '{{shard}}-{{replica}}')"
        )
        .unwrap_or_default();
    }

    /// The table that queries and inserts name, over the local ones of all servers.
    fn write_distributed(self, rest: &str, out: &mut String) {
        let (Some(cluster), Some((table, key))) = (self.cluster, rest.split_once(' ')) else { return };
        let database = quoted(self.database);
        write!(
            out,
            "CREATE TABLE IF NOT EXISTS {database}.{table} ON CLUSTER {} AS {database}.{table}_local \
             ENGINE = Distributed({}, {database}, {table}_local, {key})",
            literal(cluster),
            literal(cluster),
        )
        .unwrap_or_default();
    }
}

/// A name as SQL has it between backticks.
pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"))
}

/// A text as SQL has it between quotes.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(cluster: Option<&str>) -> Vec<String> {
        let place = Place { database: "weir", cluster };
        MIGRATIONS.iter().flat_map(|(_, text)| place.statements(text)).collect()
    }

    /// The columns a statement that makes `table` names, in order.
    fn made(table: &str) -> Vec<String> {
        let begin = format!("CREATE TABLE IF NOT EXISTS `weir`.{table} ");
        let statement = all(None).into_iter().find(|statement| statement.starts_with(&begin)).unwrap();
        let (_, columns) = statement.split_once("(\n").unwrap();
        let (columns, _) = columns.split_once("\n)").unwrap();
        columns.lines().map(|line| line.trim().to_owned()).collect()
    }

    #[test]
    fn rows_carry_the_columns_that_the_tables_have() {
        for (table, columns) in [
            // What a later migration adds is not in the statement that makes the table.
            ("calls", columns(Table::Calls, 1).unwrap()),
            ("attempts", ATTEMPTS),
            ("bodies", BODIES),
            ("spans", SPANS),
            ("scores", SCORES),
        ] {
            let made = made(table);
            for (n, (name, kind)) in columns.iter().enumerate() {
                assert!(
                    made[n].starts_with(&format!("{name} {kind}")),
                    "{table}: {} is not {name} {kind}",
                    made[n]
                );
            }
            assert!(made[columns.len()].starts_with("block UUID DEFAULT"), "{table}");
        }
    }

    #[test]
    fn one_server_has_plain_tables_under_the_names_queries_use() {
        let statements = all(None);
        assert_eq!(statements.len(), 19);
        for statement in statements {
            assert!(!statement.contains(['{', '}']), "{statement}");
            assert!(!statement.contains("_local") && !statement.contains("ON CLUSTER"), "{statement}");
            assert!(!statement.contains("Replicated"), "{statement}");
        }
    }

    #[test]
    fn a_cluster_has_replicated_tables_and_one_over_all_of_them() {
        let statements = all(Some("main"));
        assert_eq!(statements.len(), 26);
        assert!(statements.iter().all(|statement| statement.contains("ON CLUSTER 'main'")));
        let calls = statements.iter().find(|statement| statement.contains("weir`.calls_local ON")).unwrap();
        assert!(calls.contains("ENGINE = ReplicatedMergeTree\n"), "{calls}");
        assert_eq!(
            statements[1],
            "CREATE TABLE IF NOT EXISTS `weir`.calls ON CLUSTER 'main' AS `weir`.calls_local \
             ENGINE = Distributed('main', `weir`, calls_local, cityHash64(id))"
        );
        let feed = statements.iter().find(|statement| statement.contains("calls_by_model_feed")).unwrap();
        assert!(
            feed.contains("TO `weir`.calls_by_model_local AS")
                && feed.contains("FROM `weir`.calls_local AS c")
        );
        let prices = statements.iter().find(|statement| statement.contains("weir`.prices")).unwrap();
        assert!(prices.contains("('/clickhouse/tables/all/weir/prices', '{shard}-{replica}')"), "{prices}");
    }

    #[test]
    fn a_name_cannot_end_its_quotes() {
        assert_eq!(quoted("a`b\\"), "`a\\`b\\\\`");
    }
}
