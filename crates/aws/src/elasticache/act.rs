//! Deletions, tags, failovers and the other verbs.

use std::collections::BTreeMap;

use aws_sdk_elasticache as cache;

use super::ENDPOINT;
use super::create::global_id;
use crate::service_client::{ServiceClient, unsupported};
use crate::tags::tags_for;
use rgctl_model::address::Address;
use rgctl_model::kinds::KindId;
use rgctl_model::plan::Verb;
use rgctl_model::ports::{CloudError, Receipt};
use rgctl_schema::names::Name;

/// Deletes an object.
pub async fn delete(
    client: &ServiceClient<'_>,
    address: &Address,
    snapshot: Option<&Name>,
) -> Result<Receipt, CloudError> {
    let (sdk, name) = (&client.write.elasticache, address.name.as_str());
    let snapshot = snapshot.map(Name::to_string);
    match address.kind {
        KindId::CacheSubnetGroup => {
            let request = sdk.delete_cache_subnet_group().cache_subnet_group_name(name);
            client.change(ENDPOINT, "DeleteCacheSubnetGroup", request.send()).await.map(drop)?;
        }
        KindId::CacheParameters => {
            let request = sdk.delete_cache_parameter_group().cache_parameter_group_name(name);
            client.change(ENDPOINT, "DeleteCacheParameterGroup", request.send()).await.map(drop)?;
        }
        KindId::CacheUser => {
            let request = sdk.delete_user().user_id(name);
            client.change(ENDPOINT, "DeleteUser", request.send()).await.map(drop)?;
        }
        KindId::CacheUserGroup => {
            let request = sdk.delete_user_group().user_group_id(name);
            client.change(ENDPOINT, "DeleteUserGroup", request.send()).await.map(drop)?;
        }
        KindId::CacheGlobal => {
            // The primary is an object of its own, with its own deletion and its own snapshot.
            let request = sdk
                .delete_global_replication_group()
                .global_replication_group_id(global_id(client, name).await?)
                .retain_primary_replication_group(true);
            client.change(ENDPOINT, "DeleteGlobalReplicationGroup", request.send()).await.map(drop)?;
        }
        KindId::CacheGroup => {
            let request = sdk
                .delete_replication_group()
                .replication_group_id(name)
                .retain_primary_cluster(false)
                .set_final_snapshot_identifier(snapshot);
            client.change(ENDPOINT, "DeleteReplicationGroup", request.send()).await.map(drop)?;
        }
        KindId::CacheServerless => {
            let request =
                sdk.delete_serverless_cache().serverless_cache_name(name).set_final_snapshot_name(snapshot);
            client.change(ENDPOINT, "DeleteServerlessCache", request.send()).await.map(drop)?;
        }
        other => return Err(unsupported(&format!("delete {other}"))),
    }
    Ok(Receipt::default())
}

/// Sets tags.
pub async fn tag(
    client: &ServiceClient<'_>,
    address: &Address,
    tags: &BTreeMap<String, String>,
) -> Result<Receipt, CloudError> {
    let arn = arn_of(client, address).await?;
    let request =
        client.write.elasticache.add_tags_to_resource().resource_name(arn).set_tags(tags_for!(cache, tags));
    client.change(ENDPOINT, "AddTagsToResource", request.send()).await?;
    Ok(Receipt::default())
}

/// Takes tags away.
pub async fn untag(
    client: &ServiceClient<'_>,
    address: &Address,
    keys: Vec<String>,
) -> Result<(), CloudError> {
    let arn = arn_of(client, address).await?;
    let request =
        client.write.elasticache.remove_tags_from_resource().resource_name(arn).set_tag_keys(Some(keys));
    client.change(ENDPOINT, "RemoveTagsFromResource", request.send()).await.map(drop)
}

async fn arn_of(client: &ServiceClient<'_>, address: &Address) -> Result<String, CloudError> {
    let kind = match address.kind {
        KindId::CacheSubnetGroup => "subnetgroup",
        KindId::CacheParameters => "parametergroup",
        KindId::CacheUser => "user",
        KindId::CacheUserGroup => "usergroup",
        KindId::CacheGroup => "replicationgroup",
        KindId::CacheServerless => "serverlesscache",
        KindId::CacheSnapshot => "snapshot",
        other => return Err(unsupported(&format!("tag {other}"))),
    };
    client.arn("elasticache", &address.region, &format!("{kind}:{}", address.name)).await
}

/// The first shard, as the service numbers them: the only one of a group that is not sharded.
const FIRST_SHARD: &str = "0001";

/// Does a verb.
pub async fn act(client: &ServiceClient<'_>, address: &Address, verb: &Verb) -> Result<Receipt, CloudError> {
    let (sdk, name) = (&client.write.elasticache, address.name.as_str());
    match (address.kind, verb) {
        (KindId::CacheGroup, Verb::Failover { to: None }) => test_failover(client, name, FIRST_SHARD).await?,
        (KindId::CacheGroup, Verb::TestFailover { shard }) => test_failover(client, name, shard).await?,
        (KindId::CacheGroup, Verb::Failover { to: Some(member) }) => {
            // A chosen primary is taken only by a group that does not choose by itself; the service refuses otherwise.
            let request = sdk
                .modify_replication_group()
                .replication_group_id(name)
                .primary_cluster_id(member.as_str())
                .apply_immediately(true);
            client.urgent(ENDPOINT, "ModifyReplicationGroup", request.send()).await.map(drop)?;
        }
        // The service has one call for both: what was not replicated is lost, unless writes were stopped before.
        (KindId::CacheGlobal, Verb::Switchover { to, member } | Verb::FailoverGlobal { to, member }) => {
            let there = client.elsewhere(to).await;
            let request = there
                .write
                .elasticache
                .failover_global_replication_group()
                .global_replication_group_id(global_id(&there, name).await?)
                .primary_region(to.as_str())
                .primary_replication_group_id(member.as_str());
            there.urgent(ENDPOINT, "FailoverGlobalReplicationGroup", request.send()).await.map(drop)?;
        }
        (KindId::CacheGlobal, Verb::Detach { region, member }) => {
            let there = client.elsewhere(region).await;
            let request = there
                .write
                .elasticache
                .disassociate_global_replication_group()
                .global_replication_group_id(global_id(&there, name).await?)
                .replication_group_id(member.as_str())
                .replication_group_region(region.as_str());
            there.urgent(ENDPOINT, "DisassociateGlobalReplicationGroup", request.send()).await.map(drop)?;
        }
        (kind, verb) => return Err(unsupported(&format!("{} {kind}", verb.as_str()))),
    }
    Ok(Receipt::default())
}

async fn test_failover(client: &ServiceClient<'_>, name: &str, shard: &str) -> Result<(), CloudError> {
    let request = client.write.elasticache.test_failover().replication_group_id(name).node_group_id(shard);
    client.urgent(ENDPOINT, "TestFailover", request.send()).await.map(drop)
}
