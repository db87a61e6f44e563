//! Rows kept outside of a database, in memory or in a file: every column as it was read, packed into one piece.

use std::borrow::Cow;
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

/// A row shorter than this is kept as it is.
const PRESSED_FROM: usize = 256;
/// What a row starts with: the values, or their number of bytes and then the values, compressed.
const PLAIN: u8 = 0;
const PRESSED: u8 = 1;

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
        let mut bytes = vec![PLAIN];
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
        Ok(Packed(press(bytes).into()))
    }
}

/// Texts take a quarter less so, in a few microseconds.
fn press(plain: Vec<u8>) -> Vec<u8> {
    let values = plain.get(1..).unwrap_or_default();
    if values.len() < PRESSED_FROM {
        return plain;
    }
    let mut pressed = vec![PRESSED];
    pack_number(values.len() as u64, &mut pressed);
    pressed.extend(lz4_flex::block::compress(values));
    if pressed.len() < plain.len() { pressed } else { plain }
}

/// The values of a row.
fn unpress(bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
    let (kind, mut rest) = bytes.split_first()?;
    match *kind {
        PLAIN => Some(rest.into()),
        PRESSED => {
            let length = usize::try_from(unpack_number(&mut rest)?).ok()?;
            // No byte becomes more than 255: a greater length is none of this row.
            let is_possible = length <= 256 * rest.len();
            is_possible.then(|| lz4_flex::block::decompress(rest, length))?.ok().map(Cow::Owned)
        }
        _ => None,
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
        let plain = unpress(&self.0).ok_or_else(|| StoreError::unreadable("a packed row"))?;
        let mut rest = &*plain;
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
            // Zigzag: small numbers of either sign are short.
            pack_number(((int << 1) ^ (int >> 63)).cast_unsigned(), onto);
        }
    }
}

fn pack_bytes(kind: u8, bytes: &[u8], onto: &mut Vec<u8>) {
    onto.push(kind);
    pack_number(bytes.len() as u64, onto);
    onto.extend(bytes);
}

/// Seven bits to a byte, the lowest first; the highest bit says that more follow.
fn pack_number(mut number: u64, onto: &mut Vec<u8>) {
    while number > 0x7f {
        onto.push(number as u8 | 0x80);
        number >>= 7;
    }
    onto.push(number as u8);
}

fn unpack_value(rest: &mut &[u8]) -> Option<Value> {
    let [kind] = *take(rest, 1)? else { return None };
    Some(match kind {
        NULL => Value::Text(None),
        INT => {
            let number = unpack_number(rest)?;
            Value::Int(Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed()))
        }
        BOOL => Value::Bool(Some(take(rest, 1)? == [1])),
        TEXT => Value::Text(Some(String::from_utf8(unpack_bytes(rest)?.to_vec()).ok()?)),
        BYTES => Value::Bytes(Some(unpack_bytes(rest)?.to_vec())),
        _ => return None,
    })
}

fn unpack_bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = unpack_number(rest)?;
    take(rest, usize::try_from(length).ok()?)
}

fn unpack_number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let [byte] = *take(rest, 1)? else { return None };
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
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
            Value::Int(Some(-300)),
            Value::Text(Some("a'b\u{1f600}".to_owned())),
            Value::Text(None),
            Value::Bool(Some(true)),
            Value::Bytes(Some(vec![0, 255])),
        ];
        Row::Kept(Kept { columns: columns(&["id", "less", "label", "note", "flag", "body"]), values })
    }

    #[test]
    fn a_packed_row_reads_as_it_did() {
        let row = row();
        let kept = row.pack().unwrap().open(&row.columns()).unwrap();
        assert_eq!((kept.int("id").unwrap(), &*kept.text("label").unwrap()), (i64::MIN, "a'b\u{1f600}"));
        assert_eq!(kept.int("less").unwrap(), -300);
        assert_eq!((kept.maybe_text("note").unwrap(), kept.maybe_int("note").unwrap()), (None, None));
        assert!(kept.bool("flag").unwrap() && kept.text("note").is_err());
        assert_eq!(kept.bytes("body").unwrap(), [0, 255]);
        assert!(kept.text("other").is_err() && kept.int("label").is_err());
    }

    #[test]
    fn a_long_row_is_kept_in_less_room_and_reads_as_it_did() {
        let columns = columns(&["text"]);
        for text in [
            "do not be rude. ".repeat(100),
            (0..2_000).map(|place| char::from_u32(0x4e00 + place * 7).unwrap()).collect(),
        ] {
            let row = Row::Kept(Kept {
                columns: Arc::clone(&columns),
                values: vec![Value::Text(Some(text.clone()))],
            });
            let packed = row.pack().unwrap();
            assert!(packed.bytes().len() <= text.len() + 4, "{}", packed.bytes().len());
            assert_eq!(packed.open(&columns).unwrap().text("text").unwrap(), text);
            for length in 0..packed.bytes().len() {
                assert!(Packed::of(packed.bytes()[..length].into()).open(&columns).is_err(), "{length}");
            }
        }
        assert!(Packed::of([PRESSED, 0xff, 0xff, 0xff, 0xff, 0x7f, 0].into()).open(&columns).is_err());
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
