//! Planning assumptions: what nobody measured yet and every estimate needs. Each stands in the rows that use it.
//!
//! They are round numbers on the safe side of public benchmarks of small point reads and writes, meant to be replaced by
//! measurements of one's own: a store's `class`, `readers`, `shards` or `nodes` in the blueprint always win.

use rust_decimal::Decimal;

/// Zones, where the region is not described.
pub const ZONES: usize = 3;
/// Point reads a second that one processor of a relational database carries.
pub const RELATIONAL_READS_PER_VCPU: f64 = 1_200.0;
/// Small transactions a second that one processor of a relational writer carries.
pub const RELATIONAL_WRITES_PER_VCPU: f64 = 320.0;
/// Point reads a second that one processor of a document database carries.
pub const DOCUMENT_READS_PER_VCPU: f64 = 1_000.0;
/// Small writes a second that one processor of a document database carries.
pub const DOCUMENT_WRITES_PER_VCPU: f64 = 350.0;
/// Part of an Aurora machine's memory that holds pages. Source: the default of both engines, about 75 %.
pub const RELATIONAL_PAGE_CACHE: f64 = 0.75;
/// Part of a DocumentDB machine's memory that holds pages. Source: developer guide, best practices: the service keeps one
/// third for itself.
pub const DOCUMENT_PAGE_CACHE: f64 = 2.0 / 3.0;
/// Part of a store's data that requests touch again and again.
pub const WORKING_SET_SHARE: f64 = 0.05;
/// Connections of one cache node. Source: ElastiCache guide, `maxclients`.
pub const CACHE_CONNECTIONS_PER_NODE: f64 = 65_000.0;
/// Commands a second of one processor of a cache node.
pub const CACHE_OPS_PER_VCPU: f64 = 25_000.0;
/// Processors of a cache node that commands can use: the engine runs them on one thread, input and output on others.
pub const CACHE_VCPU_USED: u32 = 4;
/// Part of a cache node's memory that snapshots and replication need. Source: `reserved-memory-percent`, 25.
pub const CACHE_RESERVED: f64 = 0.25;
/// Hit ratio of a cache whose section states none.
pub const CACHE_HIT_RATIO: f64 = 0.80;
/// Stored GiB that one processor of a warehouse scans in acceptable time.
pub const WAREHOUSE_GIB_PER_VCPU: f64 = 512.0;
/// Part of a database's reads that miss its page cache and so cost an I/O.
pub const PAGE_MISS_SHARE: f64 = 0.05;
/// I/O requests of one write.
pub const IO_PER_WRITE: f64 = 2.0;
/// Processors that stand behind one capacity unit: 2 GiB of memory, and 8 GiB a processor in memory classes.
pub const VCPU_PER_CAPACITY_UNIT: f64 = 0.25;
/// How far a machine may be used while a zone is lost.
pub const USE_IN_ZONE_LOSS: f64 = 0.95;
/// Minutes until a further member carries its share: 8 to be made, 3 to warm up.
pub const MEMBER_MINUTES: u64 = 11;
/// Months that growth is followed.
pub const MONTHS_AHEAD: u32 = 60;
/// What the upper bound of an axis has above the largest known crowd, where the section gives no bounds.
pub const ROOM_TO_SCALE: f64 = 1.5;
/// How much more demand a store is sized for when it is asked whether its machines are still of the right class: what would be made
/// for so much more is kept for less, so that demand that goes up and down changes them once.
pub const KEPT_CLASS_ROOM: f64 = 1.25;
/// What a class that is there may cost, as a multiple of the cheapest that would be chosen anew, before its machines are changed for
/// that: a change of class is a failover and a cold cache.
pub const KEPT_CLASS_COST_MAX: Decimal = Decimal::from_parts(15, 0, 0, false, 1);
/// What the way in which storage is billed may cost, as a multiple of the other one, before it is changed.
pub const KEPT_STORAGE_COST_MAX: Decimal = Decimal::from_parts(11, 0, 0, false, 1);
