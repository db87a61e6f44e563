//! What happens to a call, now: the gateway, its admin API and its command line.
//!
//! [`call`] is the path of a call; [`surface`] maps URLs onto it; [`lifecycle`] starts and stops everything.

pub mod admin;
pub mod app;
pub mod arriving;
pub mod bounded;
pub mod call;
pub mod callers;
pub mod cli;
pub mod exporter;
pub mod feedback;
pub mod health;
pub mod import;
pub mod jobs;
pub mod langfuse;
pub mod leftovers;
pub mod lifecycle;
pub mod listen;
pub mod metrics;
pub mod models;
pub mod otlp;
pub mod outgoing;
pub mod price_list;
pub mod reading;
pub mod refusal;
pub mod retention;
pub mod routing;
pub mod scores;
pub mod start;
pub mod surface;
pub mod telemetry;
pub mod trace;
pub mod upstream;
