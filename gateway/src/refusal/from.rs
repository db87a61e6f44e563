//! How the errors of the crates below become refusals: the only place that knows both.

use analytics::QueryError;
use dialects::body::BodyError;
use dialects::extras::ExtrasError;
use dialects::merge::MergeError;
use dialects::naming::NamingError;
use registry::template::RenderError;
use registry::{ResolveError, StoreError};

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
        Self::new(kind, error.to_string()).param("prompt.variables")
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
        if kind == Kind::Unavailable { refusal.because(error) } else { refusal }
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
            asked => Self::new(Kind::InvalidRequest, asked.to_string()),
        }
    }
}
