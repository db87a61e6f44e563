//! Rows as people read them: the reverse of [`super::rowbinary`], for what the server refused.

use serde_json::{Map, Value};
use vocab::{Id, Time};

use super::rows::hex;
use super::schema::Columns;

/// Of a longer text the beginning is shown, in bytes.
const TEXT_BYTES: usize = 1_000;
/// Of a longer list the beginning is shown.
const ITEMS: usize = 100;

/// A row by its columns, as far as it can be read: one that is not as its columns say may have been refused for it.
pub(super) fn unpack(columns: Columns, mut row: &[u8]) -> Map<String, Value> {
    let mut unpacked = Map::new();
    for (name, kind) in columns {
        let Some(value) = value(kind, &mut row) else { break };
        unpacked.insert((*name).to_owned(), value);
    }
    unpacked
}

fn value(kind: &str, rest: &mut &[u8]) -> Option<Value> {
    let inner = |outer: &str| kind.strip_prefix(outer)?.strip_prefix('(')?.strip_suffix(')');
    if let Some(kind) = inner("LowCardinality") {
        value(kind, rest)
    } else if let Some(kind) = inner("Nullable") {
        if take(rest, 1)? == [0] { value(kind, rest) } else { Some(Value::Null) }
    } else if let Some(kind) = inner("Array") {
        list(kind, rest)
    } else if let Some(width) = inner("FixedString") {
        take(rest, width.parse().ok()?).map(|bytes| hex(bytes).into())
    } else {
        plain(kind, rest)
    }
}

fn plain(kind: &str, rest: &mut &[u8]) -> Option<Value> {
    Some(match kind {
        "String" => text(rest)?,
        "UUID" => {
            let (first, second) = (number(rest, 8)?, number(rest, 8)?);
            Id::<()>::from_bytes((u128::from(first) << 64 | u128::from(second)).to_be_bytes())
                .to_string()
                .into()
        }
        "Bool" => (number(rest, 1)? != 0).into(),
        "UInt16" => number(rest, 2)?.into(),
        "UInt32" => number(rest, 4)?.into(),
        "UInt64" => number(rest, 8)?.into(),
        "Int64" => number(rest, 8)?.cast_signed().into(),
        "Float64" => f64::from_bits(number(rest, 8)?).into(),
        kind if kind.starts_with("DateTime64") => Time(number(rest, 8)?.cast_signed()).to_string().into(),
        _ => return None,
    })
}

fn list(kind: &str, rest: &mut &[u8]) -> Option<Value> {
    let mut items = Vec::new();
    for n in 0..length(rest)? {
        let item = value(kind, rest)?;
        if n < ITEMS {
            items.push(item);
        }
    }
    Some(items.into())
}

fn text(rest: &mut &[u8]) -> Option<Value> {
    let length = length(rest)?;
    let bytes = take(rest, length)?;
    let shown = String::from_utf8_lossy(bytes.get(..TEXT_BYTES).unwrap_or(bytes));
    Some(if length > TEXT_BYTES { format!("{shown}…") } else { shown.into_owned() }.into())
}

/// A number of so many bytes, the least first.
fn number(rest: &mut &[u8], width: usize) -> Option<u64> {
    Some(take(rest, width)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

fn length(rest: &mut &[u8]) -> Option<usize> {
    let mut length = 0;
    // Rows have no more than 4 GiB.
    for shift in (0..32).step_by(7) {
        let byte = *take(rest, 1)?.first()?;
        length |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(length);
        }
    }
    None
}

fn take<'a>(rest: &mut &'a [u8], bytes: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(bytes)?;
    *rest = left;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use dialects::Endpoint;
    use serde_json::json;

    use super::super::encode::Encoder;
    use super::super::rowbinary::Cells;
    use super::super::schema::{self, LAYOUT};
    use super::*;
    use crate::outbox::Table;
    use crate::policy::Policy;
    use crate::record::Record;
    use crate::row::Row;

    const START: Time = Time(1_795_996_800_000_000);

    fn record() -> Record {
        Record {
            user: Some("ann".into()),
            tags: vec!["checkout".into(), "ä".into()],
            ttft_us: Some(7),
            error_message: Some("x".repeat(3_000).into()),
            ..Record::begin(Id::at(START), "default".into(), START, Endpoint::ChatCompletions)
        }
    }

    #[test]
    fn a_call_is_readable_by_its_columns() {
        let (record, policy, mut bytes) = (record(), Policy::default(), Vec::new());
        Encoder::default().call(&Row::new(&record, "node-1", &policy, false), &mut bytes);
        let columns = schema::columns(Table::Calls, LAYOUT).unwrap();
        let unpacked = unpack(columns, &bytes);
        assert!(unpacked.keys().eq(columns.iter().map(|(name, _)| name)), "every column, to the row's end");
        let id = record.id.to_string();
        let expected = json!({
            "project": "default", "started_at": "2026-11-30T00:00:00.000000Z", "id": id, "user": "ann",
            "tags": ["checkout", "ä"], "ttft_us": 7, "input_tokens": null, "streaming": false, "node": "node-1",
            "trace_id": id.replace('-', ""), "error_message": format!("{}…", "x".repeat(1_000)),
        });
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&unpacked[name], value, "{name}");
        }
        for end in 0..bytes.len() {
            let part = unpack(columns, &bytes[..end]);
            assert!(part.len() < columns.len(), "what is there of it, and no more: {end}");
        }
    }

    #[test]
    fn every_kind_of_column_there_is_can_be_read() {
        let zeros = [0; 64];
        for table in Table::ALL {
            for column in schema::columns(table, LAYOUT).unwrap() {
                assert_eq!(unpack(std::slice::from_ref(column), &zeros).len(), 1, "{column:?}");
            }
        }
    }

    #[test]
    fn odd_numbers_and_lengths_break_nothing() {
        let mut bytes = Vec::new();
        let cells = &mut Cells(&mut bytes);
        cells.f64(-0.5);
        cells.i64(-3);
        cells.f64(f64::NAN);
        let columns: Columns = &[("a", "Float64"), ("b", "Int64"), ("c", "Float64")];
        assert_eq!(Value::from(unpack(columns, &bytes)), json!({"a": -0.5, "b": -3, "c": null}));
        assert!(unpack(&[("s", "String")], &[0xff; 20]).is_empty());
        assert!(unpack(&[("s", "Array(String)")], &[0xff, 0xff, 0xff, 0xff, 0x0f]).is_empty());
    }
}
