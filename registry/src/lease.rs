//! One node at a time: a lease with a holder and an end, taken by compare-and-set.
//!
//! A holder renews its lease well before the end. It saves the others work; it is no proof: a node that was stopped
//! for longer than its lease may still believe in it. What must not be done twice compares what it builds on.

use std::time::Duration;

use vocab::Time;

use crate::Registry;
use crate::db::{Result, Tx, args};

/// A lease that is asked for.
struct Claim {
    name: &'static str,
    holder: String,
    now: Time,
    expires_at: Time,
    /// A lease that ends later than this was taken by a clock that was wrong.
    latest: Time,
}

impl Registry {
    /// Takes or renews the lease for `time`, and says whether `holder` has it now. Nodes' clocks should agree to well
    /// within `time`.
    pub async fn take_lease(&self, name: &'static str, holder: &str, time: Duration) -> Result<bool> {
        let now = self.clock().now();
        let expires_at = now.plus(time);
        let claim = Claim { name, holder: holder.to_owned(), now, expires_at, latest: expires_at.plus(time) };
        self.chore(claim, |tx, claim| Box::pin(take(tx, claim))).await
    }

    /// Gives the lease back, so that another node need not wait for its end. Nothing happens if it is somebody
    /// else's by now.
    pub async fn release_lease(&self, name: &'static str, holder: &str) -> Result<()> {
        self.chore((name, holder.to_owned()), |tx, (name, holder)| Box::pin(release(tx, name, holder))).await
    }
}

async fn take(tx: &mut Tx, claim: &Claim) -> Result<bool> {
    let sql = "INSERT INTO lease (name, holder, expires_us) VALUES ($1, $2, $3)
               ON CONFLICT (name) DO UPDATE SET holder = $2, expires_us = $3
               WHERE lease.holder = $2 OR lease.expires_us <= $4 OR lease.expires_us > $5";
    let values = args![
        claim.name,
        claim.holder.as_str(),
        claim.expires_at.micros(),
        claim.now.micros(),
        claim.latest.micros()
    ];
    Ok(tx.run(sql, values).await? == 1)
}

async fn release(tx: &mut Tx, name: &str, holder: &str) -> Result<()> {
    let sql = "DELETE FROM lease WHERE name = $1 AND holder = $2";
    tx.run(sql, args![name, holder]).await?;
    Ok(())
}
