//! How much of everything: bytes, connections, calls, and time.

use std::time::Duration;

use crate::reader::Section;
use crate::setting::{Count, Setting, Size};

/// Every bound the data plane holds. Each has a default; none can be switched off.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The largest request body.
    pub body_bytes: usize,
    /// All bodies that are held in memory at one time, over the whole process.
    pub buffered_bytes: usize,
    /// The largest request head: request line and headers.
    pub header_bytes: usize,
    /// How long a client may take over its request's head.
    pub headers_timeout: Duration,
    /// How long a client may take over its request's body.
    pub body_timeout: Duration,
    /// Open connections on the data plane.
    pub connections: usize,
    /// Calls being served at one time.
    pub inflight: usize,
    /// The whole of one call, from its first byte to its answer's last.
    pub call_timeout: Duration,
    /// Connecting to a provider, TLS included.
    pub connect_timeout: Duration,
    /// From the request's last byte to the first byte of the provider's answer.
    pub first_byte_timeout: Duration,
    /// The longest silence inside a provider's answer.
    pub idle_timeout: Duration,
    /// The largest whole (not streamed) answer.
    pub answer_bytes: usize,
    /// How long a client may leave an answer unread.
    pub client_write_timeout: Duration,
    /// How long a connection without a call is kept.
    pub keep_alive: Duration,
    /// How much of one body is kept for its record.
    pub capture_bytes: usize,
}

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 64 * MIB,
            buffered_bytes: 1024 * MIB,
            header_bytes: 64 * KIB,
            headers_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_mins(1),
            connections: 10_000,
            inflight: 4_096,
            call_timeout: Duration::from_mins(10),
            connect_timeout: Duration::from_secs(5),
            first_byte_timeout: Duration::from_mins(5),
            idle_timeout: Duration::from_mins(2),
            answer_bytes: 64 * MIB,
            client_write_timeout: Duration::from_mins(1),
            keep_alive: Duration::from_secs(75),
            capture_bytes: 8 * MIB,
        }
    }
}

impl Limits {
    pub(crate) fn read(top: &mut Section<'_, '_>) -> Self {
        let mut section = top.section("limits");
        let mut limits = Self::default();
        limits.read_sizes(&mut section);
        limits.read_times(&mut section);
        limits.check(&mut section);
        section.finish();
        limits
    }

    fn read_sizes(&mut self, section: &mut Section<'_, '_>) {
        let mut bytes = |key: &str, value: &mut usize| *value = section.read(key, Size(*value)).0;
        bytes("body_bytes", &mut self.body_bytes);
        bytes("buffered_bytes", &mut self.buffered_bytes);
        bytes("header_bytes", &mut self.header_bytes);
        bytes("answer_bytes", &mut self.answer_bytes);
        bytes("capture_bytes", &mut self.capture_bytes);
        let mut count = |key: &str, value: &mut usize| *value = section.read(key, Count(*value)).0;
        count("connections", &mut self.connections);
        count("inflight", &mut self.inflight);
    }

    fn read_times(&mut self, section: &mut Section<'_, '_>) {
        let mut time = |key: &str, value: &mut Duration| *value = section.read(key, *value);
        time("headers_timeout", &mut self.headers_timeout);
        time("body_timeout", &mut self.body_timeout);
        time("call_timeout", &mut self.call_timeout);
        time("connect_timeout", &mut self.connect_timeout);
        time("first_byte_timeout", &mut self.first_byte_timeout);
        time("idle_timeout", &mut self.idle_timeout);
        time("client_write_timeout", &mut self.client_write_timeout);
        time("keep_alive", &mut self.keep_alive);
    }

    fn check(&self, section: &mut Section<'_, '_>) {
        // hyper refuses a head buffer below 8 KiB.
        if self.header_bytes < 8 * KIB {
            section.refuse("header_bytes", "it is below 8 KiB", "write \"8 KiB\" or more");
        }
        if self.buffered_bytes < self.body_bytes {
            let wrong = "one body of limits.body_bytes would not fit into it";
            section.refuse(
                "buffered_bytes",
                wrong,
                &format!("write at least \"{}\"", Size(self.body_bytes).show()),
            );
        }
    }
}
