//! Where things are kept: the registry, the records, and what nodes share.

use std::path::Path;

use vocab::Secret;

use crate::problem::Wrong;
use crate::reader::Section;
use crate::{url, vars};

/// The three URLs.
pub(crate) struct Storage {
    pub(crate) registry: Secret,
    pub(crate) analytics: Secret,
    pub(crate) cluster: Option<String>,
    pub(crate) shared: String,
}

/// One thing that is kept, and by what it can be kept.
struct Kept {
    section: &'static str,
    works: &'static str,
    later: &'static [(&'static str, &'static str)],
}

const REGISTRY: Kept = Kept { section: "registry", works: "sqlite:PATH", later: &[] };
const ANALYTICS: Kept = Kept { section: "analytics", works: "sqlite:PATH", later: &[] };
const SHARED: Kept =
    Kept { section: "shared", works: "memory:", later: &[("redis", "Redis"), ("rediss", "Redis")] };

/// How a ClickHouse server is named.
const CLICKHOUSE: &str =
    "write \"sqlite:PATH\", or \"http://user:password@host:8123/database\" (https:// for TLS) for ClickHouse";
/// How a PostgreSQL database is named.
const POSTGRES: &str =
    "write \"sqlite:PATH\", or \"postgres://user:password@host:5432/database\" for PostgreSQL";
/// What the query of its URL may set.
const POSTGRES_PARAMETERS: [&str; 7] =
    ["host", "options", "sslcert", "sslkey", "sslmode", "sslrootcert", "statement-cache-capacity"];
/// Whether the connection is encrypted, and how well the server must prove itself.
const SSL_MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];
/// The longest name of a ClickHouse database or cluster, in bytes.
const NAME_BYTES_MAX: usize = 64;

impl Storage {
    pub(crate) fn read(top: &mut Section<'_, '_>, data_dir: &Path) -> Self {
        let inside = |name: &str| format!("sqlite:{}", data_dir.join(name).display());
        let registry = registry(top, inside("registry.sqlite"));
        let (analytics, cluster) = analytics(top, inside("records.sqlite"));
        let shared = SHARED.read(top, "memory:".to_owned(), "memory:");
        Self { registry, analytics, cluster, shared }
    }
}

/// The registry's database, which may be a PostgreSQL server's.
fn registry(top: &mut Section<'_, '_>, default: String) -> Secret {
    let mut section = top.section(REGISTRY.section);
    let vars = section.reader.vars;
    let url = section.parse("url", "sqlite:DATA_DIR/registry.sqlite", |text| {
        registry_url(&vars::dereference(text, vars)?)
    });
    section.finish();
    Secret::new(url.unwrap_or(default))
}

fn registry_url(text: &str) -> Result<String, Wrong> {
    match text.split_once(':').map(|(scheme, _)| scheme) {
        Some("postgres" | "postgresql") => postgres(text),
        Some("sqlite") => REGISTRY.check(text),
        Some(scheme) => Err(Wrong::new(format!("`{scheme}:` cannot keep this"), POSTGRES)),
        None => Err(Wrong::new("it is not a URL", POSTGRES)),
    }
}

/// Checks the URL of a PostgreSQL database.
fn postgres(text: &str) -> Result<String, Wrong> {
    let uri = url::parse(text, &["postgres", "postgresql"], POSTGRES)?;
    let database = uri.path().trim_matches('/');
    if database.is_empty() || database.contains('/') {
        let fix = "write one name after the host: postgres://user:password@host:5432/weir";
        return Err(Wrong::new("it names no database", fix));
    }
    let parameters = uri.query().unwrap_or_default().split('&').filter(|parameter| !parameter.is_empty());
    for (name, value) in parameters.map(|parameter| parameter.split_once('=').unwrap_or((parameter, ""))) {
        if !POSTGRES_PARAMETERS.contains(&name) {
            let wrong = format!("it sets `{name}`, which is not known here");
            return Err(Wrong::new(wrong, format!("known here: {}", POSTGRES_PARAMETERS.join(", "))));
        }
        if name == "sslmode" && !SSL_MODES.contains(&value) {
            let wrong = format!("`sslmode={value}` does not exist");
            return Err(Wrong::new(wrong, format!("write one of {}", SSL_MODES.join(", "))));
        }
    }
    Ok(text.to_owned())
}

/// The record store, which may be a ClickHouse server, and that server's cluster.
fn analytics(top: &mut Section<'_, '_>, default: String) -> (Secret, Option<String>) {
    let mut section = top.section(ANALYTICS.section);
    let vars = section.reader.vars;
    let before = section.reader.problems.len();
    let url = section
        .parse("url", "sqlite:DATA_DIR/records.sqlite", |text| records_url(&vars::dereference(text, vars)?));
    let known = section.reader.problems.len() == before;
    let url = url.unwrap_or(default);
    let cluster = section.parse("cluster", "", cluster);
    if known && cluster.is_some() && url.starts_with("sqlite:") {
        let fix = "remove it, or write analytics.url = \"http://user:password@host:8123/database\"";
        section.refuse("cluster", "only ClickHouse has clusters, and analytics.url is a file", fix);
    }
    section.finish();
    (Secret::new(url), cluster)
}

fn records_url(text: &str) -> Result<String, Wrong> {
    match text.split_once(':').map(|(scheme, _)| scheme) {
        Some("http" | "https") => clickhouse(text),
        Some("clickhouse" | "clickhouses" | "ch" | "tcp") => {
            Err(Wrong::new("ClickHouse is spoken to over HTTP, and this is its native protocol", CLICKHOUSE))
        }
        Some("sqlite") => ANALYTICS.check(text),
        Some(scheme) => Err(Wrong::new(format!("`{scheme}:` cannot keep this"), CLICKHOUSE)),
        None => Err(Wrong::new("it is not a URL", CLICKHOUSE)),
    }
}

/// Checks the URL of a ClickHouse server, and writes out its database.
fn clickhouse(text: &str) -> Result<String, Wrong> {
    let uri = url::parse(text, &["http", "https"], CLICKHOUSE)?;
    if uri.query().is_some() {
        let fix = "write the URL up to the `?`; settings belong into the profile of the server's user";
        return Err(Wrong::new("it holds a query", fix));
    }
    match uri.path().trim_matches('/') {
        "" => Ok(format!("{}/default", text.trim_end_matches('/'))),
        name if is_name(name, b"_-") => Ok(text.trim_end_matches('/').to_owned()),
        _ => Err(Wrong::new(
            "what follows the host is not the name of a database",
            "write one name of letters, digits, `_` and `-`: http://user:password@host:8123/weir",
        )),
    }
}

fn cluster(text: &str) -> Result<String, Wrong> {
    // The braces are for macros of the server: `{cluster}`.
    if is_name(text, b"_-.{}") {
        return Ok(text.to_owned());
    }
    let fix = "write a name as in the server's remote_servers, or a macro such as \"{cluster}\"";
    Err(Wrong::new(format!("`{text}` cannot be the name of a cluster"), fix))
}

fn is_name(text: &str, also: &[u8]) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || also.contains(&byte);
    !text.is_empty() && text.len() <= NAME_BYTES_MAX && text.bytes().all(plain)
}

impl Kept {
    fn read(&self, top: &mut Section<'_, '_>, default: String, shown: &str) -> String {
        let mut section = top.section(self.section);
        let url = section.parse("url", shown, |text| self.check(text));
        section.finish();
        url.unwrap_or(default)
    }

    /// Problems name the scheme only: the rest of the URL may hold a password.
    fn check(&self, text: &str) -> Result<String, Wrong> {
        let fix = format!("write \"{}\"", self.works);
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(Wrong::new("it is not a URL", fix));
        };
        if let Some((_, engine)) = self.later.iter().find(|(later, _)| *later == scheme) {
            return Err(Wrong::new(format!("{engine} is not supported by this version yet"), fix));
        }
        if !self.works.starts_with(&format!("{scheme}:")) {
            return Err(Wrong::new(format!("`{scheme}:` cannot keep this"), fix));
        }
        let path = rest.strip_prefix("//").unwrap_or(rest);
        if path.is_empty() && scheme == "sqlite" {
            return Err(Wrong::new("it names no file", fix));
        }
        Ok(format!("{scheme}:{path}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_embedded_store_is_a_path() {
        assert_eq!(registry_url("sqlite:/a/b.db"), Ok("sqlite:/a/b.db".to_owned()));
        assert_eq!(records_url("sqlite:///a/b.db"), Ok("sqlite:/a/b.db".to_owned()));
        assert_eq!(SHARED.check("memory:"), Ok("memory:".to_owned()));
    }

    #[test]
    fn records_can_be_kept_by_a_clickhouse_server() {
        for (text, wanted) in [
            ("http://weir:p%40ss@ch:8123/weir", "http://weir:p%40ss@ch:8123/weir"),
            ("https://ch.example/weir_1/", "https://ch.example/weir_1"),
            ("http://default:@127.0.0.1:8123", "http://default:@127.0.0.1:8123/default"),
            ("http://[::1]:8123/a-b", "http://[::1]:8123/a-b"),
        ] {
            assert_eq!(records_url(text), Ok(wanted.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_cannot_keep_this_is_refused_without_telling_the_password() {
        for (kept, url, said) in [
            (&SHARED, "redis://:hunter2@h", "Redis is not supported by this version yet"),
            (&SHARED, "mysql://u:hunter2@h/d", "`mysql:` cannot keep this"),
            (&REGISTRY, "sqlite:", "it names no file"),
            (&ANALYTICS, "sqlite:", "it names no file"),
        ] {
            let Wrong { wrong, fix } = kept.check(url).unwrap_err();
            assert_eq!(wrong, said, "{url}");
            assert!(!fix.contains("hunter2") && fix.contains(kept.works));
        }
    }

    #[test]
    fn the_registry_can_be_kept_by_a_postgresql_server() {
        for text in [
            "postgres://weir:p%40ss@db:5432/weir",
            "postgresql://weir@db.example/weir?sslmode=verify-full&sslrootcert=/etc/ca.pem",
            "postgres://weir@localhost/weir?host=/run/postgresql&options=-csearch_path%3Dweir",
        ] {
            assert_eq!(registry_url(text), Ok(text.to_owned()));
        }
    }

    #[test]
    fn what_is_no_registry_is_refused_without_telling_the_password() {
        for (url, said) in [
            ("mysql://u:hunter2@h/d", "`mysql:` cannot keep this"),
            ("registry.db", "it is not a URL"),
            ("postgres:hunter2", "it does not start with"),
            ("postgres://u:hunter2@h", "it names no database"),
            ("postgres://u:hunter2@h/a/b", "it names no database"),
            ("postgres://u:hunter2/3@h/d", "it is not a URL"),
            ("postgres://u:hunter2@h:many/d", "it is not a URL"),
            (
                "postgres://u:hunter2@h/d?connect_timeout=5",
                "it sets `connect_timeout`, which is not known here",
            ),
            ("postgres://u:hunter2@h/d?sslmode=yes", "`sslmode=yes` does not exist"),
        ] {
            let Wrong { wrong, fix } = registry_url(url).unwrap_err();
            assert!(wrong.starts_with(said), "{url}: {wrong}");
            assert!(!format!("{wrong}{fix}").contains("hunter2"), "{url}: {wrong} {fix}");
        }
    }

    #[test]
    fn what_is_no_record_store_is_refused_without_telling_the_password() {
        for (url, said) in [
            ("clickhouse://u:hunter2@h:9000/d", "ClickHouse is spoken to over HTTP"),
            ("tcp://u:hunter2@h:9000/d", "ClickHouse is spoken to over HTTP"),
            ("postgres://u:hunter2@h/d", "`postgres:` cannot keep this"),
            ("records.db", "it is not a URL"),
            ("http://u:hunter2@h:8123/a/b", "what follows the host is not the name of a database"),
            ("http://u:hunter2@h:8123/a;b", "what follows the host is not the name of a database"),
            ("http://u:hunter2@h:8123/d?async_insert=1", "it holds a query"),
            ("http://u:hunter2/3@h:8123/d", "it is not a URL"),
            ("http://u:hunter2@:8123/d", "it is not a URL"),
        ] {
            let Wrong { wrong, fix } = records_url(url).unwrap_err();
            assert!(wrong.starts_with(said), "{url}: {wrong}");
            assert!(!format!("{wrong}{fix}").contains("hunter2") && fix.contains("write"), "{url}: {fix}");
        }
    }

    #[test]
    fn a_cluster_is_a_name_or_a_macro() {
        assert_eq!(cluster("{cluster}"), Ok("{cluster}".to_owned()));
        assert!(cluster("weir'; DROP").is_err() && cluster("").is_err());
    }
}
