//! Conditional requests: `ETag` says which revision an answer shows, `If-Match` changes only that revision.
//!
//! A revision that is gone answers 412, as RFC 9110 wants; the versions expected in bodies answer 409.

use std::convert::Infallible;

use axum::Json;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderName, StatusCode, header};
use registry::StoreError;
use serde::Serialize;

use super::Admin;
use crate::refusal::{Kind, Refusal};

/// Something with the revision it has; answers with its `ETag`.
pub(super) struct Revised<T> {
    pub(super) revision: i64,
    pub(super) body: T,
}

impl<T: Serialize> IntoResponse for Revised<T> {
    fn into_response(self) -> Response {
        ([(header::ETAG, tag(self.revision))], Json(self.body)).into_response()
    }
}

impl<T: Serialize> Revised<T> {
    /// The same, or 304 when the caller has this revision already.
    pub(super) fn unless_known(self, known: &Known) -> Response {
        if known.0.as_ref().is_some_and(|tags| tags.hold(self.revision)) {
            return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag(self.revision))]).into_response();
        }
        self.into_response()
    }
}

/// The tags in `If-Match` or `If-None-Match`.
enum Tags {
    Any,
    These(Vec<String>),
}

impl Tags {
    fn read(headers: &HeaderMap, name: &HeaderName) -> Option<Self> {
        let lines: Vec<_> =
            headers.get_all(name).iter().map(|line| line.to_str().unwrap_or_default()).collect();
        if lines.is_empty() {
            return None;
        }
        let tags = lines
            .iter()
            .flat_map(|line| line.split(','))
            .map(|tag| tag.trim().to_owned())
            .collect::<Vec<_>>();
        Some(if tags.iter().any(|tag| tag == "*") { Self::Any } else { Self::These(tags) })
    }

    fn hold(&self, revision: i64) -> bool {
        match self {
            Self::Any => true,
            Self::These(tags) => tags.contains(&tag(revision)),
        }
    }
}

fn tag(revision: i64) -> String {
    format!("\"{revision}\"")
}

/// Which revisions the caller has already, from `If-None-Match`.
pub(super) struct Known(Option<Tags>);

/// Which revisions the caller is ready to change, from `If-Match`; any when there is none.
pub(super) struct Expected(Option<Tags>);

impl FromRequestParts<Admin> for Known {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Admin) -> Result<Self, Infallible> {
        Ok(Self(Tags::read(&parts.headers, &header::IF_NONE_MATCH)))
    }
}

impl FromRequestParts<Admin> for Expected {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Admin) -> Result<Self, Infallible> {
        Ok(Self(Tags::read(&parts.headers, &header::IF_MATCH)))
    }
}

impl Expected {
    /// Whether the caller insists on a revision.
    pub(super) const fn insists(&self) -> bool {
        self.0.is_some()
    }

    /// Refuses unless `current` is what the caller is ready to change.
    pub(super) fn check(&self, current: i64) -> Result<(), Refusal> {
        match &self.0 {
            Some(tags) if !tags.hold(current) => Err(failed(current)),
            Some(_) | None => Ok(()),
        }
    }

    /// What a change came to: where the caller insists, losing the race to another change is 412 as well.
    pub(super) fn judge<T>(
        &self,
        changed: Result<T, StoreError>,
        refuse: fn(StoreError) -> Refusal,
    ) -> Result<T, Refusal> {
        changed.map_err(|error| match error {
            StoreError::Stale { message, .. } if self.insists() => {
                Refusal::new(Kind::PreconditionFailed, message).param("if-match")
            }
            other => refuse(other),
        })
    }
}

fn failed(current: i64) -> Refusal {
    let message = format!(
        "it was changed meanwhile and its etag is now {}: read it again, then change that",
        tag(current)
    );
    Refusal::new(Kind::PreconditionFailed, message).param("if-match")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn expected(value: &'static str) -> Expected {
        let headers = HeaderMap::from_iter([(header::IF_MATCH, HeaderValue::from_static(value))]);
        Expected(Tags::read(&headers, &header::IF_MATCH))
    }

    #[test]
    fn a_change_goes_on_when_one_of_the_tags_is_the_present_one() {
        for value in ["\"7\"", "\"3\", \"7\"", "*"] {
            assert!(expected(value).check(7).is_ok(), "{value}");
        }
    }

    #[test]
    fn other_and_weak_tags_and_nonsense_do_not_match() {
        for value in ["\"8\"", "W/\"7\"", "7", "", "\"3\", \"8\""] {
            let refusal = expected(value).check(7).unwrap_err();
            assert_eq!(
                (refusal.status(), refusal.code()),
                (StatusCode::PRECONDITION_FAILED, "stale"),
                "{value}"
            );
        }
    }

    #[test]
    fn a_race_lost_after_the_check_is_a_failed_condition_too() {
        let lost = || Err::<(), _>(StoreError::Stale { message: "changed meanwhile".into(), current: None });

        assert_eq!(expected("\"7\"").judge(lost(), Refusal::from).unwrap_err().status(), 412);
        assert_eq!(Expected(None).judge(lost(), Refusal::from).unwrap_err().status(), 409);
    }

    #[test]
    fn without_the_header_anything_may_change() {
        assert!(Expected(Tags::read(&HeaderMap::new(), &header::IF_MATCH)).check(7).is_ok());
    }
}
