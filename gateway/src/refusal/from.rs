//! How the errors of the crates below become refusals: the only place that knows both.

use analytics::QueryError;
use dialects::body::BodyError;
use dialects::extras::ExtrasError;
use dialects::merge::MergeError;
use dialects::naming::NamingError;
use registry::template::{Problem, RenderError};
use registry::{ResolveError, StoreError};
use serde_json::json;

use super::{Kind, Refusal};

fn with_param(refusal: Refusal, param: Option<&str>) -> Refusal {
    match param {
        Some(param) => refusal.param(param.to_owned()),
        None => refusal,
    }
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        with_param(Self::new(Kind::InvalidRequest, error.to_string()), error.param())
    }
}

impl From<ExtrasError> for Refusal {
    fn from(error: ExtrasError) -> Self {
        let kind = match error.code() {
            "not_supported" => Kind::NotSupported,
            _ => Kind::InvalidRequest,
        };
        with_param(Self::new(kind, error.to_string()), error.param())
    }
}

impl From<NamingError> for Refusal {
    fn from(error: NamingError) -> Self {
        with_param(Self::new(Kind::InvalidRequest, error.to_string()), error.param())
    }
}

impl From<MergeError> for Refusal {
    fn from(error: MergeError) -> Self {
        let kind = match &error {
            MergeError::ParameterLocked { .. } => Kind::ParameterLocked,
            MergeError::NotSupported { .. } => Kind::NotSupported,
            MergeError::NothingLeft => Kind::TemplateError,
            _ => Kind::InvalidRequest,
        };
        with_param(Self::new(kind, error.to_string()), error.param())
    }
}

impl From<ResolveError> for Refusal {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::Unavailable(source) => {
                let message = "the registry cannot be read right now: try again, or use the prompt by label";
                Self::new(Kind::Unavailable, message).because(source)
            }
            ResolveError::Unsettled(message) => Self::new(Kind::TemplateError, message).param("prompt"),
            missing => Self::new(Kind::PromptNotFound, missing.to_string()).param("prompt"),
        }
    }
}

impl From<RenderError> for Refusal {
    fn from(error: RenderError) -> Self {
        let kind = match &error {
            RenderError::Missing(_) => Kind::MissingVariables,
            RenderError::Invalid { .. } => Kind::InvalidVariable,
            RenderError::Template { .. } => Kind::TemplateError,
        };
        let refusal = Self::new(kind, error.to_string()).param("prompt.variables");
        let RenderError::Template { message, item, line, column } = error else { return refusal };
        refusal.detail("problems", json!([Problem { item, line, column, message }]))
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let kind = match &error {
            StoreError::Missing(_) => Kind::NotFound,
            StoreError::Taken(_) | StoreError::Conflict(_) => Kind::Conflict,
            StoreError::Stale { .. } => Kind::Stale,
            StoreError::Invalid { .. } => Kind::InvalidRequest,
            StoreError::Template(_) => Kind::TemplateError,
            StoreError::NotSupported { .. } => Kind::NotSupported,
            StoreError::Forbidden(_) => Kind::PermissionDenied,
            StoreError::Unavailable(_) => Kind::Unavailable,
        };
        let refusal = with_param(Self::new(kind, error.to_string()), error.field());
        match error {
            StoreError::Unavailable(_) => refusal.because(error),
            StoreError::Template(problems) => refusal.detail("problems", json!(problems)),
            StoreError::Stale { current: Some(current), .. } => refusal.detail("current_version", current),
            _ => refusal,
        }
    }
}

impl Refusal {
    /// An error on the routes of one prompt: what is missing there is the prompt, its version or its label.
    pub fn of_prompt(error: StoreError) -> Self {
        let missing = matches!(error, StoreError::Missing(_));
        let refusal = Self::from(error);
        if missing { refusal.retyped(Kind::PromptNotFound) } else { refusal }
    }
}

impl From<analytics::query::Problem> for Refusal {
    fn from(problem: analytics::query::Problem) -> Self {
        Self::new(Kind::InvalidRequest, problem.to_string()).param("q").detail("position", problem.position)
    }
}

impl From<QueryError> for Refusal {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Unavailable(_) => Self::new(
                Kind::Unavailable,
                "the record store cannot be read right now: try again, and see the log if it stays so",
            )
            .because(error),
            QueryError::TooLong | QueryError::Cursor => Self::new(Kind::InvalidRequest, error.to_string()),
        }
    }
}
