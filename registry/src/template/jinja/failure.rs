//! What the engine says when a page fails, turned to words for the author or the caller.

use minijinja::{Error, ErrorKind};

use super::super::problem::Flaw;
use super::{OUTPUT_BYTES, STEPS};

/// The failure itself, where snippets that include snippets each said that theirs failed.
pub(super) fn innermost(error: &Error) -> &Error {
    let mut innermost = error;
    while innermost.kind() == ErrorKind::BadInclude {
        let source = std::error::Error::source(innermost);
        let Some(source) = source.and_then(|source| source.downcast_ref::<Error>()) else { break };
        innermost = source;
    }
    innermost
}

/// What went wrong and where.
pub(super) fn flaw(error: &Error) -> Flaw {
    let message = match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => return Flaw { offset: offset(error), ..too_many_steps() },
        (ErrorKind::WriteFailure, _) => return Flaw { offset: offset(error), ..too_much_output() },
        (ErrorKind::UndefinedError | ErrorKind::SyntaxError, Some(detail)) => detail.to_owned(),
        (kind, Some(detail)) => format!("{kind}: {detail}"),
        (kind, None) => kind.to_string(),
    };
    Flaw { offset: offset(error), message }
}

/// The pages ran too long.
pub(super) fn too_many_steps() -> Flaw {
    Flaw {
        offset: 0,
        message: format!("the template runs too long: it may take {STEPS} steps, so loop less"),
    }
}

/// The pages wrote too much.
fn too_much_output() -> Flaw {
    let limit = OUTPUT_BYTES >> 20;
    Flaw {
        offset: 0,
        message: format!("the prompt grows beyond {limit} MiB, the limit for the engine jinja"),
    }
}

/// The machine is out of threads.
pub(super) fn no_thread() -> Flaw {
    Flaw { offset: 0, message: "there is no thread free to render this prompt: try again".to_owned() }
}

/// The name that was undefined where the page failed, if it is a plain name and not an attribute.
pub(super) fn missing_name(error: &Error) -> Option<&str> {
    // "`name` is undefined", "… (`name` is undefined)" or "… (`name` is undefined, from line 3)"
    let (before, _) = error.detail()?.rsplit_once("` is undefined")?;
    let (_, name) = before.rsplit_once('`')?;
    super::is_name(name).then_some(name)
}

fn offset(error: &Error) -> usize {
    error.range().map_or(0, |range| range.start)
}
