//! From request headers to the virtual key that calls: no key, no call.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};
use registry::{KeyRefusal, VirtualKey};

use crate::app::App;
use crate::refusal::{Kind, Refusal};

/// Who calls. Made only here, so whoever holds one has shown a valid key.
pub struct Caller {
    /// The key that was shown.
    pub key: Arc<VirtualKey>,
}

/// Finds the caller by `Authorization: Bearer`, `x-api-key` or `api-key`.
pub fn caller(app: &App, headers: &HeaderMap) -> Result<Caller, Refusal> {
    check(app, secret(headers))
}

/// The same, and by HTTP Basic: the password is the key, the user name does not matter.
pub fn caller_or_basic(app: &App, headers: &HeaderMap) -> Result<Caller, Refusal> {
    check(app, secret_or_password(headers).as_deref())
}

fn check(app: &App, secret: Option<&str>) -> Result<Caller, Refusal> {
    let Some(secret) = secret else {
        return Err(refused(
            app,
            "no API key: send a Weir virtual key as `Authorization: Bearer sk-weir-…` (make one with `weir key create`)",
        ));
    };
    match app.registry.snapshot().authenticate(secret, app.clock.now()) {
        Ok(key) => Ok(Caller { key: Arc::clone(key) }),
        Err(KeyRefusal::Unknown) => Err(refused(
            app,
            "wrong API key: this gateway takes Weir virtual keys, not a provider's (make one with `weir key create`)",
        )),
        Err(KeyRefusal::Expired) => Err(refused(app, "this API key has expired: ask for a new one")),
        Err(KeyRefusal::Revoked) => Err(refused(app, "this API key was revoked: ask for a new one")),
    }
}

/// The key as the client sent it.
pub fn secret(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(bearer);
    let named = |name| headers.get(name).and_then(|value| value.to_str().ok());
    bearer.or_else(|| named("x-api-key")).or_else(|| named("api-key")).map(str::trim)
}

/// The same, or the password of an HTTP Basic pair.
pub fn secret_or_password(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    secret(headers).map(Cow::Borrowed).or_else(|| basic(headers).map(Cow::Owned))
}

fn basic(headers: &HeaderMap) -> Option<String> {
    let (scheme, pair) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    let pair = STANDARD.decode(pair.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let (_, password) = str::from_utf8(&pair).ok()?.split_once(':')?;
    Some(password.to_owned())
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

fn refused(app: &App, message: &'static str) -> Refusal {
    app.metrics.unauthenticated.inc();
    Refusal::new(Kind::InvalidApiKey, message)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn sent(name: &'static str, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(http::HeaderName::from_static(name), HeaderValue::from_static(value))])
    }

    #[test]
    fn a_key_may_come_in_any_of_the_three_headers() {
        for headers in [
            sent("authorization", "Bearer sk-1"),
            sent("authorization", "bearer  sk-1"),
            sent("x-api-key", "sk-1"),
            sent("api-key", "sk-1"),
        ] {
            assert_eq!(secret(&headers), Some("sk-1"), "{headers:?}");
        }
        assert_eq!(secret(&sent("authorization", "Basic c2s=")), None);
    }

    #[test]
    fn the_password_of_a_basic_pair_is_a_key() {
        let of = |value| basic(&sent("authorization", value));
        assert_eq!(of("Basic cGstbGY6c2stMTp4").as_deref(), Some("sk-1:x"));
        assert_eq!((of("Basic c2s="), of("Basic !"), of("Bearer cGstbGY6c2stMQ==")), (None, None, None));
    }
}
