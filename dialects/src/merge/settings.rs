//! What a version stores beside its messages: parameters, tools, tool choice and response format. The caller's own
//! value wins unless it is locked; what the caller does not set goes where the endpoint keeps it.

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::places::{Place, is_token_limit, place, spellings, token_limit};
use super::{Contribution, MergeError, json, path, tools};
use crate::Endpoint;
use crate::body::{Body, Edit};

/// Fields of a request that are no parameters: what shapes the call itself, or stands beside the parameters.
const NOT_PARAMETERS: [&str; 14] = [
    "input",
    "instructions",
    "messages",
    "model",
    "prompt",
    "prompt_id",
    "prompt_variables",
    "prompt_version",
    "response_format",
    "stream",
    "stream_options",
    "tool_choice",
    "tools",
    "weir",
];

/// Whether a version may store `name` among its parameters; what may not be is left out when merging.
pub fn is_parameter(name: &str) -> bool {
    !NOT_PARAMETERS.contains(&name)
}

/// Stored parameters with others in place of those that mean the same; null takes one away.
pub fn overridden(stored: &Map<String, Value>, by: &Map<String, Value>) -> Map<String, Value> {
    let is_limited = by.keys().any(|name| is_token_limit(name));
    let goes = |name: &str| by.contains_key(name) || is_limited && is_token_limit(name);
    let stored = stored.iter().filter(|(name, _)| !goes(name));
    stored
        .chain(by.iter().filter(|(_, value)| !value.is_null()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Adds what the version stores and the caller does not set.
pub(super) fn merge<'a>(
    endpoint: Endpoint,
    body: &Body<'a>,
    contribution: &Contribution<'_>,
    edit: &mut Edit<'a>,
) -> Result<(), MergeError> {
    let request = Request { endpoint, body };
    let settings = stored(contribution);
    for name in contribution.locked {
        request.check_lock(name, &settings)?;
    }
    let mut nested = Nested::default();
    for setting in &settings {
        if request.said(setting.name)?.is_empty() && request.fits(setting, contribution)? {
            request.put(setting, edit, &mut nested)?;
        }
    }
    nested.write(body, edit);
    Ok(())
}

/// One thing a version stores.
struct Setting<'v> {
    name: &'v str,
    value: Stored<'v>,
}

#[derive(Clone, Copy)]
enum Stored<'v> {
    One(&'v Value),
    Many(&'v [Value]),
}

/// Everything the version stores, in its order; of several token limits the first.
fn stored<'v>(contribution: &Contribution<'v>) -> Vec<Setting<'v>> {
    let mut settings: Vec<Setting<'v>> = Vec::with_capacity(contribution.parameters.len() + 3);
    for (name, value) in contribution.parameters {
        let is_second_limit = is_token_limit(name) && settings.iter().any(|other| is_token_limit(other.name));
        if is_parameter(name) && !value.is_null() && !is_second_limit {
            settings.push(Setting { name, value: Stored::One(value) });
        }
    }
    let beside = [
        ("tools", contribution.tools.map(Stored::Many)),
        ("tool_choice", contribution.tool_choice.map(Stored::One)),
        ("response_format", contribution.response_format.map(Stored::One)),
    ];
    settings.extend(beside.into_iter().filter_map(|(name, value)| Some(Setting { name, value: value? })));
    settings
}

impl Setting<'_> {
    /// Whether `name` means this setting: any of the token limits means the one that is stored.
    fn is(&self, name: &str) -> bool {
        self.name == name || (is_token_limit(self.name) && is_token_limit(name))
    }

    /// The value in the endpoint's vocabulary.
    fn on(&self, endpoint: Endpoint) -> Value {
        let is_flat = endpoint == Endpoint::Responses;
        match (self.name, self.value) {
            ("tools", Stored::Many(given)) if is_flat => given.iter().map(tools::tool).collect(),
            ("tool_choice", Stored::One(choice)) if is_flat => tools::choice(choice),
            ("response_format", Stored::One(format)) if is_flat => tools::format(format),
            (_, Stored::One(value)) => value.clone(),
            (_, Stored::Many(values)) => values.iter().cloned().collect(),
        }
    }

    /// The value in the endpoint's vocabulary, as JSON.
    fn json_on(&self, endpoint: Endpoint) -> String {
        match self.value {
            _ if endpoint == Endpoint::Responses => json(&self.on(endpoint)),
            Stored::One(value) => json(value),
            Stored::Many(values) => json(values),
        }
    }
}

/// The caller's side.
struct Request<'r, 'a> {
    endpoint: Endpoint,
    body: &'r Body<'a>,
}

impl<'a> Request<'_, 'a> {
    /// What the caller says about `name`, under every spelling, with the spelling.
    fn said<'n>(&self, name: &'n str) -> Result<Vec<(&'n str, &'a RawValue)>, MergeError> {
        let mut said = Vec::new();
        if let Place::Inner { outer, member, path } = place(self.endpoint, name)
            && let Some(raw) = self.body.get(outer)
            && let Some(value) = members_of(outer, raw)?.get(member)
        {
            said.push((path, value));
        }
        let own = [name];
        let spellings = spellings(name).unwrap_or(&own);
        said.extend(spellings.iter().filter_map(|spelling| Some((*spelling, self.body.get(spelling)?))));
        Ok(said)
    }

    /// Refuses another value than the stored one for what is locked.
    fn check_lock(&self, name: &str, settings: &[Setting<'_>]) -> Result<(), MergeError> {
        if matches!(name, "messages" | "model") {
            return Ok(());
        }
        let stored =
            settings.iter().find(|setting| setting.is(name)).map(|setting| setting.on(self.endpoint));
        for (spelling, raw) in self.said(name)? {
            let said = serde_json::from_str::<Value>(raw.get()).ok();
            let is_same = stored.as_ref().zip(said.as_ref()).is_some_and(|(stored, said)| same(stored, said));
            if !is_same {
                return Err(MergeError::locked(spelling));
            }
        }
        Ok(())
    }

    /// Whether a stored setting still has a meaning: a choice among tools has none when the caller brings others.
    fn fits(&self, setting: &Setting<'_>, contribution: &Contribution<'_>) -> Result<bool, MergeError> {
        let Stored::One(choice) = setting.value else { return Ok(true) };
        if setting.name != "tool_choice" || contribution.locks("tool_choice") {
            return Ok(true);
        }
        let callers = self.said("tools")?;
        let tools = callers.first().and_then(|(_, raw)| serde_json::from_str::<Value>(raw.get()).ok());
        Ok(tools.is_none_or(|tools| tools::choice_fits(choice, &tools)))
    }

    fn put(&self, setting: &Setting<'_>, edit: &mut Edit<'a>, nested: &mut Nested) -> Result<(), MergeError> {
        let value = setting.json_on(self.endpoint);
        match place(self.endpoint, setting.name) {
            Place::Top(name) => edit.set(name.to_owned(), value),
            Place::TokenLimit => edit.set(token_limit(self.endpoint, self.body, setting.name), value),
            Place::Inner { outer, member, .. } => nested.set(outer, member, value),
            Place::Nowhere => return Err(self.unsupported(setting.name)),
        }
        Ok(())
    }

    fn unsupported(&self, name: &str) -> MergeError {
        MergeError::NotSupported {
            endpoint: path(self.endpoint),
            what: format!("the prompt's `{name}`"),
            instead: "call /v1/chat/completions, or publish a version of the prompt without it",
        }
    }
}

/// The members of an object of the request, for the few parameters that stand inside one.
fn members_of<'a>(key: &'static str, raw: &'a RawValue) -> Result<Body<'a>, MergeError> {
    Body::scan(raw.get().as_bytes()).map_err(|_| MergeError::wrong_type(key, "an object"))
}

/// Changes inside objects of the request, gathered so that each object is written once.
#[derive(Default)]
struct Nested(Vec<(&'static str, Edit<'static>)>);

impl Nested {
    fn set(&mut self, outer: &'static str, member: &'static str, value: String) {
        let position = self.0.iter().position(|(key, _)| *key == outer).unwrap_or_else(|| {
            self.0.push((outer, Edit::new()));
            self.0.len() - 1
        });
        self.0[position].1.set(member, value);
    }

    /// Sets each object: what the caller sent or the version stores there, with the changes made.
    fn write<'a>(self, body: &Body<'a>, edit: &mut Edit<'a>) {
        for (outer, changes) in self.0 {
            let stored = edit.replacement(outer);
            let object = body.get(outer).map(RawValue::get).or(stored).unwrap_or("{}");
            let Ok(object) = Body::scan(object.as_bytes()) else { continue };
            let written = String::from_utf8(changes.write(&object)).expect("text spliced into text is text");
            edit.set(outer, written);
        }
    }
}

/// Whether two values mean the same: numbers by value, objects in any order.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) => {
            a == b || (a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64()
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => one == other,
    }
}
