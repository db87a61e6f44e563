//! A SQLite file of ours, whatever is in it: taken for this process alone, looked over, set aside when it is damaged.

pub(crate) mod checkpoint;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, Row};
use vocab::Clock;

use crate::OpenError;
use crate::store::SetAside;

/// How long a file is looked over at start; what could not be read by then is taken to be sound.
const CHECK_TIME: Duration = Duration::from_secs(1);
/// The files of one database.
const SUFFIXES: [&str; 3] = ["", "-wal", "-shm"];

/// What tells one kind of file from another, and makes a new one.
pub(crate) struct Format {
    /// What it is called in messages: `records file`.
    pub(crate) noun: &'static str,
    /// A table that every file of this kind has, whatever its version.
    pub(crate) table: &'static str,
    /// The newest version this build knows; a newer one is refused.
    pub(crate) version: i64,
    /// Makes the tables of a new file.
    pub(crate) create: fn(&mut Connection) -> rusqlite::Result<()>,
    /// Brings a file of this older version, or of this one, to the newest.
    pub(crate) upgrade: fn(&mut Connection, i64) -> rusqlite::Result<()>,
    /// Sets up a connection that writes.
    pub(crate) write_ahead: fn(&Connection) -> rusqlite::Result<()>,
}

/// A file, held by this process until dropped.
pub(crate) struct HeldFile {
    pub(crate) path: PathBuf,
    pub(crate) format: &'static Format,
    /// Whether commits are to wait for the disk itself.
    sync_full: AtomicBool,
    _lock: File,
}

/// Why a file cannot be opened as it is.
enum Fault {
    Damaged(String),
    Refused(OpenError),
}

impl HeldFile {
    /// Takes the file for this process, making its folder when there is none.
    pub(crate) fn take(path: &Path, format: &'static Format) -> Result<Self, OpenError> {
        let unavailable = |error: &io::Error| unavailable(path, error);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| unavailable(&error))?;
        }
        let lock = private().open(beside(path, "-lock")).map_err(|error| unavailable(&error))?;
        match lock.try_lock() {
            Ok(()) => {
                let sync_full = AtomicBool::new(false);
                Ok(Self { path: path.to_owned(), format, sync_full, _lock: lock })
            }
            Err(fs::TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
            Err(fs::TryLockError::Error(error)) => Err(unavailable(&error)),
        }
    }

    /// Has commits wait for the disk itself, on connections opened from now on.
    pub(crate) fn sync_fully(&self) {
        self.sync_full.store(true, Ordering::Relaxed);
    }

    /// Opens the file for writing. A damaged one is set aside first.
    pub(crate) fn open(&self, clock: &Clock) -> Result<(Connection, Option<SetAside>), OpenError> {
        let reason = match self.open_as_it_is() {
            Ok(db) => return Ok((db, None)),
            Err(Fault::Refused(error)) => return Err(error),
            Err(Fault::Damaged(reason)) => reason,
        };
        let set_aside = self.set_aside(reason, clock)?;
        match self.open_as_it_is() {
            Ok(db) => Ok((db, Some(set_aside))),
            Err(Fault::Refused(error)) => Err(error),
            Err(Fault::Damaged(reason)) => Err(OpenError::Unavailable { path: self.path.clone(), reason }),
        }
    }

    /// Moves the file and what belongs to it to another name.
    pub(crate) fn set_aside(&self, reason: String, clock: &Clock) -> Result<SetAside, OpenError> {
        let stamp = clock.now().to_string().replace([':', '.'], "-");
        let moved_to = beside(&self.path, &format!(".damaged-{stamp}"));
        for suffix in SUFFIXES {
            let from = beside(&self.path, suffix);
            if from.exists() {
                fs::rename(&from, beside(&moved_to, suffix))
                    .map_err(|error| unavailable(&self.path, &error))?;
            }
        }
        let set_aside = SetAside { file: self.format.noun, moved_to, reason, salvaged: None };
        tracing::error!(moved_to = %set_aside.moved_to.display(), reason = %set_aside.reason, "the {} was damaged: a fresh one serves", set_aside.file);
        Ok(set_aside)
    }

    fn open_as_it_is(&self) -> Result<Connection, Fault> {
        // Made here, so that nobody else may read what people say.
        private().open(&self.path).map_err(|error| Fault::Refused(unavailable(&self.path, &error)))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut db = Connection::open_with_flags(&self.path, flags).map_err(|error| self.fault(&error))?;
        let tables = "SELECT count(*), count(*) FILTER (WHERE name = ?1) FROM sqlite_schema";
        let counts = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
        let tables = db.query_row(tables, [self.format.table], counts);
        match tables.map_err(|error| self.fault(&error))? {
            (0, _) => (self.format.create)(&mut db).map_err(|error| self.fault(&error))?,
            (_, 1) => self.look_over(&mut db)?,
            _ => return Err(Fault::Refused(OpenError::Foreign { path: self.path.clone() })),
        }
        (self.format.write_ahead)(&db).map_err(|error| self.fault(&error))?;
        if self.sync_full.load(Ordering::Relaxed) {
            db.pragma_update(None, "synchronous", "FULL").map_err(|error| self.fault(&error))?;
        }
        Ok(db)
    }

    /// Checks a file that was there, and brings it to this build's format.
    fn look_over(&self, db: &mut Connection) -> Result<(), Fault> {
        let found = db.pragma_query_value(None, "user_version", |row| row.get(0));
        let found: i64 = found.map_err(|error| self.fault(&error))?;
        if found > self.format.version {
            let path = self.path.clone();
            return Err(Fault::Refused(OpenError::Newer { path, found, known: self.format.version }));
        }
        match checked(db) {
            Ok(verdict) if verdict == "ok" => {}
            Ok(verdict) => return Err(Fault::Damaged(verdict)),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {}
            Err(error) => return Err(self.fault(&error)),
        }
        (self.format.upgrade)(db, found).map_err(|error| self.fault(&error))
    }

    fn fault(&self, error: &rusqlite::Error) -> Fault {
        if is_damage(error) {
            return Fault::Damaged(error.to_string());
        }
        Fault::Refused(OpenError::Unavailable { path: self.path.clone(), reason: error.to_string() })
    }
}

/// Bytes of the file and its log on disk.
pub(crate) fn bytes(path: &Path) -> u64 {
    let size = |suffix| fs::metadata(beside(path, suffix)).map_or(0, |metadata| metadata.len());
    SUFFIXES.into_iter().map(size).sum()
}

/// Has SQLite look the file over, for as long as [`CHECK_TIME`] allows.
fn checked(db: &Connection) -> rusqlite::Result<String> {
    let interrupt = db.get_interrupt_handle();
    thread::scope(|scope| {
        let timer = scope.spawn(move || {
            thread::park_timeout(CHECK_TIME);
            interrupt.interrupt();
        });
        let verdict = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
        timer.thread().unpark();
        verdict
    })
}

/// Whether an error says that the file is damaged.
pub(crate) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Whether an error says that the disk, or the file's limit, is full.
pub(crate) fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

pub(crate) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn unavailable(path: &Path, error: &io::Error) -> OpenError {
    OpenError::Unavailable { path: path.to_owned(), reason: error.to_string() }
}
