//! Roll-ups: sums of calls by hour and model, and by day and prompt.
//!
//! They have few dimensions, because one that has many is as long as what it sums up. Closed blocks are rolled up
//! some time after they were closed ([`some`]); until then, and for good in the open block, their calls are read
//! themselves. Everything in a roll-up is a whole number, so calls that are deleted are taken out of it exactly.

use rusqlite::{Connection, Transaction, TransactionBehavior, params_from_iter, types::Value};

use super::columns::{Column, Fields, Packing};
use super::scan::Block;
use super::tally::{Cell, Tally};
use super::ties::Ties;

const HOUR_US: i64 = 3_600_000_000;
/// The most cells one step or one deletion may touch; a block has 128 calls.
const CELLS: usize = 1_000_000;

const UNROLLED: &str = "SELECT first, last, started_max FROM block INDEXED BY block_unrolled WHERE rolled = 0
                        ORDER BY first DESC LIMIT ?1";
const FIELDS: &str = "SELECT fields FROM call WHERE seq BETWEEN ?1 AND ?2";

/// One of the roll-ups.
pub(super) struct Rollup {
    /// How wide a bucket is, µs.
    pub(super) width_us: i64,
    /// What calls are kept apart by.
    pub(super) dimensions: &'static [Column],
    read: &'static str,
    write: &'static str,
    delete: &'static str,
    between: &'static str,
}

/// By hour, project, provider and model. Dimensions stand in the order of columns.
pub(super) const HOUR: Rollup = Rollup {
    width_us: HOUR_US,
    dimensions: &[Column::Project, Column::Provider, Column::Model],
    read: "SELECT sums, latency, ttft FROM hour
           WHERE hour = ?1 AND project = ?2 AND provider = ?3 AND model = ?4 LIMIT 1",
    write: "INSERT OR REPLACE INTO hour (hour, project, provider, model, sums, latency, ttft)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    delete: "DELETE FROM hour WHERE hour = ?1 AND project = ?2 AND provider = ?3 AND model = ?4",
    between: "SELECT sums, latency, ttft, hour, project, provider, model FROM hour
              WHERE hour >= ?1 AND hour < ?2",
};

/// By day, project, prompt, version and label.
pub(super) const DAY: Rollup = Rollup {
    width_us: 24 * HOUR_US,
    dimensions: &[
        Column::Project,
        Column::Prompt,
        Column::PromptId,
        Column::PromptVersion,
        Column::PromptLabel,
    ],
    read: "SELECT sums, latency, ttft FROM day WHERE day = ?1 AND project = ?2 AND prompt = ?3 AND prompt_id = ?4
           AND prompt_version = ?5 AND prompt_label = ?6 LIMIT 1",
    write: "INSERT OR REPLACE INTO day (day, project, prompt, prompt_id, prompt_version, prompt_label, sums,
            latency, ttft) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    delete: "DELETE FROM day WHERE day = ?1 AND project = ?2 AND prompt = ?3 AND prompt_id = ?4
             AND prompt_version = ?5 AND prompt_label = ?6",
    between: "SELECT sums, latency, ttft, day, project, prompt, prompt_id, prompt_version, prompt_label FROM day
              WHERE day >= ?1 AND day < ?2",
};

impl Rollup {
    /// Gives every cell between two buckets, the second excluded, to `see`: its fields as a call would have them,
    /// the number of its bucket, and its packed parts.
    pub(super) fn each(
        &self,
        db: &Connection,
        from: i64,
        to: i64,
        mut see: impl FnMut(&Fields<'_>, i64, [&[u8]; 3]) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let mut statement = db.prepare_cached(self.between)?;
        let mut rows = statement.query([from, to])?;
        let mut text = String::new();
        while let Some(row) = rows.next()? {
            text.clear();
            text.push('[');
            let mut next = 0;
            for (n, column) in self.dimensions.iter().enumerate() {
                (next..*column as usize).for_each(|_| text.push_str("null,"));
                next = *column as usize + 1;
                pack_dimension(*column, row.get_ref(4 + n)?.as_str()?, &mut Packing(&mut text));
            }
            text.pop();
            text.push(']');
            let packed = [row.get_ref(0)?.as_blob()?, row.get_ref(1)?.as_blob()?, row.get_ref(2)?.as_blob()?];
            see(&Fields::read_all(&text), row.get(3)?, packed)?;
        }
        Ok(())
    }

    /// Adds a tally to what is stored, or takes it out: the cells of a deletion count below zero.
    fn add(&self, tx: &Transaction<'_>, tally: Tally) -> rusqlite::Result<()> {
        for (bucket, group, mut cell) in tally.into_cells() {
            let mut values = vec![Value::from(bucket)];
            values.extend(group.into_iter().map(|value| Value::from(value.unwrap_or_default())));
            self.add_stored(tx, &values, &mut cell)?;
            if cell.is_empty() {
                tx.prepare_cached(self.delete)?.execute(params_from_iter(values))?;
            } else {
                values.extend(cell.pack().map(Value::from));
                tx.prepare_cached(self.write)?.execute(params_from_iter(values))?;
            }
        }
        Ok(())
    }

    fn add_stored(&self, tx: &Transaction<'_>, key: &[Value], cell: &mut Cell) -> rusqlite::Result<()> {
        let mut stored = tx.prepare_cached(self.read)?;
        let mut stored = stored.query(params_from_iter(key))?;
        if let Some(row) = stored.next()? {
            let part = |n| row.get_ref(n).and_then(|value| Ok(value.as_blob()?));
            cell.add_packed(part(0)?, part(1)?, part(2)?);
        }
        Ok(())
    }
}

fn pack_dimension(column: Column, value: &str, out: &mut Packing<'_>) {
    match value {
        "" => out.maybe(None),
        number if column == Column::PromptVersion => out.maybe_int(number.parse().ok()),
        text => out.text(text),
    }
}

/// What is to be added to the roll-ups, or taken out of them.
pub(super) struct Change {
    tallies: [(&'static Rollup, Tally); 2],
    times: i64,
}

impl Change {
    /// Calls that are to be added.
    pub(super) fn adding() -> Self {
        let tally = || Tally::of_at_most(CELLS);
        Self { tallies: [(&HOUR, tally()), (&DAY, tally())], times: 1 }
    }

    /// Calls that are to be taken out.
    pub(super) fn taking_out() -> Self {
        Self { times: -1, ..Self::adding() }
    }

    pub(super) fn call(&mut self, fields: &Fields<'_>) {
        let started = fields.int(Column::StartedAt).unwrap_or_default();
        for (rollup, tally) in &mut self.tallies {
            tally.begin(started.div_euclid(rollup.width_us));
            for column in rollup.dimensions {
                match column {
                    Column::PromptVersion => {
                        tally.push(fields.int(*column).map(|version| version.to_string()).as_deref());
                    }
                    column => tally.push(fields.text(*column).as_deref()),
                }
            }
            if let Some(cell) = tally.cell() {
                cell.add_call(fields, self.times);
            }
        }
    }

    pub(super) fn write(self, tx: &Transaction<'_>) -> rusqlite::Result<()> {
        self.tallies.into_iter().try_for_each(|(rollup, tally)| rollup.add(tx, tally))
    }
}

/// Rolls up so many closed blocks, the newest first; returns how many there were.
pub(super) fn some(db: &mut Connection, blocks: usize) -> rusqlite::Result<usize> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let unrolled = {
        let mut statement = tx.prepare_cached(UNROLLED)?;
        let unrolled = statement.query_map([blocks as i64], Block::read)?;
        unrolled.collect::<Result<Vec<_>, _>>()?
    };
    let mut change = Change::adding();
    for block in &unrolled {
        roll_block(&tx, *block, &mut change)?;
    }
    if !unrolled.is_empty() {
        change.write(&tx)?;
        tx.commit()?;
    }
    Ok(unrolled.len())
}

fn roll_block(tx: &Transaction<'_>, block: Block, change: &mut Change) -> rusqlite::Result<()> {
    let mut ties = Ties::default();
    let mut calls = tx.prepare_cached(FIELDS)?;
    let mut calls = calls.query([block.first, block.last])?;
    while let Some(row) = calls.next()? {
        // A row that cannot be read is in no report.
        let Ok(text) = row.get_ref(0)?.as_str() else { continue };
        let fields = Fields::read(text, Column::AudioTokens);
        ties.add(&fields);
        change.call(&fields);
    }
    ties.write(tx, block.first)?;
    tx.prepare_cached("UPDATE block SET rolled = 1 WHERE first = ?1")?.execute([block.first])?;
    Ok(())
}
