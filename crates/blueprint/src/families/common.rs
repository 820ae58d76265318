//! What every store's section has, whatever its engine.

use std::collections::BTreeMap;

use super::adopt::Adopted;
use rgctl_schema::names::StoreName;
use rgctl_schema::quantity::{Bytes, Count, Share};
use rgctl_schema::time::Span;
use rgctl_schema::{choices, section};

choices! {
    /// What remains of a store's data when the store is deleted.
    pub enum Keep {
        /// A last snapshot is taken and verified before the deletion.
        FinalSnapshot = "final-snapshot",
        /// The store itself stays in the cloud; only this tool forgets it.
        Store = "store",
        /// Nothing: for data that can be made anew, such as a cache.
        Nothing = "nothing",
    }
    /// How a cache and the data behind it are kept together.
    pub enum CachePattern {
        /// The application asks the cache, and on a miss reads the origin and fills the cache.
        CacheAside = "cache-aside",
        /// The cache layer itself reads the origin on a miss.
        ReadThrough = "read-through",
        /// Every write goes to the cache and the origin before it is confirmed.
        WriteThrough = "write-through",
        /// Writes are confirmed by the cache and reach the origin later.
        WriteBehind = "write-behind",
        /// There is no origin: the data lives here, for example rankings and sessions.
        Primary = "primary",
    }
}

section! {
    /// What this store alone has to carry. What is not given follows from `spec.demand`.
    pub struct StoreDemand {
        /// Share of all requests that reach this store.
        request_share: Option<Share> => "60%";
        /// Share of this store's requests that only read.
        read_share: Option<Share> => "95%";
        /// Data it holds at the beginning.
        data_size: Option<Bytes> => "2TiB";
        /// How long data stays before it is moved on or deleted; by default that of `hotData`.
        retention: Option<Span> => "365d";
        /// The part of the data that must be in memory for the requests to be fast.
        working_set: Option<Bytes> => "200GiB";
        /// Connections open at the peak, after pooling.
        connections: Option<Count> => "4k";
        /// Bytes that a request moves on average.
        request_size: Option<Bytes> => "4KiB";
    }
    /// Rates of one processor of a database that were measured, in place of those that `rgctl capacity` assumes.
    pub struct DatabaseRates {
        /// Point reads a second that it carries.
        reads_per_vcpu: Option<Count> => "2400";
        /// Small writes a second that it carries.
        writes_per_vcpu: Option<Count> => "600";
    }
    /// What this store alone has to hold to, in place of `spec.objectives`.
    pub struct StoreObjectives {
        /// Share of a month in which it serves.
        availability: Option<Share> => "99.9%";
        /// Recovery time.
        rto: Option<Span> => "4h";
        /// Recovery point.
        rpo: Option<Span> => "12h";
    }
    /// A secret that exists, from which the password of the first user is set.
    pub struct MasterSecret {
        /// Its ARN, in the primary region. It holds JSON with the field `password`, and is read by the call that sets the password.
        arn: String => "arn:aws:secretsmanager:us-east-1:111122223333:secret:accounts-Ab12Cd";
    }
    /// Automatic backups.
    pub struct Backup {
        /// How long they are kept, in whole days. The longest that point-in-time recovery reaches back.
        retention: Option<Span> => "14d";
        /// Daily window in which they are taken, UTC.
        window: Option<String> => "18:00-19:00";
    }
    /// What every store has, whatever its engine.
    pub struct Common {
        /// Name of the store within the blueprint. It becomes part of identifiers and cannot be changed later.
        name: StoreName;
        /// What it is for, as shown beside its name in reports.
        purpose: Option<String> => "accounts and payments";
        /// What this store alone has to carry.
        demand: Option<StoreDemand>;
        /// What this store alone has to hold to, in place of `spec.objectives`.
        objectives: Option<StoreObjectives>;
        /// Whether it is replicated to the secondary regions of its cell. By default it is, where the cell has any.
        global: Option<bool> => "true";
        /// Whether storage is encrypted. Warehouses of nodes alone can have it switched on later, by a copy of all data during
        /// which writes stop.
        encrypted: bool = true;
        /// Key that encrypts storage: alias, id or ARN, the same in every region. By default the region's own. A change is
        /// made where the new key is named by its id or ARN; which key an alias stands for cannot be seen.
        kms_key: Option<String> => "alias/rocket-arena";
        /// Whether the service refuses to delete it until protection is taken off; caches and warehouses have no such thing.
        deletion_protection: bool = true;
        /// What remains of the data when the store is deleted.
        keep: Keep = Keep::FinalSnapshot;
        /// Whether it is reachable from the internet.
        public: bool = false;
        /// Automatic backups.
        backup: Option<Backup>;
        /// Port on which it listens; by default the engine's own.
        port: Option<u16> => "5432";
        /// Tags of its objects, beside those of the blueprint.
        tags: BTreeMap<String, String>;
        /// Objects that existed before the blueprint, with the names and attributes that they have.
        adopt: Vec<Adopted>;
    }
}
