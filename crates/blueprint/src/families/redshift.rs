//! Redshift: the store section of the warehouse.

use std::collections::BTreeMap;

use super::common::Common;
use rgctl_schema::calendar::{Weekday, Zone};
use rgctl_schema::quantity::{Between, Bytes, TimeOfDay};
use rgctl_schema::time::Span;
use rgctl_schema::{choices, section};

choices! {
    /// The warehouse.
    pub enum WarehouseEngine {
        /// Redshift, with nodes or serverless.
        Redshift = "redshift",
    }
}

section! {
    /// Rates of one processor of a warehouse that were measured.
    pub struct WarehouseRates {
        /// Stored data that it scans in acceptable time.
        data_per_vcpu: Option<Bytes> => "1TiB";
    }
    /// Capacity that follows the load instead of nodes, in Redshift processing units.
    pub struct WarehouseServerless {
        /// Base capacity, in steps of 8 (32 above 512).
        base_rpu: u32 = 32;
        /// Most capacity that it grows to.
        max_rpu: Option<u32> => "128";
    }
    /// Copies of snapshots in the secondary regions of the cell.
    pub struct SnapshotCopy {
        /// How long a copy is kept, in whole days.
        retention: Span = Span::from_days(7);
    }
    /// A weekly time in which the warehouse is paused: storage is billed, machines are not.
    pub struct Pause {
        /// On which days it begins.
        days: Vec<Weekday> => "[mon, tue, wed, thu, fri]";
        /// When it begins.
        from: TimeOfDay => "22:00";
        /// How long it lasts.
        lasts: Span => "9h";
        /// Time zone of these times.
        zone: Zone => "Asia/Shanghai";
    }
    /// An analytical store: Redshift.
    pub struct WarehouseStore {
        ..common: Common;
        /// Rates that were measured, in place of those that `rgctl capacity` assumes.
        assumptions: Option<WarehouseRates>;
        /// Which warehouse.
        engine: WarehouseEngine;
        /// Node class; by default derived from demand.
        class: Option<String> => "ra3.4xlarge";
        /// Nodes; by default derived from demand.
        nodes: Option<Between> => "\"2..8\"";
        /// Serverless capacity in place of nodes.
        serverless: Option<WarehouseServerless>;
        /// Copies of snapshots in the secondary regions; by default on, where the cell has any.
        snapshot_copy: Option<SnapshotCopy>;
        /// Times in which it is paused.
        pause: Vec<Pause>;
        /// Whether a second zone stands by with machines of its own; doubles their cost.
        multi_zone: bool = false;
        /// Name of the first database.
        database: Option<String> => "analytics";
        /// Most managed storage expected, for the estimate.
        max_storage: Option<Bytes> => "60TiB";
        /// Parameters that differ from the service's defaults.
        parameters: BTreeMap<String, String>;
        /// Roles that the warehouse takes for what it does elsewhere, by ARN. Where any is named, others are detached; where none is, those
        /// that are attached stay.
        roles: Vec<String> => "[\"arn:aws:iam::111122223333:role/load\"]";
        /// The role among them that statements take which name none. Where no default is named, the one that is set stays.
        default_role: Option<String> => "arn:aws:iam::111122223333:role/load";
        /// Logs that are exported: `connectionlog`, `userlog`, `useractivitylog`.
        logs: Vec<String> => "[connectionlog]";
    }
}
