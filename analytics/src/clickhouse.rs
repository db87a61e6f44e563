//! The store for many nodes: ClickHouse, on one server or a cluster of them.

pub mod schema;
pub mod words;
