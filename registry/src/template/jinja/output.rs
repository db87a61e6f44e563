//! Where a page is written: text with an end.

use std::io::{Error, Write};

/// Text of at most so many bytes.
pub(super) struct LimitedOutput {
    bytes: Vec<u8>,
    limit: usize,
}

impl LimitedOutput {
    /// An empty output that expects so many bytes.
    pub(super) fn new(expected: usize, limit: usize) -> Self {
        Self { bytes: Vec::with_capacity(expected), limit }
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
            return Err(Error::other("the output is full"));
        }
        self.bytes.extend_from_slice(buffer);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }
}
