//! How deep a page may be built: the engine walks its tree by recursion, and a crash of the stack ends the process.
//!
//! The parser limits how deep blocks and brackets nest. Chains (`a ~ b ~ c`, `{% elif %}` after `{% elif %}`) are as
//! deep to walk but not limited there, so their links are counted here, before parsing.

use minijinja::machinery::{Span, Token, tokenize};
use minijinja::syntax::SyntaxConfig;

use super::Flaw;

/// The most operators in one tag.
const OPERATORS: usize = 200;
/// The most `elif` in one page.
const BRANCHES: usize = 200;
/// The most `set` in one page: each can wrap the value of the one before in another list.
const ASSIGNMENTS: usize = 500;

/// Refuses a page that is too deep to walk. Syntax errors are left to the parser.
pub(super) fn check(source: &str) -> Result<(), Vec<Flaw>> {
    let mut count = Count::default();
    for (token, span) in tokenize(source, false, SyntaxConfig::default()).map_while(Result::ok) {
        count.add(&token);
        if let Some(message) = count.refuse() {
            return Err(vec![flaw(span, message)]);
        }
    }
    Ok(())
}

fn flaw(span: Span, message: String) -> Flaw {
    Flaw { offset: span.start_offset as usize, message }
}

#[derive(Default)]
struct Count {
    operators: usize,
    branches: usize,
    assignments: usize,
    opens_block: bool,
}

impl Count {
    fn add(&mut self, token: &Token<'_>) {
        match token {
            Token::BlockStart | Token::VariableStart => self.operators = 0,
            Token::Ident("elif") if self.opens_block => self.branches += 1,
            Token::Ident("set") if self.opens_block => self.assignments += 1,
            Token::Ident(word) => self.operators += usize::from(is_operator(word)),
            token => self.operators += usize::from(links(token)),
        }
        self.opens_block = matches!(token, Token::BlockStart);
    }

    fn refuse(&self) -> Option<String> {
        let too_many = |count, limit, what| {
            (count > limit).then(|| format!("more than {limit} {what}: make it simpler"))
        };
        too_many(self.operators, OPERATORS, "operators in one tag")
            .or_else(|| too_many(self.branches, BRANCHES, "`elif` in one text"))
            .or_else(|| too_many(self.assignments, ASSIGNMENTS, "`set` in one text"))
    }
}

fn is_operator(word: &str) -> bool {
    matches!(word, "and" | "or" | "not" | "in" | "is" | "if" | "else")
}

/// Tokens that make an expression one level deeper.
fn links(token: &Token<'_>) -> bool {
    let arithmetic = matches!(
        token,
        Token::Plus | Token::Minus | Token::Mul | Token::Div | Token::FloorDiv | Token::Pow | Token::Mod
    );
    let comparison = matches!(token, Token::Eq | Token::Ne | Token::Gt | Token::Gte | Token::Lt | Token::Lte);
    let postfix =
        matches!(token, Token::Tilde | Token::Dot | Token::Pipe | Token::BracketOpen | Token::ParenOpen);
    arithmetic || comparison || postfix
}
