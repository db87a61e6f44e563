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

/// Why a registry could not be opened. Whatever it says, nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL names no engine this build has.
    #[error("registry url `{0}` is not supported: write sqlite:PATH, such as sqlite:data/registry.db")]
    Url(String),
    /// The file is damaged.
    #[error(
        "the registry file {} is damaged ({reason}): nothing was changed; restore it from a backup, or move it \
         away (with its -wal and -shm files) to start with an empty registry",
        path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The file was written by a newer build.
    #[error(
        "the registry file {} was written by a newer weir (it has migration {found}, this build knows up to \
         {known}): nothing was changed; start the newer weir, or restore a backup made before the upgrade",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The highest migration applied to it.
        found: i64,
        /// The highest migration this build has.
        known: i64,
    },
    /// The file was written by a build with other migrations.
    #[error(
        "the registry file {} was written by another build of weir (migration {migration} differs from this \
         build's): nothing was changed; start the build that wrote it, or restore a backup",
        path.display()
    )]
    Edited {
        /// The file.
        path: PathBuf,
        /// The first migration that differs.
        migration: i64,
    },
    /// The file is some other program's.
    #[error(
        "{} is an SQLite database but not a weir registry (it has a table `{table}`): nothing was changed; \
         write another path in the registry url",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// A table found in it.
        table: String,
    },
    /// The file or server cannot be reached.
    #[error("the registry {} cannot be opened ({source}): check that the folder exists and is writable", path.display())]
    Unavailable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: BoxError,
    },
}
