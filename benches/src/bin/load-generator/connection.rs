//! One keep-alive connection, and as much of HTTP/1.1 as reading an answer takes.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::time::Duration;

use vocab::Clock;

/// How long an answer may be silent.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// A head line longer than this is refused.
const BUFFER_BYTES: usize = 64 << 10;

/// A connection with what was read of it and not yet used.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
    used: usize,
    reads: u64,
}

/// What is kept of one answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) first_byte: Duration,
    pub(crate) body_bytes: u64,
    pub(crate) body_reads: u64,
    pub(crate) keep_alive: bool,
    /// `weir-call-id`, where it was sent.
    pub(crate) call_id: Option<String>,
}

/// How the end of a body is known.
enum Framing {
    Length(usize),
    Chunked,
    UntilClosed,
}

struct Head {
    status: u16,
    framing: Framing,
    keep_alive: bool,
    call_id: Option<String>,
}

impl Connection {
    pub(crate) fn open(host: &str) -> Result<Self> {
        let stream = TcpStream::connect(host)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(READ_TIMEOUT))?;
        Ok(Self { stream, buffer: vec![0; BUFFER_BYTES], filled: 0, used: 0, reads: 0 })
    }

    /// Sends one request and reads its whole answer.
    pub(crate) fn call(&mut self, request: &[u8], clock: &Clock) -> Result<Answer> {
        self.stream.write_all(request)?;
        let head = self.read_head()?;
        if self.used == self.filled {
            self.fill()?;
        }
        let first_byte = clock.monotonic();
        let reads_before = self.reads;
        let body_bytes = match head.framing {
            Framing::Length(length) => self.skip(length).map(|()| length as u64)?,
            Framing::Chunked => self.read_chunks()?,
            Framing::UntilClosed => self.read_to_end()?,
        };
        Ok(Answer {
            status: head.status,
            first_byte,
            body_bytes,
            body_reads: self.reads - reads_before + 1,
            keep_alive: head.keep_alive,
            call_id: head.call_id,
        })
    }

    fn read_head(&mut self) -> Result<Head> {
        let line = self.read_line()?;
        let status = std::str::from_utf8(&self.buffer[line])
            .ok()
            .and_then(|line| line.split(' ').nth(1)?.parse().ok())
            .ok_or(ErrorKind::InvalidData)?;
        let mut head = Head { status, framing: Framing::UntilClosed, keep_alive: true, call_id: None };
        loop {
            let line = self.read_line()?;
            if line.is_empty() {
                break;
            }
            let line = String::from_utf8_lossy(&self.buffer[line]).to_ascii_lowercase();
            let Some((name, value)) = line.split_once(':') else { continue };
            match (name, value.trim()) {
                ("content-length", length) => {
                    head.framing = Framing::Length(length.parse().map_err(|_| ErrorKind::InvalidData)?);
                }
                ("transfer-encoding", "chunked") => head.framing = Framing::Chunked,
                ("connection", "close") => head.keep_alive = false,
                ("weir-call-id", id) => head.call_id = Some(id.to_owned()),
                _ => {}
            }
        }
        if matches!(head.framing, Framing::UntilClosed) {
            head.keep_alive = false;
        }
        Ok(head)
    }

    fn read_chunks(&mut self) -> Result<u64> {
        let mut total = 0;
        loop {
            let line = self.read_line()?;
            let size = std::str::from_utf8(&self.buffer[line]).unwrap_or_default();
            let size = size.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(|_| ErrorKind::InvalidData)?;
            if size == 0 {
                while !self.read_line()?.is_empty() {}
                return Ok(total);
            }
            total += size as u64;
            self.skip(size)?;
            self.read_line()?;
        }
    }

    fn read_to_end(&mut self) -> Result<u64> {
        let mut total = 0;
        loop {
            total += (self.filled - self.used) as u64;
            self.used = self.filled;
            match self.fill() {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(total),
                Err(error) => return Err(error),
            }
        }
    }

    fn skip(&mut self, mut bytes: usize) -> Result<()> {
        loop {
            let here = (self.filled - self.used).min(bytes);
            self.used += here;
            bytes -= here;
            if bytes == 0 {
                return Ok(());
            }
            self.fill()?;
        }
    }

    /// Where the next line stands in the buffer, less its line break.
    fn read_line(&mut self) -> Result<Range<usize>> {
        let mut seen = 0;
        loop {
            let unread = &self.buffer[self.used + seen..self.filled];
            if let Some(found) = memchr::memchr(b'\n', unread) {
                let start = self.used;
                let end = start + seen + found;
                self.used = end + 1;
                let carriage = usize::from(end > start && self.buffer[end - 1] == b'\r');
                return Ok(start..end - carriage);
            }
            seen = self.filled - self.used;
            self.fill()?;
        }
    }

    fn fill(&mut self) -> Result<()> {
        if self.used == self.filled {
            (self.used, self.filled) = (0, 0);
        } else if self.filled == self.buffer.len() {
            self.buffer.copy_within(self.used..self.filled, 0);
            self.filled -= self.used;
            self.used = 0;
        }
        match self.stream.read(&mut self.buffer[self.filled..])? {
            0 => Err(Error::from(ErrorKind::UnexpectedEof)),
            count => {
                self.filled += count;
                self.reads += 1;
                Ok(())
            }
        }
    }
}
