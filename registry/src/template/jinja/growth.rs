//! How much a page may build: what it joins, repeats and captures before any of it is written.
//!
//! The engine counts steps, and one step can double a text. So what joins texts and lists is held to a budget: operands of
//! `~` and `+` by a filter that is put behind each of them before the page is compiled, the filters that make long texts by
//! ones of the same name that look first. What `*` repeats, the engine limits to 100 MB.

use std::borrow::Cow;
use std::collections::BTreeSet;

use minijinja::machinery::{Token, tokenize};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Rest, StringInput, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, Value, filters};

use super::{OUTPUT_BYTES, STEPS};

/// What all that one page builds may come to, in bytes; four times over for what is captured and written again.
const BUILT_BYTES: usize = 64 << 20;
/// The widest indentation, and the widest field of `format`.
const WIDTH: usize = 1_000;
/// What is put behind operands. A page cannot name it: see [`is_own`].
const GUARD: &str = "|__operand";
/// What names of filters start with that pages cannot use.
const OWN: &str = "__";

/// How much a page has built, kept with its state.
#[derive(Default)]
struct Built(usize);

/// Registers what looks first.
pub(super) fn hold(environment: &mut Environment<'static>) {
    environment.add_filter(GUARD.trim_start_matches('|'), operand);
    environment.add_filter("replace", replace);
    environment.add_filter("join", join);
    environment.add_filter("indent", indent);
    environment.add_filter("format", format);
    environment.add_filter("pprint", |state: &mut State<'_, '_>, value: &Value| -> Result<String, Error> {
        build(state, value.as_str().map_or(0, str::len))?;
        Ok(filters::pprint(value))
    });
}

/// Whether a filter is not for pages.
pub(super) fn is_own(name: &str) -> bool {
    name.starts_with(OWN)
}

/// Counts what is built, and refuses what is too much.
pub(super) fn build(state: &mut State<'_, '_>, bytes: usize) -> Result<(), Error> {
    let built = state.get_or_insert_extension_with(Built::default);
    built.0 = built.0.saturating_add(bytes);
    if built.0 <= BUILT_BYTES {
        return Ok(());
    }
    let limit = BUILT_BYTES >> 20;
    Err(refuse(format!("the texts that the template puts together grow beyond {limit} MiB: join less")))
}

fn refuse(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

/// An operand as it is, if it is not too long to join.
fn operand(state: &mut State<'_, '_>, value: &Value) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        if text.len() > OUTPUT_BYTES {
            let limit = OUTPUT_BYTES >> 20;
            return Err(refuse(format!("a text longer than {limit} MiB is not joined to another")));
        }
        build(state, text.len())?;
    } else if value.len().is_some_and(|items| items as u64 > STEPS) {
        return Err(refuse(format!("a list longer than {STEPS} items is not joined to another")));
    }
    Ok(value.clone())
}

fn replace(
    state: &mut State<'_, '_>,
    text: StringInput<'_>,
    from: StringInput<'_>,
    to: StringInput<'_>,
) -> Result<Value, Error> {
    let found = text.as_str().matches(from.as_str()).count();
    build(state, text.as_str().len().saturating_add(found.saturating_mul(to.as_str().len())))?;
    filters::replace(state, text, from, to)
}

fn join(
    state: &mut State<'_, '_>,
    list: &Value,
    joiner: Option<StringInput<'_>>,
    attribute: Option<&str>,
    options: Kwargs,
) -> Result<Value, Error> {
    let between = joiner.as_ref().map_or(0, |joiner| joiner.as_str().len());
    if list.as_str().is_none()
        && let Ok(items) = list.try_iter()
    {
        for item in items {
            let said = match attribute {
                Some(attribute) => item.get_attr(attribute).unwrap_or_default(),
                None => item,
            };
            build(state, between + said.as_str().map_or(1, str::len))?;
        }
    }
    filters::join(state, list, joiner, attribute, options)
}

fn indent(
    text: StringInput<'_>,
    width: Option<usize>,
    first: Option<bool>,
    blank: Option<bool>,
    options: Kwargs,
) -> Result<Value, Error> {
    let wide = match width {
        Some(width) => Some(width),
        None => options.peek::<Option<usize>>("width")?,
    };
    let wide = wide.unwrap_or(4);
    if wide > WIDTH {
        return Err(refuse(format!("an indentation is at most {WIDTH} wide")));
    }
    if text.as_str().lines().count().saturating_mul(wide) > OUTPUT_BYTES {
        return Err(refuse("the text has too many lines to indent them so far".to_owned()));
    }
    filters::indent(text, width, first, blank, options)
}

fn format(
    state: &mut State<'_, '_>,
    pattern: &Value,
    arguments: Rest<ValueOrKwargs>,
) -> Result<Value, Error> {
    let text = pattern.as_str().unwrap_or_default();
    let numbers = text.split(|letter: char| !letter.is_ascii_digit()).filter(|digits| !digits.is_empty());
    let fits = |digits: &str| digits.parse::<usize>().is_ok_and(|width| width <= WIDTH);
    if text.contains("%*") || !numbers.into_iter().all(fits) {
        return Err(refuse(format!("a field of `format` has a width of at most {WIDTH}, written out")));
    }
    let formatted = filters::format(state, pattern, arguments)?;
    build(state, formatted.as_str().map_or(0, str::len))?;
    Ok(formatted)
}

/// The page with a guard behind each operand of `~` and `+`; as it is where it cannot be read.
pub(super) fn guarded(source: &str) -> Cow<'_, str> {
    let tokens: Vec<_> = tokenize(source, false, SyntaxConfig::default()).map_while(Result::ok).collect();
    let mut ends = BTreeSet::new();
    for (at, (token, _)) in tokens.iter().enumerate() {
        if !matches!(token, Token::Tilde | Token::Plus) {
            continue;
        }
        let left = at.checked_sub(1);
        for operand in left.into_iter().chain(operand_end(&tokens, at + 1)) {
            ends.extend(tokens.get(operand).map(|(_, span)| span.end_offset as usize));
        }
    }
    if ends.is_empty() {
        return Cow::Borrowed(source);
    }
    let mut text = String::with_capacity(source.len() + ends.len() * GUARD.len());
    let mut from = 0;
    for end in ends {
        text.push_str(source.get(from..end).unwrap_or_default());
        text.push_str(GUARD);
        from = end;
    }
    text.push_str(source.get(from..).unwrap_or_default());
    Cow::Owned(text)
}

/// Which token ends the operand that begins at `at`.
fn operand_end<S>(tokens: &[(Token<'_>, S)], at: usize) -> Option<usize> {
    let mut at = at;
    while matches!(tokens.get(at)?.0, Token::Minus | Token::Plus) {
        at += 1;
    }
    let mut end = closing(tokens, at)?;
    loop {
        let next = end + 1;
        match tokens.get(next).map(|(token, _)| token) {
            Some(Token::Dot | Token::Pipe) => end = next + 1,
            Some(Token::BracketOpen | Token::ParenOpen) => end = closing(tokens, next)?,
            _ => return Some(end),
        }
    }
}

/// The token that closes the bracket at `at`; `at` itself where none opens.
fn closing<S>(tokens: &[(Token<'_>, S)], at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (index, (token, _)) in tokens.iter().enumerate().skip(at) {
        match token {
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => depth += 1,
            Token::ParenClose | Token::BracketClose | Token::BraceClose => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return Some(index);
        }
    }
    None
}

/// The page as its author wrote it, and where a place of the guarded one is in it.
pub(super) fn unguarded(source: &str, offset: usize) -> (String, usize) {
    let before = source.get(..offset).unwrap_or(source).matches(GUARD).count();
    (source.replace(GUARD, ""), offset.saturating_sub(before * GUARD.len()))
}
