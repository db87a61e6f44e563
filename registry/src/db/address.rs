//! Where a registry is: a URL read once, then opened, looked at, or named in an error.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;
use vocab::Time;

use super::{Db, migrate, postgres, sqlite};
use crate::error::Place;
use crate::{OpenError, StoreError};

/// A database that keeps a registry.
#[derive(Clone)]
pub(crate) enum Address {
    Sqlite(PathBuf),
    Postgres(Box<PgConnectOptions>),
}

impl Address {
    /// Reads `sqlite:PATH` or `postgres://user:password@host:port/database`.
    pub(crate) fn read(url: &str) -> Result<Self, OpenError> {
        let (scheme, rest) = url.split_once(':').unwrap_or_default();
        match scheme {
            "sqlite" if !rest.is_empty() => {
                Ok(Self::Sqlite(Path::new(rest.strip_prefix("//").unwrap_or(rest)).to_owned()))
            }
            "postgres" | "postgresql" => match PgConnectOptions::from_str(url) {
                Ok(options) => Ok(Self::Postgres(Box::new(options.application_name("weir")))),
                Err(_) => Err(OpenError::Url(scheme.to_owned())),
            },
            // Only the scheme: the rest of a URL may hold a password.
            _ => Err(OpenError::Url(scheme.to_owned())),
        }
    }

    /// Opens a file that may be opened. Of a server it only keeps the address.
    pub(crate) async fn connect(&self) -> Result<Db, OpenError> {
        match self {
            Self::Sqlite(path) => sqlite::open(path).await,
            Self::Postgres(options) => Ok(postgres::connect(options)),
        }
    }

    /// Refuses what is not this build's, and brings what is up to date.
    pub(crate) async fn prepare(&self, db: &Db, now: Time) -> Result<(), OpenError> {
        if let Self::Postgres(options) = self
            && let Some(applied) = postgres::inspect(options, &self.place()).await?
        {
            migrate::pending(&applied, &self.place())?;
        }
        migrate::run(db, self, now).await
    }

    /// Reads what the start left unread, and says what is damaged in it. A server looks after its own data.
    pub(crate) async fn find_damage(&self) -> Result<(), OpenError> {
        match self {
            Self::Sqlite(path) => sqlite::find_damage(path).await,
            Self::Postgres(_) => Ok(()),
        }
    }

    /// Whether a copy on disk is of use: a server may be away, a file is as near as its copy would be.
    pub(crate) const fn is_remote(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// The migrations it has yet to get, by name.
    pub(crate) async fn pending(&self) -> Result<Vec<String>, OpenError> {
        let applied = match self {
            Self::Sqlite(path) => sqlite::inspect(path).await?,
            Self::Postgres(options) => postgres::inspect(options, &self.place()).await?,
        };
        Ok(migrate::names_from(migrate::pending(&applied.unwrap_or_default(), &self.place())?))
    }

    /// How errors name it: without user and password.
    pub(crate) fn place(&self) -> Place {
        match self {
            Self::Sqlite(path) => Place::File(path.clone()),
            Self::Postgres(options) => Place::Database(postgres::name(options)),
        }
    }

    /// What it means that reading failed while it was opened.
    pub(crate) fn judge(&self, error: StoreError) -> OpenError {
        let at = self.place();
        let StoreError::Unavailable(source) = error else {
            return OpenError::Unavailable { at, source: error.into() };
        };
        match source.downcast::<sqlx::Error>() {
            Ok(error) => match *error {
                sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
                    OpenError::Corrupt { at, reason: error.to_string() }
                }
                error => match self {
                    Self::Sqlite(path) => sqlite::judge(path, error),
                    Self::Postgres(_) => OpenError::Unavailable { at, source: error.into() },
                },
            },
            // Not the driver's: what went wrong on the way, or a row that reads, but not as what it should be.
            Err(source) => match source.downcast::<postgres::Silence>() {
                Ok(silence) => OpenError::Unavailable { at, source: silence },
                Err(unreadable) => OpenError::Corrupt { at, reason: unreadable.to_string() },
            },
        }
    }
}

/// As errors name it: what it was read from may hold a password.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.place())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_file_or_a_database() {
        for (url, place) in [
            ("sqlite:/a/b.db", "file /a/b.db"),
            ("sqlite:///a/b.db", "file /a/b.db"),
            ("postgres://ann:hunter2@db.example:5433/weir", "database weir at db.example:5433"),
            ("postgresql://ann@[::1]/weir?sslmode=disable", "database weir at [::1]:5432"),
        ] {
            assert_eq!(Address::read(url).unwrap().place().to_string(), place);
        }
    }

    #[test]
    fn a_refused_url_is_not_repeated() {
        for url in [
            "mysql://ann:hunter2@db/weir",
            "postgres://ann:hunter2@db:hunter2/weir",
            "sqlite:",
            "hunter2",
            "",
        ] {
            let Err(refused) = Address::read(url) else { panic!("{url} was read") };
            assert!(matches!(refused, OpenError::Url(_)), "{url}");
            assert!(!format!("{refused} {refused:?}").contains("hunter2"), "{refused}");
        }
    }
}
