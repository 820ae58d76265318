//! Changes: only what is set in the step's attributes is sent.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_redshift as redshift;
use redshift::operation::modify_cluster::builders::ModifyClusterInputBuilder;
use redshift::types::Parameter;

use super::ENDPOINT;
use super::resize::resize;
use crate::service_client::{ServiceClient, unsupported};
use rgctl_model::address::Address;
use rgctl_model::kinds::AnyAttrs;
use rgctl_model::kinds::redshift::{ClusterAttrs, NO_COPY};
use rgctl_model::ports::{CloudError, Receipt};
use rgctl_schema::table::FieldChange;

/// Changes an object.
pub async fn modify(
    client: &ServiceClient<'_>,
    address: &Address,
    changes: &[FieldChange],
    attrs: &AnyAttrs,
) -> Result<Receipt, CloudError> {
    let (sdk, name) = (&client.write.redshift, address.name.as_str());
    match attrs {
        AnyAttrs::RedshiftSubnetGroup(wanted) => {
            let subnets = match &wanted.subnets {
                Some(ids) => ids.iter().cloned().collect(),
                None => subnets_now(client, name).await?,
            };
            let request = sdk
                .modify_cluster_subnet_group()
                .cluster_subnet_group_name(name)
                .set_description(wanted.description.clone())
                .set_subnet_ids(Some(subnets));
            client.change(ENDPOINT, "ModifyClusterSubnetGroup", request.send()).await.map(drop)?;
        }
        AnyAttrs::RedshiftParameters(wanted) => {
            if let Some(parameters) = &wanted.parameters {
                set_parameters(client, name, parameters).await?;
            }
        }
        AnyAttrs::RedshiftCluster(wanted) => cluster(client, name, changes, wanted).await?,
        other => return Err(unsupported(&format!("modify {}", other.kind()))),
    }
    Ok(Receipt::default())
}

async fn cluster(
    client: &ServiceClient<'_>,
    name: &str,
    changes: &[FieldChange],
    wanted: &ClusterAttrs,
) -> Result<(), CloudError> {
    if wanted.node_type.is_some() || wanted.nodes.is_some() {
        return resize(client, name, wanted.node_type.as_deref(), wanted.nodes).await;
    }
    if let Some(paused) = wanted.paused {
        return pause(client, name, paused).await;
    }
    if let Some(region) = &wanted.snapshot_copy_region {
        return copy_to(client, name, region, changes).await;
    }
    if let Some(days) = wanted.snapshot_copy_retention_days {
        let request = client
            .write
            .redshift
            .modify_snapshot_copy_retention_period()
            .cluster_identifier(name)
            .retention_period(days.cast_signed());
        return client.change(ENDPOINT, "ModifySnapshotCopyRetentionPeriod", request.send()).await.map(drop);
    }
    if wanted.iam_roles.is_some() || wanted.default_iam_role.is_some() {
        return roles(client, name, changes, wanted).await;
    }
    let request = cluster_request(name, wanted);
    client.change(ENDPOINT, "ModifyCluster", request.send_with(&client.write.redshift)).await.map(drop)
}

fn cluster_request(name: &str, wanted: &ClusterAttrs) -> ModifyClusterInputBuilder {
    redshift::operation::modify_cluster::ModifyClusterInput::builder()
        .cluster_identifier(name)
        .set_manage_master_password(wanted.managed_password)
        .set_vpc_security_group_ids(wanted.security_groups.as_ref().map(|ids| ids.iter().cloned().collect()))
        .set_cluster_parameter_group_name(wanted.parameter_group.clone())
        .set_encrypted(wanted.encrypted)
        .set_kms_key_id(wanted.kms_key.clone())
        .set_automated_snapshot_retention_period(wanted.snapshot_retention_days.map(u32::cast_signed))
        .set_preferred_maintenance_window(wanted.maintenance_window.clone())
        .set_publicly_accessible(wanted.publicly_accessible)
        .set_enhanced_vpc_routing(wanted.enhanced_vpc_routing)
        .set_multi_az(wanted.multi_az)
        .set_port(wanted.port.map(i32::from))
}

/// The call takes what comes, what goes, and which is the default; of roles that stay it is told nothing.
async fn roles(
    client: &ServiceClient<'_>,
    name: &str,
    changes: &[FieldChange],
    wanted: &ClusterAttrs,
) -> Result<(), CloudError> {
    let change = changes.iter().find(|change| change.field == "iam_roles");
    let before: BTreeSet<String> = change
        .and_then(|change| change.before.clone())
        .and_then(|value| serde_json::from_value(value).ok())
        .unwrap_or_default();
    let after = wanted.iam_roles.clone().filter(|_| change.is_some()).unwrap_or_else(|| before.clone());
    let some = |roles: Vec<String>| (!roles.is_empty()).then_some(roles);
    let request = client
        .write
        .redshift
        .modify_cluster_iam_roles()
        .cluster_identifier(name)
        .set_add_iam_roles(some(after.difference(&before).cloned().collect()))
        .set_remove_iam_roles(some(before.difference(&after).cloned().collect()))
        .set_default_iam_role_arn(wanted.default_iam_role.clone());
    client.change(ENDPOINT, "ModifyClusterIamRoles", request.send()).await.map(drop)
}

/// Pauses or resumes.
pub async fn pause(client: &ServiceClient<'_>, name: &str, paused: bool) -> Result<(), CloudError> {
    let sdk = &client.write.redshift;
    if paused {
        let request = sdk.pause_cluster().cluster_identifier(name);
        client.change(ENDPOINT, "PauseCluster", request.send()).await.map(drop)
    } else {
        let request = sdk.resume_cluster().cluster_identifier(name);
        client.change(ENDPOINT, "ResumeCluster", request.send()).await.map(drop)
    }
}

/// Copies go to one region at a time: another one is named after the old one was given up, which is this call when
/// there was one. The next plan sees no copy and names the new region.
async fn copy_to(
    client: &ServiceClient<'_>,
    name: &str,
    region: &str,
    changes: &[FieldChange],
) -> Result<(), CloudError> {
    let sdk = &client.write.redshift;
    let before = changes.iter().find(|change| change.field == "snapshot_copy_region");
    let is_copied = |value: &serde_json::Value| value.as_str() != Some(NO_COPY);
    if before.and_then(|change| change.before.as_ref()).is_some_and(is_copied) {
        let request = sdk.disable_snapshot_copy().cluster_identifier(name);
        return client.change(ENDPOINT, "DisableSnapshotCopy", request.send()).await.map(drop);
    }
    if region == NO_COPY {
        return Ok(());
    }
    let request = sdk.enable_snapshot_copy().cluster_identifier(name).destination_region(region);
    client.change(ENDPOINT, "EnableSnapshotCopy", request.send()).await.map(drop)
}

async fn subnets_now(client: &ServiceClient<'_>, name: &str) -> Result<Vec<String>, CloudError> {
    let request = client.read.redshift.describe_cluster_subnet_groups().cluster_subnet_group_name(name);
    let answer = client.ask(ENDPOINT, "DescribeClusterSubnetGroups", || request.clone().send()).await?;
    let subnets =
        answer.cluster_subnet_groups().iter().flat_map(redshift::types::ClusterSubnetGroup::subnets);
    Ok(subnets.filter_map(|subnet| subnet.subnet_identifier.clone()).collect())
}

/// Sets parameters; the call takes all of a group at once.
pub async fn set_parameters(
    client: &ServiceClient<'_>,
    name: &str,
    parameters: &BTreeMap<String, String>,
) -> Result<(), CloudError> {
    let values = parameters
        .iter()
        .map(|(name, value)| Parameter::builder().parameter_name(name).parameter_value(value).build());
    let request = client
        .write
        .redshift
        .modify_cluster_parameter_group()
        .parameter_group_name(name)
        .set_parameters(Some(values.collect()));
    client.change(ENDPOINT, "ModifyClusterParameterGroup", request.send()).await.map(drop)
}

/// Parameters that one call may carry. Source: API reference, ResetClusterParameterGroup.
const PARAMETERS_A_CALL: usize = 20;

/// Takes parameters back to their defaults.
pub async fn reset_parameters(
    client: &ServiceClient<'_>,
    address: &Address,
    names: &BTreeSet<String>,
) -> Result<(), CloudError> {
    let all: Vec<&String> = names.iter().collect();
    for batch in all.chunks(PARAMETERS_A_CALL) {
        let names = batch.iter().map(|name| Parameter::builder().parameter_name(*name).build());
        let request = client
            .write
            .redshift
            .reset_cluster_parameter_group()
            .parameter_group_name(address.name.as_str())
            .reset_all_parameters(false)
            .set_parameters(Some(names.collect()));
        client.change(ENDPOINT, "ResetClusterParameterGroup", request.send()).await.map(drop)?;
    }
    Ok(())
}
