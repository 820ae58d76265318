//! Creations, deletions, tags and verbs.

use std::collections::BTreeMap;

use aws_sdk_redshift as redshift;
use redshift::operation::create_cluster::builders::CreateClusterInputBuilder;

use super::ENDPOINT;
use super::change::{pause, set_parameters};
use crate::service_client::{ServiceClient, unsupported};
use crate::tags::tags_for;
use rgctl_model::address::Address;
use rgctl_model::kinds::redshift::ClusterAttrs;
use rgctl_model::kinds::{AnyAttrs, KindId};
use rgctl_model::plan::Verb;
use rgctl_model::ports::{CloudError, Receipt};
use rgctl_schema::names::Name;

type Tags = BTreeMap<String, String>;

/// Makes an object.
pub async fn create(
    client: &ServiceClient<'_>,
    address: &Address,
    attrs: &AnyAttrs,
    tags: &Tags,
) -> Result<Receipt, CloudError> {
    let (sdk, name) = (&client.write.redshift, address.name.as_str());
    match attrs {
        AnyAttrs::RedshiftSubnetGroup(wanted) => {
            let request = sdk
                .create_cluster_subnet_group()
                .cluster_subnet_group_name(name)
                .description(wanted.description.as_deref().unwrap_or(name))
                .set_subnet_ids(wanted.subnets.as_ref().map(|ids| ids.iter().cloned().collect()))
                .set_tags(tags_for!(redshift, tags));
            client.create(ENDPOINT, "CreateClusterSubnetGroup", request.send()).await.map(drop)?;
        }
        AnyAttrs::RedshiftParameters(wanted) => {
            let request = sdk
                .create_cluster_parameter_group()
                .parameter_group_name(name)
                .set_parameter_group_family(wanted.family.clone())
                .description(wanted.description.as_deref().unwrap_or(name))
                .set_tags(tags_for!(redshift, tags));
            client.create(ENDPOINT, "CreateClusterParameterGroup", request.send()).await.map(drop)?;
            if let Some(parameters) = &wanted.parameters {
                set_parameters(client, name, parameters).await?;
            }
        }
        AnyAttrs::RedshiftCluster(wanted) => {
            let request = cluster(name, wanted, tags);
            let answer = client.create(ENDPOINT, "CreateCluster", request.send_with(sdk)).await?;
            let arn = answer.cluster.and_then(|cluster| cluster.cluster_namespace_arn);
            return Ok(Receipt { arn });
        }
        other => return Err(unsupported(&format!("create {}", other.kind()))),
    }
    Ok(Receipt::default())
}

/// The request for a cluster. Where snapshots are copied to, and a pause, can only be said of a cluster that is
/// there: the plan after the creation sees the difference and says it.
fn cluster(name: &str, wanted: &ClusterAttrs, tags: &Tags) -> CreateClusterInputBuilder {
    let nodes = wanted.nodes.unwrap_or(2);
    redshift::operation::create_cluster::CreateClusterInput::builder()
        .cluster_identifier(name)
        .set_node_type(wanted.node_type.clone())
        .cluster_type(if nodes > 1 { "multi-node" } else { "single-node" })
        // A single node is said by the type alone; the service refuses the number beside it.
        .set_number_of_nodes((nodes > 1).then_some(nodes.cast_signed()))
        .set_db_name(wanted.database.clone())
        .master_username(wanted.master_username.as_deref().unwrap_or("rgctl"))
        .manage_master_password(wanted.managed_password.unwrap_or(true))
        .set_cluster_subnet_group_name(wanted.subnet_group.clone())
        .set_vpc_security_group_ids(wanted.security_groups.as_ref().map(|ids| ids.iter().cloned().collect()))
        .set_cluster_parameter_group_name(wanted.parameter_group.clone())
        .encrypted(wanted.encrypted.unwrap_or(true))
        .set_kms_key_id(wanted.kms_key.clone())
        .set_automated_snapshot_retention_period(wanted.snapshot_retention_days.map(u32::cast_signed))
        .set_preferred_maintenance_window(wanted.maintenance_window.clone())
        .set_publicly_accessible(wanted.publicly_accessible)
        .set_enhanced_vpc_routing(wanted.enhanced_vpc_routing)
        .set_multi_az(wanted.multi_az)
        .set_port(wanted.port.map(i32::from))
        .set_iam_roles(wanted.iam_roles.as_ref().map(|roles| roles.iter().cloned().collect()))
        .set_default_iam_role_arn(wanted.default_iam_role.clone())
        .set_tags(tags_for!(redshift, tags))
}

/// Deletes an object.
pub async fn delete(
    client: &ServiceClient<'_>,
    address: &Address,
    snapshot: Option<&Name>,
) -> Result<Receipt, CloudError> {
    let (sdk, name) = (&client.write.redshift, address.name.as_str());
    match address.kind {
        KindId::RedshiftSubnetGroup => {
            let request = sdk.delete_cluster_subnet_group().cluster_subnet_group_name(name);
            client.change(ENDPOINT, "DeleteClusterSubnetGroup", request.send()).await.map(drop)?;
        }
        KindId::RedshiftParameters => {
            let request = sdk.delete_cluster_parameter_group().parameter_group_name(name);
            client.change(ENDPOINT, "DeleteClusterParameterGroup", request.send()).await.map(drop)?;
        }
        KindId::RedshiftCluster => {
            let request = sdk
                .delete_cluster()
                .cluster_identifier(name)
                .skip_final_cluster_snapshot(snapshot.is_none())
                .set_final_cluster_snapshot_identifier(snapshot.map(Name::to_string));
            client.change(ENDPOINT, "DeleteCluster", request.send()).await.map(drop)?;
        }
        other => return Err(unsupported(&format!("delete {other}"))),
    }
    Ok(Receipt::default())
}

/// Sets tags.
pub async fn tag(client: &ServiceClient<'_>, address: &Address, tags: &Tags) -> Result<Receipt, CloudError> {
    let arn = arn_of(client, address).await?;
    let request = client.write.redshift.create_tags().resource_name(arn).set_tags(tags_for!(redshift, tags));
    client.change(ENDPOINT, "CreateTags", request.send()).await?;
    Ok(Receipt::default())
}

/// Takes tags away.
pub async fn untag(
    client: &ServiceClient<'_>,
    address: &Address,
    keys: Vec<String>,
) -> Result<(), CloudError> {
    let arn = arn_of(client, address).await?;
    let request = client.write.redshift.delete_tags().resource_name(arn).set_tag_keys(Some(keys));
    client.change(ENDPOINT, "DeleteTags", request.send()).await.map(drop)
}

async fn arn_of(client: &ServiceClient<'_>, address: &Address) -> Result<String, CloudError> {
    let kind = match address.kind {
        KindId::RedshiftSubnetGroup => "subnetgroup",
        KindId::RedshiftParameters => "parametergroup",
        KindId::RedshiftCluster => "cluster",
        other => return Err(unsupported(&format!("tag {other}"))),
    };
    client.arn("redshift", &address.region, &format!("{kind}:{}", address.name)).await
}

/// Does a verb.
pub async fn act(client: &ServiceClient<'_>, address: &Address, verb: &Verb) -> Result<Receipt, CloudError> {
    let (sdk, name) = (&client.write.redshift, address.name.as_str());
    if address.kind != KindId::RedshiftCluster {
        return Err(unsupported(&format!("{} {}", verb.as_str(), address.kind)));
    }
    match verb {
        Verb::Failover { .. } => {
            let request = sdk.failover_primary_compute().cluster_identifier(name);
            client.urgent(ENDPOINT, "FailoverPrimaryCompute", request.send()).await.map(drop)?;
        }
        Verb::Reboot => {
            let request = sdk.reboot_cluster().cluster_identifier(name);
            client.change(ENDPOINT, "RebootCluster", request.send()).await.map(drop)?;
        }
        Verb::Stop => pause(client, name, true).await?,
        Verb::Start => pause(client, name, false).await?,
        other => return Err(unsupported(&format!("{} {}", other.as_str(), address.kind))),
    }
    Ok(Receipt::default())
}
