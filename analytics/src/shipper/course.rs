//! One block after the other: offered, asked after, cut in two, finished.

use std::collections::HashMap;
use std::time::Duration;

use vocab::{Clock, Id};

use super::{Destination, Refused, Shipment};
use crate::outbox::{Block, BlockId, Next, Outbox, Piece, Table};
use crate::store::Unavailable;

/// How long is waited after a first failure; doubled each time, and made longer or shorter by chance.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest such wait.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// A destination surely remembers a token for this long after it was first offered; later it is asked. Long enough for
/// a server that was killed half-way to be back, because only the token completes what is derived from the rows.
const REMEMBERED: Duration = Duration::from_mins(2);
/// With nothing to do, the outbox is looked after this often.
const IDLE: Duration = Duration::from_secs(10);

/// What is known of a piece of the block that is in flight.
#[derive(Clone, Copy)]
enum Fate {
    /// Offered first at this time, by the clock that never jumps.
    Offered(Duration),
    /// It is there.
    Arrived,
}

/// Why a turn ended early.
enum Ended {
    /// The outbox could not be read or written; what is in flight is read again.
    Outbox(Unavailable),
    /// The destination is away, and nobody wants to wait.
    Away,
}

pub(super) struct Course<'a> {
    outbox: &'a Outbox,
    destination: &'a dyn Destination,
    clock: &'a Clock,
    /// Of the block in flight only.
    fates: HashMap<(Table, BlockId), Fate>,
    wait: Duration,
    /// Whether to go on when the destination is away.
    is_patient: bool,
}

impl<'a> Course<'a> {
    pub(super) fn new(outbox: &'a Outbox, destination: &'a dyn Destination, clock: &'a Clock) -> Self {
        Self { outbox, destination, clock, fates: HashMap::new(), wait: FIRST_WAIT, is_patient: true }
    }

    /// Ships whatever comes until the outbox is closed.
    pub(super) async fn run(&mut self) {
        self.prepare().await;
        while !self.outbox.is_closed() {
            let idle = match self.turn().await {
                Ok(Next::Block(_)) => continue,
                Ok(Next::Wait(wait)) => wait,
                Ok(Next::Empty) => IDLE,
                Err(ended) => {
                    self.end(&ended).await;
                    continue;
                }
            };
            self.tidy();
            self.outbox.wait(idle).await;
        }
    }

    /// Has the destination ready before there is anything to ship: dashboards find their tables, and whoever runs this
    /// learns at once of a server that cannot be used.
    async fn prepare(&mut self) {
        while let Err(refused) = self.destination.ready().await {
            if self.outbox.is_closed() || self.away(refused.to_string()).await.is_err() {
                return;
            }
        }
        self.recovered();
    }

    /// Ships what is there and what comes meanwhile, without waiting for more.
    pub(super) async fn run_until_empty(&mut self) {
        while !self.outbox.is_closed() {
            self.outbox.hurry();
            match self.turn().await {
                Ok(Next::Block(_) | Next::Wait(_)) => {}
                Ok(Next::Empty) => return self.tidy(),
                Err(ended) => self.end(&ended).await,
            }
        }
    }

    /// The same, but gives up when something is not as it should be.
    pub(super) async fn run_until_empty_or_away(&mut self) {
        self.is_patient = false;
        self.outbox.hurry();
        while let Ok(Next::Block(_)) = self.turn().await {}
    }

    /// Ships one block, if there is one to be shipped.
    async fn turn(&mut self) -> Result<Next, Ended> {
        let mut next = self.outbox.next().map_err(Ended::Outbox)?;
        if let Next::Block(block) = &mut next {
            self.ship(block).await?;
            self.outbox.finish(block).map_err(Ended::Outbox)?;
            self.fates.clear();
        }
        Ok(next)
    }

    async fn ship(&mut self, block: &mut Block) -> Result<(), Ended> {
        for table in Table::ALL {
            let mut pieces = block.pieces(table);
            while let Some(piece) = pieces.pop_front() {
                let Some(reason) = self.offer(block, &piece).await? else { continue };
                if piece.to - piece.from == 1 {
                    self.set_aside(block, &piece, &reason).await?;
                    continue;
                }
                let [first, second] = self.outbox.cut(block, &piece).map_err(Ended::Outbox)?;
                pieces.push_front(second);
                pieces.push_front(first);
            }
        }
        Ok(())
    }

    /// Offers a piece until it has arrived, or is rejected for a reason.
    async fn offer(&mut self, block: &Block, piece: &Piece) -> Result<Option<String>, Ended> {
        let key = (piece.table, piece.id);
        if matches!(self.fates.get(&key), Some(Fate::Arrived)) {
            return Ok(None);
        }
        let packed = block.packed(piece).map_err(Ended::Outbox)?;
        loop {
            match self.offer_once(block, piece, &packed).await {
                Ok(()) => break,
                Err(Refused::Rejected(reason)) => return Ok(Some(reason)),
                Err(Refused::Away(reason)) => self.away(reason).await?,
            }
        }
        self.recovered();
        self.fates.insert(key, Fate::Arrived);
        self.outbox.count_shipped(piece);
        if block.is_part(piece) {
            self.outbox.note_part(piece).map_err(Ended::Outbox)?;
        }
        Ok(None)
    }

    async fn offer_once(&mut self, block: &Block, piece: &Piece, packed: &[u8]) -> Result<(), Refused> {
        let shipment = Shipment {
            table: piece.table,
            block: piece.id,
            layout: block.layout,
            rows: (piece.to - piece.from) as u64,
            packed,
        };
        let now = self.clock.monotonic();
        let first = match self.fates.get(&(piece.table, piece.id)) {
            Some(Fate::Offered(first)) => Some(*first),
            _ if block.resumed => None,
            _ => Some(now),
        };
        let is_remembered = first.is_some_and(|first| now.saturating_sub(first) < REMEMBERED);
        if !is_remembered {
            // Nothing can be wrong with rows that were only asked after.
            let has = self.destination.has(shipment).await;
            if has.map_err(|refused| Refused::Away(refused.to_string()))? {
                return Ok(());
            }
        }
        if let Some(first) = first {
            self.fates.insert((piece.table, piece.id), Fate::Offered(first));
        }
        self.destination.insert(shipment).await
    }

    async fn set_aside(&mut self, block: &Block, piece: &Piece, reason: &str) -> Result<(), Ended> {
        while !self.outbox.set_poisoned(block, piece, reason).map_err(Ended::Outbox)? {
            let full = "too many rows are set aside already: look at them with `weir outbox poisoned`";
            self.away(format!("{full}; the last one was refused because {reason}")).await?;
        }
        self.recovered();
        Ok(())
    }

    /// Waits before the next try, if anybody wants to wait.
    async fn away(&mut self, reason: String) -> Result<(), Ended> {
        if self.wait == FIRST_WAIT {
            tracing::warn!(reason, "records cannot be shipped; they wait in the outbox");
        }
        self.outbox.set_trouble(Some(reason));
        if !self.is_patient {
            return Err(Ended::Away);
        }
        self.pause().await;
        Ok(())
    }

    /// Waits a little longer each time, not everywhere the same.
    async fn pause(&mut self) {
        let chance = Id::<()>::new(self.clock).bytes()[15];
        // Between three and five quarters.
        let part = 192 + u32::from(chance) / 2;
        tokio::time::sleep(self.wait * part / 256).await;
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
    }

    fn recovered(&mut self) {
        if self.wait > FIRST_WAIT {
            tracing::info!("records are being shipped again");
        }
        self.wait = FIRST_WAIT;
        self.outbox.set_trouble(None);
    }

    async fn end(&mut self, ended: &Ended) {
        if let Ended::Outbox(error) = ended {
            tracing::error!(%error, "the outbox cannot be read or written");
            self.outbox.set_trouble(Some(error.to_string()));
            self.pause().await;
        }
    }

    fn tidy(&self) {
        if let Err(error) = self.outbox.tidy() {
            tracing::warn!(%error, "the outbox cannot be made smaller");
        }
    }
}
