//! The rows of the embedded cloud in a file that several processes share.
//!
//! Goes in: rows, each a key and a text. Comes out: rows that others have written since.
//!
//! **Invariant:** a transaction sees every row that was written before it began, and nobody writes in between.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use rgctl_model::ports::objects::{Objects, ObjectsError, Place, Row};

/// What goes wrong with the file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The database.
    #[error("{path}: {source}")]
    Database {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// The folder, or the file as a whole.
    #[error("cannot make or remove {path}")]
    Folder {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file belongs to a newer or older version of this program.
    #[error("{path} has format {found}, this program reads {wanted}; `rgctl sim reset` makes it anew")]
    Format {
        /// Which file.
        path: PathBuf,
        /// What it has.
        found: i64,
        /// What this program reads.
        wanted: i64,
    },
}

impl FileError {
    /// Whether what is in the file is of no use: only a new file helps.
    fn is_damage(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match self {
            Self::Database { source, .. } => {
                matches!(source.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
            }
            Self::Format { .. } => true,
            Self::Folder { .. } => false,
        }
    }
}

impl From<FileError> for ObjectsError {
    fn from(error: FileError) -> Self {
        if error.is_damage() { Self::Damaged(Box::new(error)) } else { Self::Unavailable(Box::new(error)) }
    }
}

const FORMAT: i64 = 1;
/// Pages of 4 KiB that are written before the disk is waited for. A run over a large world writes some at every call;
/// 32 MiB of them are little enough to be left behind by a killed process.
const PAGES_BETWEEN_FLUSHES: i64 = 8_192;

/// The file under a state folder, such as `.rgctl`, in which a world is kept.
#[derive(Clone, Debug)]
pub struct WorldFile {
    path: PathBuf,
}

impl WorldFile {
    /// Its name.
    pub const NAME: &'static str = "sim.sqlite";

    /// The one under this folder.
    pub fn under(state_dir: &Path) -> Self {
        Self { path: state_dir.join(Self::NAME) }
    }
}

impl Place for WorldFile {
    fn open(&self) -> Result<Box<dyn Objects>, ObjectsError> {
        Ok(Box::new(OpenWorld::open(&self.path)?))
    }

    fn peek(&self, key: &str) -> Option<String> {
        let connection = Connection::open_with_flags(&self.path, OpenFlags::SQLITE_OPEN_READ_WRITE).ok()?;
        connection.query_row("SELECT body FROM objects WHERE key = ?1", [key], |row| row.get(0)).ok()
    }

    /// The file and what belongs to it.
    fn remove(&self) -> Result<(), ObjectsError> {
        for suffix in ["", "-wal", "-shm"] {
            let mut name = self.path.as_os_str().to_owned();
            name.push(suffix);
            match std::fs::remove_file(&name) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(FileError::Folder { path: PathBuf::from(name), source }.into());
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The file, open.
#[derive(Debug)]
struct OpenWorld {
    path: PathBuf,
    connection: Connection,
    /// Rows up to this version are known to the caller.
    known: i64,
}

impl OpenWorld {
    /// Opens the file; it is made if it is missing.
    fn open(path: &Path) -> Result<Self, FileError> {
        let wrap = |source| FileError::Database { path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|source| FileError::Folder { path: folder.to_owned(), source })?;
        }
        let connection = super::open(path).map_err(wrap)?;
        // A killed process loses nothing this way; a power cut may undo the last seconds of a world that does not
        // exist. Waiting for the disk at every call would make a virtual day last a real hour.
        connection.pragma_update(None, "synchronous", "normal").map_err(wrap)?;
        connection.pragma_update(None, "wal_autocheckpoint", PAGES_BETWEEN_FLUSHES).map_err(wrap)?;
        let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(wrap)?;
        if found != 0 && found != FORMAT {
            return Err(FileError::Format { path: path.to_owned(), found, wanted: FORMAT });
        }
        connection
            .execute_batch(&format!(
                "CREATE TABLE IF NOT EXISTS objects (
                     key TEXT PRIMARY KEY, body TEXT, version INTEGER NOT NULL
                 ) WITHOUT ROWID;
                 CREATE INDEX IF NOT EXISTS objects_by_version ON objects (version);
                 PRAGMA user_version = {FORMAT};"
            ))
            .map_err(wrap)?;
        Ok(Self { path: path.to_owned(), connection, known: 0 })
    }

    fn wrap(&self, source: rusqlite::Error) -> FileError {
        FileError::Database { path: self.path.clone(), source }
    }

    fn read_news(&self) -> rusqlite::Result<Vec<(i64, Row)>> {
        let newest: Option<i64> = self
            .connection
            .prepare_cached("SELECT version FROM objects ORDER BY version DESC LIMIT 1")?
            .query_row([], |row| row.get(0))
            .optional()?;
        if newest.unwrap_or(0) <= self.known {
            return Ok(Vec::new());
        }
        let mut read = self
            .connection
            .prepare_cached("SELECT version, key, body FROM objects WHERE version > ?1 ORDER BY key")?;
        let rows = read.query_map([self.known], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?;
        rows.collect()
    }

    fn write(&self, rows: &[Row], version: i64) -> rusqlite::Result<()> {
        let mut put = self
            .connection
            .prepare_cached("INSERT OR REPLACE INTO objects (key, body, version) VALUES (?1, ?2, ?3)")?;
        for (key, body) in rows {
            put.execute((key, body, version))?;
        }
        Ok(())
    }
}

impl Objects for OpenWorld {
    fn begin(&mut self) -> Result<Vec<Row>, ObjectsError> {
        self.connection.execute_batch("BEGIN IMMEDIATE").map_err(|error| self.wrap(error))?;
        self.news().inspect_err(|_| self.abandon())
    }

    fn news(&mut self) -> Result<Vec<Row>, ObjectsError> {
        let rows = self.read_news().map_err(|error| self.wrap(error))?;
        if let Some(version) = rows.iter().map(|(version, _)| *version).max() {
            self.known = version;
        }
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }

    fn commit(&mut self, rows: &[Row]) -> Result<(), ObjectsError> {
        let version = self.known + 1;
        let written = self.write(rows, version).and_then(|()| self.connection.execute_batch("COMMIT"));
        match written {
            Ok(()) => {
                if !rows.is_empty() {
                    self.known = version;
                }
                Ok(())
            }
            Err(error) => {
                self.abandon();
                Err(self.wrap(error).into())
            }
        }
    }

    fn abandon(&self) {
        // It fails only where no transaction is open any more, which is what is wanted.
        let _ = self.connection.execute_batch("ROLLBACK");
    }

    fn forget(&mut self) {
        self.known = 0;
    }

    fn clear(&mut self) -> Result<(), ObjectsError> {
        let version = self.known + 1;
        self.connection
            .execute("UPDATE objects SET body = NULL, version = ?1 WHERE body IS NOT NULL", [version])
            .map_err(|error| self.wrap(error))?;
        Ok(())
    }
}
