//! Reading a copy: batch by batch, up to the last one that is whole.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::{COLUMNS, END, Kind, MAGIC};
use crate::StoreError;
use crate::db::{Columns, Packed, Result};
use crate::snapshot::Snapshot;
use crate::snapshot::load::Rows;

/// The largest record: a version's content, metadata and examples, several times over.
const RECORD_BYTES: u32 = 64 << 20;
/// The longest name of a registry.
const PLACE_BYTES: u64 = 4_096;

/// The newest snapshot a file holds of the registry at `place`. `None` when there is no file, or of another registry, or
/// nothing whole in it.
pub(crate) fn read(path: &Path, place: &str) -> Result<Option<Snapshot>> {
    match File::open(path) {
        Ok(file) => read_file(BufReader::with_capacity(1 << 20, file), place),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(error)),
    }
}

fn read_file(mut file: BufReader<File>, place: &str) -> Result<Option<Snapshot>> {
    if !is_of(&mut file, place).map_err(unreadable)? {
        return Ok(None);
    }
    let mut snapshot = None;
    while let Some((revision, rows)) = read_batch(&mut file)? {
        let before = snapshot.unwrap_or_default();
        snapshot = Some(rows.put(before, revision)?);
    }
    Ok(snapshot)
}

fn is_of(file: &mut BufReader<File>, place: &str) -> io::Result<bool> {
    let mut head = Vec::with_capacity(MAGIC.len());
    file.take(MAGIC.len() as u64).read_to_end(&mut head)?;
    let mut line = Vec::new();
    file.take(PLACE_BYTES).read_until(b'\n', &mut line)?;
    Ok(head == MAGIC && line.strip_suffix(b"\n") == Some(place.as_bytes()))
}

/// The next batch and the revision it ends with; `None` behind the last whole one.
fn read_batch(file: &mut impl Read) -> Result<Option<(i64, Rows)>> {
    let mut digest = Sha256::new();
    let mut rows = Rows::default();
    let mut columns: Vec<(Kind, Columns)> = Vec::new();
    loop {
        let Some((tag, bytes)) = read_record(file) else { return Ok(None) };
        if tag == END {
            let Some((revision, held)) = bytes.split_first_chunk::<8>() else { return Ok(None) };
            let whole = digest.finalize().as_slice() == held;
            return Ok(whole.then_some((i64::from_le_bytes(*revision), rows)));
        }
        digest.update([tag]);
        digest.update((bytes.len() as u32).to_le_bytes());
        digest.update(&bytes);
        if tag == COLUMNS {
            let Some((kind, names)) = read_columns(&bytes) else { return Ok(None) };
            columns.retain(|(of, _)| *of != kind);
            columns.push((kind, names));
            continue;
        }
        let Some((kind, columns)) = columns.iter().find(|(kind, _)| kind.tag() == tag) else {
            return Ok(None);
        };
        rows.add(*kind, columns, Packed::of(bytes))?;
    }
}

fn read_record(file: &mut impl Read) -> Option<(u8, Box<[u8]>)> {
    let mut head = [0; 5];
    file.read_exact(&mut head).ok()?;
    let [tag, length @ ..] = head;
    let length = u32::from_le_bytes(length);
    if length > RECORD_BYTES {
        return None;
    }
    let mut bytes = Vec::with_capacity(length as usize);
    file.take(u64::from(length)).read_to_end(&mut bytes).ok()?;
    (bytes.len() == length as usize).then(|| (tag, bytes.into()))
}

fn read_columns(bytes: &[u8]) -> Option<(Kind, Columns)> {
    let (tag, names) = bytes.split_first()?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.tag() == *tag)?;
    let names = std::str::from_utf8(names).ok()?;
    Some((kind, names.split('\n').map(Box::from).collect()))
}

fn unreadable(error: io::Error) -> StoreError {
    StoreError::Unavailable(Box::new(error))
}
