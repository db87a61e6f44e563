//! Which rows of an export are whole: lines of JSON by their ends, rows of CSV by their ends outside quotes.

use std::io::{self, BufRead};

use serde_json::Value;

use super::Format;

/// The whole rows of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rows {
    /// How many, headings aside.
    pub(super) rows: u64,
    /// Where the last of them ends.
    pub(super) end_bytes: u64,
    /// The call in the last of them.
    pub(super) last_id: Option<String>,
}

impl Rows {
    /// No rows.
    pub(super) fn none() -> Self {
        Self::default()
    }

    /// Reads a file to its end, or to where it was cut.
    pub(super) fn read(mut file: impl BufRead, format: Format) -> io::Result<Self> {
        let mut rows = Self::none();
        let mut counter = Counter::new(format, true);
        let (mut at, mut row) = (0, Vec::new());
        loop {
            let begins = row.len();
            let read = file.read_until(b'\n', &mut row)?;
            if read == 0 || !row.ends_with(b"\n") {
                return Ok(rows);
            }
            at += read as u64;
            if !counter.line(row.get(begins..).unwrap_or_default()) {
                continue;
            }
            if counter.rows() > rows.rows {
                let Some(id) = id_of(&row, format) else { return Ok(rows) };
                rows.last_id = Some(id);
            }
            rows.rows = counter.rows();
            // A line of headings alone is written anew.
            rows.end_bytes = if rows.rows > 0 { at } else { 0 };
            row.clear();
        }
    }
}

/// The id of the call in a whole row.
fn id_of(row: &[u8], format: Format) -> Option<String> {
    match format {
        Format::Jsonl => {
            let call: Value = serde_json::from_slice(row).ok()?;
            Some(call["id"].as_str()?.to_owned())
        }
        // The id is the first cell, and needs no quotes.
        Format::Csv => {
            let cell = row.split(|byte| *byte == b',').next()?;
            String::from_utf8(cell.to_vec()).ok().filter(|id| id.len() == 36)
        }
    }
}

/// Counts rows line by line.
pub(super) struct Counter {
    format: Format,
    /// Whether the next row names the columns.
    headings: bool,
    in_quotes: bool,
    rows: u64,
}

impl Counter {
    /// Nothing counted yet. `headings` says whether a CSV begins with its headings.
    pub(super) fn new(format: Format, headings: bool) -> Self {
        Self { format, headings: headings && format == Format::Csv, in_quotes: false, rows: 0 }
    }

    /// Takes a line; true when a row ends with it.
    pub(super) fn line(&mut self, line: &[u8]) -> bool {
        if self.format == Format::Csv {
            // A quote in a cell is written twice, which changes nothing.
            let quotes = memchr::memchr_iter(b'"', line).count();
            self.in_quotes ^= quotes % 2 == 1;
            if self.in_quotes {
                return false;
            }
        }
        if !std::mem::take(&mut self.headings) {
            self.rows += 1;
        }
        true
    }

    /// How many rows ended so far, headings aside.
    pub(super) const fn rows(&self) -> u64 {
        self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d";
    const TWO: &str = "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4e";

    fn read(text: &str, format: Format) -> Rows {
        Rows::read(text.as_bytes(), format).unwrap()
    }

    #[test]
    fn lines_of_json_count_when_they_have_an_end() {
        let whole = format!("{{\"id\":\"{ONE}\"}}\n{{\"id\":\"{TWO}\"}}\n");
        for cut in ["", "{", "{\"id\":\"x", "{\"id\":\"019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4f\"}"] {
            let rows = read(&format!("{whole}{cut}"), Format::Jsonl);
            assert_eq!((rows.rows, rows.end_bytes), (2, whole.len() as u64), "{cut}");
            assert_eq!(rows.last_id.as_deref(), Some(TWO));
        }
        assert_eq!(read("{\"id\":", Format::Jsonl), Rows::none());
    }

    #[test]
    fn rows_of_csv_may_have_several_lines() {
        let whole = format!("id,note\n{ONE},\"a \"\"b\"\"\nc\"\n{TWO},d\n");
        for cut in ["", "x,\"1\n2\n", "019aa2d8"] {
            let rows = read(&format!("{whole}{cut}"), Format::Csv);
            assert_eq!((rows.rows, rows.end_bytes), (2, whole.len() as u64), "{cut}");
            assert_eq!(rows.last_id.as_deref(), Some(TWO));
        }
        assert_eq!(read("id,note\n", Format::Csv), Rows::none());
    }
}
