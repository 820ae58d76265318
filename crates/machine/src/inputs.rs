//! The one door for what comes from outside: files, standard input, pipes, devices, folders. `docs/inputs.md` has the
//! table of the bounds.
//!
//! Goes in: a path. Comes out: its bytes, or why it cannot be used and what to do.
//!
//! **Invariant:** bounded in size and in time, whatever is behind the path; `tests/it/architecture.rs` checks that no
//! other file opens an input.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Plans are written by the program; a plan over ten thousand objects has some ten megabytes.
pub const PLAN_BYTES_MAX: u64 = 64 << 20;
/// A blueprint of a large game has some kilobytes. The reader of YAML refuses more than this, too.
pub const DOCUMENT_BYTES_MAX: u64 = 1 << 20;
/// All documents of one command: a folder of regions has a few dozen small ones.
pub const DOCUMENTS_BYTES_MAX: u64 = 16 << 20;
/// A template is a document with holes.
pub const TEMPLATE_BYTES_MAX: u64 = 1 << 20;
/// Three years of readings, one a minute.
pub const TRACE_BYTES_MAX: u64 = 64 << 20;
/// All traces of one backtest, whose readings are held in memory together.
pub const TRACES_BYTES_MAX: u64 = 512 << 20;
/// Whoever pipes an input may compute it first; what takes longer is a pipe that nobody writes to.
pub const INPUT_TIME_MAX: Duration = Duration::from_mins(1);
/// Documents of one folder.
pub const FOLDER_FILES_MAX: usize = 1_000;
/// Entries of a folder that are looked at to find those documents.
const FOLDER_ENTRIES_MAX: usize = 20_000;

/// Why an input cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// It is not there, or cannot be read.
    #[error("cannot read {}", shown(path))]
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
    /// It is neither file nor folder where only a file is of use.
    #[error("{} is a pipe or a device, not a file", path.display())]
    NotAFile {
        /// Which.
        path: PathBuf,
    },
    /// A folder has more in it than any such folder should.
    #[error("{} has more than {max} files", path.display())]
    TooMany {
        /// Which.
        path: PathBuf,
        /// The limit.
        max: usize,
    },
    /// It is larger than any such file should be.
    #[error("{} has more than {max} bytes", shown(path))]
    TooLarge {
        /// Which.
        path: PathBuf,
        /// The limit.
        max: u64,
    },
    /// All inputs together are larger than those of one command should be.
    #[error("{} and what was read before it have more than {max} bytes together", shown(path))]
    TooLargeTogether {
        /// The one that was too many.
        path: PathBuf,
        /// The limit.
        max: u64,
    },
    /// It did not end in time.
    #[error("{} did not end within {} s", shown(path), waited.as_secs())]
    TooSlow {
        /// Which.
        path: PathBuf,
        /// How long it was waited for.
        waited: Duration,
    },
    /// It is not text.
    #[error("{} is not UTF-8 text: byte {at} belongs to no character", shown(path))]
    NotText {
        /// Which.
        path: PathBuf,
        /// Where.
        at: usize,
    },
    /// It is text in another encoding.
    #[error("{} is UTF-16 text, and only UTF-8 is read", shown(path))]
    Utf16 {
        /// Which.
        path: PathBuf,
    },
}

impl InputError {
    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unreadable { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => "check the path; it is looked for from the current folder",
                io::ErrorKind::PermissionDenied => "check the permissions of the file and of its folders",
                _ => "check the path and its permissions",
            },
            Self::Folder { .. } => "name a file in it",
            Self::NotAFile { .. } => "only files are read here; give a pipe itself to `-f`",
            Self::TooMany { .. } => "name the files that are meant, or a smaller folder",
            Self::TooLarge { .. } => "check that it is the file that is meant; split it if it is",
            Self::TooLargeTogether { .. } => "give fewer files to one command",
            Self::TooSlow { .. } => {
                "check that something writes to the pipe and closes it; or write to a file first"
            }
            Self::NotText { .. } => "check that it is the file that is meant; save it as UTF-8 if it is",
            Self::Utf16 { .. } => "save it as UTF-8 (`iconv -f UTF-16 -t UTF-8`)",
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "how long an input is waited for is this machine's time alone")]
fn now() -> Instant {
    Instant::now()
}

/// `-` is standard input; its name in a message says so.
pub fn shown(path: &Path) -> String {
    if path.as_os_str() == "-" { "standard input".to_owned() } else { path.display().to_string() }
}

/// What the inputs of one command may cost together.
#[derive(Clone, Copy, Debug)]
pub struct InputBudget {
    bytes: u64,
    bytes_max: u64,
    until: Instant,
    time: Duration,
}

impl InputBudget {
    /// So many bytes, within the usual time.
    pub fn new(bytes_max: u64) -> Self {
        Self::within(bytes_max, INPUT_TIME_MAX)
    }

    /// So many bytes within a time.
    pub fn within(bytes_max: u64, time: Duration) -> Self {
        Self { bytes: bytes_max, bytes_max, until: now() + time, time }
    }

    /// The bytes of a file, at most so many; `-` is standard input.
    pub fn bytes(&mut self, path: &Path, bytes_max: u64) -> Result<Vec<u8>, InputError> {
        let bound = bytes_max.min(self.bytes);
        let left = self.until.saturating_duration_since(now());
        let bytes = fetch(path, bound, left).map_err(|error| match error {
            InputError::TooLarge { path, .. } if bound < bytes_max => {
                InputError::TooLargeTogether { path, max: self.bytes_max }
            }
            InputError::TooSlow { path, .. } => InputError::TooSlow { path, waited: self.time },
            error => error,
        })?;
        self.bytes -= bytes.len() as u64;
        Ok(bytes)
    }

    /// The text of a file.
    pub fn text(&mut self, path: &Path, bytes_max: u64) -> Result<String, InputError> {
        as_text(path, self.bytes(path, bytes_max)?)
    }
}

/// The text of a file; `-` is standard input.
pub fn read_text(path: &Path, bytes_max: u64) -> Result<String, InputError> {
    InputBudget::new(bytes_max).text(path, bytes_max)
}

/// The bytes of a file of our own; none where there is no file.
pub fn read_own(path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>, InputError> {
    match open_file(path) {
        Ok(file) => slurp(path, file, bytes_max).map(Some),
        Err(InputError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A file to be read bit by bit; a pipe or a device is none.
pub fn open_file(path: &Path) -> Result<File, InputError> {
    let unreadable = |source| InputError::Unreadable { path: path.to_owned(), source };
    let facts = fs::metadata(path).map_err(unreadable)?;
    if facts.is_dir() {
        return Err(InputError::Folder { path: path.to_owned() });
    }
    if !facts.is_file() {
        return Err(InputError::NotAFile { path: path.to_owned() });
    }
    File::open(path).map_err(unreadable)
}

/// The files of a folder with one of these endings, in the order of their names. What is no file, such as a link to a
/// device, is among them: whoever opens them with [`open_file`] or [`is_file`] says so.
pub fn files_of(folder: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, InputError> {
    let unreadable = |source| InputError::Unreadable { path: folder.to_owned(), source };
    let mut files = Vec::new();
    for (count, entry) in fs::read_dir(folder).map_err(unreadable)?.enumerate() {
        if count >= FOLDER_ENTRIES_MAX {
            return Err(InputError::TooMany { path: folder.to_owned(), max: FOLDER_ENTRIES_MAX });
        }
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|ending| endings.iter().any(|known| ending == *known)) {
            files.push(path);
        }
    }
    if files.len() > FOLDER_FILES_MAX {
        return Err(InputError::TooMany { path: folder.to_owned(), max: FOLDER_FILES_MAX });
    }
    files.sort();
    Ok(files)
}

/// What tells a version of a file from another one without reading it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Its length.
    pub bytes: u64,
    /// When it was written, in nanoseconds of the file system's time.
    pub written: i128,
    /// When anything of it was changed, where the file system says so: no hand sets it.
    pub changed: i128,
    /// Which file it is, behind all links: another one may take its place.
    pub file: u64,
}

impl Stamp {
    #[cfg(unix)]
    fn of(facts: &fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        let nanos = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        Self {
            bytes: facts.size(),
            written: nanos(facts.mtime(), facts.mtime_nsec()),
            changed: nanos(facts.ctime(), facts.ctime_nsec()),
            file: facts.ino(),
        }
    }

    #[cfg(not(unix))]
    fn of(facts: &fs::Metadata) -> Self {
        let written = facts.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
        let written = written.and_then(|since| i128::try_from(since.as_nanos()).ok()).unwrap_or_default();
        Self { bytes: facts.len(), written, changed: 0, file: 0 }
    }
}

/// What is known, without reading them, of the files of a folder with one of these endings; of a file itself where the path
/// leads to one. What goes away meanwhile is not there.
pub fn stamps_of(
    path: &Path,
    endings: &[&str],
    files_max: usize,
) -> Result<BTreeMap<PathBuf, Stamp>, InputError> {
    let unreadable = |source| InputError::Unreadable { path: path.to_owned(), source };
    let facts = fs::metadata(path).map_err(unreadable)?;
    if !facts.is_dir() {
        return Ok(BTreeMap::from([(path.to_owned(), Stamp::of(&facts))]));
    }
    let mut stamps = BTreeMap::new();
    for (count, entry) in fs::read_dir(path).map_err(unreadable)?.enumerate() {
        if count >= files_max.saturating_mul(2) {
            return Err(InputError::TooMany { path: path.to_owned(), max: files_max.saturating_mul(2) });
        }
        let file = entry.map_err(unreadable)?.path();
        if !file.extension().is_some_and(|ending| endings.iter().any(|known| ending == *known)) {
            continue;
        }
        match fs::metadata(&file) {
            Ok(facts) => drop(stamps.insert(file, Stamp::of(&facts))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(InputError::Unreadable { path: file, source }),
        }
        if stamps.len() > files_max {
            return Err(InputError::TooMany { path: path.to_owned(), max: files_max });
        }
    }
    Ok(stamps)
}

/// Whether a path leads to a file, and not to a pipe or a device.
pub fn is_file(path: &Path) -> Result<(), InputError> {
    match fs::metadata(path) {
        Ok(facts) if facts.is_file() => Ok(()),
        Ok(facts) if facts.is_dir() => Err(InputError::Folder { path: path.to_owned() }),
        Ok(_) => Err(InputError::NotAFile { path: path.to_owned() }),
        Err(source) => Err(InputError::Unreadable { path: path.to_owned(), source }),
    }
}

/// Does what may block for ever in a thread of its own, and gives it up after a while: to open a pipe that nobody uses
/// blocks, and so does reading from one that stays open. The thread ends with the process, or with its pipe.
pub(super) fn within<T: Send + 'static>(
    patience: Duration,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (send, receive) = mpsc::sync_channel(1);
    let read = move || {
        // Nobody listens any more when it took too long.
        let _ = send.send(work());
    };
    std::thread::Builder::new().name("input".to_owned()).spawn(read)?;
    match receive.recv_timeout(patience) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => Err(io::ErrorKind::TimedOut.into()),
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(io::Error::other("it failed half-way")),
    }
}

fn fetch(path: &Path, bytes_max: u64, patience: Duration) -> Result<Vec<u8>, InputError> {
    let from = path.to_owned();
    match within(patience, move || Ok(read_all(&from, bytes_max))) {
        Ok(result) => result,
        Err(error) if error.kind() == io::ErrorKind::TimedOut => {
            Err(InputError::TooSlow { path: path.to_owned(), waited: patience })
        }
        Err(source) => Err(InputError::Unreadable { path: path.to_owned(), source }),
    }
}

fn read_all(path: &Path, bytes_max: u64) -> Result<Vec<u8>, InputError> {
    if path.as_os_str() == "-" {
        return slurp(path, io::stdin().lock(), bytes_max);
    }
    let unreadable = |source| InputError::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.is_dir() {
        return Err(InputError::Folder { path: path.to_owned() });
    }
    slurp(path, file, bytes_max)
}

fn slurp(path: &Path, from: impl Read, bytes_max: u64) -> Result<Vec<u8>, InputError> {
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file at the limit from one beyond it.
    let unreadable = |source| InputError::Unreadable { path: path.to_owned(), source };
    from.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > bytes_max {
        return Err(InputError::TooLarge { path: path.to_owned(), max: bytes_max });
    }
    Ok(bytes)
}

/// Bytes as text.
pub fn as_text(path: &Path, bytes: Vec<u8>) -> Result<String, InputError> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(InputError::Utf16 { path: path.to_owned() });
    }
    String::from_utf8(bytes)
        .map_err(|error| InputError::NotText { path: path.to_owned(), at: error.utf8_error().valid_up_to() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Long enough for a file, too short to be noticed.
    const MOMENT: Duration = Duration::from_millis(30);

    #[cfg(unix)]
    #[test]
    fn what_never_ends_is_given_up_by_size_or_by_time() {
        let mut allowance = InputBudget::within(1 << 16, INPUT_TIME_MAX);
        let zero = allowance.bytes(Path::new("/dev/zero"), 1 << 12);
        assert!(matches!(zero, Err(InputError::TooLarge { max: 4096, .. })), "{zero:?}");
        // A pipe whose writer holds it open and writes nothing.
        let (reader, writer) = io::pipe().unwrap();
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
        let slow = InputBudget::within(1 << 16, MOMENT).bytes(Path::new(&path), 1 << 12);
        assert!(matches!(slow, Err(InputError::TooSlow { .. } | InputError::Unreadable { .. })), "{slow:?}");
        drop(writer);
    }

    #[test]
    fn files_count_together() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "0123456789").unwrap();
        let mut allowance = InputBudget::within(15, INPUT_TIME_MAX);
        assert_eq!(allowance.text(&path, 10).unwrap().len(), 10);
        assert!(matches!(allowance.text(&path, 10), Err(InputError::TooLargeTogether { max: 15, .. })));
        assert!(matches!(read_text(&path, 9), Err(InputError::TooLarge { max: 9, .. })));
    }

    #[test]
    fn another_encoding_is_named() {
        let utf16 = as_text(Path::new("a"), vec![0xff, 0xfe, b'a', 0]).unwrap_err();
        assert!(utf16.remedy().contains("UTF-8"), "{utf16}");
        assert!(matches!(as_text(Path::new("a"), vec![b'a', 0xff]), Err(InputError::NotText { at: 1, .. })));
    }
}
