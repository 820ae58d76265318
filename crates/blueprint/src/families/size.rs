//! How big a store is, and in which steps it grows: what capacity decides, overlays change and expansion builds.
//!
//! Goes in: a store section and bounds. Comes out: a [`Size`], and the facts that a scaler needs of each axis.
//!
//! **Invariant:** `min <= now <= max` on every axis.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Store;
use rgctl_model::kinds::aurora::StorageKind;
use rgctl_model::overlay::{Axis, Target};
use rgctl_schema::quantity::Between;
use rgctl_schema::time::Span;

/// Least, present and most units of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// The least.
    pub min: u32,
    /// Now.
    pub now: u32,
    /// The most.
    pub max: u32,
}

impl Count {
    /// A number within bounds; outside of them the nearest one.
    pub fn new(bounds: Between, now: u32) -> Self {
        let max = bounds.max.max(bounds.min);
        Self { min: bounds.min, now: now.clamp(bounds.min, max), max }
    }
    /// Exactly one number.
    pub const fn exactly(number: u32) -> Self {
        Self { min: number, now: number, max: number }
    }
    /// The number at a level.
    pub const fn at(self, level: Level) -> u32 {
        match level {
            Level::Floor => self.min,
            Level::Expected => self.now,
            Level::Ceiling => self.max,
        }
    }
}

/// Where between its bounds a store is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// At the lower bounds.
    Floor,
    /// As planned now.
    Expected,
    /// At the upper bounds.
    Ceiling,
}

/// How big a store is in one region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Class of its machines; nothing when it is serverless.
    pub class: Option<String>,
    /// Engine version, where the engine has one.
    pub version: Option<String>,
    /// How storage is billed, where there is a choice.
    pub storage: StorageKind,
    /// Units of each axis. [`Axis::CapacityUnits`] counts the upper bound in the family's own steps: half units of
    /// databases, gibibytes of serverless caches, processing units of serverless warehouses.
    pub counts: BTreeMap<Axis, Count>,
}

impl Size {
    /// Units of an axis at a level; zero when the store has no such axis.
    pub fn units(&self, axis: Axis, level: Level) -> u32 {
        self.counts.get(&axis).map_or(0, |count| count.at(level))
    }
}

/// The steps that the service allows on an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Steps {
    /// Any number of units at once.
    Any,
    /// Multiples of so many units.
    Of(u32),
    /// One resize goes to at most so many times, and at least to one of so many parts, of the present number.
    Factor(u32),
}

/// What a scaler must know of an axis of a store in a region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AxisFacts {
    /// Which axis.
    pub axis: Axis,
    /// Its bounds and where it is.
    pub count: Count,
    /// What one unit is.
    pub unit: String,
    /// From the request until a further unit is there.
    pub grows_in: Span,
    /// From then until it carries its share.
    pub warms_in: Span,
    /// From the request until a unit is gone.
    pub shrinks_in: Span,
    /// Writes stop for so long at each change.
    pub outage: Span,
    /// Which changes are legal.
    pub steps: Steps,
    /// The sku of one unit in the catalogue, and its unit of price.
    pub price: (String, String),
}

/// Axis facts of a store of that size, of what is counted. Times: `autoscaling` reference, sections 3.2 to 3.6 (guides where they state
/// one; readers 8 min + 3 min of warm-up, resharding 8 min + data, elastic resize 12 min with 4 min of held writes).
pub fn axes(store: &Store, size: &Size) -> Vec<AxisFacts> {
    size.counts.iter().filter_map(|(&axis, &count)| axis_facts(store, size, axis, count)).collect()
}

fn axis_facts(store: &Store, size: &Size, axis: Axis, count: Count) -> Option<AxisFacts> {
    let mins = Span::from_mins;
    let class = size.class.clone();
    let (unit, grows, warms, shrinks, outage, steps) = match axis {
        Axis::Readers => ("reader", mins(8), mins(3), mins(1), Span::ZERO, Steps::Any),
        Axis::Shards => ("shard with its replicas", mins(20), mins(12), mins(20), Span::ZERO, Steps::Any),
        Axis::Replicas => ("replica of every shard", mins(8), mins(1), mins(2), Span::ZERO, Steps::Any),
        Axis::Nodes => ("node", mins(12), Span::ZERO, mins(12), mins(4), Steps::Factor(resize_factor(size))),
        Axis::CapacityUnits => match store {
            Store::Redshift(_) => ("RPU", mins(5), Span::ZERO, mins(5), Span::ZERO, Steps::Of(8)),
            Store::ElastiCache(_) => ("GiB", mins(10), mins(1), mins(10), Span::ZERO, Steps::Any),
            Store::Aurora(_) | Store::DocumentDb(_) => {
                ("half capacity unit", mins(1), mins(1), mins(10), Span::ZERO, Steps::Any)
            }
        },
        Axis::Class => return None,
    };
    let price = match (axis, store) {
        (Axis::CapacityUnits, Store::Aurora(_)) => ("serverless-v2-acu".to_owned(), "ACU-hour".to_owned()),
        (Axis::CapacityUnits, Store::DocumentDb(_)) => ("serverless-dcu".to_owned(), "DCU-hour".to_owned()),
        (Axis::CapacityUnits, Store::ElastiCache(_)) => ("serverless-data".to_owned(), "GB-hour".to_owned()),
        (Axis::CapacityUnits, Store::Redshift(_)) => ("serverless-rpu".to_owned(), "RPU-hour".to_owned()),
        (_, Store::ElastiCache(_) | Store::Redshift(_)) => {
            (class.unwrap_or_default(), "node-hour".to_owned())
        }
        _ => (class.unwrap_or_else(|| "db.serverless".to_owned()), "hour".to_owned()),
    };
    Some(AxisFacts {
        axis,
        count,
        unit: unit.to_owned(),
        grows_in: grows,
        warms_in: warms,
        shrinks_in: shrinks,
        outage,
        steps,
        price,
    })
}

/// Whether an axis is the same in all regions of a store: members of a global datastore have the shards and the node type of
/// its primary.
pub fn is_common(store: &Store, axis: Axis) -> bool {
    axis == Axis::Shards || (axis == Axis::Class && matches!(store, Store::ElastiCache(_)))
}

/// How many steps of an axis make one unit as people name it: capacity units of databases come in halves.
pub fn steps_per_unit(store: &Store, axis: Axis) -> u32 {
    match store {
        Store::Aurora(_) | Store::DocumentDb(_) if axis == Axis::CapacityUnits => 2,
        _ => 1,
    }
}

/// A number as people name it, or a class.
pub fn shown(steps_per_unit: u32, axis: Axis, target: &Target) -> String {
    let noun = |is_one: bool| match (axis, is_one) {
        (Axis::Readers, true) => "reader",
        (Axis::Readers, false) => "readers",
        (Axis::Shards, true) => "shard",
        (Axis::Shards, false) => "shards",
        (Axis::Replicas, true) => "replica",
        (Axis::Replicas, false) => "replicas",
        (Axis::CapacityUnits, true) => "capacity unit",
        (Axis::CapacityUnits, false) => "capacity units",
        (Axis::Nodes, true) => "node",
        (Axis::Nodes, false) => "nodes",
        (Axis::Class, _) => "",
    };
    match target {
        Target::Class(class) => class.clone(),
        Target::Count(number) => {
            let steps = steps_per_unit.max(1);
            let half = if number % steps == 0 { "" } else { ".5" };
            format!("{}{half} {}", number / steps, noun(*number == steps))
        }
    }
}

/// A number as people name it, in steps of the axis.
pub fn parse_units(steps_per_unit: u32, text: &str) -> Option<u32> {
    let (whole, half) = match text.split_once('.') {
        Some((whole, "0")) => (whole, 0),
        Some((whole, "5")) if steps_per_unit == 2 => (whole, 1),
        Some(_) => return None,
        None => (text, 0),
    };
    whole.parse::<u32>().ok()?.checked_mul(steps_per_unit)?.checked_add(half)
}

/// Large warehouse classes go to four times their nodes in one resize, the others to two (catalogue, 2026).
fn resize_factor(size: &Size) -> u32 {
    match size.class.as_deref() {
        Some("ra3.4xlarge" | "ra3.16xlarge" | "rg.4xlarge") => 4,
        _ => 2,
    }
}
