//! A folder of blueprints on this machine, looked at now and then.
//!
//! Goes in: paths. Comes out: changes, and the texts that are in force.
//!
//! **Invariant:** bounded in files and bytes; a folder that cannot be read, or has too much in it, changes nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::files::{Change, Examine, Folder, InForce};
use rgctl_machine::inputs::{self, DOCUMENT_BYTES_MAX, InputBudget, InputError, Stamp};
use rgctl_schema::time::Span;

/// Files of an agent: one for each of ten thousand blueprints, and as many again.
pub const FILES_MAX: usize = 20_000;
/// All of them together: their texts are kept in memory.
pub const BYTES_MAX: u64 = 128 << 20;
/// How long reading them may take together: a disk may be slow, and nobody waits for it.
const TIME_MAX: Duration = Duration::from_mins(5);
/// Endings of documents.
const ENDINGS: [&str; 2] = ["yaml", "yml"];

/// The texts that are in force, shared with whoever carries out turns.
pub type Texts<S> = Arc<Mutex<BTreeMap<Arc<str>, InForce<S>>>>;

/// Follows files and folders.
pub struct Follower<E: Examine> {
    paths: Vec<PathBuf>,
    folder: Folder<E::Shared>,
    examiner: E,
    texts: Texts<E::Shared>,
}

impl<E: Examine> Follower<E> {
    /// What these paths lead to; nothing is read yet.
    pub fn new(paths: Vec<PathBuf>, examiner: E) -> Result<Self, String> {
        let folder = Folder::new(examiner.share(&[])?);
        Ok(Self { paths, folder, examiner, texts: Texts::default() })
    }

    /// The texts that are in force after each look.
    pub fn texts(&self) -> Texts<E::Shared> {
        Arc::clone(&self.texts)
    }

    /// What texts share now.
    pub fn shared(&self) -> &E::Shared {
        self.folder.shared()
    }

    /// Files that cannot be used as they are now.
    pub fn refused(&self) -> usize {
        self.folder.refused()
    }

    /// Looks once. An error leaves everything as it was.
    pub fn look(&mut self, since_boot: Span) -> Result<Vec<Change>, InputError> {
        let listed = self.list()?;
        let to_read = self.folder.look(&listed, since_boot);
        let mut allowance = InputBudget::within(BYTES_MAX, TIME_MAX);
        let read = to_read.into_iter().map(|path| {
            // A folder is searched for files: a pipe in it would hold up the rest.
            let text = inputs::is_file(&path).and_then(|()| allowance.text(&path, DOCUMENT_BYTES_MAX));
            let text = text.map_err(|error| format!("{error}: {}", error.remedy()));
            (path, text)
        });
        let changes = self.folder.fold(read.collect(), since_boot, &self.examiner);
        let mut texts = locked(&self.texts);
        for change in &changes {
            match change {
                Change::InForce { blueprint } => {
                    if let Some(text) = self.folder.in_force(blueprint) {
                        texts.insert(Arc::clone(blueprint), text.clone());
                    }
                }
                Change::Rests { blueprint, .. } => drop(texts.remove(blueprint)),
                Change::Refused { .. } | Change::Twice { .. } | Change::OnceAgain { .. } => {}
            }
        }
        Ok(changes)
    }

    fn list(&self) -> Result<BTreeMap<PathBuf, Stamp>, InputError> {
        let mut listed = BTreeMap::new();
        for path in &self.paths {
            listed.extend(inputs::stamps_of(path, &ENDINGS, FILES_MAX)?);
            if listed.len() > FILES_MAX {
                return Err(InputError::TooMany { path: path.clone(), max: FILES_MAX });
            }
            let bytes = listed.values().fold(0_u64, |sum, stamp| sum.saturating_add(stamp.bytes));
            if bytes > BYTES_MAX {
                return Err(InputError::TooLargeTogether { path: path.clone(), max: BYTES_MAX });
            }
        }
        Ok(listed)
    }
}

/// The text of a blueprint that is in force.
pub fn text_of<S>(texts: &Texts<S>, blueprint: &str) -> Option<InForce<S>> {
    locked(texts).get(blueprint).cloned()
}

fn locked<T>(one: &Mutex<T>) -> MutexGuard<'_, T> {
    // A poisoned lock holds a whole value.
    one.lock().unwrap_or_else(PoisonError::into_inner)
}
