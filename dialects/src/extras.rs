//! What a request says beside the dialect's own fields: who asks, in which session, with which tags and metadata.
//!
//! Said by `weir-*` headers, by the `weir` object in the body, by the headers of gateways people come from, or by
//! OpenAI's own fields; the first of these that says a thing wins. Tags and metadata add up.

mod headers;
mod keep;
mod object;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde_json::{Map, Value};
use thiserror::Error;

use crate::body::{Body, BodyError, Edit};
use crate::header::HeaderError;

pub use keep::{RECORD_BYTES, for_record};

/// The longest user or session name, in bytes.
pub const NAME_BYTES: usize = 256;
/// The most tags of one call.
pub const TAGS: usize = 64;
/// The longest tag, in bytes.
pub const TAG_BYTES: usize = 128;

/// What a request says beside the dialect's own fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extras {
    /// The end user.
    pub user: Option<Box<str>>,
    /// The session.
    pub session: Option<Box<str>>,
    /// Tags, without duplicates.
    pub tags: Vec<Box<str>>,
    /// Metadata by key.
    pub metadata: Map<String, Value>,
    /// How long the call may take.
    pub timeout: Option<Duration>,
    /// Variables for the prompt, from the `weir` object.
    pub variables: Option<Map<String, Value>>,
}

/// Reads everything a request says beside the dialect's own fields. Header names have to be in lower case.
pub fn read<'h>(
    body: &Body<'_>,
    headers: impl Iterator<Item = (&'h str, &'h str)>,
) -> Result<Extras, ExtrasError> {
    let (own, migrated) = headers::read(headers)?;
    let said = own.or(object::read(body)?).or(migrated).or(object::openai(body));
    if said.tags.len() > TAGS {
        return Err(ExtrasError::Invalid { param: "tags".into(), wanted: "at most 64 tags" });
    }
    Ok(said)
}

/// Takes the `weir` object out of the request; OpenAI's own fields stay.
pub fn cut(body: &Body<'_>, edit: &mut Edit<'_>) {
    if body.holds("weir") {
        edit.remove("weir");
    }
}

impl Extras {
    /// This, with what only `other` says added.
    #[must_use]
    fn or(mut self, other: Self) -> Self {
        self.user = self.user.or(other.user);
        self.session = self.session.or(other.session);
        self.timeout = self.timeout.or(other.timeout);
        self.variables = self.variables.or(other.variables);
        join(&mut self.tags, other.tags);
        for (key, value) in other.metadata {
            self.metadata.entry(key).or_insert(value);
        }
        self
    }
}

/// A user or session name as it may stand in a record.
fn name(param: &str, text: &str) -> Result<Option<Box<str>>, ExtrasError> {
    let text = text.trim();
    if text.len() > NAME_BYTES {
        return Err(ExtrasError::Invalid { param: param.into(), wanted: "at most 256 bytes long" });
    }
    Ok((!text.is_empty()).then(|| text.into()))
}

/// Tags as they may stand in a record: trimmed, none empty or double.
fn tags<'t>(param: &str, texts: impl Iterator<Item = &'t str>) -> Result<Vec<Box<str>>, ExtrasError> {
    let mut tags: Vec<Box<str>> = Vec::new();
    for tag in texts.map(str::trim).filter(|tag| !tag.is_empty()) {
        if tag.len() > TAG_BYTES {
            return Err(ExtrasError::Invalid { param: param.into(), wanted: "tags of at most 128 bytes" });
        }
        if tags.len() <= TAGS && tags.iter().all(|other| **other != *tag) {
            tags.push(tag.into());
        }
    }
    Ok(tags)
}

/// Adds the tags that are not there yet.
fn join(tags: &mut Vec<Box<str>>, more: Vec<Box<str>>) {
    for tag in more {
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
}

/// Refuses a way of caching that is not built.
fn check_cache(param: &'static str, wish: &str) -> Result<(), ExtrasError> {
    match wish {
        "off" => Ok(()),
        _ => Err(ExtrasError::NotSupported { param }),
    }
}

fn timeout(param: &str, millis: Option<u64>) -> Result<Option<Duration>, ExtrasError> {
    match millis {
        Some(millis) if millis > 0 => Ok(Some(Duration::from_millis(millis))),
        _ => Err(ExtrasError::Invalid {
            param: param.into(),
            wanted: "a whole number of milliseconds above 0",
        }),
    }
}

/// Why an extra was refused. Speaks to the caller.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExtrasError {
    /// A member is of the wrong type.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// A header's object cannot be read.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The `weir` object holds members nobody knows.
    #[error("the `weir` object holds unknown fields: {}", names.join(", "))]
    Unknown {
        /// Their names.
        names: Vec<String>,
    },
    /// A field that has a meaning in the contract and none in this build.
    #[error("`{param}` is not supported yet: leave it out")]
    NotSupported {
        /// The field.
        param: &'static str,
    },
    /// A value out of range.
    #[error("`{param}` must be {wanted}")]
    Invalid {
        /// The field.
        param: String,
        /// What it must be.
        wanted: &'static str,
    },
}

impl ExtrasError {
    /// The error's `code`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotSupported { .. } => "not_supported",
            Self::Body(_) | Self::Header(_) | Self::Unknown { .. } | Self::Invalid { .. } => {
                "invalid_request"
            }
        }
    }

    /// The field at fault.
    pub fn param(&self) -> Option<&str> {
        match self {
            Self::Body(error) => error.param(),
            Self::Header(error) => Some(error.param()),
            Self::Unknown { .. } => Some("weir"),
            Self::NotSupported { param } => Some(param),
            Self::Invalid { param, .. } => Some(param),
        }
    }
}
