//! A load generator: blocking threads, one keep-alive connection each, HTTP/1.1 only.
//!
//! ```text
//! load-generator --url http://127.0.0.1:9100/v1/chat/completions --body FILE [--body FILE]... [-H 'K: V']...
//!                [--conc N] [--secs S] [--rate R] [--ids FILE]
//! ```
//!
//! Without `--rate` it is a closed loop: each connection sends as soon as it has its answer. With `--rate` it is an
//! open loop: request i is due at start + i / R whatever the server does, the next free connection sends it, and its
//! latency counts from the time it was *due*, so that a stall is charged to every request it delayed. Threads sleep in
//! the kernel with a timer slack of 1 µs: an async runtime's timers are a millisecond apart. Bodies take turns.
//!
//! With `--ids` the ids of the calls whose answers came whole are written to a file, one to a line, each with the time
//! its answer ended (µs since 1970).
//!
//! It prints one JSON object: `ok`, `errors` (all that is not a whole 200), `statuses`, `refused` (no connection),
//! `broken` (the connection ended before the answer did), `rps`, `total_us`, `ttfb_us` (first byte of the answer's
//! body), `reads_per_req`, `body_bytes`.
#![expect(clippy::print_stdout, reason = "the report is this program's output")]

mod connection;
mod report;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use benches::Arguments;
use vocab::Clock;

use crate::connection::Connection;
use crate::report::Report;

/// How long a thread waits before it tries to connect again.
const RECONNECT_WAIT: Duration = Duration::from_millis(20);
/// Threads hold little: one request and one read buffer.
const STACK_BYTES: usize = 256 << 10;

/// What all threads share.
struct Load {
    host: String,
    requests: Vec<Vec<u8>>,
    rate: f64,
    clock: Clock,
    start: Duration,
    end: Duration,
    next: AtomicU64,
    keeps_ids: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::of_process(&["url", "body", "H", "conc", "secs", "rate", "ids"])?;
    let connections: usize = arguments.number("conc", 1)?;
    let load = Arc::new(Load::new(&arguments)?);
    let spawn = |_| {
        let load = Arc::clone(&load);
        std::thread::Builder::new().stack_size(STACK_BYTES).spawn(move || load.run())
    };
    let threads = (0..connections).map(spawn).collect::<Result<Vec<_>, _>>()?;
    let mut all = Report::default();
    for thread in threads {
        all.add(thread.join().ok().context("a thread of the load generator ended by itself")?);
    }
    let seconds = load.clock.monotonic().saturating_sub(load.start).as_secs_f64();
    if let (Some(file), Some(ids)) = (arguments.all("ids").last(), &all.ids) {
        let lines: Vec<_> = ids.iter().map(|(id, ended)| format!("{id} {}", ended.micros())).collect();
        std::fs::write(file, lines.join("\n"))?;
    }
    println!("{}", all.print(seconds));
    Ok(())
}

impl Load {
    fn new(arguments: &Arguments) -> anyhow::Result<Self> {
        let url = arguments.text("url", "http://127.0.0.1:9100/v1/chat/completions");
        let (host, path) = split_url(url)?;
        let read = |file: &String| std::fs::read(file).with_context(|| format!("cannot read {file}"));
        let bodies = arguments.all("body").iter().map(read).collect::<Result<Vec<_>, _>>()?;
        anyhow::ensure!(!bodies.is_empty(), "--body FILE is missing");
        let headers = arguments.all("H");
        let clock = Clock::system();
        // The threads need a moment to start and connect.
        let start = clock.monotonic() + Duration::from_millis(50);
        Ok(Self {
            requests: bodies.iter().map(|body| write_request(&host, &path, headers, body)).collect(),
            host,
            rate: arguments.number("rate", 0.0)?,
            start,
            end: start + Duration::from_secs_f64(arguments.number("secs", 3.0)?),
            clock,
            next: AtomicU64::new(0),
            keeps_ids: !arguments.all("ids").is_empty(),
        })
    }

    /// One thread: calls until the time is up.
    fn run(&self) -> Report {
        if let Err(error) = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1_000)) {
            eprintln!("timers stay coarse: {error}");
        }
        let mut report = Report::keeping_ids(self.keeps_ids);
        let mut connection = Connection::open(&self.host).ok();
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(from) = self.wait_until_due(index) else { return report };
            let Some(open) = &mut connection else {
                report.refused += 1;
                std::thread::sleep(RECONNECT_WAIT);
                connection = Connection::open(&self.host).ok();
                continue;
            };
            let request = &self.requests[index as usize % self.requests.len()];
            let answer = open.call(request, &self.clock).ok();
            match &answer {
                Some(answer) => report.answered(answer, from, &self.clock),
                None => report.broken += 1,
            }
            if !answer.is_some_and(|answer| answer.keep_alive) {
                connection = Connection::open(&self.host).ok();
            }
        }
    }

    /// Sleeps until request `index` is due and returns when its latency starts to count; `None` when time is up.
    fn wait_until_due(&self, index: u64) -> Option<Duration> {
        let open_loop = self.rate > 0.0;
        let now = self.clock.monotonic();
        let due = if open_loop {
            self.start + Duration::from_secs_f64(index as f64 / self.rate)
        } else {
            now.max(self.start)
        };
        if due >= self.end {
            return None;
        }
        if let Some(wait) = due.checked_sub(now).filter(|wait| !wait.is_zero()) {
            std::thread::sleep(wait);
        }
        Some(if open_loop { due } else { self.clock.monotonic() })
    }
}

fn split_url(url: &str) -> anyhow::Result<(String, String)> {
    let rest = url.strip_prefix("http://").context("--url must start with http://")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    Ok((host.to_owned(), format!("/{path}")))
}

fn write_request(host: &str, path: &str, headers: &[String], body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut head = format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n");
    for header in headers {
        head.extend([header, "\r\n"]);
    }
    let head = format!("{head}Content-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}
