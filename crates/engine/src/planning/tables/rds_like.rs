//! What Aurora and DocumentDB share: one control plane, one set of failures.

use super::row::{Promotion, Remedy};
use super::shared::{FREE_ADDRESSES, FREE_STORAGE, GIVE_THE_KEY_BACK};

/// Tiers go from 0 to 15.
pub(super) const PROMOTION: Promotion = Promotion { field: "promotion_tier", unset: 15 };

/// Clusters.
pub(super) const CLUSTER_REMEDIES: &[Remedy] = &[
    Remedy("inaccessible-encryption-credentials", GIVE_THE_KEY_BACK),
    Remedy("inaccessible-encryption-credentials-recoverable", GIVE_THE_KEY_BACK),
];

/// Instances.
pub(super) const INSTANCE_REMEDIES: &[Remedy] = &[
    Remedy("inaccessible-encryption-credentials", GIVE_THE_KEY_BACK),
    Remedy("incompatible-network", FREE_ADDRESSES),
    Remedy("storage-full", FREE_STORAGE),
];
