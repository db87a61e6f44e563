//! What a request gives, in its path, its query and its body: read strictly, and refused by the field at fault.

use std::borrow::Cow;
use std::error::Error as _;
use std::fmt::Display;
use std::str::FromStr;

use axum::body::Body;
use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use bytes::Bytes;
use http::Uri;
use http::request::Parts;
use percent_encoding::percent_decode_str;
use registry::Paging;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde_json::{Map, Value};
use tokio::time::timeout;
use vocab::Limit;

use super::Admin;
use crate::bounded::{self, Unread};
use crate::refusal::{Kind, Refusal};

/// The largest body the admin API takes.
pub(super) const BODY_BYTES: usize = 4 << 20;

/// The names in the path, percent-decoded.
pub(super) struct Named<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Admin> for Named<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, admin: &Admin) -> Result<Self, Refusal> {
        let Path(names) = Path::from_request_parts(parts, admin).await.map_err(unreadable_path)?;
        Ok(Self(names))
    }
}

fn unreadable_path(rejection: PathRejection) -> Refusal {
    let PathRejection::FailedToDeserializePathParams(failure) = rejection else {
        return Refusal::new(Kind::Internal, "this route cannot read its own path").because(rejection);
    };
    match failure.into_kind() {
        ErrorKind::InvalidUtf8InPathParam { key } => {
            let message = format!("`{key}` in the path is not UTF-8 once it is percent-decoded");
            Refusal::new(Kind::InvalidRequest, message).param(key)
        }
        ErrorKind::DeserializeError { message, key, .. } => {
            Refusal::new(Kind::InvalidRequest, message).param(key)
        }
        other => Refusal::new(Kind::InvalidRequest, other.to_string()),
    }
}

/// The project a query names, and the rest of it.
pub(super) fn query<Q: DeserializeOwned>(uri: &Uri) -> Result<(Option<String>, Q), Refusal> {
    let pairs = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let (projects, rest): (Vec<_>, Vec<_>) = pairs.partition(|pair| named(pair) == "project");
    let project = match projects.as_slice() {
        [] => None,
        [pair] => Some(value(pair)?),
        _ => {
            let message = "`project` is named more than once: name it once";
            return Err(Refusal::new(Kind::InvalidRequest, message).param("project"));
        }
    };
    let rest = format!("/?{}", rest.join("&"));
    let uri: Uri =
        rest.parse().map_err(|_| Refusal::new(Kind::InvalidRequest, "the query cannot be read"))?;
    match Query::try_from_uri(&uri) {
        Ok(Query(asked)) => Ok((project, asked)),
        Err(rejection) => {
            let why = rejection.source().map_or_else(|| rejection.to_string(), ToString::to_string);
            Err(Refusal::new(Kind::InvalidRequest, format!("the query cannot be read: {why}")))
        }
    }
}

fn named(pair: &str) -> Cow<'_, str> {
    percent_decode_str(pair.split_once('=').map_or(pair, |(name, _)| name)).decode_utf8_lossy()
}

fn value(pair: &str) -> Result<String, Refusal> {
    let text = pair.split_once('=').map_or("", |(_, value)| value).replace('+', " ");
    let decoded = percent_decode_str(&text).decode_utf8().map(Cow::into_owned);
    decoded.map_err(|_| Refusal::new(Kind::InvalidRequest, "`project` is not UTF-8").param("project"))
}

/// The body as a JSON object that has the fields of `T` and no others; an empty body counts as `{}`.
pub(super) struct Sent<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Admin> for Sent<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, admin: &Admin) -> Result<Self, Refusal> {
        let bytes = body(request.into_body(), admin).await?;
        object(&bytes).map(Self)
    }
}

/// Reads the body, within the limits of size and time.
pub(super) async fn body(body: Body, admin: &Admin) -> Result<Bytes, Refusal> {
    let limit = admin.app.config.limits.body_timeout;
    match timeout(limit, bounded::collect(body, BODY_BYTES)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(Unread::TooLarge)) => {
            let message =
                format!("the body is larger than the admin API takes, {BODY_BYTES} bytes: send less");
            Err(Refusal::new(Kind::BodyTooLarge, message))
        }
        Ok(Err(Unread::Broken(error))) => {
            let message = "the body broke off before its end: send it again";
            Err(Refusal::new(Kind::InvalidRequest, message).because(error))
        }
        Err(_) => {
            let message =
                format!("the body took longer than {} s to arrive: send it faster", limit.as_secs());
            Err(Refusal::new(Kind::RequestTimeout, message))
        }
    }
}

fn object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    let bytes = bytes.trim_ascii();
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    if !bytes.starts_with(b"{") {
        return Err(Refusal::new(
            Kind::InvalidRequest,
            "the body must be a JSON object: send {\"field\": value, …}",
        ));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = read(&mut reader)?;
    let whole = reader.end();
    whole.map_err(|error| {
        Refusal::new(Kind::InvalidRequest, format!("the body goes on after its end: {error}"))
    })?;
    Ok(read)
}

/// Reads a part of a body that was taken out of it.
pub(super) fn part<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T, Refusal> {
    read(Value::Object(fields))
}

/// Takes some fields out of a body that is read in parts.
pub(super) fn split_off(fields: &mut Map<String, Value>, names: &[&str]) -> Map<String, Value> {
    let taken = names.iter().filter_map(|name| Some(((*name).to_owned(), fields.shift_remove(*name)?)));
    taken.collect()
}

/// Reads a value, and names the field at fault when that fails.
fn read<'de, T, D>(reader: D) -> Result<T, Refusal>
where
    T: DeserializeOwned,
    D: Deserializer<'de, Error = serde_json::Error>,
{
    serde_path_to_error::deserialize(reader).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        if !error.is_data() {
            return Refusal::new(Kind::InvalidRequest, format!("the body is not JSON: {error}"));
        }
        if path == "." || path == "?" {
            return Refusal::new(Kind::InvalidRequest, format!("the body cannot be read: {error}"));
        }
        Refusal::new(Kind::InvalidRequest, format!("`{path}`: {error}")).param(path)
    })
}

/// Which page of a list is asked for, where nothing else can be.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Paged {
    /// How many to a page.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

impl Paged {
    /// The page.
    pub(super) fn paging(self) -> Result<Paging, Refusal> {
        paging(self.limit, self.cursor)
    }

    /// Limit and cursor as they came.
    pub(super) fn parts(self) -> (Option<u32>, Option<String>) {
        (self.limit, self.cursor)
    }
}

/// The page that these ask for.
pub(super) fn paging(limit: Option<u32>, cursor: Option<String>) -> Result<Paging, Refusal> {
    Ok(Paging { limit: self::limit(limit)?, cursor })
}

/// How many items to a page.
pub(super) fn limit(limit: Option<u32>) -> Result<Limit, Refusal> {
    let Some(items) = limit else { return Ok(Limit::default()) };
    Limit::new(items).ok_or_else(|| {
        let message = format!("`limit` must be 1 to {}, not {items}", Limit::MAX);
        Refusal::new(Kind::InvalidRequest, message).param("limit")
    })
}

/// Reads a field by its own grammar.
pub(super) fn parsed<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

/// Reads a field that is there, so that `null` is told from absent.
pub(super) fn present<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// Refuses a field that is known and not done yet; `null` counts as absent.
pub(super) fn not_yet(field: &'static str, value: Option<&Value>) -> Result<(), Refusal> {
    match value {
        None | Some(Value::Null) => Ok(()),
        Some(_) => {
            let message = format!("`{field}` is not supported yet: leave it out");
            Err(Refusal::new(Kind::NotSupported, message).param(field))
        }
    }
}
