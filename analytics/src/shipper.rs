//! From the outbox to the store that is elsewhere: sealed blocks, oldest first, each exactly once.
//!
//! A block is offered until it is taken, with ever longer waits in between. Whether a block that was offered long
//! ago has arrived is asked before it is offered again, because the destination remembers its tokens for a while
//! only. What it refuses for what is in it is cut in two, again and again, until the rows that are to blame stand
//! alone; those are set aside, the others arrive.

mod course;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime;
use tokio::sync::Notify;
use vocab::Clock;

use self::course::Course;
use crate::outbox::{BlockId, Outbox, Table, frame};

/// How long is gone on when the gateway stops; what has not arrived by then waits for the next start.
const CLOSE_TIME: Duration = Duration::from_secs(2);

/// What a destination gives back, in time.
pub type Shipping<'a, T> = Pin<Box<dyn Future<Output = Result<T, Refused>> + Send + 'a>>;

/// Rows of one table on their way to the destination.
#[derive(Clone, Copy, Debug)]
pub struct Shipment<'a> {
    /// Where they go.
    pub table: Table,
    /// The token that the destination tells them apart by. The same rows always have the same one.
    pub block: BlockId,
    /// Which columns they have: the number that [`crate::outbox::Batch::new`] was given.
    pub layout: u32,
    /// How many they are.
    pub rows: u64,
    /// The rows, encoded, one after the other, in ClickHouse's compressed frames (LZ4).
    pub packed: &'a [u8],
}

impl Shipment<'_> {
    /// The rows as they were encoded; `None` when they are damaged.
    pub fn plain(&self) -> Option<Vec<u8>> {
        let mut plain = Vec::new();
        frame::unpack(self.packed, &mut plain).ok()?;
        Some(plain)
    }
}

/// Takes rows. Asked on the shipper's own thread and runtime: connections made here are not to be shared with
/// those who ask for records. Every answer must come within a time of its own.
pub trait Destination: Send + Sync {
    /// Makes itself ready to take rows, before there are any.
    fn ready(&self) -> Shipping<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Takes the rows of a shipment, all or none, unless they are there already.
    fn insert<'a>(&'a self, shipment: Shipment<'a>) -> Shipping<'a, ()>;

    /// Whether the rows of a shipment are there, all of them. When only some are, they are offered again under the same
    /// token, and those that are there are not to go in twice.
    fn has<'a>(&'a self, shipment: Shipment<'a>) -> Shipping<'a, bool>;
}

/// Why rows were not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Not now, or nobody knows: the same rows are offered again.
    Away(String),
    /// Something in the rows is wrong.
    Rejected(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away(reason) | Self::Rejected(reason) => f.write_str(reason),
        }
    }
}

/// The thread that ships, until it is closed or dropped.
pub struct Shipper {
    outbox: Outbox,
    closing: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

impl Shipper {
    /// Starts shipping.
    pub fn start(outbox: &Outbox, destination: Arc<dyn Destination>, clock: &Clock) -> std::io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let closing = Arc::new(Notify::new());
        let (told, shipped, clock) = (Arc::clone(&closing), outbox.clone(), clock.clone());
        let thread = thread::Builder::new().name("weir-shipper".into()).spawn(move || {
            runtime.block_on(async {
                let mut course = Course::new(&shipped, &*destination, &clock);
                tokio::select! {
                    () = course.run() => {}
                    () = told.notified() => {}
                }
                // One last time, for what came last. What was cut off above is taken up where it was.
                tokio::time::timeout(CLOSE_TIME, course.run_until_empty_or_away()).await.unwrap_or_default();
            });
        })?;
        Ok(Self { outbox: outbox.clone(), closing, thread: Some(thread) })
    }

    /// Ships what it can within two seconds, then ends and closes the outbox.
    pub fn close(&mut self) {
        self.closing.notify_one();
        if let Some(thread) = self.thread.take() {
            // It cannot have anything to say that matters now.
            thread.join().unwrap_or_default();
        }
        self.outbox.close();
    }
}

impl Drop for Shipper {
    fn drop(&mut self) {
        self.close();
    }
}

/// Ships everything that waits in an outbox that no gateway has open, and returns when that has arrived or is set
/// aside. A destination that is away makes this wait: put a limit on it.
pub async fn drain(outbox: &Outbox, destination: &dyn Destination, clock: &Clock) {
    Course::new(outbox, destination, clock).run_until_empty().await;
}
