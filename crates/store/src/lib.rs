//! What is kept in databases under the state directory: the record, leases, decisions, the embedded world.
//!
//! Goes in: events and decisions. Comes out: the same, verified, after whatever happened in between.
//!
//! **Invariant:** what was answered with success survives the process; an intent, and the end of a run, survive a loss
//! of power as well.

mod decisions;
mod inbox;
pub mod journal;
mod leases;
mod memories;
pub mod objects;
mod records;
mod tables;

use std::path::Path;
use std::time::Duration;

use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode};

/// A row is one object or one line of the record. A larger one was written by somebody else, and would fill the memory.
const ROW_BYTES_MAX: i32 = 64 << 20;
/// How long one process waits for another one's transaction.
const BUSY: Duration = Duration::from_secs(10);
/// How often is tried in that time what SQLite does not wait with by itself.
const TRIES: u32 = 1_000;

/// Opens a database, made when missing, that several processes may use at a time.
pub fn open(path: &Path) -> rusqlite::Result<Connection> {
    // A pipe in its place would be waited for without end, and a device be read without end.
    if std::fs::metadata(path).is_ok_and(|facts| !facts.is_file()) {
        return Err(rusqlite::Error::InvalidPath(path.to_owned()));
    }
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, ROW_BYTES_MAX)?;
    // Readers do not hold up the writer, and a process that is killed loses nothing that was committed.
    as_soon_as_free(|| connection.pragma_update(None, "journal_mode", "wal"))?;
    connection.pragma_update(None, "synchronous", "full")?;
    Ok(connection)
}

/// Of several processes that make a new database at once all but one are told that it is locked, without any wait: where two
/// wait for each other SQLite does not call its own handler.
fn as_soon_as_free(mut change: impl FnMut() -> rusqlite::Result<()>) -> rusqlite::Result<()> {
    for _ in 1..TRIES {
        match change() {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                std::thread::sleep(BUSY / TRIES);
            }
            other => return other,
        }
    }
    change()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_makes_a_new_database_waits_for_whoever_is_making_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sqlite");
        let first = Connection::open(&path).unwrap();
        first.execute_batch("BEGIN IMMEDIATE; CREATE TABLE t (a)").unwrap();
        let (told, hears) = std::sync::mpsc::channel();
        std::thread::scope(|threads| {
            threads.spawn(|| {
                told.send(()).unwrap();
                open(&path).unwrap();
            });
            hears.recv().unwrap();
            std::thread::yield_now();
            first.execute_batch("COMMIT").unwrap();
        });
    }

    #[test]
    fn a_row_beyond_measure_and_what_is_no_file_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sqlite");
        let plain = Connection::open(&path).unwrap();
        plain.execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(70000000)), (1)").unwrap();
        let bounded = open(&path).unwrap();
        let read = |row: i32| {
            bounded.query_row("SELECT a FROM t WHERE rowid = ?1", [row], |row| {
                Ok(matches!(row.get_ref(0)?, rusqlite::types::ValueRef::Integer(1)))
            })
        };
        assert!(read(1).is_err(), "it has 70 million bytes");
        assert!(read(2).unwrap());
        assert!(matches!(open(folder.path()), Err(rusqlite::Error::InvalidPath(_))));
    }
}
