//! The bodies of one call, or the long texts of one span, in one compressed blob.
//!
//! The blob of a call is a zstd frame of three lengths (request, answer, upstream request; all ones for "none") and
//! the three bodies. A dictionary of what such JSON usually looks like makes up for their being short; its number
//! is kept beside the blob and its bytes in the file, so that any file can be read without the build that wrote
//! it. Dictionaries are shipped and never trained on traffic: one that was would keep pieces of what people
//! said after their calls are deleted.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io;
use std::sync::LazyLock;

use rusqlite::Connection;
use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::EncoderDictionary;

use crate::row::Bodies;

/// The dictionary rows are written with.
pub(super) const DICTIONARY: i64 = 1;
/// Its bytes.
pub(super) const DICTIONARY_BYTES: &[u8] = include_bytes!("shapes.dict");
const LEVEL: i32 = 1;
/// Bytes of each length at the head.
const LENGTH_BYTES: usize = 4;
const ABSENT: u32 = u32::MAX;
/// The most one blob may unpack to; a damaged length must not take all memory.
const UNPACKED_BYTES: usize = 256 * 1024 * 1024;
/// Room kept from one row to the next.
const SPARE_BYTES: usize = 256 * 1024;

static ENCODER: LazyLock<EncoderDictionary<'static>> =
    LazyLock::new(|| EncoderDictionary::copy(DICTIONARY_BYTES, LEVEL));

/// Packs the bodies of one call after another.
pub(super) struct Packer {
    compressor: Compressor<'static>,
    plain: Vec<u8>,
    packed: Vec<u8>,
}

impl Packer {
    pub(super) fn new() -> io::Result<Self> {
        let compressor = Compressor::with_prepared_dictionary(&ENCODER)?;
        Ok(Self { compressor, plain: Vec::new(), packed: Vec::new() })
    }

    /// Packs the bodies of a call; the result stands until the next call.
    pub(super) fn pack(&mut self, bodies: &Bodies<'_>) -> io::Result<&[u8]> {
        let parts = [&bodies.request, &bodies.response, &bodies.upstream_request];
        self.pack_parts(parts.map(|part| part.as_deref()))
    }

    /// Packs texts that may be absent; the result stands until the next call.
    pub(super) fn pack_parts<const N: usize>(&mut self, parts: [Option<&[u8]>; N]) -> io::Result<&[u8]> {
        self.plain.clear();
        self.plain.shrink_to(SPARE_BYTES);
        for part in parts {
            let length = part.map_or(ABSENT, |part| part.len() as u32);
            self.plain.extend_from_slice(&length.to_le_bytes());
        }
        for part in parts.into_iter().flatten() {
            self.plain.extend_from_slice(part);
        }
        self.packed.clear();
        self.packed.shrink_to(SPARE_BYTES);
        self.packed.reserve(zstd::zstd_safe::compress_bound(self.plain.len()));
        self.compressor.compress_to_buffer(&self.plain, &mut self.packed)?;
        Ok(&self.packed)
    }
}

/// Unpacks bodies written with any dictionary the file holds.
pub(super) struct Unpacker {
    decompressors: HashMap<i64, Decompressor<'static>>,
    plain: Vec<u8>,
}

impl Unpacker {
    /// Knows the dictionaries the file holds.
    pub(super) fn knowing(db: &Connection) -> rusqlite::Result<Self> {
        let mut unpacker = Self { decompressors: HashMap::new(), plain: Vec::new() };
        let mut dictionaries = db.prepare("SELECT number, bytes FROM dictionary")?;
        let mut rows = dictionaries.query([])?;
        while let Some(row) = rows.next()? {
            // A dictionary that cannot be used makes the bodies written with it unreadable, and nothing else.
            if let Ok(decompressor) = Decompressor::with_dictionary(row.get_ref(1)?.as_blob()?) {
                unpacker.decompressors.insert(row.get(0)?, decompressor);
            }
        }
        Ok(unpacker)
    }

    /// Unpacks the bodies of a call; the result stands until the next call. `None` when the blob is damaged or its
    /// dictionary is not in the file.
    pub(super) fn unpack(&mut self, dictionary: i64, packed: &[u8]) -> Option<Bodies<'_>> {
        let [request, response, upstream_request] =
            self.unpack_parts(dictionary, packed)?.map(|part| part.map(Cow::Borrowed));
        Some(Bodies { request, response, upstream_request })
    }

    /// Unpacks as many texts as were packed.
    pub(super) fn unpack_parts<const N: usize>(
        &mut self,
        dictionary: i64,
        packed: &[u8],
    ) -> Option<[Option<&[u8]>; N]> {
        let decompressor = self.decompressors.get_mut(&dictionary)?;
        let length = zstd::zstd_safe::get_frame_content_size(packed).ok()??;
        let length = usize::try_from(length).ok().filter(|length| *length <= UNPACKED_BYTES)?;
        self.plain.clear();
        self.plain.shrink_to(SPARE_BYTES);
        self.plain.reserve(length);
        decompressor.decompress_to_buffer(packed, &mut self.plain).ok()?;
        split(&self.plain)
    }
}

fn split<const N: usize>(plain: &[u8]) -> Option<[Option<&[u8]>; N]> {
    let (head, mut rest) = plain.split_at_checked(N * LENGTH_BYTES)?;
    let mut parts = [None; N];
    for (length, part) in head.chunks_exact(LENGTH_BYTES).zip(&mut parts) {
        let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]);
        if length != ABSENT {
            let (text, behind) = rest.split_at_checked(length as usize)?;
            *part = Some(text);
            rest = behind;
        }
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacker() -> Unpacker {
        let decompressor = Decompressor::with_dictionary(DICTIONARY_BYTES).unwrap();
        Unpacker { decompressors: HashMap::from([(DICTIONARY, decompressor)]), plain: Vec::new() }
    }

    fn asked(text: &str) -> Bodies<'_> {
        Bodies { request: Some(Cow::Borrowed(text.as_bytes())), ..Bodies::default() }
    }

    #[test]
    fn bodies_come_out_as_they_went_in() {
        let (mut writer, mut reader) = (Packer::new().unwrap(), unpacker());
        for bodies in [
            Bodies { response: asked("").request, ..asked("{}") },
            Bodies {
                request: None,
                response: asked("ü").request,
                upstream_request: asked("{\"model\":1}").request,
            },
            Bodies::default(),
        ] {
            let packed = writer.pack(&bodies).unwrap().to_vec();
            assert_eq!(reader.unpack(DICTIONARY, &packed), Some(bodies));
        }
    }

    #[test]
    fn a_damaged_blob_is_refused() {
        let bodies = asked("{\"model\":\"gpt-4o\"}");
        let packed = Packer::new().unwrap().pack(&bodies).unwrap().to_vec();
        let mut reader = unpacker();
        assert_eq!(reader.unpack(DICTIONARY, &packed[..packed.len() - 3]), None);
        assert_eq!(reader.unpack(DICTIONARY, b"not zstd"), None);
        assert_eq!(reader.unpack(DICTIONARY, &[]), None);
        assert_eq!(reader.unpack(DICTIONARY + 1, &packed), None);
    }

    #[test]
    fn the_dictionary_makes_short_bodies_much_shorter() {
        let request = r#"{"model":"gpt-4o-mini","messages":[{"role":"system","content":"You are a helpful assistant."},{"role":"user","content":"Hi"}],"temperature":0.2,"stream":true}"#;
        let packed = Packer::new().unwrap().pack(&asked(request)).unwrap().len();
        assert!(packed * 2 < request.len(), "{packed} of {}", request.len());
    }
}
