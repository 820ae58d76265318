//! Texts that people wrote, read with a bound on their size; texts for people, written whole or not at all.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Plans are written by the program; a plan over ten thousand objects has some ten megabytes.
pub const PLAN_BYTES_MAX: u64 = 256 << 20;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// It is not there, or cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is a folder.
    #[error("{} is a folder, not a file", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
    },
    /// It is larger than any such file should be.
    #[error("{} has more than {max} bytes", path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
        /// The limit.
        max: u64,
    },
    /// It is not text.
    #[error("{} is not UTF-8 text: byte {at} belongs to no character", path.display())]
    NotText {
        /// Which.
        path: PathBuf,
        /// Where.
        at: usize,
    },
    /// It cannot be written.
    #[error("cannot write {}", path.display())]
    Unwritable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The text of a file; `-` is standard input.
pub fn read_text(path: &Path, bytes_max: u64) -> Result<String, InputError> {
    let unreadable = |source| InputError::Unreadable { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file at the limit from one beyond it.
    let bound = bytes_max.saturating_add(1);
    if path.as_os_str() == "-" {
        io::stdin().lock().take(bound).read_to_end(&mut bytes).map_err(unreadable)?;
    } else {
        let file = File::open(path).map_err(unreadable)?;
        if file.metadata().map_err(unreadable)?.is_dir() {
            return Err(InputError::Folder { path: path.to_owned() });
        }
        file.take(bound).read_to_end(&mut bytes).map_err(unreadable)?;
    }
    if bytes.len() as u64 > bytes_max {
        return Err(InputError::TooLarge { path: path.to_owned(), max: bytes_max });
    }
    String::from_utf8(bytes)
        .map_err(|error| InputError::NotText { path: path.to_owned(), at: error.utf8_error().valid_up_to() })
}

/// Writes a file in one step: whoever reads it sees the old text or the new one, never a part.
pub fn write_text(path: &Path, text: &str) -> Result<(), InputError> {
    let unwritable = |source| InputError::Unwritable { path: path.to_owned(), source };
    let name = path.file_name().ok_or_else(|| unwritable(io::Error::from(io::ErrorKind::InvalidInput)))?;
    // Beside the target, because a rename is one step only within a file system.
    let mut beside = name.to_owned();
    beside.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(beside);
    let write = || {
        let mut file = File::create(&part)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&part, path)
    };
    write().map_err(|source| {
        // The part is of no use to anybody; that it cannot be removed adds nothing to the error.
        let _ = fs::remove_file(&part);
        unwritable(source)
    })
}
