//! Memories that are kept beside a record, as JSON by name: no line of it, and under no lease.
//!
//! Goes in: a store, a scope, a name. Comes out: what was remembered, or an error that says what could not be read.

use serde::Serialize;
use serde::de::DeserializeOwned;

use rgctl_model::checkpoint::BlobKey;
use rgctl_model::ports::{Store, StoreError};
use rgctl_model::scope::Scope;

fn key(name: &str) -> Result<BlobKey, StoreError> {
    BlobKey::new(name)
        .ok_or_else(|| StoreError::Unavailable { what: format!("{name} is no name of a memory") })
}

/// What is remembered under a name; a record that was begun before that was remembered has nothing.
pub async fn recall<T: DeserializeOwned>(
    store: &dyn Store,
    scope: &Scope,
    name: &str,
) -> Result<Option<T>, StoreError> {
    let Some(bytes) = store.blob(scope, &key(name)?).await? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| StoreError::Unavailable {
        what: format!("the memory {name} of {scope} cannot be read: {error}"),
    })
}

/// Remembers in the place of what was remembered before.
pub async fn keep<T: Serialize + Sync>(
    store: &dyn Store,
    scope: &Scope,
    name: &str,
    what: &T,
) -> Result<(), StoreError> {
    let bytes = serde_json::to_vec(what).map_err(|error| StoreError::Unavailable {
        what: format!("the memory {name} of {scope} cannot be written: {error}"),
    })?;
    store.put_blob(scope, &key(name)?, &bytes).await
}
