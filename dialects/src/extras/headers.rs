//! Extras from headers: Weir's own, and those of the gateways people come from.

use serde_json::{Map, Value};

use super::{Extras, ExtrasError, check_cache, join, name, tags, timeout};
use crate::header;

/// Each header of this prefix is one metadata entry.
const HELICONE_PROPERTY: &str = "helicone-property-";

/// What Weir's own headers say, and what the others' say; names in lower case.
pub(super) fn read<'h>(
    headers: impl Iterator<Item = (&'h str, &'h str)>,
) -> Result<(Extras, Extras), ExtrasError> {
    let (mut own, mut migrated) = (Extras::default(), Extras::default());
    for (header, value) in headers {
        match header.split_once('-').map_or("", |(vendor, _)| vendor) {
            "weir" => read_own(header, value, &mut own)?,
            "x" | "cf" | "helicone" => read_migrated(header, value, &mut migrated)?,
            _ => {}
        }
    }
    Ok((own, migrated))
}

fn read_own(header: &str, value: &str, own: &mut Extras) -> Result<(), ExtrasError> {
    match header {
        "weir-user" => own.user = name(header, value)?,
        "weir-session" => own.session = name(header, value)?,
        "weir-tags" => join(&mut own.tags, tags(header, value.split(','))?),
        "weir-metadata" => own.metadata = header::object("weir-metadata", value)?,
        "weir-cache" => check_cache("weir-cache", value.trim())?,
        "weir-timeout-ms" => own.timeout = timeout(header, value.trim().parse().ok())?,
        _ => {}
    }
    Ok(())
}

fn read_migrated(header: &str, value: &str, migrated: &mut Extras) -> Result<(), ExtrasError> {
    match header {
        "helicone-user-id" => migrated.user = name(header, value)?,
        "helicone-session-id" | "x-portkey-trace-id" => migrated.session = name(header, value)?,
        "x-litellm-tags" => join(&mut migrated.tags, tags(header, value.split(','))?),
        "x-portkey-metadata" => {
            let metadata = header::object("x-portkey-metadata", value)?;
            if let Some(user) = metadata.get("_user").and_then(Value::as_str) {
                migrated.user = name("x-portkey-metadata", user)?;
            }
            add(metadata, &mut migrated.metadata);
        }
        "cf-aig-metadata" => add(header::object("cf-aig-metadata", value)?, &mut migrated.metadata),
        _ => {
            if let Some(property) = header.strip_prefix(HELICONE_PROPERTY) {
                migrated.metadata.insert(property.into(), value.into());
            }
        }
    }
    Ok(())
}

fn add(metadata: Map<String, Value>, to: &mut Map<String, Value>) {
    for (key, value) in metadata {
        to.entry(key).or_insert(value);
    }
}
