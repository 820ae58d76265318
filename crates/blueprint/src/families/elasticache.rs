//! ElastiCache: the store section for Valkey and Redis OSS.

use std::collections::BTreeMap;

use super::common::{CachePattern, Common};
use rgctl_model::kinds::elasticache::{CacheEngine, ClusterMode};
use rgctl_schema::quantity::{Between, Bytes, Count, Share};
use rgctl_schema::time::Span;
use rgctl_schema::{choices, section};

choices! {
    /// What is dropped when memory is full.
    pub enum Eviction {
        /// Among keys with an expiry, those used least recently.
        VolatileLru = "volatile-lru",
        /// Among all keys, those used least recently.
        AllkeysLru = "allkeys-lru",
        /// Among keys with an expiry, those used least often.
        VolatileLfu = "volatile-lfu",
        /// Among all keys, those used least often.
        AllkeysLfu = "allkeys-lfu",
        /// Among keys with an expiry, those that expire first.
        VolatileTtl = "volatile-ttl",
        /// Nothing: writes are refused.
        Noeviction = "noeviction",
    }
}

section! {
    /// Rates of one processor of a cache that were measured.
    pub struct CacheRates {
        /// Commands a second that it carries.
        commands_per_vcpu: Option<Count> => "40k";
    }
    /// How the cache is used; it decides how much of the load the store behind it still sees.
    pub struct Cache {
        /// How the cache and the data behind it are kept together.
        pattern: CachePattern = CachePattern::CacheAside;
        /// How long an entry lives; what comes in meanwhile is compared with the working set.
        ttl: Option<Span> => "1h";
        /// Share of reads that find their entry in the cache.
        hit_ratio: Option<Share> => "90%";
        /// What is dropped when memory is full.
        eviction: Option<Eviction>;
        /// The store behind the cache.
        origin: Option<rgctl_schema::names::StoreName> => "matches";
    }
    /// Capacity that follows the load instead of nodes.
    pub struct CacheServerless {
        /// Most data kept.
        max_data: Option<Bytes> => "500GB";
        /// Most processing units per second.
        max_ecpu_per_second: Option<Count> => "200k";
    }
    /// A user with rights of its own. Users authenticate by IAM; no password is handled.
    pub struct CacheUser {
        /// Name of the user.
        name: String => "matchmaking";
        /// Rights in the server's access language.
        access: String = "on ~* +@read".to_owned();
    }
    /// An in-memory store: Valkey or Redis OSS.
    pub struct CacheStore {
        ..common: Common;
        /// Rates that were measured, in place of those that `rgctl capacity` assumes.
        assumptions: Option<CacheRates>;
        /// Which server.
        engine: CacheEngine;
        /// Engine version; by default the newest that the catalogue lists for all regions of the blueprint.
        version: Option<String> => "8.2";
        /// Node class; by default derived from demand.
        class: Option<String> => "cache.r7g.xlarge";
        /// Shards; by default derived from demand.
        shards: Option<Between> => "\"2..12\"";
        /// Replicas of each shard, up to 5; by default derived from the objectives.
        replicas_per_shard: Option<Between> => "\"1..3\"";
        /// Whether keys are spread over shards; by default they are when more than one shard is allowed.
        cluster_mode: Option<ClusterMode>;
        /// Serverless capacity in place of nodes.
        serverless: Option<CacheServerless>;
        /// How it is used.
        cache: Option<Cache>;
        /// Whether clients must use TLS.
        tls: bool = true;
        /// Whether rarely used data may be kept on disk; needs nodes made for it.
        data_tiering: bool = false;
        /// Users with rights of their own.
        users: Vec<CacheUser>;
        /// Parameters that differ from the service's defaults.
        parameters: BTreeMap<String, String>;
        /// Logs that are exported: `slow-log`, `engine-log`.
        logs: Vec<String> => "[slow-log]";
    }
}
