//! What is bound to a statement: four types, each with a null of its own.

/// A bound value. Nulls carry their type: PostgreSQL reads an untyped one as whatever it guessed last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Text(Option<String>),
    Int(Option<i64>),
    Bool(Option<bool>),
    Bytes(Option<Vec<u8>>),
}

/// The values of one statement: `args![name, 7_i64, None::<String>]`.
macro_rules! args {
    ($($value:expr),* $(,)?) => {
        &[$($crate::db::Value::from($value)),*] as &[$crate::db::Value]
    };
}
pub(crate) use args;

macro_rules! bound_as {
    ($($from:ty => $variant:ident),* $(,)?) => {
        $(
            impl From<$from> for Value {
                fn from(value: $from) -> Self {
                    Self::$variant(Some(value.into()))
                }
            }
            impl From<Option<$from>> for Value {
                fn from(value: Option<$from>) -> Self {
                    Self::$variant(value.map(Into::into))
                }
            }
        )*
    };
}
bound_as!(String => Text, &str => Text, i64 => Int, u32 => Int, bool => Bool, Vec<u8> => Bytes, &[u8] => Bytes);

/// What goes into a text column that holds JSON.
pub(crate) fn to_json(value: &impl serde::Serialize) -> super::Result<String> {
    serde_json::to_string(value).map_err(|error| crate::StoreError::Unavailable(Box::new(error)))
}

/// Refuses what one of the engines cannot hold, before either sees it.
pub(crate) fn check(sql: &'static str, values: &[Value]) -> super::Result<()> {
    check_signature(sql, values);
    // PostgreSQL takes no NUL in a text, SQLite does: what cannot be stored by both is stored by neither.
    let has_nul = |value: &Value| matches!(value, Value::Text(Some(text)) if text.contains('\0'));
    if values.iter().any(has_nul) {
        let message = "a text holds a NUL character: remove it";
        return Err(crate::StoreError::invalid("text", message));
    }
    Ok(())
}

/// Holds every SQL text to one list of types. PostgreSQL prepares a text once, with the types it first saw, and
/// then reads other types' bytes wrongly, sometimes without an error.
#[cfg(debug_assertions)]
pub(super) fn check_signature(sql: &'static str, values: &[Value]) {
    use std::collections::HashMap;
    use std::mem::{Discriminant, discriminant};
    use std::sync::{LazyLock, Mutex, PoisonError};

    type Signatures = HashMap<&'static str, Vec<Discriminant<Value>>>;
    static SEEN: LazyLock<Mutex<Signatures>> = LazyLock::new(Mutex::default);

    let signature: Vec<_> = values.iter().map(discriminant).collect();
    let first = {
        let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
        seen.entry(sql).or_insert_with(|| signature.clone()).clone()
    };
    assert!(first == signature, "one SQL text is bound with two lists of types: {sql}");
}

#[cfg(not(debug_assertions))]
pub(super) const fn check_signature(_sql: &'static str, _values: &[Value]) {}
