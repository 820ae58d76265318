//! ElastiCache: subnet group, parameter group, users, replication group or serverless cache, global datastore.

use std::collections::BTreeSet;

use super::{Builder, ExpandError, Placement, leading, shortened, with_parameters};
use crate::families::common::CachePattern;
use crate::families::elasticache::{CacheStore, CacheUser, Eviction};
use crate::families::size::Level;
use rgctl_model::address::Address;
use rgctl_model::kinds::elasticache::{
    CacheEngine, ClusterMode, GlobalAttrs, GroupAttrs, ServerlessAttrs, TransitEncryption, UserAttrs,
    UserGroupAttrs,
};
use rgctl_model::kinds::shared::{EngineVersion, ParameterGroupAttrs, SubnetGroupAttrs};
use rgctl_model::kinds::{AnyAttrs, KindId};
use rgctl_model::node::Node;
use rgctl_model::overlay::Axis;
use rgctl_schema::names::Name;
use rgctl_schema::quantity::{Bytes, Count};

/// The longest identifier of a group, a user or a user group (guide, 2026-04).
const ID_MAX: usize = 40;
/// The engine's usual port.
const PORT: u16 = 6379;
/// Days that snapshots of a cache are kept whose content can be made anew.
const CACHE_SNAPSHOT_DAYS: u32 = 1;
/// Days that snapshots are kept of data that lives in memory only.
const PRIMARY_SNAPSHOT_DAYS: u32 = 7;
/// What the user that is made when the section names none may do: all but administration.
const APPLICATION_ACCESS: &str = "on ~* &* +@all -@admin -@dangerous";

pub(super) fn nodes(
    store: &CacheStore,
    site: &Placement<'_>,
    level: Level,
) -> Result<Vec<Node>, ExpandError> {
    let mut build = Builder::new(&store.common, site);
    let id = build.id_in(site.region, ID_MAX)?;
    let users = users(store, &mut build, &id)?;
    if store.serverless.is_some() {
        let attrs = serverless(store, &build, &id, level)?;
        let needs: Vec<_> = users.iter().collect();
        build.add(KindId::CacheServerless, &id, AnyAttrs::CacheServerless(attrs), &needs);
        return Ok(build.nodes);
    }
    let text = build.description();
    let subnets = SubnetGroupAttrs { description: Some(text.clone()), subnets: Some(build.subnets()) };
    let subnets = build.add(KindId::CacheSubnetGroup, &id, AnyAttrs::CacheSubnetGroup(subnets), &[]);
    let attrs = parameters(store, &build.version()?, text);
    let (parameter_group, _) = build.group(&id, attrs.family.as_deref().unwrap_or_default())?;
    let parameters =
        build.add(KindId::CacheParameters, &parameter_group, AnyAttrs::CacheParameters(attrs), &[]);

    let global_name = build.global_id()?;
    let global = Address::new(site.primary.clone(), KindId::CacheGlobal, global_name.clone());
    let mut needs = vec![&subnets, &parameters];
    needs.extend(users.as_ref());
    if site.is_secondary() {
        needs.push(&global);
    }
    let attrs = GroupAttrs {
        parameter_group: Some(parameter_group.to_string()),
        ..group(store, &build, &id, level)?
    };
    let group = build.add(KindId::CacheGroup, &id, AnyAttrs::CacheGroup(attrs), &needs);
    if site.is_replicated() && !site.is_secondary() {
        let attrs = GlobalAttrs {
            source: Some(id.to_string()),
            source_region: Some(site.primary.to_string()),
            description: Some(global_name.to_string()),
        };
        build.add(KindId::CacheGlobal, &global_name, AnyAttrs::CacheGlobal(attrs), &[&group]);
    }
    Ok(build.nodes)
}

/// Whether keys are spread over shards: as written, else when more than one shard is allowed.
pub fn cluster_mode(store: &CacheStore) -> ClusterMode {
    let sharded = store.shards.is_none_or(|shards| shards.max > 1);
    store.cluster_mode.unwrap_or(if sharded { ClusterMode::Enabled } else { ClusterMode::Disabled })
}

/// The user group of a store, with its users. Users need connections that are encrypted. Redis OSS wants a user named
/// `default` in every group, which cannot authenticate by IAM, so that there the network alone decides who may connect.
fn users(store: &CacheStore, build: &mut Builder<'_>, id: &Name) -> Result<Option<Address>, ExpandError> {
    if !store.tls || store.engine == CacheEngine::Redis {
        return Ok(None);
    }
    let application = [CacheUser { name: "app".to_owned(), access: APPLICATION_ACCESS.to_owned() }];
    let given = if store.users.is_empty() { &application[..] } else { &store.users };
    let mut made = Vec::new();
    for user in given {
        let name = build.name_of(&shortened(&format!("{id}-{}", user.name), ID_MAX), ID_MAX)?;
        let attrs = UserAttrs {
            engine: Some(store.engine),
            // IAM wants the name to equal the id.
            user_name: Some(name.to_string()),
            access: Some(user.access.clone()),
        };
        made.push(build.add(KindId::CacheUser, &name, AnyAttrs::CacheUser(attrs), &[]));
    }
    let attrs = UserGroupAttrs {
        engine: Some(store.engine),
        users: Some(made.iter().map(|address| address.name.to_string()).collect()),
    };
    let needs: Vec<_> = made.iter().collect();
    Ok(Some(build.add(KindId::CacheUserGroup, id, AnyAttrs::CacheUserGroup(attrs), &needs)))
}

fn parameters(store: &CacheStore, version: &str, text: String) -> ParameterGroupAttrs {
    let major = leading(version, 1);
    let family = match (store.engine, major.as_str()) {
        (CacheEngine::Redis, "6") => "redis6.x".to_owned(),
        (engine, major) => format!("{}{major}", engine.as_str()),
    };
    let mut ours = Vec::new();
    if cluster_mode(store) != ClusterMode::Disabled {
        ours.push(("cluster-enabled", "yes"));
    }
    if let Some(eviction) = store.cache.as_ref().and_then(|cache| cache.eviction) {
        ours.push(("maxmemory-policy", eviction_word(eviction)));
    }
    ParameterGroupAttrs {
        family: Some(family),
        description: Some(text),
        parameters: Some(with_parameters(&ours, &store.parameters)),
    }
}

const fn eviction_word(eviction: Eviction) -> &'static str {
    match eviction {
        Eviction::VolatileLru => "volatile-lru",
        Eviction::AllkeysLru => "allkeys-lru",
        Eviction::VolatileLfu => "volatile-lfu",
        Eviction::AllkeysLfu => "allkeys-lfu",
        Eviction::VolatileTtl => "volatile-ttl",
        Eviction::Noeviction => "noeviction",
    }
}

fn snapshot_days(store: &CacheStore, build: &Builder<'_>) -> u32 {
    let lives_here = store.cache.as_ref().is_none_or(|cache| cache.pattern == CachePattern::Primary);
    build.backup_days(if lives_here { PRIMARY_SNAPSHOT_DAYS } else { CACHE_SNAPSHOT_DAYS })
}

fn group(
    store: &CacheStore,
    build: &Builder<'_>,
    id: &Name,
    level: Level,
) -> Result<GroupAttrs, ExpandError> {
    let mode = cluster_mode(store);
    let shards = build.site.size.units(Axis::Shards, level).max(1);
    let replicas = build.site.size.units(Axis::Replicas, level);
    Ok(GroupAttrs {
        engine: Some(store.engine),
        engine_version: Some(EngineVersion(build.version()?)),
        node_type: Some(build.class()?),
        shards: Some(if mode == ClusterMode::Disabled { 1 } else { shards }),
        replicas_per_shard: Some(replicas),
        cluster_mode: Some(mode),
        // The service insists on it with cluster mode.
        automatic_failover: Some(replicas > 0 || mode == ClusterMode::Enabled),
        multi_az: Some(replicas > 0),
        transit_encryption: Some(if store.tls {
            TransitEncryption::Required
        } else {
            TransitEncryption::Disabled
        }),
        at_rest_encryption: Some(store.common.encrypted),
        kms_key: build.kms_key(),
        subnet_group: Some(id.to_string()),
        security_groups: Some(build.security_groups()),
        parameter_group: None,
        // Users come in with TLS alone.
        user_group: match (store.tls, store.engine) {
            (false, _) => Some(String::new()),
            (true, CacheEngine::Redis) => None,
            (true, CacheEngine::Valkey) => Some(id.to_string()),
        },
        snapshot_retention_days: Some(snapshot_days(store, build)),
        snapshot_window: build.backup_window(),
        maintenance_window: build.maintenance(),
        port: Some(store.common.port.unwrap_or(PORT)),
        data_tiering: store.data_tiering.then_some(true),
        global: if build.site.is_secondary() { Some(build.global_id()?.to_string()) } else { None },
    })
}

fn serverless(
    store: &CacheStore,
    build: &Builder<'_>,
    id: &Name,
    level: Level,
) -> Result<ServerlessAttrs, ExpandError> {
    let bounds = store.serverless.as_ref();
    let number = |count: Count| u32::try_from(count.0).unwrap_or(u32::MAX);
    let gib = build.site.size.units(Axis::CapacityUnits, level);
    let data_max = bounds.and_then(|bounds| bounds.max_data).map(gib_of);
    let window = build.backup_window();
    let subnets: BTreeSet<String> = build.subnets();
    Ok(ServerlessAttrs {
        engine: Some(store.engine),
        major_engine_version: Some(leading(&build.version()?, 1)),
        data_max_gib: if gib > 0 { Some(gib) } else { data_max },
        data_min_gib: None,
        ecpu_max_per_second: bounds.and_then(|bounds| bounds.max_ecpu_per_second).map(number),
        ecpu_min_per_second: None,
        kms_key: build.kms_key(),
        subnets: Some(subnets),
        security_groups: Some(build.security_groups()),
        user_group: (store.tls && store.engine != CacheEngine::Redis).then(|| id.to_string()),
        snapshot_retention_days: Some(snapshot_days(store, build)),
        daily_snapshot_time: window.and_then(|window| window.split('-').next().map(str::to_owned)),
    })
}

/// Whole gibibytes, rounded up.
pub fn gib_of(bytes: Bytes) -> u32 {
    u32::try_from(bytes.0.div_ceil(Bytes::GIB)).unwrap_or(u32::MAX)
}
