//! The four ways a request names a prompt, read by one function: the `prompt` object, `model`, top-level fields,
//! headers. What they say is checked against each other here; whether the prompt exists is not known here.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde_json::value::RawValue;
use serde_json::{Map, Value};
use thiserror::Error;
use vocab::{NameError, PromptRef, Selector};

use crate::body::{Body, BodyError, Edit};
use crate::header::{self, HeaderError};

/// What a `model` starts with when it names a prompt.
const MODEL_PREFIX: &str = "prompt:";
/// The header that names a prompt.
pub const HEADER: &str = "weir-prompt";
/// The header that brings a prompt's variables.
pub const VARIABLES_HEADER: &str = "weir-prompt-variables";
/// Body fields that only ever speak about a registered prompt.
const FIELDS: [&str; 3] = ["prompt_id", "prompt_version", "prompt_variables"];
/// Members of the `prompt` object.
const MEMBERS: [&str; 4] = ["id", "prompt_id", "version", "variables"];

/// What a request says about the prompt it wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Naming {
    /// The prompt and, if said, which version.
    pub reference: PromptRef,
    /// Its variables, merged from every place they may stand in.
    pub variables: Map<String, Value>,
    /// The id as the caller wrote it, for the echo.
    pub echo_id: String,
}

/// Reads the prompt a request names; `None` when it names none.
///
/// `weir_variables` are those of the `weir` object, `header_ref` and `header_variables` the values of [`HEADER`] and
/// [`VARIABLES_HEADER`].
pub fn read(
    body: &Body<'_>,
    weir_variables: Option<&Map<String, Value>>,
    header_ref: Option<&str>,
    header_variables: Option<&str>,
) -> Result<Option<Naming>, NamingError> {
    let object = prompt_object(body)?;
    let claims = claims(body, object.as_ref(), header_ref)?;
    let variables = variables(body, object.as_ref(), weir_variables, header_variables)?;
    let Some((reference, echo_id)) = claims.settle()? else {
        return match (object, variables.source) {
            (Some(_), _) => Err(NamingError::Nameless { param: "prompt", field: "prompt.id" }),
            (None, Some(param)) => Err(NamingError::Nameless { param, field: "prompt_id" }),
            (None, None) => Ok(None),
        };
    };
    Ok(Some(Naming { reference, variables: variables.merged, echo_id }))
}

/// Takes the fields that named the prompt out of the request; to be called before merging.
pub fn cut(body: &Body<'_>, edit: &mut Edit<'_>) {
    // A text or a list there is OpenAI's own field of `/v1/completions`.
    if body.get("prompt").is_none_or(is_object) && body.holds("prompt") {
        edit.remove("prompt");
    }
    for field in FIELDS.into_iter().filter(|field| body.holds(field)) {
        edit.remove(field);
    }
}

/// The reference in a `model` that names a prompt.
pub fn model_reference(model: &str) -> Option<&str> {
    model.strip_prefix(MODEL_PREFIX)
}

fn is_object(raw: &RawValue) -> bool {
    raw.get().starts_with('{')
}

/// The members of `prompt` when it is an object.
fn prompt_object<'a>(body: &Body<'a>) -> Result<Option<Body<'a>>, NamingError> {
    let Some(raw) = body.get("prompt").filter(|raw| is_object(raw)) else { return Ok(None) };
    let object = Body::scan(raw.get().as_bytes())?;
    let unknown = object.members().map(|(key, _)| key).find(|key| !MEMBERS.contains(key));
    match unknown {
        Some(key) => Err(NamingError::Unknown { param: format!("prompt.{key}") }),
        None => Ok(Some(object)),
    }
}

/// Every mention of a prompt, in the order in which they count.
fn claims<'a>(
    body: &Body<'a>,
    object: Option<&Body<'a>>,
    header_ref: Option<&'a str>,
) -> Result<Claims, NamingError> {
    let mut claims = Claims::default();
    if let Some(object) = object {
        let within = |error: BodyError| error.within("prompt");
        let version = selector(object, "version", "prompt.version")?;
        claims.add("prompt.id", object.text("id").map_err(within)?, version.clone())?;
        claims.add("prompt.prompt_id", object.text("prompt_id").map_err(within)?, version)?;
    }
    if let Some(model) = body.text("model")?
        && let Some(reference) = model_reference(&model)
    {
        claims.add("model", Some(reference.into()), None)?;
    }
    claims.add("prompt_id", body.text("prompt_id")?, selector(body, "prompt_version", "prompt_version")?)?;
    claims.add(HEADER, header_ref.map(|text| text.trim().into()), None)?;
    Ok(claims)
}

/// A version that stands in a field of its own, as a text or a number, with the field's full name.
type Versioned = Option<(&'static str, Selector)>;

fn selector(object: &Body<'_>, key: &'static str, param: &'static str) -> Result<Versioned, NamingError> {
    let Some(raw) = object.get(key) else { return Ok(None) };
    let text = if raw.get().bytes().all(|byte| byte.is_ascii_digit()) {
        Cow::Borrowed(raw.get())
    } else {
        let wrong = |_| BodyError::wrong_type(param, "a label, a version or a version number");
        object.text(key).map_err(wrong)?.unwrap_or_default()
    };
    let selector = text.parse().map_err(|error| NamingError::Name { param, error })?;
    Ok(Some((param, selector)))
}

/// Mentions of a prompt, gathered to be compared.
#[derive(Default)]
struct Claims {
    /// Field, text as written, reference.
    named: Vec<(&'static str, String, PromptRef)>,
    /// Versions that stand beside no name of their own.
    bare: Vec<(&'static str, Selector)>,
}

impl Claims {
    /// Adds one mention: a reference, a version beside it, or both, which must agree.
    fn add(
        &mut self,
        param: &'static str,
        written: Option<Cow<'_, str>>,
        version: Versioned,
    ) -> Result<(), NamingError> {
        let Some(written) = written else {
            self.bare.extend(version);
            return Ok(());
        };
        let mut reference: PromptRef = written.parse().map_err(|error| NamingError::Name { param, error })?;
        if let Some((version_param, version)) = version {
            agree(&mut reference, version, (param, version_param))?;
        }
        self.named.push((param, written.into_owned(), reference));
        Ok(())
    }

    /// The one prompt that all mentions mean, and how the first of them spells it.
    fn settle(self) -> Result<Option<(PromptRef, String)>, NamingError> {
        let mut named = self.named.into_iter();
        let Some((first, echo_id, mut reference)) = named.next() else {
            return match self.bare.first() {
                Some((param, _)) => Err(NamingError::Nameless { param, field: "prompt_id" }),
                None => Ok(None),
            };
        };
        for (second, _, other) in named {
            if reference.name != other.name || chosen(&reference) != chosen(&other) {
                return Err(NamingError::Conflict { first, second });
            }
            reference.selector = reference.selector.or(other.selector);
        }
        for (second, version) in self.bare {
            agree(&mut reference, version, (first, second))?;
        }
        Ok(Some((reference, echo_id)))
    }
}

/// Which version a reference means; none said is `production`.
fn chosen(reference: &PromptRef) -> Cow<'_, Selector> {
    reference.selector.as_ref().map_or_else(|| Cow::Owned(Selector::production()), Cow::Borrowed)
}

/// Gives a reference the version that stands beside it, unless it says another one itself.
fn agree(
    reference: &mut PromptRef,
    version: Selector,
    (first, second): (&'static str, &'static str),
) -> Result<(), NamingError> {
    match &reference.selector {
        Some(selector) if *selector != version => Err(NamingError::Conflict { first, second }),
        _ => {
            reference.selector = Some(version);
            Ok(())
        }
    }
}

/// Variables and the first field that brought any.
#[derive(Default)]
struct Gathered {
    merged: Map<String, Value>,
    source: Option<&'static str>,
}

impl Gathered {
    /// Adds what is not there yet: the first place that names a variable wins.
    fn add(&mut self, param: &'static str, variables: Map<String, Value>) {
        self.source.get_or_insert(param);
        if self.merged.is_empty() {
            self.merged = variables;
            return;
        }
        for (name, value) in variables {
            self.merged.entry(name).or_insert(value);
        }
    }
}

fn variables(
    body: &Body<'_>,
    object: Option<&Body<'_>>,
    weir_variables: Option<&Map<String, Value>>,
    header_variables: Option<&str>,
) -> Result<Gathered, NamingError> {
    let mut gathered = Gathered::default();
    if let Some(object) = object
        && let Some(variables) = object.object("variables").map_err(|error| error.within("prompt"))?
    {
        gathered.add("prompt.variables", variables);
    }
    if let Some(variables) = body.object("prompt_variables")? {
        gathered.add("prompt_variables", variables);
    }
    if let Some(variables) = weir_variables {
        gathered.add("weir.variables", variables.clone());
    }
    if let Some(text) = header_variables {
        gathered.add(VARIABLES_HEADER, header::object(VARIABLES_HEADER, text)?);
    }
    Ok(gathered)
}

/// Why the naming of a prompt cannot be read. Speaks to the caller; its code is always `invalid_request`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NamingError {
    /// A member is of the wrong type.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The variables' header cannot be read.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A reference breaks the rule for names.
    #[error("`{param}`: {error}")]
    Name {
        /// Where it stands.
        param: &'static str,
        /// What is wrong with it.
        error: NameError,
    },
    /// The `prompt` object holds a member nobody knows.
    #[error("`{param}` is not known: a prompt is named by `id`, `version` and `variables`")]
    Unknown {
        /// The member.
        param: String,
    },
    /// Two places name different prompts or versions.
    #[error("`{first}` and `{second}` name different prompts or versions: name one, or the same in both")]
    Conflict {
        /// The place that counts first.
        first: &'static str,
        /// The place that says otherwise.
        second: &'static str,
    },
    /// A version or variables, and no prompt they belong to.
    #[error("`{param}` is set, but no prompt is named: add `{field}`")]
    Nameless {
        /// What is set.
        param: &'static str,
        /// Where the name would stand.
        field: &'static str,
    },
}

impl NamingError {
    /// The request's field at fault.
    pub fn param(&self) -> Option<&str> {
        match self {
            Self::Body(error) => error.param(),
            Self::Header(error) => Some(error.param()),
            Self::Name { param, .. } | Self::Nameless { param, .. } => Some(param),
            Self::Unknown { param } => Some(param),
            Self::Conflict { second, .. } => Some(second),
        }
    }
}
