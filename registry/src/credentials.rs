//! Secrets of keys and tokens: made from the system's randomness, kept as SHA-256 only.

use getrandom::fill;
use sha2::{Digest, Sha256};
use vocab::Secret;

use crate::StoreError;

/// Random characters after the prefix: 238 bits.
const RANDOM_CHARS: usize = 40;
/// The end of a secret that is shown to tell it apart.
const HINT_CHARS: usize = 4;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// What every virtual key's secret starts with.
pub const KEY_PREFIX: &str = "sk-weir-";
/// What every admin token's secret starts with.
pub const TOKEN_PREFIX: &str = "wt-";

/// SHA-256 of a secret: all that is kept of it. Secrets are long and random, so no salt and no slow hash.
pub(crate) type SecretHash = [u8; 32];

pub(crate) fn hash(secret: &str) -> SecretHash {
    Sha256::digest(secret).into()
}

/// The last characters of a secret, if it is long enough to keep the rest secret.
pub(crate) fn hint(secret: &str) -> String {
    let chars = secret.chars().count();
    let skipped = if chars >= 4 * HINT_CHARS { chars - HINT_CHARS } else { chars };
    secret.chars().skip(skipped).collect()
}

/// A new secret with this prefix.
pub(crate) fn generate(prefix: &str) -> Result<Secret, StoreError> {
    let mut text = String::with_capacity(prefix.len() + RANDOM_CHARS);
    text.push_str(prefix);
    let wanted = prefix.len() + RANDOM_CHARS;
    let mut bytes = [0; 64];
    while text.len() < wanted {
        fill(&mut bytes).map_err(|error| StoreError::Unavailable(error.to_string().into()))?;
        // 248 is the largest multiple of 62 in a byte: the rest would favour the first characters.
        let fair = bytes.iter().filter(|byte| **byte < 248).map(|byte| usize::from(*byte) % BASE62.len());
        let missing = wanted - text.len();
        text.extend(fair.take(missing).map(|index| char::from(BASE62[index])));
    }
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_have_their_prefix_and_forty_base62_characters() {
        let (one, two) = (generate(KEY_PREFIX).unwrap(), generate(KEY_PREFIX).unwrap());
        let random = one.expose().strip_prefix(KEY_PREFIX).unwrap();
        assert_eq!(random.len(), 40);
        assert!(random.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(one.expose(), two.expose());
    }

    #[test]
    fn a_hint_never_gives_a_short_secret_away() {
        assert_eq!(hint("sk-weir-abcdefghijkl1234"), "1234");
        assert_eq!(hint("hunter2"), "");
    }

    #[test]
    fn every_character_comes_up() {
        let text: String = (0..40).map(|_| generate("").unwrap().expose().to_owned()).collect();
        for byte in BASE62 {
            assert!(text.as_bytes().contains(byte), "{}", char::from(*byte));
        }
    }
}
