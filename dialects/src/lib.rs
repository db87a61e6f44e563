//! What clients and providers speak: reading, rewriting and watching their bytes. Pure: no sockets, no tasks.

pub mod body;
pub mod chat;
mod cursor;
pub mod demo;
pub mod echo;
pub mod endpoint;
pub mod extras;
pub mod fault;
pub mod fold;
pub mod header;
pub mod merge;
pub mod naming;
pub mod prices;
pub mod sse;
pub mod watch;

pub use endpoint::Endpoint;
