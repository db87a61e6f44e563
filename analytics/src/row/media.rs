//! Base64 media in JSON replaced by what identifies it: hash, size and type.
//!
//! Works on the bytes: any JSON string that is long enough and is a base64 `data:` URL, or base64 of something
//! whose first bytes say what it is, or the value of a key that holds media, becomes
//! `weir-media:image/png;bytes=12345;sha256=…`. The same picture gives the same text wherever it stands.

use std::borrow::Cow;
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::GeneralPurpose;
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use sha2::{Digest, Sha256};

/// Strings shorter than this are left alone: a hash would hardly be shorter.
const MEDIA_CHARS: usize = 256;
/// Keys whose base64 is media although its first bytes do not tell (raw audio samples, mostly).
const MEDIA_KEYS: [&[u8]; 3] = [b"data", b"b64_json", b"file_data"];

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Returns `json` with its media replaced; untouched when there is none.
pub(super) fn replace(json: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    if !has_long_run(&json) {
        return json;
    }
    let mut out = Vec::new();
    let mut copied = 0;
    for string in Strings::of(&json) {
        if let Some(mark) = string.media() {
            out.extend_from_slice(json.get(copied..string.start).unwrap_or_default());
            out.extend_from_slice(mark.as_bytes());
            copied = string.start + string.text.len();
        }
    }
    if copied == 0 {
        return json;
    }
    out.extend_from_slice(json.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

/// Whether so many bytes of base64 follow each other somewhere that they may be media. Such a run covers at
/// least one whole stretch of half its length, counted from the beginning.
fn has_long_run(json: &[u8]) -> bool {
    json.chunks_exact(MEDIA_CHARS / 2)
        .any(|stretch| stretch.iter().all(|byte| is_base64(*byte) || *byte == b'\\'))
}

/// A JSON string inside a text, without its quotes and with its escapes as they stand.
struct Quoted<'a> {
    start: usize,
    text: &'a [u8],
    /// The string before it: the key, when this one is a value.
    before: &'a [u8],
}

impl Quoted<'_> {
    fn media(&self) -> Option<String> {
        if self.text.len() < MEDIA_CHARS {
            return None;
        }
        let (declared, data) = split_data_url(self.text)?;
        let bytes = BASE64.decode(unescaped(data).as_ref()).ok()?;
        let kind = declared.or_else(|| sniff(&bytes).map(Cow::Borrowed));
        let kind = match kind {
            Some(kind) => kind,
            None if MEDIA_KEYS.contains(&self.before) => Cow::Borrowed("application/octet-stream"),
            None => return None,
        };
        let mut mark = format!("weir-media:{kind};bytes={};sha256=", bytes.len());
        for byte in Sha256::digest(&bytes) {
            write!(mark, "{byte:02x}").ok()?;
        }
        Some(mark)
    }
}

/// What a `data:` URL says it holds.
type DeclaredType<'a> = Option<Cow<'a, str>>;

/// Splits `data:image/png;base64,AAAA` into its type and its data; text that is no such URL is all data.
/// `None` when the text cannot be base64 at all.
fn split_data_url(text: &[u8]) -> Option<(DeclaredType<'_>, &[u8])> {
    let Some(url) = text.strip_prefix(b"data:") else {
        // One look at the beginning spares decoding prose.
        let head = text.get(..64)?;
        return head.iter().all(|byte| is_base64(*byte) || *byte == b'\\').then_some((None, text));
    };
    let comma = memchr::memchr(b',', url.get(..200.min(url.len()))?)?;
    let (head, data) = (url.get(..comma)?, url.get(comma + 1..)?);
    let kind = head.strip_suffix(b";base64")?;
    let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default();
    let kind = String::from_utf8_lossy(kind).replace("\\/", "/");
    let sound =
        !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/.+-".contains(&byte));
    Some((sound.then_some(Cow::Owned(kind)), data))
}

const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

/// Some writers escape the slash.
fn unescaped(data: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', data).is_none() {
        return Cow::Borrowed(data);
    }
    Cow::Owned(data.iter().copied().filter(|byte| *byte != b'\\').collect())
}

/// What the first bytes say a file is.
fn sniff(bytes: &[u8]) -> Option<&'static str> {
    const MAGIC: [(&[u8], &str); 9] = [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF8", "image/gif"),
        (b"%PDF-", "application/pdf"),
        (b"OggS", "audio/ogg"),
        (b"fLaC", "audio/flac"),
        (b"ID3", "audio/mpeg"),
        (b"\xff\xfb", "audio/mpeg"),
        (b"PK\x03\x04", "application/zip"),
    ];
    if bytes.starts_with(b"RIFF") {
        return match bytes.get(8..12) {
            Some(b"WEBP") => Some("image/webp"),
            Some(b"WAVE") => Some("audio/wav"),
            _ => None,
        };
    }
    if bytes.get(4..8) == Some(b"ftyp") {
        return Some("video/mp4");
    }
    MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, kind)| *kind)
}

/// Walks over the strings of a JSON text. On bytes that are not JSON it finds nothing sensible, and no media.
struct Strings<'a> {
    json: &'a [u8],
    at: usize,
    before: &'a [u8],
}

impl<'a> Strings<'a> {
    const fn of(json: &'a [u8]) -> Self {
        Self { json, at: 0, before: b"" }
    }
}

impl<'a> Iterator for Strings<'a> {
    type Item = Quoted<'a>;

    fn next(&mut self) -> Option<Quoted<'a>> {
        let start = self.at + memchr::memchr(b'"', self.json.get(self.at..)?)? + 1;
        let mut end = start;
        loop {
            end += memchr::memchr2(b'"', b'\\', self.json.get(end..)?)?;
            if self.json.get(end) == Some(&b'"') {
                break;
            }
            end += 2;
        }
        self.at = end + 1;
        let text = self.json.get(start..end)?;
        let before = std::mem::replace(&mut self.before, text);
        Some(Quoted { start, text, before })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(bytes: usize) -> String {
        let mut image = b"\x89PNG\r\n\x1a\n".to_vec();
        image.resize(bytes, 7);
        BASE64.encode(image)
    }

    fn replaced(json: &str) -> String {
        String::from_utf8(replace(Cow::Borrowed(json.as_bytes())).into_owned()).unwrap()
    }

    #[test]
    fn a_picture_becomes_its_type_size_and_hash_wherever_it_stands() {
        let url = format!(r#"{{"image_url":{{"url":"data:image/png;base64,{}"}},"n":1}}"#, png(3_000));
        let raw = format!(r#"{{"b64_json":"{}"}}"#, png(3_000));
        let mark = "weir-media:image/png;bytes=3000;sha256=";
        let hash = |text: &str| text.split_once(mark).unwrap().1.chars().take(64).collect::<String>();
        assert!(replaced(&url).ends_with(r#""},"n":1}"#));
        assert_eq!(hash(&replaced(&url)), hash(&replaced(&raw)));
        assert!(serde_json::from_str::<serde_json::Value>(&replaced(&url)).is_ok());
    }

    #[test]
    fn raw_audio_is_known_by_its_key() {
        let samples = BASE64.encode([1_u8, 2, 3].repeat(1_000));
        let audio = format!(r#"{{"input_audio":{{"data":"{samples}","format":"pcm16"}}}}"#);
        assert!(replaced(&audio).contains(r#""data":"weir-media:application/octet-stream;bytes=3000;"#));
        let other = format!(r#"{{"encrypted_content":"{samples}"}}"#);
        assert_eq!(replaced(&other), other);
    }

    #[test]
    fn prose_and_broken_json_stay_as_they_are() {
        let prose = format!(r#"{{"content":"{}","x":"a\"b\\"}}"#, "word ".repeat(200));
        let joined = format!(r#"{{"content":"{}"}}"#, "Donaudampfschifffahrt".repeat(50));
        let open = format!(r#"{{"content":"data:image/png;base64,{}"#, png(3_000));
        for text in [prose, joined, open, "\\".repeat(300), "\"".repeat(301)] {
            assert_eq!(replaced(&text), text);
        }
    }

    #[test]
    fn escaped_slashes_do_not_hide_a_picture() {
        let jpeg = BASE64.encode([&b"\xff\xd8\xff\xff\xff\xff"[..], &[255; 900]].concat());
        let escaped = jpeg.replace('/', "\\/");
        assert_ne!(jpeg, escaped);
        let json = format!(r#"{{"url":"data:image\/jpeg;base64,{escaped}"}}"#);
        assert!(replaced(&json).contains("weir-media:image/jpeg;bytes=906;"));
    }
}
