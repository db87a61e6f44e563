//! A version's texts, compiled at publishing and rendered with the variables of one call.
//!
//! Pure: no clock, no randomness, no files. What exactly each engine does is in `docs/`.

mod problem;

use dialects::merge::RenderedItem;

use crate::content::{Content, Variables};

pub use problem::{Problem, RenderError};

/// A version's texts, compiled.
#[derive(Debug)]
pub struct Template {
    variables: Vec<TemplateVariable>,
}

/// A variable a template uses or declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateVariable {
    /// Its name.
    pub name: String,
    /// Whether a call without it is refused.
    pub required: bool,
}

/// What a template became with one call's variables.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// Messages and placeholders in order; a text prompt is one user message.
    pub items: Vec<RenderedItem>,
    /// Variables that were sent but are not used: ignored, recorded.
    pub unknown: Vec<String>,
}

impl Template {
    /// Compiles every text of a content, or says everything that is wrong with it.
    pub fn compile(_content: &Content) -> Result<Self, Vec<Problem>> {
        Ok(Self { variables: Vec::new() })
    }

    /// Fills in the variables of one call.
    pub fn render(&self, _variables: &Variables) -> Result<Rendered, RenderError> {
        Ok(Rendered { items: Vec::new(), unknown: Vec::new() })
    }

    /// The variables this template uses or declares.
    pub fn variables(&self) -> &[TemplateVariable] {
        &self.variables
    }
}
