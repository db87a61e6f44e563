//! What clients and providers speak: reading, rewriting and watching their bytes. Pure: no sockets, no tasks.

pub mod body;
pub mod chat;
pub mod endpoint;
pub mod merge;
pub mod naming;

pub use endpoint::Endpoint;
