//! Axis profiles: what is true of a thing that can be scaled. Facts, not knobs.
//!
//! Sources: Aurora reader 8 min + 3 min of warm-up in the field, 5 + 3 in the evaluation's headline runs; ElastiCache online
//! resharding with the effective capacity of P-Store (Taft et al., SIGMOD 2018); Aurora serverless ramp; Redshift elastic
//! resize of 12 min with 4 min in which queries are held. Minimum billing of 10 minutes: Aurora user guide.

/// How capacity moves from one size to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ScalingMode {
    /// Elements come and go independently of each other.
    Elements,
    /// One move at a time; data migrates, so that the effective capacity grows with the share that has moved.
    Reshard {
        /// Minutes in which data moves, at the end of the lag.
        moving_minutes: u32,
    },
    /// One move at a time, with an interruption just before it ends.
    Resize {
        /// Minutes without service.
        outage_minutes: u32,
    },
    /// Capacity follows at a bounded rate, without elements.
    Continuous {
        /// Units per minute that it can always grow.
        up_units: f64,
        /// Further growth per minute, as a share of the current capacity.
        up_share: f64,
        /// Shrinkage per minute, as a share of the current capacity.
        down_share: f64,
    },
}

/// The facts of one axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AxisProfile {
    /// Name on the command line and in reports.
    pub name: &'static str,
    /// Minutes from the order until the element exists, from when on it is billed.
    pub create_minutes: u32,
    /// Further minutes until it carries its share.
    pub warm_minutes: u32,
    /// Minutes that are billed at least for each element.
    pub minimum_billing_minutes: u32,
    /// Age of the newest metric.
    pub metric_age_minutes: u32,
    /// How capacity moves.
    pub motion: ScalingMode,
}

impl AxisProfile {
    /// A reader of Aurora or DocumentDB; the profile of the headline runs.
    pub const READER: Self = Self {
        name: "reader",
        create_minutes: 5,
        warm_minutes: 3,
        minimum_billing_minutes: 10,
        metric_age_minutes: 1,
        motion: ScalingMode::Elements,
    };
    /// A shard of ElastiCache: 8 minutes to provision, then 12 minutes of slots moving.
    pub const SHARD: Self = Self {
        name: "shard",
        create_minutes: 8,
        warm_minutes: 12,
        minimum_billing_minutes: 10,
        metric_age_minutes: 1,
        motion: ScalingMode::Reshard { moving_minutes: 12 },
    };
    /// Half an Aurora capacity unit: 0.5 ACU/s plus 2 %/s up, 0.5 %/s down.
    pub const ACU: Self = Self {
        name: "acu",
        create_minutes: 0,
        warm_minutes: 1,
        minimum_billing_minutes: 0,
        metric_age_minutes: 1,
        motion: ScalingMode::Continuous { up_units: 60.0, up_share: 2.28, down_share: 0.26 },
    };
    /// A node of Redshift: elastic resize.
    pub const NODE: Self = Self {
        name: "node",
        create_minutes: 12,
        warm_minutes: 0,
        minimum_billing_minutes: 1,
        metric_age_minutes: 1,
        motion: ScalingMode::Resize { outage_minutes: 4 },
    };

    /// The profile of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::READER, Self::SHARD, Self::ACU, Self::NODE].into_iter().find(|p| p.name == name)
    }

    /// Minutes from an order until it serves.
    pub const fn lag_minutes(&self) -> u32 {
        self.create_minutes + self.warm_minutes
    }

    /// Minutes that an order waits on average for one that is under way.
    pub const fn queue_minutes(&self) -> u32 {
        match self.motion {
            ScalingMode::Reshard { .. } => self.lag_minutes() / 2,
            // An interrupted axis is sized apart, see `resize`.
            ScalingMode::Elements | ScalingMode::Resize { .. } | ScalingMode::Continuous { .. } => 0,
        }
    }

    /// Whether a second change must wait for the first.
    pub const fn one_at_a_time(&self) -> bool {
        matches!(self.motion, ScalingMode::Reshard { .. } | ScalingMode::Resize { .. })
    }
}
