//! What the published models of the services say of values: ranges of ports, forms of names, lengths of windows.
//!
//! Sources: the models of RDS, DocumentDB, ElastiCache, Redshift and Redshift Serverless (botocore 1.44), where they give a range,
//! a pattern or a rule in words.

use std::ops::RangeInclusive;

use crate::families::Store;
use rgctl_model::kinds::aurora::AuroraEngine;
use rgctl_schema::time::Span;

/// Ports of an Aurora cluster, and of Redshift nodes before managed storage.
const DATABASE_PORTS: [RangeInclusive<u16>; 1] = [1150..=65_535];
/// Ports of Redshift with managed storage, and of workgroups.
const WAREHOUSE_PORTS: [RangeInclusive<u16>; 2] = [5431..=5455, 8191..=8215];
const ANY_PORT: [RangeInclusive<u16>; 1] = [1..=65_535];
/// The shortest window of all services.
pub const WINDOW_MIN: Span = Span::from_mins(30);
/// Windows of caches, for maintenance and for snapshots.
const CACHE_WINDOW_MIN: Span = Span::from_mins(60);

/// The name of a database that is made with a store, and what the service takes for one.
#[derive(Clone, Copy, Debug)]
pub struct NameOfDatabase<'a> {
    /// As the section has it.
    pub name: &'a str,
    /// Letters at most.
    pub most: usize,
    /// Whether upper case is refused.
    pub only_lower: bool,
}

impl Store {
    /// The ports that the service takes.
    pub fn ports(&self) -> &'static [RangeInclusive<u16>] {
        match self {
            Self::Aurora(_) => &DATABASE_PORTS,
            Self::Redshift(store)
                if store.class.as_deref().is_some_and(|class| class.starts_with("dc2.")) =>
            {
                &DATABASE_PORTS
            }
            Self::Redshift(_) => &WAREHOUSE_PORTS,
            Self::DocumentDb(_) | Self::ElastiCache(_) => &ANY_PORT,
        }
    }

    /// The database that is made with it, where the section names one.
    pub fn name_of_database(&self) -> Option<NameOfDatabase<'_>> {
        let (name, most, only_lower) = match self {
            Self::Aurora(store) => {
                let most = match store.engine {
                    AuroraEngine::Mysql => 64,
                    AuroraEngine::Postgresql => 63,
                };
                (store.database.as_deref(), most, false)
            }
            // Of a namespace, the model's pattern takes upper case, too.
            Self::Redshift(store) => (store.database.as_deref(), 64, store.serverless.is_none()),
            Self::DocumentDb(_) | Self::ElastiCache(_) => (None, 0, false),
        };
        name.map(|name| NameOfDatabase { name, most, only_lower })
    }

    /// Whether the service encrypts it later, in place (Redshift management guide, "Changing cluster encryption").
    pub const fn takes_encryption_later(&self) -> bool {
        matches!(self, Self::Redshift(store) if store.serverless.is_none())
    }

    /// How long a window for maintenance or backups lasts at least.
    pub const fn window_min(&self) -> Span {
        match self {
            Self::ElastiCache(_) => CACHE_WINDOW_MIN,
            Self::Aurora(_) | Self::DocumentDb(_) | Self::Redshift(_) => WINDOW_MIN,
        }
    }
}
