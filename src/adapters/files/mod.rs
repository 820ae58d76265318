//! What is kept in files under the state directory: the record, leases, overlays.
//!
//! Goes in: events and decisions. Comes out: the same, verified, after whatever happened in between.
//!
//! **Invariant:** what was answered with success survives the process; an intent, and the end of a run, survive a loss
//! of power as well.

mod inbox;
pub mod inputs;
pub mod journal;
mod leases;
pub mod objects;
pub mod outputs;

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

/// How long one process waits for another one's transaction.
const BUSY: Duration = Duration::from_secs(10);

/// Opens a database, made when missing, that several processes may use at a time.
pub fn open(path: &Path) -> rusqlite::Result<Connection> {
    // A pipe in its place would be waited for without end, and a device be read without end.
    if std::fs::metadata(path).is_ok_and(|facts| !facts.is_file()) {
        return Err(rusqlite::Error::InvalidPath(path.to_owned()));
    }
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    // Readers do not hold up the writer, and a process that is killed loses nothing that was committed.
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    Ok(connection)
}
