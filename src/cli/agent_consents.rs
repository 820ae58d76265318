//! The file of consents of an agent, read anew for each turn.
//!
//! Goes in: a path. Comes out: what may be destroyed, by blueprint.
//!
//! **Invariant:** a file that cannot be read or used consents to nothing, and a disk that hangs holds nobody up for long.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::agent::consents::Consents;
use rgctl_machine::inputs::{self, DOCUMENT_BYTES_MAX};

/// How long a disk is waited for.
const READ_MAX: Duration = Duration::from_secs(5);
/// Readings at once. Those that hang keep their threads, of which there is an end.
const READERS: usize = 4;

/// Reads the text of a file.
type Read = Box<dyn Fn(&PathBuf) -> Result<String, String> + Send + Sync>;

/// The file, where there is one.
pub struct ConsentsFile {
    path: Option<PathBuf>,
    read: Arc<Read>,
    readers: Arc<Semaphore>,
    /// Why it could not be used when that was said last.
    refused: Mutex<Option<String>>,
}

impl ConsentsFile {
    /// The file at this path; without one nothing is consented to.
    pub fn new(path: Option<PathBuf>) -> Self {
        let read =
            |path: &PathBuf| inputs::read_text(path, DOCUMENT_BYTES_MAX).map_err(|error| error.to_string());
        Self::read_by(path, Box::new(read))
    }

    fn read_by(path: Option<PathBuf>, read: Read) -> Self {
        let readers = Arc::new(Semaphore::new(READERS));
        Self { path, read: Arc::new(read), readers, refused: Mutex::default() }
    }

    /// The consents as the file gives them now; none where it cannot be used.
    pub async fn now(&self) -> Consents {
        let Some(path) = &self.path else { return Consents::default() };
        let text = tokio::time::timeout(READ_MAX, self.text(path.clone()))
            .await
            .unwrap_or_else(|_| Err(format!("it could not be read within {} seconds", READ_MAX.as_secs())));
        let (consents, refused) = match text.and_then(|text| Consents::parse(&text)) {
            Ok(consents) => (consents, None),
            Err(why) => (Consents::default(), Some(why)),
        };
        // A poisoned lock holds a whole value.
        let mut before = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if *before != refused {
            if let Some(why) = &refused {
                tracing::warn!(target: "rgctl::agent", file = %path.display(), why, "nothing is consented to");
            }
            *before = refused;
        }
        consents
    }

    /// Beside all else that goes on: whoever waits for a disk renews no lease.
    async fn text(&self, path: PathBuf) -> Result<String, String> {
        let gone = |_| "it could not be read: a mistake of rgctl, please report it".to_owned();
        let reader = Arc::clone(&self.readers).acquire_owned().await.map_err(|error| error.to_string())?;
        let read = Arc::clone(&self.read);
        let reading = tokio::task::spawn_blocking(move || {
            let text = read(&path);
            drop(reader);
            text
        });
        reading.await.map_err(gone)?
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_disk_that_hangs_consents_to_nothing_and_holds_up_neither_the_rest_nor_all_threads() {
        let begun = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&begun);
        let (disk, hangs) = mpsc::channel::<()>();
        let hangs = Mutex::new(hangs);
        let (told, heard) = mpsc::channel();
        let read = move |_: &PathBuf| {
            counted.fetch_add(1, Ordering::Relaxed);
            let _ = told.send(());
            // Until it is there again.
            let _ = hangs.lock().unwrap().recv();
            Ok("arena delete:accounts@eu-west-1\n".to_owned())
        };
        let file = ConsentsFile::read_by(Some("consents".into()), Box::new(read));
        for turn in 0..2 * READERS {
            // Time of the runtime stands while a thread of its works: what waits is polled by hand.
            let mut asked = std::pin::pin!(file.now());
            assert!(futures::poll!(&mut asked).is_pending());
            if turn < READERS {
                heard.recv().unwrap();
            }
            tokio::time::advance(READ_MAX + Duration::from_secs(1)).await;
            assert_eq!(asked.await.of("arena").len(), 0);
        }
        assert_eq!(begun.load(Ordering::Relaxed), READERS);
        let why = file.refused.lock().unwrap().clone().unwrap();
        assert_eq!(why, "it could not be read within 5 seconds");
        drop(disk);
        assert_eq!(file.now().await.of("arena").len(), 1, "the disk is there again");
    }
}
