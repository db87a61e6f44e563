//! Typed ids: a `UUIDv7`, so that ids sort by the time they were made, with the kind of thing in the type.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::{Clock, Time};

/// What a call is identified by; also the `x-request-id` its caller sees.
pub enum Call {}
/// What a virtual key is identified by. Not the secret.
pub enum Key {}
/// What an admin token is identified by. Not the secret.
pub enum Token {}
/// What a prompt is identified by through renames.
pub enum Prompt {}
/// What a proposal to move a label is identified by.
pub enum Release {}
/// What a saved view is identified by.
pub enum View {}
/// What a place that is told of events is identified by.
pub enum Webhook {}
/// What something that happened is identified by, however often it is told.
pub enum Event {}
/// What the telling of one event to one receiver is identified by.
pub enum Delivery {}
/// What an alert rule is identified by.
pub enum Alert {}
/// What one entry of an alert's history is identified by.
pub enum AlertTurn {}

/// The id of an `Of`.
pub struct Id<Of>(Uuid, PhantomData<fn() -> Of>);

impl<Of> Id<Of> {
    /// A new id stamped with the clock's present millisecond.
    pub fn new(clock: &Clock) -> Self {
        Self::at(clock.now())
    }

    /// A new id stamped with the millisecond of `time`.
    pub fn at(time: Time) -> Self {
        let millis = u64::try_from(time.millis()).unwrap_or_default();
        let random = Uuid::now_v7().into_bytes();
        let mut tail = [0; 10];
        tail.copy_from_slice(&random[6..]);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid(), PhantomData)
    }

    /// The id with these sixteen bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes), PhantomData)
    }

    /// The sixteen bytes, most significant first: they sort as the ids do.
    pub const fn bytes(self) -> [u8; 16] {
        *self.0.as_bytes()
    }

    /// The millisecond this id was made in.
    pub fn time(self) -> Time {
        let bytes = self.bytes();
        let millis = bytes[..6].iter().fold(0_i64, |millis, byte| (millis << 8) | i64::from(*byte));
        Time(millis * 1_000)
    }

    /// The smallest id that could have been made at `time`: the lower bound of a time range.
    pub fn first_at(time: Time) -> Self {
        let millis = u64::try_from(time.millis()).unwrap_or_default();
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
        Self::from_bytes(bytes)
    }
}

impl<Of> Clone for Id<Of> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<Of> Copy for Id<Of> {}
impl<Of> PartialEq for Id<Of> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<Of> Eq for Id<Of> {}
impl<Of> PartialOrd for Id<Of> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<Of> Ord for Id<Of> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}
impl<Of> Hash for Id<Of> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl<Of> fmt::Debug for Id<Of> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
impl<Of> fmt::Display for Id<Of> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
impl<Of> FromStr for Id<Of> {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        Uuid::try_parse(text).map(|uuid| Self(uuid, PhantomData))
    }
}
impl<Of> Serialize for Id<Of> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de, Of> Deserialize<'de> for Id<Of> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_tell_it() {
        let early = Id::<Call>::at(Time(1_000_000_000_000));
        let late = Id::<Call>::at(Time(1_000_000_001_000));
        assert!(early < late);
        assert_eq!(late.time(), Time(1_000_000_001_000));
        assert!(Id::first_at(late.time()) <= late && Id::first_at(late.time()) > early);
    }

    #[test]
    fn an_id_survives_its_text_form() {
        let id = Id::<Key>::new(&Clock::system());
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().as_bytes()[14], b'7');
    }

    #[test]
    fn ids_of_one_millisecond_differ() {
        let at = Time(1_000_000);
        assert_ne!(Id::<Call>::at(at), Id::at(at));
    }
}
