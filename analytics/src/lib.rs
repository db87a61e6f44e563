//! What calls did: records of every call, kept, searched and looked up.

pub mod record;

pub use record::Record;
