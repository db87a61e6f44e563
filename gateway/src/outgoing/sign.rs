//! Signs a body, so that its receiver can tell who sent it and when: HMAC-SHA256 over the time and the bytes.

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderName;
use sha2::Sha256;
use vocab::Secret;

/// The header that carries the signature: `t=<seconds since 1970>,v1=<hex>`.
pub const SIGNATURE: HeaderName = HeaderName::from_static("weir-signature");

/// The header's value: `v1` is the HMAC of `<t>.<body>`, keyed with the whole secret as it was shown.
pub(super) fn signature(secret: &Secret, seconds: i64, body: &[u8]) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).expect("a key of any length will do");
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body);
    let digits = mac.finalize().into_bytes().into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let hex: String = digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect();
    format!("t={seconds},v1={hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with Python: `hmac.new(b"whsec_test", b'1800000000.{"id":"1"}', "sha256").hexdigest()`.
    #[test]
    fn a_signature_is_what_other_programs_make_of_it() {
        let signed = signature(&Secret::new("whsec_test"), 1_800_000_000, br#"{"id":"1"}"#);
        assert_eq!(
            signed,
            "t=1800000000,v1=15d2177989c694fad512568783fd1e0c20e1c480f7ab63182bf13486b475c540"
        );
    }

    #[test]
    fn another_time_body_or_secret_makes_another_signature() {
        let sign = |secret: &str, at, body: &str| signature(&Secret::new(secret), at, body.as_bytes());
        let one = sign("a", 1, "x");
        assert_eq!(one, sign("a", 1, "x"));
        assert!(one != sign("b", 1, "x") && one != sign("a", 1, "y"));
        let hex = |signed: String| signed.split_once("v1=").map(|(_, hex)| hex.to_owned());
        assert_ne!(hex(one), hex(sign("a", 2, "x")), "the time is signed too");
    }
}
