//! One text of a prompt, compiled by the prompt's engine.

use super::fill::{Fill, Said};
use super::jinja;
use super::pieces::Pieces;
use super::problem::{Flaw, Spot};
use super::slots::Slots;
use super::{Problem, RenderError};
use crate::content::{Engine, VariableKind};

/// The most problems reported at once; a text of braces has one per byte.
const PROBLEMS: usize = 100;

/// A compiled text.
#[derive(Debug)]
pub(super) enum Text {
    /// `plain` and `fstring`.
    Pieces(Pieces),
    /// `jinja`.
    Page(jinja::Page),
}

impl Text {
    /// Writes the text with the values of one call.
    pub(super) fn write(&self, fill: &mut Fill<'_>, said: &mut Said) -> Result<(), RenderError> {
        match self {
            Self::Pieces(pieces) => pieces.write(fill, said),
            Self::Page(page) => fill.say_page(page, said),
        }
    }
}

/// Compiles the texts of one prompt and gathers what is wrong with them.
pub(super) struct Compiler<'c> {
    engine: Engine,
    /// The prompt's variables so far.
    pub(super) slots: Slots,
    /// The jinja pages so far.
    pub(super) library: jinja::Library,
    /// What is wrong so far.
    pub(super) problems: &'c mut Vec<Problem>,
    /// Whether the message being compiled is an instruction.
    pub(super) instructs: bool,
}

impl<'c> Compiler<'c> {
    /// Starts with the declared variables.
    pub(super) fn new(engine: Engine, slots: Slots, problems: &'c mut Vec<Problem>) -> Self {
        Self { engine, slots, library: jinja::Library::default(), problems, instructs: false }
    }

    /// Compiles a text; one that cannot be is reported and stands empty.
    pub(super) fn compile(&mut self, text: &str, spot: Spot) -> Text {
        let compiled = match self.engine {
            Engine::Jinja => self.library.add(text, spot, &mut self.slots).map(Text::Page),
            engine @ (Engine::Plain | Engine::Fstring) => {
                let instructs = self.instructs;
                let forbidden = |name: &str, slots: &Slots| refuse_media(instructs, name, slots);
                Pieces::compile(engine, text, &mut self.slots, forbidden).map(Text::Pieces)
            }
        };
        compiled.unwrap_or_else(|flaws| {
            self.report(text, spot, &flaws);
            Text::Pieces(Pieces::default())
        })
    }

    fn report(&mut self, text: &str, spot: Spot, flaws: &[Flaw]) {
        let room = PROBLEMS.saturating_sub(self.problems.len());
        self.problems.extend(flaws.iter().take(room).map(|flaw| spot.problem(text, flaw)));
    }
}

fn refuse_media(instructs: bool, name: &str, slots: &Slots) -> Option<String> {
    let (_, slot) = slots.at(slots.find(name)?);
    let media = matches!(slot.kind, Some(VariableKind::Image | VariableKind::File));
    (instructs && media).then(|| {
        format!("`{name}` is declared as an image or a file, which a system or developer message cannot hold")
    })
}
