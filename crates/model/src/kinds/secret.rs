//! Secrets of the first users of stores: where a password lies, and never the password.
//!
//! **Invariant:** no field holds a value of a secret; it is drawn by the call that makes the secret, and read by the call that
//! needs it.

use std::collections::BTreeSet;

use rgctl_schema::attrs;

attrs! {
    /// A secret with the name and the password of the first user of a store.
    pub struct SecretAttrs {
        /// Name of the user whose password it holds; written at creation only.
        username: String { unseen: true };
        /// Key that encrypts it; by default the service's own.
        kms_key: String;
        /// Other regions that have a copy of it.
        replica_regions: BTreeSet<String>;
    }
}
