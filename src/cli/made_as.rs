//! What the stores of a blueprint were last made as, as its record remembers it.
//!
//! Goes in: a record. Comes out: sizes that were stated or derived, for what is derived the next time.

use rgctl_model::checkpoint::BlobKey;
use rgctl_model::ports::{Store, StoreError};
use rgctl_model::scope::Scope;
use rgctl_model::sizes::Sizes;

/// Sizes of a part: at some 200 bytes each they fit into a memory.
const PART_STORES: usize = 60;

/// Name of the memory in the record, of which each part has a number.
const MEMORY: &str = "sizes";

fn key(part: usize) -> Result<BlobKey, StoreError> {
    let name = format!("{MEMORY}/{part}");
    BlobKey::new(&name)
        .ok_or_else(|| StoreError::Unavailable { what: format!("{name} is no name of a memory") })
}

/// What is remembered; a record that was begun before anything was remembered has nothing.
pub async fn recall(store: &dyn Store, scope: &Scope) -> Result<Sizes, StoreError> {
    let mut all = Sizes::default();
    for part in 0.. {
        let Some(bytes) = store.blob(scope, &key(part)?).await? else { break };
        let sizes: Sizes = serde_json::from_slice(&bytes).map_err(|error| StoreError::Unavailable {
            what: format!("what the stores of {scope} were made as cannot be read: {error}"),
        })?;
        // The end of what is remembered now; there was more once.
        if sizes.is_empty() {
            break;
        }
        all.extend(sizes);
    }
    Ok(all)
}

/// Remembers what they are made as from now on.
pub async fn keep(store: &dyn Store, scope: &Scope, was: &Sizes, now: &Sizes) -> Result<(), StoreError> {
    if was == now {
        return Ok(());
    }
    let mut parts = now.parts(PART_STORES);
    if parts.len() < was.parts(PART_STORES).len() {
        parts.push(Sizes::default());
    }
    for (part, sizes) in parts.iter().enumerate() {
        let bytes = serde_json::to_vec(sizes)
            .map_err(|error| StoreError::Unavailable { what: format!("sizes of {scope}: {error}") })?;
        store.put_blob(scope, &key(part)?, &bytes).await?;
    }
    Ok(())
}
