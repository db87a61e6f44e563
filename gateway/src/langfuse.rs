//! Langfuse's dialect: prompts as its unmodified SDKs read and write them, and the project their `auth_check` asks for.
//!
//! `langfuse/row.rs` says how a version reads there and back; nothing of it is stored in Langfuse's shape.

mod access;
mod config;
mod listing;
mod reading;
mod refusal;
pub mod row;
mod writing;

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::Query;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::app::App;
use crate::call::admission::Announces as _;
use crate::call::intake;
use crate::call::relay::Body;
use crate::refusal::{Kind, Refusal};
use crate::surface;
use access::Reader;

pub(crate) use config::PARAMETERS;

/// What all of Langfuse's routes begin with.
pub const PREFIX: &str = "/api/public/";

/// A route of the dialect, with the names in its path.
#[derive(Debug, PartialEq, Eq)]
enum Route<'p> {
    Projects,
    List,
    Create,
    Get(Cow<'p, str>),
    Delete(Cow<'p, str>),
    Label(Cow<'p, str>, Cow<'p, str>),
}

/// Answers any path below [`PREFIX`].
pub async fn serve(app: &Arc<App>, request: Request<Incoming>) -> Response<Body> {
    answer(app, request).await.unwrap_or_else(|refusal| refusal::answer(&refusal))
}

async fn answer(app: &App, request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
    let (head, body) = request.into_parts();
    match route(&head.method, head.uri.path())? {
        Route::Projects => Ok(projects(&Reader::find(app, &head.headers)?)),
        Route::List => listing::list(app, &Reader::of_prompts(app, &head.headers)?, query(&head.uri)?).await,
        Route::Get(name) => {
            let reader = Reader::of_prompts(app, &head.headers)?;
            reading::get(app, (&reader, &head.headers), &name, query(&head.uri)?).await
        }
        Route::Delete(name) => {
            let writer = access::writer(app, &head.headers)?;
            writing::delete(app, &writer, &name, query(&head.uri)?).await
        }
        Route::Create => {
            let writer = access::writer(app, &head.headers)?;
            let _permit = app.admission.admit(&head.headers, body.announced())?;
            let bytes = intake::read(body, &app.config.limits).await?;
            writing::create(app, &writer, read(&bytes)?).await
        }
        Route::Label(name, version) => {
            let writer = access::writer(app, &head.headers)?;
            let _permit = app.admission.admit(&head.headers, body.announced())?;
            let bytes = intake::read(body, &app.config.limits).await?;
            writing::label_version(app, &writer, (&name, &version), read(&bytes)?).await
        }
    }
}

/// A prompt's name is one segment with its slashes escaped; one that came with bare slashes is read all the same.
fn route<'p>(method: &Method, path: &'p str) -> Result<Route<'p>, Refusal> {
    let reads = *method == Method::GET || *method == Method::HEAD;
    let below = path.strip_prefix(PREFIX).unwrap_or_default();
    match below {
        "projects" if reads => return Ok(Route::Projects),
        "v2/prompts" if reads => return Ok(Route::List),
        "v2/prompts" if *method == Method::POST => return Ok(Route::Create),
        "projects" => return Err(not_allowed(method, "GET")),
        "v2/prompts" => return Err(not_allowed(method, "GET or POST")),
        _ => {}
    }
    let Some(rest) = below.strip_prefix("v2/prompts/").filter(|rest| !rest.is_empty()) else {
        let message = "of Langfuse's API this gateway has the prompts (/api/public/v2/prompts…), \
                       /api/public/projects and /api/public/otel/v1/traces";
        return Err(Refusal::new(Kind::NotFound, message));
    };
    if reads {
        return Ok(Route::Get(decoded(rest)?));
    }
    match (method, rest.rsplit_once("/versions/")) {
        (&Method::PATCH, Some((name, version))) => Ok(Route::Label(decoded(name)?, decoded(version)?)),
        (&Method::DELETE, _) => Ok(Route::Delete(decoded(rest)?)),
        (_, Some(_)) => Err(not_allowed(method, "PATCH")),
        (_, None) => Err(not_allowed(method, "GET or DELETE")),
    }
}

fn not_allowed(method: &Method, allowed: &str) -> Refusal {
    Refusal::new(Kind::MethodNotAllowed, format!("this route does not take {method}: use {allowed}"))
}

fn decoded(text: &str) -> Result<Cow<'_, str>, Refusal> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded
        .map_err(|_| Refusal::new(Kind::InvalidRequest, "the path is not UTF-8 once it is percent-decoded"))
}

fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Refusal> {
    let Query(asked) = Query::try_from_uri(uri)
        .map_err(|error| Refusal::new(Kind::InvalidRequest, format!("the query cannot be read: {error}")))?;
    Ok(asked)
}

/// Reads a body, and names the field at fault when that fails.
fn read<T: DeserializeOwned>(bytes: &Bytes) -> Result<T, Refusal> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let refusal = Refusal::new(Kind::InvalidRequest, error.into_inner().to_string());
        if path == "." { refusal } else { refusal.param(path) }
    })
}

/// The one project a key or token acts on, as `auth_check` wants to see it.
fn projects(reader: &Reader) -> Response<Body> {
    let project = reader.project();
    let organization = json!({"id": "weir", "name": "Weir"});
    let project = json!({"id": project, "name": project, "organization": organization, "metadata": {}});
    surface::json(StatusCode::OK, &json!({"data": [project]}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_the_path_whether_their_slashes_are_escaped_or_not() {
        let name = || Cow::Borrowed("support/reply");
        for path in ["/api/public/v2/prompts/support%2Freply", "/api/public/v2/prompts/support/reply"] {
            assert_eq!(route(&Method::GET, path).unwrap(), Route::Get(name()));
            assert_eq!(route(&Method::DELETE, path).unwrap(), Route::Delete(name()));
            let path = format!("{path}/versions/3");
            let label = Route::Label(name(), Cow::Borrowed("3"));
            assert_eq!(route(&Method::PATCH, &path).unwrap(), label);
        }
    }

    #[test]
    fn other_routes_and_methods_are_refused_by_kind() {
        let kind = |method: Method, path: &str| route(&method, path).unwrap_err().kind();
        assert_eq!(kind(Method::GET, "/api/public/ingestion"), Kind::NotFound);
        assert_eq!(kind(Method::GET, "/api/public/v2/prompts/"), Kind::NotFound);
        assert_eq!(kind(Method::PUT, "/api/public/v2/prompts"), Kind::MethodNotAllowed);
        assert_eq!(kind(Method::POST, "/api/public/v2/prompts/a"), Kind::MethodNotAllowed);
        assert_eq!(kind(Method::PATCH, "/api/public/v2/prompts/a"), Kind::MethodNotAllowed);
        assert_eq!(kind(Method::GET, "/api/public/v2/prompts/%FF"), Kind::InvalidRequest);
    }
}
