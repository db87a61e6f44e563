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

impl Limits {
    pub(crate) fn read(top: &mut Section<'_, '_>) -> Self {
        let mut section = top.section("limits");
        let mut bytes = |key: &str, default: usize| section.read(key, Size(default)).0;
        let body_bytes = bytes("body_bytes", 64 * MIB);
        let buffered_bytes = bytes("buffered_bytes", 1024 * MIB);
        let header_bytes = bytes("header_bytes", 64 * KIB);
        let answer_bytes = bytes("answer_bytes", 64 * MIB);
        let capture_bytes = bytes("capture_bytes", 8 * MIB);
        let mut count = |key: &str, default: usize| section.read(key, Count(default)).0;
        let connections = count("connections", 10_000);
        let inflight = count("inflight", 4_096);
        let mut seconds = |key: &str, default: u64| section.read(key, Duration::from_secs(default));
        let limits = Self {
            body_bytes,
            buffered_bytes,
            header_bytes,
            headers_timeout: seconds("headers_timeout", 10),
            body_timeout: seconds("body_timeout", 60),
            connections,
            inflight,
            call_timeout: seconds("call_timeout", 600),
            connect_timeout: seconds("connect_timeout", 5),
            first_byte_timeout: seconds("first_byte_timeout", 300),
            idle_timeout: seconds("idle_timeout", 120),
            answer_bytes,
            client_write_timeout: seconds("client_write_timeout", 60),
            keep_alive: seconds("keep_alive", 75),
            capture_bytes,
        };
        limits.check(&mut section);
        section.finish();
        limits
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
