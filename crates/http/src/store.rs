//! Price books on disk.
//!
//! Goes in: a folder. Comes out: the book in it; or the folder with another book.
//!
//! **Invariant:** a book is written beside its place and renamed into it, so that a reader sees the old one or the new.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::RefreshError;
use rgctl_catalog::RefreshedBook;
use rgctl_machine::inputs;

/// The name of the refreshed price book in its folder.
pub const BOOK_FILE: &str = "prices.book";

/// All prices of all regions have some twenty megabytes.
const BOOK_BYTES_MAX: u64 = 256 << 20;

/// Reads the refreshed book of a folder; none where there is none.
pub fn load_book(dir: &Path) -> Result<Option<RefreshedBook>, RefreshError> {
    read_book(&dir.join(BOOK_FILE))
}

/// Reads a book; none where there is no file.
pub(super) fn read_book(path: &Path) -> Result<Option<RefreshedBook>, RefreshError> {
    let unreadable = |source| RefreshError::File {
        action: "cannot use",
        path: path.to_owned(),
        source: io::Error::other(source),
    };
    let Some(bytes) = inputs::read_own(path, BOOK_BYTES_MAX).map_err(unreadable)? else { return Ok(None) };
    let text = inputs::as_text(path, bytes).map_err(unreadable)?;
    let book = RefreshedBook::decode(&text)
        .map_err(|source| RefreshError::Book { path: path.to_owned(), source })?;
    Ok(Some(book))
}

/// Replaces a book as a whole.
pub(super) fn write_book(path: &Path, book: &RefreshedBook) -> Result<(), RefreshError> {
    let text = book.encode().map_err(|source| RefreshError::Book { path: path.to_owned(), source })?;
    let mut beside: PathBuf = path.to_owned();
    beside.as_mut_os_string().push(".new");
    let write = || {
        let mut file = File::create(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    write().map_err(|source| RefreshError::File { action: "cannot write", path: path.to_owned(), source })
}

/// Makes a folder, unless it is there.
pub(super) fn make_dir(path: &Path) -> Result<(), RefreshError> {
    fs::create_dir_all(path).map_err(|source| RefreshError::File {
        action: "cannot make the folder",
        path: path.to_owned(),
        source,
    })
}

/// The lock of a folder. The system frees it when the process ends.
pub(super) struct FolderLock(File);

impl Drop for FolderLock {
    // Closing the file is not enough: a child that is being started holds a copy of it until it runs its own program.
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// Takes the lock of a folder.
pub(super) fn lock(dir: &Path) -> Result<FolderLock, RefreshError> {
    let path = dir.join("lock");
    let failed = |source| RefreshError::File { action: "cannot lock", path: path.clone(), source };
    let file = File::create(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(FolderLock(file)),
        Err(fs::TryLockError::WouldBlock) => Err(RefreshError::Busy(dir.to_owned())),
        Err(fs::TryLockError::Error(source)) => Err(failed(source)),
    }
}
