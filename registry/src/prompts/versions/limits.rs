//! How large what is said of a version may be; drafts are held to the same.

use crate::StoreError;
use crate::db::{Result, to_json};

/// The largest content, as JSON.
pub(crate) const CONTENT_BYTES: usize = 4 << 20;
/// The largest that everything a version includes comes to, as JSON.
pub(crate) const INCLUDED_BYTES: usize = 4 << 20;
/// The longest commit message.
pub(crate) const MESSAGE_BYTES: usize = 10_000;
/// The largest metadata, as JSON.
pub(crate) const METADATA_BYTES: usize = 64 << 10;
/// The largest examples, as JSON.
pub(crate) const EXAMPLES_BYTES: usize = 1 << 20;

/// A value as JSON for a column, or which field is too large.
pub(crate) fn json_column(
    field: &'static str,
    value: &impl serde::Serialize,
    limit_bytes: usize,
) -> Result<String> {
    let json = to_json(value)?;
    if json.len() <= limit_bytes {
        return Ok(json);
    }
    let size = json.len();
    Err(StoreError::invalid(field, format!("`{field}` has {size} bytes as JSON: the limit is {limit_bytes}")))
}
