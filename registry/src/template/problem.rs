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

/// Something wrong at a place in one text, before it is known which text of the prompt that is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    /// Where, in bytes.
    pub(super) offset: usize,
    /// What is wrong and what to do.
    pub(super) message: String,
}

/// Which text of a prompt something is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spot {
    /// The item of `messages`; none for a text prompt.
    pub(super) item: Option<usize>,
    /// The content part within the message.
    pub(super) part: Option<usize>,
}

impl Spot {
    /// A flaw of this text as a problem.
    pub(super) fn problem(self, text: &str, flaw: &Flaw) -> Problem {
        let (line, column) = line_and_column(text, flaw.offset);
        Problem { item: self.item, line, column, message: self.name_part(&flaw.message) }
    }

    /// A failure of this text while it was filled in.
    pub(super) fn failure(self, text: &str, flaw: &Flaw) -> RenderError {
        let (line, column) = line_and_column(text, flaw.offset);
        RenderError::Template { message: self.name_part(&flaw.message), item: self.item, line, column }
    }

    fn name_part(self, message: &str) -> String {
        self.part.map_or_else(|| message.to_owned(), |part| format!("content[{part}]: {message}"))
    }
}

/// The line and the column, in characters, of a byte offset; both from 1.
fn line_and_column(text: &str, offset: usize) -> (u32, u32) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line as u32, column as u32)
}

impl Problem {
    /// A problem that is not about a place in a text.
    pub(crate) fn general(item: Option<usize>, message: impl Into<String>) -> Self {
        Self { item, line: 0, column: 0, message: message.into() }
    }
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
    #[error("missing required variables: {}; send them in `variables`", .0.join(", "))]
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
