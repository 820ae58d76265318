//! Files that are written for people: whole or not at all, and never over something that is not ours.
//!
//! Goes in: a path, a text, and how an earlier file of the same sort begins. Comes out: the file, or why not.
//!
//! **Invariant:** what stands there and is no earlier output of ours stays as it is, by whichever path, link or spelling
//! it was reached. An input of a command is never such an output, so that no input is overwritten.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::inputs::{INPUT_TIME_MAX, within};

/// How much of an existing file is looked at to tell what it is.
const HEAD_BYTES: u64 = 4096;
/// Names that are tried for the part that is written beside the target.
const PARTS_MAX: u32 = 100;

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// Something else stands there.
    #[error("{} exists already and is {found}; it was left as it is", path.display())]
    NotOurs {
        /// Which.
        path: PathBuf,
        /// What it is or is not.
        found: &'static str,
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

/// What may stand at the place of an output.
#[derive(Clone, Copy, Debug)]
pub enum Replaces {
    /// Nothing.
    Nothing,
    /// An earlier output of the same sort, whose beginning has this in it; or an empty file, as `mktemp` makes one.
    Ours {
        /// What its beginning has in it.
        mark: &'static str,
        /// What a file without it is not, for a person: "no saved plan".
        otherwise: &'static str,
    },
}

/// Writes a file in one step: whoever reads it sees the old text or the new one, never a part. A pipe or a device is
/// written to as it is.
pub fn write_text(path: &Path, text: &str, replaces: Replaces) -> Result<(), OutputError> {
    let unwritable = |source| OutputError::Unwritable { path: path.to_owned(), source };
    let facts = match fs::metadata(path) {
        Ok(facts) => Some(facts),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(unwritable(error)),
    };
    let Some(facts) = facts else {
        if fs::symlink_metadata(path).is_ok() {
            return Err(OutputError::NotOurs { path: path.to_owned(), found: "a link that leads nowhere" });
        }
        return place(path, text, false).map_err(|error| taken(path, error));
    };
    if facts.is_dir() {
        return Err(OutputError::NotOurs { path: path.to_owned(), found: "a folder" });
    }
    match replaces {
        Replaces::Nothing => Err(OutputError::NotOurs { path: path.to_owned(), found: "not replaced" }),
        // A rename would put a file in the place of `/dev/stdout`.
        Replaces::Ours { .. } if !facts.is_file() => {
            let (to, text) = (path.to_owned(), text.to_owned());
            let write = move || OpenOptions::new().write(true).open(to)?.write_all(text.as_bytes());
            within(INPUT_TIME_MAX, write).map_err(unwritable)
        }
        Replaces::Ours { mark, otherwise } => {
            let mut head = Vec::new();
            let read = File::open(path).and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head));
            read.map_err(unwritable)?;
            if !head.is_empty() && !String::from_utf8_lossy(&head).contains(mark) {
                return Err(OutputError::NotOurs { path: path.to_owned(), found: otherwise });
            }
            // Through a link to what it leads to, so that the link stays one.
            let target = fs::canonicalize(path).map_err(unwritable)?;
            place(&target, text, true).map_err(unwritable)
        }
    }
}

fn taken(path: &Path, error: io::Error) -> OutputError {
    if error.kind() == io::ErrorKind::AlreadyExists {
        return OutputError::NotOurs { path: path.to_owned(), found: "not replaced" };
    }
    OutputError::Unwritable { path: path.to_owned(), source: error }
}

/// Writes beside the target, because a rename is one step only within a file system.
fn place(path: &Path, text: &str, replace: bool) -> io::Result<()> {
    let (part, mut file) = part_of(path)?;
    let mut written = || -> io::Result<()> {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        if replace {
            return fs::rename(&part, path);
        }
        // Unlike a rename, a link never replaces what somebody else put there meanwhile.
        match fs::hard_link(&part, path) {
            // File systems without links: the file may be seen half written, and still nothing is replaced.
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                File::create_new(path)?.write_all(text.as_bytes())
            }
            linked => linked,
        }
    };
    let result = written();
    // After a rename it is gone; otherwise it is of no use to anybody, and that it cannot be removed adds nothing.
    let _ = fs::remove_file(&part);
    result
}

fn part_of(path: &Path) -> io::Result<(PathBuf, File)> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    for number in 0..PARTS_MAX {
        let mut beside = name.to_owned();
        beside.push(format!(".{}-{number}.part", std::process::id()));
        let part = path.with_file_name(beside);
        match File::create_new(&part) {
            Ok(file) => return Ok((part, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Replaces = Replaces::Ours { mark: "saved-plan", otherwise: "no saved plan" };

    #[test]
    fn an_older_output_is_replaced_and_anything_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        write_text(&at("plan"), "saved-plan 1", PLAN).unwrap();
        write_text(&at("plan"), "saved-plan 2", PLAN).unwrap();
        fs::write(at("empty"), "").unwrap();
        write_text(&at("empty"), "saved-plan 3", PLAN).unwrap();
        fs::write(at("input"), "kind: Blueprint").unwrap();
        let refused = write_text(&at("input"), "saved-plan", PLAN).unwrap_err();
        assert!(matches!(refused, OutputError::NotOurs { found: "no saved plan", .. }), "{refused}");
        assert!(write_text(&at("plan"), "new", Replaces::Nothing).is_err());
        assert!(write_text(folder.path(), "new", PLAN).is_err());
        assert_eq!(fs::read_to_string(at("plan")).unwrap(), "saved-plan 2");
        assert_eq!(fs::read_to_string(at("input")).unwrap(), "kind: Blueprint");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "no part is left behind");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_leads_to_what_it_names_and_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("input"), "kind: Blueprint").unwrap();
        fs::write(at("plan"), "saved-plan 1").unwrap();
        for (link, to) in [("to-input", "input"), ("to-plan", "plan"), ("to-nothing", "nothing")] {
            std::os::unix::fs::symlink(at(to), at(link)).unwrap();
        }
        assert!(write_text(&at("to-input"), "saved-plan", PLAN).is_err());
        assert!(write_text(&at("to-nothing"), "saved-plan", PLAN).is_err());
        write_text(&at("to-plan"), "saved-plan 2", PLAN).unwrap();
        assert!(fs::symlink_metadata(at("to-plan")).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(at("plan")).unwrap(), "saved-plan 2");
        assert_eq!(fs::read_to_string(at("input")).unwrap(), "kind: Blueprint");
        write_text(Path::new("/dev/null"), "saved-plan", PLAN).unwrap();
    }
}
