//! JSON objects in request headers: written out with `\u` escapes, or in base64.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};
use thiserror::Error;

/// The longest header value that is read as an object.
pub const OBJECT_BYTES: usize = 8 * 1024;

/// Reads standard and URL-safe base64, padded or not, once the URL-safe marks are turned into the standard ones.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The object in the header `param`: JSON, or JSON in base64; at most [`OBJECT_BYTES`] long.
pub fn object(param: &'static str, text: &str) -> Result<Map<String, Value>, HeaderError> {
    let text = text.trim();
    if text.len() > OBJECT_BYTES {
        return Err(HeaderError::TooLong { param });
    }
    let parsed = if text.starts_with('{') { serde_json::from_str(text).ok() } else { in_base64(text) };
    parsed.ok_or(HeaderError::NotAnObject { param })
}

fn in_base64(text: &str) -> Option<Map<String, Value>> {
    let standard = text.replace('-', "+").replace('_', "/");
    serde_json::from_slice(&BASE64.decode(standard).ok()?).ok()
}

/// Why a header's object cannot be read. Speaks to the caller.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// More than is read.
    #[error("header `{param}` is longer than {OBJECT_BYTES} bytes: send it in the body instead")]
    TooLong {
        /// The header.
        param: &'static str,
    },
    /// Something else than an object.
    #[error("header `{param}` must hold a JSON object (with \\u escapes beyond ASCII), or one in base64")]
    NotAnObject {
        /// The header.
        param: &'static str,
    },
}

impl HeaderError {
    /// The header at fault.
    pub const fn param(&self) -> &'static str {
        match self {
            Self::TooLong { param } | Self::NotAnObject { param } => param,
        }
    }
}
