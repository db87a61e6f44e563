//! From a body on the wire to the fields Weir reads, borrowed from its bytes.

use std::borrow::Cow;

use bytes::Bytes;
use dialects::Endpoint;
use dialects::body::Body;
use dialects::extras::{self, Extras};
use dialects::naming::{self, Naming};
use http::HeaderMap;
use http::request::Parts;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::admission::too_large;
use crate::bounded::{self, Unread};
use crate::refusal::{Kind, Refusal};
use crate::upstream::provider::HOPS_HEADER;

/// Weirs a call may pass through before it is taken for a loop.
const HOPS_MAX: u8 = 4;

/// A request read as far as Weir needs: everything else stays in `bytes` as it came.
pub struct Request<'a> {
    /// Which endpoint it is for.
    pub endpoint: Endpoint,
    /// What follows `/v1` in the URL, query included.
    pub path: &'a str,
    /// The body as it came.
    pub bytes: &'a Bytes,
    /// Its members.
    pub body: Body<'a>,
    /// The model as the request names it; `None` when absent, empty or a prompt reference.
    pub model: Option<Cow<'a, str>>,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// The prompt it names.
    pub naming: Option<Naming>,
    /// User, session, tags and the like, from headers and body.
    pub extras: Extras,
    /// Weirs this call has passed through, this one included.
    pub hops: u8,
}

/// Reads the body, within the limits of size and time.
pub async fn read(body: Incoming, limits: &config::Limits) -> Result<Bytes, Refusal> {
    match timeout(limits.body_timeout, bounded::collect(body, limits.body_bytes)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(Unread::TooLarge)) => Err(too_large(limits.body_bytes, None)),
        Ok(Err(Unread::Broken(error))) => {
            Err(Refusal::new(Kind::InvalidRequest, "the body broke off before its end: send it again")
                .because(error))
        }
        Err(_) => Err(Refusal::new(
            Kind::RequestTimeout,
            format!(
                "the body took longer than {} s to arrive: send it faster",
                limits.body_timeout.as_secs()
            ),
        )),
    }
}

/// Reads the fields Weir needs.
pub fn scan<'a>(bytes: &'a Bytes, head: &'a Parts, endpoint: Endpoint) -> Result<Request<'a>, Refusal> {
    let body = Body::scan(bytes)?;
    let stream = body.flag("stream")?.unwrap_or(false);
    check_prompt_field(&body, endpoint)?;
    let extras = extras::read(&body, header_pairs(&head.headers))?;
    let naming = naming::read(
        &body,
        extras.variables.as_ref(),
        header(&head.headers, naming::HEADER)?,
        header(&head.headers, naming::VARIABLES_HEADER)?,
    )?;
    let model =
        body.text("model")?.filter(|model| !model.is_empty() && naming::model_reference(model).is_none());
    let path = path_below_v1(head);
    Ok(Request { endpoint, path, bytes, body, model, stream, naming, extras, hops: hops(&head.headers)? })
}

/// On `/v1/completions` a text in `prompt` is OpenAI's own field; elsewhere it is a mistake that must not pass for none.
fn check_prompt_field(body: &Body<'_>, endpoint: Endpoint) -> Result<(), Refusal> {
    let prompt = body.get("prompt").filter(|prompt| !prompt.get().starts_with('{'));
    if prompt.is_none() || !matches!(endpoint, Endpoint::ChatCompletions | Endpoint::Responses) {
        return Ok(());
    }
    let message = "`prompt` must be an object such as {\"id\": \"support/reply\", \"variables\": {}}";
    Err(Refusal::new(Kind::InvalidRequest, message).param("prompt"))
}

/// What follows `/v1` in the caller's URL, query included.
pub fn path_below_v1(head: &Parts) -> &str {
    let whole = head.uri.path_and_query().map_or("/", |path| path.as_str());
    whole.strip_prefix("/v1").unwrap_or(whole)
}

/// How many Weirs the call has passed through, this one included; refuses what looks like a loop.
pub fn hops(headers: &HeaderMap) -> Result<u8, Refusal> {
    let before =
        headers.get(HOPS_HEADER).and_then(|value| value.to_str().ok()?.parse::<u8>().ok()).unwrap_or(0);
    if before >= HOPS_MAX {
        return Err(Refusal::new(
            Kind::InvalidRequest,
            "this call has gone round through Weir too often: a provider's base_url points back at a gateway",
        ));
    }
    Ok(before + 1)
}

/// A header that names a prompt: one that cannot be read must not be taken for none.
fn header<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<Option<&'h str>, Refusal> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    str::from_utf8(value.as_bytes()).map(Some).map_err(|_| {
        Refusal::new(Kind::InvalidRequest, format!("the header `{name}` must be UTF-8")).param(name)
    })
}

/// Every header whose value is text.
pub fn header_pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers.iter().filter_map(|(name, value)| Some((name.as_str(), str::from_utf8(value.as_bytes()).ok()?)))
}
