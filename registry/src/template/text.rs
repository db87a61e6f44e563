//! One text of a prompt, compiled by the prompt's engine.

use super::fill::{Fill, Said};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use vocab::Id;

use super::jinja;
use super::pieces::Pieces;
use super::problem::{Flaw, Spot};
use super::slots::Slots;
use super::{ItemTemplate, Problem, RenderError};
use crate::content::{Content, Engine, Snippet, VariableKind};

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
    /// The snippet being compiled, if it is one.
    within: Option<Arc<str>>,
    /// The placeholders so far.
    places: HashSet<String>,
    /// What the references of snippets mean.
    known: HashMap<String, (Id<vocab::id::Prompt>, u32)>,
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
        let library = jinja::Library::default();
        let (places, known) = (HashSet::new(), HashMap::new());
        Self { engine, within: None, places, known, slots, library, problems, instructs: false }
    }

    /// One reference means one version throughout: a prompt may have been renamed and its name given to another.
    pub(super) fn know(&mut self, reference: &str, snippet: &Snippet) {
        let meant = (snippet.prompt, snippet.version);
        if *self.known.entry(reference.to_owned()).or_insert(meant) != meant {
            let message =
                format!("`{reference}` means two prompts, here and in a snippet: rename one of them");
            self.problems.push(Problem::general(None, message));
        }
    }

    /// Goes into a snippet; returns what to [`Self::leave`] with.
    pub(super) fn enter(&mut self, engine: Engine, reference: Arc<str>) -> (Engine, Option<Arc<str>>) {
        (std::mem::replace(&mut self.engine, engine), self.within.replace(reference))
    }

    /// Goes back to what includes it.
    pub(super) fn leave(&mut self, outer: (Engine, Option<Arc<str>>)) {
        (self.engine, self.within) = outer;
    }

    /// A placeholder, which there is only one of by each name, also where snippets bring their own.
    pub(super) fn place(&mut self, name: &str, index: usize, content: &Content) -> Vec<ItemTemplate> {
        if !self.places.insert(name.to_owned()) {
            let message = format!("the placeholder `{name}` is there twice: give each a name of its own");
            self.problems.push(Problem::general(Some(index), message));
        }
        let stated = content.variables.get(name).is_some_and(|declared| declared.required == Some(true));
        let slot = self.slots.place(name, stated);
        vec![ItemTemplate::Placeholder { name: name.to_owned(), slot }]
    }

    /// Compiles a text; one that cannot be is reported and stands empty.
    pub(super) fn compile(&mut self, text: &str, spot: Spot) -> Text {
        let compiled = match self.engine {
            Engine::Jinja => {
                let within = self.within.clone();
                self.library.add(text, (spot, within), &mut self.slots).map(Text::Page)
            }
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
        let problems = flaws.iter().take(room).map(|flaw| spot.problem(text, flaw));
        match &self.within {
            None => self.problems.extend(problems),
            Some(reference) => self.problems.extend(problems.map(|problem| {
                let inside = Problem { item: None, ..problem };
                Problem::general(spot.item, format!("in `{reference}`: {inside}"))
            })),
        }
    }
}

fn refuse_media(instructs: bool, name: &str, slots: &Slots) -> Option<String> {
    let (_, slot) = slots.at(slots.find(name)?);
    let media = matches!(slot.kind, Some(VariableKind::Image | VariableKind::File));
    (instructs && media).then(|| {
        format!("`{name}` is declared as an image or a file, which a system or developer message cannot hold")
    })
}
