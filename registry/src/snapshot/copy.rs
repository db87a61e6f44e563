//! The snapshot's copy on disk: what a node serves from when it starts while its database is away.
//!
//! The file is a log of rows as the database gave them, in batches: everything, then what each refresh brought. A batch
//! counts when its end is there with the digest of all before it: a file that a crash tore is worth what was whole. When
//! what was added is more than what it began with, it is written anew. It holds prompts, and of keys and tokens the
//! hashes; only its owner may read it.

mod reading;

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tracing::{error, warn};

use crate::db::{Columns, Packed};

pub(crate) use reading::read;

/// What every copy starts with; another number for another layout.
const MAGIC: &[u8] = b"weir registry copy 1\n";
/// What is added before the whole is written anew, however little it began with.
const ADDED_BYTES: u64 = 16 << 20;
/// Bytes gathered before they go to the file.
const BUFFER_BYTES: usize = 256 << 10;

/// What a row is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Project,
    Prompt,
    Version,
    Key,
    Token,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Project, Self::Prompt, Self::Version, Self::Key, Self::Token];

    const fn tag(self) -> u8 {
        match self {
            Self::Project => b'j',
            Self::Prompt => b'p',
            Self::Version => b'v',
            Self::Key => b'k',
            Self::Token => b't',
        }
    }
}

/// Tags of what is no row.
const COLUMNS: u8 = b'c';
const END: u8 = b'e';

/// The file, and how far it is whole.
#[derive(Debug)]
pub(crate) struct Copy {
    path: PathBuf,
    /// Which registry this is a copy of.
    place: String,
    log: Option<Log>,
}

#[derive(Debug)]
struct Log {
    file: File,
    /// Where the last whole batch ends.
    whole_bytes: u64,
    /// Where the first one ends.
    first_bytes: u64,
}

impl Copy {
    pub(crate) const fn new(path: PathBuf, place: String) -> Self {
        Self { path, place, log: None }
    }

    /// Whether so much was added that it is better written anew.
    pub(crate) fn is_long(&self) -> bool {
        self.log.as_ref().is_some_and(|log| log.whole_bytes > 2 * log.first_bytes + ADDED_BYTES)
    }

    /// Begins a batch: of everything in a file of its own, or behind those that are there. `None` when there are none
    /// that it could stand behind.
    pub(crate) fn begin(&mut self, everything: bool) -> Option<Scribe> {
        let begun =
            if everything { start(&beside(&self.path), &self.place) } else { self.log.as_ref()?.resume() };
        Some(Scribe(begun))
    }

    /// Takes a batch in when it was written whole. A copy that cannot be written is given up and removed, for it would
    /// let in who was shut out since; it is begun anew when everything is read again.
    pub(crate) fn end(&mut self, scribe: Scribe, revision: i64) {
        match scribe.finish(revision).and_then(|written| self.put_in_place(written)) {
            Ok(log) => self.log = Some(log),
            Err(error) => {
                let path = self.path.display().to_string();
                warn!(%error, path, "the registry's copy cannot be written: without it, a start needs the database");
                self.log = None;
                self.remove();
            }
        }
    }

    fn remove(&self) {
        let removed = std::fs::remove_file(&self.path);
        if let Err(error) = removed.or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        }) {
            let path = self.path.display().to_string();
            error!(%error, path, "the registry's old copy cannot be removed: remove it, it knows nothing of what was revoked since");
        }
    }

    fn put_in_place(&self, written: Written) -> io::Result<Log> {
        let Written { file, bytes, first_bytes, secrets } = written;
        if let Some(first_bytes) = first_bytes {
            // What was revoked has to stay so after a power cut; wording may be read again.
            if secrets {
                file.sync_data()?;
            }
            return Ok(Log { file, whole_bytes: bytes, first_bytes });
        }
        file.sync_all()?;
        std::fs::rename(beside(&self.path), &self.path)?;
        Ok(Log { file, whole_bytes: bytes, first_bytes: bytes })
    }
}

impl Log {
    /// Writes on behind the last whole batch, over what one that came to nothing left there.
    fn resume(&self) -> io::Result<Work> {
        let mut file = self.file.try_clone()?;
        file.set_len(self.whole_bytes)?;
        file.seek(SeekFrom::Start(self.whole_bytes))?;
        Ok(Work::on(file, self.whole_bytes, Some(self.first_bytes)))
    }
}

/// Writes one batch. What goes wrong is kept for the end: whoever loads rows has better things to do.
pub(crate) struct Scribe(io::Result<Work>);

struct Work {
    writer: BufWriter<File>,
    digest: Sha256,
    bytes: u64,
    /// Where the file's first batch ends; `None` while this is the first.
    first_bytes: Option<u64>,
    columns: Vec<(Kind, Columns)>,
}

/// A file with one more whole batch in it.
struct Written {
    file: File,
    bytes: u64,
    first_bytes: Option<u64>,
    /// Whether keys or tokens are in the batch.
    secrets: bool,
}

impl Scribe {
    /// Writes a row down.
    pub(crate) fn note(&mut self, kind: Kind, columns: &Columns, row: &Packed) {
        let Ok(work) = &mut self.0 else { return };
        if let Err(error) = work.note(kind, columns, row) {
            self.0 = Err(error);
        }
    }

    fn finish(self, revision: i64) -> io::Result<Written> {
        let mut work = self.0?;
        let digest = work.digest.clone().finalize();
        work.record(END, &[&revision.to_le_bytes(), digest.as_slice()])?;
        let file = work.writer.into_inner().map_err(io::IntoInnerError::into_error)?;
        let secrets = work.columns.iter().any(|(kind, _)| matches!(kind, Kind::Key | Kind::Token));
        Ok(Written { file, bytes: work.bytes, first_bytes: work.first_bytes, secrets })
    }
}

impl Work {
    fn on(file: File, bytes: u64, first_bytes: Option<u64>) -> Self {
        let writer = BufWriter::with_capacity(BUFFER_BYTES, file);
        Self { writer, digest: Sha256::new(), bytes, first_bytes, columns: Vec::new() }
    }

    fn note(&mut self, kind: Kind, columns: &Columns, row: &Packed) -> io::Result<()> {
        let known = self.columns.iter().any(|(of, names)| *of == kind && names == columns);
        if !known {
            let names = columns.join("\n");
            self.record(COLUMNS, &[&[kind.tag()], names.as_bytes()])?;
            self.columns.retain(|(of, _)| *of != kind);
            self.columns.push((kind, Arc::clone(columns)));
        }
        self.record(kind.tag(), &[row.bytes()])
    }

    fn record(&mut self, tag: u8, parts: &[&[u8]]) -> io::Result<()> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let length = u32::try_from(length).map_err(io::Error::other)?;
        self.write(&[tag])?;
        self.write(&length.to_le_bytes())?;
        parts.iter().try_for_each(|part| self.write(part))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
        self.writer.write_all(bytes)
    }
}

/// A new file beside the one that serves until this one is whole.
fn start(path: &Path, place: &str) -> io::Result<Work> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    // One that a crash left behind keeps the mode it had.
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    let head = [MAGIC, place.as_bytes(), b"\n"].concat();
    file.write_all(&head)?;
    Ok(Work::on(file, head.len() as u64, None))
}

fn beside(path: &Path) -> PathBuf {
    path.with_extension("new")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_that_cannot_be_written_on_is_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("registry.copy");
        let mut copy = Copy::new(path.clone(), "here".to_owned());
        let scribe = copy.begin(true).expect("a first batch");
        copy.end(scribe, 1);
        assert!(path.exists() && copy.begin(false).is_some());

        copy.end(Scribe(Err(io::Error::other("the disk is full"))), 2);
        assert!(!path.exists(), "it would let in whoever was shut out since");
        assert!(copy.begin(false).is_none(), "there is nothing to stand behind");
        let scribe = copy.begin(true).expect("a first batch anew");
        copy.end(scribe, 3);
        assert!(path.exists());
    }
}
