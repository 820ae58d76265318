//! What Aurora and DocumentDB share: one control plane, one set of failures.

use super::row::{Promotion, Remedy, Timing};
use super::shared::{FREE_ADDRESSES, FREE_STORAGE, GIVE_THE_KEY_BACK};
use rgctl_model::kinds::facts::DurationEstimate;

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

/// Durations of a cluster whose failover interrupts writes so long.
pub(super) const fn cluster_timing(failover_outage: DurationEstimate) -> Timing {
    Timing {
        create: DurationEstimate::new(120, 300),
        delete: DurationEstimate::new(300, 900),
        in_place: DurationEstimate::new(60, 180),
        online: DurationEstimate::new(600, 1_800),
        restart: DurationEstimate::new(300, 600),
        restart_outage: DurationEstimate::new(30, 60),
        failover: DurationEstimate::new(600, 1_200),
        failover_outage,
        resize: DurationEstimate::new(600, 1_800),
    }
}

/// Durations of a member: the outage of a class change is the restart portion of it.
pub(super) const fn instance_timing(failover_outage: DurationEstimate) -> Timing {
    Timing {
        create: DurationEstimate::new(420, 900),
        delete: DurationEstimate::new(300, 600),
        in_place: DurationEstimate::new(60, 180),
        online: DurationEstimate::new(480, 1_200),
        restart: DurationEstimate::new(480, 1_200),
        restart_outage: DurationEstimate::new(90, 180),
        failover: DurationEstimate::new(480, 1_200),
        failover_outage,
        resize: DurationEstimate::new(480, 1_200),
    }
}

/// Durations of a global cluster: joining copies the volume, which the member's own creation waits for.
pub(super) const fn global_timing(failover_outage: DurationEstimate) -> Timing {
    Timing {
        create: DurationEstimate::new(120, 300),
        delete: DurationEstimate::new(30, 60),
        in_place: DurationEstimate::new(60, 180),
        online: DurationEstimate::new(600, 1_800),
        restart: DurationEstimate::new(300, 600),
        restart_outage: DurationEstimate::new(90, 300),
        failover: DurationEstimate::new(600, 1_800),
        failover_outage,
        resize: DurationEstimate::new(600, 1_800),
    }
}
