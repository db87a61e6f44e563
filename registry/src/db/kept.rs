//! Rows kept outside of a database, in memory or in a file: every column as it was read, packed into one piece.

use std::sync::Arc;

use sqlx::{Column as _, Row as _, TypeInfo as _, ValueRef as _};

use super::{Result, Row, Value};
use crate::StoreError;

/// The names of a query's columns, in order, shared by all its rows.
pub(crate) type Columns = Arc<[Box<str>]>;

/// A row in one piece. The names of its columns are kept once for all rows of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packed(Box<[u8]>);

/// A packed row, opened.
#[derive(Debug)]
pub(crate) struct Kept {
    columns: Columns,
    values: Vec<Value>,
}

/// What stands before each value.
const NULL: u8 = 0;
const TEXT: u8 = 1;
const INT: u8 = 2;
const BOOL: u8 = 3;
const BYTES: u8 = 4;

impl Row {
    /// The names of its columns.
    pub(crate) fn columns(&self) -> Columns {
        match self {
            Self::Sqlite(row) => row.columns().iter().map(|column| column.name().into()).collect(),
            Self::Postgres(row) => row.columns().iter().map(|column| column.name().into()).collect(),
            Self::Kept(kept) => Arc::clone(&kept.columns),
        }
    }

    /// The row in one piece.
    pub(crate) fn pack(&self) -> Result<Packed> {
        let mut bytes = Vec::new();
        match self {
            Self::Sqlite(row) => {
                for place in 0..row.len() {
                    pack_value(&sqlite_value(row, place)?, &mut bytes);
                }
            }
            Self::Postgres(row) => {
                for place in 0..row.len() {
                    pack_value(&postgres_value(row, place)?, &mut bytes);
                }
            }
            Self::Kept(kept) => {
                for value in &kept.values {
                    pack_value(value, &mut bytes);
                }
            }
        }
        Ok(Packed(bytes.into()))
    }
}

impl Packed {
    /// What was written by [`Packed::bytes`] before.
    pub(crate) fn of(bytes: Box<[u8]>) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Opens it. An error means that the bytes are no row of these columns.
    pub(crate) fn open(&self, columns: &Columns) -> Result<Row> {
        let mut rest = &*self.0;
        let mut values = Vec::with_capacity(columns.len());
        while !rest.is_empty() {
            values.push(unpack_value(&mut rest).ok_or_else(|| StoreError::unreadable("a packed row"))?);
        }
        if values.len() != columns.len() {
            return Err(StoreError::unreadable("a packed row has other columns"));
        }
        Ok(Row::Kept(Kept { columns: Arc::clone(columns), values }))
    }
}

impl Kept {
    /// The value of a column.
    pub(super) fn value(&self, column: &str) -> Result<&Value> {
        let place = self.columns.iter().position(|name| **name == *column);
        let value = place.and_then(|place| self.values.get(place));
        value.ok_or_else(|| StoreError::unreadable(format!("there is no column {column}")))
    }
}

fn sqlite_value(row: &sqlx::sqlite::SqliteRow, place: usize) -> Result<Value> {
    let raw = row.try_get_raw(place)?;
    if raw.is_null() {
        return Ok(Value::Text(None));
    }
    let kind = raw.type_info();
    Ok(match kind.name() {
        "INTEGER" => Value::Int(row.try_get(place)?),
        "TEXT" => Value::Text(row.try_get(place)?),
        "BLOB" => Value::Bytes(row.try_get(place)?),
        other => return Err(unknown(other)),
    })
}

fn postgres_value(row: &sqlx::postgres::PgRow, place: usize) -> Result<Value> {
    let raw = row.try_get_raw(place)?;
    if raw.is_null() {
        return Ok(Value::Text(None));
    }
    let kind = raw.type_info();
    Ok(match kind.name() {
        "INT8" => Value::Int(row.try_get(place)?),
        "TEXT" => Value::Text(row.try_get(place)?),
        "BOOL" => Value::Bool(row.try_get(place)?),
        "BYTEA" => Value::Bytes(row.try_get(place)?),
        other => return Err(unknown(other)),
    })
}

fn unknown(kind: &str) -> StoreError {
    StoreError::unreadable(format!("a column has the unknown type {kind}"))
}

fn pack_value(value: &Value, onto: &mut Vec<u8>) {
    match value {
        Value::Text(None) | Value::Int(None) | Value::Bool(None) | Value::Bytes(None) => onto.push(NULL),
        Value::Text(Some(text)) => pack_bytes(TEXT, text.as_bytes(), onto),
        Value::Bytes(Some(bytes)) => pack_bytes(BYTES, bytes, onto),
        Value::Bool(Some(bool)) => onto.extend([BOOL, u8::from(*bool)]),
        Value::Int(Some(int)) => {
            onto.push(INT);
            onto.extend(int.to_le_bytes());
        }
    }
}

fn pack_bytes(kind: u8, bytes: &[u8], onto: &mut Vec<u8>) {
    onto.push(kind);
    onto.extend((bytes.len() as u32).to_le_bytes());
    onto.extend(bytes);
}

fn unpack_value(rest: &mut &[u8]) -> Option<Value> {
    let [kind] = *take(rest, 1)? else { return None };
    Some(match kind {
        NULL => Value::Text(None),
        INT => Value::Int(Some(i64::from_le_bytes(take(rest, 8)?.try_into().ok()?))),
        BOOL => Value::Bool(Some(take(rest, 1)? == [1])),
        TEXT => Value::Text(Some(String::from_utf8(unpack_bytes(rest)?.to_vec()).ok()?)),
        BYTES => Value::Bytes(Some(unpack_bytes(rest)?.to_vec())),
        _ => return None,
    })
}

fn unpack_bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u32::from_le_bytes(take(rest, 4)?.try_into().ok()?);
    take(rest, length as usize)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(names: &[&str]) -> Columns {
        names.iter().map(|name| Box::from(*name)).collect()
    }

    fn row() -> Row {
        let values = vec![
            Value::Int(Some(i64::MIN)),
            Value::Text(Some("a'b\u{1f600}".to_owned())),
            Value::Text(None),
            Value::Bool(Some(true)),
            Value::Bytes(Some(vec![0, 255])),
        ];
        Row::Kept(Kept { columns: columns(&["id", "label", "note", "flag", "body"]), values })
    }

    #[test]
    fn a_packed_row_reads_as_it_did() {
        let row = row();
        let kept = row.pack().unwrap().open(&row.columns()).unwrap();
        assert_eq!((kept.int("id").unwrap(), &*kept.text("label").unwrap()), (i64::MIN, "a'b\u{1f600}"));
        assert_eq!((kept.maybe_text("note").unwrap(), kept.maybe_int("note").unwrap()), (None, None));
        assert!(kept.bool("flag").unwrap() && kept.text("note").is_err());
        assert_eq!(kept.bytes("body").unwrap(), [0, 255]);
        assert!(kept.text("other").is_err() && kept.int("label").is_err());
    }

    #[test]
    fn a_row_cut_anywhere_is_no_row() {
        let (whole, columns) = (row().pack().unwrap(), row().columns());
        for length in 0..whole.bytes().len() {
            assert!(Packed::of(whole.bytes()[..length].into()).open(&columns).is_err(), "{length}");
        }
        assert!(Packed::of([9].into()).open(&columns).is_err());
    }
}
