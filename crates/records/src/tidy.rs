//! Where room is little: batches of lines are put together, and what is not read any more is removed.
//!
//! **Invariant:** no line of the record is removed before another batch with it can be read.

use futures::FutureExt;

use super::archive::span_of;
use super::decisions::DECISIONS;
use super::shelf::Narrow;
use super::store::Records;
use rgctl_model::journal::Entry;
use rgctl_model::ports::{KEPT_DECISIONS, StoreError};
use rgctl_model::scope::Scope;

/// Batches that may stand before they are put together.
const BATCHES_MAX: usize = 8;

impl Records {
    /// Makes room, where the shelf has little. What fails is done by the next who comes: nothing rests on it.
    pub(super) async fn tidy(&self, scope: &Scope) {
        let Some(narrow) = self.shelf.narrow() else { return };
        if let Err(error) = self.put_together(scope, narrow).boxed().await {
            tracing::debug!(%error, "the lines of the record stay as they are");
        }
        if let Err(error) = self.forget(scope, narrow).boxed().await {
            tracing::debug!(%error, "old decisions stay for now");
        }
    }

    async fn put_together(&self, scope: &Scope, narrow: &dyn Narrow) -> Result<(), StoreError> {
        let before = self.batches(&Self::key(scope, "lines/"), 0).await?;
        if before.len() <= BATCHES_MAX {
            return Ok(());
        }
        let lines = self.entries_now(scope, 0).await?;
        let mut kept = Vec::new();
        for batch in parts_of(lines, narrow.batch_bytes()) {
            let (Some(first), Some(end)) = (batch.first(), batch.last()) else { continue };
            let key = Self::batch_key(scope, first.seq, end);
            if !before.contains(&key) {
                self.put_batch(scope, first.seq, end, &batch).await?;
            }
            kept.push(key);
        }
        // Whatever reaches beyond what was read is another's work.
        let end = kept.last().and_then(|key| span_of(key)).map_or(0, |(_, end)| end);
        for key in before.iter().filter(|key| !kept.contains(key)) {
            if span_of(key).is_some_and(|(_, last)| last <= end) {
                narrow.remove(key).await?;
            }
        }
        Ok(())
    }

    async fn forget(&self, scope: &Scope, narrow: &dyn Narrow) -> Result<(), StoreError> {
        let end = self.standing_now(scope).await?.last_seq;
        let up_to = end.saturating_sub(KEPT_DECISIONS);
        if up_to > 0 {
            narrow.forget(&Self::log_key(scope, DECISIONS), up_to).await?;
        }
        Ok(())
    }
}

/// The lines in parts of so many bytes at most, or of one line each.
fn parts_of(lines: Vec<Entry>, bytes_max: usize) -> Vec<Vec<Entry>> {
    let mut parts: Vec<Vec<Entry>> = Vec::new();
    let mut bytes = 0;
    for line in lines {
        let size = serde_json::to_string(&line).map_or(bytes_max, |text| text.len());
        if let Some(part) = parts.last_mut().filter(|_| bytes + size <= bytes_max) {
            part.push(line);
            bytes += size;
        } else {
            parts.push(vec![line]);
            bytes = size;
        }
    }
    parts
}
