//! Where a page is written: text with an end.

use std::io::{Error, Write};

/// Text of at most so many bytes.
pub(super) struct LimitedOutput {
    bytes: Vec<u8>,
    limit: usize,
    full: bool,
}

impl LimitedOutput {
    /// An empty output.
    pub(super) fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit, full: false }
    }

    /// Whether something did not fit.
    pub(super) const fn is_full(&self) -> bool {
        self.full
    }

    /// What was written.
    pub(super) fn into_text(self) -> String {
        String::from_utf8(self.bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }
}

impl Write for &mut LimitedOutput {
    fn write(&mut self, buffer: &[u8]) -> Result<usize, Error> {
        if self.bytes.len() + buffer.len() > self.limit {
            self.full = true;
            return Err(Error::other("the output is full"));
        }
        self.bytes.extend_from_slice(buffer);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }
}
