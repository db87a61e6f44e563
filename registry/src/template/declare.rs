//! What can be wrong with a prompt's declarations, whatever its texts say.

use super::fit::fits;
use super::{Problem, fstring, jinja, plain};
use crate::content::{Content, Engine, Variable, VariableKind};

/// Reports declarations that contradict themselves or the engine.
pub(super) fn check(content: &Content, problems: &mut Vec<Problem>) {
    for (name, variable) in &content.variables {
        let reasons =
            [check_name(content, name), check_kind(content.engine, variable), check_default(variable)];
        let told = reasons
            .into_iter()
            .flatten()
            .map(|why| Problem::general(None, format!("variables.{name}: {why}")));
        problems.extend(told);
    }
}

/// A name that no text can insert is of use only for a placeholder.
fn check_name(content: &Content, name: &str) -> Option<String> {
    let (is_name, rule) = match content.engine {
        Engine::Plain => (plain::is_name(name), "letters, digits, `_`, `.` and `-`"),
        Engine::Fstring => (fstring::is_name(name), "letters, digits and `_`"),
        Engine::Jinja => (jinja::is_name(name), "letters, digits and `_`"),
    };
    if is_name || content.placeholders().any(|placeholder| placeholder == name) {
        return None;
    }
    let engine = content.engine.as_str();
    if content.engine == Engine::Jinja && jinja::is_reserved(name) {
        return Some("this is a word of jinja itself: choose another name".into());
    }
    Some(format!("no {engine} template can name this: begin with a letter or `_` and use {rule}"))
}

fn check_kind(engine: Engine, variable: &Variable) -> Option<String> {
    let media = matches!(variable.kind, Some(VariableKind::Image | VariableKind::File));
    (media && engine == Engine::Jinja)
        .then(|| "jinja texts cannot hold images or files: use the engine plain or fstring".to_owned())
}

fn check_default(variable: &Variable) -> Option<String> {
    let (kind, default) = (variable.kind?, variable.default.as_ref()?);
    if default.is_null() && !variable.is_required() {
        return None;
    }
    fits(kind, default).err().map(|why| format!("the default {why}"))
}
