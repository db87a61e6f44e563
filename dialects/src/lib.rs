//! What clients and providers speak: reading, rewriting and watching their bytes. Pure: no sockets, no tasks.

pub mod chat;
pub mod endpoint;
pub mod merge;

pub use endpoint::Endpoint;
