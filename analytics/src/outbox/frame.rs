//! Frames: rows packed with LZ4 as ClickHouse reads and writes them, so that they are shipped as they lie in the file.
//!
//! ```text
//! checksum (CityHash128 of the rest, 16 bytes) · 0x82 · length of header and block (u32) · plain length (u32) · LZ4 block
//! ```
//! <https://clickhouse.com/docs/reference/interfaces/specs/NativeFormat#frame-format>, seen 2026-11-21.

use cityhash_rs::cityhash_102_128;

const LZ4: u8 = 0x82;
const CHECKSUM_BYTES: usize = 16;
const HEADER_BYTES: usize = 9;

/// Bytes that are not what they were when they were packed.
#[derive(Debug)]
pub(crate) struct Damaged;

/// Adds a frame that holds `plain`.
pub(crate) fn pack(plain: &[u8], out: &mut Vec<u8>) {
    let begin = out.len();
    let room = lz4_flex::block::get_maximum_output_size(plain.len());
    out.resize(begin + CHECKSUM_BYTES + HEADER_BYTES + room, 0);
    let data = begin + CHECKSUM_BYTES + HEADER_BYTES;
    // It fails only when there is not enough room, and then an empty frame fails its checksum.
    let packed_bytes = lz4_flex::block::compress_into(plain, &mut out[data..]).unwrap_or_default();
    out.truncate(data + packed_bytes);
    let header = begin + CHECKSUM_BYTES;
    out[header] = LZ4;
    out[header + 1..header + 5].copy_from_slice(&((HEADER_BYTES + packed_bytes) as u32).to_le_bytes());
    out[header + 5..data].copy_from_slice(&(plain.len() as u32).to_le_bytes());
    let checksum = checksum(&out[header..]);
    out[begin..header].copy_from_slice(&checksum);
}

/// How many plain bytes a frame holds; proves its checksum.
pub(crate) fn check(frame: &[u8]) -> Result<usize, Damaged> {
    let (told, rest) = frame.split_at_checked(CHECKSUM_BYTES).ok_or(Damaged)?;
    let header = rest.get(..HEADER_BYTES).ok_or(Damaged)?;
    if header[0] != LZ4 || number(&header[1..])? != rest.len() || checksum(rest) != told {
        return Err(Damaged);
    }
    number(&header[5..])
}

/// Adds what frames, one after the other, hold.
pub(crate) fn unpack(mut frames: &[u8], out: &mut Vec<u8>) -> Result<(), Damaged> {
    while !frames.is_empty() {
        let header = frames.get(CHECKSUM_BYTES..).ok_or(Damaged)?;
        let length = CHECKSUM_BYTES + number(header.get(1..).ok_or(Damaged)?)?;
        let (frame, rest) = frames.split_at_checked(length).ok_or(Damaged)?;
        let begin = out.len();
        out.resize(begin + check(frame)?, 0);
        let packed = &frame[CHECKSUM_BYTES + HEADER_BYTES..];
        let unpacked = lz4_flex::block::decompress_into(packed, &mut out[begin..]).map_err(|_| Damaged)?;
        if begin + unpacked != out.len() {
            return Err(Damaged);
        }
        frames = rest;
    }
    Ok(())
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    cityhash_102_128(bytes).rotate_right(64).to_le_bytes()
}

fn number(bytes: &[u8]) -> Result<usize, Damaged> {
    let bytes = bytes.first_chunk().ok_or(Damaged)?;
    Ok(u32::from_le_bytes(*bytes) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_unpack_to_what_was_packed() {
        let texts = ["", "a", &"x".repeat(100_000)];
        let mut frames = Vec::new();
        for text in texts {
            pack(text.as_bytes(), &mut frames);
        }
        let mut plain = Vec::new();
        unpack(&frames, &mut plain).unwrap();
        assert_eq!(plain, texts.concat().into_bytes());
        assert!(frames.len() < 1_000);
    }

    #[test]
    fn a_frame_has_its_header_and_an_lz4_block() {
        let mut frame = Vec::new();
        pack(b"abc", &mut frame);
        assert_eq!(&frame[16..], [&[LZ4, 13, 0, 0, 0, 3, 0, 0, 0][..], &[0x30], b"abc"].concat());
    }

    #[test]
    fn any_damaged_byte_is_noticed() {
        let mut frame = Vec::new();
        pack(&(0..200).collect::<Vec<u8>>(), &mut frame);
        for at in 0..frame.len() {
            let mut damaged = frame.clone();
            damaged[at] ^= 0x10;
            assert!(check(&damaged).is_err() && unpack(&damaged, &mut Vec::new()).is_err(), "byte {at}");
        }
        assert!(check(&frame[..frame.len() - 1]).is_err());
    }
}
