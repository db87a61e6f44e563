//! Fills the embedded store with a week of calls and asks it what people ask.
//!
//! ```text
//! embedded-store --file FILE [--records N] [--bytes B] [--tries T] [--delete yes]
//! ```
//!
//! Prints the CPU time of the whole process per record, without that of making the records up, and for every
//! question the median and the longest of some tries. A file that is there already is
//! asked only; `--delete yes` empties half of it afterwards, with somebody writing meanwhile.

mod asking;
mod filling;

use std::path::PathBuf;
use std::sync::Arc;

use analytics::sqlite::SqliteStore;
use anyhow::{Context, ensure};
use benches::Arguments;
use vocab::Clock;

use self::filling::Week;

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::of_process(&["records", "bytes", "file", "tries", "delete"])?;
    let records = arguments.number("records", 1_000_000_u64)?;
    let bytes = arguments.number("bytes", 1_000)?;
    let path = PathBuf::from(arguments.text("file", ""));
    ensure!(!path.as_os_str().is_empty(), "--file names the file to fill and to ask");
    let fresh = !path.exists();
    let clock = Clock::system();
    let week = Week { records, bytes, clock: clock.clone() };
    let store = SqliteStore::open(&path, clock.clone()).context("the file cannot be opened")?;
    if fresh {
        week.fill(&store)?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
    runtime.block_on(asking::ask(&store, records, arguments.number("tries", 9)?, &clock))?;
    if arguments.text("delete", "no") == "yes" {
        week.delete(&runtime, &Arc::new(store))?;
    }
    Ok(())
}
