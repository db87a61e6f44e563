//! Base64 media in JSON replaced by what identifies it: hash, size and type.
//!
//! Works on the bytes: a `data:` URL in a JSON string, or a string that is base64 of something whose first bytes
//! say what it is, or of a key that holds media, becomes `weir-media:image/png;bytes=12345;sha256=…`. The same
//! picture gives the same text wherever it stands.

use std::borrow::Cow;
use std::fmt::Write;
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::GeneralPurpose;
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use memchr::memmem;
use sha2::{Digest, Sha256};

/// Strings shorter than this are left alone: a hash would hardly be shorter.
const MEDIA_CHARS: usize = 256;
/// Keys whose base64 is media although its first bytes do not tell (raw audio samples, mostly).
const MEDIA_KEYS: [&[u8]; 3] = [b"data", b"b64_json", b"file_data"];

/// How far before its data the beginning of a `data:` URL is looked for.
const URL_HEAD_BYTES: usize = 200;

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
    for string in Strings::of(&json).filter(|string| string.text.len() >= MEDIA_CHARS) {
        for (place, mark) in string.media() {
            out.extend_from_slice(json.get(copied..place.start).unwrap_or_default());
            out.extend_from_slice(mark.as_bytes());
            copied = place.end;
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
    /// The media in this string: where, and what stands for them.
    fn media(&self) -> Vec<(Range<usize>, String)> {
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(url) = DataUrl::find(self.text, at) {
            if let Some(mark) = mark(url.kind.as_deref(), &self.text[url.data.clone()]) {
                found.push((self.start + url.start..self.start + url.data.end, mark));
            }
            at = url.data.end;
        }
        if found.is_empty()
            && run_length(self.text) == self.text.len()
            && let Some(mark) = mark(self.declared(), self.text)
        {
            found.push((self.start..self.start + self.text.len(), mark));
        }
        found
    }

    /// What a string is if it is base64 from end to end and its bytes do not say so themselves.
    fn declared(&self) -> Option<&'static str> {
        MEDIA_KEYS.contains(&self.before).then_some("application/octet-stream")
    }
}

/// What stands for base64 media: their type as their first bytes say it, else as it is `declared`. `None` when
/// nobody knows a type, or when it is no base64.
fn mark(declared: Option<&str>, base64: &[u8]) -> Option<String> {
    if base64.len() < MEDIA_CHARS {
        return None;
    }
    let bytes = BASE64.decode(unescaped(base64).as_ref()).ok()?;
    let kind = sniff(&bytes).or(declared)?;
    let mut mark = format!("weir-media:{kind};bytes={};sha256=", bytes.len());
    for byte in Sha256::digest(&bytes) {
        write!(mark, "{byte:02x}").ok()?;
    }
    Some(mark)
}

/// `data:image/png;base64,AAAA` somewhere in a string.
struct DataUrl {
    start: usize,
    kind: Option<String>,
    data: Range<usize>,
}

impl DataUrl {
    /// Finds the first one from `at` on.
    fn find(text: &[u8], at: usize) -> Option<Self> {
        const MARK: &[u8] = b";base64,";
        memmem::find_iter(text.get(at..)?, MARK).find_map(|end| {
            let end = at + end;
            let head_start = at.max(end.saturating_sub(URL_HEAD_BYTES));
            let head = text.get(head_start..end)?;
            let scheme = memmem::rfind(head, b"data:")?;
            let data = text.get(end + MARK.len()..)?;
            let length = run_length(data);
            Some(Self {
                start: head_start + scheme,
                kind: declared_type(head.get(scheme + 5..)?),
                data: end + MARK.len()..end + MARK.len() + length,
            })
        })
    }
}

/// The type in `image/png;charset=utf-8`.
fn declared_type(head: &[u8]) -> Option<String> {
    let kind = head.split(|byte| *byte == b';').next()?;
    let kind = String::from_utf8_lossy(kind).replace("\\/", "/");
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"/.+-".contains(&byte);
    Some(kind).filter(|kind| !kind.is_empty() && kind.bytes().all(sound))
}

const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

/// How far base64 goes, with escaped slashes.
fn run_length(text: &[u8]) -> usize {
    let mut length = 0;
    loop {
        match text.get(length..) {
            Some([b'\\', b'/', ..]) => length += 2,
            Some([byte, ..]) if is_base64(*byte) => length += 1,
            _ => return length,
        }
    }
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
    fn pictures_in_the_middle_of_a_text_are_found() {
        let url = format!("data:image/svg+xml;charset=utf-8;base64,{}", BASE64.encode("<svg/>".repeat(99)));
        let text = format!(
            r#"{{"content":"See ![a]({url}) and ![b]({url}), not ;base64,{} this."}}"#,
            "A".repeat(300)
        );
        let shown = replaced(&text);
        assert!(
            shown.starts_with(r#"{"content":"See ![a](weir-media:image/svg+xml;bytes=594;sha256="#),
            "{shown}"
        );
        assert!(shown.contains(") and ![b](weir-media:") && shown.ends_with("AAA this.\"}"), "{shown}");
        let quoted =
            format!(r#"{{"content":"<img src=\"data:image/gif;base64,{}\">"}}"#, BASE64.encode([1; 900]));
        assert!(
            serde_json::from_str::<serde_json::Value>(&replaced(&quoted)).is_ok(),
            "{}",
            replaced(&quoted)
        );
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
