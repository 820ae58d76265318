//! Where the embedded cloud keeps its world: rows, each a key and a text, that several processes share.
//!
//! **Invariant:** a transaction sees every row that was written before it began, and nobody writes in between.

use std::error::Error;
use std::fmt;

/// A row: its key, and its text unless it is gone.
pub type Row = (String, Option<String>);

/// What goes wrong where a world is kept.
#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    /// What is kept there is of no use: only a new world helps.
    #[error(transparent)]
    Damaged(Box<dyn Error + Send + Sync>),
    /// It cannot be reached, or written.
    #[error(transparent)]
    Unavailable(Box<dyn Error + Send + Sync>),
}

/// A place for one world.
pub trait Place: fmt::Debug {
    /// Opens the world that is kept there, or makes room for one.
    fn open(&self) -> Result<Box<dyn Objects>, ObjectsError>;
    /// The text of one row of a world that is there; nothing when there is none, or it cannot be read. Nothing is made.
    fn peek(&self, key: &str) -> Option<String>;
    /// Removes what is kept there.
    fn remove(&self) -> Result<(), ObjectsError>;
}

/// The rows of a world that is open.
pub trait Objects: fmt::Debug + Send {
    /// Takes the world for this process alone, and yields what others have written since the last time.
    fn begin(&mut self) -> Result<Vec<Row>, ObjectsError>;
    /// What others have written since the last time.
    fn news(&mut self) -> Result<Vec<Row>, ObjectsError>;
    /// Writes rows and gives the world back. Nothing is written when there is nothing to write.
    fn commit(&mut self, rows: &[Row]) -> Result<(), ObjectsError>;
    /// Gives the world back unchanged.
    fn abandon(&self);
    /// The caller has lost what it knew: the next news are everything.
    fn forget(&mut self);
    /// Removes every row, and makes other processes see that: inside a transaction.
    fn clear(&mut self) -> Result<(), ObjectsError>;
}
