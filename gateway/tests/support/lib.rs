//! What gateway tests are made of: a whole gateway in this process, a provider scripted per test, a plain client.
//!
//! Everything is real but the provider's mind: listeners on ports of their own, SQLite files in a folder of their
//! own, HTTP on every line. Nothing here sleeps: tests wait for what they caused.

use serde_json::{Value, json};

mod admin;
mod client;
mod harness;
mod provider;
mod raw;
mod records;
mod wait;

pub use client::{Answer, Call};
pub use harness::{Harness, PROVIDER_KEY, behind};
pub use provider::reply::Reply;
pub use provider::{FakeProvider, Received, canned};
pub use raw::RawConnection;
pub use records::ids;
pub use wait::{patiently, until};

/// A chat completion as most clients ask for it.
pub fn ask() -> Value {
    json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]})
}

/// The same, as a stream.
pub fn ask_streamed() -> Value {
    json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}], "stream": true})
}

/// A span of milliseconds, for the small limits tests set.
pub const fn millis(count: u64) -> std::time::Duration {
    std::time::Duration::from_millis(count)
}
