//! Changes: only what is set in the step's attributes is sent.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_elasticache as cache;
use cache::types::{NodeGroup, ParameterNameValue, ReplicationGroup};

use super::create::{encryption_mode, encryption_switch, global_id, limits, mode};
use super::global::{is_of_datastore, membership};
use super::{ENDPOINT, PARAMETERS_A_CALL};
use crate::service_client::{ServiceClient, unsupported};
use rgctl_model::address::Address;
use rgctl_model::kinds::AnyAttrs;
use rgctl_model::kinds::elasticache::{GroupAttrs, ServerlessAttrs, UserGroupAttrs};
use rgctl_model::kinds::shared::SubnetGroupAttrs;
use rgctl_model::ports::{CloudError, Receipt};

/// Changes an object.
pub async fn modify(
    client: &ServiceClient<'_>,
    address: &Address,
    attrs: &AnyAttrs,
) -> Result<Receipt, CloudError> {
    let (sdk, name) = (&client.write.elasticache, address.name.as_str());
    match attrs {
        AnyAttrs::CacheSubnetGroup(wanted) => subnet_group(client, name, wanted).await?,
        AnyAttrs::CacheParameters(wanted) => {
            if let Some(parameters) = &wanted.parameters {
                set_parameters(client, name, parameters).await?;
            }
        }
        AnyAttrs::CacheUser(wanted) => {
            let request = sdk.modify_user().user_id(name).set_access_string(wanted.access.clone());
            client.change(ENDPOINT, "ModifyUser", request.send()).await.map(drop)?;
        }
        AnyAttrs::CacheUserGroup(wanted) => user_group(client, name, wanted).await?,
        AnyAttrs::CacheGlobal(wanted) => {
            let request = sdk
                .modify_global_replication_group()
                .global_replication_group_id(global_id(client, name).await?)
                .apply_immediately(true)
                .set_global_replication_group_description(wanted.description.clone());
            client.change(ENDPOINT, "ModifyGlobalReplicationGroup", request.send()).await.map(drop)?;
        }
        AnyAttrs::CacheGroup(wanted) => group(client, name, wanted).await?,
        AnyAttrs::CacheServerless(wanted) => serverless(client, name, wanted).await?,
        other => return Err(unsupported(&format!("modify {}", other.kind()))),
    }
    Ok(Receipt::default())
}

async fn group(client: &ServiceClient<'_>, name: &str, wanted: &GroupAttrs) -> Result<(), CloudError> {
    if let Some(shards) = wanted.shards {
        return reshard(client, name, shards).await;
    }
    if let Some(replicas) = wanted.replicas_per_shard {
        return replicas_of(client, name, replicas).await;
    }
    if is_of_datastore(wanted)
        && let Some(member) = membership(&now(client, name).await?)
    {
        return member.modify(client, wanted).await;
    }
    let mut request = client
        .write
        .elasticache
        .modify_replication_group()
        .replication_group_id(name)
        .apply_immediately(true)
        .set_engine(wanted.engine.map(|engine| engine.as_str().to_owned()))
        .set_engine_version(wanted.engine_version.as_ref().map(|version| version.0.clone()))
        .set_cache_node_type(wanted.node_type.clone())
        .set_cluster_mode(wanted.cluster_mode.map(mode))
        .set_transit_encryption_enabled(wanted.transit_encryption.and_then(encryption_switch))
        .set_transit_encryption_mode(wanted.transit_encryption.and_then(encryption_mode))
        .set_automatic_failover_enabled(wanted.automatic_failover)
        .set_multi_az_enabled(wanted.multi_az)
        .set_security_group_ids(wanted.security_groups.as_ref().map(|ids| ids.iter().cloned().collect()))
        .set_cache_parameter_group_name(wanted.parameter_group.clone())
        .set_snapshot_retention_limit(wanted.snapshot_retention_days.map(u32::cast_signed))
        .set_snapshot_window(wanted.snapshot_window.clone())
        .set_preferred_maintenance_window(wanted.maintenance_window.clone());
    if let Some(users) = &wanted.user_group {
        let now: BTreeSet<String> = now(client, name).await?.user_group_ids().iter().cloned().collect();
        let wanted: BTreeSet<String> = Some(users).filter(|id| !id.is_empty()).cloned().into_iter().collect();
        let (on, off) = lists(&wanted, &now);
        request = request.set_user_group_ids_to_add(on).set_user_group_ids_to_remove(off);
    }
    client.change(ENDPOINT, "ModifyReplicationGroup", request.send()).await.map(drop)
}

/// What to add and what to remove, each only when there is something.
fn lists(wanted: &BTreeSet<String>, now: &BTreeSet<String>) -> (Option<Vec<String>>, Option<Vec<String>>) {
    let on: Vec<String> = wanted.difference(now).cloned().collect();
    let off: Vec<String> = now.difference(wanted).cloned().collect();
    ((!on.is_empty()).then_some(on), (!off.is_empty()).then_some(off))
}

/// The group as it is at this moment: shards and replicas are changed relative to it.
async fn now(client: &ServiceClient<'_>, name: &str) -> Result<ReplicationGroup, CloudError> {
    let request = client.read.elasticache.describe_replication_groups().replication_group_id(name);
    let answer = client.ask(ENDPOINT, "DescribeReplicationGroups", || request.clone().send()).await?;
    let first = answer.replication_groups.unwrap_or_default().into_iter().next();
    first.ok_or_else(|| CloudError::NotFound { what: format!("replication group {name}") })
}

/// The shards that stay when there are to be fewer: the service must be told, and the oldest stay.
pub fn retained(groups: &[NodeGroup], shards: u32) -> Vec<String> {
    let ids: BTreeSet<String> = groups.iter().filter_map(|group| group.node_group_id.clone()).collect();
    ids.into_iter().take(usize::try_from(shards).unwrap_or(usize::MAX)).collect()
}

async fn reshard(client: &ServiceClient<'_>, name: &str, shards: u32) -> Result<(), CloudError> {
    let now = now(client, name).await?;
    if let Some(member) = membership(&now) {
        return member.reshard(client, shards).await;
    }
    let shrinks = u32::try_from(now.node_groups().len()).is_ok_and(|count| count > shards);
    let request = client
        .write
        .elasticache
        .modify_replication_group_shard_configuration()
        .replication_group_id(name)
        .node_group_count(shards.cast_signed())
        .apply_immediately(true)
        .set_node_groups_to_retain(shrinks.then(|| retained(now.node_groups(), shards)));
    client.change(ENDPOINT, "ModifyReplicationGroupShardConfiguration", request.send()).await.map(drop)
}

async fn replicas_of(client: &ServiceClient<'_>, name: &str, replicas: u32) -> Result<(), CloudError> {
    let now = now(client, name).await?;
    let members = now.node_groups().iter().map(|group| group.node_group_members().len());
    // A shard that lags behind the others decides: growing brings all of them to the count.
    let least = members.min().unwrap_or(1).saturating_sub(1);
    let wanted = usize::try_from(replicas).unwrap_or(usize::MAX);
    let (sdk, count) = (&client.write.elasticache, replicas.cast_signed());
    if wanted > least {
        let request = sdk
            .increase_replica_count()
            .replication_group_id(name)
            .new_replica_count(count)
            .apply_immediately(true);
        client.change(ENDPOINT, "IncreaseReplicaCount", request.send()).await.map(drop)
    } else {
        let request = sdk
            .decrease_replica_count()
            .replication_group_id(name)
            .new_replica_count(count)
            .apply_immediately(true);
        client.change(ENDPOINT, "DecreaseReplicaCount", request.send()).await.map(drop)
    }
}

async fn user_group(
    client: &ServiceClient<'_>,
    name: &str,
    wanted: &UserGroupAttrs,
) -> Result<(), CloudError> {
    let request = client.read.elasticache.describe_user_groups().user_group_id(name);
    let answer = client.ask(ENDPOINT, "DescribeUserGroups", || request.clone().send()).await?;
    let first = answer.user_groups().first();
    let now: BTreeSet<String> =
        first.map(|group| group.user_ids().iter().cloned().collect()).unwrap_or_default();
    let (on, off) = lists(&wanted.users.clone().unwrap_or_default(), &now);
    let request = client
        .write
        .elasticache
        .modify_user_group()
        .user_group_id(name)
        .set_user_ids_to_add(on)
        .set_user_ids_to_remove(off);
    client.change(ENDPOINT, "ModifyUserGroup", request.send()).await.map(drop)
}

async fn serverless(
    client: &ServiceClient<'_>,
    name: &str,
    wanted: &ServerlessAttrs,
) -> Result<(), CloudError> {
    let request = client
        .write
        .elasticache
        .modify_serverless_cache()
        .serverless_cache_name(name)
        .set_engine(wanted.engine.map(|engine| engine.as_str().to_owned()))
        .set_major_engine_version(wanted.major_engine_version.clone())
        .set_cache_usage_limits(limits(wanted))
        .set_security_group_ids(wanted.security_groups.as_ref().map(|ids| ids.iter().cloned().collect()))
        .set_user_group_id(wanted.user_group.clone())
        .set_snapshot_retention_limit(wanted.snapshot_retention_days.map(u32::cast_signed))
        .set_daily_snapshot_time(wanted.daily_snapshot_time.clone());
    client.change(ENDPOINT, "ModifyServerlessCache", request.send()).await.map(drop)
}

async fn subnet_group(
    client: &ServiceClient<'_>,
    name: &str,
    wanted: &SubnetGroupAttrs,
) -> Result<(), CloudError> {
    let request = client
        .write
        .elasticache
        .modify_cache_subnet_group()
        .cache_subnet_group_name(name)
        .set_cache_subnet_group_description(wanted.description.clone())
        .set_subnet_ids(wanted.subnets.as_ref().map(|ids| ids.iter().cloned().collect()));
    client.change(ENDPOINT, "ModifyCacheSubnetGroup", request.send()).await.map(drop)
}

/// Sets parameters, in as many calls as the service's limit asks for.
pub async fn set_parameters(
    client: &ServiceClient<'_>,
    name: &str,
    parameters: &BTreeMap<String, String>,
) -> Result<(), CloudError> {
    let all: Vec<(&String, &String)> = parameters.iter().collect();
    for batch in all.chunks(PARAMETERS_A_CALL) {
        let values = batch.iter().map(|(name, value)| {
            ParameterNameValue::builder().parameter_name(*name).parameter_value(*value).build()
        });
        let request = client
            .write
            .elasticache
            .modify_cache_parameter_group()
            .cache_parameter_group_name(name)
            .set_parameter_name_values(Some(values.collect()));
        client.change(ENDPOINT, "ModifyCacheParameterGroup", request.send()).await.map(drop)?;
    }
    Ok(())
}

/// Takes parameters back to their defaults, in as many calls.
pub async fn reset_parameters(
    client: &ServiceClient<'_>,
    address: &Address,
    names: &BTreeSet<String>,
) -> Result<(), CloudError> {
    let all: Vec<&String> = names.iter().collect();
    for batch in all.chunks(PARAMETERS_A_CALL) {
        let names = batch.iter().map(|name| ParameterNameValue::builder().parameter_name(*name).build());
        let request = client
            .write
            .elasticache
            .reset_cache_parameter_group()
            .cache_parameter_group_name(address.name.as_str())
            .reset_all_parameters(false)
            .set_parameter_name_values(Some(names.collect()));
        client.change(ENDPOINT, "ResetCacheParameterGroup", request.send()).await.map(drop)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_shards_stay() {
        let groups: Vec<NodeGroup> = ["0003", "0001", "0002"]
            .iter()
            .map(|id| NodeGroup::builder().node_group_id(*id).build())
            .collect();
        assert_eq!(retained(&groups, 2), ["0001", "0002"]);
        assert_eq!(retained(&groups, 9).len(), 3);
    }

    #[test]
    fn a_list_says_what_to_add_and_what_to_remove() {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let (on, off) = lists(&set(&["a", "b"]), &set(&["b", "c"]));
        assert_eq!((on, off), (Some(vec!["a".to_owned()]), Some(vec!["c".to_owned()])));
        assert_eq!(lists(&set(&["a"]), &set(&["a"])), (None, None));
    }
}
