//! Extras from the body: the `weir` object, and the fields OpenAI has for the same purposes.

use serde_json::{Map, Value};

use super::{Extras, ExtrasError, NAME_BYTES, check_cache, name, tags, timeout};
use crate::body::{Body, BodyError};

/// Members of the `weir` object.
const MEMBERS: [&str; 8] =
    ["user", "session", "tags", "metadata", "cache", "timeout_ms", "models", "variables"];

/// What the `weir` object says.
pub(super) fn read(body: &Body<'_>) -> Result<Extras, ExtrasError> {
    let Some(raw) = body.get("weir") else { return Ok(Extras::default()) };
    let object = Body::scan(raw.get().as_bytes()).map_err(|_| BodyError::wrong_type("weir", "an object"))?;
    let unknown = object.members().map(|(key, _)| key).filter(|key| !MEMBERS.contains(key));
    let names: Vec<String> = unknown.map(|key| format!("`{}`", key.escape_debug())).collect();
    if !names.is_empty() {
        return Err(ExtrasError::Unknown { names });
    }
    if object.get("models").is_some() {
        return Err(ExtrasError::NotSupported { param: "weir.models" });
    }
    members(&object).map_err(|error| match error {
        ExtrasError::Body(error) => error.within("weir").into(),
        other => other,
    })
}

fn members(object: &Body<'_>) -> Result<Extras, ExtrasError> {
    if let Some(cache) = object.text("cache")? {
        check_cache("weir.cache", &cache)?;
    }
    let timeout = match object.value("timeout_ms")? {
        Some(millis) => timeout("weir.timeout_ms", millis.as_u64())?,
        None => None,
    };
    Ok(Extras {
        user: object.text("user")?.map_or(Ok(None), |user| name("weir.user", &user))?,
        session: object.text("session")?.map_or(Ok(None), |session| name("weir.session", &session))?,
        tags: read_tags(object)?,
        metadata: object.object("metadata")?.unwrap_or_default(),
        timeout,
        variables: object.object("variables")?,
    })
}

fn read_tags(object: &Body<'_>) -> Result<Vec<Box<str>>, ExtrasError> {
    let wrong = || BodyError::wrong_type("tags", "a list of texts");
    let Some(value) = object.value("tags")? else { return Ok(Vec::new()) };
    let list = value.as_array().ok_or_else(wrong)?;
    let texts: Vec<&str> = list.iter().map(|tag| tag.as_str().ok_or_else(wrong)).collect::<Result<_, _>>()?;
    tags("weir.tags", texts.into_iter())
}

/// What OpenAI's own fields say. They are the provider's to judge: what is odd about them is passed over here.
pub(super) fn openai(body: &Body<'_>) -> Extras {
    let user =
        |key| body.text(key).ok().flatten().filter(|user| !user.is_empty() && user.len() <= NAME_BYTES);
    let metadata: Option<Map<String, Value>> = body.object("metadata").ok().flatten();
    Extras {
        user: user("safety_identifier").or_else(|| user("user")).map(|user| (*user).into()),
        metadata: metadata.unwrap_or_default(),
        ..Extras::default()
    }
}
