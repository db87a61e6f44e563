//! A row read by column name and type.

use std::str::FromStr;

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Postgres, Row as _, Sqlite, Type};
use vocab::Time;

use super::kept::Kept;
use super::{Result, Value};
use crate::StoreError;

/// A row of either engine. Reading says so when a column that must have a value is null: SQLite would read 0.
#[derive(Debug)]
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
    Kept(Kept),
}

/// What a column can be read as, wherever its row is.
trait Column<'r>: Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres> {
    /// Reads a kept value that is not null; `None` when it is of another type.
    fn of(value: &Value) -> Option<Self>
    where
        Self: Sized;
}

impl Column<'_> for String {
    fn of(value: &Value) -> Option<Self> {
        if let Value::Text(text) = value { text.clone() } else { None }
    }
}

impl Column<'_> for i64 {
    fn of(value: &Value) -> Option<Self> {
        if let Value::Int(int) = value { *int } else { None }
    }
}

impl Column<'_> for bool {
    /// SQLite keeps a flag as a number.
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(bool) => *bool,
            Value::Int(int) => int.map(|int| int != 0),
            Value::Text(_) | Value::Bytes(_) => None,
        }
    }
}

impl Column<'_> for Vec<u8> {
    fn of(value: &Value) -> Option<Self> {
        if let Value::Bytes(bytes) = value { bytes.clone() } else { None }
    }
}

impl Row {
    pub(crate) fn text(&self, column: &str) -> Result<String> {
        self.maybe_text(column)?.ok_or_else(|| null(column))
    }

    pub(crate) fn maybe_text(&self, column: &str) -> Result<Option<String>> {
        self.get(column)
    }

    pub(crate) fn int(&self, column: &str) -> Result<i64> {
        self.maybe_int(column)?.ok_or_else(|| null(column))
    }

    pub(crate) fn maybe_int(&self, column: &str) -> Result<Option<i64>> {
        self.get(column)
    }

    /// A version number, or a part of one.
    pub(crate) fn number(&self, column: &str) -> Result<u32> {
        self.maybe_number(column)?.ok_or_else(|| null(column))
    }

    pub(crate) fn maybe_number(&self, column: &str) -> Result<Option<u32>> {
        let wide = self.maybe_int(column)?;
        wide.map(|wide| u32::try_from(wide).map_err(|_| StoreError::unreadable(column))).transpose()
    }

    pub(crate) fn time(&self, column: &str) -> Result<Time> {
        self.int(column).map(Time)
    }

    pub(crate) fn maybe_time(&self, column: &str) -> Result<Option<Time>> {
        Ok(self.maybe_int(column)?.map(Time))
    }

    pub(crate) fn bool(&self, column: &str) -> Result<bool> {
        self.get(column)?.ok_or_else(|| null(column))
    }

    pub(crate) fn bytes(&self, column: &str) -> Result<Vec<u8>> {
        self.get(column)?.ok_or_else(|| null(column))
    }

    /// A text column parsed into what it stands for.
    pub(crate) fn parsed<T: FromStr>(&self, column: &str) -> Result<T> {
        self.maybe_parsed(column)?.ok_or_else(|| null(column))
    }

    pub(crate) fn maybe_parsed<T: FromStr>(&self, column: &str) -> Result<Option<T>> {
        let text = self.maybe_text(column)?;
        text.map(|text| text.parse().map_err(|_| StoreError::unreadable(column))).transpose()
    }

    /// A text column that holds JSON.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, column: &str) -> Result<T> {
        let text = self.text(column)?;
        serde_json::from_str(&text).map_err(|error| StoreError::unreadable(format!("{column}: {error}")))
    }

    /// A text column that holds JSON or null.
    pub(crate) fn maybe_json<T: serde::de::DeserializeOwned>(&self, column: &str) -> Result<Option<T>> {
        let Some(text) = self.maybe_text(column)? else { return Ok(None) };
        let read = serde_json::from_str(&text);
        read.map(Some).map_err(|error| StoreError::unreadable(format!("{column}: {error}")))
    }

    fn get<'r, T: Column<'r>>(&'r self, column: &str) -> Result<Option<T>> {
        match self {
            Self::Sqlite(row) => Ok(row.try_get::<Option<T>, _>(column)?),
            Self::Postgres(row) => Ok(row.try_get::<Option<T>, _>(column)?),
            Self::Kept(row) => match row.value(column)? {
                Value::Text(None) | Value::Int(None) | Value::Bool(None) | Value::Bytes(None) => Ok(None),
                value => T::of(value).map(Some).ok_or_else(|| StoreError::unreadable(column)),
            },
        }
    }
}

fn null(column: &str) -> StoreError {
    StoreError::unreadable(format!("column {column} is null"))
}
