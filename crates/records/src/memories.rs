//! Checkpoints and blobs, each an object of its own.
//!
//! **Invariant:** a checkpoint counts only where the chain of the record leads to it, so that it does not matter who put it, or
//! when.

use std::collections::BTreeMap;

use futures::FutureExt;
use serde::{Deserialize, Serialize};

use super::shelf::{Trouble, When, unavailable};
use super::store::{Records, check};
use rgctl_model::checkpoint::{BLOB_BYTES_MAX, BLOBS_MAX, BlobKey, CHECKPOINT_BYTES_MAX, Checkpoint};
use rgctl_model::journal::Entry;
use rgctl_model::ports::archive::WholeRecord;
use rgctl_model::ports::{Lease, StoreError};
use rgctl_model::scope::Scope;

/// The first line of a checkpoint; its state is what follows.
#[derive(Serialize, Deserialize)]
struct Title {
    format: String,
    seq: u64,
    hash: String,
    version: u32,
    digest: String,
}

const FORMAT: &str = "rgctl.dev/s3-checkpoint/v1";

fn read_checkpoint(bytes: Vec<u8>) -> Option<Checkpoint> {
    let text = String::from_utf8(bytes).ok()?;
    let (title, state) = text.split_once('\n')?;
    let title: Title = serde_json::from_str(title).ok()?;
    (title.format == FORMAT).then(|| Checkpoint {
        seq: title.seq,
        hash: title.hash,
        version: title.version,
        state: state.to_owned(),
        digest: title.digest,
    })
}

impl Records {
    /// The checkpoint, whatever it is worth; one that cannot be read is worth nothing.
    pub(super) async fn kept_checkpoint(&self, scope: &Scope) -> Result<Option<Checkpoint>, Trouble> {
        let found = self.shelf.get(&Self::key(scope, "checkpoint.json")).await?;
        Ok(found.and_then(|(bytes, _)| read_checkpoint(bytes)))
    }

    pub(super) async fn resume_now(
        &self,
        scope: &Scope,
        version: u32,
    ) -> Result<(Option<Checkpoint>, Vec<Entry>), StoreError> {
        let kept = self.kept_checkpoint(scope).await?;
        if let Some(kept) = kept.filter(|kept| kept.version == version && kept.is_whole()) {
            let head = self.head(scope).boxed().await?.head;
            if (head.seq, &head.hash) == (kept.seq, &kept.hash) {
                return Ok((Some(kept), Vec::new()));
            }
            if head.seq > kept.seq {
                let after = self.entries_now(scope, kept.seq).boxed().await?;
                let leads_on = |first: &Entry| (first.seq, &first.previous) == (kept.seq + 1, &kept.hash);
                if after.first().is_some_and(leads_on) {
                    return Ok((Some(kept), after));
                }
            }
        }
        Ok((None, self.entries_now(scope, 0).boxed().await?))
    }

    pub(super) async fn put_checkpoint_now(
        &self,
        lease: &Lease,
        checkpoint: &Checkpoint,
    ) -> Result<(), StoreError> {
        check(&self.head(&lease.scope).boxed().await?.head, lease)?;
        self.keep_checkpoint(&lease.scope, checkpoint).await
    }

    pub(super) async fn keep_checkpoint(
        &self,
        scope: &Scope,
        checkpoint: &Checkpoint,
    ) -> Result<(), StoreError> {
        let what = || format!("bytes of the checkpoint of {}", scope.blueprint);
        StoreError::check_size(what, checkpoint.state.len(), CHECKPOINT_BYTES_MAX)?;
        let title = Title {
            format: FORMAT.to_owned(),
            seq: checkpoint.seq,
            hash: checkpoint.hash.clone(),
            version: checkpoint.version,
            digest: checkpoint.digest.clone(),
        };
        let mut body = serde_json::to_string(&title).map_err(unavailable)?;
        body.push('\n');
        body.push_str(&checkpoint.state);
        Ok(self.put(&Self::key(scope, "checkpoint.json"), body.into_bytes()).await?)
    }

    /// Puts an object in the place of whatever is there.
    async fn put(&self, key: &str, body: Vec<u8>) -> Result<(), Trouble> {
        self.shelf.put(key, body, When::Always).await.map(drop)
    }

    /// Takes in what comes from another store.
    pub(super) async fn take_memories_in(
        &self,
        scope: &Scope,
        record: &WholeRecord,
    ) -> Result<(), StoreError> {
        if let Some(checkpoint) = &record.checkpoint {
            self.keep_checkpoint(scope, checkpoint).await?;
        }
        for (name, bytes) in &record.blobs {
            self.put(&Self::blob_key(scope, name), bytes.clone()).await?;
        }
        Ok(())
    }

    fn blob_key(scope: &Scope, name: &BlobKey) -> String {
        Self::key(scope, &format!("blobs/{name}"))
    }

    pub(super) async fn blob_now(
        &self,
        scope: &Scope,
        name: &BlobKey,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.shelf.get(&Self::blob_key(scope, name)).await?.map(|(bytes, _)| bytes))
    }

    pub(super) async fn put_blob_now(
        &self,
        scope: &Scope,
        name: &BlobKey,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let what = || format!("bytes of the blob {name} of {}", scope.blueprint);
        StoreError::check_size(what, bytes.len(), BLOB_BYTES_MAX)?;
        self.check_here(scope).await?;
        let key = Self::blob_key(scope, name);
        // They are counted when one is added; that is seldom.
        if self.shelf.get(&key).await?.is_none() {
            let what = || format!("blobs of {}", scope.blueprint);
            StoreError::check_size(what, self.blob_names(scope).await?.len() + 1, BLOBS_MAX)?;
        }
        Ok(self.put(&key, bytes.to_vec()).await?)
    }

    async fn blob_names(&self, scope: &Scope) -> Result<Vec<BlobKey>, StoreError> {
        let below = Self::key(scope, "blobs/");
        let keys = self.shelf.list(&below, None).await?;
        Ok(keys.iter().filter_map(|key| BlobKey::new(key.strip_prefix(&below)?)).collect())
    }

    pub(super) async fn blobs_now(&self, scope: &Scope) -> Result<BTreeMap<BlobKey, Vec<u8>>, StoreError> {
        let mut blobs = BTreeMap::new();
        for name in self.blob_names(scope).await? {
            if let Some(bytes) = self.blob_now(scope, &name).await? {
                blobs.insert(name, bytes);
            }
        }
        Ok(blobs)
    }
}
