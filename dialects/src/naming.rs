//! The four ways a request names a prompt, read by one function: body object, `model`, top-level fields, headers.

use serde_json::{Map, Value};
use thiserror::Error;
use vocab::{NameError, PromptRef};

use crate::body::{Body, BodyError, Edit};

/// What a request says about the prompt it wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Naming {
    /// The prompt and, if said, which version.
    pub reference: PromptRef,
    /// Its variables, merged from every place they may stand in.
    pub variables: Map<String, Value>,
    /// The id as the caller wrote it, for the echo.
    pub echo_id: String,
}

/// Reads the prompt a request names; `None` when it names none.
///
/// `weir_variables` are the variables of the `weir` object, the headers those of `weir-prompt` and
/// `weir-prompt-variables`.
pub fn read(
    body: &Body<'_>,
    weir_variables: Option<&Map<String, Value>>,
    header_ref: Option<&str>,
    header_variables: Option<&str>,
) -> Result<Option<Naming>, NamingError> {
    let _ = (body, weir_variables, header_ref, header_variables);
    Ok(None)
}

/// Takes the fields that named the prompt out of the request; to be called before merging.
pub fn cut<'a>(body: &Body<'a>, edit: &mut Edit<'a>) {
    let _ = (body, edit);
}

/// Why the naming of a prompt cannot be read. Speaks to the caller; always `invalid_request`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NamingError {
    /// A member is of the wrong type.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// A reference breaks the rule for names.
    #[error("`{param}`: {error}")]
    Name {
        /// Where it stands.
        param: &'static str,
        /// What is wrong with it.
        error: NameError,
    },
    /// Two places name different prompts or versions.
    #[error("`{first}` and `{second}` name different prompts: name one, or the same in both")]
    Conflict {
        /// The place that counts first.
        first: &'static str,
        /// The place that says otherwise.
        second: &'static str,
    },
}
