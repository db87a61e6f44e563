//! The whole gateway, seen from outside: each module is one thing its users rely on.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails where its own set-up is wrong")]

#[expect(unreachable_pub, reason = "the kit is public to the modules of this one binary")]
#[path = "../support/lib.rs"]
mod support;

#[path = "../../../registry/tests/support/server.rs"]
mod server;

mod access;
mod alerts;
mod chat;
mod completions;
mod durability;
mod embeddings;
mod endings;
mod export;
mod failures;
mod fallbacks;
mod feedback;
mod golden;
mod health;
mod keys;
mod langfuse;
mod limits;
mod mail;
mod models;
mod nodes;
mod office;
mod passthrough;
mod prompts;
mod ramps;
mod records;
mod responses;
mod scopes;
mod secrets;
mod shutdown;
mod spans;
mod stream;
mod tls;
mod webhooks;
mod wire;
