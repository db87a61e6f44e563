//! What can be wrong with a template: at publishing, and with one call's variables.

use std::fmt;

use serde::Serialize;

/// Something wrong with a content, found before it is published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Which item of `messages`; none for a text prompt and for what concerns the whole content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<usize>,
    /// The line within the text, from 1; 0 when it is not about a place in a text.
    pub line: u32,
    /// The column within the line, in characters from 1; 0 when it is not about a place in a text.
    pub column: u32,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(item) = self.item {
            write!(f, "messages[{item}]: ")?;
        }
        if self.line > 0 {
            write!(f, "line {}, column {}: ", self.line, self.column)?;
        }
        f.write_str(&self.message)
    }
}

/// Why a template could not be filled in with one call's variables.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// Required variables were not sent.
    #[error("missing variables: {}: send them in `variables`", .0.join(", "))]
    Missing(Vec<String>),
    /// A variable's value does not fit.
    #[error("variable `{name}` {reason}")]
    Invalid {
        /// Which variable.
        name: String,
        /// What is wrong with it, worded to follow its name.
        reason: String,
    },
    /// The template itself failed with these values.
    #[error("{}line {line}, column {column}: {message}", place(*.item))]
    Template {
        /// What went wrong.
        message: String,
        /// Which item of `messages`; none for a text prompt.
        item: Option<usize>,
        /// The line within the text, from 1.
        line: u32,
        /// The column within the line, from 1.
        column: u32,
    },
}

impl RenderError {
    /// The error code callers see.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) => "missing_variables",
            Self::Invalid { .. } => "invalid_variable",
            Self::Template { .. } => "template_error",
        }
    }
}

fn place(item: Option<usize>) -> String {
    item.map_or_else(String::new, |index| format!("messages[{index}]: "))
}
