//! Why the registry refused or failed, in words for whoever asked. No HTTP: the gateway decides statuses.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use crate::template::Problem;

/// Any error of another crate, kept as the source of ours.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a verb of the registry did nothing. `Display` speaks to the caller; sources are for the log.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// What was named does not exist.
    #[error("{0}")]
    Missing(String),
    /// The name is in use.
    #[error("{0}")]
    Taken(String),
    /// Someone else changed it meanwhile.
    #[error("{message}")]
    Stale {
        /// Who and what won.
        message: String,
        /// The version that is in place now, when there is one.
        current: Option<u32>,
    },
    /// The present state does not allow it.
    #[error("{0}")]
    Conflict(String),
    /// What was given is wrong.
    #[error("{message}")]
    Invalid {
        /// The field at fault.
        field: Cow<'static, str>,
        /// What is wrong and what to write.
        message: String,
    },
    /// The templates of a version do not compile.
    #[error("{}", Listed(.0))]
    Template(Vec<Problem>),
    /// The field asks for something this build does not do yet.
    #[error("{message}")]
    NotSupported {
        /// The field at fault.
        field: Cow<'static, str>,
        /// What is not supported.
        message: String,
    },
    /// The role does not reach this far.
    #[error("{0}")]
    Forbidden(String),
    /// The database did not answer, or answered nonsense.
    #[error("the registry database cannot be used right now: try again, and see the log if it stays so")]
    Unavailable(#[source] BoxError),
}

impl StoreError {
    /// The field at fault, for errors about one.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Invalid { field, .. } | Self::NotSupported { field, .. } => Some(field),
            Self::Missing(_)
            | Self::Taken(_)
            | Self::Stale { .. }
            | Self::Conflict(_)
            | Self::Template(_)
            | Self::Forbidden(_)
            | Self::Unavailable(_) => None,
        }
    }

    pub(crate) fn invalid(field: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), message: message.into() }
    }

    /// What is behind it, for whoever may see that.
    pub(crate) fn into_source(self) -> BoxError {
        match self {
            Self::Unavailable(source) => source,
            other => Box::new(other),
        }
    }

    pub(crate) fn unreadable(what: impl fmt::Display) -> Self {
        Self::Unavailable(format!("a stored row cannot be read: {what}").into())
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

struct Listed<'a>(&'a [Problem]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

/// Which registry an error is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// An SQLite file.
    File(PathBuf),
    /// A PostgreSQL database: its name and where it is, without user and password.
    Database(String),
}

impl Place {
    /// What to do about damage.
    const fn remedy(&self) -> &'static str {
        match self {
            Self::File(_) => {
                "restore it from a backup, or move it away (with its -wal and -shm files) to start with an empty \
                 registry"
            }
            Self::Database(_) => "restore it from a backup, or name an empty database in registry.url",
        }
    }

    /// Where to look when it cannot be reached.
    const fn check(&self) -> &'static str {
        match self {
            Self::File(_) => "check that the folder exists and is writable",
            Self::Database(_) => {
                "check that the server runs, and host, port, user, password and database in registry.url"
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Database(name) => write!(f, "database {name}"),
        }
    }
}

/// Why a registry could not be opened. Whatever it says, nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL names no engine this build has. Holds its scheme only: the rest may hold a password.
    #[error(
        "a registry url that starts with `{0}` is not supported, or what follows is not a URL: write sqlite:PATH, \
         such as sqlite:data/registry.db, or postgres://user:password@host:5432/database"
    )]
    Url(String),
    /// What is stored is damaged.
    #[error("the registry {at} is damaged ({reason}): nothing was changed; {}", at.remedy())]
    Corrupt {
        /// Where.
        at: Place,
        /// What was found.
        reason: String,
    },
    /// It was written by a newer build.
    #[error(
        "the registry {at} was written by a newer weir (it has migration {found}, this build knows up to \
         {known}): nothing was changed; start the newer weir, or restore a backup made before the upgrade"
    )]
    Newer {
        /// Where.
        at: Place,
        /// The highest migration applied to it.
        found: i64,
        /// The highest migration this build has.
        known: i64,
    },
    /// It was written by a build with other migrations.
    #[error(
        "the registry {at} was written by another build of weir (migration {migration} differs from this \
         build's): nothing was changed; start the build that wrote it, or restore a backup"
    )]
    Edited {
        /// Where.
        at: Place,
        /// The first migration that differs.
        migration: i64,
    },
    /// It is some other program's.
    #[error(
        "the {at} is not a weir registry (it has a table `{table}`): nothing was changed; name another one in \
         registry.url"
    )]
    Foreign {
        /// Where.
        at: Place,
        /// A table found in it.
        table: String,
    },
    /// It is there, but set up in a way a registry cannot live with.
    #[error("the registry {at} cannot be used: {reason}")]
    Unsuitable {
        /// Where.
        at: Place,
        /// What is in the way, and what to do.
        reason: String,
    },
    /// The file or server cannot be reached.
    #[error("the registry {at} cannot be opened ({source}): {}", at.check())]
    Unavailable {
        /// Where.
        at: Place,
        /// Why.
        source: BoxError,
    },
}
