//! Creations.

use std::collections::BTreeMap;

use aws_sdk_rds as rds;
use rds::operation::create_db_cluster::builders::CreateDbClusterInputBuilder;
use rds::operation::create_db_instance::builders::CreateDbInstanceInputBuilder;
use rds::types::ServerlessV2ScalingConfiguration;

use super::change::set_parameters;
use super::shape::{cluster_in, instance_in, lifecycle_word, storage_word, units};
use super::{DOCUMENT_ENGINE, ENDPOINT};
use crate::secrets::{self, TAG_SECRET};
use crate::service_client::{ServiceClient, unsupported};
use crate::tags::tags_for;
use rgctl_model::address::Address;
use rgctl_model::kinds::shared::{ParameterGroupAttrs, SubnetGroupAttrs};
use rgctl_model::kinds::{AnyAttrs, KindId, aurora};
use rgctl_model::ports::{CloudError, Receipt};
use rgctl_schema::names::RegionId;

/// Makes an object.
pub async fn create(
    client: &ServiceClient<'_>,
    address: &Address,
    attrs: &AnyAttrs,
    tags: &BTreeMap<String, String>,
) -> Result<Receipt, CloudError> {
    let name = address.name.as_str();
    match attrs {
        AnyAttrs::RdsSubnetGroup(group) => subnet_group(client, name, group, tags).await,
        AnyAttrs::AuroraClusterParameters(group)
        | AnyAttrs::AuroraInstanceParameters(group)
        | AnyAttrs::DocumentClusterParameters(group) => parameter_group(client, address, group, tags).await,
        AnyAttrs::AuroraGlobal(wanted) => {
            let engine = wanted.engine.map_or("aurora-mysql", aurora::AuroraEngine::as_str);
            let source = Source {
                name: wanted.source.as_deref(),
                region: wanted.source_region.as_deref(),
                engine,
                version: wanted.engine_version.as_ref().map(|version| version.0.clone()),
                protected: wanted.deletion_protection,
                extended_support: wanted.extended_support,
            };
            global(client, address, &source, tags).await
        }
        AnyAttrs::DocumentGlobal(wanted) => {
            let source = Source {
                name: wanted.source.as_deref(),
                region: wanted.source_region.as_deref(),
                engine: DOCUMENT_ENGINE,
                version: None,
                protected: wanted.deletion_protection,
                extended_support: None,
            };
            global(client, address, &source, tags).await
        }
        AnyAttrs::AuroraCluster(wanted) => {
            let engine = wanted.engine.map_or("aurora-mysql", aurora::AuroraEngine::as_str);
            make_cluster(client, (name, engine), wanted, tags).await
        }
        AnyAttrs::DocumentCluster(wanted) => {
            make_cluster(client, (name, DOCUMENT_ENGINE), &cluster_in(wanted), tags).await
        }
        AnyAttrs::AuroraInstance(wanted) => {
            let engine = wanted.engine.map_or("aurora-mysql", aurora::AuroraEngine::as_str);
            send_instance(client, instance(name, engine, wanted, tags)).await
        }
        AnyAttrs::DocumentInstance(wanted) => {
            send_instance(client, instance(name, DOCUMENT_ENGINE, &instance_in(wanted), tags)).await
        }
        other => Err(unsupported(&format!("create {}", other.kind()))),
    }
}

/// The request for a cluster. A secondary of a global cluster takes its users from the primary and must not name any;
/// everything else gets a password that the service makes, keeps and rotates, unless a secret is named.
fn cluster(
    name: &str,
    engine: &str,
    wanted: &aurora::ClusterAttrs,
    tags: &BTreeMap<String, String>,
) -> CreateDbClusterInputBuilder {
    let joins = wanted.global.is_some();
    let document = engine == DOCUMENT_ENGINE;
    let scaling = (wanted.serverless_min_half_acu.is_some() || wanted.serverless_max_half_acu.is_some())
        .then(|| scaling(wanted));
    rds::operation::create_db_cluster::CreateDbClusterInput::builder()
        .db_cluster_identifier(name)
        .engine(engine)
        .set_engine_version(wanted.engine_version.as_ref().map(|version| version.0.clone()))
        .set_db_cluster_parameter_group_name(wanted.parameter_group.clone())
        .set_db_subnet_group_name(wanted.subnet_group.clone())
        .set_vpc_security_group_ids(wanted.security_groups.as_ref().map(|ids| ids.iter().cloned().collect()))
        .set_port(wanted.port.map(i32::from))
        .storage_encrypted(wanted.storage_encrypted.unwrap_or(true))
        .set_kms_key_id(wanted.kms_key.clone())
        // The other kind is the service's default, which an emulator does not know by its name.
        .set_storage_type(
            wanted
                .storage_kind
                .filter(|kind| *kind == aurora::StorageKind::IoOptimized)
                .map(|kind| storage_word(kind, document).to_owned()),
        )
        .set_backup_retention_period(wanted.backup_retention_days.map(u32::cast_signed))
        .set_preferred_backup_window(wanted.backup_window.clone())
        .set_preferred_maintenance_window(wanted.maintenance_window.clone())
        .set_deletion_protection(wanted.deletion_protection)
        .set_database_name(wanted.database.clone().filter(|_| !joins))
        .set_master_username(wanted.master_username.clone().filter(|_| !joins))
        .set_manage_master_user_password(
            (!joins && secret_of(wanted).is_none()).then_some(wanted.managed_password.unwrap_or(true)),
        )
        .set_enable_iam_database_authentication(wanted.iam_authentication)
        .set_enable_cloudwatch_logs_exports(
            wanted
                .log_exports
                .as_ref()
                .filter(|logs| !logs.is_empty())
                .map(|logs| logs.iter().cloned().collect()),
        )
        .set_copy_tags_to_snapshot(wanted.copy_tags_to_snapshot)
        .set_engine_lifecycle_support(wanted.extended_support.map(|on| lifecycle_word(on).to_owned()))
        .set_serverless_v2_scaling_configuration(scaling)
        .set_global_cluster_identifier(wanted.global.clone())
        .set_tags(tags_for!(rds, tags))
}

/// The secret from which the first user's password is set, by name or by ARN.
pub fn secret_of(wanted: &aurora::ClusterAttrs) -> Option<&str> {
    wanted.master_secret_arn.as_deref().or(wanted.master_secret.as_deref())
}

/// Makes a cluster. A password that is set from a secret is read last, and forgotten; a tag keeps which secret that was.
async fn make_cluster(
    client: &ServiceClient<'_>,
    (name, engine): (&str, &str),
    wanted: &aurora::ClusterAttrs,
    tags: &BTreeMap<String, String>,
) -> Result<Receipt, CloudError> {
    let secret = secret_of(wanted).filter(|_| wanted.global.is_none());
    let Some(secret) = secret else {
        if wanted.managed_password == Some(false) && wanted.global.is_none() {
            return Err(unsupported("a cluster whose password nobody keeps"));
        }
        return send_cluster(client, cluster(name, engine, wanted, tags)).await;
    };
    let mut tags = tags.clone();
    tags.insert(TAG_SECRET.to_owned(), secret.to_owned());
    let request = cluster(name, engine, wanted, &tags);
    send_cluster(client, request.master_user_password(secrets::password(client, secret).await?)).await
}

/// The serverless bounds, as far as they are set.
pub fn scaling(wanted: &aurora::ClusterAttrs) -> ServerlessV2ScalingConfiguration {
    ServerlessV2ScalingConfiguration::builder()
        .set_min_capacity(wanted.serverless_min_half_acu.map(units))
        .set_max_capacity(wanted.serverless_max_half_acu.map(units))
        .build()
}

/// The request for a member.
fn instance(
    name: &str,
    engine: &str,
    wanted: &aurora::InstanceAttrs,
    tags: &BTreeMap<String, String>,
) -> CreateDbInstanceInputBuilder {
    rds::operation::create_db_instance::CreateDbInstanceInput::builder()
        .db_instance_identifier(name)
        .engine(engine)
        .set_db_cluster_identifier(wanted.cluster.clone())
        .set_db_instance_class(wanted.class.clone())
        .set_db_parameter_group_name(wanted.parameter_group.clone())
        .set_promotion_tier(wanted.promotion_tier.map(u32::cast_signed))
        .set_availability_zone(wanted.zone.clone())
        .set_publicly_accessible(wanted.publicly_accessible)
        .set_auto_minor_version_upgrade(wanted.auto_minor_version_upgrade)
        .set_enable_performance_insights(wanted.performance_insights)
        .set_ca_certificate_identifier(wanted.ca_certificate.clone())
        .set_tags(tags_for!(rds, tags))
}

async fn send_cluster(
    client: &ServiceClient<'_>,
    request: CreateDbClusterInputBuilder,
) -> Result<Receipt, CloudError> {
    let answer = client.create(ENDPOINT, "CreateDBCluster", request.send_with(&client.write.rds)).await?;
    Ok(Receipt { arn: answer.db_cluster.and_then(|cluster| cluster.db_cluster_arn) })
}

async fn send_instance(
    client: &ServiceClient<'_>,
    request: CreateDbInstanceInputBuilder,
) -> Result<Receipt, CloudError> {
    let answer = client.create(ENDPOINT, "CreateDBInstance", request.send_with(&client.write.rds)).await?;
    Ok(Receipt { arn: answer.db_instance.and_then(|instance| instance.db_instance_arn) })
}

async fn subnet_group(
    client: &ServiceClient<'_>,
    name: &str,
    wanted: &SubnetGroupAttrs,
    tags: &BTreeMap<String, String>,
) -> Result<Receipt, CloudError> {
    let request = client
        .write
        .rds
        .create_db_subnet_group()
        .db_subnet_group_name(name)
        .db_subnet_group_description(wanted.description.as_deref().unwrap_or(name))
        .set_subnet_ids(wanted.subnets.as_ref().map(|ids| ids.iter().cloned().collect()))
        .set_tags(tags_for!(rds, tags));
    let answer = client.create(ENDPOINT, "CreateDBSubnetGroup", request.send()).await?;
    Ok(Receipt { arn: answer.db_subnet_group.and_then(|group| group.db_subnet_group_arn) })
}

async fn parameter_group(
    client: &ServiceClient<'_>,
    address: &Address,
    wanted: &ParameterGroupAttrs,
    tags: &BTreeMap<String, String>,
) -> Result<Receipt, CloudError> {
    let (name, family) = (address.name.as_str(), wanted.family.clone());
    let description = wanted.description.as_deref().unwrap_or(name);
    let arn = if address.kind == KindId::AuroraInstanceParameters {
        let request = client
            .write
            .rds
            .create_db_parameter_group()
            .db_parameter_group_name(name)
            .set_db_parameter_group_family(family)
            .description(description)
            .set_tags(tags_for!(rds, tags));
        let answer = client.create(ENDPOINT, "CreateDBParameterGroup", request.send()).await?;
        answer.db_parameter_group.and_then(|group| group.db_parameter_group_arn)
    } else {
        let request = client
            .write
            .rds
            .create_db_cluster_parameter_group()
            .db_cluster_parameter_group_name(name)
            .set_db_parameter_group_family(family)
            .description(description)
            .set_tags(tags_for!(rds, tags));
        let answer = client.create(ENDPOINT, "CreateDBClusterParameterGroup", request.send()).await?;
        answer.db_cluster_parameter_group.and_then(|group| group.db_cluster_parameter_group_arn)
    };
    // A group is made empty. Should the second call fail, the group is there without its parameters, which the next
    // observation shows as a difference.
    if let Some(parameters) = &wanted.parameters {
        set_parameters(client, address, parameters).await?;
    }
    Ok(Receipt { arn })
}

struct Source<'a> {
    name: Option<&'a str>,
    region: Option<&'a str>,
    engine: &'a str,
    version: Option<String>,
    protected: Option<bool>,
    extended_support: Option<bool>,
}

async fn global(
    client: &ServiceClient<'_>,
    address: &Address,
    source: &Source<'_>,
    tags: &BTreeMap<String, String>,
) -> Result<Receipt, CloudError> {
    let region = match source.region {
        Some(code) => RegionId::new(code).map_err(|why| unsupported(&format!("region {code:?}: {why}")))?,
        None => address.region.clone(),
    };
    let arn = match source.name {
        Some(name) => Some(client.arn("rds", &region, &format!("cluster:{name}")).await?),
        None => None,
    };
    // Made from a cluster, the global cluster takes engine and version from it and refuses to be told them.
    let own = arn.is_none();
    let document = source.engine == DOCUMENT_ENGINE;
    let request = client
        .write
        .rds
        .create_global_cluster()
        .global_cluster_identifier(address.name.as_str())
        .set_source_db_cluster_identifier(arn)
        .set_engine(own.then(|| source.engine.to_owned()))
        .set_engine_version(source.version.clone().filter(|_| own))
        .set_deletion_protection(source.protected)
        .set_engine_lifecycle_support(source.extended_support.map(|on| lifecycle_word(on).to_owned()))
        .set_tags(tags_for!(rds, tags).filter(|_| !document));
    let answer = client.create(ENDPOINT, "CreateGlobalCluster", request.send()).await?;
    let arn = answer.global_cluster.and_then(|global| global.global_cluster_arn);
    if document {
        // DocumentDB's form of this call takes no tags: they are set by a second one.
        super::tag(client, address, tags).await?;
    }
    Ok(Receipt { arn })
}
