//! What is kept in files under the state directory: the record, leases, overlays.
//!
//! Goes in: events and decisions. Comes out: the same, verified, after whatever happened in between.
//!
//! **Invariant:** what was answered with success survives the process; an intent, and the end of a run, survive a loss
//! of power as well.

pub mod inputs;
pub mod journal;
pub mod objects;

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

/// How long one process waits for another one's transaction.
const BUSY: Duration = Duration::from_secs(10);

/// Opens a database, made when missing, that several processes may use at a time.
pub fn open(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    // Readers do not hold up the writer, and a process that is killed loses nothing that was committed.
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    Ok(connection)
}
