//! What a version may store beside its messages.

use dialects::merge::is_parameter;
use serde_json::{Map, Value};

use crate::StoreError;
use crate::content::Content;
use crate::db::Result;

/// The most models a version falls back to.
const FALLBACKS: usize = 5;

/// Refuses parameters and fallbacks that no call could carry.
pub(super) fn check(content: &Content) -> Result<()> {
    check_parameters("parameters", &content.parameters)?;
    let count = content.fallbacks.len();
    if count > FALLBACKS {
        let message = format!("`fallbacks` has {count} models: the limit is {FALLBACKS}");
        return Err(StoreError::invalid("fallbacks", message));
    }
    if count > 0 && content.model.is_none() {
        let message = "`fallbacks` follow the version's own model: name that in `model`";
        return Err(StoreError::invalid("fallbacks", message));
    }
    let mut fallbacks = content.fallbacks.iter().enumerate();
    fallbacks
        .try_for_each(|(at, it)| check_parameters(&format!("fallbacks[{at}].parameters"), &it.parameters))
}

fn check_parameters(place: &str, parameters: &Map<String, Value>) -> Result<()> {
    let Some(name) = parameters.keys().find(|name| !is_parameter(name)) else { return Ok(()) };
    let message = format!("`{place}.{name}`: this is no parameter a prompt can store: leave it out");
    Err(StoreError::invalid(format!("{place}.{name}"), message))
}
