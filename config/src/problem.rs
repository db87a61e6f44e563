//! What is wrong with a configuration, where it stands, and what to write instead.

use std::fmt;
use std::path::PathBuf;

/// Where a setting was written. Places sort as one would mend them: command line, environment, down the file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In this argument of the command line.
    Argument(&'static str),
    /// In the environment variable of this name.
    Variable(String),
    /// In the configuration file; lines and columns count from one.
    File {
        /// The file as it was named on the command line.
        path: PathBuf,
        /// The line of the value, or of the table that lacks it.
        line: usize,
        /// The column, in characters.
        column: usize,
    },
    /// Nowhere: it is the default.
    Default,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Argument(name) => write!(f, "argument {name}"),
            Self::Default => f.write_str("configuration"),
        }
    }
}

/// One thing that is wrong. Prints as one line: place, key, what is wrong, what to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it was written.
    pub place: Place,
    /// The key's path, such as `limits.body_bytes`; empty for the file as a whole.
    pub key: String,
    /// What is wrong with it. Never holds a secret.
    pub wrong: String,
    /// What to write or do instead.
    pub fix: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}; {}", self.wrong, self.fix)
    }
}

/// Everything that is wrong with a configuration, in the order of [`Place`]; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// What is wrong with a value by itself, before it is known where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) wrong: String,
    pub(crate) fix: String,
}

impl Wrong {
    pub(crate) fn new(wrong: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { wrong: wrong.into(), fix: fix.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_prints_as_one_line_that_an_editor_can_jump_to() {
        let problem = Problem {
            place: Place::File { path: "weir.toml".into(), line: 3, column: 14 },
            key: "limits.body_bytes".into(),
            wrong: "`64 MX` is not a size".into(),
            fix: "write a number of bytes".into(),
        };
        assert_eq!(
            problem.to_string(),
            "weir.toml:3:14: limits.body_bytes: `64 MX` is not a size; write a number of bytes"
        );
    }
}
