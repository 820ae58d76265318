//! What is kept on disk under `.rgctl/`, in embedded SQLite.
//!
//! **Invariant:** what a call has answered survives the death of the process. (The files are in write-ahead mode with
//! `synchronous = normal`: a loss of power may cost the last transactions, never the files.)

pub mod objects;

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

/// Another process may hold the file for this long before a call gives up.
const BUSY: Duration = Duration::from_secs(30);

/// Opens a database file; the file and its folder are made if they are missing.
fn open(path: &Path) -> rusqlite::Result<Connection> {
    if let Some(folder) = path.parent()
        && let Err(error) = std::fs::create_dir_all(folder)
    {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
        return Err(rusqlite::Error::SqliteFailure(code, Some(format!("{}: {error}", folder.display()))));
    }
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "normal")?;
    Ok(connection)
}
