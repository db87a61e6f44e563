//! Where things are kept: the registry, the records, and what nodes share.

use std::path::Path;

use crate::problem::Wrong;
use crate::reader::Section;

/// The three URLs.
pub(crate) struct Storage {
    pub(crate) registry: String,
    pub(crate) analytics: String,
    pub(crate) shared: String,
}

/// One thing that is kept, and by what it can be kept.
struct Kept {
    section: &'static str,
    works: &'static str,
    later: &'static [(&'static str, &'static str)],
}

const REGISTRY: Kept = Kept {
    section: "registry",
    works: "sqlite:PATH",
    later: &[("postgres", "PostgreSQL"), ("postgresql", "PostgreSQL")],
};
const ANALYTICS: Kept = Kept {
    section: "analytics",
    works: "sqlite:PATH",
    later: &[("http", "ClickHouse"), ("https", "ClickHouse"), ("clickhouse", "ClickHouse")],
};
const SHARED: Kept =
    Kept { section: "shared", works: "memory:", later: &[("redis", "Redis"), ("rediss", "Redis")] };

impl Storage {
    pub(crate) fn read(top: &mut Section<'_, '_>, data_dir: &Path) -> Self {
        let inside = |name: &str| format!("sqlite:{}", data_dir.join(name).display());
        Self {
            registry: REGISTRY.read(top, inside("registry.sqlite"), "sqlite:DATA_DIR/registry.sqlite"),
            analytics: ANALYTICS.read(top, inside("records.sqlite"), "sqlite:DATA_DIR/records.sqlite"),
            shared: SHARED.read(top, "memory:".to_owned(), "memory:"),
        }
    }
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
        assert_eq!(REGISTRY.check("sqlite:/a/b.db"), Ok("sqlite:/a/b.db".to_owned()));
        assert_eq!(ANALYTICS.check("sqlite:///a/b.db"), Ok("sqlite:/a/b.db".to_owned()));
        assert_eq!(SHARED.check("memory:"), Ok("memory:".to_owned()));
    }

    #[test]
    fn what_is_not_built_yet_is_refused_without_telling_the_password() {
        for (kept, url, said) in [
            (&REGISTRY, "postgres://u:hunter2@h/d", "PostgreSQL is not supported by this version yet"),
            (&ANALYTICS, "http://u:hunter2@h:8123/d", "ClickHouse is not supported by this version yet"),
            (&SHARED, "redis://:hunter2@h", "Redis is not supported by this version yet"),
            (&REGISTRY, "mysql://u:hunter2@h/d", "`mysql:` cannot keep this"),
            (&REGISTRY, "sqlite:", "it names no file"),
            (&ANALYTICS, "records.db", "it is not a URL"),
        ] {
            let Wrong { wrong, fix } = kept.check(url).unwrap_err();
            assert_eq!(wrong, said, "{url}");
            assert!(!fix.contains("hunter2") && fix.contains(kept.works));
        }
    }
}
