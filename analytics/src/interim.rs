//! Stands in for `dialects::fold` until that is there.

use bytes::Bytes;
use dialects::Endpoint;

pub(crate) fn fold(_endpoint: Endpoint, _pieces: &[Bytes]) -> Option<Vec<u8>> {
    None
}

pub(crate) fn request_text(_endpoint: Endpoint, body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}

pub(crate) fn response_text(_endpoint: Endpoint, body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}

pub(crate) fn tool_names(_endpoint: Endpoint, _body: &[u8]) -> Vec<String> {
    Vec::new()
}
