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
    lane: &ServiceClient<'_>,
    at: &Address,
    snapshot: Option<&Name>,
) -> Result<Receipt, CloudError> {
    let (client, name) = (&lane.write.elasticache, at.name.as_str());
    let snapshot = snapshot.map(Name::to_string);
    match at.kind {
        KindId::CacheSubnetGroup => {
            let request = client.delete_cache_subnet_group().cache_subnet_group_name(name);
            lane.change(ENDPOINT, "DeleteCacheSubnetGroup", request.send()).await.map(drop)?;
        }
        KindId::CacheParameters => {
            let request = client.delete_cache_parameter_group().cache_parameter_group_name(name);
            lane.change(ENDPOINT, "DeleteCacheParameterGroup", request.send()).await.map(drop)?;
        }
        KindId::CacheUser => {
            let request = client.delete_user().user_id(name);
            lane.change(ENDPOINT, "DeleteUser", request.send()).await.map(drop)?;
        }
        KindId::CacheUserGroup => {
            let request = client.delete_user_group().user_group_id(name);
            lane.change(ENDPOINT, "DeleteUserGroup", request.send()).await.map(drop)?;
        }
        KindId::CacheGlobal => {
            // The primary is an object of its own, with its own deletion and its own snapshot.
            let request = client
                .delete_global_replication_group()
                .global_replication_group_id(global_id(lane, name).await?)
                .retain_primary_replication_group(true);
            lane.change(ENDPOINT, "DeleteGlobalReplicationGroup", request.send()).await.map(drop)?;
        }
        KindId::CacheGroup => {
            let request = client
                .delete_replication_group()
                .replication_group_id(name)
                .retain_primary_cluster(false)
                .set_final_snapshot_identifier(snapshot);
            lane.change(ENDPOINT, "DeleteReplicationGroup", request.send()).await.map(drop)?;
        }
        KindId::CacheServerless => {
            let request = client
                .delete_serverless_cache()
                .serverless_cache_name(name)
                .set_final_snapshot_name(snapshot);
            lane.change(ENDPOINT, "DeleteServerlessCache", request.send()).await.map(drop)?;
        }
        other => return Err(unsupported(&format!("delete {other}"))),
    }
    Ok(Receipt::default())
}

/// Sets tags.
pub async fn tag(
    lane: &ServiceClient<'_>,
    at: &Address,
    tags: &BTreeMap<String, String>,
) -> Result<Receipt, CloudError> {
    let kind = match at.kind {
        KindId::CacheSubnetGroup => "subnetgroup",
        KindId::CacheParameters => "parametergroup",
        KindId::CacheUser => "user",
        KindId::CacheUserGroup => "usergroup",
        KindId::CacheGroup => "replicationgroup",
        KindId::CacheServerless => "serverlesscache",
        KindId::CacheSnapshot => "snapshot",
        other => return Err(unsupported(&format!("tag {other}"))),
    };
    let arn = lane.arn("elasticache", &at.region, &format!("{kind}:{}", at.name)).await?;
    let request =
        lane.write.elasticache.add_tags_to_resource().resource_name(arn).set_tags(tags_for!(cache, tags));
    lane.change(ENDPOINT, "AddTagsToResource", request.send()).await?;
    Ok(Receipt::default())
}

/// The first shard, as the service numbers them: the only one of a group that is not sharded.
const FIRST_SHARD: &str = "0001";

/// Does a verb.
pub async fn act(lane: &ServiceClient<'_>, at: &Address, verb: &Verb) -> Result<Receipt, CloudError> {
    let (client, name) = (&lane.write.elasticache, at.name.as_str());
    match (at.kind, verb) {
        (KindId::CacheGroup, Verb::Failover { to: None }) => test_failover(lane, name, FIRST_SHARD).await?,
        (KindId::CacheGroup, Verb::TestFailover { shard }) => test_failover(lane, name, shard).await?,
        (KindId::CacheGroup, Verb::Failover { to: Some(member) }) => {
            // A chosen primary is taken only by a group that does not choose by itself; the service refuses otherwise.
            let request = client
                .modify_replication_group()
                .replication_group_id(name)
                .primary_cluster_id(member.as_str())
                .apply_immediately(true);
            lane.urgent(ENDPOINT, "ModifyReplicationGroup", request.send()).await.map(drop)?;
        }
        // The service has one call for both: what was not replicated is lost, unless writes were stopped before.
        (KindId::CacheGlobal, Verb::Switchover { to, member } | Verb::FailoverGlobal { to, member }) => {
            let there = lane.elsewhere(to).await;
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
            let there = lane.elsewhere(region).await;
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

async fn test_failover(lane: &ServiceClient<'_>, name: &str, shard: &str) -> Result<(), CloudError> {
    let request = lane.write.elasticache.test_failover().replication_group_id(name).node_group_id(shard);
    lane.urgent(ENDPOINT, "TestFailover", request.send()).await.map(drop)
}
