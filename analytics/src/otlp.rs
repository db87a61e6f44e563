//! Spans in and out over OTLP, without the network: what the wire says, which names mean what, and how a call looks
//! as spans. The door that takes requests and the sender that posts them are the gateway's.

mod attributes;
mod contents;
pub mod export;
mod ingest;
mod json;
mod names;
mod scan;
mod wire;

#[cfg(test)]
mod tests;

pub use ingest::{SPAN_BYTES_MAX, SPANS_MAX, Taken, ingest};
pub use wire::{Encoding, Malformed, Rejected, answer, rejected_spans, status};
