//! The sandbox itself: what minijinja may do, and how values come in and go out.

use std::io::{Error as IoError, Write};
use std::sync::OnceLock;

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value, context,
};
use serde::Serialize;
use serde_json::Value as Json;
use serde_json::ser::{PrettyFormatter, Serializer};

use super::growth;
use super::output::LimitedOutput;
use super::{OUTPUT_BYTES, STEPS};

/// The deepest nesting of blocks and calls.
const DEPTH: usize = 100;
/// The widest indentation of `tojson`.
const INDENT: usize = 16;
/// What Python and other engines call filters.
const SYNONYMS: [(&str, &str); 7] = [
    ("strip", "trim"),
    ("len", "length"),
    ("size", "length"),
    ("json", "tojson"),
    ("to_json", "tojson"),
    ("str", "string"),
    ("downcase", "lower"),
];

/// The sandbox without any page; a clone shares its filters, tests and functions.
pub(super) fn sandbox() -> &'static Environment<'static> {
    static SANDBOX: OnceLock<Environment<'static>> = OnceLock::new();
    SANDBOX.get_or_init(|| {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_formatter(write_value);
        environment.set_fuel(Some(STEPS));
        environment.set_recursion_limit(DEPTH);
        // Undefined values remember where they came from: errors can name them.
        environment.set_debug(true);
        // It would print the engine's inner state.
        environment.remove_global("debug");
        environment.add_filter("tojson", to_json);
        growth::hold(&mut environment);
        environment
    })
}

/// An undefined value that prints and tests as nothing. The engine makes one where an `if` expression lacks its
/// `else`; there is no other way to get at it.
pub(super) fn nothing() -> Value {
    static NOTHING: OnceLock<Value> = OnceLock::new();
    let eval = || sandbox().compile_expression("0 if false").and_then(|expression| expression.eval(()));
    NOTHING.get_or_init(|| eval().unwrap_or(Value::UNDEFINED)).clone()
}

/// Whether a page may use this filter.
pub(super) fn has_filter(name: &str) -> bool {
    !growth::is_own(name) && evaluates("name is filter", name)
}

/// Whether a page may use this test.
pub(super) fn has_test(name: &str) -> bool {
    evaluates("name is test", name)
}

/// Whether a page may call this function.
pub(super) fn has_function(name: &str) -> bool {
    sandbox().globals().any(|(global, _)| global == name)
}

/// The filter that does what someone calls by another name, or as a method; empty or worded to follow a refusal.
pub(super) fn suggest_filter(name: &str) -> String {
    let known = SYNONYMS.iter().find(|(other, _)| *other == name).map_or(name, |(_, filter)| filter);
    if has_filter(known) { format!(": write `|{known}`") } else { String::new() }
}

fn evaluates(test: &'static str, name: &str) -> bool {
    let expression = sandbox().compile_expression(test);
    expression.and_then(|expression| expression.eval(context! { name })).is_ok_and(|holds| holds.is_true())
}

/// A JSON value as the engine knows it.
pub(super) fn convert(value: &Json) -> Value {
    match value {
        Json::Null => Value::from(()),
        Json::Bool(flag) => Value::from(*flag),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::from(number),
            (None, Some(number)) => Value::from(number),
            (None, None) => Value::from(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => items.iter().map(convert).collect(),
        Json::Object(fields) => {
            Value::from_pairs(fields.iter().map(|(key, value)| (key.as_str(), convert(value))))
        }
    }
}

/// Strings raw, null and nothing empty, anything else compact JSON.
fn write_value(output: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if let Some(text) = value.as_str() {
        // It may be captured instead of written, and the output's limit not be met.
        growth::build(state, text.len())?;
        return output.write_str(text).map_err(Error::from);
    }
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Ok(()),
        _ => serde_json::to_writer(Pen(output), value).map_err(|error| refuse_json(&error)),
    }
}

/// `value|tojson` and `value|tojson(indent=2)`: JSON as it is, nothing escaped for HTML.
#[expect(clippy::needless_pass_by_value, reason = "filters take their options by value")]
fn to_json(value: &Value, indent: Option<usize>, options: Kwargs) -> Result<String, Error> {
    let indent = match indent {
        Some(indent) => Some(indent),
        None => options.get("indent")?,
    };
    options.assert_all_used()?;
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    let mut json = LimitedOutput::new(0, OUTPUT_BYTES);
    let written = match indent.map(|indent| " ".repeat(indent.min(INDENT))) {
        None => serde_json::to_writer(&mut json, value),
        Some(indent) => {
            let formatter = PrettyFormatter::with_indent(indent.as_bytes());
            value.serialize(&mut Serializer::with_formatter(&mut json, formatter))
        }
    };
    written.map_err(|error| refuse_json(&error))?;
    Ok(json.into_text())
}

fn refuse_json(error: &serde_json::Error) -> Error {
    if error.is_io() {
        return Error::new(ErrorKind::WriteFailure, "the output is full");
    }
    Error::new(ErrorKind::BadSerialization, error.to_string())
}

/// Writes JSON into the engine's output.
struct Pen<'a, 'o>(&'a mut Output<'o>);

impl Write for Pen<'_, '_> {
    fn write(&mut self, json: &[u8]) -> Result<usize, IoError> {
        let text = str::from_utf8(json).map_err(IoError::other)?;
        self.0.write_str(text).map_err(IoError::other)?;
        Ok(json.len())
    }

    fn flush(&mut self) -> Result<(), IoError> {
        Ok(())
    }
}
