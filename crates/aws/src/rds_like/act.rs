//! Deletions, tags, failovers and the other verbs.

use std::collections::BTreeMap;

use aws_sdk_rds as rds;

use super::ENDPOINT;
use crate::service_client::{ServiceClient, unsupported};
use crate::tags::tags_for;
use rgctl_model::address::Address;
use rgctl_model::kinds::KindId;
use rgctl_model::plan::Verb;
use rgctl_model::ports::{CloudError, Receipt};
use rgctl_schema::names::{Name, RegionId};

/// Deletes an object.
pub async fn delete(
    client: &ServiceClient<'_>,
    address: &Address,
    snapshot: Option<&Name>,
) -> Result<Receipt, CloudError> {
    let (sdk, name) = (&client.write.rds, address.name.as_str());
    match address.kind {
        KindId::RdsSubnetGroup => {
            let request = sdk.delete_db_subnet_group().db_subnet_group_name(name);
            client.change(ENDPOINT, "DeleteDBSubnetGroup", request.send()).await.map(drop)?;
        }
        KindId::AuroraClusterParameters | KindId::DocumentClusterParameters => {
            let request = sdk.delete_db_cluster_parameter_group().db_cluster_parameter_group_name(name);
            client.change(ENDPOINT, "DeleteDBClusterParameterGroup", request.send()).await.map(drop)?;
        }
        KindId::AuroraInstanceParameters => {
            let request = sdk.delete_db_parameter_group().db_parameter_group_name(name);
            client.change(ENDPOINT, "DeleteDBParameterGroup", request.send()).await.map(drop)?;
        }
        KindId::AuroraGlobal | KindId::DocumentGlobal => {
            let request = sdk.delete_global_cluster().global_cluster_identifier(name);
            client.change(ENDPOINT, "DeleteGlobalCluster", request.send()).await.map(drop)?;
        }
        KindId::AuroraCluster | KindId::DocumentCluster => {
            let request = sdk
                .delete_db_cluster()
                .db_cluster_identifier(name)
                .skip_final_snapshot(snapshot.is_none())
                .set_final_db_snapshot_identifier(snapshot.map(Name::to_string));
            client.change(ENDPOINT, "DeleteDBCluster", request.send()).await.map(drop)?;
        }
        KindId::AuroraInstance | KindId::DocumentInstance => {
            // A member holds no data of its own; the call takes no snapshot option for it.
            let request = sdk.delete_db_instance().db_instance_identifier(name);
            client.change(ENDPOINT, "DeleteDBInstance", request.send()).await.map(drop)?;
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
    let request = client.write.rds.add_tags_to_resource().resource_name(arn).set_tags(tags_for!(rds, tags));
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
    let request = client.write.rds.remove_tags_from_resource().resource_name(arn).set_tag_keys(Some(keys));
    client.change(ENDPOINT, "RemoveTagsFromResource", request.send()).await.map(drop)
}

async fn arn_of(client: &ServiceClient<'_>, address: &Address) -> Result<String, CloudError> {
    let kind = match address.kind {
        KindId::RdsSubnetGroup => "subgrp",
        KindId::AuroraClusterParameters | KindId::DocumentClusterParameters => "cluster-pg",
        KindId::AuroraInstanceParameters => "pg",
        KindId::AuroraCluster | KindId::DocumentCluster => "cluster",
        KindId::AuroraInstance | KindId::DocumentInstance => "db",
        KindId::AuroraSnapshot | KindId::DocumentSnapshot => "cluster-snapshot",
        KindId::AuroraGlobal | KindId::DocumentGlobal => "global-cluster",
        other => return Err(unsupported(&format!("tag {other}"))),
    };
    let arn = client.arn("rds", &address.region, &format!("{kind}:{}", address.name)).await?;
    // A global cluster belongs to no region: its ARN names none.
    Ok(if kind == "global-cluster" { arn.replacen(&format!(":{}:", address.region), "::", 1) } else { arn })
}

/// Does a verb.
pub async fn act(client: &ServiceClient<'_>, address: &Address, verb: &Verb) -> Result<Receipt, CloudError> {
    match address.kind {
        KindId::AuroraGlobal | KindId::DocumentGlobal => global(client, address, verb).await?,
        KindId::AuroraCluster | KindId::DocumentCluster => cluster(client, address, verb).await?,
        KindId::AuroraInstance | KindId::DocumentInstance if *verb == Verb::Reboot => {
            let request = client.write.rds.reboot_db_instance().db_instance_identifier(address.name.as_str());
            client.change(ENDPOINT, "RebootDBInstance", request.send()).await.map(drop)?;
        }
        other => return Err(unsupported(&format!("{} {other}", verb.as_str()))),
    }
    Ok(Receipt::default())
}

async fn cluster(client: &ServiceClient<'_>, address: &Address, verb: &Verb) -> Result<(), CloudError> {
    let (sdk, name) = (&client.write.rds, address.name.as_str());
    match verb {
        Verb::Failover { to } => {
            let request = sdk
                .failover_db_cluster()
                .db_cluster_identifier(name)
                .set_target_db_instance_identifier(to.as_ref().map(Name::to_string));
            client.urgent(ENDPOINT, "FailoverDBCluster", request.send()).await.map(drop)
        }
        Verb::Start => {
            let request = sdk.start_db_cluster().db_cluster_identifier(name);
            client.change(ENDPOINT, "StartDBCluster", request.send()).await.map(drop)
        }
        Verb::Stop => {
            let request = sdk.stop_db_cluster().db_cluster_identifier(name);
            client.change(ENDPOINT, "StopDBCluster", request.send()).await.map(drop)
        }
        other => Err(unsupported(&format!("{} {}", other.as_str(), address.kind))),
    }
}

async fn global(client: &ServiceClient<'_>, address: &Address, verb: &Verb) -> Result<(), CloudError> {
    let name = address.name.as_str();
    match verb {
        Verb::Switchover { to, member } => {
            // Asked in the region that takes over: the roles may have moved since the blueprint was written, and
            // this region is a member in any case.
            let there = client.elsewhere(to).await;
            let request = there
                .write
                .rds
                .switchover_global_cluster()
                .global_cluster_identifier(name)
                .target_db_cluster_identifier(member_arn(&there, to, member).await?);
            there.urgent(ENDPOINT, "SwitchoverGlobalCluster", request.send()).await.map(drop)
        }
        Verb::FailoverGlobal { to, member } => {
            let there = client.elsewhere(to).await;
            let request = there
                .write
                .rds
                .failover_global_cluster()
                .global_cluster_identifier(name)
                .target_db_cluster_identifier(member_arn(&there, to, member).await?)
                // Without it the call is a switchover, which waits for the lost region.
                .allow_data_loss(true);
            there.urgent(ENDPOINT, "FailoverGlobalCluster", request.send()).await.map(drop)
        }
        Verb::Detach { region, member } => {
            let there = client.elsewhere(region).await;
            let request = there
                .write
                .rds
                .remove_from_global_cluster()
                .global_cluster_identifier(name)
                .db_cluster_identifier(member_arn(&there, region, member).await?);
            there.urgent(ENDPOINT, "RemoveFromGlobalCluster", request.send()).await.map(drop)
        }
        other => Err(unsupported(&format!("{} {}", other.as_str(), address.kind))),
    }
}

// Asked over the way that works: the home region may be the one that was lost.
async fn member_arn(
    there: &ServiceClient<'_>,
    region: &RegionId,
    member: &Name,
) -> Result<String, CloudError> {
    there.arn("rds", region, &format!("cluster:{member}")).await
}
