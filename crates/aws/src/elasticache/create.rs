//! Creations.

use std::collections::BTreeMap;

use aws_sdk_elasticache as cache;
use cache::operation::create_replication_group::builders::CreateReplicationGroupInputBuilder;
use cache::types::{
    AuthenticationMode, CacheUsageLimits, DataStorage, DataStorageUnit, EcpuPerSecond,
    InputAuthenticationType,
};

use super::ENDPOINT;
use super::change::set_parameters;
use crate::service_client::{ServiceClient, unsupported};
use crate::tags::tags_for;
use rgctl_model::address::Address;
use rgctl_model::kinds::AnyAttrs;
use rgctl_model::kinds::elasticache::{
    CacheEngine, ClusterMode, GlobalAttrs, GroupAttrs, ServerlessAttrs, TransitEncryption,
};
use rgctl_model::ports::{CloudError, Receipt};

type Tags = BTreeMap<String, String>;

/// Makes an object.
pub async fn create(
    client: &ServiceClient<'_>,
    address: &Address,
    attrs: &AnyAttrs,
    tags: &Tags,
) -> Result<Receipt, CloudError> {
    let (sdk, name) = (&client.write.elasticache, address.name.as_str());
    let arn = match attrs {
        AnyAttrs::CacheSubnetGroup(wanted) => {
            let request = sdk
                .create_cache_subnet_group()
                .cache_subnet_group_name(name)
                .cache_subnet_group_description(wanted.description.as_deref().unwrap_or(name))
                .set_subnet_ids(wanted.subnets.as_ref().map(|ids| ids.iter().cloned().collect()))
                .set_tags(tags_for!(cache, tags));
            let answer = client.create(ENDPOINT, "CreateCacheSubnetGroup", request.send()).await?;
            answer.cache_subnet_group.and_then(|group| group.arn)
        }
        AnyAttrs::CacheParameters(wanted) => {
            let request = sdk
                .create_cache_parameter_group()
                .cache_parameter_group_name(name)
                .set_cache_parameter_group_family(wanted.family.clone())
                .description(wanted.description.as_deref().unwrap_or(name))
                .set_tags(tags_for!(cache, tags));
            let answer = client.create(ENDPOINT, "CreateCacheParameterGroup", request.send()).await?;
            if let Some(parameters) = &wanted.parameters {
                set_parameters(client, name, parameters).await?;
            }
            answer.cache_parameter_group.and_then(|group| group.arn)
        }
        AnyAttrs::CacheUser(wanted) => {
            let mode = AuthenticationMode::builder().r#type(InputAuthenticationType::Iam).build();
            let request = sdk
                .create_user()
                .user_id(name)
                .user_name(wanted.user_name.as_deref().unwrap_or(name))
                .engine(engine(wanted.engine))
                .access_string(wanted.access.as_deref().unwrap_or("on ~* +@all"))
                .authentication_mode(mode)
                .set_tags(tags_for!(cache, tags));
            client.create(ENDPOINT, "CreateUser", request.send()).await?.arn
        }
        AnyAttrs::CacheUserGroup(wanted) => {
            let request = sdk
                .create_user_group()
                .user_group_id(name)
                .engine(engine(wanted.engine))
                .set_user_ids(wanted.users.as_ref().map(|ids| ids.iter().cloned().collect()))
                .set_tags(tags_for!(cache, tags));
            client.create(ENDPOINT, "CreateUserGroup", request.send()).await?.arn
        }
        AnyAttrs::CacheGlobal(wanted) => global(client, name, wanted, tags).await?,
        AnyAttrs::CacheGroup(wanted) => {
            let global = match &wanted.global {
                Some(suffix) => Some(global_id(client, suffix).await?),
                None => None,
            };
            let request = group(name, wanted, global, tags);
            let answer = client.create(ENDPOINT, "CreateReplicationGroup", request.send_with(sdk)).await?;
            answer.replication_group.and_then(|group| group.arn)
        }
        AnyAttrs::CacheServerless(wanted) => serverless(client, name, wanted, tags).await?,
        other => return Err(unsupported(&format!("create {}", other.kind()))),
    };
    Ok(Receipt { arn })
}

async fn global(
    client: &ServiceClient<'_>,
    name: &str,
    wanted: &GlobalAttrs,
    tags: &Tags,
) -> Result<Option<String>, CloudError> {
    let request = client
        .write
        .elasticache
        .create_global_replication_group()
        .global_replication_group_id_suffix(name)
        .set_global_replication_group_description(wanted.description.clone())
        .set_primary_replication_group_id(wanted.source.clone())
        .set_tags(tags_for!(cache, tags));
    let answer = client.create(ENDPOINT, "CreateGlobalReplicationGroup", request.send()).await?;
    Ok(answer.global_replication_group.and_then(|group| group.arn))
}

fn engine(wanted: Option<CacheEngine>) -> &'static str {
    wanted.unwrap_or(CacheEngine::Valkey).as_str()
}

/// The service puts a prefix of its own before the name of a global datastore; the whole id has to be looked up.
pub async fn global_id(client: &ServiceClient<'_>, suffix: &str) -> Result<String, CloudError> {
    let request = client.read.elasticache.describe_global_replication_groups();
    let call = || request.clone().into_paginator().items().send().collect::<Result<Vec<_>, _>>();
    let all = client.ask(ENDPOINT, "DescribeGlobalReplicationGroups", call).await?;
    let found = all.into_iter().filter_map(|group| group.global_replication_group_id);
    found
        .into_iter()
        .find(|id| plain_name(id) == suffix)
        .ok_or_else(|| CloudError::NotFound { what: format!("global datastore {suffix}") })
}

/// The name that we gave: the service's id without the prefix, five letters and a hyphen.
pub fn plain_name(id: &str) -> &str {
    id.split_once('-').filter(|(prefix, _)| prefix.len() == 5).map_or(id, |(_, name)| name)
}

/// The request for a replication group. A secondary of a global datastore takes node type, engine, shards and
/// encryption from the primary and must not name them. The mode of the cluster and its shard count belong together:
/// without sharding the service wants a number of nodes, with it a number of shards and of replicas.
fn group(
    name: &str,
    wanted: &GroupAttrs,
    global: Option<String>,
    tags: &Tags,
) -> CreateReplicationGroupInputBuilder {
    let own = global.is_none();
    let sharded =
        matches!(wanted.cluster_mode, Some(ClusterMode::Enabled)) || wanted.shards.is_some_and(|n| n > 1);
    let replicas = wanted.replicas_per_shard.map(u32::cast_signed);
    let request = cache::operation::create_replication_group::CreateReplicationGroupInput::builder()
        .replication_group_id(name)
        .replication_group_description(name)
        .set_global_replication_group_id(global)
        .set_automatic_failover_enabled(wanted.automatic_failover)
        .set_multi_az_enabled(wanted.multi_az)
        .set_cache_parameter_group_name(wanted.parameter_group.clone().filter(|_| own))
        .set_cache_subnet_group_name(wanted.subnet_group.clone())
        .set_security_group_ids(wanted.security_groups.as_ref().map(|ids| ids.iter().cloned().collect()))
        .set_kms_key_id(wanted.kms_key.clone())
        .set_data_tiering_enabled(wanted.data_tiering)
        .set_user_group_ids(wanted.user_group.clone().filter(|id| !id.is_empty()).map(|id| vec![id]))
        .set_snapshot_retention_limit(wanted.snapshot_retention_days.map(u32::cast_signed))
        .set_snapshot_window(wanted.snapshot_window.clone())
        .set_preferred_maintenance_window(wanted.maintenance_window.clone())
        .set_port(wanted.port.map(i32::from))
        .set_tags(tags_for!(cache, tags));
    let request = if sharded {
        request.set_replicas_per_node_group(replicas)
    } else {
        request.set_num_cache_clusters(replicas.map(|replicas| replicas + 1))
    };
    if !own {
        return request;
    }
    request
        .engine(engine(wanted.engine))
        .set_engine_version(wanted.engine_version.as_ref().map(|version| version.0.clone()))
        .set_cache_node_type(wanted.node_type.clone())
        .set_num_node_groups(wanted.shards.filter(|_| sharded).map(u32::cast_signed))
        .set_cluster_mode(wanted.cluster_mode.map(mode))
        .transit_encryption_enabled(wanted.transit_encryption != Some(TransitEncryption::Disabled))
        .set_transit_encryption_mode(
            wanted
                .transit_encryption
                .filter(|encryption| *encryption == TransitEncryption::Preferred)
                .and_then(encryption_mode),
        )
        .at_rest_encryption_enabled(wanted.at_rest_encryption.unwrap_or(true))
}

/// The service's word for a mode.
pub const fn mode(mode: ClusterMode) -> cache::types::ClusterMode {
    match mode {
        ClusterMode::Disabled => cache::types::ClusterMode::Disabled,
        ClusterMode::Compatible => cache::types::ClusterMode::Compatible,
        ClusterMode::Enabled => cache::types::ClusterMode::Enabled,
    }
}

/// The service's word for encryption on the way; off is none.
pub const fn encryption_mode(encryption: TransitEncryption) -> Option<cache::types::TransitEncryptionMode> {
    match encryption {
        TransitEncryption::Disabled => None,
        TransitEncryption::Preferred => Some(cache::types::TransitEncryptionMode::Preferred),
        TransitEncryption::Required => Some(cache::types::TransitEncryptionMode::Required),
    }
}

/// Whether encryption is on, where a change has to say it: what was `preferred` is on already.
pub const fn encryption_switch(encryption: TransitEncryption) -> Option<bool> {
    match encryption {
        TransitEncryption::Disabled => Some(false),
        TransitEncryption::Preferred => Some(true),
        TransitEncryption::Required => None,
    }
}

/// The limits of a serverless cache, as far as they are set.
pub fn limits(wanted: &ServerlessAttrs) -> Option<CacheUsageLimits> {
    let data = (wanted.data_max_gib.is_some() || wanted.data_min_gib.is_some()).then(|| {
        DataStorage::builder()
            .set_maximum(wanted.data_max_gib.map(u32::cast_signed))
            .set_minimum(wanted.data_min_gib.map(u32::cast_signed))
            .unit(DataStorageUnit::Gb)
            .build()
    });
    let units = (wanted.ecpu_max_per_second.is_some() || wanted.ecpu_min_per_second.is_some()).then(|| {
        EcpuPerSecond::builder()
            .set_maximum(wanted.ecpu_max_per_second.map(u32::cast_signed))
            .set_minimum(wanted.ecpu_min_per_second.map(u32::cast_signed))
            .build()
    });
    (data.is_some() || units.is_some())
        .then(|| CacheUsageLimits::builder().set_data_storage(data).set_ecpu_per_second(units).build())
}

async fn serverless(
    client: &ServiceClient<'_>,
    name: &str,
    wanted: &ServerlessAttrs,
    tags: &Tags,
) -> Result<Option<String>, CloudError> {
    let request = client
        .write
        .elasticache
        .create_serverless_cache()
        .serverless_cache_name(name)
        .engine(engine(wanted.engine))
        .set_major_engine_version(wanted.major_engine_version.clone())
        .set_cache_usage_limits(limits(wanted))
        .set_kms_key_id(wanted.kms_key.clone())
        .set_subnet_ids(wanted.subnets.as_ref().map(|ids| ids.iter().cloned().collect()))
        .set_security_group_ids(wanted.security_groups.as_ref().map(|ids| ids.iter().cloned().collect()))
        .set_user_group_id(wanted.user_group.clone())
        .set_snapshot_retention_limit(wanted.snapshot_retention_days.map(u32::cast_signed))
        .set_daily_snapshot_time(wanted.daily_snapshot_time.clone())
        .set_tags(tags_for!(cache, tags));
    let answer = client.create(ENDPOINT, "CreateServerlessCache", request.send()).await?;
    Ok(answer.serverless_cache.and_then(|cache| cache.arn))
}
