//! Texts of the engines `plain` and `fstring`, compiled: literals and variables in turn.

use super::fill::{Fill, Said};
use super::problem::Flaw;
use super::slots::Slots;
use super::{RenderError, fstring, plain};
use crate::content::Engine;

/// What the reader of an engine finds in a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token<'t> {
    /// Text to keep as it is.
    Literal(&'t str),
    /// A variable to insert.
    Variable {
        /// Its name.
        name: &'t str,
        /// Where it stands, in bytes.
        offset: usize,
    },
    /// Something the engine refuses.
    Flaw {
        /// Where it stands, in bytes.
        offset: usize,
        /// What is wrong and what to do.
        message: String,
    },
}

/// A compiled text.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    pieces: Vec<Piece>,
    literal_bytes: usize,
}

#[derive(Debug)]
enum Piece {
    Literal(String),
    Variable(usize),
}

impl Pieces {
    /// Compiles a text; `forbidden` says what is wrong with inserting a variable here, if anything.
    pub(super) fn compile(
        engine: Engine,
        text: &str,
        slots: &mut Slots,
        forbidden: impl Fn(&str, &Slots) -> Option<String>,
    ) -> Result<Self, Vec<Flaw>> {
        let tokens = if engine == Engine::Fstring { fstring::read(text) } else { plain::read(text) };
        let mut compiled = Self::default();
        let mut flaws = Vec::new();
        for token in tokens {
            match token {
                Token::Literal(literal) => compiled.push_literal(literal),
                Token::Variable { name, offset } => {
                    compiled.pieces.push(Piece::Variable(slots.insert(name, true)));
                    flaws.extend(forbidden(name, slots).map(|message| Flaw { offset, message }));
                }
                Token::Flaw { offset, message } => flaws.push(Flaw { offset, message }),
            }
        }
        if flaws.is_empty() { Ok(compiled) } else { Err(flaws) }
    }

    fn push_literal(&mut self, literal: &str) {
        self.literal_bytes += literal.len();
        match self.pieces.last_mut() {
            Some(Piece::Literal(text)) => text.push_str(literal),
            _ if literal.is_empty() => {}
            _ => self.pieces.push(Piece::Literal(literal.to_owned())),
        }
    }

    /// Writes the text with the values of one call.
    pub(super) fn write(&self, fill: &mut Fill<'_>, said: &mut Said) -> Result<(), RenderError> {
        said.reserve(self.literal_bytes);
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => fill.say(text, said)?,
                Piece::Variable(index) => fill.insert(*index, said)?,
            }
        }
        Ok(())
    }
}
