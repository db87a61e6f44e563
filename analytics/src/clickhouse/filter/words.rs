//! Terms about fields of words.
//!
//! Words that are absent are empty. Users, sessions, tags, metadata and variables are looked up in `words`, where
//! each stands folded ([`marks`]); every other column is folded as it is read, by [`FOLD`].

use vocab::Id;
use vocab::id::Call;

use super::any;
use crate::clickhouse::sql::Sql;
use crate::clickhouse::words as marks;
use crate::filter::{Field, Pattern};

/// Folds a column exactly as [`crate::folding::fold`] does, between these two. The blanks are those of Unicode.
const FOLD: (&str, &str) = (
    "trimBoth(replaceRegexpAll(replaceAll(replaceAll(lowerUTF8(",
    r"), 'ß', 'ss'), 'ς', 'σ'), '[\\p{Z}\\x09-\\x0d\\x{85}]+', ' '))",
);

/// A field is what a folded pattern says.
pub(in crate::clickhouse) fn is(field: &Field, pattern: &Pattern) -> Sql {
    match field {
        Field::Id => id(pattern),
        Field::Trace => trace(pattern),
        Field::Stream => stream(pattern),
        Field::Prompt => prompt(columns(field), pattern),
        Field::Error => error(pattern),
        Field::User => marked(field, "user != ''", pattern),
        Field::Session => marked(field, "session != ''", pattern),
        Field::Tag => marked(field, "notEmpty(tags)", pattern),
        Field::Metadata(_) | Field::Variable(_) => given(field, pattern),
        field => any(columns(field).iter().map(|column| word(column, pattern))),
    }
}

/// The columns a field looks in, when looking is all it takes.
pub(in crate::clickhouse) const fn columns(field: &Field) -> &'static [&'static str] {
    match field {
        Field::Model => &["requested_model", "model", "response_model"],
        Field::Provider => &["provider"],
        Field::Prompt => &["prompt", "prompt_id"],
        Field::Label => &["prompt_label"],
        Field::Experiment => &["experiment"],
        Field::Arm => &["arm"],
        Field::ArmUnit => &["arm_unit"],
        Field::Outcome => &["outcome"],
        Field::Error => &["error_code"],
        Field::Key => &["key_id"],
        Field::User => &["user"],
        Field::Session => &["session"],
        Field::Endpoint => &["endpoint"],
        Field::Cache => &["cache"],
        Field::Id | Field::Trace | Field::Stream | Field::Tag | Field::Metadata(_) | Field::Variable(_) => {
            &[]
        }
    }
}

fn word(column: &'static str, pattern: &Pattern) -> Sql {
    let mut sql = Sql::default();
    match pattern {
        // A column without anything in it is one that is absent.
        Pattern::Exactly(word) if word.is_empty() => sql.push("0"),
        Pattern::Exactly(word) => fold(&mut sql, column).push(" = ").text(word),
        Pattern::StartsWith(start) if start.is_empty() => sql.push(column).push(" != ''"),
        Pattern::StartsWith(start) => {
            sql.push("startsWith(");
            fold(&mut sql, column).push(", ").text(start).push(")")
        }
    };
    sql
}

pub(in crate::clickhouse) fn fold<'s>(sql: &'s mut Sql, column: &'static str) -> &'s mut Sql {
    sql.push(FOLD.0).push(column).push(FOLD.1)
}

/// A field of which each value stands in `words`, and which is there when `present`.
fn marked(field: &Field, present: &'static str, pattern: &Pattern) -> Sql {
    match pattern {
        Pattern::StartsWith(start) if start.is_empty() => Sql::new(present),
        pattern => given(field, pattern),
    }
}

fn given(field: &Field, pattern: &Pattern) -> Sql {
    let (Pattern::Exactly(text) | Pattern::StartsWith(text)) = pattern;
    let Some((word, whole)) = marks::sought(field, text) else { return Sql::new("0") };
    let mut sql = match pattern {
        Pattern::Exactly(_) => Sql::new("(has(words, "),
        Pattern::StartsWith(_) => Sql::new("(arrayExists(word -> startsWith(word, "),
    };
    sql.text(word).push(match pattern {
        Pattern::Exactly(_) => ")",
        Pattern::StartsWith(_) => "), words)",
    });
    if !whole {
        // A long value's word is only its beginning: look at the value itself.
        sql.push(" AND arrayExists(value -> startsWith(").push(FOLD.0).push("value").push(FOLD.1).push(", ");
        sql.text(text);
        if matches!(pattern, Pattern::Exactly(_)) {
            sql.push(") AND lengthUTF8(")
                .push(FOLD.0)
                .push("value")
                .push(FOLD.1)
                .push(") = lengthUTF8(")
                .text(text);
        }
        sql.push("), ").append(&values(field)).push(")");
    }
    sql.push(")");
    sql
}

/// All values of a field that leaves words.
fn values(field: &Field) -> Sql {
    let one = match field {
        Field::Tag => return Sql::new("tags"),
        Field::Session => Sql::new("session"),
        Field::Metadata(key) => member("metadata", key),
        Field::Variable(key) => member("variables", key),
        _ => Sql::new("user"),
    };
    let mut sql = Sql::new("[");
    sql.append(&one).push("]");
    sql
}

/// The value of a field that a call has once at most, as text; empty when it is absent. A model is the one that
/// served, a prompt its name, an error its code.
pub(in crate::clickhouse) fn value(field: &Field) -> Sql {
    match field {
        Field::Id => Sql::new("toString(id)"),
        Field::Trace => Sql::new("lower(hex(trace_id))"),
        Field::Stream => Sql::new("if(streaming, 'true', 'false')"),
        Field::Model => Sql::new("model"),
        Field::Tag => Sql::new("arrayJoin(if(empty(tags), [''], arrayDistinct(tags)))"),
        Field::Metadata(key) => member("metadata", key),
        Field::Variable(key) => member("variables", key),
        field => columns(field).first().map_or_else(|| Sql::new("''"), |column| Sql::new(column)),
    }
}

/// A member of metadata or variables as people write it: text without its quotes, everything else as JSON; empty
/// when it is absent.
pub(in crate::clickhouse) fn member(column: &'static str, key: &str) -> Sql {
    let mut sql = Sql::new("if(JSONType(");
    sql.push(column).push(", ").text(key).push(") = 'String', JSONExtractString(");
    sql.push(column).push(", ").text(key).push("), JSONExtractRaw(");
    sql.push(column).push(", ").text(key).push("))");
    sql
}

/// An id is one in its usual form, or nothing.
fn id(pattern: &Pattern) -> Sql {
    match pattern {
        Pattern::Exactly(text) => match text.parse::<Id<Call>>() {
            Ok(id) if id.to_string() == *text => {
                let mut sql = Sql::new("id = toUUID(");
                sql.text(text).push(")");
                sql
            }
            _ => Sql::new("0"),
        },
        Pattern::StartsWith(start) => {
            let mut sql = Sql::new("startsWith(toString(id), ");
            sql.text(start).push(")");
            sql
        }
    }
}

fn trace(pattern: &Pattern) -> Sql {
    match pattern {
        Pattern::Exactly(text) if text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            let mut sql = Sql::new("trace_id = toFixedString(unhex(");
            sql.text(text).push("), 16)");
            sql
        }
        Pattern::Exactly(_) => Sql::new("0"),
        Pattern::StartsWith(start) => {
            let mut sql = Sql::new("startsWith(lower(hex(trace_id)), ");
            sql.text(start).push(")");
            sql
        }
    }
}

fn stream(pattern: &Pattern) -> Sql {
    let fits = |word: &str| match pattern {
        Pattern::Exactly(sought) => word == sought,
        Pattern::StartsWith(start) => word.starts_with(start.as_str()),
    };
    Sql::new(match (fits("true"), fits("false")) {
        (true, true) => "1",
        (true, false) => "streaming",
        (false, true) => "NOT streaming",
        (false, false) => "0",
    })
}

/// By name or id; with `@`, also by the version's number, the beginning of its digest, or the label.
pub(in crate::clickhouse) fn prompt(columns: &[&'static str], pattern: &Pattern) -> Sql {
    let named = |pattern: &Pattern| any(columns.iter().map(|column| word(column, pattern)));
    let Pattern::Exactly(text) = pattern else { return named(pattern) };
    let Some((name, selector)) = text.rsplit_once('@') else { return named(pattern) };
    let mut sql = Sql::new("(");
    sql.append(&named(&Pattern::Exactly(name.to_owned())))
        .push(" AND ")
        .append(&selected(selector))
        .push(")");
    sql
}

fn selected(selector: &str) -> Sql {
    let mut sql = Sql::default();
    if let Some(digits) = selector.strip_prefix("sha256:") {
        sql.push("startsWith(replaceOne(prompt_digest, 'sha256:', ''), ").text(digits).push(")");
    } else if let Ok(number) = selector.parse::<i64>() {
        sql.push("(prompt_version != 0 AND prompt_version = ").int(number).push(")");
    } else {
        return word("prompt_label", &Pattern::Exactly(selector.to_owned()));
    }
    sql
}

/// By the error's code, or by words of its message.
fn error(pattern: &Pattern) -> Sql {
    let code = word("error_code", pattern);
    let mut message = Sql::default();
    match pattern {
        Pattern::Exactly(words) if words.is_empty() => message.push("error_message != ''"),
        Pattern::Exactly(words) => {
            message.push("position(");
            fold(&mut message, "error_message").push(", ").text(words).push(") > 0")
        }
        Pattern::StartsWith(start) if start.is_empty() => message.push("error_message != ''"),
        Pattern::StartsWith(_) => return code,
    };
    any([code, message].into_iter())
}
