//! The whole gateway, seen from outside: each module is one thing its users rely on.

#[path = "../support/lib.rs"]
mod support;

mod chat;
