//! A version's texts, compiled at publishing and rendered with the variables of one call.
//!
//! Pure: no clock, no randomness, no files. The three engines are [`plain`], [`fstring`] and [`jinja`]; values are
//! inserted once and never read as templates again. A version is compiled once and shared by all calls.

mod declare;
mod fill;
mod fit;
mod fstring;
mod includes;
mod jinja;
mod media;
mod message;
mod pieces;
mod plain;
mod problem;
mod slots;
#[cfg(test)]
mod tests;
mod text;
mod written;

use std::sync::Arc;

use dialects::merge::RenderedItem;

use crate::content::{Content, Included, VariableKind, Variables};
use fill::Fill;
use message::MessageTemplate;
use slots::{Sent, Slots};
use text::Compiler;

pub use includes::{references, with_references};
pub use problem::{Problem, RenderError};
pub use written::write_out;

/// A version's texts, compiled.
#[derive(Debug)]
pub struct Template {
    items: Vec<ItemTemplate>,
    slots: Arc<Slots>,
    variables: Vec<TemplateVariable>,
    /// The jinja pages, if there are any.
    library: Option<jinja::Library>,
}

#[derive(Debug)]
enum ItemTemplate {
    Message(Box<MessageTemplate>),
    Placeholder { name: String, slot: usize },
}

/// A variable a template uses or declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateVariable {
    /// Its name.
    pub name: String,
    /// What it takes; anything when none. What nobody declared is a string, except in jinja.
    pub kind: Option<VariableKind>,
    /// Whether a call without it is refused.
    pub required: bool,
    /// Whether the author declared it.
    pub declared: bool,
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
    /// Compiles every text of a content that includes nothing, or says everything that is wrong with it.
    pub fn compile(content: &Content) -> Result<Self, Vec<Problem>> {
        Self::including(content, &Included::new())
    }

    /// Compiles every text of a content and of what it includes, or says everything that is wrong with it.
    pub fn including(content: &Content, included: &Included) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        declare::check(content, &mut problems);
        let mut compiler = Compiler::new(content.engine, Slots::declared(&content.variables), &mut problems);
        let items = includes::compile_body(content, included, &mut compiler);
        let Compiler { slots, library, .. } = compiler;
        if !problems.is_empty() {
            return Err(problems);
        }
        let variables = slots.describe();
        let library = library.has_pages().then_some(library);
        Ok(Self { items, slots: Arc::new(slots), variables, library })
    }

    /// Fills in the variables of one call.
    pub fn render(&self, variables: &Variables) -> Result<Rendered, RenderError> {
        let sent = self.slots.judge(variables)?;
        let session = self.library.as_ref().map(|library| library.open(&self.slots, &sent)).transpose()?;
        let mut fill = Fill::new(&self.slots, &sent, session)?;
        let mut items = Vec::with_capacity(self.items.len());
        for item in &self.items {
            items.extend(item.render(&mut fill, &self.slots, &sent)?);
        }
        Ok(Rendered { items, unknown: self.slots.unknown(variables) })
    }

    /// The variables this template declares, uses or takes for a placeholder; declared ones first.
    pub fn variables(&self) -> &[TemplateVariable] {
        &self.variables
    }
}

impl ItemTemplate {
    fn of_text(text: &str, compiler: &mut Compiler<'_>) -> Self {
        Self::Message(Box::new(MessageTemplate::of_text(text, compiler)))
    }

    fn render(
        &self,
        fill: &mut Fill<'_>,
        slots: &Slots,
        sent: &Sent<'_>,
    ) -> Result<Option<RenderedItem>, RenderError> {
        match self {
            Self::Message(message) => Ok(message.render(fill)?.map(RenderedItem::Message)),
            Self::Placeholder { name, slot } => {
                let value = sent.get(*slot).copied().flatten().filter(|value| slots.at(*slot).1.fills(value));
                let fill = value.and_then(|value| value.as_array().cloned());
                Ok(Some(RenderedItem::Placeholder { name: name.clone(), fill }))
            }
        }
    }
}
