//! Measured values over time, as the scaler and the runbooks ask for them.

use serde::{Deserialize, Serialize};

use super::address::Address;
use rgctl_schema::time::{Moment, Span};

/// What is measured, in our words; adapters know the service's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// Processor use in percent.
    CpuPercent,
    /// Open connections.
    Connections,
    /// Free memory in bytes.
    FreeMemoryBytes,
    /// Memory in use of a cache, in percent.
    MemoryPercent,
    /// Reads a second.
    ReadsPerSecond,
    /// Writes a second.
    WritesPerSecond,
    /// Stored data in bytes.
    StoredBytes,
    /// Capacity units in use.
    CapacityUnits,
    /// Lag of a replica in the region, in milliseconds.
    ReplicaLagMs,
    /// Lag of another region, in milliseconds.
    GlobalLagMs,
    /// Hits of a cache, in percent.
    HitPercent,
    /// Disk in use, in percent.
    DiskPercent,
}

/// One series asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesAsk {
    /// Of which object.
    #[serde(rename = "at")]
    pub address: Address,
    /// What.
    pub signal: Signal,
    /// From when.
    pub from: Moment,
    /// Until when; the last minutes may not have been delivered yet.
    pub until: Moment,
    /// Distance of the samples.
    pub period: Span,
}

/// One series: samples in order of time, each the mean over its period. A missing sample is missing, not zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// What was asked for.
    pub ask: SeriesAsk,
    /// Start of the period, and value.
    pub samples: Vec<(Moment, f64)>,
}
