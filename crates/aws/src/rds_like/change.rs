//! Changes: only what is set in the step's attributes is sent.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_rds as rds;
use rds::operation::modify_db_cluster::builders::ModifyDbClusterInputBuilder;
use rds::operation::modify_db_instance::builders::ModifyDbInstanceInputBuilder;
use rds::types::builders::ParameterBuilder;
use rds::types::{ApplyMethod, CloudwatchLogsExportConfiguration, Parameter};

use super::create::{scaling, secret_of};
use super::observe::static_parameters;
use super::shape::{cluster_in, halves, instance_in, storage_word};
use super::{ENDPOINT, PARAMETERS_A_CALL};
use crate::secrets::{self, TAG_SECRET};
use crate::service_client::{ServiceClient, unsupported};
use rgctl_model::address::Address;
use rgctl_model::kinds::shared::{EngineVersion, SubnetGroupAttrs};
use rgctl_model::kinds::{AnyAttrs, KindId, aurora};
use rgctl_model::ports::{CloudError, Receipt};
use rgctl_schema::table::FieldChange;

/// Changes an object.
pub async fn modify(
    client: &ServiceClient<'_>,
    address: &Address,
    changes: &[FieldChange],
    attrs: &AnyAttrs,
) -> Result<Receipt, CloudError> {
    let name = address.name.as_str();
    match attrs {
        AnyAttrs::RdsSubnetGroup(group) => subnet_group(client, name, group).await?,
        AnyAttrs::AuroraClusterParameters(group)
        | AnyAttrs::AuroraInstanceParameters(group)
        | AnyAttrs::DocumentClusterParameters(group) => {
            if let Some(parameters) = &group.parameters {
                set_parameters(client, address, &changed_entries(changes, parameters)).await?;
            }
        }
        AnyAttrs::AuroraGlobal(wanted) => global(client, name, wanted.deletion_protection).await?,
        AnyAttrs::DocumentGlobal(wanted) => global(client, name, wanted.deletion_protection).await?,
        AnyAttrs::AuroraCluster(wanted) => cluster(client, address, changes, wanted).await?,
        AnyAttrs::DocumentCluster(wanted) => {
            cluster(client, address, changes, &cluster_in(wanted)).await?;
        }
        AnyAttrs::AuroraInstance(wanted) => instance(client, name, wanted).await?,
        AnyAttrs::DocumentInstance(wanted) => instance(client, name, &instance_in(wanted)).await?,
        other => return Err(unsupported(&format!("modify {}", other.kind()))),
    }
    Ok(Receipt::default())
}

async fn cluster(
    client: &ServiceClient<'_>,
    address: &Address,
    changes: &[FieldChange],
    wanted: &aurora::ClusterAttrs,
) -> Result<(), CloudError> {
    let (name, document) = (address.name.as_str(), address.kind == KindId::DocumentCluster);
    if let Some(roles) = &wanted.iam_roles {
        return super::roles::set(client, name, &texts_before(changes, "iam_roles"), roles).await;
    }
    let mut wanted = wanted.clone();
    // The range is one structure at the service: the bound that stays is told along.
    if wanted.serverless_min_half_acu.is_some() != wanted.serverless_max_half_acu.is_some() {
        complete_range(client, name, &mut wanted).await?;
    }
    let secret = secret_of(&wanted);
    if secret.is_none() && wanted.managed_password == Some(false) {
        return Err(unsupported("a cluster whose password nobody keeps"));
    }
    let mut request = cluster_request(name, document, changes, &wanted);
    if let Some(secret) = secret {
        request = request.master_user_password(secrets::password(client, secret).await?);
    }
    client.change(ENDPOINT, "ModifyDBCluster", request.send_with(&client.write.rds)).await.map(drop)?;
    // Should this fail, the difference is still there, and the same password is set once more.
    if let Some(secret) = secret {
        let tags = BTreeMap::from([(TAG_SECRET.to_owned(), secret.to_owned())]);
        super::tag(client, address, &tags).await?;
    }
    Ok(())
}

async fn complete_range(
    client: &ServiceClient<'_>,
    name: &str,
    wanted: &mut aurora::ClusterAttrs,
) -> Result<(), CloudError> {
    let request = client.read.rds.describe_db_clusters().db_cluster_identifier(name);
    let answer = client.ask(ENDPOINT, "DescribeDBClusters", || request.clone().send()).await?;
    let now = answer.db_clusters().first().and_then(|cluster| cluster.serverless_v2_scaling_configuration());
    if let Some(now) = now {
        wanted.serverless_min_half_acu = wanted.serverless_min_half_acu.or(now.min_capacity.map(halves));
        wanted.serverless_max_half_acu = wanted.serverless_max_half_acu.or(now.max_capacity.map(halves));
    }
    Ok(())
}

fn cluster_request(
    name: &str,
    document: bool,
    changes: &[FieldChange],
    wanted: &aurora::ClusterAttrs,
) -> ModifyDbClusterInputBuilder {
    let to_major = wanted.engine_version.as_ref().map(|to| is_major(changes, to));
    let ranged = wanted.serverless_min_half_acu.is_some() || wanted.serverless_max_half_acu.is_some();
    rds::operation::modify_db_cluster::ModifyDbClusterInput::builder()
        .db_cluster_identifier(name)
        // The planner owns the windows; at the service, changes are always due at once.
        .apply_immediately(true)
        .set_allow_major_version_upgrade(to_major)
        .set_engine_version(wanted.engine_version.as_ref().map(|version| version.0.clone()))
        .set_db_cluster_parameter_group_name(wanted.parameter_group.clone())
        // The service takes it with a newer major version only.
        .set_db_instance_parameter_group_name(
            wanted.instance_parameter_group.clone().filter(|_| to_major == Some(true)),
        )
        .set_vpc_security_group_ids(wanted.security_groups.as_ref().map(|ids| ids.iter().cloned().collect()))
        .set_port(wanted.port.map(i32::from))
        .set_storage_type(wanted.storage_kind.map(|kind| storage_word(kind, document).to_owned()))
        .set_backup_retention_period(wanted.backup_retention_days.map(u32::cast_signed))
        .set_preferred_backup_window(wanted.backup_window.clone())
        .set_preferred_maintenance_window(wanted.maintenance_window.clone())
        .set_deletion_protection(wanted.deletion_protection)
        // It goes along with another secret, and is said where it changes.
        .set_manage_master_user_password(
            wanted.managed_password.filter(|_| changes.iter().any(|one| one.field == "managed_password")),
        )
        .set_enable_iam_database_authentication(wanted.iam_authentication)
        .set_cloudwatch_logs_export_configuration(
            wanted.log_exports.as_ref().map(|logs| log_exports(changes, logs)),
        )
        .set_copy_tags_to_snapshot(wanted.copy_tags_to_snapshot)
        .set_serverless_v2_scaling_configuration(ranged.then(|| scaling(wanted)))
}

/// The value that a field had, as a set of texts.
pub fn texts_before(changes: &[FieldChange], field: &str) -> BTreeSet<String> {
    let before = changes.iter().find(|change| change.field == field).and_then(|change| change.before.clone());
    before.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default()
}

fn is_major(changes: &[FieldChange], to: &EngineVersion) -> bool {
    let before = changes.iter().find(|change| change.field == "engine_version");
    let before = before.and_then(|change| change.before.as_ref()).and_then(serde_json::Value::as_str);
    before.is_some_and(|text| EngineVersion(text.to_owned()).major() != to.major())
}

/// The entries of a map that differ from what they were; all of them where that is not known.
fn changed_entries(
    changes: &[FieldChange],
    parameters: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let before = changes.iter().find_map(|change| change.before.as_ref()?.as_object());
    let is_new = |name: &String, value: &String| {
        before.is_none_or(|before| before.get(name).and_then(serde_json::Value::as_str) != Some(value))
    };
    let new = parameters.iter().filter(|(name, value)| is_new(name, value));
    new.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The service takes no list of logs, but what to switch on and off.
fn log_exports(changes: &[FieldChange], wanted: &BTreeSet<String>) -> CloudwatchLogsExportConfiguration {
    let before = texts_before(changes, "log_exports");
    let on: Vec<String> = wanted.difference(&before).cloned().collect();
    let off: Vec<String> = before.difference(wanted).cloned().collect();
    CloudwatchLogsExportConfiguration::builder()
        .set_enable_log_types((!on.is_empty()).then_some(on))
        .set_disable_log_types((!off.is_empty()).then_some(off))
        .build()
}

async fn instance(
    client: &ServiceClient<'_>,
    name: &str,
    wanted: &aurora::InstanceAttrs,
) -> Result<(), CloudError> {
    let request = instance_request(name, wanted);
    client.change(ENDPOINT, "ModifyDBInstance", request.send_with(&client.write.rds)).await.map(drop)
}

fn instance_request(name: &str, wanted: &aurora::InstanceAttrs) -> ModifyDbInstanceInputBuilder {
    rds::operation::modify_db_instance::ModifyDbInstanceInput::builder()
        .db_instance_identifier(name)
        .apply_immediately(true)
        .set_db_instance_class(wanted.class.clone())
        .set_db_parameter_group_name(wanted.parameter_group.clone())
        .set_promotion_tier(wanted.promotion_tier.map(u32::cast_signed))
        .set_publicly_accessible(wanted.publicly_accessible)
        .set_auto_minor_version_upgrade(wanted.auto_minor_version_upgrade)
        .set_enable_performance_insights(wanted.performance_insights)
        .set_ca_certificate_identifier(wanted.ca_certificate.clone())
}

async fn subnet_group(
    client: &ServiceClient<'_>,
    name: &str,
    wanted: &SubnetGroupAttrs,
) -> Result<(), CloudError> {
    let request = client
        .write
        .rds
        .modify_db_subnet_group()
        .db_subnet_group_name(name)
        .set_db_subnet_group_description(wanted.description.clone())
        .set_subnet_ids(Some(subnets(client, name, wanted).await?));
    client.change(ENDPOINT, "ModifyDBSubnetGroup", request.send()).await.map(drop)
}

/// The call requires the subnets even when only the description changes.
async fn subnets(
    client: &ServiceClient<'_>,
    name: &str,
    wanted: &SubnetGroupAttrs,
) -> Result<Vec<String>, CloudError> {
    if let Some(subnets) = &wanted.subnets {
        return Ok(subnets.iter().cloned().collect());
    }
    let request = client.read.rds.describe_db_subnet_groups().db_subnet_group_name(name);
    let answer = client.ask(ENDPOINT, "DescribeDBSubnetGroups", || request.clone().send()).await?;
    let subnets = answer.db_subnet_groups().iter().flat_map(rds::types::DbSubnetGroup::subnets);
    Ok(subnets.filter_map(|subnet| subnet.subnet_identifier.clone()).collect())
}

async fn global(client: &ServiceClient<'_>, name: &str, protected: Option<bool>) -> Result<(), CloudError> {
    let request = client
        .write
        .rds
        .modify_global_cluster()
        .global_cluster_identifier(name)
        .set_deletion_protection(protected);
    client.change(ENDPOINT, "ModifyGlobalCluster", request.send()).await.map(drop)
}

/// Sets parameters, in as many calls as the service's limit asks for. Static parameters refuse to be applied at
/// once, and which are static is known to the service only: of a refused batch it is asked which they are, so that no other one
/// waits for the restart with them.
pub async fn set_parameters(
    client: &ServiceClient<'_>,
    address: &Address,
    parameters: &BTreeMap<String, String>,
) -> Result<(), CloudError> {
    let all: Vec<(&String, &String)> = parameters.iter().collect();
    for batch in all.chunks(PARAMETERS_A_CALL) {
        match send_parameters(client, address, batch, &BTreeSet::new()).await {
            Err(CloudError::Refused { code, .. }) if code == "InvalidParameterCombination" => {
                let names = static_parameters(client, address).await?;
                send_parameters(client, address, batch, &names).await?;
            }
            other => other?,
        }
    }
    Ok(())
}

/// Takes parameters back to their defaults. Static ones refuse that at once, as they refuse to be set.
pub async fn reset_parameters(
    client: &ServiceClient<'_>,
    address: &Address,
    names: &BTreeSet<String>,
) -> Result<(), CloudError> {
    let all: Vec<&String> = names.iter().collect();
    for batch in all.chunks(PARAMETERS_A_CALL) {
        match send_reset(client, address, batch, &BTreeSet::new()).await {
            Err(CloudError::Refused { code, .. }) if code == "InvalidParameterCombination" => {
                let at_restart = static_parameters(client, address).await?;
                send_reset(client, address, batch, &at_restart).await?;
            }
            other => other?,
        }
    }
    Ok(())
}

async fn send_reset(
    client: &ServiceClient<'_>,
    address: &Address,
    batch: &[&String],
    at_restart: &BTreeSet<String>,
) -> Result<(), CloudError> {
    let parameters = batch.iter().map(|name| named(name, at_restart).build()).collect();
    if address.kind == KindId::AuroraInstanceParameters {
        let request = client
            .write
            .rds
            .reset_db_parameter_group()
            .db_parameter_group_name(address.name.as_str())
            .reset_all_parameters(false)
            .set_parameters(Some(parameters));
        client.change(ENDPOINT, "ResetDBParameterGroup", request.send()).await.map(drop)
    } else {
        let request = client
            .write
            .rds
            .reset_db_cluster_parameter_group()
            .db_cluster_parameter_group_name(address.name.as_str())
            .reset_all_parameters(false)
            .set_parameters(Some(parameters));
        client.change(ENDPOINT, "ResetDBClusterParameterGroup", request.send()).await.map(drop)
    }
}

/// A parameter by its name, with when it is to be applied.
fn named(name: &str, at_restart: &BTreeSet<String>) -> ParameterBuilder {
    let waits = at_restart.contains(name);
    let method = if waits { ApplyMethod::PendingReboot } else { ApplyMethod::Immediate };
    Parameter::builder().parameter_name(name).apply_method(method)
}

async fn send_parameters(
    client: &ServiceClient<'_>,
    address: &Address,
    batch: &[(&String, &String)],
    at_restart: &BTreeSet<String>,
) -> Result<(), CloudError> {
    let parameters =
        batch.iter().map(|(name, value)| named(name, at_restart).parameter_value(*value).build());
    let parameters: Vec<Parameter> = parameters.collect();
    if address.kind == KindId::AuroraInstanceParameters {
        let request = client
            .write
            .rds
            .modify_db_parameter_group()
            .db_parameter_group_name(address.name.as_str())
            .set_parameters(Some(parameters));
        client.change(ENDPOINT, "ModifyDBParameterGroup", request.send()).await.map(drop)
    } else {
        let request = client
            .write
            .rds
            .modify_db_cluster_parameter_group()
            .db_cluster_parameter_group_name(address.name.as_str())
            .set_parameters(Some(parameters));
        client.change(ENDPOINT, "ModifyDBClusterParameterGroup", request.send()).await.map(drop)
    }
}
