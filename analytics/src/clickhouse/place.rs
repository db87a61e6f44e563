//! Where a call stands in the list, as the engine orders it.
//!
//! The engine orders UUIDs by their second half first. Places follow it, so that lists are read along the key and
//! stop early; in any other order of what started in the same microsecond, the engine would sort first.

use clickhouse::Row;
use serde::Deserialize;
use vocab::Id;

use crate::store::Cursor;

/// Half of an id, in bits.
const HALF: u32 = 64;

/// The columns of [`Key`], in order.
pub(super) const KEY: &str = "project, toUnixTimestamp64Micro(started_at) AS started, toUInt128(id) AS call";

/// What a call is looked up by.
#[derive(Clone, Debug, Row, Deserialize)]
pub(super) struct Key {
    pub(super) project: String,
    pub(super) started: i64,
    pub(super) call: u128,
}

impl Key {
    /// Its place in the list.
    pub(super) const fn place(&self) -> Cursor {
        place(self.started, self.call)
    }
}

/// The place of something with this id.
pub(super) const fn place(started: i64, id: u128) -> Cursor {
    Cursor { started, id: id.rotate_left(HALF) }
}

/// The id at a place, as the engine reads it.
pub(super) fn uuid(place: u128) -> String {
    Id::<()>::from_bytes(place.rotate_right(HALF).to_be_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_in_the_order_the_engine_has_ids_in() {
        let ids = [1_u128 << 64, 2 << 64, 1, (1 << 64) | 1, 2];
        assert!(ids.map(|id| place(0, id)).is_sorted());
        let id = 0x0123_4567_89ab_7def_8123_4567_89ab_cdef;
        assert_eq!(uuid(place(0, id).id), "01234567-89ab-7def-8123-456789abcdef");
    }
}
