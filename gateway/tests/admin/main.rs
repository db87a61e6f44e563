//! The admin API, seen from outside: a module for each resource, whole answers kept as snapshots.
//!
//! After a change that is meant: `INSTA_UPDATE=always cargo nextest run -p gateway --test admin`, then read the diff.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails where its own set-up is wrong")]

#[expect(dead_code, unused_imports, reason = "the kit has what other tests need too")]
#[expect(unreachable_pub, reason = "the kit is public to the modules of this one binary")]
#[path = "../support/lib.rs"]
mod support;

mod alerts;
mod audit;
mod calls;
mod commands;
mod description;
mod desk;
mod diff;
mod door;
mod drafts;
mod experiments;
mod export;
mod import;
mod keys;
mod labels;
mod manual;
mod names;
mod overview;
mod prices;
mod projects;
mod prompt_files;
mod prompts;
mod pseudonyms;
mod reached;
mod records;
mod redact;
mod releases;
mod rendering;
mod replay;
mod reports;
mod roles;
mod scores;
mod snippets;
mod system;
mod terminal;
mod tokens;
mod traces;
mod versions;
mod views;
mod webhooks;
